/*
 * Correlations that are decided when time has passed: against a plain reading of their definition,
 * the same whatever the way, bounded, and back from a death.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "event/frame.h"
#include "rules.h"
#include "town.h"

#define TIMED(id, type, rules, condition)                                                          \
	CORRELATION_RULE(id, type, rules, "[src_ip]", "20s", "    condition: " condition "\n")

static const char all_rules[] = BASES
    TIMED("few", "event_count", "[failed]", "{lt: 4}")
    TIMED("odd", "event_count", "[failed, accepted]", "{gt: 1, lte: 9, neq: 5}")
    TIMED("same", "value_count", "[failed]", "{field: User, eq: 2}")
    TIMED("much", "value_sum", "[failed]", "{field: bytes, gte: 20}")
    TIMED("little", "value_sum", "[failed]", "{field: bytes, lt: 10}")
    TIMED("mean", "value_avg", "[failed]", "{field: bytes, gt: 3}")
    TIMED("middle", "value_median", "[failed]", "{field: bytes, gte: 3.5}")
    TIMED("high", "value_percentile", "[failed]", "{field: bytes, percentile: 90, lt: 6.5}")
    TIMED("lonely", "temporal", "[scanned, accepted]", "scanned and not accepted")
    TIMED("unanswered", "temporal_ordered", "[scanned, accepted]", "scanned and not accepted")
    TIMED("pair", "temporal", "[failed, scanned, accepted]", "failed and scanned and not accepted")
    TIMED("either", "temporal", "[failed, scanned, accepted]", "scanned and (failed or accepted)")
    TIMED("steps2", "temporal_ordered", "[scanned, failed, accepted]", "{gte: 2}")
    TIMED("clean", "temporal_ordered", "[scanned, failed, accepted]",
	"scanned and not failed and accepted")
    TIMED("one", "temporal", "[scanned, accepted]", "{eq: 1}");

/* Correlations over correlations that are decided at their end, and one under several. */
static const char chained_rules[] = BASES
    CORRELATION_RULE("brute", "event_count", "[failed]", "[src_ip, User]", "20s",
	"    condition: {gte: 2}\n")
    CORRELATION_RULE("calm", "event_count", "[brute]", "[src_ip]", "40s",
	"    condition: {lt: 3}\n    generate: true\n")
    CORRELATION_RULE("spread", "value_count", "[brute]", "[User]", "40s",
	"    condition: {field: src_ip, gte: 2}\n    generate: true\n")
    CORRELATION_RULE("gone", "temporal_ordered", "[scanned, brute]", "[src_ip]", "30s",
	"    condition: scanned and not brute\n    generate: true\n")
    CORRELATION_RULE("calms", "event_count", "[calm, gone]", "[src_ip]", "2m",
	"    condition: {gte: 2}\n    generate: true\n")
    CORRELATION_RULE("then", "temporal_ordered", "[gone, accepted]", "[src_ip]", "50s", "");

#define SPAN   (20 * SECOND)
#define SENT   400u
#define ALERTS 1024u

enum act { FAILED, ACCEPTED, SCANNED, ACTS };

struct sent {
	uint64_t counter, place;
	int64_t at_ns;
	enum act act;
	unsigned ip, user;
	int bytes;
	char host[16];
	char body[160];
};

static void traffic(struct sent *list, unsigned seed)
{
	static const char *const acts[ACTS] = {"fail", "ok", "scan"};

	srand(seed);
	for (unsigned i = 0; i < SENT; i++) {
		struct sent *one = &list[i];

		*one = (struct sent){.counter = i, .place = i,
		    .at_ns = TOWN_START + (i * 2 + rand() % 6) * (SECOND / 2),
		    .act = (enum act)(rand() % 5 < 3 ? FAILED : 1 + rand() % 2),
		    .ip = (unsigned)rand() % 6, .user = (unsigned)rand() % 3,
		    .bytes = rand() % 13 - 3};
		snprintf(one->host, sizeof(one->host), "web%02d", rand() % 5);
		snprintf(one->body, sizeof(one->body),
		    "{\"act\":\"%s\",\"src_ip\":\"192.0.2.%u\",\"User\":\"u%u\",\"bytes\":%d}",
		    acts[one->act], one->ip, one->user, one->bytes);
	}
}

