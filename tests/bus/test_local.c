/* What only the local bus does: segments, retention, processes, damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "bus/bus.h"

#define MB (UINT64_C(1) << 20)

static int set_up(void **state)
{
	const char *base = getenv("TMPDIR");
	char *name = NULL;

	CHECK(asprintf(&name, "%s/tocsin-bus-XXXXXX", base == NULL ? "/tmp" : base) > 0);
	CHECK(mkdtemp(name) != NULL);
	*state = name;
	return 0;
}

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

static int tear_down(void **state)
{
	remove_tree(*state);
	free(*state);
	return 0;
}

static struct bus_options options_new(const char *path)
{
	return (struct bus_options){.backend = "local", .path = path, .partitions = {2, 2, 1},
		.segment_bytes = 4 * MB, .commit_ns = 1};
}

static struct bus *open_bus(const struct bus_options *options)
{
	struct error error = {0};
	struct bus *bus = NULL;

	if (bus_open(&bus, options, &error) != 0)
		fail_msg("%s", error.text);
	return bus;
}

static struct bus_reader *open_reader(struct bus *bus)
{
	struct bus_reader_options options = {.topic = TOPIC_EVENTS, .group = "test"};
	struct bus_reader *reader = NULL;

	assert_int_equal(bus_reader_open(&reader, bus, &options, NULL), 0);
	return reader;
}

/* Publishes a record of len bytes that begins with number, and waits for its receipt. */
static struct bus_receipt publish(struct bus *bus, uint32_t partition, uint64_t number, size_t len)
{
	static char value[1000000];
	struct bus_receipt receipt = {0};
	struct error error = {0};

	memset(value, (int)('a' + number % 26), len);
	memcpy(value, &number, sizeof(number));
	assert_int_equal(bus_publish(bus, TOPIC_EVENTS, partition, STR("k"), str_from(value, len),
	    number), BUS_ACCEPTED);
	if (bus_receipts(bus, &receipt, 1, NS_PER_S, &error) != 1)
		fail_msg("no receipt: %s", error.text);
	return receipt;
}

static uint64_t number_of(const struct bus_record *record)
{
	uint64_t number;

	assert_true(record->value.len >= sizeof(number));
	memcpy(&number, record->value.ptr, sizeof(number));
	for (size_t i = sizeof(number); i < record->value.len; i++)
		assert_int_equal(record->value.ptr[i], 'a' + number % 26);
	return number;
}

static unsigned segments_of(const char *path, uint64_t *first, uint64_t *last)
{
	char folder[512];
	unsigned count = 0;
	struct dirent *entry;
	unsigned long long sequence;
	DIR *dir;

	(void)snprintf(folder, sizeof(folder), "%s/events", path);
	dir = opendir(folder);
	*first = UINT64_MAX;
	*last = 0;
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (strlen(entry->d_name) != 24 || sscanf(entry->d_name, "%20llu.mdb",
		    &sequence) != 1)
			continue;
		*first = sequence < *first ? sequence : *first;
		*last = sequence > *last ? sequence : *last;
		count++;
	}
	if (dir != NULL)
		(void)closedir(dir);
	return count;
}

static void test_roll(void **state)
{
	struct bus_options options = options_new(*state);
	struct bus *bus = open_bus(&options);
	struct bus_reader *reader = open_reader(bus);
	struct bus_record records[7];
	uint64_t next[2] = {0, 0}, first, last, seen = 0;
	int count;

	for (uint64_t i = 0; i < 60; i++) {
		struct bus_receipt receipt = publish(bus, (uint32_t)(i % 2), i, 300000);

		assert_int_equal(receipt.status, RECEIPT_DURABLE);
		assert_int_equal(receipt.tag, i);
		assert_int_equal(receipt.offset, i / 2);
	}
	assert_in_range(segments_of(*state, &first, &last), 4, 8);
	while ((count = bus_poll(reader, records, 7, 0, NULL)) > 0) {
		for (int i = 0; i < count; i++) {
			assert_int_equal(records[i].kind, BUS_RECORD);
			assert_int_equal(records[i].offset, next[records[i].partition]++);
			assert_int_equal(number_of(&records[i]),
			    2 * records[i].offset + records[i].partition);
			assert_true(str_eq(records[i].key, STR("k")));
			assert_true(records[i].time_ns > 0);
			seen++;
		}
	}
	assert_int_equal(count, 0);
	assert_int_equal(seen, 60);
	bus_reader_close(reader);
	bus_close(bus);
}

