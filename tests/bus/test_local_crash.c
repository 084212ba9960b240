/*
 * The local bus dies, fails and loses power at every system call, across rolls of a segment: what
 * was receipted is there, once, at its offset, and the bus opens and goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "bus/bus.h"
#include "tests/db/fault_shim.h"

enum { RECORDS = 14, RECORD_BYTES = 900000, SMALL_BYTES = 700 };

static void remove_tree(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;

	while (folder != NULL && (entry = readdir(folder)) != NULL) {
		char *inner = NULL;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		CHECK(asprintf(&inner, "%s/%s", path, entry->d_name) > 0);
		if (entry->d_type == DT_DIR)
			remove_tree(inner);
		else
			(void)unlink(inner);
		free(inner);
	}
	if (folder != NULL)
		(void)closedir(folder);
	(void)rmdir(path);
}

static int set_up(void **state)
{
	const char *base = getenv("TMPDIR");
	char *name = NULL;

	CHECK(asprintf(&name, "%s/tocsin-crash-XXXXXX", base == NULL ? "/tmp" : base) > 0);
	CHECK(mkdtemp(name) != NULL);
	*state = name;
	return 0;
}

static int tear_down(void **state)
{
	shim_arm(SHIM_OFF, 0, 0);
	remove_tree(*state);
	free(*state);
	return 0;
}

static struct bus_options options_new(const char *path)
{
	return (struct bus_options){.backend = "local", .path = path, .partitions = {2, 1, 1},
		.segment_bytes = 1, .commit_ns = 1};
}

/* Most records are small; every third is large, so that the second segment comes soon. */
static struct str value_of(uint64_t number, char out[RECORD_BYTES])
{
	size_t len = number % 3 == 2 ? RECORD_BYTES : SMALL_BYTES;

	memset(out, (int)('a' + number % 26), len);
	memcpy(out, &number, sizeof(number));
	return str_from(out, len);
}

struct told {
	uint64_t durable; /* records receipted so far, in order */
	uint64_t offset[RECORDS];
	uint64_t failures;
};

static struct told *told_new(void)
{
	struct told *told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(told != MAP_FAILED);
	return told;
}

/* Publishes the next record and waits for its receipt. 0 or a negative code. */
static int publish_next(struct bus *bus, struct told *told, struct error *error)
{
	static char value[RECORD_BYTES];
	struct bus_receipt receipt;
	uint64_t number = told->durable;
	int code = bus_publish(bus, TOPIC_EVENTS, (uint32_t)(number % 2), STR_NONE,
	    value_of(number, value), number);

	if (code < 0)
		return error_set(error, code, TEXT_bus_broken);
	if (code != BUS_ACCEPTED)
		_exit(10);
	do {
		error_clear(error);
		code = bus_receipts(bus, &receipt, 1, NS_PER_S, error);
		told->failures += code < 0 && code != ERR_FULL;
	} while (code == ERR_FULL && told->failures < 5);
	if (code < 0)
		return code;
	if (code != 1 || receipt.tag != number || receipt.status != RECEIPT_DURABLE)
		_exit(11);
	told->offset[number] = receipt.offset;
	told->durable++;
	return 0;
}

/*
 * Reads everything. Each receipted record is at its offset; what came before its receipt was told
 * may be there as well, and again when it was sent again.
 */
static void expect_told(const char *path, const struct told *told)
{
	struct bus_options options = options_new(path);
	struct bus_reader_options reading = {.topic = TOPIC_EVENTS, .group = "test"};
	struct bus_record records[8];
	struct bus_reader *reader;
	struct bus *bus = NULL;
	static char value[RECORD_BYTES];
	struct error error = {0};
	uint64_t next[2] = {0, 0}, found = 0;
	int count;

	if (bus_open(&bus, &options, &error) != 0)
		fail_msg("%s", error.text);
	assert_int_equal(bus_reader_open(&reader, bus, &reading, NULL), 0);
	while ((count = bus_poll(reader, records, 8, 0, &error)) > 0) {
		for (int i = 0; i < count; i++) {
			uint64_t number;

			assert_int_equal(records[i].kind, BUS_RECORD);
			assert_int_equal(records[i].offset, next[records[i].partition]++);
			memcpy(&number, records[i].value.ptr, sizeof(number));
			assert_true(str_eq(records[i].value, value_of(number, value)));
			assert_true(number <= told->durable);
			found += number < told->durable
			    && told->offset[number] == records[i].offset;
		}
	}
	if (count < 0)
		fail_msg("%s", error.text);
	assert_int_equal(found, told->durable);
	bus_reader_close(reader);
	bus_close(bus);
}

