/*
 * The suite on librdkafka's mock cluster, which speaks the protocol over TCP and keeps 5 MiB a
 * partition; and the errors that it can be told to answer.
 */
#include "tests/bus/conformance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "tests/bus/mock_broker.h"

enum { API_PRODUCE = 0, API_FETCH = 1 };

static struct mock_broker mock;
static struct bus_setting settings[6];

static void fresh(struct bus_options *ret)
{
	static char prefix[32];
	static unsigned number;
	static const unsigned partitions[TOPIC_COUNT] = {4, 2, 1};

	snprintf(prefix, sizeof(prefix), "mock-%u.", number++);
	for (unsigned t = 0; t < TOPIC_COUNT; t++)
		if (mock_broker_tell(&mock, "topic %s%s %u", prefix,
		    bus_topic_name((enum bus_topic)t).ptr, partitions[t]) != 0)
			abort();
	settings[0] = (struct bus_setting){STR("bootstrap.servers"), str_of(mock.address)};
	settings[1] = (struct bus_setting){STR("compression.codec"), STR("none")};
	settings[2] = (struct bus_setting){STR("linger.ms"), STR("2")};
	settings[3] = (struct bus_setting){STR("retry.backoff.ms"), STR("10")};
	ret->backend = "kafka";
	ret->prefix = prefix;
	ret->settings = settings;
	ret->setting_count = 4;
}

static const struct house house = {"bus_kafka on a mock",
    HOUSE_KILL | HOUSE_TWICE | HOUSE_FORGETS, fresh, NULL};

static struct bus *open_fresh(struct bus_options *options)
{
	*options = (struct bus_options){.partitions = {4, 2, 1}};
	fresh(options);
	return open_bus(&house, options);
}

/* Numbers as values, the tag the same. */
static void publish_number(struct bus *bus, uint64_t number)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%lu", number);

	publish(bus, TOPIC_EVENTS, 0, STR("k"), str_from(text, (size_t)len), number);
}

#define GATHERED_MOST 7 /* of 64 KiB: one request of a partition */

/* What waits for a request on its way waits with whoever publishes, partition by partition. */
static void test_a_partition_waits_for_its_receipts(void **state)
{
	struct bus_options options;
	struct bus *bus = open_fresh(&options);
	struct error error = {0};
	char *value = calloc(1, 65536);
	struct str large = {value, 65536};
	unsigned accepted = 0;

	(void)state;
	assert_non_null(value);
	while (accepted < 100 &&
	    bus_publish(bus, TOPIC_EVENTS, 0, STR("k"), large, accepted) == BUS_ACCEPTED)
		accepted++;
	assert_in_range(accepted, 1, GATHERED_MOST);
	assert_int_equal(bus_publish(bus, TOPIC_EVENTS, 0, STR("k"), large, 0), BUS_BUSY);
	assert_int_equal(bus_publish(bus, TOPIC_EVENTS, 1, STR("k"), large, 0), BUS_ACCEPTED);
	assert_int_equal(bus_flush(bus, 60 * NS_PER_S, &error), 0);
	assert_int_equal(drain(bus), accepted + 1);
	assert_int_equal(bus_publish(bus, TOPIC_EVENTS, 0, STR("k"), large, 0), BUS_ACCEPTED);
	assert_int_equal(bus_flush(bus, 60 * NS_PER_S, &error), 0);
	bus_close(bus);
	free(value);
}

struct seen {
	unsigned count[1000];
	uint64_t last, gaps;
};

static void note_number(void *context, const struct bus_record *record)
{
	struct seen *seen = context;
	uint64_t number;

	if (record->kind == BUS_GAP) {
		seen->gaps++;
		return;
	}
	assert_true(str_to_u64(record->value, &number));
	assert_true(number < 1000);
	seen->count[number]++;
	seen->last = number;
}

/* Drives until nothing is pending; tells what each tag came to (the last receipt counts). */
static void settle(struct bus *bus, enum receipt_status *outcome, unsigned *unknown)
{
	struct bus_receipt receipts[32];
	int64_t end = clock_monotonic_ns() + 60 * NS_PER_S;
	struct error error = {0};
	int got;

	do {
		got = bus_receipts(bus, receipts, 32, 20 * NS_PER_MS, &error);
		assert_true(got >= 0);
		for (int i = 0; i < got; i++) {
			outcome[receipts[i].tag] = receipts[i].status;
			*unknown += receipts[i].status == RECEIPT_UNKNOWN;
		}
	} while ((bus_pending(bus) > 0 || got > 0) && clock_monotonic_ns() < end);
	assert_int_equal(bus_pending(bus), 0);
}

