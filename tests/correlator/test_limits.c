/*
 * What strangers, clocks and disks do: ceilings, skew, silence, gaps, foreign records, bad
 * snapshots, other rules.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "correlator/snapshot.h"
#include "event/frame.h"
#include "rules.h"
#include "town.h"

static void try_log_in(struct town *town, unsigned address, int64_t at_ns)
{
	char body[128];

	snprintf(body, sizeof(body), FAIL("10.0.%u.%u", "an"), address >> 8, address & 255);
	town_send(town, "web01", at_ns, body);
}

static void test_eviction_is_bounded_and_counted(void **state)
{
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = BASES BRUTE, .groups_max = 100,
	    .detections = 1, .events = 1});
	/* Half of a brute force, drowned in other addresses, and one that is not. */
	for (unsigned i = 0; i < 3; i++)
		try_log_in(&town, 60000, TOWN_START);
	for (unsigned i = 0; i < 1000; i++)
		try_log_in(&town, i, TOWN_START + SECOND);
	for (unsigned i = 0; i < 5; i++)
		try_log_in(&town, 60001, TOWN_START + 2 * SECOND);
	town_run(&town);
	struct worker_stats stats = town_stats(&town);

	assert_true(stats.groups <= 2 * 101);
	assert_true(stats.evicted >= 900);
	town_settle(&town);
	assert_int_equal(town_count(&town, "brute", ALERT_SETTLED), 1);
	assert_int_equal(town_count_group(&town, "brute", "10.0.234.97", ALERT_SETTLED), 1);
	assert_int_equal(town_stats(&town).groups, 0); /* time has passed them all */
	town_close(&town);
}

static const struct town_alert *alert_of(struct town *town, const char *rule, unsigned which)
{
	town_collect(town);
	for (size_t i = 0; i < town->alert_count; i++)
		if (str_eq(town->alerts[i].rule, str_of(rule)) && which-- == 0)
			return &town->alerts[i];
	fail_msg("there is no such alert of %s", rule);
	return NULL;
}

static void flood(struct town *town, unsigned from, unsigned count, int64_t at_ns)
{
	for (unsigned i = 0; i < count; i++)
		try_log_in(town, from + i, at_ns);
	town_run(town);
	/* Time goes on by half a minute and more, so that the watermark comes by. */
	town->now_ns = at_ns + 40 * SECOND;
	try_log_in(town, 65535, town->now_ns);
	town_run(town);
}

/* Told at once, then every ten minutes, with how many; and after a death not again. */
static void evictions_are_told(int64_t snapshot_ns)
{
	struct town town;
	uint64_t told = 0;

	town_open(&town, &(struct town_options){.rules = BASES BRUTE, .groups_max = 100,
	    .detections = 1, .events = 1, .snapshot_ns = snapshot_ns});
	flood(&town, 0, 90, TOWN_START);
	assert_int_equal(town_count(&town, "tocsin-evicted", ALERT_SETTLED), 0);
	flood(&town, 1000, 300, TOWN_START + 100 * SECOND);
	assert_int_equal(town_count(&town, "tocsin-evicted", ALERT_SETTLED), 1);
	flood(&town, 2000, 300, TOWN_START + 300 * SECOND);
	assert_int_equal(town_count(&town, "tocsin-evicted", ALERT_SETTLED), 1);
	town_crash(&town, 0);
	flood(&town, 3000, 300, TOWN_START + 500 * SECOND);
	assert_int_equal(town_count(&town, "tocsin-evicted", ALERT_SETTLED), 1);
	flood(&town, 4000, 10, TOWN_START + 800 * SECOND);
	assert_int_equal(town_count(&town, "tocsin-evicted", ALERT_SETTLED), 2);
	town_settle(&town);
	assert_int_equal(town_count(&town, "tocsin-evicted", ALERT_SETTLED), 2);
	for (unsigned i = 0; i < 2; i++) {
		const struct town_alert *alert = alert_of(&town, "tocsin-evicted", i);

		assert_true(str_eq(alert->group, STR("0")));
		assert_int_equal(alert->told, 1);
		told += alert->count;
	}
	assert_int_equal(told, town_stats(&town).evicted);
	assert_true(told >= 2 * 3 * 190);
	town_close(&town);
}

