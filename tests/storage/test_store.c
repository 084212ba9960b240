/*
 * What a store promises about single alerts: kept once, found again, folded, settled, with
 * evidence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "event/frame.h"
#include "rig.h"

static void opened(struct rig *rig, uint32_t alerts)
{
	rig_open(rig, 2, 2, alerts);
	rig_store_open(rig);
}

static void test_alert_is_stored_and_found(void **state)
{
	struct query_filter filter = rig_filter();
	struct query_alert found[4], one;
	struct rig rig;
	char id[HASH128_TEXT];

	(void)state;
	opened(&rig, 3);
	struct alert alert = rig_alert(&rig, "ssh-brute", "web01.example.vn", RIG_NOW + 5, 1);

	rig_publish(&rig, &alert);
	rig_settle(&rig);
	assert_int_equal(rig_list(&rig, &filter, found, 4), 1);
	assert_true(hash128_eq(found[0].alert.id, alert.id));
	assert_int_equal(found[0].alert.time_ns, RIG_NOW + 5);
	assert_int_equal(found[0].folded, 1);
	assert_int_equal(rig_stats(&rig).alerts, 1);
	assert_int_equal(query_alert(rig.query, str_slice(hash128_format(alert.id, id), 0, 6),
			     rig.arena, &one, NULL),
	    0);
	assert_true(hash128_eq(one.alert.id, alert.id));
	assert_int_equal(
	    query_alert(rig.query, STR("fff0fff0"), rig.arena, &one, NULL), ERR_MISSING);
	assert_int_equal(query_alert(rig.query, STR("xyz1"), rig.arena, &one, NULL), ERR_USAGE);
	assert_int_equal(query_alert(rig.query, STR("abc"), rig.arena, &one, NULL), ERR_USAGE);
	rig_close(&rig);
}

static void test_repeat_is_counted_not_stored(void **state)
{
	struct query_filter filter = rig_filter();
	struct query_alert found[4];
	struct rig rig;

	(void)state;
	opened(&rig, 1);
	struct alert alert = rig_alert(&rig, "r", "h", RIG_NOW, 1);

	for (int i = 0; i < 3; i++)
		rig_publish(&rig, &alert);
	rig_settle(&rig);
	rig_publish(&rig, &alert);
	rig_settle(&rig);
	assert_int_equal(rig_list(&rig, &filter, found, 4), 1);
	assert_int_equal(rig_stats(&rig).repeats, 3);
	rig_close(&rig);
}

static struct alert correlated(
    struct rig *rig, int64_t time_ns, uint64_t counter, enum alert_status status)
{
	struct alert alert = rig_alert(rig, "corr", "h", time_ns, counter);

	alert.rule.kind = STR("event_count");
	alert.status = status;
	return alert;
}

static void test_early_becomes_settled(void **state)
{
	struct query_filter filter = rig_filter();
	struct query_alert found[4];
	struct rig rig;

	(void)state;
	opened(&rig, 1);
	struct alert alert = correlated(&rig, RIG_NOW, 1, ALERT_EARLY);

	rig_publish(&rig, &alert);
	rig_settle(&rig);
	assert_int_equal(rig_list(&rig, &filter, found, 4), 1);
	assert_int_equal(found[0].alert.status, ALERT_EARLY);
	alert.status = ALERT_SETTLED;
	rig_publish(&rig, &alert);
	rig_settle(&rig);
	assert_int_equal(rig_list(&rig, &filter, found, 4), 1);
	assert_int_equal(found[0].alert.status, ALERT_SETTLED);
	assert_int_equal(rig_stats(&rig).settled, 1);
	rig_close(&rig);
}

/* Both orders of arrival give the same answer. */
static void test_settled_replaces_early(void **state)
{
	(void)state;
	for (int swapped = 0; swapped <= 1; swapped++) {
		struct query_filter filter = rig_filter();
		struct query_alert found[4];
		struct rig rig;

		opened(&rig, 1);
		struct alert early = correlated(&rig, RIG_NOW + 9, 2, ALERT_EARLY);
		struct alert settled = correlated(&rig, RIG_NOW + 5, 1, ALERT_SETTLED);

		settled.replaces = early.id;
		rig_publish(&rig, swapped ? &settled : &early);
		if (swapped)
			rig_settle(&rig);
		rig_publish(&rig, swapped ? &early : &settled);
		rig_settle(&rig);
		assert_int_equal(rig_list(&rig, &filter, found, 4), 1);
		assert_true(hash128_eq(found[0].alert.id, settled.id));
		filter.with_replaced = true;
		assert_int_equal(rig_list(&rig, &filter, found, 4), 2);
		assert_true(hash128_eq(found[0].alert.id, early.id));
		assert_int_equal(found[0].alert.status, ALERT_REPLACED);
		assert_true(hash128_eq(found[0].replaced_by, settled.id));
		assert_int_equal(rig_stats(&rig).replaced, 1);
		rig_close(&rig);
	}
}