static void test_reopen_keeps_identity_and_counts(void **state)
{
	struct bus_options options = options_new(*state);
	struct bus *bus = open_bus(&options);
	char identity[64];
	struct bus_receipt receipt;

	(void)snprintf(identity, sizeof(identity), "%.*s", STR_ARG(bus_identity(bus)));
	(void)publish(bus, 1, 7, 100);
	bus_close(bus);
	options.partitions[TOPIC_EVENTS] = 9;
	bus = open_bus(&options);
	assert_int_equal(strlen(identity), 16);
	assert_true(str_eq(bus_identity(bus), str_of(identity)));
	assert_int_equal(bus_partitions(bus, TOPIC_EVENTS), 2);
	receipt = publish(bus, 1, 8, 100);
	assert_int_equal(receipt.offset, 1);
	bus_close(bus);
}

static void test_retention_is_a_gap(void **state)
{
	struct bus_options options = options_new(*state);
	struct bus_record records[100];
	struct bus_reader *reader;
	uint64_t first, last, next, low, high;
	struct bus *bus;
	int count;

	options.retain_bytes = 12 * MB;
	bus = open_bus(&options);
	reader = open_reader(bus);
	(void)publish(bus, 0, 0, 300000);
	assert_int_equal(bus_poll(reader, records, 100, 0, NULL), 1);
	for (uint64_t i = 1; i < 100; i++)
		(void)publish(bus, 0, i, 300000);
	assert_in_range(segments_of(*state, &low, &high), 2, 4);
	assert_true(low > 1);
	assert_int_equal(bus_range(bus, TOPIC_EVENTS, 0, &first, &last, NULL), 0);
	assert_int_equal(last, 100);
	assert_true(first > 1);
	/* the reader stood at 1 while all that went by */
	count = bus_poll(reader, records, 100, 0, NULL);
	assert_true(count > 1);
	next = 1;
	for (int i = 0; i < count; i++) {
		assert_int_equal(records[i].offset, next);
		next = records[i].next;
	}
	assert_int_equal(records[0].kind, BUS_GAP);
	assert_int_equal(records[0].next, first);
	assert_int_equal(records[1].kind, BUS_RECORD);
	bus_reader_close(reader);
	bus_close(bus);
}

static void test_retention_by_age(void **state)
{
	struct bus_options options = options_new(*state);
	uint64_t first, last;
	struct bus *bus = open_bus(&options);

	(void)publish(bus, 0, 0, 100);
	bus_close(bus);
	options.retain_ns = 1;
	bus = open_bus(&options);
	/*
	 * the first commit of a handle looks: the old file is rolled away and dropped at the next
	 * look
	 */
	(void)publish(bus, 0, 1, 100);
	bus_close(bus);
	bus = open_bus(&options);
	(void)publish(bus, 0, 2, 100);
	assert_int_equal(bus_range(bus, TOPIC_EVENTS, 0, &first, &last, NULL), 0);
	assert_int_equal(last, 3);
	assert_true(first > 0);
	bus_close(bus);
}