static void test_eviction_is_an_alert(void **state)
{
	(void)state;
	evictions_are_told(0);
	/* All of it is read again after the death. */
	evictions_are_told(100000 * SECOND);
}

static void test_pending_is_bounded_and_counted(void **state)
{
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = BASES BRUTE, .pending_max = 10,
	    .detections = 1, .events = 1});
	for (unsigned i = 0; i < 100; i++)
		try_log_in(&town, i, TOWN_START + i);
	town_run(&town);
	assert_int_equal(town_stats(&town).pending, 11);
	assert_int_equal(town_stats(&town).pending_dropped, 89);
	town_settle(&town);
	assert_int_equal(town_stats(&town).pending, 0);
	town_close(&town);
}

static void test_clocks_that_are_wrong(void **state)
{
	const int64_t year = 365 * 86400 * SECOND;
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = BASES BRUTE, .events = 1});
	for (unsigned i = 0; i < 5; i++) {
		/* A sender that lives ten years ahead, and one that lives ten years ago. */
		town_send_as(&town, town.counter, 0, "web01", TOWN_START + 10 * year,
		    TOWN_START + i * SECOND, FAIL("192.0.2.1", "an"));
		town.previous[0] = town.counter++;
		town_send_as(&town, town.counter, 0, "web02", TOWN_START - 10 * year,
		    TOWN_START + i * SECOND, FAIL("192.0.2.2", "an"));
		town.previous[0] = town.counter++;
	}
	town_run(&town);
	struct worker_stats stats = town_stats(&town);

	assert_int_equal(stats.skewed, 10);
	assert_int_equal(stats.late, 0);
	assert_true(stats.watermark_ns < TOWN_START + 60 * SECOND);
	town_settle(&town);
	assert_int_equal(town_count(&town, "brute", ALERT_SETTLED), 2);
	town_close(&town);
}

/* Eight failures on eight days, replayed at once, are no brute force within a minute. */
static void test_replay_goes_by_event_time(void **state)
{
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = BASES BRUTE, .replay = "march"});
	for (unsigned i = 0; i < 8; i++)
		town_send_as(&town, i, 0, "web01", TOWN_START - (8 - i) * 86400 * SECOND,
		    TOWN_START, FAIL("192.0.2.1", "an"));
	for (unsigned i = 0; i < 5; i++)
		town_send_as(&town, 8 + i, 0, "web01", TOWN_START + i * SECOND, TOWN_START,
		    FAIL("192.0.2.2", "an"));
	town_finish(&town);
	struct worker_stats stats = town_stats(&town);

	assert_int_equal(stats.skewed, 0);
	assert_int_equal(town_count(&town, "brute", ALERT_SETTLED), 1);
	assert_int_equal(town_count_group(&town, "brute", "192.0.2.2", ALERT_SETTLED), 1);
	assert_int_equal(town_unsettled(&town), 0);
	town_close(&town);
}

/* One partition has a sender, the others have none: they hold nothing back. */
static void test_partitions_that_nobody_uses(void **state)
{
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = BASES BRUTE, .events = 8});
	for (unsigned i = 0; i < 5; i++)
		try_log_in(&town, 1, TOWN_START + i * SECOND);
	try_log_in(&town, 2, TOWN_START + 100 * SECOND);
	town_run(&town);
	assert_int_equal(town_count(&town, "brute", ALERT_SETTLED), 1);
	town_close(&town);
}

