/* Tables, cursors, heads, sharing, several processes, a full map. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "db/db.h"
#include "tests/db/folder.h"

enum { PLAIN, PAIRS };

static const struct db_table_options tables[] = {
	[PLAIN] = {"plain", 0}, [PAIRS] = {"pairs", DB_DUPLICATES}, {"later", 0},
};

static struct db_options options_new(void)
{
	return (struct db_options){.format = "tocsin.test", .version = 3, .max_bytes = 1 << 22,
		.tables = tables, .table_count = 2};
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

static struct db *open_at(const char *folder, const struct db_options *options)
{
	char path[512];
	struct error error = {0};
	struct db *db = NULL;

	if (db_open(&db, folder_path(folder, "x.mdb", path), options, &error) != 0)
		fail_msg("%s", error.text);
	return db;
}

static void put(struct db *db, db_table table, struct str key, struct str value)
{
	struct db_txn *txn;

	assert_int_equal(db_begin(db, true, &txn, NULL), 0);
	assert_int_equal(db_put(txn, table, key, value, 0, NULL), 0);
	assert_int_equal(db_commit(txn, NULL), 0);
}

static void expect(struct db *db, struct str key, int code, struct str value)
{
	struct db_txn *txn;
	struct str got;

	assert_int_equal(db_begin(db, false, &txn, NULL), 0);
	assert_int_equal(db_get(txn, PLAIN, key, &got, NULL), code);
	if (code == DB_FOUND)
		assert_true(str_eq(got, value));
	db_abort(txn);
}

static void test_put_get_delete(void **state)
{
	struct db_options options = options_new();
	struct db *db = open_at(*state, &options);
	struct db_txn *txn;

	expect(db, STR("Huế"), DB_NOT_FOUND, STR_NONE);
	put(db, PLAIN, STR("Huế"), STR("sông Hương"));
	put(db, PLAIN, STR("\0\xff"), STR_NONE);
	expect(db, STR("Huế"), DB_FOUND, STR("sông Hương"));
	expect(db, STR("\0\xff"), DB_FOUND, STR(""));
	assert_int_equal(db_begin(db, true, &txn, NULL), 0);
	assert_int_equal(db_put(txn, PLAIN, STR("Huế"), STR("x"), DB_NO_OVERWRITE, NULL),
	    DB_EXISTS);
	assert_int_equal(db_put(txn, PLAIN, STR("A"), STR("x"), DB_APPEND, NULL), DB_EXISTS);
	assert_int_equal(db_count(txn, PLAIN), 2);
	assert_int_equal(db_delete(txn, PLAIN, STR("Huế"), NULL), DB_FOUND);
	assert_int_equal(db_delete(txn, PLAIN, STR("Huế"), NULL), DB_NOT_FOUND);
	db_abort(txn);
	expect(db, STR("Huế"), DB_FOUND, STR("sông Hương"));
	db_close(db);
	db = open_at(*state, &options);
	expect(db, STR("Huế"), DB_FOUND, STR("sông Hương"));
	db_close(db);
}

static void test_cursor(void **state)
{
	static const struct {
		enum db_seek seek;
		const char *key;  /* in */
		const char *want; /* NULL: not found */
	} rows[] = {
		{DB_FIRST, NULL, "b"}, {DB_NEXT, NULL, "d"}, {DB_PREVIOUS, NULL, "b"},
		{DB_PREVIOUS, NULL, NULL}, {DB_AT_OR_AFTER, "c", "d"}, {DB_AT_OR_AFTER, "g", NULL},
		{DB_EXACT, "f", "f"}, {DB_EXACT, "e", NULL}, {DB_LAST, NULL, "f"}, {DB_NEXT, NULL,
		    NULL},
	};
	struct db_options options = options_new();
	struct db *db = open_at(*state, &options);
	struct db_cursor *cursor;
	struct db_txn *txn;
	struct str key, value;

	put(db, PLAIN, STR("b"), STR("1"));
	put(db, PLAIN, STR("d"), STR("2"));
	put(db, PLAIN, STR("f"), STR("3"));
	assert_int_equal(db_begin(db, false, &txn, NULL), 0);
	assert_int_equal(db_cursor_open(txn, PLAIN, &cursor, NULL), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		key = str_of(rows[i].key);
		assert_int_equal(db_cursor_get(cursor, rows[i].seek, &key, &value, NULL),
		    rows[i].want == NULL ? DB_NOT_FOUND : DB_FOUND);
		if (rows[i].want != NULL)
			assert_true(str_eq(key, str_of(rows[i].want)));
	}
	db_cursor_close(cursor);
	db_abort(txn);
	db_close(db);
}

