/*
 * Suppression: what is counted on which alert, compared with a naive model over orders of arrival,
 * partitions, restarts and day files; and that no key mutes another.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rig.h"
#include "storage/fold.h"

#define MATCHES	 200
#define KEYS	 3
#define RULES	 2
#define LATENESS 20
#define FOR_S	 INT64_C(25)

static const char *const rules[RULES] = {"a", "b"};
/* "": the event lacks the field */
static const char *const users[KEYS] = {"root", "admin", ""};

struct match {
	unsigned rule, key;
	int64_t time_ns, arrives;
	struct alert alert;
	bool sent;
};

static struct alert_pair pairs[KEYS][2];

static struct alert alert_of(struct rig *rig, unsigned rule, unsigned key, const char *host,
    int64_t time_ns, uint64_t counter)
{
	struct alert alert = rig_alert(rig, rules[rule], host, time_ns, counter);

	pairs[key][0] = (struct alert_pair){STR("User"), str_of(users[key])};
	alert.suppress_ns = FOR_S * RIG_S;
	alert.suppress = pairs[key];
	alert.suppress_count = users[key][0] != '\0';
	alert.fold_ns = -1;
	return alert;
}

static int by_order(const void *a, const void *b)
{
	const struct match *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return coordinate_compare(x->alert.at, y->alert.at);
}

struct expected {
	struct hash128 id;
	uint64_t suppressed;
	int64_t last_ns, time_ns;
	struct coordinate first; /* of those that are counted on it */
};

static size_t model(const struct match *matches, struct expected *ret)
{
	struct match order[MATCHES];
	struct expected *open[RULES][KEYS] = {{NULL}};
	size_t count = 0;

	memcpy(order, matches, sizeof(order));
	qsort(order, MATCHES, sizeof(*order), by_order);
	for (size_t i = 0; i < MATCHES; i++) {
		struct expected **head = &open[order[i].rule][order[i].key];

		/* From the first, never from the last: a flood must not mute a rule for ever. */
		if (*head != NULL && order[i].time_ns < (*head)->time_ns + FOR_S * RIG_S) {
			if ((*head)->suppressed++ == 0)
				(*head)->first = order[i].alert.at;
			(*head)->last_ns = order[i].time_ns;
			continue;
		}
		ret[count] = (struct expected){
		    order[i].alert.id, 0, order[i].time_ns, order[i].time_ns, {0}};
		*head = &ret[count++];
	}
	return count;
}

static void run(struct rig *rig, struct match *matches, uint64_t *seed)
{
	for (int64_t second = 0; second < 200; second++) {
		size_t from = rig_random(seed) % MATCHES;

		for (size_t n = 0; n < MATCHES; n++) {
			struct match *match = &matches[(from + n) % MATCHES];

			if (match->sent || match->arrives > second)
				continue;
			rig_publish(rig, &match->alert);
			match->sent = true;
			if (rig_random(seed) % 8 == 0)
				rig_publish(rig, &match->alert); /* a repeat */
		}
		if (second >= LATENESS)
			rig_progress(rig, TOPIC_EVENTS, RIG_NOW + (second - LATENESS) * RIG_S);
		switch (rig_random(seed) % 16) {
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
			(void)store_step(rig->store, rig->now_ns, 0, NULL);
			break;
		default:
			break;
		}
	}
	rig_progress(rig, TOPIC_EVENTS, INT64_MAX);
	rig_settle(rig);
}

static void assert_first(struct rig *rig, const struct expected *expected)
{
	struct query_match matches[FOLD_SAMPLE];
	size_t count = 0;

	assert_int_equal(
	    query_matches(rig->query, expected->id, matches, FOLD_SAMPLE, &count, NULL), 0);
	assert_int_equal(
	    count, expected->suppressed < FOLD_SAMPLE ? expected->suppressed : FOLD_SAMPLE);
	if (expected->suppressed > 0 && expected->suppressed < FOLD_SAMPLE)
		assert_int_equal(coordinate_compare(matches[0].at, expected->first), 0);
}

static void compare(struct rig *rig, const struct match *matches)
{
	static struct query_alert found[2 * MATCHES];
	static struct expected expected[MATCHES];
	struct query_filter filter = rig_filter();
	size_t count = rig_list(rig, &filter, found, 2 * MATCHES);
	size_t wanted = model(matches, expected);

	assert_int_equal(count, wanted);
	for (size_t i = 0; i < wanted; i++) {
		size_t at = 0;

		while (at < count && !hash128_eq(found[at].alert.id, expected[i].id))
			at++;
		assert_true(at < count);
		assert_int_equal(found[at].suppressed, expected[i].suppressed);
		assert_int_equal(found[at].alert.last_ns, expected[i].last_ns);
		assert_first(rig, &expected[i]);
	}
}

static void test_random_against_model(void **state)
{
	(void)state;
	for (uint64_t round = 0; round < 4; round++) {
		static struct match matches[MATCHES];
		uint64_t seed = round * 131 + 9;
		struct rig rig;

		rig_open(&rig, (uint32_t)(1 + round % 3), 1, (uint32_t)(1 + round % 4));
		rig.options.fold_default_ns = 3600 * RIG_S;
		/* which matches they were is told without room for their events too */
		if (round % 2 == 1)
			rig.options.evidence_events = 0;
		rig.options.batch = 1 + rig_random(&seed) % 50;
		rig_store_open(&rig);
		memset(matches, 0, sizeof(matches));
		for (uint64_t i = 0; i < MATCHES; i++) {
			struct match *match = &matches[i];
			int64_t second = rig_random(&seed) % 150;

			match->rule = rig_random(&seed) % RULES;
			match->key = rig_random(&seed) % KEYS;
			match->time_ns = RIG_NOW + second * RIG_S;
			match->arrives = second + rig_random(&seed) % LATENESS;
			/* the entity changes with each: it is not what suppression goes by */
			match->alert = alert_of(&rig, match->rule, match->key,
			    i % 2 ? "x.example" : "y.example", match->time_ns, i);
		}
		run(&rig, matches, &seed);
		compare(&rig, matches);
		assert_int_equal(rig_stats(&rig).folded, 0);
		rig_close(&rig);
	}
}