/* A partition whose sender falls silent is waited for, but only for the idle time. */
static void test_a_silent_partition_is_not_waited_for(void **state)
{
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = BASES BRUTE, .events = 2});
	town_send_as(&town, 0, 1, "web09", TOWN_START, TOWN_START, FAIL("192.0.2.9", "an"));
	for (unsigned i = 0; i < 6; i++)
		town_send_as(&town, 1 + i, 0, "web01",
		    TOWN_START + i * 40 * SECOND / (1 + (i < 5) * 39), TOWN_START + i * SECOND,
		    FAIL("192.0.2.1", "an"));
	town.now_ns = TOWN_START + 10 * SECOND;
	for (unsigned i = 0; i < 4; i++)
		town_run(&town);
	assert_int_equal(town_count(&town, "brute", ALERT_SETTLED), 0);
	/* Idle after 60 s without a record; then the other partition's time counts. */
	town.now_ns = TOWN_START + 62 * SECOND;
	town_send_as(&town, 7, 0, "web01", TOWN_START + 62 * SECOND, TOWN_START + 62 * SECOND,
	    OK("192.0.2.1"));
	town_run(&town);
	assert_int_equal(town_count(&town, "brute", ALERT_SETTLED), 1);
	town_close(&town);
}

static void publish(struct town *town, struct str value);

/*
 * Only others write, and nobody ticks: what they wrote settles when they fall silent. Where a
 * collector of ours has been, its ticks alone say that time goes on: it may only be cut off.
 */
static void silence_settles(bool ours)
{
	struct town town;
	char line[256];

	town_open(&town, &(struct town_options){.rules = BASES BRUTE, .events = 2});
	if (ours)
		town_tick(&town);
	for (unsigned i = 0; i < 5; i++) {
		snprintf(line, sizeof(line), "<38>1 2026-03-02T08:00:0%uZ web01 town - - - "
		    FAIL("192.0.2.1", "an"), i);
		publish(&town, str_of(line));
	}
	for (unsigned i = 0; i < 40; i++) {
		town_run(&town);
		town.now_ns += 20 * SECOND;
	}
	assert_int_equal(town_count(&town, "brute", ALERT_SETTLED), ours ? 0 : 1);
	assert_int_equal(town_count(&town, "brute", ALERT_EARLY), ours ? 1 : 0);
	town_crash(&town, 0);
	town_settle(&town);
	assert_int_equal(town_count(&town, "brute", ALERT_SETTLED), 1);
	town_close(&town);
}

static void test_what_only_others_write_settles(void **state)
{
	(void)state;
	silence_settles(false);
	silence_settles(true);
}

static void test_late_ones_are_counted_and_plain_rules_still_run(void **state)
{
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = BASES BRUTE
	    "---\n" BASE_RULE("logged", "fail"), .events = 1});
	for (unsigned i = 0; i < 4; i++)
		try_log_in(&town, 1, TOWN_START + i * SECOND);
	try_log_in(&town, 2, TOWN_START + 200 * SECOND);
	town_run(&town);
	try_log_in(&town, 1, TOWN_START + 4 * SECOND);
	town_run(&town);
	assert_int_equal(town_stats(&town).late, 1);
	town_settle(&town);
	assert_int_equal(town_count(&town, "brute", ALERT_SETTLED), 0);
	assert_int_equal(town_count(&town, "logged", ALERT_SETTLED), 6);
	town_close(&town);
}

static void test_repeated_frames(void **state)
{
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = BASES BRUTE, .events = 1});
	for (unsigned i = 0; i < 4; i++) {
		town.previous[0] = i > 0 ? i - 1 : FRAME_NO_COUNT;
		for (unsigned n = 0; n < 4; n++) {
			town_send_as(&town, i, 0, "web01", TOWN_START, TOWN_START,
			    FAIL("192.0.2.1", "an"));
			if (n % 2 == 0)
				continue;
			town_run(&town);
			assert_true(town_stats(&town).repeats >= n / 2 + 1);
			town_crash(&town, 0); /* what it has seen survives */
		}
	}
	town_settle(&town);
	assert_int_equal(town_count(&town, "brute", ALERT_SETTLED), 0);
	assert_int_equal(town_unsettled(&town), 0);
	town_close(&town);
}

static void publish(struct town *town, struct str value)
{
	assert_int_equal(bus_publish(town->bus, TOPIC_EVENTS, 0, STR_NONE, value, 0), BUS_ACCEPTED);
}

