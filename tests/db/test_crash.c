/*
 * Death at every system call of a commit, every failing call, and power loss: a file of ten
 * transactions, each of which replaces all rows, so that a half of one would show.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "db/db.h"
#include "tests/db/fault_shim.h"
#include "tests/db/folder.h"

enum { TXNS = 10, ROWS = 12, TORN = 512 };

static const struct db_table_options tables[] = {{"rows", 0}, {"log", 0}};

static struct db_options options_new(enum db_sync sync)
{
	return (struct db_options){.format = "tocsin.test", .version = 1, .max_bytes = 1 << 22,
		.sync = sync, .tables = tables, .table_count = 2};
}

static struct str value_of(uint64_t txn, uint64_t row, char out[6000])
{
	size_t len = row == 3 ? 6000 : 300;

	memset(out, (int)('A' + txn), len);
	db_key_u64(out, txn);
	return str_from(out, len);
}

/* Transaction number txn (from 1): every row is set to it, a log row is put, an old one deleted. */
static int txn_write(struct db *db, uint64_t txn, struct error *error)
{
	struct db_txn *open;
	char key[8], value[6000];
	int code = db_begin(db, true, &open, error);

	if (code != 0)
		return code;
	for (uint64_t row = 0; row < ROWS && code == 0; row++) {
		db_key_u64(key, row);
		code = db_put(open, 0, str_from(key, 8), value_of(txn, row, value), 0, error);
	}
	db_key_u64(key, txn);
	if (code == 0)
		code = db_put(open, 1, str_from(key, 8), STR("x"), DB_APPEND, error);
	if (code == 0 && txn > 2) {
		db_key_u64(key, txn - 2);
		code = db_delete(open, 1, str_from(key, 8), error);
	}
	if (code < 0) {
		db_abort(open);
		return code;
	}
	return db_commit(open, error);
}

/* Which transaction the file stands at; -1 when it is a mixture or unreadable. */
static int64_t txn_read(const char *path, const struct db_options *options)
{
	struct db_options reading = *options;
	struct db_txn *open;
	struct db *db = NULL;
	char key[8], value[6000];
	uint64_t txn = 0;
	int code;

	reading.must_exist = true;
	code = db_open(&db, path, &reading, NULL);
	if (code != 0)
		return code == ERR_MISSING ? 0 : -1;
	assert_int_equal(db_begin(db, false, &open, NULL), 0);
	for (uint64_t row = 0; row < ROWS && code >= 0; row++) {
		struct str got = STR_NONE;

		db_key_u64(key, row);
		code = db_get(open, 0, str_from(key, 8), &got, NULL);
		if (row == 0 && code == DB_FOUND)
			txn = db_key_get_u64(got.ptr);
		if (code == DB_NOT_FOUND ? txn != 0
		    : code < 0 || txn == 0 || !str_eq(got, value_of(txn, row, value)))
			code = -1;
	}
	if (code >= 0 && db_count(open, 1) != (txn < 2 ? txn : 2))
		code = -1;
	db_abort(open);
	db_close(db);
	return code < 0 ? -1 : (int64_t)txn;
}

static uint64_t *shared_new(void)
{
	uint64_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	    0);

	assert_true(shared != MAP_FAILED);
	return shared;
}

static void expect_sound(const char *path, const struct db_options *options, uint64_t durable,
    uint64_t attempted)
{
	int64_t at = txn_read(path, options);

	if (at < (int64_t)durable || at > (int64_t)attempted)
		fail_msg("stands at %lld, acknowledged %llu, attempted %llu", (long long)at,
		    (unsigned long long)durable, (unsigned long long)attempted);
	if (access(path, F_OK) == 0)
		assert_int_equal(db_verify(path, options, NULL), 0);
}

/* ---- F5: death before the n-th call ---- */

_Noreturn static void writer(const char *path, enum db_sync sync, uint64_t n, uint64_t *acked)
{
	struct db_options options = options_new(sync);
	struct db *db = NULL;

	shim_arm(SHIM_KILL, n, 0);
	if (db_open(&db, path, &options, NULL) != 0)
		_exit(1);
	for (uint64_t txn = 1; txn <= TXNS; txn++) {
		if (txn_write(db, txn, NULL) != 0)
			_exit(2);
		*acked = txn;
	}
	_exit(0);
}

static void kill_everywhere(const char *folder, enum db_sync sync)
{
	struct db_options options = options_new(sync);
	uint64_t *acked = shared_new();
	char path[512], name[32];
	int status = 0;
	uint64_t n;

	for (n = 1; n < 1000; n++) {
		pid_t child;

		(void)snprintf(name, sizeof(name), "%u-%llu.mdb", sync, (unsigned long long)n);
		folder_path(folder, name, path);
		*acked = 0;
		child = fork();
		if (child == 0)
			writer(path, sync, n, acked);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == 0)
			break;
		assert_int_equal(WEXITSTATUS(status), SHIM_DEAD);
		expect_sound(path, &options, *acked, *acked + 1);
		assert_int_equal(db_remove(path, NULL), 0);
	}
	assert_in_range(n, 2 * TXNS, 999);
	assert_int_equal(*acked, TXNS);
	(void)munmap(acked, 4096);
}

