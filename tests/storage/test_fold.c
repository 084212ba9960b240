/*
 * The settled alerts are a function of the set of matches: compared with a naive model over random
 * orders of arrival within the lateness bound, batch sizes, partitions, restarts and day files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "rig.h"
#include "storage/fold.h"

#define MATCHES	 240
#define ENTITIES 4
#define LATENESS 30
#define WINDOW	 (round_window)

/* seconds; a short one gives more heads than an entity remembers */
static int64_t round_window;

enum kind { PLAIN, CONFIRMED, REPLACED, ORPHAN, LATE_SETTLED };

struct match {
	enum kind kind;
	unsigned entity;
	int64_t time_ns;
	uint64_t weight;
	struct alert alert; /* what settles; for an orphan the early one */
	struct alert early;
	int64_t arrives, arrives_early;
	bool sent, sent_early;
};

static const char *const hosts[ENTITIES] = {"a.example", "b.example", "c.example", "d.example"};

static void match_make(struct rig *rig, struct match *match, uint64_t counter, uint64_t *seed)
{
	int64_t second = rig_random(seed) % 200;
	bool plain;

	match->kind = (enum kind)(rig_random(seed) % 5);
	match->entity = rig_random(seed) % ENTITIES;
	match->time_ns = RIG_NOW + second * RIG_S;
	match->weight = 1 + rig_random(seed) % 5;
	plain = match->kind == PLAIN;
	match->alert = rig_alert(
	    rig, plain ? "plain" : "corr", hosts[match->entity], match->time_ns, counter * 2);
	match->alert.count = match->weight;
	match->alert.first_ns = match->time_ns - rig_random(seed) % 1000;
	if (!plain)
		match->alert.rule.kind = STR("event_count");
	match->early = match->alert;
	match->early.status = ALERT_EARLY;
	if (match->kind == REPLACED) {
		match->early.time_ns += 1 + rig_random(seed) % 5 * RIG_S;
		match->early.at.counter++;
		match->early.id = alert_make_id(rig->options.site, &match->early);
		match->alert.replaces = match->early.id;
	}
	match->arrives = second + rig_random(seed) % LATENESS;
	match->arrives_early = match->kind == REPLACED ? second + rig_random(seed) % LATENESS
						       : second + rig_random(seed) % 10;
}

/* ---- the model: every entity by itself, in order ---- */

struct expected {
	struct hash128 id;
	uint64_t count, folded;
	int64_t first_ns, last_ns, start_ns;
	bool early;
};

static int by_order(const void *a, const void *b)
{
	const struct match *x = *(const struct match *const *)a,
			   *y = *(const struct match *const *)b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return coordinate_compare(x->alert.at, y->alert.at);
}

static size_t model(const struct match *matches, struct expected *ret)
{
	const struct match *order[MATCHES];
	struct expected *open[ENTITIES][2] = {{NULL}};
	size_t count = 0;

	for (size_t i = 0; i < MATCHES; i++)
		order[i] = &matches[i];
	qsort(order, MATCHES, sizeof(*order), by_order);
	for (size_t i = 0; i < MATCHES; i++) {
		const struct match *match = order[i];
		struct expected **head = &open[match->entity][match->kind == PLAIN];
		bool orphan = match->kind == ORPHAN;

		if (!orphan && *head != NULL &&
		    match->time_ns < (*head)->start_ns + WINDOW * RIG_S) {
			(*head)->count += match->weight;
			(*head)->folded++;
			if (match->alert.first_ns < (*head)->first_ns)
				(*head)->first_ns = match->alert.first_ns;
			if (match->alert.last_ns > (*head)->last_ns)
				(*head)->last_ns = match->alert.last_ns;
			continue;
		}
		ret[count] = (struct expected){match->alert.id, match->weight, 1,
		    match->alert.first_ns, match->alert.last_ns, match->time_ns, orphan};
		if (!orphan)
			*head = &ret[count];
		count++;
	}
	return count;
}

/* ---- one run ---- */

