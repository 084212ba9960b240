/*
 * Workers that die, hang or are told nothing: what is settled stays the same, and nothing is lost
 * or told under a second id.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rules.h"
#include "town.h"

/* The last ones wait for the time: a window, a sum, what must not follow, and a chain over it. */
static const char all_rules[] = BASES BRUTE SPRAY TOGETHER BREAKIN STEPS
    CORRELATION_RULE("few", "event_count", "[failed]", "[src_ip]", "10s",
	"    condition: {lt: 4}\n")
    CORRELATION_RULE("middle", "value_median", "[failed]", "[src_ip]", "10s",
	"    condition: {field: n, gte: 1}\n")
    CORRELATION_RULE("much", "value_sum", "[failed]", "[src_ip]", "10s",
	"    condition: {field: n, gte: 5}\n")
    CORRELATION_RULE("unanswered", "temporal_ordered", "[scanned, accepted]", "[src_ip]", "10s",
	"    condition: scanned and not accepted\n")
    CORRELATION_RULE("later", "temporal_ordered", "[unanswered, failed]", "[src_ip]", "30s",
	"    generate: true\n")
    "---\n" BASE_RULE("logged", "'*'");

#define EVENTS 60

static void send_all(struct town *town, bool run_between)
{
	static const char *const acts[] = {"fail", "fail", "scan", "fail", "fail", "fail", "ok"};
	char host[16], body[128];

	for (int i = 0; i < EVENTS; i++) {
		snprintf(host, sizeof(host), "web%02d", i % 3);
		snprintf(body, sizeof(body),
		    "{\"act\":\"%s\",\"src_ip\":\"192.0.2.%d\",\"User\":\"u%d\",\"n\":%d}",
		    acts[i / 2 % 7], i % 2, i % 5, i % 5);
		town_send(town, host, TOWN_START + i * 2 * SECOND, body);
		town->now_ns = TOWN_START + i * 2 * SECOND;
		if (run_between && i % 5 == 0)
			town_run(town);
	}
	town_settle(town);
}

struct result {
	uint64_t hash;
	size_t count, plain;
};

static struct result result_of(struct town *town)
{
	struct result ret;

	ret.hash = town_settled(town, &ret.count);
	ret.plain = town_count(town, "logged", ALERT_SETTLED);
	assert_int_equal(town_unsettled(town), 0);
	return ret;
}

static struct result undisturbed(void)
{
	struct town town;

	town_open(&town, &(struct town_options){.rules = all_rules});
	send_all(&town, true);
	struct result ret = result_of(&town);

	static const char *const waiting[] = {"few", "middle", "much", "unanswered", "later"};

	assert_int_equal(ret.plain, EVENTS);
	assert_true(ret.count > EVENTS + 5);
	for (unsigned i = 0; i < 5; i++)
		assert_true(town_count(&town, waiting[i], ALERT_SETTLED) > 0);
	town_close(&town);
	return ret;
}

/* ---- every call of the bus fails once, and the worker dies of it ---- */

struct plan {
	uint64_t at, calls;
	enum fault fault;
	const char *only; /* NULL: any call */
};

static enum fault plan_once(void *context, const char *call, uint64_t number)
{
	struct plan *plan = context;

	(void)number;
	if (plan->only != NULL && strcmp(plan->only, call) != 0)
		return FAULT_NONE;
	return plan->calls++ == plan->at ? plan->fault : FAULT_NONE;
}

static void test_death_at_every_call(void **state)
{
	struct result expected = undisturbed();
	uint64_t step = 1;

	(void)state;
	for (uint64_t at = 0;; at += step) {
		struct plan plan = {.at = at, .fault = FAULT_ERROR};
		struct town town;

		town_open(&town, &(struct town_options){.rules = all_rules, .plan = plan_once,
		    .plan_context = &plan, .batch = 16});
		send_all(&town, true);
		struct result ret = result_of(&town);

		assert_int_equal(ret.hash, expected.hash);
		assert_int_equal(ret.count, expected.count);
		town_close(&town);
		if (plan.calls <= at)
			break;
		step = at > 100 ? 7 : 1;
	}
}

static void test_receipts_lost_and_records_lost(void **state)
{
	static const enum fault faults[] = {FAULT_LOSE_RECEIPT, FAULT_LOSE_RECORD, FAULT_REPEAT,
	    FAULT_BUSY};
	struct result expected = undisturbed();
	uint64_t resent = 0, repeats = 0;

	(void)state;
	for (unsigned f = 0; f < 4; f++) {
		for (uint64_t at = 0; at < 60; at += 3) {
			struct plan plan = {.at = at, .fault = faults[f], .only = "publish"};
			struct town town;

			town_open(&town, &(struct town_options){.rules = all_rules,
			    .plan = plan_once, .plan_context = &plan});
			send_all(&town, true);
			struct result ret = result_of(&town);
			struct worker_stats stats = town_stats(&town);

			assert_int_equal(ret.hash, expected.hash);
			resent += stats.resent;
			repeats += stats.detection_repeats;
			town_close(&town);
		}
	}
	assert_true(resent > 0);
	assert_true(repeats > 0);
}