static void test_matches_fold_into_the_first(void **state)
{
	struct query_filter filter = rig_filter();
	struct query_alert found[4];
	struct rig rig;

	(void)state;
	opened(&rig, 2);
	rig.options.fold_default_ns = 60 * RIG_S;
	rig_store_close(&rig);
	rig_store_open(&rig);
	for (uint64_t i = 0; i < 10; i++) {
		struct alert alert =
		    rig_alert(&rig, "r", "h", RIG_NOW + (int64_t)i * 10 * RIG_S, i);

		rig_publish(&rig, &alert);
	}
	rig_settle(&rig);
	/* shown so before the watermark, and after */
	for (int round = 0; round < 2; round++) {
		assert_int_equal(rig_list(&rig, &filter, found, 4), 2);
		assert_int_equal(found[0].alert.count, 4);
		assert_int_equal(found[1].alert.count, 6);
		assert_int_equal(found[1].folded, 6);
		assert_int_equal(found[1].alert.first_ns, RIG_NOW);
		assert_int_equal(found[1].alert.last_ns, RIG_NOW + 50 * RIG_S);
		rig_progress(&rig, TOPIC_EVENTS, RIG_NOW + 100 * RIG_S);
		rig_settle(&rig);
	}
	assert_int_equal(rig_stats(&rig).folded, 8);
	/* what a settled head covers needs no document, and is known */
	struct alert late = rig_alert(&rig, "r", "h", RIG_NOW + 101 * RIG_S, 77);

	rig_publish(&rig, &late);
	rig_publish(&rig, &late);
	rig_settle(&rig);
	assert_int_equal(rig_list(&rig, &filter, found, 4), 2);
	assert_int_equal(found[0].alert.count, 5);
	assert_int_equal(rig_stats(&rig).repeats, 1);
	rig_close(&rig);
}

/* Shown as a head, then an older match comes: the older one is the alert. */
static void test_older_match_takes_over(void **state)
{
	struct query_filter filter = rig_filter();
	struct query_alert found[4];
	struct rig rig;

	(void)state;
	rig_open(&rig, 1, 1, 1);
	rig.options.fold_default_ns = 60 * RIG_S;
	rig_store_open(&rig);
	struct alert second = rig_alert(&rig, "r", "h", RIG_NOW + 10 * RIG_S, 2);
	struct alert first = rig_alert(&rig, "r", "h", RIG_NOW, 1);

	rig_publish(&rig, &second);
	rig_settle(&rig);
	rig_publish(&rig, &first);
	rig_settle(&rig);
	rig_progress(&rig, TOPIC_EVENTS, RIG_NOW + 100 * RIG_S);
	rig_settle(&rig);
	assert_int_equal(rig_list(&rig, &filter, found, 4), 1);
	assert_true(hash128_eq(found[0].alert.id, first.id));
	assert_int_equal(found[0].folded, 2);
	filter.with_replaced = true;
	assert_int_equal(rig_list(&rig, &filter, found, 4), 2);
	assert_int_equal(found[0].alert.status, ALERT_REPLACED);
	assert_true(hash128_eq(found[0].replaced_by, first.id));
	rig_close(&rig);
}

