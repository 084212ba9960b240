#include "collector/packer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tests/collector/rig.h"

struct bench {
	struct rig rig;
	struct ledger *ledger;
	struct packer *packer;
	uint64_t sent;
};

static const struct packer_options usual = {
    .identity = {0xc0ffee, 1000}, .frame_bytes = 16384, .frame_delay_ns = 5 * NS_PER_MS};

static void bench_open(struct bench *bench, struct packer_options options, uint64_t bus_queue)
{
	bench->sent = 0;
	rig_open(&bench->rig, bus_queue);
	options.bus = bench->rig.bus;
	bench->ledger = ledger_new(100, RIG_PARTITIONS, rig_nobody(STR("langson")));
	bench->packer = packer_new(&options);
	assert_non_null(bench->packer);
}

static void bench_close(struct bench *bench)
{
	packer_free(bench->packer);
	ledger_free(bench->ledger);
	rig_close(&bench->rig);
}

static struct ledger_row *row_of(struct bench *bench, unsigned host)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(0xc0000200u + host)}};

	return ledger_peer(bench->ledger, "test", (struct sockaddr *)&at);
}

/* raw: the number of the event, then filling up to len. */
static void add(
    struct bench *bench, unsigned host, size_t len, enum transport transport, int64_t now_ns)
{
	static char raw[200000];
	struct ledger_row *row = row_of(bench, host);
	int head =
	    snprintf(raw, sizeof(raw), "<13>%u-%06llu", host, (unsigned long long)bench->sent++);

	memset(raw + head, '.', sizeof(raw) - (size_t)head);
	struct event event = {.received_ns = now_ns,
	    .transport = transport,
	    .peer = STR("192.0.2.7:514"),
	    .sender = row->counts.sender,
	    .agency = STR("langson"),
	    .raw = {raw, len < (size_t)head ? (size_t)head : len}};

	packer_add(bench->packer, row, &event, NULL);
}

static void drive(struct bench *bench, int64_t now_ns, bool all)
{
	assert_int_equal(packer_drive(bench->packer, now_ns, all, NULL), 0);
}

static void drive_to_end(struct bench *bench)
{
	for (int i = 0; i < 10000 && packer_in_flight(bench->packer) > 0; i++) {
		drive(bench, RIG_TIME, true);
		assert_int_equal(bus_flush(bench->rig.bus, NS_PER_S, NULL), 0);
	}
	drive(bench, RIG_TIME, true);
	assert_int_equal(packer_in_flight(bench->packer), 0);
	rig_read(&bench->rig);
}

static void assert_balance(struct bench *bench)
{
	struct source_row total;

	ledger_total(bench->ledger, &total);
	assert_true(total.received == total.durable + total.refused_busy + total.refused_large +
					  packer_in_flight(bench->packer));
	assert_true(total.published >= total.durable);
	assert_true(total.published <= total.durable + packer_in_flight(bench->packer));
}

/* Each sender's events are there in the order in which they came, and none twice. */
static void assert_order(struct bench *bench, uint64_t want)
{
	unsigned long long last[32];

	memset(last, 0, sizeof(last));
	assert_int_equal(bench->rig.seen_count, want);
	for (size_t i = 0; i < bench->rig.seen_count; i++) {
		unsigned host;
		unsigned long long number;

		assert_int_equal(sscanf(bench->rig.seen[i].raw, "<13>%u-%6llu", &host, &number), 2);
		assert_true(host < 32 && (last[host] == 0 || number + 1 > last[host]));
		last[host] = number + 1;
	}
}

static void test_coordinates(void **state)
{
	struct bench bench;

	(void)state;
	bench_open(&bench, usual, 0);
	for (unsigned i = 0; i < 2000; i++) {
		add(&bench, i % 20, 20 + i % 300, TRANSPORT_TCP, RIG_TIME + i);
		if (i % 37 == 0)
			drive(&bench, RIG_TIME + i, i % 5 == 0);
	}
	assert_balance(&bench);
	drive_to_end(&bench);
	assert_order(&bench, 2000);
	bool used[2000] = {false};

	for (size_t i = 0; i < 2000; i++) {
		const struct seen *seen = &bench.rig.seen[i];

		assert_true(seen->at.collector == 0xc0ffee && seen->at.epoch == 1000);
		assert_true(seen->at.counter < 2000 && !used[seen->at.counter]);
		used[seen->at.counter] = true;
	}
	assert_true(bench.rig.frames > RIG_PARTITIONS && bench.rig.frames < 500);
	assert_balance(&bench);
	bench_close(&bench);
}