static uint64_t records_in(struct bus *bus)
{
	uint64_t first, next;
	struct error error = {0};

	assert_int_equal(bus_range(bus, TOPIC_EVENTS, 0, &first, &next, &error), 0);
	return next - first;
}

/* ---- publishing ---- */

static void test_an_outage_loses_nothing(void **state)
{
	struct bus_options options;
	struct bus *bus = open_fresh(&options);
	enum receipt_status outcome[1000];
	unsigned unknown = 0;
	struct seen seen = {0};

	(void)state;
	for (uint64_t i = 0; i < 50; i++)
		publish_number(bus, i);
	assert_int_equal(mock_broker_tell(&mock, "down"), 0);
	for (uint64_t i = 50; i < 100; i++)
		publish_number(bus, i);
	struct bus_receipt receipt;
	struct error error = {0};

	assert_true(bus_receipts(bus, &receipt, 0, 300 * NS_PER_MS, &error) >= 0);
	assert_true(bus_pending(bus) >= 50);
	assert_int_equal(mock_broker_tell(&mock, "up"), 0);
	settle(bus, outcome, &unknown);
	assert_int_equal(unknown, 0);
	assert_int_equal(records_in(bus), 100);
	struct bus_reader *reader = open_reader(bus, "detect", TOPIC_EVENTS, 1);

	assert_int_equal(read_some(reader, 100, note_number, &seen), 100);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(seen.count[i], 1);
	bus_reader_close(reader);
	bus_close(bus);
}

/* librdkafka goes on by itself after these. */
static const struct { int code; const char *what; } retried[] = {
	{5, "LEADER_NOT_AVAILABLE"}, {6, "NOT_LEADER_FOR_PARTITION"}, {7, "REQUEST_TIMED_OUT"},
	{19, "NOT_ENOUGH_REPLICAS"}, {20, "NOT_ENOUGH_REPLICAS_AFTER_APPEND"}, {-195, "_TRANSPORT"},
};

static void test_errors_that_pass_are_retried(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(retried) / sizeof(*retried); i++) {
		struct bus_options options;
		struct bus *bus = open_fresh(&options);
		enum receipt_status outcome[1000];
		unsigned unknown = 0;

		assert_int_equal(mock_broker_tell(&mock, "fail %d %d 3", API_PRODUCE,
		    retried[i].code), 0);
		for (uint64_t n = 0; n < 40; n++)
			publish_number(bus, n);
		settle(bus, outcome, &unknown);
		if (unknown != 0 || records_in(bus) != 40)
			fprintf(stderr, "# after %s\n", retried[i].what);
		assert_int_equal(unknown, 0);
		for (size_t n = 0; n < 40; n++)
			assert_int_equal(outcome[n], RECEIPT_DURABLE);
		assert_int_equal(records_in(bus), 40);
		bus_close(bus);
	}
}

static void test_too_large_for_the_broker_is_refused(void **state)
{
	struct bus_options options;
	struct bus *bus = open_fresh(&options);
	enum receipt_status outcome[1000];
	unsigned unknown = 0;
	struct bus_stats stats;

	(void)state;
	assert_int_equal(mock_broker_tell(&mock, "fail %d 10 1", API_PRODUCE), 0);
	publish_number(bus, 1);
	settle(bus, outcome, &unknown);
	assert_int_equal(outcome[1], RECEIPT_REFUSED);
	publish_number(bus, 2);
	settle(bus, outcome, &unknown);
	assert_int_equal(outcome[2], RECEIPT_DURABLE);
	assert_int_equal(unknown, 0);
	bus_stats(bus, &stats);
	assert_int_equal(stats.refused, 1);
	assert_int_equal(stats.durable, 1);
	bus_close(bus);
}

/*
 * Out of order, and no gap may be left (enable.gapless.guarantee): librdkafka gives the producer
 * up. The records become unknown, are sent again by a new producer, and none is missing.
 */