static void publish_frame(struct rig *rig, uint64_t first, uint32_t count)
{
	struct frame_head head = {.type = FRAME_EVENTS,
	    .collector = 0xc0ffee,
	    .epoch = 1,
	    .first = first,
	    .previous = FRAME_NO_COUNT,
	    .count = count};
	struct buf frame = BUF(FRAME_MAX);

	frame_begin(&frame);
	for (uint32_t i = 0; i < count; i++) {
		char raw[32];
		struct event event = {.at = {0xc0ffee, 1, first + i},
		    .received_ns = RIG_NOW,
		    .sender = STR("web01"),
		    .raw = {raw, 0}};

		event.raw.len = (size_t)snprintf(raw, sizeof(raw), "line %lu", first + i);
		frame_add(&frame, &event);
	}
	assert_true(frame_end(&frame, &head));
	rig_publish_raw(rig, TOPIC_EVENTS, 0, buf_str(&frame));
	buf_free(&frame);
}

static void test_evidence_is_kept(void **state)
{
	struct query_evidence *evidence;
	struct query_alert one;
	struct rig rig;
	size_t count;
	char id[HASH128_TEXT];

	(void)state;
	opened(&rig, 1);
	publish_frame(&rig, 100, 5);
	struct alert alert = rig_alert(&rig, "r", "h", RIG_NOW, 103);
	struct alert_event events[3] = {
	    {{0xc0ffee, 1, 101}, {0, 0, 1}, RIG_NOW - 2, STR("base")},
	    {{0xc0ffee, 1, 103}, {0, 0, 3}, RIG_NOW, STR("base")},
	    {{0xc0ffee, 1, 999}, {0, 0, 4}, RIG_NOW + 1,
		STR("base")}, /* another event stands there */
	};

	alert.events = events;
	alert.event_count = 3;
	rig_publish(&rig, &alert);
	rig_settle(&rig);
	assert_int_equal(
	    query_evidence(rig.query, alert.id, rig.arena, &evidence, &count, NULL), 0);
	assert_int_equal(count, 2);
	assert_true(str_eq(evidence[0].event.raw, STR("line 101")));
	assert_true(str_eq(evidence[1].event.raw, STR("line 103")));
	assert_true(str_eq(evidence[1].event.sender, STR("web01")));
	assert_int_equal(evidence[1].position.index, 3);
	assert_true(str_eq(evidence[0].fields_json, STR("{\"length\":8}")));
	assert_int_equal(
	    query_alert(rig.query, hash128_format(alert.id, id), rig.arena, &one, NULL), 0);
	assert_int_equal(one.evidence_kept, 2);
	assert_int_equal(one.evidence_missing, 1);
	assert_int_equal(rig_stats(&rig).evidence_kept, 2);
	assert_int_equal(rig_stats(&rig).evidence_missing, 1);
	rig_close(&rig);
}

/*
 * In order of arrival other events made it than in order of time, but the same one completed it: it
 * keeps its id, and what the watermark found counts.
 */
