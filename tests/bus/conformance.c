#include "tests/bus/conformance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define PATIENCE (60 * NS_PER_S)

static const struct house *house;

/* ---- tools ---- */

struct bus *open_bus(const struct house *of, const struct bus_options *options)
{
	struct bus *bus = NULL;
	struct error error = {0};
	int code = (of->open != NULL ? of->open : bus_open)(&bus, options, &error);

	if (code != 0)
		fprintf(stderr, "# %s: %s\n", of->name, error.text);
	assert_int_equal(code, 0);
	return bus;
}

static void take_receipts(struct bus *bus, size_t *count)
{
	struct bus_receipt receipts[64];
	struct error error = {0};
	int got = bus_receipts(bus, receipts, 64, 10 * NS_PER_MS, &error);

	if (got < 0)
		fprintf(stderr, "# %s: %s\n", house->name, error.text);
	assert_true(got >= 0);
	for (int i = 0; i < got; i++)
		assert_int_equal(receipts[i].status, RECEIPT_DURABLE);
	*count += (size_t)got;
}

size_t drain(struct bus *bus)
{
	int64_t end = clock_monotonic_ns() + PATIENCE;
	size_t count = 0, before;

	do {
		before = count;
		take_receipts(bus, &count);
	} while ((bus_pending(bus) > 0 || count != before) && clock_monotonic_ns() < end);
	assert_int_equal(bus_pending(bus), 0);
	return count;
}

void publish(struct bus *bus, enum bus_topic topic, uint32_t partition, struct str key,
    struct str value, uint64_t tag)
{
	int64_t end = clock_monotonic_ns() + PATIENCE;
	size_t ignored = 0;
	int code = bus_publish(bus, topic, partition, key, value, tag);

	while (code == BUS_BUSY && clock_monotonic_ns() < end) {
		take_receipts(bus, &ignored);
		code = bus_publish(bus, topic, partition, key, value, tag);
	}
	assert_int_equal(code, BUS_ACCEPTED);
}

struct bus_reader *open_reader(struct bus *bus, const char *group, enum bus_topic topic,
    uint32_t count)
{
	uint32_t partitions[8];
	struct bus_reader_options options = {.topic = topic, .group = group,
	    .partitions = partitions, .partition_count = count};
	struct bus_reader *reader = NULL;
	struct error error = {0};

	assert_true(count <= 8);
	for (uint32_t i = 0; i < count; i++)
		partitions[i] = i;
	int code = bus_reader_open(&reader, bus, &options, &error);

	if (code != 0)
		fprintf(stderr, "# %s: %s\n", house->name, error.text);
	assert_int_equal(code, 0);
	return reader;
}

size_t read_some(struct bus_reader *reader, size_t wanted,
    void (*visit)(void *context, const struct bus_record *record), void *context)
{
	int64_t end = clock_monotonic_ns() + PATIENCE;
	struct bus_record records[50];
	struct error error = {0};
	size_t count = 0;

	while (count < wanted && clock_monotonic_ns() < end) {
		size_t most = wanted - count < 50 ? wanted - count : 50;
		int got = bus_poll(reader, records, most, 20 * NS_PER_MS, &error);

		if (got < 0)
			fprintf(stderr, "# %s: %s\n", house->name, error.text);
		assert_true(got >= 0);
		for (int i = 0; i < got; i++)
			if (visit != NULL)
				visit(context, &records[i]);
		count += (size_t)got;
	}
	return count;
}

static void assert_nothing_more(struct bus_reader *reader)
{
	struct bus_record record;
	struct error error = {0};

	assert_int_equal(bus_poll(reader, &record, 1, 30 * NS_PER_MS, &error), 0);
}

/* Values are numbers in decimal: what a partition must bring next. */
struct expectation {
	uint64_t offset[8];
	uint64_t value[8];
	size_t seen;
};