static void publish_json(struct town *town, uint64_t counter, const char *act)
{
	char line[256];
	struct buf json = BUF(4096);
	struct event event = {.at = {0xc0ffee, 7, counter}, .received_ns = TOWN_START,
	    .sender = STR("web01")};

	snprintf(line, sizeof(line),
	    "<38>1 2026-03-02T08:00:00Z web01 town - - - {\"act\":\"%s\",\"src_ip\":\"192.0.2.1\"}",
	    act);
	event.raw = str_of(line);
	frame_json(&json, &event);
	publish(town, buf_str(&json));
	buf_free(&json);
}

/* Our events in JSON do not tell what came before them; repeats are known by their counters. */
static void test_repeated_json_events(void **state)
{
	static const uint64_t counters[] = {0, 9, 4, 70};
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = BASES BRUTE, .events = 1});
	for (unsigned turn = 0; turn < 3; turn++) {
		for (unsigned i = 0; i < 8; i++)
			publish_json(&town, counters[i / 2], "fail");
		town_run(&town);
		if (turn == 0)
			assert_int_equal(town_stats(&town).events, 4);
		else
			assert_int_equal(town_stats(&town).repeats, 8);
		town_crash(&town, 0); /* what it has seen survives */
	}
	town_settle(&town);
	assert_int_equal(town_count(&town, "brute", ALERT_SETTLED), 0);
	assert_int_equal(town_unsettled(&town), 0);
	/* A counter that no event has. */
	publish_json(&town, UINT64_MAX, "fail");
	publish_json(&town, 71, "other");
	town_run(&town);
	assert_int_equal(town_stats(&town).damaged, 1);
	assert_int_equal(town_stats(&town).events, 1);
	town_close(&town);
}

/* A batch is so many events, however many lie in a frame, and ticks between do not count. */
static void test_batch_counts_events(void **state)
{
	struct town town;
	struct buf frame = BUF(FRAME_MAX);
	struct frame_head head = {.type = FRAME_EVENTS, .collector = 9, .epoch = 1, .count = 50,
	    .previous = FRAME_NO_COUNT, .made_ns = TOWN_START};
	struct event event = {.received_ns = TOWN_START, .raw = STR("<38>nothing that matches")};
	uint64_t before = 0, most = 0;

	(void)state;
	town_open(&town, &(struct town_options){.rules = BASES, .events = 1, .batch = 100});
	for (unsigned i = 0; i < 40; i++, head.previous = head.first - 1) {
		frame_begin(&frame);
		for (unsigned k = 0; k < head.count; k++)
			frame_add(&frame, &event);
		assert_true(frame_end(&frame, &head));
		publish(&town, buf_str(&frame));
		head.first += head.count;
		if (i % 3 == 0 && frame_tick(&frame, &head))
			publish(&town, buf_str(&frame));
	}
	assert_int_equal(bus_flush(town.bus, SECOND, NULL), 0);
	for (unsigned i = 0; i < 200 && before < 2000; i++) {
		assert_true(worker_step(town.workers[0], TOWN_START, 0, NULL) >= 0);
		if (town_stats(&town).events - before > most)
			most = town_stats(&town).events - before;
		before = town_stats(&town).events;
	}
	assert_int_equal(before, 2000);
	assert_true(most >= 50 && most <= 200);
	buf_free(&frame);
	town_close(&town);
}

static void test_records_of_others(void **state)
{
	struct town town;
	char broken[64] = "TCSF nonsense that begins like a frame of ours perhaps";
	struct buf frame = BUF(FRAME_MAX);
	struct frame_head head = {.type = FRAME_TICK, .made_ns = TOWN_START,
	    .previous = FRAME_NO_COUNT};

	(void)state;
	town_open(&town, &(struct town_options){.rules = BASES, .events = 1});
	publish(&town, STR("<38>1 2026-03-02T08:00:00Z db01 town - - - {\"act\":\"fail\"}"));
	publish(&town, STR(""));
	publish(&town, STR("\0\xff\xfe"));
	publish(&town, str_from(broken, sizeof(broken)));
	assert_true(frame_tick(&frame, &head));
	frame.ptr[frame.len - 1] ^= 1;
	publish(&town, buf_str(&frame));
	buf_free(&frame);
	town_run(&town);
	struct worker_stats stats = town_stats(&town);

	assert_int_equal(stats.foreign + stats.damaged + stats.skipped, 5);
	assert_true(stats.foreign >= 3);
	assert_true(stats.damaged >= 1);
	assert_int_equal(town_count(&town, "failed", ALERT_SETTLED), 1);
	town_close(&town);
}