static void send_due(struct rig *rig, struct match *matches, int64_t second, uint64_t *seed)
{
	size_t from = rig_random(seed) % MATCHES;

	for (size_t n = 0; n < MATCHES; n++) {
		struct match *match = &matches[(from + n) % MATCHES];
		bool has_early = match->kind != PLAIN && match->kind != LATE_SETTLED;

		if (has_early && !match->sent_early && match->arrives_early <= second) {
			rig_publish(rig, &match->early);
			match->sent_early = true;
		}
		if (match->kind != ORPHAN && !match->sent && match->arrives <= second) {
			rig_publish(rig, &match->alert);
			match->sent = true;
			if (rig_random(seed) % 8 == 0)
				rig_publish(rig, &match->alert); /* a repeat */
		}
	}
}

static void disturb(struct rig *rig, uint64_t *seed)
{
	switch (rig_random(seed) % 24) {
	case 0:
		rig_store_close(rig);
		rig->options.batch = 1 + rig_random(seed) % 60;
		rig_store_open(rig);
		break;
	case 1:
		rig->now_ns += 86400 * RIG_S; /* the next day file */
		break;
	case 2:
	case 3:
	case 4:
	case 5:
	case 6:
		(void)store_step(rig->store, rig->now_ns, 0, NULL);
		break;
	default:
		break;
	}
}

static void run(struct rig *rig, struct match *matches, uint64_t *seed)
{
	for (int64_t second = 0; second < 260; second++) {
		send_due(rig, matches, second, seed);
		if (rig_random(seed) % 3 == 0 && second >= LATENESS) {
			rig_progress(rig, TOPIC_EVENTS, RIG_NOW + (second - LATENESS) * RIG_S);
			rig_progress(rig, TOPIC_DETECTIONS, RIG_NOW + (second - LATENESS) * RIG_S);
		}
		disturb(rig, seed);
	}
	rig_progress(rig, TOPIC_EVENTS, INT64_MAX);
	rig_progress(rig, TOPIC_DETECTIONS, INT64_MAX);
	rig_settle(rig);
}

static const struct query_alert *find(
    const struct query_alert *found, size_t count, struct hash128 id)
{
	for (size_t i = 0; i < count; i++)
		if (hash128_eq(found[i].alert.id, id))
			return &found[i];
	return NULL;
}

static void compare(struct rig *rig, const struct match *matches)
{
	static struct query_alert found[2 * MATCHES];
	static struct expected expected[MATCHES];
	struct query_filter filter = rig_filter();
	size_t count = rig_list(rig, &filter, found, 2 * MATCHES),
	       wanted = model(matches, expected);

	for (size_t i = 0; i < wanted; i++) {
		const struct query_alert *alert = find(found, count, expected[i].id);

		if (alert == NULL)
			fail_msg("the head at %+ld s is not listed",
			    (expected[i].start_ns - RIG_NOW) / RIG_S);
		assert_int_equal(alert->folded, expected[i].folded);
		assert_int_equal(alert->alert.count, expected[i].count);
		assert_int_equal(alert->alert.first_ns, expected[i].first_ns);
		assert_int_equal(alert->alert.last_ns, expected[i].last_ns);
		assert_int_equal(alert->alert.status == ALERT_EARLY, expected[i].early);
	}
	assert_int_equal(count, wanted);
}

static void test_random_against_model(void **state)
{
	(void)state;
	for (uint64_t round = 0; round < 6; round++) {
		static struct match matches[MATCHES];
		uint64_t seed = round * 77 + 5;

		round_window = round % 3 == 0 ? 3 : 20;
		struct rig rig;

		rig_open(&rig, (uint32_t)(1 + round % 3), (uint32_t)(1 + round % 2),
		    (uint32_t)(1 + round % 4));
		rig.options.fold_default_ns = WINDOW * RIG_S;
		rig.options.batch = 1 + rig_random(&seed) % 50;
		rig_store_open(&rig);
		memset(matches, 0, sizeof(matches));
		for (uint64_t i = 0; i < MATCHES; i++)
			match_make(&rig, &matches[i], i, &seed);
		run(&rig, matches, &seed);
		compare(&rig, matches);
		rig_close(&rig);
	}
}