static void expect_in_order(void *context, const struct bus_record *record)
{
	struct expectation *expectation = context;
	uint64_t value;

	assert_int_equal(record->kind, BUS_RECORD);
	assert_true(record->partition < 8);
	assert_int_equal(record->offset, expectation->offset[record->partition]++);
	assert_int_equal(record->next, record->offset + 1);
	assert_true(str_to_u64(record->value, &value));
	assert_int_equal(value, expectation->value[record->partition]++);
	expectation->seen++;
}

static void publish_numbers(struct bus *bus, uint32_t partition, uint64_t from, uint64_t to)
{
	char text[24];

	for (uint64_t i = from; i < to; i++) {
		int len = snprintf(text, sizeof(text), "%lu", i);

		publish(bus, TOPIC_EVENTS, partition, STR("may-01.example.net"),
		    str_from(text, (size_t)len), i);
	}
}

static struct bus_options fresh(void)
{
	struct bus_options options = {.partitions = {4, 2, 1}};

	house->fresh(&options);
	return options;
}

/* ---- publishing ---- */

static void test_order_is_kept_in_each_partition(void **state)
{
	struct bus_options options = fresh();
	struct bus *bus = open_bus(house, &options);
	struct expectation expectation = {0};
	char text[24];

	(void)state;
	for (uint64_t i = 0; i < 400; i++) {
		int len = snprintf(text, sizeof(text), "%lu", i / 4);

		publish(
		    bus, TOPIC_EVENTS, (uint32_t)(i % 4), STR("k"), str_from(text, (size_t)len), i);
	}
	drain(bus);
	struct bus_reader *reader = open_reader(bus, "detect", TOPIC_EVENTS, 4);

	assert_int_equal(read_some(reader, 400, expect_in_order, &expectation), 400);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(expectation.value[i], 100);
	assert_nothing_more(reader);
	bus_reader_close(reader);
	bus_close(bus);
}

static void test_receipts_name_the_record(void **state)
{
	struct bus_options options = fresh();
	struct bus *bus = open_bus(house, &options);
	struct bus_receipt receipt;
	struct error error = {0};
	struct bus_stats stats;
	unsigned seen = 0;
	int64_t end = clock_monotonic_ns() + PATIENCE;

	(void)state;
	publish(bus, TOPIC_EVENTS, 2, STR("a"), STR("first"), 7001);
	publish(bus, TOPIC_DETECTIONS, 1, STR("b"), STR("second"), UINT64_MAX);
	publish(bus, TOPIC_EVENTS, 2, STR("a"), STR("third"), 0);
	while (seen < 3 && clock_monotonic_ns() < end) {
		int got = bus_receipts(bus, &receipt, 1, 10 * NS_PER_MS, &error);

		assert_true(got >= 0);
		if (got == 0)
			continue;
		seen++;
		assert_int_equal(receipt.status, RECEIPT_DURABLE);
		bool second = receipt.tag == UINT64_MAX;

		assert_true(second || receipt.tag == 7001 || receipt.tag == 0);
		assert_int_equal(receipt.topic, second ? TOPIC_DETECTIONS : TOPIC_EVENTS);
		assert_int_equal(receipt.partition, second ? 1 : 2);
		assert_int_equal(receipt.offset, receipt.tag == 0 ? 1 : 0);
	}
	assert_int_equal(seen, 3);
	assert_int_equal(bus_pending(bus), 0);
	bus_stats(bus, &stats);
	assert_int_equal(stats.published, 3);
	assert_int_equal(stats.published_bytes, 3 + 5 + 6 + 5);
	assert_int_equal(stats.durable, 3);
	bus_close(bus);
}

static void test_flush_leaves_the_receipts(void **state)
{
	struct bus_options options = fresh();
	struct bus *bus = open_bus(house, &options);
	struct error error = {0};

	(void)state;
	publish_numbers(bus, 0, 0, 20);
	assert_int_equal(bus_flush(bus, PATIENCE, &error), 0);
	assert_int_equal(bus_pending(bus), 0);
	assert_int_equal(drain(bus), 20);
	bus_close(bus);
}

