/*
 * The failing twin: with a quiet plan it is a bus like others, with others it does what they say.
 */
#include "tests/bus/conformance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "bus/backend.h"

static void fresh(struct bus_options *ret)
{
	static unsigned number;
	static char name[32];

	snprintf(name, sizeof(name), "fault-%u", number++);
	ret->backend = "memory";
	ret->path = name;
	ret->memory_durable = true;
}

/* Gives nothing now and then, which every reader must bear. */
static enum fault slow_plan(void *context, const char *call, uint64_t number)
{
	(void)context;
	return strcmp(call, "poll") == 0 && number % 3 == 2 ? FAULT_BUSY : FAULT_NONE;
}

static int open_slow(struct bus **ret, const struct bus_options *options, struct error *error)
{
	struct bus *inner;
	int code = bus_open(&inner, options, error);

	return code < 0 ? code : bus_fault_open(ret, inner, slow_plan, NULL);
}

/* ---- each fault ---- */

struct plan {
	const char *call;
	uint64_t number;
	enum fault fault;
};

static enum fault single_plan(void *context, const char *call, uint64_t number)
{
	const struct plan *plan = context;

	return strcmp(call, plan->call) == 0 && number == plan->number ? plan->fault : FAULT_NONE;
}

static struct bus *open_planned(struct plan *plan)
{
	struct bus_options options = {.partitions = {1, 1, 1}};
	struct bus *inner, *bus;
	struct error error = {0};

	fresh(&options);
	assert_int_equal(bus_open(&inner, &options, &error), 0);
	assert_int_equal(bus_fault_open(&bus, inner, single_plan, plan), 0);
	return bus;
}

static const struct publish_case {
	enum fault fault;
	unsigned unknown, records;
} publish_cases[] = {
	{FAULT_NONE, 0, 3},
	{FAULT_LOSE_RECEIPT, 1, 3},
	{FAULT_LOSE_RECORD, 1, 2},
	{FAULT_REPEAT, 0, 4},
};

static void test_publish_faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(publish_cases) / sizeof(*publish_cases); i++) {
		const struct publish_case *row = &publish_cases[i];
		struct plan plan = {"publish", 1, row->fault};
		struct bus *bus = open_planned(&plan);
		struct bus_receipt receipts[8];
		struct error error = {0};
		uint64_t first, next;
		unsigned unknown = 0, tags = 0;

		for (uint64_t tag = 1; tag <= 3; tag++)
			assert_int_equal(bus_publish(bus, TOPIC_EVENTS, 0, STR("k"), STR("v"), tag),
			    BUS_ACCEPTED);
		assert_int_equal(bus_receipts(bus, receipts, 8, 0, &error), 3);
		for (int r = 0; r < 3; r++) {
			tags |= 1u << receipts[r].tag;
			if (receipts[r].status != RECEIPT_UNKNOWN)
				continue;
			assert_int_equal(receipts[r].tag, 2);
			unknown++;
		}
		assert_int_equal(tags, 1u << 1 | 1u << 2 | 1u << 3);
		assert_int_equal(unknown, row->unknown);
		assert_int_equal(bus_range(bus, TOPIC_EVENTS, 0, &first, &next, &error), 0);
		assert_int_equal(next, row->records);
		bus_close(bus);
	}
}

static void test_calls_fail_when_told(void **state)
{
	static const char *const calls[] = {"receipts", "flush", "range", "fetch", "committed",
	    "reader_open"};

	(void)state;
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		struct plan plan = {calls[i], 0, FAULT_ERROR};
		struct bus *bus = open_planned(&plan);
		struct bus_reader_options reading = {.topic = TOPIC_EVENTS, .group = "g"};
		struct bus_receipt receipt;
		struct bus_reader *reader = NULL;
		struct buf out = BUF(64);
		uint64_t a, b;
		struct error error[6] = {0};
		int codes[6] = {
			bus_receipts(bus, &receipt, 1, 0, &error[0]),
			bus_flush(bus, 0, &error[1]),
			bus_range(bus, TOPIC_EVENTS, 0, &a, &b, &error[2]),
			bus_fetch(bus, TOPIC_EVENTS, 0, 0, &out, &error[3]),
			bus_committed(bus, "g", TOPIC_EVENTS, 0, &a, &error[4]),
			bus_reader_open(&reader, bus, &reading, &error[5]),
		};

		for (size_t c = 0; c < 6; c++)
			assert_int_equal(codes[c], c == i ? ERR_BUS : c == 3 ? ERR_MISSING : 0);
		bus_reader_close(reader);
		buf_free(&out);
		bus_close(bus);
	}
}

static void test_readers_fail_when_told(void **state)
{
	static const char *const calls[] = {"poll", "seek", "commit"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct plan plan = {calls[i], 0, FAULT_ERROR};
		struct bus *bus = open_planned(&plan);
		struct bus_reader *reader = open_reader(bus, "g", TOPIC_EVENTS, 1);
		struct bus_record record;
		struct error error[3] = {0};
		int codes[3] = {
			bus_poll(reader, &record, 1, 0, &error[0]),
			bus_seek(reader, 0, 0, &error[1]),
			bus_commit(reader, 0, 0, &error[2]),
		};

		for (size_t c = 0; c < 3; c++)
			assert_int_equal(codes[c], c == i ? ERR_BUS : 0);
		bus_reader_close(reader);
		bus_close(bus);
	}
}

int main(void)
{
	static const struct house house = {
	    "bus_fault", HOUSE_RETAIN | HOUSE_TWICE, fresh, open_slow};
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_publish_faults),
		cmocka_unit_test(test_calls_fail_when_told),
		cmocka_unit_test(test_readers_fail_when_told),
	};

	return conformance_run(&house) + cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