static void test_kill_before_every_call(void **state)
{
	kill_everywhere(*state, DB_SYNC_FULL);
	kill_everywhere(*state, DB_SYNC_NO_META);
}

/* ---- F13: the n-th call fails ---- */

/* Goes on after a failure as a program would: by opening anew where that is asked for. */
_Noreturn static void stubborn(const char *path, uint64_t n, int failure, uint64_t *acked,
    uint64_t *failures)
{
	struct db_options options = options_new(DB_SYNC_FULL);
	int expected = failure == ENOSPC ? ERR_FULL : ERR_IO, code;
	struct error error = {0};
	struct db *db = NULL;

	shim_arm(SHIM_FAIL, n, failure);
	while (*acked < TXNS && *failures < 5) {
		bool opening = db == NULL;

		error_clear(&error);
		code = opening ? db_open(&db, path, &options, &error) : txn_write(db, *acked + 1,
		    &error);
		*acked += !opening && code == 0;
		if (code == 0)
			continue;
		if (shim_failed() == NULL || error.text[0] == '\0'
		    || (code != expected && *failures == 0))
			_exit(3);
		++*failures;
		if (db == NULL || code != ERR_IO)
			continue;
		if (txn_write(db, *acked + 1, NULL) != ERR_IO)
			_exit(4); /* a failed sync must not be followed by another */
		db_close(db);
		db = NULL;
	}
	if (*failures >= 5)
		_exit(5);
	db_close(db);
	_exit(shim_failed() == NULL ? 0 : 7);
}

static void fail_everywhere(const char *folder, int failure)
{
	struct db_options options = options_new(DB_SYNC_FULL);
	uint64_t *acked = shared_new(), failures = 0;
	char path[512], name[32];
	int status = 0;
	uint64_t n;

	for (n = 1; n < 1000; n++) {
		pid_t child;

		(void)snprintf(name, sizeof(name), "f%d-%llu.mdb", failure, (unsigned long long)n);
		folder_path(folder, name, path);
		memset(acked, 0, 4096);
		child = fork();
		if (child == 0)
			stubborn(path, n, failure, acked, acked + 1);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 7);
		assert_int_equal(*acked, TXNS);
		expect_sound(path, &options, TXNS, TXNS);
		assert_int_equal(db_remove(path, NULL), 0);
		failures += acked[1];
		if (WEXITSTATUS(status) == 0)
			break;
	}
	assert_in_range(n, 2 * TXNS, 999);
	assert_in_range(failures, 2 * TXNS, 2 * n);
	(void)munmap(acked, 4096);
}

static void test_every_call_fails_once(void **state)
{
	fail_everywhere(*state, EIO);
	fail_everywhere(*state, ENOSPC);
}

/* ---- F6: power loss ---- */

struct image {
	char *bytes;
	size_t len, capacity;
};

static void image_write(struct image *image, const struct shim_event *event, size_t from, size_t to)
{
	size_t end = (size_t)event->at + to;

	assert_true(end <= image->capacity);
	memcpy(image->bytes + event->at + from, event->bytes + from, to - from);
	image->len = end > image->len ? end : image->len;
}

static bool settled(const struct shim_event *events, size_t i, size_t crash)
{
	if (events[i].kind == SHIM_WRITE_SYNCED)
		return true;
	for (size_t j = i + 1; j < crash; j++)
		if (events[j].kind == SHIM_SYNC && events[j].inode == events[i].inode)
			return true;
	return false;
}

/*
 * What the disk holds when the power goes before event crash: all that was synced, and of the rest
 * each write whole, not at all, or torn at a sector, as the dice say; all of it with keep.
 */
static void image_build(struct image *image, const struct shim_event *events, size_t crash,
    bool keep, unsigned long long *seed)
{
	for (size_t i = 0; i < crash; i++) {
		const struct shim_event *event = &events[i];
		unsigned dice = (unsigned)(folder_random(seed) % 4);
		size_t sectors = event->len / TORN, torn = 0;

		if (event->kind != SHIM_WRITE && event->kind != SHIM_WRITE_SYNCED)
			continue;
		if (keep || dice == 0 || settled(events, i, crash)) {
			image_write(image, event, 0, event->len);
		} else if (dice == 1 && sectors > 1) {
			torn = (1 + folder_random(seed) % (sectors - 1)) * TORN;
			image_write(image, event, 0, torn);
		} else if (dice == 2 && sectors > 1) {
			torn = (1 + folder_random(seed) % (sectors - 1)) * TORN;
			image_write(image, event, torn, event->len);
		}
	}
}

static void image_save(const struct image *image, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, image->bytes, image->len), image->len);
	(void)close(fd);
}

static size_t file_load(const char *path, char *bytes, size_t capacity)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = read(fd, bytes, capacity);

	assert_true(got > 0);
	(void)close(fd);
	return (size_t)got;
}