static void test_a_full_queue_says_busy(void **state)
{
	struct bus_options options = fresh();
	struct error error = {0};
	char *value = calloc(1, 16384);
	unsigned accepted = 0;

	(void)state;
	assert_non_null(value);
	options.queue_bytes = 262144;
	struct bus *bus = open_bus(house, &options);
	int code;

	while ((code = bus_publish(bus, TOPIC_EVENTS, 0, STR("k"), str_from(value, 16384),
	    accepted)) == BUS_ACCEPTED && accepted < 100)
		accepted++;
	assert_int_equal(code, BUS_BUSY);
	assert_in_range(accepted, 8, 16);
	assert_int_equal(bus_flush(bus, PATIENCE, &error), 0);
	assert_int_equal(drain(bus), accepted);
	publish(bus, TOPIC_EVENTS, 0, STR("k"), str_from(value, 16384), 1);
	assert_int_equal(drain(bus), 1);
	bus_close(bus);
	free(value);
}

static void expect_large(void *context, const struct bus_record *record)
{
	struct str *value = context;

	assert_int_equal(record->kind, BUS_RECORD);
	assert_int_equal(record->key.len, 1);
	assert_true(str_eq(record->value, *value));
}

static void test_the_largest_record_goes_and_a_larger_one_never(void **state)
{
	struct bus_options options = fresh();
	struct bus *bus = open_bus(house, &options);
	char *bytes = malloc(BUS_RECORD_MAX);
	uint32_t noise = 1;

	(void)state;
	assert_non_null(bytes);
	for (size_t i = 0; i < BUS_RECORD_MAX; i++)
		bytes[i] = (char)((noise = noise * 1664525 + 1013904223) >> 24);
	struct str value = str_from(bytes, BUS_RECORD_MAX - 1);

	assert_int_equal(bus_publish(bus, TOPIC_EVENTS, 0, STR("kk"), value, 1), BUS_TOO_LARGE);
	assert_int_equal(bus_pending(bus), 0);
	publish(bus, TOPIC_EVENTS, 0, STR("k"), value, 2);
	assert_int_equal(drain(bus), 1);
	struct bus_reader *reader = open_reader(bus, "detect", TOPIC_EVENTS, 1);

	assert_int_equal(read_some(reader, 1, expect_large, &value), 1);
	bus_reader_close(reader);
	bus_close(bus);
	free(bytes);
}

static const struct { struct str key, value; } odd_records[] = {
	{{"x", 1}, {"y", 1}},
	{{"a\0b", 3}, {"\0", 1}},
	{{"\0", 1}, {"c\0d\0", 4}},
	{{"s\xe1\xbb\x9f", 4}, {"\xff\xfe\x80", 3}},
	{{"", 0}, {"no key", 6}},
	{{"no value", 8}, {"", 0}},
};

static void expect_odd(void *context, const struct bus_record *record)
{
	size_t *at = context;

	assert_true(str_eq(record->key, odd_records[*at].key));
	assert_true(str_eq(record->value, odd_records[*at].value));
	(*at)++;
}

static void test_bytes_survive_as_they_are(void **state)
{
	struct bus_options options = fresh();
	struct bus *bus = open_bus(house, &options);
	size_t count = sizeof(odd_records) / sizeof(*odd_records), at = 0;

	(void)state;
	for (size_t i = 0; i < count; i++)
		publish(bus, TOPIC_ALERTS, 0, odd_records[i].key, odd_records[i].value, i);
	drain(bus);
	struct bus_reader *reader = open_reader(bus, "store", TOPIC_ALERTS, 1);

	assert_int_equal(read_some(reader, count, expect_odd, &at), count);
	bus_reader_close(reader);
	bus_close(bus);
}

static void count_by_first_byte(void *context, const struct bus_record *record)
{
	uint64_t *next = context, number;
	unsigned who = record->value.ptr[0] == 'a' ? 0 : 1;

	assert_true(str_to_u64(str_slice(record->value, 1, record->value.len), &number));
	assert_int_equal(number, next[who]++);
}

