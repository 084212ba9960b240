#include "collector/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[96];

static void write_file(const char *bytes, size_t len)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static size_t read_file(char *out, size_t room)
{
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	size_t len = fread(out, 1, room, file);

	fclose(file);
	return len;
}

/* Whatever the clock says, also when it was set back, no epoch comes twice, and the id stays. */
static void test_epochs_grow(void **state)
{
	static const int64_t clocks[] = {1000, 2000, 2000, 1500, 1, 0, -5, 3000};
	static const uint64_t epochs[] = {1000, 2000, 2001, 2002, 2003, 2004, 2005, 3000};
	struct identity identity, first = {0};
	struct stat status;

	(void)state;
	unlink(path);
	for (size_t i = 0; i < sizeof(clocks) / sizeof(*clocks); i++) {
		assert_int_equal(identity_start(path, clocks[i], &identity, NULL), 0);
		if (i == 0)
			first = identity;
		assert_true(identity.collector == first.collector && identity.collector != 0);
		assert_true(identity.epoch == epochs[i]);
	}
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	unlink(path);
	assert_int_equal(identity_start(path, 1, &identity, NULL), 0);
	assert_true(identity.collector != first.collector);
}

/* Every changed bit, every cut, anything more: refused, and left as it is. */
static void test_damage(void **state)
{
	struct identity identity = {7, 7};
	char good[128], bad[128], after[128];

	(void)state;
	unlink(path);
	assert_int_equal(identity_start(path, 1000, &identity, NULL), 0);
	size_t len = read_file(good, sizeof(good));

	identity = (struct identity){7, 7};
	for (size_t bit = 0; bit < len * 8; bit++) {
		struct error error = {0};

		memcpy(bad, good, len);
		bad[bit / 8] = (char)(bad[bit / 8] ^ (1 << bit % 8));
		write_file(bad, len);
		assert_int_equal(identity_start(path, 2000, &identity, &error), ERR_CORRUPT);
		assert_non_null(strstr(error.text, path));
		assert_int_equal(read_file(after, sizeof(after)), len);
		assert_memory_equal(after, bad, len);
	}
	for (size_t cut = 0; cut < len; cut++) {
		write_file(good, cut);
		assert_int_equal(identity_start(path, 2000, &identity, NULL), ERR_CORRUPT);
	}
	memcpy(bad, good, len);
	bad[len] = '\n';
	write_file(bad, len + 1);
	assert_int_equal(identity_start(path, 2000, &identity, NULL), ERR_CORRUPT);
	bad[len] = '\0';
	write_file(bad, len + 1);
	assert_int_equal(identity_start(path, 2000, &identity, NULL), ERR_CORRUPT);
	assert_true(identity.collector == 7 && identity.epoch == 7);
	write_file(good, len);
	assert_int_equal(identity_start(path, 2000, &identity, NULL), 0);
}

static void test_no_place(void **state)
{
	struct identity identity;
	struct error error = {0};

	(void)state;
	assert_true(identity_start("/nonexistent/folder/id", 1, &identity, &error) < 0);
	assert_true(error.text[0] != '\0');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_epochs_grow),
	    cmocka_unit_test(test_damage),
	    cmocka_unit_test(test_no_place),
	};
	const char *tmp = getenv("TMPDIR");

	snprintf(folder, sizeof(folder), "%s/tocsin-identity-XXXXXX",
	    tmp != NULL && strlen(tmp) < 32 ? tmp : "/tmp");
	if (mkdtemp(folder) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/collector.id", folder);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	unlink(path);
	rmdir(folder);
	return failed;
}