static void settled_of_other_events(bool evidence_first, bool folds)
{
	struct query_filter filter = rig_filter();
	struct query_evidence *evidence;
	struct query_alert found[4];
	struct rig rig;
	size_t count;
	char id[HASH128_TEXT];

	opened(&rig, 1);
	if (folds)
		rig.options.fold_default_ns = 60 * RIG_S;
	rig_store_close(&rig);
	rig_store_open(&rig);
	publish_frame(&rig, 100, 5);
	struct alert alert = correlated(&rig, RIG_NOW, 102, ALERT_EARLY);
	struct alert_event of_arrival[3] = {
	    {{0xc0ffee, 1, 102}, {0, 0, 2}, RIG_NOW, STR("base")},
	    {{0xc0ffee, 1, 103}, {0, 0, 3}, RIG_NOW + 1, STR("base")},
	    {{0xc0ffee, 1, 104}, {0, 0, 4}, RIG_NOW + 2, STR("base")},
	};
	struct alert_event of_time[2] = {
	    {{0xc0ffee, 1, 100}, {0, 0, 0}, RIG_NOW - 5, STR("base")},
	    {{0xc0ffee, 1, 102}, {0, 0, 2}, RIG_NOW, STR("base")},
	};

	alert.events = of_arrival;
	alert.event_count = alert.count = 3;
	alert.last_ns = RIG_NOW + 2;
	rig_publish(&rig, &alert);
	if (evidence_first)
		rig_settle(&rig);
	alert.status = ALERT_SETTLED;
	alert.events = of_time;
	alert.event_count = alert.count = 2;
	alert.first_ns = RIG_NOW - 5;
	alert.last_ns = RIG_NOW;
	rig_publish(&rig, &alert);
	rig_progress(&rig, TOPIC_DETECTIONS, RIG_NOW + 100 * RIG_S);
	rig_settle(&rig);
	assert_int_equal(rig_list(&rig, &filter, found, 4), 1);
	assert_int_equal(found[0].alert.status, ALERT_SETTLED);
	assert_int_equal(found[0].alert.count, 2);
	assert_int_equal(found[0].alert.first_ns, RIG_NOW - 5);
	assert_int_equal(found[0].alert.last_ns, RIG_NOW);
	assert_int_equal(
	    query_alert(rig.query, hash128_format(alert.id, id), rig.arena, &found[0], NULL), 0);
	assert_int_equal(found[0].alert.event_count, 2);
	assert_int_equal(found[0].alert.events[0].at.counter, 100);
	assert_int_equal(found[0].evidence_kept, 2);
	assert_int_equal(
	    query_evidence(rig.query, alert.id, rig.arena, &evidence, &count, NULL), 0);
	assert_int_equal(count, 2);
	assert_true(str_eq(evidence[0].event.raw, STR("line 100")));
	assert_true(str_eq(evidence[1].event.raw, STR("line 102")));
	rig_close(&rig);
}

static void test_settled_tells_what_made_it(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++)
		settled_of_other_events(i & 1, i & 2);
}

/* One settled alert may stand for several early ones: it comes again, known, with another. */
static void test_settled_replaces_several(void **state)
{
	struct query_filter filter = rig_filter();
	struct query_alert found[4];
	struct rig rig;

	(void)state;
	opened(&rig, 1);
	struct alert one = correlated(&rig, RIG_NOW + 9, 2, ALERT_EARLY);
	struct alert two = correlated(&rig, RIG_NOW + 8, 3, ALERT_EARLY);
	struct alert settled = correlated(&rig, RIG_NOW + 5, 1, ALERT_SETTLED);

	rig_publish(&rig, &one);
	rig_publish(&rig, &two);
	settled.replaces = one.id;
	rig_publish(&rig, &settled);
	rig_settle(&rig);
	assert_int_equal(rig_list(&rig, &filter, found, 4), 2);
	settled.replaces = two.id;
	for (int i = 0; i < 2; i++) {
		rig_publish(&rig, &settled);
		rig_settle(&rig);
		assert_int_equal(rig_list(&rig, &filter, found, 4), 1);
		assert_true(hash128_eq(found[0].alert.id, settled.id));
		assert_int_equal(rig_stats(&rig).replaced, 2);
	}
	filter.with_replaced = true;
	assert_int_equal(rig_list(&rig, &filter, found, 4), 3);
	rig_close(&rig);
}

/*
 * One settled alert stands for an early one that settles itself as well, for another event
 * completed it first: what is settled counts, whichever is told first and however often.
 */