static void test_duplicates(void **state)
{
	static const struct {
		enum db_seek seek;
		const char *key, *value;
	} rows[] = {
		{DB_FIRST, "k", "00000001"}, {DB_NEXT_DUPLICATE, "k", "00000002"},
		{DB_NEXT_DUPLICATE, NULL, NULL}, {DB_PREVIOUS_DUPLICATE, "k", "00000001"},
		{DB_LAST_DUPLICATE, "k", "00000002"}, {DB_NEXT_KEY, "m", "00000009"},
	};
	struct db_options options = options_new();
	struct db *db = open_at(*state, &options);
	struct db_cursor *cursor;
	struct db_txn *txn;
	struct str key, value;

	put(db, PAIRS, STR("k"), STR("00000002"));
	put(db, PAIRS, STR("k"), STR("00000001"));
	put(db, PAIRS, STR("m"), STR("00000009"));
	assert_int_equal(db_begin(db, true, &txn, NULL), 0);
	assert_int_equal(db_put(txn, PAIRS, STR("k"), STR("00000001"), DB_NO_OVERWRITE, NULL),
	    DB_EXISTS);
	assert_int_equal(db_cursor_open(txn, PAIRS, &cursor, NULL), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(db_cursor_get(cursor, rows[i].seek, &key, &value, NULL),
		    rows[i].key == NULL ? DB_NOT_FOUND : DB_FOUND);
		if (rows[i].key == NULL)
			continue;
		assert_true(str_eq(key, str_of(rows[i].key)));
		assert_true(str_eq(value, str_of(rows[i].value)));
		assert_int_equal(db_cursor_count(cursor), rows[i].key[0] == 'k' ? 2 : 1);
	}
	db_cursor_close(cursor);
	assert_int_equal(db_delete(txn, PAIRS, STR("k"), NULL), DB_FOUND);
	assert_int_equal(db_count(txn, PAIRS), 1);
	db_abort(txn);
	db_close(db);
}

static void write_file(const char *path, struct str bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes.ptr, bytes.len), bytes.len);
	(void)close(fd);
}

static void test_refusals(void **state)
{
	struct db_options good = options_new(), other;
	char path[512], noise[9000];
	struct error error = {0};
	struct db *db = NULL;

	good.site = 77;
	other = good;
	other.must_exist = true;
	folder_path(*state, "x.mdb", path);
	assert_int_equal(db_open(&db, path, &other, &error), ERR_MISSING);
	assert_non_null(strstr(error.text, path));
	db_close(open_at(*state, &good));
	other.format = "tocsin.bus";
	assert_int_equal(db_open(&db, path, &other, NULL), ERR_FOREIGN);
	other = good;
	other.version = 4;
	assert_int_equal(db_open(&db, path, &other, NULL), ERR_VERSION);
	other = good;
	other.site = 78;
	assert_int_equal(db_open(&db, path, &other, NULL), ERR_FOREIGN);
	other.site = 0;
	assert_int_equal(db_open(&db, path, &other, NULL), 0);
	db_close(db);
	memset(noise, 'x', sizeof(noise));
	folder_path(*state, "noise.mdb", path);
	write_file(path, str_from(noise, sizeof(noise)));
	assert_int_equal(db_open(&db, path, &good, NULL), ERR_FOREIGN);
	write_file(path, STR_NONE);
	assert_int_equal(db_open(&db, path, &good, NULL), ERR_CORRUPT);
	assert_true(db_open(&db, "/nonexistent/x.mdb", &good, NULL) < 0);
	assert_null(db);
}

