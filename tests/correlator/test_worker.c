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

static const char all_rules[] = BASES BRUTE SPRAY TOGETHER BREAKIN STEPS;

static void test_plain_rule(void **state)
{
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = BASE_RULE("failed", "fail")});
	town_send(&town, "web01", TOWN_START, FAIL("192.0.2.1", "an"));
	town_send(&town, "web01", TOWN_START, OK("192.0.2.1"));
	town_send(&town, "web02", TOWN_START, FAIL("192.0.2.1", "an"));
	town_run(&town);
	assert_int_equal(town_stats(&town).events, 3);
	assert_int_equal(town_count(&town, "failed", ALERT_SETTLED), 2);
	assert_int_equal(town_count_group(&town, "failed", "web01,an,192.0.2.1", ALERT_SETTLED), 1);
	town_close(&town);
}

static void test_early_then_settled(void **state)
{
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = all_rules});
	for (int i = 0; i < 5; i++)
		town_send(&town, "web01", TOWN_START + i * SECOND, FAIL("192.0.2.1", "an"));
	town_run(&town);
	assert_int_equal(town_count(&town, "failed", ALERT_SETTLED), 0); /* only feeds others */
	assert_int_equal(town_count(&town, "brute", ALERT_EARLY), 0);    /* breakin refers to it */
	town_send(&town, "web01", TOWN_START + 6 * SECOND, OK("192.0.2.1"));
	town_run(&town);
	assert_int_equal(town_count(&town, "breakin", ALERT_EARLY), 1);
	assert_int_equal(town_count(&town, "breakin", ALERT_SETTLED), 0);
	town_settle(&town);
	assert_int_equal(town_count(&town, "breakin", ALERT_EARLY), 0);
	assert_int_equal(town_count_group(&town, "breakin", "192.0.2.1", ALERT_SETTLED), 1);
	assert_int_equal(town.alerts[0].count, 6);
	assert_int_equal(town_unsettled(&town), 0);
	town_close(&town);
}

static void test_sources_taking_turns(void **state)
{
	const unsigned sizes[] = {1, 10, 10000};
	char body[128];

	(void)state;
	for (unsigned s = 0; s < 3; s++) {
		struct town town;

		town_open(&town, &(struct town_options){.rules = BASES BRUTE, .batch = 512});
		for (unsigned i = 0; i < 7; i++) {
			for (unsigned n = 0; n < sizes[s]; n++) {
				snprintf(body, sizeof(body), FAIL("10.%u.%u.%u", "an"), n >> 16,
				    n >> 8 & 255, n & 255);
				town_send(&town, "web01", TOWN_START + i * SECOND, body);
			}
			town_run(&town);
		}
		town_settle(&town);
		struct worker_stats stats = town_stats(&town);

		assert_int_equal(stats.alerts_early, sizes[s]);
		assert_int_equal(stats.alerts_settled, sizes[s]);
		assert_int_equal(stats.alerts_replaced, 0);
		assert_int_equal(stats.evicted, 0);
		assert_int_equal(stats.late, 0);
		town_close(&town);
	}
}

/* A flood from one address: each fifth is an alert, and each settles itself. */
static void test_many_alerts_of_one_group(void **state)
{
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = BASES BRUTE, .batch = 512});
	for (unsigned i = 0; i < 2000; i++) {
		town_send(&town, "web01", TOWN_START + i * (SECOND / 50), FAIL("192.0.2.1", "an"));
		if (i == 1700)
			town_run(&town);
	}
	town_settle(&town);
	struct worker_stats stats = town_stats(&town);

	assert_int_equal(stats.alerts_early, 400);
	assert_int_equal(stats.alerts_settled, 400);
	assert_int_equal(stats.alerts_replaced, 0);
	assert_int_equal(town_unsettled(&town), 0);
	town_close(&town);
}

/* ---- the same set whatever the way ---- */

struct sent {
	uint64_t counter, place;
	int64_t at_ns;
	char host[16];
	char body[128];
};

#define SENT 400

static void traffic(struct sent *list, unsigned seed)
{
	static const char *const acts[] = {"fail", "fail", "fail", "ok", "scan"};

	srand(seed);
	for (unsigned i = 0; i < SENT; i++) {
		list[i].counter = i;
		list[i].at_ns = TOWN_START + i * SECOND / 2 + rand() % 3 * (SECOND / 2);
		snprintf(list[i].host, sizeof(list[i].host), "web%02d", rand() % 5);
		snprintf(list[i].body, sizeof(list[i].body),
		    "{\"act\":\"%s\",\"src_ip\":\"192.0.2.%d\",\"User\":\"u%d\"}", acts[rand() % 5],
		    rand() % 6, rand() % 4);
	}
}

static int place_compare(const void *left, const void *right)
{
	const struct sent *a = left, *b = right;

	return a->place < b->place ? -1 : a->place > b->place;
}

/*
 * Nothing comes more than 10 s after what it should have come before; the lateness bound is 30
 * s.
 */
static void shuffle(struct sent *list)
{
	for (unsigned i = 0; i < SENT; i++)
		list[i].place =
		    (list[i].counter + (unsigned)rand() % 20) * SENT + (unsigned)rand() % SENT;
	qsort(list, SENT, sizeof(*list), place_compare);
}

/* The counter that went to the same partition before, when they were sent in turn. */
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

static uint64_t settled_of(struct town_options options, const struct sent *list, size_t *ret_count,
    struct worker_stats *ret_stats)
{
	struct town town;

	town_open(&town, &options);
	for (unsigned i = 0; i < SENT; i++) {
		uint32_t partition = bus_partition_of(str_of(list[i].host), town.options.events);

		town.previous[partition] = previous_of(list, &list[i], town.options.events);
		town_send_as(&town, list[i].counter, partition, list[i].host, list[i].at_ns,
		    list[i].at_ns, list[i].body);
		if (i % 7 == 0 || options.plan != NULL)
			town_run(&town);
	}
	town_settle(&town);
	uint64_t hash = town_settled(&town, ret_count);

	*ret_stats = town_stats(&town);
	assert_int_equal(town_unsettled(&town), 0);
	town_close(&town);
	return hash;
}

static void test_equal_sets(void **state)
{
	struct sent *list = calloc(SENT, sizeof(*list));

	(void)state;
	for (unsigned seed = 1; seed <= 4; seed++) {
		struct town_options options = {.rules = all_rules, .events = 4, .detections = 4,
		    .workers = 1};
		struct worker_stats stats;
		size_t count, again;

		traffic(list, seed);
		uint64_t hash = settled_of(options, list, &count, &stats);

		assert_true(count > 20);
		assert_int_equal(stats.late, 0);
		for (unsigned workers = 1; workers <= 4; workers *= 2) {
			options.workers = workers;
			options.detections = workers + 1;
			shuffle(list);
			assert_int_equal(settled_of(options, list, &again, &stats), hash);
			assert_int_equal(stats.late, 0);
			assert_int_equal(again, count);
		}
	}
	free(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_plain_rule),
	    cmocka_unit_test(test_early_then_settled),
	    cmocka_unit_test(test_sources_taking_turns),
	    cmocka_unit_test(test_many_alerts_of_one_group),
	    cmocka_unit_test(test_equal_sets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