/*
 * What a topic of others was read for, killed, and read for again: frames that begin and end
 * elsewhere, and hold each event under the name it had.
 */
static void test_frames_that_overlap_in_part(void **state)
{
	static const struct { uint64_t first, count, previous; } reads[] = {
	    {100, 10, 99}, {100, 4, 99}, {105, 20, 104}, {127, 3, 124}, {90, 5, 89}, {90, 40, 89},
	};
	struct town town;
	struct buf frame = BUF(FRAME_MAX);
	struct event event = {.received_ns = TOWN_START, .raw = STR("<38>nothing that matches")};

	(void)state;
	town_open(&town, &(struct town_options){.rules = BASES, .events = 1});
	for (size_t i = 0; i < sizeof(reads) / sizeof(*reads); i++) {
		struct frame_head head = {.type = FRAME_EVENTS, .flags = FRAME_KEPT,
		    .collector = 9, .epoch = 3, .first = reads[i].first,
		    .previous = reads[i].previous, .count = (uint32_t)reads[i].count,
		    .made_ns = TOWN_START};

		frame_begin(&frame);
		for (uint64_t k = 0; k < reads[i].count; k++)
			frame_add(&frame, &event);
		assert_true(frame_end(&frame, &head));
		publish(&town, buf_str(&frame));
	}
	town_run(&town);
	/* 100..124, 127..129, 90..99; 125 and 126 were no events, says who knew. */
	struct worker_stats stats = town_stats(&town);

	assert_int_equal(stats.events, 25 + 3 + 10);
	assert_int_equal(stats.repeats, 82 - 38);
	assert_int_equal(stats.damaged, 0);
	buf_free(&frame);
	town_close(&town);
}

static void test_a_gap_is_an_alert(void **state)
{
	struct town town;
	uint64_t gaps;

	(void)state;
	town_open(&town, &(struct town_options){.rules = BASES TOGETHER, .events = 1,
	    .retain_bytes = 16384});
	for (unsigned i = 0; i < 10; i++)
		try_log_in(&town, 1, TOWN_START + i * SECOND);
	town_run(&town);
	uint64_t before = town_stats(&town).events;

	town_crash(&town, 0);
	for (unsigned i = 0; i < 200; i++)
		try_log_in(&town, 1, TOWN_START + i * SECOND);
	town.options.batch = 4;
	town_run(&town);
	assert_int_equal(before, 10);
	assert_true(town_stats(&town).gaps > 0);
	assert_int_equal(checkpoint_gaps(town.checkpoint, &gaps, NULL), 0);
	assert_int_equal(gaps, town_stats(&town).gaps);
	assert_int_equal(town_count(&town, "tocsin-gap", ALERT_SETTLED), gaps);
	town_close(&town);
}

/*
 * The bus is empty all of a sudden. What comes then stands at offsets that were used before, and
 * is new all the same.
 */
static void bus_made_anew(bool other)
{
	struct town town;
	uint64_t gaps = 0;

	town_open(&town, &(struct town_options){.rules = BASES BRUTE, .events = 1,
	    .detections = 1});
	for (unsigned i = 0; i < 20; i++)
		try_log_in(&town, 1, TOWN_START + i * SECOND);
	town_settle(&town);
	assert_int_equal(town_count(&town, "brute", ALERT_SETTLED), 4);
	town_anew(&town, other);
	town_run(&town);
	int64_t later_ns = town.now_ns + 100000 * SECOND;

	for (unsigned i = 0; i < 5; i++)
		try_log_in(&town, 2, later_ns + i * SECOND);
	town_run(&town);
	town_crash(&town, 0); /* and what is remembered of it stands a restart */
	town_settle(&town);
	assert_int_equal(town_count_group(&town, "brute", "10.0.0.2", ALERT_SETTLED), 1);
	assert_int_equal(town_stats(&town).late, 0);
	assert_int_equal(checkpoint_gaps(town.checkpoint, &gaps, NULL), 0);
	assert_int_equal(gaps, 2); /* events and detections */
	town_close(&town);
}

