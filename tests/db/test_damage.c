/* Truncated and flipped files: refused or told, never wrong data, and never a dead reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "db/db.h"
#include "tests/db/folder.h"

enum { ROWS = 300, IMAGES = 500, LENGTHS = 200 };
enum { READ_WELL = 0, READ_REFUSED = 10, READ_INCOMPLETE = 11, READ_WRONG = 12 };

static const struct db_table_options tables[] = {{"rows", 0}, {"more", 0}};

static struct db_options options_new(void)
{
	return (struct db_options){.format = "tocsin.test", .version = 1, .max_bytes = 1 << 23,
		.must_exist = true, .tables = tables, .table_count = 2};
}

static struct str row_value(uint32_t row, char out[9000])
{
	size_t len = row % 7 == 0 ? 8000 : 20 + row % 200;

	for (size_t i = 0; i < len; i++)
		out[i] = (char)(row * 31 + i * 7);
	return str_from(out, len);
}

static void file_make(const char *path)
{
	struct db_options options = options_new();
	struct db *db = NULL;
	char key[4], value[9000];

	options.must_exist = false;
	assert_int_equal(db_open(&db, path, &options, NULL), 0);
	for (uint32_t row = 0; row < ROWS; row += 10) {
		struct db_txn *txn;

		assert_int_equal(db_begin(db, true, &txn, NULL), 0);
		for (uint32_t i = row; i < row + 10; i++) {
			db_key_u32(key, i);
			assert_int_equal(db_put(txn, i % 2, str_from(key, 4), row_value(i, value),
			    0, NULL), 0);
		}
		assert_int_equal(db_commit(txn, NULL), 0);
	}
	db_close(db);
}

static int walk(struct db_txn *txn, db_table table)
{
	struct db_cursor *cursor;
	struct str key, got;
	char value[9000];
	int code = db_cursor_open(txn, table, &cursor, NULL), found = 0, damaged = 0;

	/* a cursor may go on behind a damaged row, but not for ever */
	while (code == 0 && found + damaged < 2 * ROWS) {
		code = db_cursor_get(cursor, DB_NEXT, &key, &got, NULL);
		if (code == ERR_CORRUPT && key.len > 0) {
			damaged++;
			code = 0;
		} else if (code == DB_FOUND) {
			found++;
			if (key.len != 4 || db_key_get_u32(key.ptr) >= ROWS
			    || !str_eq(got, row_value(db_key_get_u32(key.ptr), value)))
				return READ_WRONG;
		}
	}
	db_cursor_close(cursor);
	return found == ROWS / 2 && damaged == 0 ? READ_WELL : READ_INCOMPLETE;
}

static int read_all(const char *path)
{
	struct db_options options = options_new();
	struct db_txn *txn;
	struct db *db = NULL;
	char key[4], value[9000];
	int worst = READ_WELL, code;

	if (db_open(&db, path, &options, NULL) != 0)
		return READ_REFUSED;
	if (db_begin(db, false, &txn, NULL) != 0)
		return READ_REFUSED;
	for (uint32_t i = 0; i < ROWS; i++) {
		struct str got;

		db_key_u32(key, i);
		code = db_get(txn, i % 2, str_from(key, 4), &got, NULL);
		if (code == DB_FOUND && !str_eq(got, row_value(i, value)))
			return READ_WRONG;
		if (code != DB_FOUND)
			worst = READ_INCOMPLETE;
	}
	for (db_table table = 0; table < 2; table++) {
		code = walk(txn, table);
		worst = code > worst ? code : worst;
	}
	return worst;
}

/* Reads in a child; -1 when it died. */
static int read_in_child(const char *path)
{
	struct rlimit none = {0, 0};
	int status;
	pid_t child = fork();

	if (child == 0) {
		static const int deadly[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		/* cmocka's handlers would go on with the tests */
		for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
			(void)signal(deadly[i], SIG_DFL);
		(void)alarm(60);
		(void)setrlimit(RLIMIT_CORE, &none);
		(void)dup2(null, STDERR_FILENO);
		_exit(read_all(path));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) < READ_REFUSED))
		return -1;
	return WEXITSTATUS(status) > READ_WRONG ? -1 : WEXITSTATUS(status);
}

static void flip(const char *path, unsigned bits, unsigned long long *seed, off_t size)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	while (bits-- > 0) {
		off_t at = (off_t)(folder_random(seed) % (unsigned long long)size);
		uint8_t byte;

		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= (uint8_t)(1u << folder_random(seed) % 8);
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	(void)close(fd);
}

static void test_flips(void **state)
{
	struct db_options options = options_new();
	char good[512], bad[512], lock[512];
	unsigned long long seed = 16;
	unsigned count[READ_WRONG + 1] = {0}, died = 0;
	struct stat st;

	file_make(folder_path(*state, "good.mdb", good));
	folder_path(*state, "bad.mdb", bad);
	folder_path(*state, "bad.mdb-lock", lock);
	assert_int_equal(stat(good, &st), 0);
	assert_int_equal(db_verify(good, &options, NULL), 0);
	for (unsigned i = 0; i < IMAGES; i++) {
		int result;

		folder_copy(good, bad);
		flip(bad, i % 2 == 0 ? 1 : 1 + (unsigned)(folder_random(&seed) % 100), &seed,
		    i % 10 == 0 ? 8192 : st.st_size);
		result = read_in_child(bad);
		assert_int_not_equal(result, READ_WRONG);
		if (result != READ_WELL)
			assert_true(db_verify(bad, &options, NULL) < 0);
		if (result < 0)
			died++;
		else
			count[result]++;
		(void)unlink(bad);
		(void)unlink(lock);
	}
	print_message("# flips: %u read well, %u refused, %u told as damaged, %u ended the reader\n",
	    count[READ_WELL], count[READ_REFUSED], count[READ_INCOMPLETE], died);
	assert_true(count[READ_INCOMPLETE] > IMAGES / 10);
}

static void test_lengths(void **state)
{
	struct db_options options = options_new();
	char good[512], bad[512];
	unsigned long long seed = 15;
	struct stat st;

	file_make(folder_path(*state, "good.mdb", good));
	folder_path(*state, "bad.mdb", bad);
	assert_int_equal(stat(good, &st), 0);
	for (unsigned i = 0; i < LENGTHS; i++) {
		struct error error = {0};
		struct db *db = NULL;
		/* the last ones miss less than a page or two */
		off_t less = i < LENGTHS - 20 ? (off_t)(folder_random(&seed)
		    % (unsigned long long)st.st_size) + 1 : (off_t)(i - LENGTHS + 21) * 409;
		int result;

		folder_copy(good, bad);
		assert_int_equal(truncate(bad, st.st_size - less), 0);
		result = read_in_child(bad);
		/* whole only where what is missing was free */
		assert_true(result == READ_REFUSED || result == READ_WELL);
		if (result == READ_REFUSED) {
			assert_int_equal(db_open(&db, bad, &options, &error), ERR_CORRUPT);
			assert_non_null(strstr(error.text, bad));
		}
	}
}

static int set_up(void **state)
{
	*state = folder_new();
	return 0;
}

static int tear_down(void **state)
{
	folder_free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_flips, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lengths, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("db_damage", tests, NULL, NULL);
}