/* The last transaction that was acknowledged before the crash, and the one being written. */
static void marks_before(const struct shim_event *events, size_t crash, uint64_t *ret)
{
	*ret = 0;
	for (size_t i = 0; i < crash; i++)
		if (events[i].kind == SHIM_MARK)
			*ret = events[i].mark;
}

static void power_loss(const char *folder, enum db_sync sync, unsigned images)
{
	struct db_options options = options_new(sync);
	struct image image = {.capacity = 1 << 22};
	const struct shim_event *events;
	unsigned long long seed = 6;
	char path[512], lost[512], *born;
	size_t count, born_len;
	struct db *db = NULL;

	folder_path(folder, sync == DB_SYNC_FULL ? "full.mdb" : "nometa.mdb", path);
	folder_path(folder, "lost.mdb", lost);
	assert_int_equal(db_open(&db, path, &options, NULL), 0);
	born = malloc(image.capacity);
	image.bytes = malloc(image.capacity);
	born_len = file_load(path, born, image.capacity);
	shim_arm(SHIM_LOG, 0, 0);
	for (uint64_t txn = 1; txn <= TXNS; txn++) {
		assert_int_equal(txn_write(db, txn, NULL), 0);
		shim_mark(txn);
	}
	shim_stop();
	events = shim_events(&count);
	for (unsigned i = 0; i < images; i++) {
		size_t crash = i < count ? i + 1 : folder_random(&seed) % (count + 1);
		uint64_t acked;

		memset(image.bytes, 0, image.capacity);
		memcpy(image.bytes, born, born_len);
		image.len = born_len;
		image_build(&image, events, crash, i < count && i % 2 == 0, &seed);
		marks_before(events, crash, &acked);
		image_save(&image, lost);
		if (sync == DB_SYNC_NO_META && acked > 0)
			expect_sound(lost, &options, acked - 1, acked + 1);
		else
			expect_sound(lost, &options, acked, acked + 1);
		assert_int_equal(db_remove(lost, NULL), 0);
	}
	db_close(db);
	shim_arm(SHIM_OFF, 0, 0);
	free(image.bytes);
	free(born);
}

static void test_power_loss(void **state)
{
	unsigned images = getenv("TOCSIN_LONG") != NULL ? 10000 : 200;

	power_loss(*state, DB_SYNC_FULL, images);
	power_loss(*state, DB_SYNC_NO_META, images);
}

/* ---- F12: a disk of 20 MB ---- */

static void test_full_disk(void **state)
{
	struct db_options options = options_new(DB_SYNC_FULL);
	struct error error = {0};
	char path[512], ballast[512], big[30000] = {0}, key[8];
	struct db *db = NULL, *other = NULL;
	struct db_txn *txn;
	uint64_t stored = 0;
	int code = 0, fd;

	if (mount("tmpfs", *state, "tmpfs", 0, "size=20m") != 0) {
		fprintf(stderr, "# skipped: only root can mount a small file system\n");
		skip();
	}
	options.max_bytes = 64 << 20;
	assert_int_equal(db_open(&db, folder_path(*state, "x.mdb", path), &options, NULL), 0);
	fd = open(folder_path(*state, "ballast", ballast), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(posix_fallocate(fd, 0, 10 << 20), 0);
	while (code == 0) {
		db_key_u64(key, stored);
		assert_int_equal(db_begin(db, true, &txn, NULL), 0);
		assert_int_equal(db_put(txn, 0, str_from(key, 8), str_from(big, sizeof(big)),
		    DB_APPEND, NULL), 0);
		code = db_commit(txn, &error);
		stored += code == 0;
	}
	assert_int_equal(code, ERR_FULL);
	assert_non_null(strstr(error.text, path));
	assert_in_range(stored, 200, 400);
	/* nothing can be born preallocated now, and nothing half-born is left */
	options.preallocate = true;
	(void)folder_path(*state, "y.mdb", path);
	assert_int_equal(db_open(&other, path, &options, NULL), ERR_FULL);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(access(strcat(path, ".new"), F_OK), -1);
	/* room again: the same handle goes on */
	assert_int_equal(ftruncate(fd, 0), 0);
	(void)close(fd);
	assert_int_equal(db_begin(db, true, &txn, NULL), 0);
	db_key_u64(key, stored);
	assert_int_equal(db_put(txn, 0, str_from(key, 8), str_from(big, sizeof(big)), DB_APPEND,
	    NULL), 0);
	assert_int_equal(db_commit(txn, NULL), 0);
	assert_int_equal(db_begin(db, false, &txn, NULL), 0);
	assert_int_equal(db_count(txn, 0), stored + 1);
	db_abort(txn);
	db_close(db);
	options.preallocate = false;
	assert_int_equal(db_verify(folder_path(*state, "x.mdb", path), &options, NULL), 0);
	assert_int_equal(umount(*state), 0);
}

static int set_up(void **state)
{
	*state = folder_new();
	return 0;
}

static int tear_down(void **state)
{
	shim_arm(SHIM_OFF, 0, 0);
	folder_free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_kill_before_every_call, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_every_call_fails_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_power_loss, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_full_disk, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("db_crash", tests, NULL, NULL);
}