static void expect_goes_on(const char *path, struct told *told)
{
	struct bus_options options = options_new(path);
	struct bus *bus = NULL;
	struct error error = {0};

	assert_int_equal(bus_open(&bus, &options, NULL), 0);
	if (told->durable < RECORDS)
		assert_int_equal(publish_next(bus, told, &error), 0);
	bus_close(bus);
	expect_told(path, told);
}

_Noreturn static void writer(const char *path, uint64_t n, struct told *told)
{
	struct bus_options options = options_new(path);
	struct error error = {0};
	struct bus *bus = NULL;

	shim_arm(SHIM_KILL, n, 0);
	if (bus_open(&bus, &options, NULL) != 0)
		_exit(1);
	while (told->durable < RECORDS)
		if (publish_next(bus, told, &error) != 0)
			_exit(2);
	_exit(0);
}

static void test_kill_before_every_call(void **state)
{
	struct told *told = told_new();
	int status = 0;
	uint64_t n;

	for (n = 1; n < 1000; n++) {
		char path[512];
		pid_t child;

		(void)snprintf(path, sizeof(path), "%s/%llu", (char *)*state,
		    (unsigned long long)n);
		memset(told, 0, sizeof(*told));
		child = fork();
		if (child == 0)
			writer(path, n, told);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == 0)
			break;
		assert_int_equal(WEXITSTATUS(status), SHIM_DEAD);
		expect_told(path, told);
		expect_goes_on(path, told);
		remove_tree(path);
	}
	assert_in_range(n, 4 * RECORDS, 999);
	(void)munmap(told, sizeof(*told));
}

/* Opens anew when the bus says that it is broken, as the program does. */
_Noreturn static void stubborn(const char *path, uint64_t n, int failure, struct told *told)
{
	struct bus_options options = options_new(path);
	struct error error = {0};
	struct bus *bus = NULL;
	struct bus_stats stats;
	int code;

	shim_arm(SHIM_FAIL, n, failure);
	while (told->durable < RECORDS && told->failures < 5) {
		error_clear(&error);
		if (bus == NULL) {
			code = bus_open(&bus, &options, &error);
			told->failures += code < 0;
		} else {
			code = publish_next(bus, told, &error);
		}
		if (code == 0)
			continue;
		if (shim_failed() == NULL || error.text[0] == '\0')
			_exit(3);
		if (bus != NULL && bus_publish(bus, TOPIC_EVENTS, 0, STR_NONE, STR("x"), 0) >= 0)
			_exit(4); /* broken for good */
		bus_close(bus);
		bus = NULL;
	}
	if (bus != NULL) {
		bus_stats(bus, &stats);
		told->failures += stats.retries; /* bus_receipts tried again by itself */
	}
	_exit(told->failures >= 5 ? 5 : shim_failed() == NULL ? 0 : 7);
}

static void fail_everywhere(const char *folder, int failure, uint64_t step)
{
	struct told *told = told_new();
	uint64_t n, failures = 0;
	int status = 0;

	for (n = 1; n < 1000; n += step) {
		char path[512];
		pid_t child;

		(void)snprintf(path, sizeof(path), "%s/f%llu", folder, (unsigned long long)n);
		memset(told, 0, sizeof(*told));
		child = fork();
		if (child == 0)
			stubborn(path, n, failure, told);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 7);
		assert_int_equal(told->durable, RECORDS);
		failures += told->failures;
		expect_told(path, told);
		remove_tree(path);
		if (WEXITSTATUS(status) == 0)
			break;
	}
	assert_in_range(n, 4 * RECORDS, 999);
	assert_in_range(failures, 2 * RECORDS / step, 2 * n / step);
	(void)munmap(told, sizeof(*told));
}

static void test_every_call_fails_once(void **state)
{
	fail_everywhere(*state, EIO, 1);
}

static void test_the_disk_is_full_for_a_moment(void **state)
{
	/* a full disk is tried again after 200 ms */
	fail_everywhere(*state, ENOSPC, getenv("TOCSIN_LONG") != NULL ? 1 : 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_kill_before_every_call), TEST(test_every_call_fails_once),
		TEST(test_the_disk_is_full_for_a_moment),
	};

	return cmocka_run_group_tests_name("bus_local_crash", tests, NULL, NULL);
}