static int place_compare(const void *left, const void *right)
{
	const struct sent *a = left, *b = right;

	return a->place < b->place ? -1 : a->place > b->place;
}

/* Nothing comes more than 23 s after what it should have come before; the bound is 30 s. */
static void shuffle(struct sent *list)
{
	for (unsigned i = 0; i < SENT; i++)
		list[i].place = (list[i].counter + (unsigned)rand() % 20) * SENT +
		    (unsigned)rand() % SENT;
	qsort(list, SENT, sizeof(*list), place_compare);
}

static void unshuffle(struct sent *list)
{
	for (unsigned i = 0; i < SENT; i++)
		list[i].place = list[i].counter;
	qsort(list, SENT, sizeof(*list), place_compare);
}

static uint64_t previous_of(const struct sent *list, const struct sent *one, uint32_t partitions)
{
	uint64_t previous = FRAME_NO_COUNT;

	for (unsigned i = 0; i < SENT; i++)
		if (list[i].counter < one->counter &&
		    (previous == FRAME_NO_COUNT || list[i].counter > previous) &&
		    bus_partition_of(str_of(list[i].host), partitions) ==
		    bus_partition_of(str_of(one->host), partitions))
			previous = list[i].counter;
	return previous;
}

/* deaths: all workers die after each so many events. */
static void play(struct town *town, const struct town_options *options, const struct sent *list,
    unsigned deaths)
{
	town_open(town, options);
	for (unsigned i = 0; i < SENT; i++) {
		uint32_t partition = bus_partition_of(str_of(list[i].host), town->options.events);

		town->previous[partition] = previous_of(list, &list[i], town->options.events);
		town_send_as(town, list[i].counter, partition, list[i].host, list[i].at_ns,
		    list[i].at_ns, list[i].body);
		if (options->replay == NULL && i % 7 == 0)
			town_run(town);
		for (unsigned w = 0; deaths > 0 && i % deaths == 0 &&
		     w < town->options.workers; w++)
			town_crash(town, w);
	}
	if (options->replay != NULL)
		town_finish(town);
	else
		town_settle(town);
	town_collect(town);
	assert_int_equal(town_stats(town).late, 0);
	assert_int_equal(town_unsettled(town), 0);
}

/* ---- against the definition ---- */

/* What an alert is known by. */
struct told {
	char text[96];
};

struct expected {
	const struct sent *list; /* of the traffic, in order of (time, counter) */
	struct told told[ALERTS];
	size_t count;
};

static int sent_compare(const void *left, const void *right)
{
	const struct sent *a = left, *b = right;

	if (a->at_ns != b->at_ns)
		return a->at_ns < b->at_ns ? -1 : 1;
	return a->counter < b->counter ? -1 : 1;
}

static void told_put(struct told *told, const char *rule, unsigned ip, int64_t at_ns,
    uint64_t count)
{
	snprintf(told->text, sizeof(told->text), "%s 192.0.2.%u %lld %llu", rule, ip,
	    (long long)((at_ns - TOWN_START) / 1000000), (unsigned long long)count);
}

static void expect(struct expected *expected, const char *rule, const struct sent *last,
    uint64_t count)
{
	assert_true(expected->count < ALERTS);
	told_put(&expected->told[expected->count++], rule, last->ip, last->at_ns, count);
}

static int int_compare(const void *left, const void *right)
{
	return *(const int *)left - *(const int *)right;
}

/* Events of a window, and what they come to; twenty times the value, so that all are whole. */
struct window_sum {
	unsigned count, users;
	int sum, bytes[SENT];
};

