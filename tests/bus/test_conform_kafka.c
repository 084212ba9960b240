/*
 * The suite on a real broker, where TOCSIN_TEST_KAFKA=host:port names one (make kafka), and what
 * only a real broker shows: rebalances and a truncated topic.
 */
#include "tests/bus/conformance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

static const char *broker;

static void fresh(struct bus_options *ret)
{
	static struct bus_setting settings[1];
	static char prefix[64];
	static unsigned number;

	snprintf(prefix, sizeof(prefix), "conform-%ld-%d-%u.", clock_wall_ns(), getpid(), number++);
	settings[0] = (struct bus_setting){STR("bootstrap.servers"), str_of(broker)};
	ret->backend = "kafka";
	ret->prefix = prefix;
	ret->settings = settings;
	ret->setting_count = 1;
}

/* Another run would find a broker full of them. */
static void remove_topics(void)
{
	char reason[256];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	const struct rd_kafka_metadata *all;

	rd_kafka_conf_set(conf, "bootstrap.servers", broker, reason, sizeof(reason));
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof(reason));
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);

	if (rd_kafka_metadata(rk, 1, NULL, &all, 10000) == RD_KAFKA_RESP_ERR_NO_ERROR) {
		for (int i = 0; i < all->topic_cnt; i++) {
			if (strncmp(all->topics[i].topic, "conform-", 8) != 0)
				continue;
			rd_kafka_DeleteTopic_t *topic =
			    rd_kafka_DeleteTopic_new(all->topics[i].topic);

			rd_kafka_DeleteTopics(rk, &topic, 1, NULL, queue);
			rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 10000);

			if (event != NULL)
				rd_kafka_event_destroy(event);
			rd_kafka_DeleteTopic_destroy(topic);
		}
		rd_kafka_metadata_destroy(all);
	}
	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy(rk);
}

static const struct house house = {"bus_kafka", HOUSE_KILL | HOUSE_TWICE, fresh, NULL};

static void publish_letters(struct bus *bus, uint32_t partition, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		publish(bus, TOPIC_EVENTS, partition, STR("k"), STR("v"), i);
	drain(bus);
}

/* Deletes the records before an offset, as retention would. */
static void truncate_before(const char *topic, int32_t partition, int64_t before)
{
	char reason[256];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	rd_kafka_conf_set(conf, "bootstrap.servers", broker, reason, sizeof(reason));
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof(reason));
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

	rd_kafka_topic_partition_list_add(list, topic, partition)->offset = before;
	rd_kafka_DeleteRecords_t *what = rd_kafka_DeleteRecords_new(list);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);

	rd_kafka_DeleteRecords(rk, &what, 1, NULL, queue);
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 20000);

	assert_non_null(event);
	assert_int_equal(rd_kafka_event_error(event), 0);
	rd_kafka_event_destroy(event);
	rd_kafka_queue_destroy(queue);
	rd_kafka_DeleteRecords_destroy(what);
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_destroy(rk);
}

struct follow {
	uint64_t expected;
	unsigned gaps, records;
	uint64_t from, to;
};

static void follow(void *context, const struct bus_record *record)
{
	struct follow *state = context;

	assert_int_equal(record->offset, state->expected);
	state->expected = record->next;
	if (record->kind == BUS_RECORD) {
		state->records++;
		return;
	}
	state->gaps++;
	state->from = record->offset;
	state->to = record->next;
}

static const struct { uint64_t read, before; } truncations[] = {
	{0, 30},  /* before anything was read */
	{10, 40}, /* behind the reader's back */
};

static void test_a_truncated_topic_is_one_gap(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(truncations) / sizeof(*truncations); i++) {
		struct bus_options options = {.partitions = {1, 1, 1}};
		struct error error = {0};
		struct follow seen = {0};
		char topic[96];
		uint64_t next = 100;

		fresh(&options);
		snprintf(topic, sizeof(topic), "%sevents", options.prefix);
		struct bus *bus = open_bus(&house, &options);

		publish_letters(bus, 0, 50);
		struct bus_reader *reader = open_reader(bus, "detect", TOPIC_EVENTS, 1);

		read_some(reader, (size_t)truncations[i].read, follow, &seen);
		if (truncations[i].read > 0)
			assert_int_equal(bus_commit(reader, 0, truncations[i].read, &error), 0);
		bus_reader_close(reader);
		truncate_before(topic, 0, (int64_t)truncations[i].before);
		publish_letters(bus, 0, 50);
		reader = open_reader(bus, "detect", TOPIC_EVENTS, 1);
		/* Without a commit there is no position that could have a gap before it. */
		if (truncations[i].read == 0)
			assert_int_equal(bus_seek(reader, 0, 0, &error), 0);
		while (seen.expected < next)
			assert_int_equal(read_some(reader, 1, follow, &seen), 1);
		assert_int_equal(seen.gaps, 1);
		assert_int_equal(seen.from, truncations[i].read);
		assert_int_equal(seen.to, truncations[i].before);
		assert_int_equal(seen.records, truncations[i].read + 100 - truncations[i].before);
		bus_reader_close(reader);
		bus_close(bus);
	}
}