static void test_damaged_record_is_a_gap(void **state)
{
	struct bus_options options = options_new(*state);
	struct bus *bus = open_bus(&options);
	struct bus_record records[16];
	struct bus_reader *reader;
	struct stat st;
	char path[512], *bytes;
	struct bus_stats stats;
	uint64_t next;
	int fd;

	for (uint64_t i = 0; i < 10; i++)
		(void)publish(bus, 0, i, 5000);
	bus_close(bus);
	(void)snprintf(path, sizeof(path), "%s/events/00000000000000000001.mdb", (char *)*state);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	bytes = malloc((size_t)st.st_size);
	assert_int_equal(pread(fd, bytes, (size_t)st.st_size, 0), st.st_size);
	/* number 4 is the only one of e's, number 9 the only one of j's */
	for (const char *letter = "ej"; *letter != '\0'; letter++) {
		char run[16];
		const char *at;

		memset(run, *letter, sizeof(run));
		at = memmem(bytes, (size_t)st.st_size, run, sizeof(run));
		assert_non_null(at);
		assert_int_equal(pwrite(fd, "X", 1, at - bytes + 100), 1);
	}
	(void)close(fd);
	free(bytes);
	bus = open_bus(&options);
	reader = open_reader(bus);
	assert_int_equal(bus_poll(reader, records, 16, 0, NULL), 9);
	for (uint64_t i = 0; i < 9; i++) {
		assert_int_equal(records[i].kind, i == 4 ? BUS_GAP : BUS_RECORD);
		assert_int_equal(records[i].offset, i);
		assert_int_equal(records[i].next, i + 1);
	}
	assert_int_equal(bus_poll(reader, records, 16, 0, NULL), 0);
	/* how far a damaged end reached is known when the next file begins behind it */
	next = publish(bus, 0, 10, 100).offset;
	assert_true(next >= 10);
	assert_int_equal(bus_poll(reader, records, 16, 0, NULL), 2);
	assert_int_equal(records[0].kind, BUS_GAP);
	assert_int_equal(records[0].offset, 9);
	assert_int_equal(records[0].next, next);
	assert_int_equal(records[1].offset, next);
	bus_stats(bus, &stats);
	assert_int_equal(stats.gaps, 2);
	assert_int_equal(stats.gap_records, 1 + next - 9);
	bus_reader_close(reader);
	bus_close(bus);
}

/* The newest file and one in the middle become unreadable: gaps, and no offset is used twice. */
static void test_damaged_segment_is_a_gap(void **state)
{
	struct bus_options options = options_new(*state);
	struct bus *bus = open_bus(&options);
	struct bus_record records[200];
	struct bus_reader *reader;
	uint64_t first, last, next[2] = {0, 0}, good = 0, gaps = 0;
	char path[512];
	int count;

	for (uint64_t i = 0; i < 50; i++)
		(void)publish(bus, 0, i, 300000);
	bus_close(bus);
	assert_true(segments_of(*state, &first, &last) > 3);
	(void)snprintf(path, sizeof(path), "%s/events/%020llu.mdb", (char *)*state, 2ull);
	assert_int_equal(truncate(path, 10000), 0);
	(void)snprintf(path, sizeof(path), "%s/events/%020llu.mdb", (char *)*state,
	    (unsigned long long)last);
	assert_int_equal(truncate(path, 300000), 0);
	bus = open_bus(&options);
	assert_true(publish(bus, 0, 50, 1000).offset >= 50);
	reader = open_reader(bus);
	while ((count = bus_poll(reader, records, 200, 0, NULL)) > 0) {
		for (int i = 0; i < count; i++) {
			assert_int_equal(records[i].offset, next[records[i].partition]);
			assert_true(records[i].next > records[i].offset);
			next[records[i].partition] = records[i].next;
			if (records[i].kind == BUS_GAP)
				gaps++;
			else if (number_of(&records[i]) != 50)
				assert_int_equal(number_of(&records[i]), records[i].offset);
			good += records[i].kind == BUS_RECORD;
		}
	}
	assert_int_equal(count, 0);
	/*
	 * two in the partition that was written to; the lost file may have held some of the other
	 */
	assert_int_equal(gaps, 3);
	assert_in_range(good, 20, 45);
	bus_reader_close(reader);
	bus_close(bus);
}

static void test_position_of_elsewhere(void **state)
{
	struct bus_options options = options_new(*state);
	struct bus *bus = open_bus(&options);
	struct bus_reader *reader = open_reader(bus);
	struct bus_record records[4];

	(void)publish(bus, 0, 0, 100);
	assert_int_equal(bus_seek(reader, 0, 500, NULL), 0);
	assert_int_equal(bus_poll(reader, records, 4, 0, NULL), 2);
	assert_int_equal(records[0].kind, BUS_GAP);
	assert_int_equal(records[0].offset, 500);
	assert_int_equal(records[0].next, 0);
	assert_int_equal(records[1].kind, BUS_RECORD);
	assert_int_equal(bus_seek(reader, 7, 0, NULL), ERR_USAGE);
	bus_reader_close(reader);
	bus_close(bus);
}