static void test_a_log_that_was_made_anew(void **state)
{
	(void)state;
	bus_made_anew(false);
}

static void test_another_bus(void **state)
{
	(void)state;
	bus_made_anew(true);
}

/* Under another key no id would be the same again. */
static void test_another_site_is_refused(void **state)
{
	struct worker_options options = {.site = {3, 4}, .instances = 1};
	struct worker *worker = NULL;
	struct error error = {0};
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = BASES});
	options.bus = town.bus;
	options.checkpoint = town.checkpoint;
	options.ruleset = town_rules(BASES);
	assert_int_equal(worker_open(&worker, &options, &error), ERR_FOREIGN);
	town_close(&town);
}

static void test_events_without_the_group_field(void **state)
{
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = BASES BRUTE});
	for (unsigned i = 0; i < 6; i++)
		town_send(&town, "web01", TOWN_START, "{\"act\":\"fail\",\"User\":\"an\"}");
	town_settle(&town);
	assert_int_equal(town_stats(&town).ungrouped, 6);
	assert_int_equal(town.alert_count, 0);
	town_close(&town);
}

/* However many correlations refer to a rule, each is told of its matches. */
static void test_a_rule_that_many_refer_to(void **state)
{
	static char rules[200000];
	size_t used = (size_t)snprintf(rules, sizeof(rules), "%s", BASES);
	struct town town;

	(void)state;
	for (unsigned i = 0; i < 400; i++)
		used += (size_t)snprintf(rules + used, sizeof(rules) - used,
		    "---\ntitle: many-%u\nid: many-%u\ncorrelation:\n    type: event_count\n"
		    "    rules: [failed]\n    group-by: [src_ip]\n    timespan: %us\n"
		    "    condition:\n        gte: 2\nlevel: high\n", i, i, 60 + i);
	assert_true(used < sizeof(rules));
	town_open(&town, &(struct town_options){.rules = rules});
	town_send(&town, "web01", TOWN_START, FAIL("192.0.2.1", "an"));
	town_run(&town);
	assert_int_equal(town_stats(&town).detections, 400);
	town_close(&town);
}

/* Everything is read again without a checkpoint: nothing is alerted that was not before. */
static void test_a_topic_read_again(void **state)
{
	struct town town;
	size_t count, again;

	(void)state;
	town_open(&town, &(struct town_options){.rules = BASES BRUTE SPRAY, .workers = 2});
	for (unsigned i = 0; i < 60; i++) {
		try_log_in(&town, i % 3, TOWN_START + i * SECOND);
		if (i % 7 == 0)
			town_run(&town);
	}
	town_settle(&town);
	uint64_t ids = town_settled(&town, &count);
	size_t all = town.alert_count;

	for (unsigned i = 0; i < 2; i++)
		town_crash(&town, i);
	checkpoint_close(town.checkpoint);
	assert_int_equal(checkpoint_open(&town.checkpoint, NULL, "correlate", NULL), 0);
	town_settle(&town);
	assert_true(count > 0);
	assert_true(town_settled(&town, &again) == ids);
	assert_int_equal(again, count);
	assert_int_equal(town.alert_count, all);
	town_close(&town);
}

/* Values that differ only far behind stay apart, and fit into the table. */
static void test_group_values_without_end(void **state)
{
	static char body[2200];
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = BASES
	    CORRELATION_RULE("long", "event_count", "[failed]", "[User]", "60s",
	    "    condition:\n        gte: 2\n")});
	for (unsigned i = 0; i < 4; i++) {
		snprintf(
		    body, sizeof(body), "{\"act\":\"fail\",\"User\":\"%*d\"}", 2000, (int)i / 3);
		town_send(&town, "web01", TOWN_START + i, body);
	}
	town_settle(&town);
	assert_int_equal(town_count(&town, "long", ALERT_SETTLED), 1);
	town_close(&town);
}