static void test_two_handles_publish_to_one_partition(void **state)
{
	struct bus_options options = fresh();
	uint64_t next[2] = {0};
	char text[24];

	(void)state;
	if ((house->can & HOUSE_TWICE) == 0) {
		fprintf(stderr, "# %s: one handle a process\n", house->name);
		skip();
	}
	struct bus *a = open_bus(house, &options), *b = open_bus(house, &options);

	for (uint64_t i = 0; i < 60; i++) {
		int len = snprintf(text, sizeof(text), "a%lu", i);

		publish(a, TOPIC_EVENTS, 1, STR("a"), str_from(text, (size_t)len), i);
		text[0] = 'b';
		publish(b, TOPIC_EVENTS, 1, STR("b"), str_from(text, (size_t)len), i);
		if (i % 20 == 19) {
			drain(i % 40 == 19 ? b : a);
			drain(i % 40 == 19 ? a : b);
		}
	}
	struct bus_reader *reader = open_reader(a, "detect", TOPIC_EVENTS, 2);

	assert_int_equal(read_some(reader, 120, count_by_first_byte, next), 120);
	assert_int_equal(next[0], 60);
	assert_int_equal(next[1], 60);
	bus_reader_close(reader);
	bus_close(a);
	bus_close(b);
}

/* ---- durability ---- */

static void test_a_receipt_outlives_the_handle(void **state)
{
	struct bus_options options = fresh();
	struct bus *bus = open_bus(house, &options);
	struct expectation expectation = {0};
	char identity[64];

	(void)state;
	snprintf(identity, sizeof(identity), "%.*s", STR_ARG(bus_identity(bus)));
	assert_true(identity[0] != '\0');
	publish_numbers(bus, 0, 0, 100);
	drain(bus);
	bus_close(bus);
	bus = open_bus(house, &options);
	assert_true(str_eq(bus_identity(bus), str_of(identity)));
	publish_numbers(bus, 0, 100, 150);
	drain(bus);
	struct bus_reader *reader = open_reader(bus, "detect", TOPIC_EVENTS, 4);

	assert_int_equal(read_some(reader, 150, expect_in_order, &expectation), 150);
	bus_reader_close(reader);
	bus_close(bus);
}

/* Publishes numbers, tells each durable one through the pipe, and dies only by the signal. */
static _Noreturn void publish_until_killed(const struct bus_options *options, int out)
{
	struct bus *bus = NULL;
	struct bus_receipt receipts[16];
	struct error error = {0};
	char text[24];
	uint64_t sent = 0;

	if ((house->open != NULL ? house->open : bus_open)(&bus, options, &error) != 0)
		_exit(9);
	for (;;) {
		int len = snprintf(text, sizeof(text), "%lu", sent);

		int put = bus_publish(
		    bus, TOPIC_EVENTS, 0, STR("k"), str_from(text, (size_t)len), sent);

		sent += put == BUS_ACCEPTED;
		/* After BUS_BUSY receipts have to be taken, or it stays so. */
		if (put == BUS_ACCEPTED && sent % 7 != 0 && bus_pending(bus) < 1000)
			continue;
		int got = bus_receipts(bus, receipts, 16, 0, &error);

		for (int i = 0; i < got; i++)
			if (receipts[i].status == RECEIPT_DURABLE &&
			    write(out, &receipts[i].tag, 8) != 8)
				_exit(8);
	}
}

struct survivors {
	uint64_t count, offset;
};

static void expect_sequence(void *context, const struct bus_record *record)
{
	struct survivors *survivors = context;
	uint64_t value;

	assert_true(str_to_u64(record->value, &value));
	assert_int_equal(value, survivors->count++);
	assert_int_equal(record->offset, survivors->offset++);
}