static void closing_window(struct expected *expected, const struct window_sum *failed,
    unsigned with_accepted, const struct sent *last_failed, const struct sent *last)
{
	unsigned n = failed->count, at = (n - 1) * 18;
	int sorted[SENT];

	if (last != NULL && with_accepted > 1 && with_accepted <= 9 && with_accepted != 5)
		expect(expected, "odd", last, with_accepted);
	if (last_failed == NULL)
		return;
	memcpy(sorted, failed->bytes, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), int_compare);
	if (n < 4)
		expect(expected, "few", last_failed, n);
	if (__builtin_popcount(failed->users) == 2)
		expect(expected, "same", last_failed, n);
	if (failed->sum < 10)
		expect(expected, "little", last_failed, n);
	if (failed->sum > 3 * (int)n)
		expect(expected, "mean", last_failed, n);
	if (10 * (sorted[(n - 1) / 2] + sorted[n / 2]) >= 70)
		expect(expected, "middle", last_failed, n);
	int high = sorted[at / 20] * (20 - (int)(at % 20)) +
	    (at % 20 > 0 ? sorted[at / 20 + 1] * (int)(at % 20) : 0);

	if (high < 130)
		expect(expected, "high", last_failed, n);
}

/* Windows of the failures, and of failures and successes, each opened by its own first event. */
static void closing_windows(struct expected *expected, unsigned ip, bool both)
{
	const struct sent *list = expected->list;

	for (unsigned i = 0; i < SENT;) {
		struct window_sum sum = {0};
		const struct sent *last = NULL;
		unsigned k = i;

		if (list[i].ip != ip || list[i].act == SCANNED ||
		    (!both && list[i].act == ACCEPTED)) {
			i++;
			continue;
		}
		for (; k < SENT && list[k].at_ns <= list[i].at_ns + SPAN; k++) {
			if (list[k].ip != ip || list[k].act == SCANNED ||
			    (!both && list[k].act == ACCEPTED))
				continue;
			sum.users |= 1u << list[k].user;
			sum.sum += list[k].bytes;
			sum.bytes[sum.count++] = list[k].bytes;
			last = &list[k];
		}
		closing_window(expected, &sum, both ? sum.count : 0, both ? NULL : last,
		    both ? last : NULL);
		i = k;
	}
}

static void sliding_sum(struct expected *expected, unsigned ip)
{
	const struct sent *list = expected->list;
	unsigned from = 0;

	for (unsigned i = 0; i < SENT; i++) {
		int sum = 0;
		unsigned count = 0;

		if (list[i].ip != ip || list[i].act != FAILED)
			continue;
		for (unsigned k = from; k <= i; k++) {
			if (list[k].ip != ip || list[k].act != FAILED ||
			    list[k].at_ns < list[i].at_ns - SPAN)
				continue;
			sum += list[k].bytes;
			count++;
		}
		if (sum < 20)
			continue;
		expect(expected, "much", &list[i], count);
		from = i + 1;
	}
}

/* Whether such an event lies between the two moments, and in order behind or before an event. */
static bool happens(const struct expected *expected, unsigned ip, enum act act, int64_t from_ns,
    int64_t to_ns, const struct sent *behind)
{
	for (unsigned i = 0; i < SENT; i++) {
		const struct sent *one = &expected->list[i];

		if (one->ip == ip && one->act == act && one->at_ns >= from_ns &&
		    one->at_ns <= to_ns && (behind == NULL || one > behind))
			return true;
	}
	return false;
}

static void absences(struct expected *expected, unsigned ip)
{
	const struct sent *list = expected->list;

	for (unsigned i = 0; i < SENT; i++) {
		const struct sent *one = &list[i];

		if (one->ip != ip)
			continue;
		if (one->act == SCANNED && !happens(expected, ip, ACCEPTED, one->at_ns - SPAN,
		    one->at_ns + SPAN, NULL)) {
			expect(expected, "lonely", one, 1);
			expect(expected, "one", one, 1);
		}
		if (one->act == ACCEPTED && !happens(expected, ip, SCANNED, one->at_ns - SPAN,
		    one->at_ns + SPAN, NULL))
			expect(expected, "one", one, 1);
		if (one->act == SCANNED &&
		    !happens(expected, ip, ACCEPTED, one->at_ns, one->at_ns + SPAN, one))
			expect(expected, "unanswered", one, 1);
	}
}