static void test_a_fatal_producer_is_made_anew(void **state)
{
	struct bus_options options = {.partitions = {4, 2, 1}};
	enum receipt_status outcome[1000];
	unsigned unknown = 0;
	struct bus_stats stats;
	struct seen seen = {0};

	(void)state;
	fresh(&options);
	settings[4] = (struct bus_setting){STR("enable.gapless.guarantee"), STR("true")};
	options.setting_count = 5;
	struct bus *bus = open_bus(&house, &options);

	for (uint64_t n = 0; n < 20; n++)
		publish_number(bus, n);
	settle(bus, outcome, &unknown);
	assert_int_equal(unknown, 0);
	assert_int_equal(mock_broker_tell(&mock, "fail %d 45 1", API_PRODUCE), 0);
	for (uint64_t n = 20; n < 60; n++)
		publish_number(bus, n);
	settle(bus, outcome, &unknown);
	bus_stats(bus, &stats);
	assert_int_equal(stats.retries, 1);
	assert_int_equal(stats.unknown, unknown);
	assert_true(unknown > 0);
	for (uint64_t n = 20; n < 60; n++)
		if (outcome[n] == RECEIPT_UNKNOWN)
			publish_number(bus, n);
	settle(bus, outcome, &unknown);
	for (uint64_t n = 0; n < 60; n++)
		assert_int_equal(outcome[n], RECEIPT_DURABLE);
	struct bus_reader *reader = open_reader(bus, "detect", TOPIC_EVENTS, 1);

	read_some(reader, records_in(bus), note_number, &seen);
	for (uint64_t n = 0; n < 60; n++)
		assert_true(seen.count[n] >= 1);
	bus_reader_close(reader);
	bus_close(bus);
}

/* ---- reading ---- */

static const struct { int code; const char *what; } fetch_errors[] = {
	{1, "OFFSET_OUT_OF_RANGE, which is not true"}, {3, "UNKNOWN_TOPIC_OR_PART"},
	{6, "NOT_LEADER_FOR_PARTITION"}, {9, "REPLICA_NOT_AVAILABLE"}, {-195, "_TRANSPORT"},
};

static void test_failing_fetches_are_neither_gaps_nor_losses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(fetch_errors) / sizeof(*fetch_errors); i++) {
		struct bus_options options;
		struct bus *bus = open_fresh(&options);
		struct seen seen = {0};

		for (uint64_t n = 0; n < 30; n++)
			publish_number(bus, n);
		drain(bus);
		struct bus_reader *reader = open_reader(bus, "detect", TOPIC_EVENTS, 1);

		read_some(reader, 5, note_number, &seen);
		assert_int_equal(mock_broker_tell(&mock, "fail %d %d 3", API_FETCH,
		    fetch_errors[i].code), 0);
		for (uint64_t n = 30; n < 60; n++)
			publish_number(bus, n);
		drain(bus);
		read_some(reader, 55, note_number, &seen);
		if (seen.gaps != 0 || seen.last != 59)
			fprintf(stderr, "# after %s\n", fetch_errors[i].what);
		assert_int_equal(seen.gaps, 0);
		assert_int_equal(seen.last, 59);
		for (uint64_t n = 0; n < 60; n++)
			assert_int_equal(seen.count[n], 1);
		bus_reader_close(reader);
		bus_close(bus);
	}
}