/* A child sleeps in bus_poll, far longer than the test may take, and is woken by a commit. */
static void test_wake_between_processes(void **state)
{
	struct bus_options options = options_new(*state);
	struct bus_record record;
	struct bus_reader *reader;
	struct bus *bus;
	int ready[2], status;
	pid_t child;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		bus = open_bus(&options);
		reader = open_reader(bus);
		if (bus_poll(reader, &record, 1, 0, NULL) != 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		for (uint64_t i = 0; i < 50; i++)
			if (bus_poll(reader, &record, 1, 600 * NS_PER_S, NULL) != 1
			    || record.offset != i || write(ready[1], "", 1) != 1)
				_exit(2);
		_exit(0);
	}
	bus = open_bus(&options);
	for (uint64_t i = 0; i < 50; i++) {
		char byte;

		assert_int_equal(read(ready[0], &byte, 1), 1);
		assert_int_equal(publish(bus, 1, i, 100).offset, i);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	(void)close(ready[0]);
	(void)close(ready[1]);
	bus_close(bus);
}

/* Writers tell each receipt through a pipe that outlives them. */
/* Of the topic of events: how often a commit has woken readers. */
static uint32_t wakings(const char *path, const uint32_t *set)
{
	char file[600];
	uint32_t count = 0;

	(void)snprintf(file, sizeof(file), "%s/events/wake", path);
	int fd = open(file, O_RDWR);

	assert_true(fd >= 0);
	if (set != NULL)
		assert_int_equal(pwrite(fd, set, sizeof(*set), 0), sizeof(*set));
	assert_int_equal(pread(fd, &count, sizeof(count), 0), sizeof(count));
	(void)close(fd);
	return count;
}

/* A publisher that dies between the commit and the waking: what it wrote is found all the same. */
static void test_not_woken(void **state)
{
	struct bus_options options = options_new(*state);
	struct bus *bus = open_bus(&options), *other = open_bus(&options);
	struct bus_reader *reader = open_reader(bus);
	struct bus_record record;

	for (uint64_t i = 0; i < 4; i++) {
		int64_t begin = clock_monotonic_ns();

		assert_int_equal(bus_poll(reader, &record, 1, 0, NULL), 0);
		uint32_t before = wakings(*state, NULL);

		publish(other, 0, i, 100);
		assert_int_equal(wakings(*state, &before), before);
		/* In one long wait, or in many short ones. */
		int count = i % 2 == 0 ? bus_poll(reader, &record, 1, 600 * NS_PER_S, NULL) : 0;

		while (count == 0 && clock_monotonic_ns() - begin < 60 * NS_PER_S)
			count = bus_poll(reader, &record, 1, NS_PER_MS, NULL);
		assert_int_equal(count, 1);
		assert_int_equal(record.offset, i);
	}
	bus_reader_close(reader);
	bus_close(other);
	bus_close(bus);
}

static void writer_run(const char *path, uint32_t source, int out, uint64_t limit)
{
	struct bus_options options = options_new(path);
	struct bus *bus = NULL;
	struct bus_receipt receipts[64];
	uint64_t number = 0;
	char value[700];

	if (bus_open(&bus, &options, NULL) != 0)
		_exit(1);
	while (number < limit || bus_pending(bus) > 0) {
		int count;

		for (int i = 0; i < 8 && number < limit; i++) {
			uint64_t stamp = (uint64_t)getpid() << 32 | number;

			memset(value, (int)('a' + stamp % 26), sizeof(value));
			memcpy(value, &stamp, sizeof(stamp));
			if (bus_publish(bus, TOPIC_EVENTS, source, STR_NONE,
			    str_from(value, 100 + number % 600), stamp) == BUS_ACCEPTED)
				number++;
		}
		count = bus_receipts(bus, receipts, 64, NS_PER_MS, NULL);
		if (count < 0)
			_exit(2);
		if (count > 0 && write(out, receipts, (size_t)count * sizeof(*receipts))
		    != (ssize_t)((size_t)count * sizeof(*receipts)))
			_exit(3);
	}
	bus_close(bus);
	_exit(0);
}

/* Every receipt's record is there, at its offset, and offsets are without a hole. */
static void check_receipts(const char *path, const struct bus_receipt *receipts, size_t count)
{
	struct bus_options options = options_new(path);
	struct bus *bus = open_bus(&options);
	struct bus_reader *reader = open_reader(bus);
	struct bus_record records[256];
	uint64_t *stamps[2], next[2] = {0, 0};
	int got;

	for (int p = 0; p < 2; p++)
		stamps[p] = calloc(1 << 20, sizeof(uint64_t));
	while ((got = bus_poll(reader, records, 256, 0, NULL)) > 0) {
		for (int i = 0; i < got; i++) {
			assert_int_equal(records[i].kind, BUS_RECORD);
			assert_int_equal(records[i].offset, next[records[i].partition]++);
			stamps[records[i].partition][records[i].offset] = number_of(&records[i]);
		}
	}
	assert_int_equal(got, 0);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(receipts[i].status, RECEIPT_DURABLE);
		assert_true(receipts[i].offset < next[receipts[i].partition]);
		assert_true(stamps[receipts[i].partition][receipts[i].offset] == receipts[i].tag);
	}
	free(stamps[0]);
	free(stamps[1]);
	bus_reader_close(reader);
	bus_close(bus);
}