/* ---- other rules ---- */

#define OTHER_SPRAY                                                                                \
	CORRELATION_RULE("spray", "value_count", "[failed]", "[src_ip]", "61s",                    \
	    "    condition:\n        field: User\n        gte: 3\n")

/* The checkpoint tells which rules are in force, and from where on. */
static void rules_are_told(struct town *town)
{
	struct ruleset *ruleset = town_rules(town->options.rules);
	struct buf told = BUF(4096);
	char text[HASH128_TEXT];

	assert_int_equal(checkpoint_state_get(town->checkpoint, STR("rules/0"), &told, NULL), 0);
	assert_true(str_find(buf_str(&told), hash128_format(ruleset_hash(ruleset), text)) == 2);
	assert_true(str_find(buf_str(&told), STR(" events/")) != STR_NOT_FOUND);
	buf_free(&told);
	ruleset_free(ruleset);
}

static void reload_in_mid_window(bool by_death)
{
	struct town town;

	town_open(&town, &(struct town_options){.rules = BASES BRUTE SPRAY});
	town_send(&town, "web01", TOWN_START, FAIL("192.0.2.1", "a"));
	town_send(&town, "web01", TOWN_START + SECOND, FAIL("192.0.2.1", "b"));
	town_run(&town);
	rules_are_told(&town);
	town.options.rules = BASES OTHER_SPRAY BRUTE TOGETHER;
	if (by_death)
		town_crash(&town, 0);
	else
		assert_int_equal(town_reload(&town, 0, NULL), 0);
	for (unsigned i = 2; i < 5; i++)
		town_send(&town, "web01", TOWN_START + i * SECOND, FAIL("192.0.2.1", "b"));
	town_run(&town);
	assert_true(town_stats(&town).state_dropped > 0);
	rules_are_told(&town);
	town_crash(&town, 0);
	town_settle(&town);
	/* Unchanged: five failures across the switch. Changed: only b was tried since. */
	assert_int_equal(town_count(&town, "brute", ALERT_SETTLED), 1);
	assert_int_equal(town_count(&town, "spray", ALERT_SETTLED), 0);
	town_close(&town);
}

static void test_reload_keeps_what_has_not_changed(void **state)
{
	(void)state;
	reload_in_mid_window(false);
}

/* The snapshot is of the other rules; what comes after it is of these. */
static void test_start_under_other_rules(void **state)
{
	(void)state;
	reload_in_mid_window(true);
}

/*
 * A death, and other rules at the start: what was matched before it, and is fed once more for the
 * windows' sake, was matched under the old ones, and is not for a rule that is new or changed.
 */
static void test_other_rules_do_not_look_back(void **state)
{
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = BASES BRUTE SPRAY, .events = 1,
	    .detections = 1, .snapshot_ns = 1000000 * SECOND});
	town_tick(&town);
	town_run(&town); /* the snapshot; there will be no other before the death */
	town_send(&town, "web01", TOWN_START, FAIL("192.0.2.1", "a"));
	town_send(&town, "web01", TOWN_START + SECOND, FAIL("192.0.2.1", "b"));
	town_run(&town);
	town.options.rules = BASES OTHER_SPRAY BRUTE;
	town_crash(&town, 0);
	town_send(&town, "web01", TOWN_START + 2 * SECOND, FAIL("192.0.2.1", "c"));
	town_run(&town);
	assert_int_equal(town_stats(&town).state_dropped, 2);
	assert_int_equal(town_count(&town, "spray", ALERT_EARLY), 0);
	/* Another death: what came since is not forgotten. */
	town_crash(&town, 0);
	town_send(&town, "web01", TOWN_START + 3 * SECOND, FAIL("192.0.2.1", "d"));
	town_send(&town, "web01", TOWN_START + 4 * SECOND, FAIL("192.0.2.1", "e"));
	town_settle(&town);
	assert_int_equal(town_count(&town, "brute", ALERT_SETTLED), 1);
	assert_int_equal(town_count(&town, "spray", ALERT_SETTLED), 1);
	assert_int_equal(town_unsettled(&town), 0);
	assert_int_equal(town_stats(&town).state_dropped, 0);
	town_close(&town);
}