/* A tick comes with the events: no one may hear of it before all that they made is on the bus. */
static void test_progress_waits_for_what_comes_before(void **state)
{
	static const enum fault faults[] = {FAULT_LOSE_RECORD, FAULT_BUSY};

	(void)state;
	for (unsigned f = 0; f < 2; f++) {
		for (uint64_t at = 0; at < 12; at++) {
			struct plan plan = {.at = at, .fault = faults[f], .only = "publish"};
			struct town town;

			town_open(&town, &(struct town_options){.rules = BASES BRUTE,
			    .plan = plan_once, .plan_context = &plan});
			for (int i = 0; i < 5; i++)
				town_send(&town, "web01", TOWN_START + i * SECOND,
				    FAIL("192.0.2.1", "an"));
			town.now_ns = TOWN_START + 200 * SECOND;
			town_tick(&town);
			town_settle(&town);
			assert_int_equal(town_stats(&town).late, 0);
			assert_int_equal(town_count(&town, "brute", ALERT_SETTLED), 1);
			assert_int_equal(town_unsettled(&town), 0);
			town_close(&town);
		}
	}
}

static enum fault plan_often(void *context, const char *call, uint64_t number)
{
	unsigned *seed = context;

	(void)number;
	*seed = *seed * 1103515245u + 12345u;
	if (*seed >> 16 & 63)
		return FAULT_NONE;
	if (strcmp(call, "publish") == 0)
		return (enum fault)(FAULT_BUSY + (*seed >> 22) % 4);
	return strcmp(call, "reader_open") == 0 ? FAULT_NONE : FAULT_ERROR;
}

static void test_everything_fails_often(void **state)
{
	struct result expected = undisturbed();

	(void)state;
	for (unsigned seed = 1; seed <= 20; seed++) {
		unsigned context = seed;
		struct town town;

		town_open(&town, &(struct town_options){.rules = all_rules, .plan = plan_often,
		    .plan_context = &context, .workers = 1 + seed % 2, .batch = 8});
		send_all(&town, true);
		struct result ret = result_of(&town);

		assert_int_equal(ret.hash, expected.hash);
		assert_int_equal(ret.count, expected.count);
		town_close(&town);
	}
}

/* ---- zombies ---- */

static void test_zombie_is_fenced(void **state)
{
	struct result expected = undisturbed();
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = all_rules, .batch = 4});
	/* A second worker that believes to own the same partitions. */
	town_start(&town, 1);
	assert_non_null(town.workers[1]);
	town_crash(&town, 1);
	town.options.workers = 1;
	for (unsigned i = 1; i < 3; i++) {
		struct town twin = town;

		town_start(&twin, 0);
		town.workers[i] = twin.workers[0];
		town.buses[i] = twin.buses[0];
	}
	send_all(&town, true);
	struct result ret = result_of(&town);
	struct worker_stats stats = town_stats(&town);

	assert_int_equal(ret.hash, expected.hash);
	assert_int_equal(ret.count, expected.count);
	assert_true(stats.stale > 0);
	for (size_t i = 0; i < town.alert_count; i++)
		assert_true(town.alerts[i].told >= 1);
	town_close(&town);
}

/* ---- the state across deaths ---- */

static void test_death_in_mid_window(void **state)
{
	(void)state;
	for (int64_t snapshot = 1; snapshot <= 1000; snapshot *= 1000) {
		for (int at = 1; at < 6; at++) {
			struct town town;

			town_open(&town, &(struct town_options){.rules = BASES BRUTE BREAKIN,
			    .snapshot_ns = snapshot * SECOND});
			for (int i = 0; i < 6; i++) {
				if (i == at) {
					town_run(&town);
					town_crash(&town, 0);
				}
				town_send(&town, "web01", TOWN_START + i * SECOND,
				    i < 5 ? FAIL("192.0.2.1", "an") : OK("192.0.2.1"));
			}
			town_settle(&town);
			assert_int_equal(town_count(&town, "breakin", ALERT_SETTLED), 1);
			assert_int_equal(town_unsettled(&town), 0);
			town_close(&town);
		}
	}
}

/* Ticks only: an alert that was shown before the death is settled after it, once. */
static void test_death_between_early_and_settled(void **state)
{
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = BASES BRUTE});
	for (int i = 0; i < 5; i++)
		town_send(&town, "web01", TOWN_START + i * SECOND, FAIL("192.0.2.1", "an"));
	town_run(&town);
	assert_int_equal(town_count(&town, "brute", ALERT_EARLY), 1);
	town_crash(&town, 0);
	town_settle(&town);
	assert_int_equal(town_count(&town, "brute", ALERT_SETTLED), 1);
	assert_int_equal(town.alert_count, 1);
	assert_int_equal(town.alerts[0].told, 2);
	town_close(&town);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_death_at_every_call),
	    cmocka_unit_test(test_receipts_lost_and_records_lost),
	    cmocka_unit_test(test_progress_waits_for_what_comes_before),
	    cmocka_unit_test(test_everything_fails_often),
	    cmocka_unit_test(test_zombie_is_fenced),
	    cmocka_unit_test(test_death_in_mid_window),
	    cmocka_unit_test(test_death_between_early_and_settled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