/* C8: rule against rule, key against key, and an absent field is a key of its own. */
static void test_nothing_mutes_another(void **state)
{
	struct query_filter filter = rig_filter();
	struct query_alert found[32];
	struct rig rig;

	(void)state;
	rig_open(&rig, 1, 1, 1);
	rig_store_open(&rig);
	for (uint64_t round = 0; round < 3; round++) {
		for (unsigned rule = 0; rule < RULES; rule++) {
			for (unsigned key = 0; key < KEYS; key++) {
				struct alert alert = alert_of(&rig, rule, key, "h",
				    RIG_NOW + (int64_t)round, round * 100 + rule * 10 + key);

				rig_publish(&rig, &alert);
			}
		}
	}
	rig_progress(&rig, TOPIC_EVENTS, INT64_MAX);
	rig_settle(&rig);
	assert_int_equal(rig_list(&rig, &filter, found, 32), RULES * KEYS);
	for (size_t i = 0; i < RULES * KEYS; i++)
		assert_int_equal(found[i].suppressed, 2);
	assert_int_equal(rig_stats(&rig).suppressed, 2 * RULES * KEYS);
	rig_close(&rig);
}

/* An empty value is there; a field that is absent is not; and another field is another key. */
static void test_empty_is_not_absent(void **state)
{
	static struct alert_pair empty[1] = {{{"User", 4}, {"", 0}}};
	static struct alert_pair other[1] = {{{"Group", 5}, {"", 0}}};
	struct query_filter filter = rig_filter();
	struct query_alert found[8];
	struct rig rig;

	(void)state;
	rig_open(&rig, 1, 1, 1);
	rig_store_open(&rig);
	for (uint64_t i = 0; i < 6; i++) {
		struct alert alert = alert_of(&rig, 0, 2, "h", RIG_NOW + (int64_t)i, i);

		if (i % 3 != 0) {
			alert.suppress = i % 3 == 1 ? empty : other;
			alert.suppress_count = 1;
		}
		rig_publish(&rig, &alert);
	}
	rig_progress(&rig, TOPIC_EVENTS, INT64_MAX);
	rig_settle(&rig);
	assert_int_equal(rig_list(&rig, &filter, found, 8), 3);
	rig_close(&rig);
}

/* An attacker who never stops is told again with each window, from its first match on. */
static void test_window_is_from_the_first(void **state)
{
	struct query_filter filter = rig_filter();
	struct query_alert found[8];
	struct rig rig;

	(void)state;
	rig_open(&rig, 1, 1, 1);
	rig_store_open(&rig);
	for (uint64_t i = 0; i < 60; i++) {
		struct alert alert =
		    alert_of(&rig, 0, 0, "h", RIG_NOW + (int64_t)i * RIG_S, i);

		rig_publish(&rig, &alert);
		rig_progress(&rig, TOPIC_EVENTS, RIG_NOW + (int64_t)i * RIG_S);
		rig_settle(&rig);
	}
	assert_int_equal(rig_list(&rig, &filter, found, 8), 3);
	assert_int_equal(found[2].suppressed, FOR_S - 1);
	assert_int_equal(found[1].suppressed, FOR_S - 1);
	assert_int_equal(found[1].alert.time_ns, RIG_NOW + FOR_S * RIG_S);
	assert_int_equal(found[0].suppressed, 60 - 2 * FOR_S - 1);
	rig_close(&rig);
}

/* The alert that matches would be counted on is gone: the next match is an alert, not nothing. */
static void test_retention_leaves_no_ghost(void **state)
{
	struct query_filter filter = rig_filter();
	struct query_alert found[8];
	struct rig rig;

	(void)state;
	rig_open(&rig, 1, 1, 1);
	rig.options.retain_ns = 2 * 86400 * RIG_S;
	rig_store_open(&rig);
	for (uint64_t day = 0; day < 8; day++) {
		struct alert alert =
		    alert_of(&rig, 0, 0, "h", RIG_NOW + (int64_t)day * 86400 * RIG_S, day);

		alert.suppress_ns = 30 * 86400 * RIG_S;
		rig.now_ns = alert.time_ns;
		rig_publish(&rig, &alert);
		rig_progress(&rig, TOPIC_EVENTS, alert.time_ns);
		rig_settle(&rig);
	}
	size_t count = rig_list(&rig, &filter, found, 8);

	assert_true(count > 0);
	assert_true(found[count - 1].alert.time_ns > RIG_NOW);
	assert_true(found[0].alert.last_ns == RIG_NOW + 7 * 86400 * RIG_S);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random_against_model),
	    cmocka_unit_test(test_nothing_mutes_another),
	    cmocka_unit_test(test_empty_is_not_absent),
	    cmocka_unit_test(test_window_is_from_the_first),
	    cmocka_unit_test(test_retention_leaves_no_ghost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