static void test_a_reader_outlives_an_outage(void **state)
{
	struct bus_options options;
	struct bus *bus = open_fresh(&options);
	struct bus_record record;
	struct error error = {0};
	struct seen seen = {0};

	(void)state;
	publish_number(bus, 0);
	drain(bus);
	struct bus_reader *reader = open_reader(bus, "detect", TOPIC_EVENTS, 1);

	assert_int_equal(read_some(reader, 1, note_number, &seen), 1);
	assert_int_equal(mock_broker_tell(&mock, "down"), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(bus_poll(reader, &record, 1, 50 * NS_PER_MS, &error), 0);
	assert_int_equal(mock_broker_tell(&mock, "up"), 0);
	publish_number(bus, 1);
	drain(bus);
	assert_int_equal(read_some(reader, 1, note_number, &seen), 1);
	assert_int_equal(seen.last, 1);
	assert_int_equal(seen.gaps, 0);
	bus_reader_close(reader);
	bus_close(bus);
}

enum { BEHIND_BYTES = 32768, BEHIND_EACH = 64, BEHIND_PARTITIONS = 4 };

static void publish_behind(struct bus *bus)
{
	char *value = calloc(1, BEHIND_BYTES);

	assert_non_null(value);
	for (uint64_t n = 0; n < BEHIND_EACH * BEHIND_PARTITIONS; n++)
		publish(bus, TOPIC_EVENTS, (uint32_t)(n % BEHIND_PARTITIONS), STR("k"),
		    str_from(value, BEHIND_BYTES), n);
	drain(bus);
	free(value);
}

static void in_order(void *context, const struct bus_record *record)
{
	uint64_t *next = context;

	assert_int_equal(record->kind, BUS_RECORD);
	assert_int_equal(record->offset, next[record->partition]++);
}

/* Reads everything; how far librdkafka reads ahead while it may is its own affair. */
static void read_behind(struct bus *bus)
{
	uint64_t next[BEHIND_PARTITIONS] = {0};
	struct bus_reader *reader = open_reader(bus, "detect", TOPIC_EVENTS, BEHIND_PARTITIONS);

	read_some(reader, 1, in_order, next);
	nanosleep(&(struct timespec){.tv_nsec = 200 * NS_PER_MS}, NULL);
	assert_int_equal(read_some(reader, BEHIND_EACH * BEHIND_PARTITIONS - 1, in_order, next),
	    BEHIND_EACH * BEHIND_PARTITIONS - 1);
	for (uint32_t p = 0; p < BEHIND_PARTITIONS; p++)
		assert_int_equal(next[p], BEHIND_EACH);
	bus_reader_close(reader);
}

/* What is read ahead is full again and again: each time librdkafka is told that it is not now. */
static void test_a_reader_that_is_behind_is_roused(void **state)
{
	struct bus_options options = {.partitions = {4, 2, 1}};
	int64_t end = clock_monotonic_ns() + 20 * NS_PER_S;
	struct bus_stats stats = {0};

	(void)state;
	fresh(&options);
	settings[4] = (struct bus_setting){STR("queued.max.messages.kbytes"), STR("1024")};
	options.setting_count = 5;
	struct bus *bus = open_bus(&house, &options);

	publish_behind(bus);
	while (stats.roused == 0 && clock_monotonic_ns() < end) {
		read_behind(bus);
		bus_stats(bus, &stats);
	}
	assert_in_range(stats.roused, 1, 1000);
	bus_close(bus);
}

static void test_a_reader_that_keeps_up_is_left_alone(void **state)
{
	struct bus_options options;
	struct bus *bus = open_fresh(&options);
	struct bus_stats stats = {0};

	(void)state;
	publish_behind(bus);
	read_behind(bus);
	bus_stats(bus, &stats);
	assert_int_equal(stats.polled, BEHIND_EACH * BEHIND_PARTITIONS);
	assert_int_equal(stats.roused, 0);
	bus_close(bus);
}

struct follow {
	uint64_t expected, from, to;
	unsigned gaps;
};

static void follow(void *context, const struct bus_record *record)
{
	struct follow *state = context;

	assert_int_equal(record->offset, state->expected);
	state->expected = record->next;
	if (record->kind != BUS_GAP)
		return;
	state->gaps++;
	state->from = record->offset;
	state->to = record->next;
}

static int begin_at_one(void *context, enum bus_topic topic, uint32_t partition, uint64_t *ret)
{
	(void)context;
	(void)topic;
	(void)partition;
	*ret = 1;
	return 0;
}

/* A topic of which the first is left out, and more than the mock keeps follows. */
static void topic_outgrow(struct bus *bus, uint64_t *first, uint64_t *next)
{
	struct error error = {0};
	char *block = calloc(1, 65536);

	assert_non_null(block);
	publish(bus, TOPIC_ALERTS, 0, STR("k"), STR("first"), 0);
	drain(bus);
	for (unsigned i = 0; i < 160; i++) {
		publish(bus, TOPIC_ALERTS, 0, STR("k"), str_from(block, 65536), i);
		if (i % 8 == 7)
			drain(bus);
	}
	drain(bus);
	assert_int_equal(bus_range(bus, TOPIC_ALERTS, 0, first, next, &error), 0);
	assert_true(*first > 1 && *next == 161);
	free(block);
}

static void gap_follow(struct bus_reader *reader, uint64_t first, uint64_t next)
{
	struct follow seen = {.expected = 1};

	while (seen.expected < next)
		assert_int_equal(read_some(reader, 1, follow, &seen), 1);
	assert_int_equal(seen.gaps, 1);
	assert_int_equal(seen.from, 1);
	assert_int_equal(seen.to, first);
}

static void test_what_the_mock_forgot_is_one_gap(void **state)
{
	struct bus_options options;
	struct bus *bus = open_fresh(&options);
	struct bus_reader *reader;
	struct error error = {0};
	uint64_t first, next;

	(void)state;
	topic_outgrow(bus, &first, &next);
	reader = open_reader(bus, "store", TOPIC_ALERTS, 1);
	assert_int_equal(bus_seek(reader, 0, 1, &error), 0);
	gap_follow(reader, first, next);
	bus_reader_close(reader);
	bus_close(bus);
}

/* Where the group gives all partitions anew ("eager"), one cannot be taken and given by itself. */
static void test_what_was_forgotten_is_one_gap_in_an_eager_group(void **state)
{
	struct bus_options options = {.partitions = {4, 2, 1}};
	struct bus_reader_options reading = {.topic = TOPIC_ALERTS, .group = "store",
	    .assignment = {begin_at_one, NULL, NULL}};
	struct bus_reader *reader;
	struct error error = {0};
	uint64_t first, next;

	(void)state;
	fresh(&options);
	settings[options.setting_count++] = (struct bus_setting){
	    STR("partition.assignment.strategy"), STR("range")};
	struct bus *bus = open_bus(&house, &options);

	topic_outgrow(bus, &first, &next);
	assert_int_equal(bus_reader_open(&reader, bus, &reading, &error), 0);
	gap_follow(reader, first, next);
	bus_reader_close(reader);
	bus_close(bus);
}

/* ---- opening and closing ---- */

static void test_properties_are_checked(void **state)
{
	static const struct { struct str name, value; const char *says; } wrong[] = {
		{{"no.such.property", 16}, {"1", 1}, "no.such.property"},
		{{"linger.ms", 9}, {"soon", 4}, "linger.ms"},
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct bus_options options = {.partitions = {4, 2, 1}};
		struct bus *bus = NULL;
		struct error error = {0};

		fresh(&options);
		settings[4] = (struct bus_setting){wrong[i].name, wrong[i].value};
		options.setting_count = 5;
		assert_int_equal(bus_open(&bus, &options, &error), ERR_DOCUMENT);
		assert_non_null(strstr(error.text, wrong[i].says));
	}
}

static void test_no_broker_is_an_error_and_no_wait_for_ever(void **state)
{
	struct bus_options options = {.partitions = {1, 1, 1}, .backend = "kafka"};
	/* Port 9 (discard) of this machine: nobody listens. */
	struct bus_setting nobody = {STR("bootstrap.servers"), STR("127.0.0.1:9")};
	struct bus *bus = NULL;
	struct error error = {0};

	(void)state;
	options.settings = &nobody;
	options.setting_count = 1;
	assert_int_equal(bus_open(&bus, &options, &error), ERR_BUS);
	assert_non_null(strstr(error.text, "127.0.0.1:9"));
}

static void test_closing_during_an_outage_ends(void **state)
{
	struct bus_options options;
	struct bus *bus = open_fresh(&options);
	struct bus_reader_options reading = {.topic = TOPIC_EVENTS, .group = "leaver"};
	struct bus_reader *fixed = open_reader(bus, "fixed", TOPIC_EVENTS, 2), *member;
	struct bus_record record;
	struct error error = {0};

	(void)state;
	publish_number(bus, 1);
	drain(bus);
	assert_int_equal(read_some(fixed, 1, NULL, NULL), 1);
	assert_int_equal(bus_reader_open(&member, bus, &reading, &error), 0);
	assert_int_equal(read_some(member, 1, NULL, NULL), 1);
	assert_int_equal(bus_commit(fixed, 0, 1, &error), 0);
	assert_int_equal(mock_broker_tell(&mock, "down"), 0);
	publish_number(bus, 2);
	assert_int_equal(bus_poll(fixed, &record, 1, 100 * NS_PER_MS, &error), 0);
	assert_int_equal(bus_pending(bus), 1);
	bus_reader_close(fixed);
	bus_reader_close(member);
	bus_close(bus);
	assert_int_equal(mock_broker_tell(&mock, "up"), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_partition_waits_for_its_receipts),
		cmocka_unit_test(test_an_outage_loses_nothing),
		cmocka_unit_test(test_errors_that_pass_are_retried),
		cmocka_unit_test(test_too_large_for_the_broker_is_refused),
		cmocka_unit_test(test_a_fatal_producer_is_made_anew),
		cmocka_unit_test(test_failing_fetches_are_neither_gaps_nor_losses),
		cmocka_unit_test(test_a_reader_outlives_an_outage),
		cmocka_unit_test(test_a_reader_that_is_behind_is_roused),
		cmocka_unit_test(test_a_reader_that_keeps_up_is_left_alone),
		cmocka_unit_test(test_what_the_mock_forgot_is_one_gap),
		cmocka_unit_test(test_what_was_forgotten_is_one_gap_in_an_eager_group),
		cmocka_unit_test(test_properties_are_checked),
		cmocka_unit_test(test_no_broker_is_an_error_and_no_wait_for_ever),
		cmocka_unit_test(test_closing_during_an_outage_ends),
	};

	signal(SIGPIPE, SIG_IGN);
	if (mock_broker_start(&mock) != 0) {
		fprintf(stderr, "the mock cluster does not start\n");
		return 1;
	}
	int failed = conformance_run(&house) +
	    cmocka_run_group_tests_name("kafka mock", tests, NULL, NULL);

	mock_broker_stop(&mock);
	return failed;
}