static void test_later_table(void **state)
{
	struct db_options options = options_new();
	struct db_txn *txn;
	struct db *db;

	db_close(open_at(*state, &options));
	options.table_count = 3;
	db = open_at(*state, &options);
	put(db, 2, STR("a"), STR("b"));
	assert_int_equal(db_begin(db, false, &txn, NULL), 0);
	assert_int_equal(db_count(txn, 2), 1);
	db_abort(txn);
	db_close(db);
}

static void test_handles_share(void **state)
{
	struct db_options options = options_new();
	struct db *one = open_at(*state, &options), *two = open_at(*state, &options);

	put(one, PLAIN, STR("k"), STR("1"));
	expect(two, STR("k"), DB_FOUND, STR("1"));
	db_close(one);
	put(two, PLAIN, STR("k"), STR("2"));
	expect(two, STR("k"), DB_FOUND, STR("2"));
	db_close(two);
}

static void test_map_full(void **state)
{
	struct db_options options = options_new();
	struct db *db;
	struct db_txn *txn;
	char value[5000], key[8];
	uint64_t stored = 0;
	int code = 0;

	options.max_bytes = 1 << 18;
	db = open_at(*state, &options);
	memset(value, 'v', sizeof(value));
	while (code == 0) {
		struct error error = {0};

		db_key_u64(key, stored);
		assert_int_equal(db_begin(db, true, &txn, NULL), 0);
		code = db_put(txn, PLAIN, str_from(key, 8), str_from(value, sizeof(value)),
		    DB_APPEND, &error);
		if (code == 0) {
			code = db_commit(txn, &error);
			stored += code == 0;
		} else {
			db_abort(txn);
		}
		assert_true(code == 0 || code == ERR_FULL);
	}
	assert_in_range(stored, 20, 40);
	assert_true(db_used_bytes(db) <= db_max_bytes(db));
	db_key_u64(key, stored - 1);
	expect(db, str_from(key, 8), DB_FOUND, str_from(value, sizeof(value)));
	db_close(db);
}

/* Four processes count to 200 together; each is killed once in the midst of it. */
static void count_up(const char *folder, int rounds)
{
	struct db_options options = options_new();
	struct db *db = open_at(folder, &options);
	struct db_txn *txn;
	struct str got;
	char value[8];
	uint64_t count;

	for (int i = 0; i < rounds; i++) {
		if (db_begin(db, true, &txn, NULL) != 0)
			_exit(1);
		count = db_get(txn, PLAIN, STR("n"), &got, NULL) == DB_FOUND
		    ? db_key_get_u64(got.ptr) : 0;
		db_key_u64(value, count + 1);
		if (db_put(txn, PLAIN, STR("n"), str_from(value, 8), 0, NULL) != 0
		    || db_commit(txn, NULL) != 0)
			_exit(1);
	}
	if (db_begin(db, true, &txn, NULL) != 0) /* dies holding the write lock and a reader */
		_exit(1);
	_exit(db_put(txn, PLAIN, STR("n"), STR("wrong value"), 0, NULL));
}

static void test_processes(void **state)
{
	struct db_options options = options_new();
	pid_t child[4];
	struct db *db;
	char value[8];
	int status;

	for (int i = 0; i < 4; i++) {
		child[i] = fork();
		if (child[i] == 0)
			count_up(*state, 50);
	}
	for (int i = 0; i < 4; i++) {
		assert_int_equal(waitpid(child[i], &status, 0), child[i]);
		assert_int_equal(status, 0);
	}
	db = open_at(*state, &options);
	db_key_u64(value, 200);
	expect(db, STR("n"), DB_FOUND, str_from(value, 8));
	db_close(db);
}

static void test_remove(void **state)
{
	struct db_options options = options_new();
	char path[512], lock[512];

	db_close(open_at(*state, &options));
	assert_int_equal(db_remove(folder_path(*state, "x.mdb", path), NULL), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(access(folder_path(*state, "x.mdb-lock", lock), F_OK), -1);
	assert_int_equal(db_remove(path, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_put_get_delete, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cursor, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_duplicates, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_later_table, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_handles_share, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_map_full, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_processes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_remove, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("db", tests, NULL, NULL);
}