static void test_what_was_replaced_may_settle_itself(void **state)
{
	(void)state;
	for (int order = 0; order < 4; order++) {
		struct query_filter filter = rig_filter();
		struct query_alert found[4];
		struct rig rig;

		rig_open(&rig, 2, 2, 1);
		rig.options.fold_default_ns = 60 * RIG_S;
		rig_store_open(&rig);
		struct alert x = correlated(&rig, RIG_NOW + 9, 2, ALERT_EARLY);
		struct alert y = correlated(&rig, RIG_NOW + 10, 3, ALERT_EARLY);
		struct alert first = correlated(&rig, RIG_NOW + 5, 1, ALERT_SETTLED);
		struct alert second = x;

		first.replaces = x.id;
		second.status = ALERT_SETTLED;
		second.replaces = y.id;
		rig_publish(&rig, &x);
		rig_publish(&rig, &y);
		rig_settle(&rig);
		for (int i = 0; i < 3; i++) {
			rig_publish(&rig, (order + i) & 1 ? &second : &first);
			if (order & 2)
				rig_settle(&rig);
			rig_publish(&rig, (order + i) & 1 ? &first : &second);
			rig_settle(&rig);
		}
		rig_progress(&rig, TOPIC_DETECTIONS, RIG_NOW + 3600 * RIG_S);
		rig_settle(&rig);
		assert_int_equal(rig_list(&rig, &filter, found, 4), 1);
		assert_true(hash128_eq(found[0].alert.id, first.id));
		assert_int_equal(found[0].folded, 2);
		assert_int_equal(found[0].alert.count, first.count + second.count);
		rig_close(&rig);
	}
}

static void test_evidence_of_folded_is_shown_with_the_head(void **state)
{
	struct query_filter filter = rig_filter();
	struct query_evidence *evidence;
	struct query_alert found[4];
	struct rig rig;
	size_t count;

	(void)state;
	rig_open(&rig, 1, 1, 1);
	rig.options.fold_default_ns = 60 * RIG_S;
	rig.options.evidence_events = 4;
	rig_store_open(&rig);
	publish_frame(&rig, 0, 8);
	for (uint64_t i = 0; i < 8; i++) {
		struct alert alert = rig_alert(&rig, "r", "h", RIG_NOW + (int64_t)i, i);

		alert.events[0].position.index = (uint32_t)i;
		rig_publish(&rig, &alert);
		if (i == 1) {
			rig_progress(&rig, TOPIC_EVENTS, RIG_NOW + 1);
			rig_settle(&rig);
		}
	}
	rig_progress(&rig, TOPIC_EVENTS, RIG_NOW + 100);
	rig_settle(&rig);
	assert_int_equal(rig_list(&rig, &filter, found, 4), 1);
	assert_int_equal(found[0].folded, 8);
	assert_int_equal(found[0].evidence_cut, 4);
	assert_int_equal(
	    query_evidence(rig.query, found[0].alert.id, rig.arena, &evidence, &count, NULL), 0);
	assert_int_equal(count, 4);
	assert_true(str_eq(evidence[0].event.raw, STR("line 0")));
	assert_true(str_eq(evidence[3].event.raw, STR("line 3")));
	rig_close(&rig);
}