/* Reads whole receipts until every writer is gone. Returns how many. */
static size_t drain(int in, struct bus_receipt *receipts, size_t have)
{
	ssize_t got;
	char *at = (char *)(receipts + have);
	size_t bytes = 0;

	while ((got = read(in, at + bytes, 65536)) > 0)
		bytes += (size_t)got;
	return have + bytes / sizeof(*receipts);
}

static void test_kill(void **state)
{
	struct bus_receipt *receipts = calloc(1 << 20, sizeof(*receipts));
	int rounds = getenv("TOCSIN_LONG") != NULL ? 500 : 12;
	unsigned seed = 11;
	size_t count = 0;

	for (int i = 0; i < rounds; i++) {
		int pipes[2], status;
		pid_t child;

		assert_int_equal(pipe(pipes), 0);
		(void)fcntl(pipes[1], F_SETPIPE_SZ, 1 << 20);
		child = fork();
		if (child == 0)
			writer_run(*state, (uint32_t)(i % 2), pipes[1], UINT64_MAX);
		(void)close(pipes[1]);
		(void)usleep((useconds_t)(2000 + rand_r(&seed) % 60000));
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		count = drain(pipes[0], receipts, count);
		(void)close(pipes[0]);
	}
	assert_true(count > 0);
	check_receipts(*state, receipts, count);
	free(receipts);
}