/* ---- snapshots ---- */

static void snapshot_replace(struct town *town, uint32_t partition, size_t cut, int flip)
{
	struct buf value = BUF(1 << 24);
	char name[32];

	snprintf(name, sizeof(name), "snapshot/%u", partition);
	if (checkpoint_state_get(town->checkpoint, str_of(name), &value, NULL) < 0) {
		buf_free(&value);
		return;
	}
	if (flip >= 0)
		value.ptr[(size_t)flip % value.len] ^= 0x15;
	assert_int_equal(checkpoint_begin(town->checkpoint, NULL), 0);
	assert_int_equal(checkpoint_state_put(town->checkpoint, str_of(name),
	    str_slice(buf_str(&value), 0, cut < value.len ? cut : value.len), NULL), 0);
	assert_int_equal(checkpoint_commit(town->checkpoint, NULL), 0);
	buf_free(&value);
}

static void test_bad_snapshots_are_refused_and_made_anew(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		struct town town;

		town_open(&town, &(struct town_options){.rules = BASES BRUTE SPRAY BREAKIN,
		    .snapshot_ns = 1});
		for (unsigned n = 0; n < 3; n++)
			try_log_in(&town, 1, TOWN_START + n * SECOND);
		town_run(&town);
		town_crash(&town, 0);
		for (uint32_t p = 0; p < 2; p++)
			snapshot_replace(
			    &town, p, i < 30 ? i * i : 1 << 24, i < 30 ? -1 : (int)i % 8);
		for (unsigned n = 3; n < 5; n++)
			try_log_in(&town, 1, TOWN_START + n * SECOND);
		town_send(&town, "web01", TOWN_START + 5 * SECOND, OK("10.0.0.1"));
		town_run(&town);
		assert_true(i >= 20 || town_stats(&town).state_refused > 0);
		town_settle(&town);
		assert_int_equal(town_count(&town, "breakin", ALERT_SETTLED), 1);
		town_close(&town);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_eviction_is_bounded_and_counted),
	    cmocka_unit_test(test_eviction_is_an_alert),
	    cmocka_unit_test(test_pending_is_bounded_and_counted),
	    cmocka_unit_test(test_clocks_that_are_wrong),
	    cmocka_unit_test(test_replay_goes_by_event_time),
	    cmocka_unit_test(test_partitions_that_nobody_uses),
	    cmocka_unit_test(test_a_silent_partition_is_not_waited_for),
	    cmocka_unit_test(test_what_only_others_write_settles),
	    cmocka_unit_test(test_late_ones_are_counted_and_plain_rules_still_run),
	    cmocka_unit_test(test_repeated_frames),
	    cmocka_unit_test(test_repeated_json_events),
	    cmocka_unit_test(test_batch_counts_events),
	    cmocka_unit_test(test_records_of_others),
	    cmocka_unit_test(test_frames_that_overlap_in_part),
	    cmocka_unit_test(test_a_gap_is_an_alert),
	    cmocka_unit_test(test_a_log_that_was_made_anew),
	    cmocka_unit_test(test_another_bus),
	    cmocka_unit_test(test_another_site_is_refused),
	    cmocka_unit_test(test_events_without_the_group_field),
	    cmocka_unit_test(test_group_values_without_end),
	    cmocka_unit_test(test_a_rule_that_many_refer_to),
	    cmocka_unit_test(test_a_topic_read_again),
	    cmocka_unit_test(test_reload_keeps_what_has_not_changed),
	    cmocka_unit_test(test_start_under_other_rules),
	    cmocka_unit_test(test_other_rules_do_not_look_back),
	    cmocka_unit_test(test_bad_snapshots_are_refused_and_made_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
