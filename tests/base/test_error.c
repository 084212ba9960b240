#include "base/error.h"

#include "base/check.h"

#include "tests/base/unit.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_first_wins(void **state)
{
	struct error error = {0};
	char out[1200];

	(void)state;
	assert_int_equal(
	    error_at(&error, ERR_DOCUMENT, "a.yml", 3, 7, TEXT_base_open, "x"), ERR_DOCUMENT);
	assert_int_equal(error_set(&error, ERR_MEMORY, TEXT_base_memory), ERR_MEMORY);
	assert_int_equal(error.code, ERR_DOCUMENT);
	assert_string_equal(error_format(&error, out, sizeof(out)), "a.yml:3:7: cannot open 'x'");
	error_clear(&error);
	assert_int_equal(error.code, 0);
	error_at(&error, ERR_DOCUMENT, "a.yml", 0, 0, TEXT_base_memory);
	assert_string_equal(error_format(&error, out, sizeof(out)), "a.yml: out of memory");
	error_clear(&error);
	error_at(&error, ERR_USAGE, NULL, 0, 0, TEXT_base_memory);
	assert_string_equal(error_format(&error, out, sizeof(out)), "out of memory");
	assert_string_equal(error_format(&error, out, 4), "out");
}

static void test_without_error(void **state)
{
	(void)state;
	assert_int_equal(error_set(NULL, ERR_IO, TEXT_base_memory), ERR_IO);
	assert_int_equal(error_at(NULL, ERR_IO, "x", 1, 1, TEXT_base_memory), ERR_IO);
	assert_int_equal(error_system(NULL, ENOSPC, TEXT_base_write, "x"), ERR_FULL);
}

static void test_system(void **state)
{
	static const struct {
		int system, code;
	} rows[] = {{ENOSPC, ERR_FULL}, {EDQUOT, ERR_FULL}, {ENOMEM, ERR_MEMORY},
	    {ENOENT, ERR_MISSING}, {EACCES, ERR_IO}};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error error = {0};

		assert_int_equal(
		    error_system(&error, rows[i].system, TEXT_base_open, "f"), rows[i].code);
		assert_int_equal(error.system, rows[i].system);
		assert_non_null(strstr(error.text, "cannot open 'f': "));
	}
}

static void test_cut_to_size(void **state)
{
	char longer[2000];
	struct error error = {0};

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	error_at(&error, ERR_DOCUMENT, longer, 1, 1, TEXT_base_open, longer);
	assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
	assert_int_equal(strlen(error.file), sizeof(error.file) - 1);
	error_clear(&error);
	error_system(&error, EACCES, TEXT_base_open, longer);
	assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
}

/* A broken program dies by SIGABRT, and says where. */
static void test_check(void **state)
{
	int ends[2], status;
	char said[256] = {0};

	(void)state;
	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();

	if (child == 0) {
		dup2(ends[1], 2);
		signal(SIGABRT, SIG_DFL);
		CHECK(1 + 1 == 3);
		_exit(0);
	}
	close(ends[1]);
	assert_true(read(ends[0], said, sizeof(said) - 1) > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_non_null(strstr(said, "1 + 1 == 3"));
	assert_non_null(strstr(said, "test_error.c"));
	close(ends[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_first_wins),
	    cmocka_unit_test(test_without_error),
	    cmocka_unit_test(test_system),
	    cmocka_unit_test(test_cut_to_size),
	    cmocka_unit_test(test_check),
	};

	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