static void test_frame_bytes(void **state)
{
	static const size_t sizes[] = {60, 1000, 16000, 17000, 65000, 190000};
	struct bench bench;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		bench_open(&bench, usual, 0);
		for (unsigned j = 0; j < 40; j++)
			add(&bench, j % 3, j % 4 == 0 ? sizes[i] : 80, TRANSPORT_TCP, RIG_TIME);
		drive_to_end(&bench);
		assert_order(&bench, 40);
		size_t alone = sizes[i] + 200;

		assert_true(bench.rig.frame_largest <= (alone > 16384 ? alone : 16384));
		bench_close(&bench);
	}
}

static void test_frame_delay(void **state)
{
	struct bench bench;

	(void)state;
	bench_open(&bench, usual, 0);
	assert_true(packer_due(bench.packer, RIG_TIME, NS_PER_S) == NS_PER_S);
	add(&bench, 1, 50, TRANSPORT_UDP, RIG_TIME);
	assert_true(packer_due(bench.packer, RIG_TIME, NS_PER_S) == 5 * NS_PER_MS);
	assert_true(packer_due(bench.packer, RIG_TIME + 2 * NS_PER_MS, NS_PER_S) == 3 * NS_PER_MS);
	assert_true(packer_due(bench.packer, RIG_TIME, NS_PER_MS) == NS_PER_MS);
	drive(&bench, RIG_TIME + 5 * NS_PER_MS - 1, false);
	rig_read(&bench.rig);
	assert_int_equal(bench.rig.seen_count, 0);
	assert_true(packer_due(bench.packer, RIG_TIME + NS_PER_S, NS_PER_S) == 0);
	drive(&bench, RIG_TIME + 5 * NS_PER_MS, false);
	drive_to_end(&bench);
	assert_int_equal(bench.rig.seen_count, 1);
	/* The clock is set back an hour: the frame does not wait until it has caught up. */
	add(&bench, 1, 50, TRANSPORT_UDP, RIG_TIME);
	assert_true(packer_due(bench.packer, RIG_TIME - 3600 * NS_PER_S, NS_PER_S) == 0);
	drive(&bench, RIG_TIME - 3600 * NS_PER_S, false);
	assert_int_equal(bus_flush(bench.rig.bus, NS_PER_S, NULL), 0);
	rig_read(&bench.rig);
	assert_int_equal(bench.rig.seen_count, 2);
	bench_close(&bench);
}

static void test_ticks_and_gaps(void **state)
{
	struct frame_gap gap = {.reason = GAP_KERNEL_DROP,
	    .count = 7,
	    .from = 1,
	    .to = 2,
	    .source = STR("(syslog-udp)")};
	struct bench bench;

	(void)state;
	bench_open(&bench, usual, 0);
	add(&bench, 1, 50, TRANSPORT_UDP, RIG_TIME);
	packer_tick(bench.packer, RIG_TIME);
	assert_true(packer_gap(bench.packer, 2, &gap, RIG_TIME));
	add(&bench, 1, 50, TRANSPORT_UDP, RIG_TIME);
	drive_to_end(&bench);
	assert_int_equal(bench.rig.ticks, RIG_PARTITIONS);
	assert_int_equal(bench.rig.gaps, 1);
	assert_int_equal(bench.rig.gap_events[GAP_KERNEL_DROP], 7);
	/* A tick closes the frame before it, so that what it tells is behind. */
	assert_int_equal(bench.rig.frames, 2);
	assert_order(&bench, 2);
	bench_close(&bench);
}

static void trouble(struct bench *bench, const char *call, enum fault fault, uint64_t every)
{
	bench->rig.fault_call = call;
	bench->rig.fault = fault;
	bench->rig.fault_every = every;
}