/* Written to our topic by others: a bare line, and one event as JSON. */
static void test_evidence_of_foreign_records(void **state)
{
	struct query_evidence *evidence;
	struct event line,
	    object = {.at = {5, 6, 7}, .received_ns = RIG_NOW, .raw = STR("as json")};
	struct buf json = BUF(4096);
	struct rig rig;
	size_t count;

	(void)state;
	opened(&rig, 1);
	rig_publish_raw(&rig, TOPIC_EVENTS, 0, STR("a bare line"));
	frame_foreign(bus_identity(rig.bus), STR("events"), (struct position){0, 0, 0}, RIG_NOW,
	    STR("a bare line"), &line);
	frame_json(&json, &object);
	rig_publish_raw(&rig, TOPIC_EVENTS, 0, buf_str(&json));
	struct alert alert = rig_alert(&rig, "r", "h", RIG_NOW, 1);
	struct alert_event events[2] = {
	    {line.at, {0, 0, 0}, RIG_NOW, STR("b")}, {object.at, {0, 1, 0}, RIG_NOW + 1, STR("b")}};

	alert.events = events;
	alert.event_count = 2;
	rig_publish(&rig, &alert);
	rig_settle(&rig);
	assert_int_equal(
	    query_evidence(rig.query, alert.id, rig.arena, &evidence, &count, NULL), 0);
	assert_int_equal(count, 2);
	assert_true(str_eq(evidence[0].event.raw, STR("a bare line")));
	assert_true(str_eq(evidence[1].event.raw, STR("as json")));
	assert_int_equal(coordinate_compare(evidence[1].event.at, object.at), 0);
	buf_free(&json);
	rig_close(&rig);
}

/* More is wanted than one step fetches, and the day ends in between: all of it is kept. */
static void test_evidence_goes_on_in_the_next_file(void **state)
{
	struct query_filter filter = rig_filter();
	struct query_evidence *evidence;
	struct query_alert found[100];
	struct alert_event events[16];
	struct rig rig;
	size_t count;

	(void)state;
	rig_open(&rig, 1, 1, 1);
	rig_store_open(&rig);
	publish_frame(&rig, 0, 16);
	for (uint32_t i = 0; i < 16; i++)
		events[i] =
		    (struct alert_event){{0xc0ffee, 1, i}, {0, 0, i}, RIG_NOW + i, STR("b")};
	for (uint64_t i = 0; i < 100; i++) {
		struct alert alert = rig_alert(&rig, "r", "h", RIG_NOW, i);

		alert.events = events;
		alert.event_count = 16;
		rig_publish(&rig, &alert);
	}
	assert_int_equal(store_step(rig.store, rig.now_ns, 0, NULL), 100);
	assert_in_range(rig_stats(&rig).evidence_kept, 1, 1599);
	rig_store_close(&rig);
	rig.now_ns += 86400 * RIG_S;
	rig_store_open(&rig);
	rig_settle(&rig);
	assert_int_equal(rig_stats(&rig).files, 2);
	assert_int_equal(rig_list(&rig, &filter, found, 100), 100);
	for (size_t i = 0; i < 100; i++) {
		assert_int_equal(found[i].evidence_kept, 16);
		assert_int_equal(query_evidence(rig.query, found[i].alert.id, rig.arena, &evidence,
				     &count, NULL),
		    0);
		assert_int_equal(count, 16);
	}
	rig_close(&rig);
}

/* Another bus behind the same folder: its offsets begin anew, and what is known is a repeat. */
static void test_another_bus_is_read_from_its_beginning(void **state)
{
	struct bus_options other = {.backend = "memory",
	    .partitions = {1, 1, 1},
	    .path = "the other bus of test_store",
	    .memory_durable = true};
	struct query_filter filter = rig_filter();
	struct query_alert found[30];
	struct rig rig;

	(void)state;
	rig_open(&rig, 1, 1, 1);
	for (int round = 0; round < 2; round++) {
		rig_store_open(&rig);
		for (uint64_t i = 0; i < (round == 0 ? 10u : 20u); i++) {
			struct alert alert = rig_alert(&rig, "r", "h", RIG_NOW + (int64_t)i, i);

			rig_publish(&rig, &alert);
		}
		rig_settle(&rig);
		assert_int_equal(rig_stats(&rig).repeats, round == 0 ? 0 : 10);
		rig_store_close(&rig);
		if (round == 0) {
			bus_close(rig.bus);
			assert_int_equal(bus_open(&rig.bus, &other, NULL), 0);
			rig.options.bus = rig.bus;
		}
	}
	assert_int_equal(rig_list(&rig, &filter, found, 30), 20);
	/* the same bus again: nothing is read twice */
	rig_store_open(&rig);
	rig_settle(&rig);
	assert_int_equal(rig_stats(&rig).repeats, 0);
	rig_close(&rig);
}