/* The last of each kind that no pair has taken; a pair without a success around it waits. */
static void pairs(struct expected *expected, unsigned ip)
{
	const struct sent *last[ACTS] = {NULL};

	for (unsigned i = 0; i < SENT; i++) {
		const struct sent *one = &expected->list[i];

		if (one->ip != ip || one->act == ACCEPTED)
			continue;
		last[one->act] = one;
		const struct sent *other = last[one->act == FAILED ? SCANNED : FAILED];

		if (other == NULL || other->at_ns < one->at_ns - SPAN ||
		    happens(expected, ip, ACCEPTED, one->at_ns - SPAN, one->at_ns, NULL))
			continue;
		/* The same moment, but behind: happens() above has it. */
		last[FAILED] = last[SCANNED] = NULL;
		if (!happens(expected, ip, ACCEPTED, one->at_ns - SPAN, other->at_ns + SPAN, NULL))
			expect(expected, "pair", one, 2);
	}
}

/* A scan, then a success, the latest scan that no failure has come behind. */
static void cleans(struct expected *expected, unsigned ip)
{
	const struct sent *scan = NULL;

	for (unsigned i = 0; i < SENT; i++) {
		const struct sent *one = &expected->list[i];

		if (one->ip != ip)
			continue;
		if (one->act == SCANNED)
			scan = one;
		else if (one->act == FAILED)
			scan = NULL;
		else if (scan != NULL && scan->at_ns >= one->at_ns - SPAN) {
			expect(expected, "clean", one, 2);
			scan = NULL;
		}
	}
}

static int told_compare(const void *left, const void *right)
{
	return strcmp(((const struct told *)left)->text, ((const struct told *)right)->text);
}

static const char *const modelled[] = {"few", "odd", "same", "much", "little", "mean", "middle",
    "high", "lonely", "one", "unanswered", "pair", "clean"};

static size_t told_of(const struct town *town, struct told *told)
{
	size_t count = 0;

	for (size_t i = 0; i < town->alert_count; i++) {
		const struct town_alert *alert = &town->alerts[i];
		char rule[32], group[32];
		bool is_modelled = false;

		snprintf(rule, sizeof(rule), "%.*s", STR_ARG(alert->rule));
		snprintf(group, sizeof(group), "%.*s", STR_ARG(alert->group));
		for (size_t k = 0; k < sizeof(modelled) / sizeof(*modelled); k++)
			is_modelled |= strcmp(rule, modelled[k]) == 0;
		if (!is_modelled || alert->status != ALERT_SETTLED)
			continue;
		assert_true(count < ALERTS);
		told_put(&told[count++], rule, (unsigned)atoi(strrchr(group, '.') + 1),
		    alert->time_ns, alert->count);
	}
	return count;
}

static void test_as_defined(void **state)
{
	struct sent *list = calloc(SENT, sizeof(*list)), *sorted = calloc(SENT, sizeof(*list));
	struct expected *expected = calloc(1, sizeof(*expected));
	struct told *told = calloc(ALERTS, sizeof(*told));

	(void)state;
	for (unsigned seed = 1; seed <= 6; seed++) {
		struct town town;

		traffic(list, seed);
		memcpy(sorted, list, SENT * sizeof(*list));
		qsort(sorted, SENT, sizeof(*sorted), sent_compare);
		*expected = (struct expected){.list = sorted};
		for (unsigned ip = 0; ip < 6; ip++) {
			closing_windows(expected, ip, false);
			closing_windows(expected, ip, true);
			sliding_sum(expected, ip);
			absences(expected, ip);
			pairs(expected, ip);
			cleans(expected, ip);
		}
		shuffle(list);
		play(&town, &(struct town_options){.rules = all_rules}, list, 0);
		size_t count = told_of(&town, told);

		qsort(told, count, sizeof(*told), told_compare);
		qsort(expected->told, expected->count, sizeof(*told), told_compare);
		for (size_t i = 0; i < count && i < expected->count; i++)
			assert_string_equal(told[i].text, expected->told[i].text);
		assert_int_equal(count, expected->count);
		assert_true(count > 150);
		for (size_t i = 0; i < sizeof(modelled) / sizeof(*modelled); i++)
			assert_true(town_count(&town, modelled[i], ALERT_SETTLED) > 0);
		town_close(&town);
	}
	free(list);
	free(sorted);
	free(expected);
	free(told);
}

/* ---- the same whatever the way ---- */