static void test_unknown_is_sent_again_in_order(void **state)
{
	static const enum fault faults[] = {
	    FAULT_LOSE_RECEIPT, FAULT_LOSE_RECORD, FAULT_REPEAT, FAULT_BUSY};

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		for (uint64_t every = 2; every < 8; every += 5) {
			struct bench bench;

			bench_open(&bench, usual, 0);
			trouble(&bench, "publish", faults[i], every);
			/* Frames that were under way behind a lost one are there before it. */
			bench.rig.holes = faults[i] == FAULT_LOSE_RECORD;
			for (unsigned j = 0; j < 3000; j++) {
				add(&bench, j % 20, 300, TRANSPORT_TCP, RIG_TIME + j);
				if (j % 100 == 0)
					drive(&bench, RIG_TIME + j, true);
				assert_true(j % 100 != 0 || (assert_balance(&bench), true));
			}
			drive_to_end(&bench);
			if (bench.rig.holes)
				assert_int_equal(bench.rig.seen_count, 3000);
			else
				assert_order(&bench, 3000);
			assert_balance(&bench);
			if (faults[i] == FAULT_LOSE_RECEIPT || faults[i] == FAULT_REPEAT)
				assert_true(bench.rig.repeats > 0);
			struct source_row total;

			ledger_total(bench.ledger, &total);
			assert_int_equal(total.durable, 3000);
			bench_close(&bench);
		}
	}
}

static void test_behind(void **state)
{
	struct packer_options small = usual;
	struct source_row total;
	struct bench bench;
	unsigned tcp = 0;

	(void)state;
	small.queue_bytes = 256u << 10;
	bench_open(&bench, small, 0);
	trouble(&bench, "publish", FAULT_BUSY, 1);
	assert_true(packer_has_drained(bench.packer));
	while (!packer_is_behind(bench.packer)) {
		add(&bench, 1, 300, TRANSPORT_TCP, RIG_TIME);
		drive(&bench, RIG_TIME, false);
		assert_true(++tcp < 10000);
	}
	/* UDP finds a little room yet, unless it is a flood; what TCP has brought is taken. */
	add(&bench, 1, 300, TRANSPORT_UDP, RIG_TIME);
	assert_int_equal(row_of(&bench, 1)->counts.refused_busy, 1);
	for (unsigned i = 0; i < 100; i++) {
		add(&bench, 2, 300, TRANSPORT_UDP, RIG_TIME);
		add(&bench, 1, 300, TRANSPORT_TCP, RIG_TIME);
	}
	assert_balance(&bench);
	uint64_t refused = row_of(&bench, 2)->counts.refused_busy;

	assert_true(refused >= 30 && refused <= 80);
	assert_int_equal(row_of(&bench, 2)->gap_refused, refused);
	assert_int_equal(row_of(&bench, 1)->counts.refused_busy, 1);
	assert_int_equal(packer_in_flight(bench.packer), tcp + 200 - refused);
	trouble(&bench, "publish", FAULT_NONE, 1);
	drive_to_end(&bench);
	assert_true(packer_has_drained(bench.packer));
	assert_order(&bench, tcp + 200 - refused);
	ledger_total(bench.ledger, &total);
	assert_int_equal(total.durable, tcp + 200 - refused);
	assert_balance(&bench);
	bench_close(&bench);
}

static void test_bus_down(void **state)
{
	struct error error = {0};
	struct bench bench;

	(void)state;
	bench_open(&bench, usual, 0);
	add(&bench, 1, 50, TRANSPORT_TCP, RIG_TIME);
	trouble(&bench, "receipts", FAULT_ERROR, 1);
	assert_int_equal(packer_drive(bench.packer, RIG_TIME, true, &error), ERR_BUS);
	trouble(&bench, "publish", FAULT_ERROR, 1);
	add(&bench, 1, 50, TRANSPORT_TCP, RIG_TIME);
	assert_int_equal(packer_drive(bench.packer, RIG_TIME, true, &error), ERR_BUS);
	assert_int_equal(packer_in_flight(bench.packer), 2);
	assert_balance(&bench);
	trouble(&bench, "publish", FAULT_NONE, 1);
	drive_to_end(&bench);
	assert_order(&bench, 2);
	bench_close(&bench);
}

/* A record that no bus takes is refused, counted, and the others go on. */
static void test_too_large(void **state)
{
	static char raw[1000001];
	struct bench bench;

	(void)state;
	memset(raw, 'x', sizeof(raw));
	bench_open(&bench, usual, 0);
	add(&bench, 1, 50, TRANSPORT_TCP, RIG_TIME);
	struct ledger_row *row = row_of(&bench, 1);
	struct event event = {.received_ns = RIG_TIME,
	    .transport = TRANSPORT_TCP,
	    .sender = row->counts.sender,
	    .raw = {raw, sizeof(raw)}};

	packer_add(bench.packer, row, &event, NULL);
	add(&bench, 1, 50, TRANSPORT_TCP, RIG_TIME);
	for (int i = 0; i < 3; i++)
		drive(&bench, RIG_TIME, true);
	assert_int_equal(packer_in_flight(bench.packer), 0);
	assert_int_equal(row->counts.refused_large, 1);
	assert_int_equal(row->gap_refused, 1);
	assert_int_equal(row->counts.durable, 2);
	assert_balance(&bench);
	bench_close(&bench);
}