/* What the bus had dropped before it was read is told. */
/* The same bus, but its log is empty and shorter than the position: told as a gap, and read on. */
static void test_a_log_made_anew_is_read_from_its_beginning(void **state)
{
	struct bus_options anew = {.backend = "memory", .partitions = {1, 1, 1}};
	struct query_filter filter = rig_filter();
	struct query_alert found[30];
	struct rig rig;

	(void)state;
	rig_open(&rig, 1, 1, 1);
	for (uint64_t round = 0; round < 2; round++) {
		rig_store_open(&rig);
		for (uint64_t i = 0; i < 10 - 5 * round; i++) {
			struct alert alert = rig_alert(
			    &rig, "r", "h", RIG_NOW + (int64_t)i, 100 * round + i);

			rig_publish(&rig, &alert);
		}
		rig_settle(&rig);
		assert_int_equal(rig_stats(&rig).gaps, round);
		assert_int_equal(rig_stats(&rig).repeats, 0);
		assert_int_equal(rig_stats(&rig).stale, 0);
		rig_store_close(&rig);
		if (round == 0) {
			bus_close(rig.bus);
			assert_int_equal(bus_open(&rig.bus, &anew, NULL), 0);
			rig.options.bus = rig.bus;
		}
	}
	assert_int_equal(rig_list(&rig, &filter, found, 30), 15);
	rig_store_open(&rig);
	rig_settle(&rig);
	assert_int_equal(rig_stats(&rig).gaps, 0);
	rig_close(&rig);
}

static void test_gap_is_recorded(void **state)
{
	struct bus_options small = {
	    .backend = "memory", .partitions = {1, 1, 1}, .retain_bytes = 4096};
	struct query_filter filter = rig_filter();
	static struct query_alert found[100];
	struct rig rig;

	(void)state;
	rig_open(&rig, 1, 1, 1);
	bus_close(rig.bus);
	assert_int_equal(bus_open(&rig.bus, &small, NULL), 0);
	rig.options.bus = rig.bus;
	rig_store_open(&rig);
	struct alert first = rig_alert(&rig, "r", "h", RIG_NOW, 1000);

	rig_publish(&rig, &first);
	rig_settle(&rig);
	for (uint64_t i = 0; i < 60; i++) {
		struct alert alert = rig_alert(&rig, "r", "h", RIG_NOW + (int64_t)i, i);

		rig_publish(&rig, &alert);
	}
	rig_settle(&rig);
	assert_int_equal(rig_stats(&rig).gaps, 1);
	assert_in_range(rig_list(&rig, &filter, found, 100), 2, 59);
	rig_close(&rig);
}

static void test_damaged_and_unknown_records_are_counted(void **state)
{
	struct rig rig;
	struct buf value = BUF(4096);
	struct detection detection = {.correlation = STR("c"), .rule = STR("r")};

	(void)state;
	opened(&rig, 1);
	rig_publish_raw(&rig, TOPIC_ALERTS, 0, STR("not json"));
	rig_publish_raw(&rig, TOPIC_ALERTS, 0, STR("{\"schema\":\"other/9\"}"));
	rig_publish_raw(&rig, TOPIC_ALERTS, 0, STR(""));
	detection_write(&value, &detection);
	rig_publish_raw(&rig, TOPIC_ALERTS, 0, buf_str(&value));
	value.ptr[value.len - 1] ^= 1;
	value.ptr[value.len / 2] ^= 1;
	rig_publish_raw(&rig, TOPIC_ALERTS, 0, buf_str(&value));
	rig_settle(&rig);
	assert_int_equal(rig_stats(&rig).damaged + rig_stats(&rig).unknown, 5);
	assert_int_equal(rig_stats(&rig).alerts, 0);
	buf_free(&value);
	rig_close(&rig);
}