static void test_a_receipt_outlives_kill_9(void **state)
{
	struct bus_options options = fresh();
	struct survivors survivors = {0};
	struct error error = {0};
	uint64_t tag, durable = 0, first, next;
	int pipes[2], status;

	(void)state;
	if ((house->can & HOUSE_KILL) == 0) {
		fprintf(stderr, "# %s: lives in the process\n", house->name);
		skip();
	}
	assert_int_equal(pipe(pipes), 0);
	pid_t child = fork();

	if (child == 0) {
		close(pipes[0]);
		publish_until_killed(&options, pipes[1]);
	}
	assert_true(child > 0);
	close(pipes[1]);
	while (durable < 500 && read(pipes[0], &tag, 8) == 8)
		durable = tag + 1 > durable ? tag + 1 : durable;
	kill(child, SIGKILL);
	while (read(pipes[0], &tag, 8) == 8)
		durable = tag + 1 > durable ? tag + 1 : durable;
	assert_int_equal(waitpid(child, &status, 0), child);
	close(pipes[0]);
	assert_true(WIFSIGNALED(status));
	struct bus *bus = open_bus(house, &options);

	assert_int_equal(bus_range(bus, TOPIC_EVENTS, 0, &first, &next, &error), 0);
	assert_true(next >= durable);
	struct bus_reader *reader = open_reader(bus, "detect", TOPIC_EVENTS, 1);

	assert_int_equal(read_some(reader, next, expect_sequence, &survivors), next);
	bus_reader_close(reader);
	bus_close(bus);
}

/* ---- reading ---- */

static void test_several_groups_read_everything(void **state)
{
	struct bus_options options = fresh();
	struct bus *bus = open_bus(house, &options);
	struct expectation a = {0}, b = {0};

	(void)state;
	struct bus_reader *first = open_reader(bus, "detect", TOPIC_EVENTS, 4);
	struct bus_reader *second = open_reader(bus, "archive", TOPIC_EVENTS, 4);

	publish_numbers(bus, 0, 0, 30);
	publish_numbers(bus, 3, 0, 30);
	drain(bus);
	assert_int_equal(read_some(first, 60, expect_in_order, &a), 60);
	publish_numbers(bus, 3, 30, 40);
	drain(bus);
	assert_int_equal(read_some(second, 70, expect_in_order, &b), 70);
	assert_int_equal(read_some(first, 10, expect_in_order, &a), 10);
	assert_nothing_more(first);
	assert_nothing_more(second);
	bus_reader_close(first);
	bus_reader_close(second);
	bus_close(bus);
}

struct assignments {
	uint64_t begin[8];
	unsigned assigned, revoked;
};

static int give(void *context, enum bus_topic topic, uint32_t partition, uint64_t *offset)
{
	struct assignments *assignments = context;

	assert_int_equal(topic, TOPIC_EVENTS);
	*offset = assignments->begin[partition];
	assignments->assigned |= 1u << partition;
	return 0;
}

static void take_back(void *context, enum bus_topic topic, uint32_t partition, bool lost)
{
	struct assignments *assignments = context;

	(void)lost;
	assert_int_equal(topic, TOPIC_EVENTS);
	assert_true((assignments->assigned & 1u << partition) != 0);
	assignments->revoked |= 1u << partition;
}

static void test_a_static_reader_begins_where_it_is_told(void **state)
{
	struct bus_options options = fresh();
	struct bus *bus = open_bus(house, &options);
	struct assignments assignments = {.begin = {0, 5, 0, UINT64_MAX}};
	struct expectation expectation = {.offset = {0, 5}, .value = {0, 5}};
	uint32_t partitions[2] = {1, 3};
	struct bus_reader_options reading = {.topic = TOPIC_EVENTS, .group = "detect",
	    .partitions = partitions, .partition_count = 2,
	    .assignment = {give, take_back, &assignments}};
	struct bus_reader *reader;
	struct error error = {0};

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		publish_numbers(bus, i, 0, 10);
	drain(bus);
	assert_int_equal(bus_reader_open(&reader, bus, &reading, &error), 0);
	assert_int_equal(assignments.assigned, 0);
	assert_int_equal(read_some(reader, 15, expect_in_order, &expectation), 15);
	assert_int_equal(assignments.assigned, 1u << 1 | 1u << 3);
	assert_int_equal(expectation.offset[1], 10);
	assert_int_equal(expectation.offset[3], 10);
	assert_nothing_more(reader);
	assert_int_equal(assignments.revoked, 0);
	bus_reader_close(reader);
	assert_int_equal(assignments.revoked, 1u << 1 | 1u << 3);
	bus_close(bus);
}