static void test_json(void **state)
{
	struct packer_options options = usual;
	struct arena *arena = arena_new(1u << 20);
	struct bench bench;
	struct event event;
	struct bus_record records[8];

	(void)state;
	options.one_event_json = true;
	bench_open(&bench, options, 0);
	add(&bench, 1, 50, TRANSPORT_TCP, RIG_TIME);
	add(&bench, 1, 50, TRANSPORT_TCP, RIG_TIME);
	drive(&bench, RIG_TIME, true);
	assert_int_equal(bus_flush(bench.rig.bus, NS_PER_S, NULL), 0);
	drive(&bench, RIG_TIME, true);
	assert_int_equal(bus_poll(bench.rig.reader, records, 8, 0, NULL), 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(frame_read_json(arena, records[i].value, &event));
		assert_int_equal(event.at.counter, i);
		assert_int_equal(event.raw.len, 50);
		assert_int_equal(event.received_ns, RIG_TIME);
	}
	assert_int_equal(packer_in_flight(bench.packer), 0);
	assert_balance(&bench);
	arena_free(arena);
	bench_close(&bench);
}

/* A bus that tells one receipt at a time, so that the outcomes of one loss come apart. */
struct slow_bus {
	struct bus bus;
	uint64_t sent[64];
	size_t sent_count, told;
	size_t unknown; /* so many of the first are */
};

static int slow_publish(struct bus *bus, enum bus_topic topic, uint32_t partition, struct str key,
    struct str value, uint64_t tag)
{
	struct slow_bus *slow = (struct slow_bus *)bus;

	(void)topic;
	(void)partition;
	(void)key;
	(void)value;
	if (slow->sent_count == 64)
		return BUS_BUSY;
	slow->sent[slow->sent_count++] = tag;
	return BUS_ACCEPTED;
}

static int slow_receipts(
    struct bus *bus, struct bus_receipt *ret, size_t max, int64_t timeout_ns, struct error *error)
{
	struct slow_bus *slow = (struct slow_bus *)bus;

	(void)max;
	(void)timeout_ns;
	(void)error;
	if (slow->told == slow->sent_count)
		return 0;
	ret[0] = (struct bus_receipt){.tag = slow->sent[slow->told],
	    .status = slow->told < slow->unknown ? RECEIPT_UNKNOWN : RECEIPT_DURABLE,
	    .topic = TOPIC_EVENTS};
	slow->told++;
	return 1;
}

/* What was never sent waits until all that may have been lost is known, and goes behind it. */
static void test_nothing_overtakes_a_loss(void **state)
{
	static const struct bus_backend backend = {
	    .name = "slow", .publish = slow_publish, .receipts = slow_receipts};
	static const uint64_t want[] = {0, 1, 2, 0, 1, 2, 3, 4};
	struct slow_bus slow = {
	    .bus = {.backend = &backend, .partitions = {1, 1, 1}}, .unknown = 3};
	struct packer_options options = usual;
	struct bench bench = {.sent = 0};

	(void)state;
	options.bus = &slow.bus;
	bench.ledger = ledger_new(10, 1, rig_nobody(STR("")));
	bench.packer = packer_new(&options);
	for (unsigned i = 0; i < 3; i++)
		add(&bench, 1, 16384, TRANSPORT_TCP, RIG_TIME);
	for (unsigned i = 0; i < 20; i++) {
		drive(&bench, RIG_TIME, true);
		assert_balance(&bench);
		if (i < 2)
			add(&bench, 1, 16384, TRANSPORT_TCP, RIG_TIME);
	}
	assert_int_equal(slow.sent_count, sizeof(want) / sizeof(*want));
	assert_memory_equal(slow.sent, want, sizeof(want));
	assert_int_equal(packer_in_flight(bench.packer), 0);
	packer_free(bench.packer);
	ledger_free(bench.ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_coordinates),
	    cmocka_unit_test(test_frame_bytes),
	    cmocka_unit_test(test_frame_delay),
	    cmocka_unit_test(test_ticks_and_gaps),
	    cmocka_unit_test(test_unknown_is_sent_again_in_order),
	    cmocka_unit_test(test_nothing_overtakes_a_loss),
	    cmocka_unit_test(test_behind),
	    cmocka_unit_test(test_bus_down),
	    cmocka_unit_test(test_too_large),
	    cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