static uint64_t played(const struct town_options *options, const struct sent *list,
    unsigned deaths, size_t *ret_count)
{
	struct town town;

	play(&town, options, list, deaths);
	uint64_t hash = town_settled(&town, ret_count);

	town_close(&town);
	return hash;
}

static void equal_sets(const char *rules, unsigned seed, size_t least)
{
	struct sent *list = calloc(SENT, sizeof(*list));
	struct town_options options = {.rules = rules, .events = 4, .detections = 4, .workers = 1};
	size_t count, again;

	traffic(list, seed);
	uint64_t hash = played(&options, list, 0, &count);

	assert_true(count >= least);
	for (unsigned workers = 1; workers <= 4; workers *= 2) {
		options.workers = workers;
		options.detections = workers + 1;
		shuffle(list);
		assert_int_equal(played(&options, list, 0, &again), hash);
		assert_int_equal(played(&options, list, 61, &again), hash);
		assert_int_equal(again, count);
	}
	options.replay = "again";
	unshuffle(list);
	assert_int_equal(played(&options, list, 0, &again), hash);
	free(list);
}

static void test_equal_sets(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 2; seed++) {
		equal_sets(all_rules, seed, 200);
		equal_sets(chained_rules, seed, 25);
	}
}

/* Other rules in the middle of what waits: what has not changed goes on, the rest begins anew. */
static void test_other_rules_in_between(void **state)
{
	static const char before[] = BASES TIMED("few", "event_count", "[failed]", "{lt: 4}")
	    TIMED("unanswered", "temporal_ordered", "[failed, accepted]",
		"failed and not accepted");
	static const char after[] = BASES TIMED("few", "event_count", "[failed]", "{lt: 3}")
	    TIMED("one", "temporal", "[scanned, accepted]", "{eq: 1}")
	    TIMED("unanswered", "temporal_ordered", "[failed, accepted]",
		"failed and not accepted");
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = before, .events = 1, .detections = 1});
	town_send(&town, "web01", TOWN_START, FAIL("192.0.2.1", "an"));
	town_run(&town);
	town.now_ns = TOWN_START + 35 * SECOND; /* fed to what settles, and not decided */
	town_tick(&town);
	town_run(&town);
	town.now_ns += 10 * SECOND;
	town_tick(&town);
	town_run(&town);
	assert_int_equal(town_stats(&town).groups, 2);
	town_crash(&town, 0);
	town.options.rules = after;
	town_start(&town, 0);
	town_run(&town);
	assert_int_equal(town_stats(&town).groups, 1);
	assert_int_equal(town_stats(&town).state_dropped, 1);
	town_settle(&town);
	assert_int_equal(town_count(&town, "unanswered", ALERT_SETTLED), 1);
	assert_int_equal(town_count(&town, "few", ALERT_SETTLED), 0);
	town_close(&town);
}

/* ---- bounds ---- */

static void send_number(struct town *town, int64_t at_ns, int64_t bytes)
{
	char body[128];

	snprintf(body, sizeof(body), "{\"act\":\"fail\",\"src_ip\":\"192.0.2.1\",\"bytes\":%lld}",
	    (long long)bytes);
	town_send(town, "web01", at_ns, body);
}

/* A window whose values are kept is over with the last that it has room for. */
static void test_full_windows(void **state)
{
	static const char rules[] = BASES TIMED("middle", "value_median", "[failed]",
	    "{field: bytes, gte: 0}") TIMED("much", "value_sum", "[failed]",
	    "{field: bytes, gte: 65537}");
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = rules, .events = 1, .detections = 1,
	    .batch = 4096, .pending_max = 1 << 20});
	for (unsigned i = 0; i < 65536 + 10; i++) {
		send_number(&town, TOWN_START + i, 1);
		if (i % 4096 == 0)
			town_run(&town);
	}
	town_settle(&town);
	assert_int_equal(town_count(&town, "middle", ALERT_SETTLED), 2);
	assert_int_equal(town_count(&town, "much", ALERT_SETTLED), 0);
	assert_int_equal(town_stats(&town).cut, 10);
	assert_int_equal(town_stats(&town).groups, 0);
	for (size_t i = 0; i < town.alert_count; i++)
		assert_true(town.alerts[i].count == 65536 || town.alerts[i].count == 10);
	town_close(&town);
}