static void test_a_group_gets_every_partition(void **state)
{
	struct bus_options options = fresh();
	struct bus *bus = open_bus(house, &options);
	struct assignments assignments = {.begin = {2, 0, 0, UINT64_MAX}};
	struct expectation expectation = {.offset = {2}, .value = {2}};
	struct bus_reader_options reading = {.topic = TOPIC_EVENTS, .group = "detect",
	    .assignment = {give, take_back, &assignments}};
	struct bus_reader *reader;
	struct error error = {0};

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		publish_numbers(bus, i, 0, 10);
	drain(bus);
	assert_int_equal(bus_reader_open(&reader, bus, &reading, &error), 0);
	assert_int_equal(read_some(reader, 38, expect_in_order, &expectation), 38);
	assert_int_equal(assignments.assigned, 0xf);
	assert_nothing_more(reader);
	assert_int_equal(bus_seek(reader, 3, 4, &error), 0);
	expectation.offset[3] = expectation.value[3] = 4;
	assert_int_equal(read_some(reader, 6, expect_in_order, &expectation), 6);
	assert_nothing_more(reader);
	bus_reader_close(reader);
	assert_int_equal(assignments.revoked, 0xf);
	bus_close(bus);
}

static void test_seek_goes_back_and_forth(void **state)
{
	struct bus_options options = fresh();
	struct bus *bus = open_bus(house, &options);
	struct expectation expectation = {0};
	struct error error = {0};

	(void)state;
	publish_numbers(bus, 0, 0, 50);
	drain(bus);
	struct bus_reader *reader = open_reader(bus, "detect", TOPIC_EVENTS, 1);

	assert_int_equal(read_some(reader, 20, expect_in_order, &expectation), 20);
	assert_int_equal(bus_seek(reader, 0, 3, &error), 0);
	expectation.offset[0] = expectation.value[0] = 3;
	assert_int_equal(read_some(reader, 4, expect_in_order, &expectation), 4);
	assert_int_equal(bus_seek(reader, 0, 45, &error), 0);
	expectation.offset[0] = expectation.value[0] = 45;
	assert_int_equal(read_some(reader, 5, expect_in_order, &expectation), 5);
	assert_nothing_more(reader);
	bus_reader_close(reader);
	bus_close(bus);
}

static void test_a_group_goes_on_from_its_commit(void **state)
{
	struct bus_options options = fresh();
	struct bus *bus = open_bus(house, &options);
	struct expectation expectation = {0};
	struct error error = {0};
	uint64_t committed;

	(void)state;
	if ((house->can & HOUSE_FORGETS) != 0) {
		bus_close(bus);
		fprintf(stderr, "# %s: keeps no such commits\n", house->name);
		skip();
	}
	publish_numbers(bus, 0, 0, 20);
	drain(bus);
	assert_int_equal(bus_committed(bus, "detect", TOPIC_EVENTS, 0, &committed, &error), 0);
	assert_true(committed == UINT64_MAX);
	struct bus_reader *reader = open_reader(bus, "detect", TOPIC_EVENTS, 1);

	assert_int_equal(read_some(reader, 12, expect_in_order, &expectation), 12);
	assert_int_equal(bus_commit(reader, 0, 12, &error), 0);
	bus_reader_close(reader);
	bus_close(bus);
	bus = open_bus(house, &options);
	assert_int_equal(bus_committed(bus, "detect", TOPIC_EVENTS, 0, &committed, &error), 0);
	assert_int_equal(committed, 12);
	assert_int_equal(bus_committed(bus, "archive", TOPIC_EVENTS, 0, &committed, &error), 0);
	assert_true(committed == UINT64_MAX);
	reader = open_reader(bus, "detect", TOPIC_EVENTS, 1);
	assert_int_equal(read_some(reader, 8, expect_in_order, &expectation), 8);
	assert_nothing_more(reader);
	bus_reader_close(reader);
	bus_close(bus);
}