static void test_other_site_key_is_refused(void **state)
{
	struct error error = {0};
	struct store *other;
	struct rig rig;

	(void)state;
	opened(&rig, 1);
	rig_store_close(&rig);
	rig.options.site.k0++;
	assert_int_equal(store_open(&other, &rig.options, rig.now_ns, &error), ERR_FOREIGN);
	assert_true(error.text[0] != '\0');
	rig_close(&rig);
}

static void test_many_facets(void **state)
{
	struct query_filter filter = rig_filter();
	struct query_alert found[2];
	static const struct str addresses[] = {{"192.0.2.1", 9}, {"192.0.2.2", 9},
	    {"2001:db8::1", 11}, {"2001:db8::2", 11}, {"198.51.100.1", 12}, {"198.51.100.2", 12},
	    {"203.0.113.1", 11}, {"203.0.113.2", 11}};
	static char host[60000];
	struct rig rig;

	(void)state;
	opened(&rig, 1);
	memset(host, 'H', sizeof(host) - 1);
	struct alert alert = rig_alert(&rig, "r", host, RIG_NOW, 1);
	struct str list[8];

	memcpy(list, addresses, sizeof(list));
	alert.addresses = list;
	alert.address_count = 8;
	rig_publish(&rig, &alert);
	rig_settle(&rig);
	for (size_t i = 0; i < 8; i++) {
		filter.addresses[0] = addresses[i];
		filter.address_count = 1;
		assert_int_equal(rig_list(&rig, &filter, found, 2), 1);
	}
	filter.hosts[0] = str_of(host);
	filter.host_count = 1;
	assert_int_equal(rig_list(&rig, &filter, found, 2), 1);
	rig_close(&rig);
}

static void test_generation_grows(void **state)
{
	uint64_t before, after;
	struct rig rig;

	(void)state;
	rig_open(&rig, 1, 1, 1);
	assert_int_equal(query_generation(rig.query, &before, NULL), 0);
	assert_int_equal(before, 0);
	rig_store_open(&rig);
	rig_settle(&rig);
	assert_int_equal(query_generation(rig.query, &before, NULL), 0);
	struct alert alert = rig_alert(&rig, "r", "h", RIG_NOW, 1);

	rig_publish(&rig, &alert);
	rig_settle(&rig);
	assert_int_equal(query_generation(rig.query, &after, NULL), 0);
	assert_true(after > before);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_alert_is_stored_and_found),
	    cmocka_unit_test(test_repeat_is_counted_not_stored),
	    cmocka_unit_test(test_early_becomes_settled),
	    cmocka_unit_test(test_settled_replaces_early),
	    cmocka_unit_test(test_settled_replaces_several),
	    cmocka_unit_test(test_what_was_replaced_may_settle_itself),
	    cmocka_unit_test(test_settled_tells_what_made_it),
	    cmocka_unit_test(test_matches_fold_into_the_first),
	    cmocka_unit_test(test_older_match_takes_over),
	    cmocka_unit_test(test_evidence_is_kept),
	    cmocka_unit_test(test_evidence_of_folded_is_shown_with_the_head),
	    cmocka_unit_test(test_evidence_of_foreign_records),
	    cmocka_unit_test(test_evidence_goes_on_in_the_next_file),
	    cmocka_unit_test(test_another_bus_is_read_from_its_beginning),
	    cmocka_unit_test(test_a_log_made_anew_is_read_from_its_beginning),
	    cmocka_unit_test(test_gap_is_recorded),
	    cmocka_unit_test(test_damaged_and_unknown_records_are_counted),
	    cmocka_unit_test(test_other_site_key_is_refused),
	    cmocka_unit_test(test_many_facets),
	    cmocka_unit_test(test_generation_grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