static void test_a_position_beyond_the_end_is_a_gap_back_to_the_first(void **state)
{
	struct bus_options options = {.partitions = {1, 1, 1}};
	struct error error = {0};
	struct follow seen = {.expected = 500};

	(void)state;
	fresh(&options);
	struct bus *bus = open_bus(&house, &options);

	publish_letters(bus, 0, 5);
	struct bus_reader *reader = open_reader(bus, "detect", TOPIC_EVENTS, 1);

	assert_int_equal(bus_seek(reader, 0, 500, &error), 0);
	assert_int_equal(read_some(reader, 6, follow, &seen), 6);
	assert_int_equal(seen.gaps, 1);
	assert_int_equal(seen.to, 0);
	assert_int_equal(seen.records, 5);
	bus_reader_close(reader);
	bus_close(bus);
}

/* ---- a group of two ---- */

struct member {
	struct bus *bus;
	struct bus_reader *reader;
	uint64_t *positions; /* shared, as a checkpoint would be */
	unsigned owned, assigned;
	unsigned *seen; /* of each partition and offset */
};

static int member_assign(void *context, enum bus_topic topic, uint32_t partition, uint64_t *offset)
{
	struct member *member = context;

	(void)topic;
	member->owned |= 1u << partition;
	member->assigned++;
	*offset = member->positions[partition];
	return 0;
}

static void member_revoke(void *context, enum bus_topic topic, uint32_t partition, bool lost)
{
	struct member *member = context;

	(void)topic;
	(void)lost;
	member->owned &= ~(1u << partition);
}

#define EACH 1000

static size_t member_poll(struct member *member)
{
	struct bus_record records[20];
	struct error error = {0};
	int got = bus_poll(member->reader, records, 20, 20 * NS_PER_MS, &error);

	assert_true(got >= 0);
	for (int i = 0; i < got; i++) {
		uint32_t p = records[i].partition;

		assert_true((member->owned & 1u << p) != 0);
		assert_int_equal(records[i].kind, BUS_RECORD);
		assert_int_equal(records[i].offset, member->positions[p]);
		member->positions[p] = records[i].next;
		member->seen[p * EACH + records[i].offset]++;
	}
	return (size_t)got;
}

static void member_join(struct member *member, const struct bus_options *options,
    uint64_t *positions, unsigned *seen)
{
	struct bus_reader_options reading = {.topic = TOPIC_EVENTS, .group = "detect",
	    .assignment = {member_assign, member_revoke, member}};
	struct error error = {0};

	*member = (struct member){.bus = open_bus(&house, options), .positions = positions,
	    .seen = seen};
	assert_int_equal(bus_reader_open(&member->reader, member->bus, &reading, &error), 0);
}

static void test_a_second_member_takes_half_and_gives_it_back(void **state)
{
	struct bus_options options = {.partitions = {4, 1, 1}};
	uint64_t positions[4] = {0};
	static unsigned seen[4 * EACH];
	struct member a, b;
	size_t total = 0;
	int64_t end = clock_monotonic_ns() + 90 * NS_PER_S;

	(void)state;
	fresh(&options);
	member_join(&a, &options, positions, seen);
	for (uint32_t p = 0; p < 4; p++)
		publish_letters(a.bus, p, EACH / 2);
	while (total < 400 && clock_monotonic_ns() < end)
		total += member_poll(&a);
	assert_int_equal(a.owned, 0xf);
	member_join(&b, &options, positions, seen);
	while ((a.owned == 0xf || b.owned == 0 || (a.owned | b.owned) != 0xf) &&
	    clock_monotonic_ns() < end)
		total += member_poll(&a) + member_poll(&b);
	assert_int_equal(a.owned & b.owned, 0);
	assert_int_equal(__builtin_popcount(a.owned), 2);
	for (uint32_t p = 0; p < 4; p++)
		publish_letters(a.bus, p, EACH / 2);
	while (total < 3000 && clock_monotonic_ns() < end)
		total += member_poll(&a) + member_poll(&b);
	bus_reader_close(b.reader);
	assert_int_equal(b.owned, 0);
	while (total < 4 * EACH && clock_monotonic_ns() < end)
		total += member_poll(&a);
	assert_int_equal(a.owned, 0xf);
	for (size_t i = 0; i < 4 * EACH; i++)
		assert_int_equal(seen[i], 1);
	bus_reader_close(a.reader);
	bus_close(a.bus);
	bus_close(b.bus);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_truncated_topic_is_one_gap),
		cmocka_unit_test(test_a_position_beyond_the_end_is_a_gap_back_to_the_first),
		cmocka_unit_test(test_a_second_member_takes_half_and_gives_it_back),
	};

	broker = getenv("TOCSIN_TEST_KAFKA");
	if (broker == NULL || broker[0] == '\0') {
		printf("1..0 # SKIP no broker: TOCSIN_TEST_KAFKA=host:port names one (make kafka)\n");
		return 0;
	}
	int failed = conformance_run(&house) +
	    cmocka_run_group_tests_name("kafka", tests, NULL, NULL);

	remove_topics();
	return failed;
}