static void test_an_empty_poll_ends(void **state)
{
	struct bus_options options = fresh();
	struct bus *bus = open_bus(house, &options);
	struct bus_reader *reader = open_reader(bus, "detect", TOPIC_EVENTS, 4);
	struct expectation expectation = {0};
	struct bus_record record;
	struct error error = {0};

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(bus_poll(reader, &record, 1, 0, &error), 0);
	assert_nothing_more(reader);
	publish_numbers(bus, 2, 0, 3);
	drain(bus);
	for (int i = 0; i < 3; i++)
		assert_int_equal(read_some(reader, 1, expect_in_order, &expectation), 1);
	assert_nothing_more(reader);
	bus_reader_close(reader);
	bus_close(bus);
}

static void test_what_a_poll_gave_stays_until_the_next(void **state)
{
	struct bus_options options = fresh();
	struct bus *bus = open_bus(house, &options);
	struct bus_reader *reader = open_reader(bus, "detect", TOPIC_EVENTS, 1);
	struct bus_record records[10];
	struct error error = {0};
	int got = 0;
	int64_t end = clock_monotonic_ns() + PATIENCE;

	(void)state;
	publish(bus, TOPIC_EVENTS, 0, STR("key"), STR("still here"), 1);
	drain(bus);
	while (got == 0 && clock_monotonic_ns() < end)
		got = bus_poll(reader, records, 10, 20 * NS_PER_MS, &error);
	assert_int_equal(got, 1);
	publish_numbers(bus, 0, 0, 300);
	drain(bus);
	assert_true(str_eq(records[0].value, STR("still here")));
	assert_true(str_eq(records[0].key, STR("key")));
	bus_reader_close(reader);
	bus_close(bus);
}

/* ---- gaps ---- */

struct gaps {
	uint64_t expected; /* next offset */
	unsigned gaps;
	uint64_t from, to;
};

static void follow_gaps(void *context, const struct bus_record *record)
{
	struct gaps *gaps = context;

	assert_int_equal(record->offset, gaps->expected);
	gaps->expected = record->next;
	if (record->kind != BUS_GAP)
		return;
	gaps->gaps++;
	gaps->from = record->offset;
	gaps->to = record->next;
}

static void publish_blocks(struct bus *bus, unsigned count)
{
	char block[4096];

	memset(block, 'x', sizeof(block));
	for (unsigned i = 0; i < count; i++) {
		publish(bus, TOPIC_ALERTS, 0, STR("k"), str_from(block, sizeof(block)), i);
		if (i % 16 == 15)
			drain(bus);
	}
	drain(bus);
}

static void test_what_retention_took_is_told_once(void **state)
{
	struct bus_options options = fresh();
	struct gaps gaps = {0};
	struct error error = {0};
	struct bus_stats stats;
	uint64_t first, next;

	(void)state;
	if ((house->can & HOUSE_RETAIN) == 0) {
		fprintf(stderr, "# %s: retention cannot be provoked\n", house->name);
		skip();
	}
	options.retain_bytes = 1 << 20;
	options.segment_bytes = 256 << 10;
	struct bus *bus = open_bus(house, &options);
	struct bus_reader *reader = open_reader(bus, "store", TOPIC_ALERTS, 1);

	publish_blocks(bus, 10);
	assert_int_equal(read_some(reader, 4, follow_gaps, &gaps), 4);
	publish_blocks(bus, 1200);
	assert_int_equal(bus_range(bus, TOPIC_ALERTS, 0, &first, &next, &error), 0);
	assert_int_equal(next, 1210);
	assert_true(first > 10 && first < next);
	while (gaps.expected < next)
		assert_int_equal(read_some(reader, 1, follow_gaps, &gaps), 1);
	assert_int_equal(gaps.gaps, 1);
	assert_true(gaps.from >= 4 && gaps.from <= 10); /* some may have been on their way */
	assert_int_equal(gaps.to, first);
	assert_nothing_more(reader);
	bus_stats(bus, &stats);
	assert_int_equal(stats.gaps, 1);
	assert_int_equal(stats.gap_records, gaps.to - gaps.from);
	bus_reader_close(reader);
	bus_close(bus);
}