static void test_two_publishers(void **state)
{
	struct bus_receipt *receipts = calloc(1 << 16, sizeof(*receipts));
	pid_t children[3];
	int pipes[2], status;
	size_t count;

	assert_int_equal(pipe(pipes), 0);
	(void)fcntl(pipes[1], F_SETPIPE_SZ, 1 << 20);
	for (int i = 0; i < 3; i++) {
		children[i] = fork();
		if (children[i] == 0)
			writer_run(*state, i == 2 ? 1 : 0, pipes[1], 400);
	}
	(void)close(pipes[1]);
	count = drain(pipes[0], receipts, 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(count, 1200);
	check_receipts(*state, receipts, count);
	(void)close(pipes[0]);
	free(receipts);
}

static void test_busy(void **state)
{
	struct bus_options options = options_new(*state);
	struct bus *bus;
	char value[1000] = {0};
	int accepted = 0;

	options.queue_bytes = 10000;
	bus = open_bus(&options);
	while (bus_publish(bus, TOPIC_EVENTS, 0, STR_NONE, str_from(value, sizeof(value)), 0)
	    == BUS_ACCEPTED)
		accepted++;
	assert_in_range(accepted, 8, 10);
	assert_int_equal(bus_pending(bus), accepted);
	assert_int_equal(bus_flush(bus, NS_PER_S, NULL), 0);
	assert_int_equal(bus_pending(bus), 0);
	bus_close(bus);
}

/* A file system of 20 MB, filled by somebody else; then there is room again. */
static void test_full_disk(void **state)
{
	struct bus_options options = options_new(*state);
	struct bus_receipt receipts[64];
	struct bus_stats stats;
	struct error error = {0};
	char ballast[512];
	struct bus *bus;
	uint64_t number = 0, got = 0;
	int code = 0, fd;

	if (mount("tmpfs", *state, "tmpfs", 0, "size=20m") != 0) {
		print_message("# skipped: a tmpfs can only be mounted by root\n");
		skip();
	}
	(void)snprintf(ballast, sizeof(ballast), "%s/ballast", (char *)*state);
	fd = open(ballast, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(posix_fallocate(fd, 0, 8 * MB), 0);
	bus = open_bus(&options);
	while (code >= 0) {
		static char value[200000];

		memset(value, (int)('a' + number % 26), sizeof(value));
		memcpy(value, &number, sizeof(number));
		if (bus_publish(bus, TOPIC_EVENTS, 0, STR_NONE, str_from(value, sizeof(value)),
		    number)
		    == BUS_ACCEPTED)
			number++;
		code = bus_receipts(bus, receipts, 64, NS_PER_MS, &error);
		for (int i = 0; i < code; i++)
			assert_int_equal(receipts[i].tag, got++);
	}
	assert_int_equal(code, ERR_FULL);
	assert_true(error.text[0] != '\0');
	assert_int_equal(bus_publish(bus, TOPIC_EVENTS, 0, STR_NONE, STR("x"), 0), BUS_BUSY);
	bus_stats(bus, &stats);
	assert_true(stats.full && stats.retries > 0);
	assert_true(bus_pending(bus) > 0 && number == got + bus_pending(bus));
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(bus_flush(bus, 10 * NS_PER_S, NULL), 0);
	while ((code = bus_receipts(bus, receipts, 64, 0, NULL)) > 0)
		for (int i = 0; i < code; i++)
			assert_int_equal(receipts[i].tag, got++);
	assert_int_equal(got, number);
	bus_stats(bus, &stats);
	assert_false(stats.full);
	assert_int_equal(publish(bus, 0, number, 100).offset, number);
	bus_close(bus);
	(void)close(fd);
	assert_int_equal(umount(*state), 0);
}

static void test_fetch(void **state)
{
	struct bus_options options = options_new(*state);
	struct bus *bus = open_bus(&options);
	struct buf out = BUF(1 << 20);

	for (uint64_t i = 0; i < 30; i++)
		(void)publish(bus, 1, i, 300000);
	for (uint64_t i = 0; i < 30; i++) {
		assert_int_equal(bus_fetch(bus, TOPIC_EVENTS, 1, i, &out, NULL), 0);
		assert_int_equal(out.len, 300000);
		assert_int_equal(out.ptr[100], 'a' + i % 26);
	}
	assert_int_equal(bus_fetch(bus, TOPIC_EVENTS, 1, 30, &out, NULL), ERR_MISSING);
	buf_free(&out);
	bus_close(bus);
}

static void test_folder_of_others(void **state)
{
	struct bus_options options = options_new(*state);
	struct bus *bus = NULL;
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/bus", (char *)*state);
	assert_int_equal(file_replace(path, STR("tocsin.bus 1\nidentity short\n"), 0600, NULL), 0);
	assert_int_equal(bus_open(&bus, &options, NULL), ERR_FOREIGN);
	assert_null(bus);
}

/* ---- flipped bits ---- */

enum { FLIP_RECORDS = 120, FLIP_IMAGES = 150 };

/*
 * What is handed out is right and in order, and a record published now gets an offset that none
 * had. Exit code 1: that does not hold; 2: the bus says that it cannot; 0: well, or with gaps.
 */
static int read_flipped(const char *path)
{
	struct bus_options options = options_new(path);
	struct bus_reader_options reading = {.topic = TOPIC_EVENTS, .group = "flips"};
	struct bus_record records[64];
	struct bus_receipt receipt;
	struct bus_reader *reader;
	uint64_t next[2] = {0, 0}, number;
	struct bus *bus = NULL;
	int count;

	if (bus_open(&bus, &options, NULL) != 0
	    || bus_reader_open(&reader, bus, &reading, NULL) != 0)
		return 2;
	while ((count = bus_poll(reader, records, 64, 0, NULL)) > 0) {
		for (int i = 0; i < count; i++) {
			const struct bus_record *record = &records[i];

			if (record->offset != next[record->partition] ||
			    record->next <= record->offset)
				return 1;
			next[record->partition] = record->next;
			if (record->kind == BUS_GAP)
				continue;
			memcpy(&number, record->value.ptr, sizeof(number));
			if (number != 2 * record->offset + record->partition
			    || record->value.len != 100 + number * 40)
				return 1;
			for (size_t at = sizeof(number); at < record->value.len; at++)
				if (record->value.ptr[at] != (char)('a' + number % 26))
					return 1;
		}
	}
	if (count < 0 || bus_publish(bus, TOPIC_EVENTS, 0, STR_NONE, STR("new"), 0) != BUS_ACCEPTED
	    || bus_receipts(bus, &receipt, 1, NS_PER_S, NULL) != 1)
		return 2;
	return receipt.offset < FLIP_RECORDS / 2 ? 1 : 0;
}

static void write_all(const char *path, const char *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	(void)close(fd);
}

/* The wait status of a process that reads and publishes. */
static int flipped_child(const char *folder)
{
	static const int deadly[] = {SIGSEGV, SIGBUS, SIGABRT};
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		for (size_t k = 0; k < sizeof(deadly) / sizeof(deadly[0]); k++)
			(void)signal(deadly[k], SIG_DFL);
		(void)dup2(null, STDERR_FILENO);
		(void)alarm(60);
		_exit(100 + read_flipped(folder));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 101);
	return status;
}

static bool flipped_died(int status)
{
	return !WIFEXITED(status) || WEXITSTATUS(status) < 100;
}

/*
 * Who dies of an image dies of it once: the next one has it looked at first. (Not of a page that
 * only reusing free pages would come by, so one in all of them is allowed.)
 */
static void test_flipped_bits(void **state)
{
	struct bus_options options = options_new(*state);
	unsigned well = 0, said = 0, died = 0, again = 0, seed = 17;
	char path[512], second[512], aside[512], *bytes, *bad;
	struct bus *bus = open_bus(&options);
	size_t used = 0, len;
	struct stat st;
	int fd, status;

	(void)snprintf(aside, sizeof(aside), "%s/events/%020u.damaged", (char *)*state, 1u);
	for (uint64_t i = 0; i < FLIP_RECORDS; i++)
		(void)publish(bus, (uint32_t)(i % 2), i, 100 + i * 40);
	bus_close(bus);
	(void)snprintf(path, sizeof(path), "%s/events/%020u.mdb", (char *)*state, 1u);
	(void)snprintf(second, sizeof(second), "%s/events/%020u.mdb", (char *)*state, 2u);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	len = (size_t)st.st_size;
	bytes = malloc(len);
	bad = malloc(len);
	assert_int_equal(read(fd, bytes, len), len);
	(void)close(fd);
	for (used = len; used > 0 && bytes[used - 1] == '\0';)
		used--;
	for (unsigned i = 0; i < FLIP_IMAGES; i++) {
		memcpy(bad, bytes, len);
		for (int bits = 1 + rand_r(&seed) % 60; bits > 0; bits--)
			bad[(size_t)rand_r(&seed) % used] ^= (char)(1 << rand_r(&seed) % 8);
		write_all(path, bad, len);
		(void)unlink(second);
		(void)unlink(aside);
		status = flipped_child(*state);
		well += WIFEXITED(status) && WEXITSTATUS(status) == 100;
		said += WIFEXITED(status) && WEXITSTATUS(status) == 102;
		if (flipped_died(status)) {
			died++;
			again += flipped_died(flipped_child(*state));
		}
	}
	print_message("# flips: %u read on, %u refused, %u ended the reader, %u once more\n", well,
	    said, died, again);
	assert_true(well > FLIP_IMAGES / 2);
	assert_true(died > 0 && again <= 1);
	free(bytes);
	free(bad);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_roll), TEST(test_reopen_keeps_identity_and_counts),
		TEST(test_retention_is_a_gap), TEST(test_retention_by_age),
		TEST(test_damaged_record_is_a_gap), TEST(test_damaged_segment_is_a_gap),
		TEST(test_position_of_elsewhere), TEST(test_wake_between_processes),
		TEST(test_not_woken),
		    TEST(test_kill),
		TEST(test_two_publishers), TEST(test_busy), TEST(test_full_disk), TEST(test_fetch),
		TEST(test_folder_of_others), TEST(test_flipped_bits),
	};

	return cmocka_run_group_tests_name("bus_local", tests, NULL, NULL);
}