static void test_groups_are_bounded_and_counted(void **state)
{
	static const char rules[] = BASES TIMED("few", "event_count", "[failed]", "{lt: 4}")
	    TIMED("unanswered", "temporal_ordered", "[failed, accepted]",
		"failed and not accepted");
	struct town town;
	char body[128];

	(void)state;
	town_open(&town, &(struct town_options){.rules = rules, .events = 1, .detections = 1,
	    .groups_max = 49});
	for (unsigned i = 0; i < 500; i++) {
		snprintf(body, sizeof(body), FAIL("10.0.%u.%u", "an"), i >> 8, i & 255);
		town_send(&town, "web01", TOWN_START + i, body);
	}
	town_run(&town);
	town.now_ns = TOWN_START + 40 * SECOND;
	town_tick(&town);
	town_run(&town);
	assert_true(town_stats(&town).groups <= 50);
	assert_int_equal(town_stats(&town).evicted, 2 * 500 - 50);
	town_settle(&town);
	/* 25 of each are left, and told. */
	assert_int_equal(town_count(&town, "few", ALERT_SETTLED), 25);
	assert_int_equal(town_count(&town, "unanswered", ALERT_SETTLED), 25);
	town_close(&town);
}

static void fail_from(struct town *town, unsigned address, int64_t at_ns, unsigned times)
{
	char body[128];

	for (unsigned i = 0; i < times; i++) {
		snprintf(body, sizeof(body),
		    "{\"act\":\"fail\",\"src_ip\":\"192.0.2.%u\",\"bytes\":%u}", address, i);
		town_send(town, "web01", at_ns + i * 1000, body);
	}
	town_run(town);
}

/* What was touched longest ago goes first; and groups that hold much go sooner. */
static void test_which_group_goes(void **state)
{
	static const char few[] = BASES TIMED("few", "event_count", "[failed]", "{lt: 4}");
	static const char middle[] =
	    BASES TIMED("middle", "value_median", "[failed]", "{field: bytes, gte: 0}");
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = few, .events = 1, .detections = 1,
	    .groups_max = 1});
	fail_from(&town, 1, TOWN_START, 1);
	fail_from(&town, 2, TOWN_START + SECOND, 1);
	fail_from(&town, 1, TOWN_START + 2 * SECOND, 1);
	fail_from(&town, 3, TOWN_START + 3 * SECOND, 1);
	town_settle(&town);
	assert_int_equal(town_stats(&town).evicted, 1);
	assert_int_equal(town_count_group(&town, "few", "192.0.2.1", ALERT_SETTLED), 1);
	assert_int_equal(town_count_group(&town, "few", "192.0.2.2", ALERT_SETTLED), 0);
	assert_int_equal(town_count_group(&town, "few", "192.0.2.3", ALERT_SETTLED), 1);
	town_close(&town);

	town_open(&town, &(struct town_options){.rules = middle, .events = 1, .detections = 1,
	    .groups_max = 64});
	fail_from(&town, 1, TOWN_START, 100);
	fail_from(&town, 2, TOWN_START + SECOND, 3000);
	town_settle(&town);
	assert_int_equal(town_stats(&town).evicted, 1);
	assert_int_equal(town_count(&town, "middle", ALERT_SETTLED), 1);
	assert_int_equal(town_count_group(&town, "middle", "192.0.2.2", ALERT_SETTLED), 1);
	town_close(&town);
}

/* 5,000 sources in turn, each twice: all of them, once each. */
static void test_sources_taking_turns(void **state)
{
	static const char rules[] = BASES TIMED("few", "event_count", "[failed]", "{eq: 2}")
	    CORRELATION_RULE("unanswered", "temporal_ordered", "[failed, accepted]", "[src_ip]",
		"2s", "    condition: failed and not accepted\n");
	struct town town;
	char body[128];

	(void)state;
	town_open(&town, &(struct town_options){.rules = rules, .workers = 2});
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(body, sizeof(body), FAIL("10.0.%u.%u", "an"), i % 5000 >> 8,
		    i % 5000 & 255);
		town_send(&town, i & 1 ? "web01" : "web02", TOWN_START + i * (SECOND / 1000), body);
		if (i % 500 == 0)
			town_run(&town);
	}
	town_settle(&town);
	assert_int_equal(town_count(&town, "few", ALERT_SETTLED), 5000);
	assert_int_equal(town_count(&town, "unanswered", ALERT_SETTLED), 10000);
	assert_int_equal(town_stats(&town).groups, 0);
	town_close(&town);
}