/* ---- looking ---- */

static void test_range_and_fetch_find_single_records(void **state)
{
	struct bus_options options = fresh();
	struct bus *bus = open_bus(house, &options);
	struct buf out = BUF(1 << 20);
	struct error error = {0};
	uint64_t first, next;

	(void)state;
	assert_int_equal(bus_range(bus, TOPIC_EVENTS, 3, &first, &next, &error), 0);
	assert_int_equal(first, 0);
	assert_int_equal(next, 0);
	publish(bus, TOPIC_EVENTS, 3, STR("a"), STR("zero"), 1);
	publish(bus, TOPIC_EVENTS, 3, STR("b"), STR("o\0ne"), 2);
	publish(bus, TOPIC_EVENTS, 3, STR("c"), STR("two"), 3);
	drain(bus);
	assert_int_equal(bus_range(bus, TOPIC_EVENTS, 3, &first, &next, &error), 0);
	assert_int_equal(first, 0);
	assert_int_equal(next, 3);
	assert_int_equal(bus_fetch(bus, TOPIC_EVENTS, 3, 1, &out, &error), 0);
	assert_true(str_eq(buf_str(&out), STR("o\0ne")));
	assert_int_equal(bus_fetch(bus, TOPIC_EVENTS, 3, 0, &out, &error), 0);
	assert_true(str_eq(buf_str(&out), STR("zero")));
	assert_int_equal(bus_fetch(bus, TOPIC_EVENTS, 3, 3, &out, &error), ERR_MISSING);
	error_clear(&error);
	assert_int_equal(bus_fetch(bus, TOPIC_EVENTS, 2, 0, &out, &error), ERR_MISSING);
	error_clear(&error);
	assert_int_equal(bus_fetch(bus, TOPIC_EVENTS, 200, 0, &out, &error), ERR_MISSING);
	error_clear(&error);
	assert_int_equal(bus_fetch(bus, TOPIC_EVENTS, 3, 2, &out, &error), 0);
	assert_true(str_eq(buf_str(&out), STR("two")));
	buf_free(&out);
	bus_close(bus);
}

static void test_partitions_are_those_that_were_asked_for(void **state)
{
	struct bus_options options = fresh();
	struct bus *bus = open_bus(house, &options);

	(void)state;
	assert_int_equal(bus_partitions(bus, TOPIC_EVENTS), 4);
	assert_int_equal(bus_partitions(bus, TOPIC_DETECTIONS), 2);
	assert_int_equal(bus_partitions(bus, TOPIC_ALERTS), 1);
	bus_close(bus);
}

int conformance_run(const struct house *of)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_partitions_are_those_that_were_asked_for),
		cmocka_unit_test(test_order_is_kept_in_each_partition),
		cmocka_unit_test(test_receipts_name_the_record),
		cmocka_unit_test(test_flush_leaves_the_receipts),
		cmocka_unit_test(test_a_full_queue_says_busy),
		cmocka_unit_test(test_the_largest_record_goes_and_a_larger_one_never),
		cmocka_unit_test(test_bytes_survive_as_they_are),
		cmocka_unit_test(test_two_handles_publish_to_one_partition),
		cmocka_unit_test(test_a_receipt_outlives_the_handle),
		cmocka_unit_test(test_a_receipt_outlives_kill_9),
		cmocka_unit_test(test_several_groups_read_everything),
		cmocka_unit_test(test_a_static_reader_begins_where_it_is_told),
		cmocka_unit_test(test_a_group_gets_every_partition),
		cmocka_unit_test(test_seek_goes_back_and_forth),
		cmocka_unit_test(test_a_group_goes_on_from_its_commit),
		cmocka_unit_test(test_an_empty_poll_ends),
		cmocka_unit_test(test_what_a_poll_gave_stays_until_the_next),
		cmocka_unit_test(test_what_retention_took_is_told_once),
		cmocka_unit_test(test_range_and_fetch_find_single_records),
	};

	house = of;
	return cmocka_run_group_tests_name(of->name, tests, NULL, NULL);
}