/* Nothing settles while a partition of the source has not been heard of. */
static void test_unheard_partition_holds_back(void **state)
{
	struct progress one = {
	    .topic = TOPIC_EVENTS, .partition = 0, .partitions = 2, .time_ns = INT64_MAX};
	struct buf value = BUF(4096);
	struct rig rig;

	(void)state;
	rig_open(&rig, 2, 1, 1);
	rig.options.fold_default_ns = 60 * RIG_S;
	rig_store_open(&rig);
	struct alert first = rig_alert(&rig, "r", "h", RIG_NOW, 1);
	struct alert second = rig_alert(&rig, "r", "h", RIG_NOW + 1, 2);

	rig_publish(&rig, &first);
	rig_publish(&rig, &second);
	progress_write(&value, &one, 1);
	rig_publish_raw(&rig, TOPIC_ALERTS, 0, buf_str(&value));
	rig_settle(&rig);
	assert_int_equal(rig_stats(&rig).folded, 0);
	/* an idle one does not hold it back */
	one.partition = 1;
	one.time_ns = INT64_MIN;
	one.idle = true;
	buf_clear(&value);
	progress_write(&value, &one, 1);
	rig_publish_raw(&rig, TOPIC_ALERTS, 0, buf_str(&value));
	rig_settle(&rig);
	assert_int_equal(rig_stats(&rig).folded, 1);
	buf_free(&value);
	rig_close(&rig);
}

static void test_entities_do_not_mix(void **state)
{
	struct query_filter filter = rig_filter();
	struct query_alert found[16];
	struct rig rig;

	(void)state;
	rig_open(&rig, 1, 1, 1);
	rig.options.fold_default_ns = 60 * RIG_S;
	rig_store_open(&rig);
	for (uint64_t i = 0; i < 8; i++) {
		struct alert alert = rig_alert(
		    &rig, i & 1 ? "r1" : "r2", i & 2 ? "x" : "y", RIG_NOW + (int64_t)i, i);

		if (i & 4)
			alert.replay = STR("hunt");
		rig_publish(&rig, &alert);
	}
	rig_progress(&rig, TOPIC_EVENTS, INT64_MAX);
	rig_settle(&rig);
	assert_int_equal(rig_list(&rig, &filter, found, 16), 4);
	filter.replay = STR("hunt");
	assert_int_equal(rig_list(&rig, &filter, found, 16), 4);
	filter.replay = STR("other");
	assert_int_equal(rig_list(&rig, &filter, found, 16), 0);
	rig_close(&rig);
}

static void test_zero_window_never_folds(void **state)
{
	struct query_filter filter = rig_filter();
	struct query_alert found[4];
	struct rig rig;

	(void)state;
	rig_open(&rig, 1, 1, 1);
	rig_store_open(&rig);
	for (uint64_t i = 0; i < 3; i++) {
		struct alert alert = rig_alert(&rig, "r", "h", RIG_NOW, i);

		rig_publish(&rig, &alert);
	}
	rig_settle(&rig);
	assert_int_equal(rig_list(&rig, &filter, found, 4), 3);
	rig_close(&rig);
}

/*
 * A stranger who makes one entity match without end: counted, and no more rows than the ceiling.
 */
static void test_flood_of_one_entity_is_bounded(void **state)
{
	const uint64_t flood = FOLD_PENDING_MAX + 500;
	struct query_filter filter = rig_filter();
	struct query_alert found[4];
	struct rig rig;

	(void)state;
	rig_open(&rig, 1, 1, 1);
	rig.options.fold_default_ns = 3600 * RIG_S;
	rig.options.batch = 10000;
	rig.options.evidence_events = 0;
	rig_store_open(&rig);
	for (uint64_t i = 0; i < flood; i++) {
		struct alert alert = rig_alert(&rig, "r", "h", RIG_NOW + (int64_t)i, i);

		rig_publish(&rig, &alert);
		if (i % 1000 == 0)
			arena_reset(rig.arena);
	}
	rig_settle(&rig);
	assert_int_equal(rig_stats(&rig).alerts, FOLD_PENDING_MAX);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(rig_list(&rig, &filter, found, 4), 1);
		assert_int_equal(found[0].folded, flood);
		assert_int_equal(found[0].alert.count, flood);
		assert_int_equal(found[0].alert.last_ns, RIG_NOW + (int64_t)flood - 1);
		rig_progress(&rig, TOPIC_EVENTS, INT64_MAX);
		rig_settle(&rig);
	}
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random_against_model),
	    cmocka_unit_test(test_unheard_partition_holds_back),
	    cmocka_unit_test(test_entities_do_not_mix),
	    cmocka_unit_test(test_zero_window_never_folds),
	    cmocka_unit_test(test_flood_of_one_entity_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