/* An alert's events are those of the alerts behind it, those that are no longer named too. */
static void test_evidence_of_inner_alerts(void **state)
{
	static const char rules[] = BASES
	    CORRELATION_RULE("brute", "event_count", "[failed]", "[src_ip]", "20s",
		"    condition: {gte: 70}\n")
	    TIMED("seldom", "event_count", "[brute]", "{lte: 2}");
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = rules, .events = 1, .detections = 1});
	fail_from(&town, 1, TOWN_START, 140);
	town_settle(&town);
	assert_int_equal(town_count(&town, "seldom", ALERT_SETTLED), 1);
	for (size_t i = 0; i < town.alert_count; i++)
		assert_int_equal(town.alerts[i].count, 140);
	town_close(&town);
}

/* One address that starts without end: what has no room is counted, the rest is told. */
static void test_candidates_are_bounded_and_counted(void **state)
{
	static const char rules[] = BASES TIMED("unanswered", "temporal_ordered",
	    "[failed, accepted]", "failed and not accepted");
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = rules, .events = 1, .detections = 1});
	for (unsigned i = 0; i < 4096 + 7; i++)
		town_send(&town, "web01", TOWN_START + i, FAIL("192.0.2.1", "an"));
	town_settle(&town);
	assert_int_equal(town_stats(&town).cut, 7);
	assert_int_equal(town_count(&town, "unanswered", ALERT_SETTLED), 4096);
	town_close(&town);
	/* One scan, and failures without end behind it: they wait for one end. */
	town_open(&town, &(struct town_options){.rules = all_rules, .events = 1, .detections = 1});
	town_send(&town, "web01", TOWN_START, SCAN("192.0.2.1"));
	for (unsigned i = 0; i < 4096 + 7; i++)
		town_send(&town, "web01", TOWN_START + SECOND + i, FAIL("192.0.2.1", "an"));
	town_settle(&town);
	assert_int_equal(town_stats(&town).cut, 0);
	assert_int_equal(town_count(&town, "pair", ALERT_SETTLED), 1);
	town_close(&town);
}

static void test_what_is_no_number_is_counted(void **state)
{
	static const char rules[] = BASES TIMED("much", "value_sum", "[failed]",
	    "{field: bytes, gte: 3}");
	static const char *const values[] = {"1", "\"2\"", "\"many\"", "null", "\"1e30\"", "true",
	    "\"0x10\""};
	struct town town;
	char body[128];

	(void)state;
	town_open(&town, &(struct town_options){.rules = rules, .events = 1, .detections = 1});
	for (unsigned i = 0; i < sizeof(values) / sizeof(*values); i++) {
		snprintf(body, sizeof(body),
		    "{\"act\":\"fail\",\"src_ip\":\"192.0.2.1\",\"bytes\":%s}", values[i]);
		town_send(&town, "web01", TOWN_START + i * SECOND, body);
	}
	town_settle(&town);
	assert_int_equal(town_stats(&town).numberless, 5);
	assert_int_equal(town_count(&town, "much", ALERT_SETTLED), 1);
	assert_int_equal(town_stats(&town).alerts_closed, 1);
	town_close(&town);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_as_defined),
	    cmocka_unit_test(test_equal_sets),
	    cmocka_unit_test(test_other_rules_in_between),
	    cmocka_unit_test(test_full_windows),
	    cmocka_unit_test(test_groups_are_bounded_and_counted),
	    cmocka_unit_test(test_sources_taking_turns),
	    cmocka_unit_test(test_which_group_goes),
	    cmocka_unit_test(test_evidence_of_inner_alerts),
	    cmocka_unit_test(test_candidates_are_bounded_and_counted),
	    cmocka_unit_test(test_what_is_no_number_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
