/*
 * Other rules while a worker runs: windows of unchanged rules go on, and whatever dies around the
 * switch, each event is matched by the rules that were in force at its place.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "correlator/matcher.h"
#include "correlator/shelf.h"
#include "rules.h"
#include "sigma/bundle.h"
#include "town.h"

#define EVENTS 48

#define LOGGED "---\n" BASE_RULE("logged", "'*'")
/* The same id, another meaning. */
#define OTHER_LOGGED "---\n" BASE_RULE("logged", "fail")
#define OTHER_SPRAY                                                                                \
	CORRELATION_RULE("spray", "value_count", "[failed]", "[src_ip]", "61s",                    \
	    "    condition:\n        field: User\n        gte: 3\n")
#define PAIRS                                                                                      \
	CORRELATION_RULE("pairs", "event_count", "[scanned]", "[src_ip]", "60s",                   \
	    "    condition:\n        gte: 2\n")

static const char old_rules[] = BASES BRUTE SPRAY TOGETHER BREAKIN STEPS LOGGED;
/* In another order, so that every index is another one; spray and logged mean something else. */
static const char new_rules[] =
    BASES PAIRS STEPS BREAKIN OTHER_SPRAY TOGETHER BRUTE OTHER_LOGGED;

static void send_one(struct town *town, int i)
{
	static const char *const acts[] = {"fail", "fail", "scan", "fail", "fail", "fail", "ok"};
	char host[16], body[128];

	snprintf(host, sizeof(host), "web%02d", i % 3);
	snprintf(body, sizeof(body), "{\"act\":\"%s\",\"src_ip\":\"192.0.2.%d\",\"User\":\"u%d\"}",
	    acts[i / 2 % 7], i % 2, i % 5);
	town_send(town, host, TOWN_START + i * 2 * SECOND, body);
	town->now_ns = TOWN_START + i * 2 * SECOND;
}

/* ---- C7 ---- */

static bool is_unchanged(struct str rule)
{
	return !str_eq(rule, STR("spray")) && !str_eq(rule, STR("logged")) &&
	    !str_eq(rule, STR("pairs"));
}

/* Ids of the settled alerts of rules that both sets have, in any order. */
static uint64_t unchanged_of(struct town *town, size_t *ret_count)
{
	uint64_t sum = 0;

	town_collect(town);
	*ret_count = 0;
	for (size_t i = 0; i < town->alert_count; i++) {
		const struct town_alert *alert = &town->alerts[i];

		if (alert->status != ALERT_SETTLED ||
		    !is_unchanged(str_from(alert->text, alert->rule.len)))
			continue;
		sum += alert->id.high * 31 + alert->id.low;
		(*ret_count)++;
	}
	return sum;
}

static uint64_t run_with_reload_at(int at, bool between, size_t *ret_count)
{
	struct town town;

	town_open(&town, &(struct town_options){.rules = old_rules, .keeps = true});
	for (int i = 0; i < EVENTS; i++) {
		if (i == at) {
			town.options.rules = new_rules;
			assert_int_equal(town_reload(&town, 0, NULL), WORKER_SWITCHED);
		}
		send_one(&town, i);
		if (between)
			town_run(&town);
	}
	town_settle(&town);
	uint64_t sum = unchanged_of(&town, ret_count);

	town_close(&town);
	return sum;
}

static void test_reload_in_mid_window_loses_nothing(void **state)
{
	size_t expected_count, count;
	uint64_t expected = run_with_reload_at(-1, true, &expected_count);

	(void)state;
	assert_true(expected_count > 8);
	for (int at = 0; at < EVENTS; at++) {
		assert_int_equal(run_with_reload_at(at, at % 2 == 0, &count), expected);
		assert_int_equal(count, expected_count);
	}
}

static void test_what_was_dropped_is_counted(void **state)
{
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = old_rules, .keeps = true});
	for (int i = 0; i < 3; i++)
		send_one(&town, i);
	town_run(&town);
	assert_int_equal(town_stats(&town).state_dropped, 0);
	assert_int_equal(town_reload(&town, 0, NULL), WORKER_SWITCHED);
	assert_int_equal(town_stats(&town).state_dropped, 0);
	town.options.rules = new_rules;
	assert_int_equal(town_reload(&town, 0, NULL), WORKER_SWITCHED);
	assert_true(town_stats(&town).state_dropped > 0);
	town_close(&town);
}

/* ---- deaths around the switch ---- */

/*
 * The checkpoint's own writes: from the armed one on none is done, as if the process had been
 * killed there; its death ends that. LMDB finds these before those of the C library.
 */
static int64_t writes_left = -1;
static bool writes_end, no_space;

static bool write_fails(void)
{
	if (writes_left < 0 || (writes_left > 0 && --writes_left > 0))
		return false;
	writes_end = true;
	if (no_space)
		writes_left = -1;
	errno = no_space ? ENOSPC : EIO;
	return true;
}

static void writes_heal(void)
{
	if (writes_end)
		writes_left = -1;
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	return write_fails() ? -1 : syscall(SYS_pwrite64, fd, bytes, len, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t at)
{
	return pwrite(fd, bytes, len, at);
}

ssize_t pwritev(int fd, const struct iovec *list, int count, off_t at)
{
	return write_fails() ? -1 : syscall(SYS_pwritev, fd, list, count, at, 0);
}

int fdatasync(int fd)
{
	(void)fd; /* what a killed process has written is there */
	return write_fails() ? -1 : 0;
}

#define CHANGED_AT  20 /* the files on the disk */
#define RELOADED_AT 30

struct result {
	uint64_t hash;
	size_t count;
	bool died;
};

struct plan {
	uint64_t at, calls;
	bool armed;
};

static enum fault plan_once(void *context, const char *call, uint64_t number)
{
	struct plan *plan = context;

	(void)call;
	(void)number;
	return plan->armed && plan->calls++ == plan->at ? FAULT_ERROR : FAULT_NONE;
}

/* Whatever it takes: a worker that fails dies, and the next one is asked again. */
static void reload_surely(struct town *town)
{
	for (unsigned turns = 0;; turns++) {
		struct error error = {0};

		assert_true(turns < 100);
		town_run(town);
		if (town_reload(town, 0, &error) == WORKER_SWITCHED)
			return;
		town_crash(town, 0);
	}
}

/*
 * The files change, and later the reload is asked for; between the two the rules on the disk are
 * not those in force. run: nothing is read before the 25th event, so that events wait that the old
 * rules must match.
 */
static struct result run_over_switch(struct town *town)
{
	struct result ret;

	for (int i = 0; i < EVENTS; i++) {
		if (i == CHANGED_AT)
			town->options.rules = new_rules;
		if (i == RELOADED_AT)
			reload_surely(town);
		send_one(town, i);
		if (i % 5 == 0)
			town_run(town);
	}
	town_settle(town);
	ret.hash = town_settled(town, &ret.count);
	ret.died = writes_end;
	return ret;
}

static struct result undisturbed(void)
{
	struct town town;

	town_open(&town, &(struct town_options){.rules = old_rules, .keeps = true});
	struct result ret = run_over_switch(&town);

	assert_true(ret.count > 20);
	/* Both sets have had their say. */
	assert_true(town_count(&town, "pairs", ALERT_SETTLED) > 0);
	assert_true(town_count(&town, "logged", ALERT_SETTLED) > RELOADED_AT);
	assert_true(town_count(&town, "logged", ALERT_SETTLED) < EVENTS);
	town_close(&town);
	return ret;
}

/* How many of the points of death led to other alerts. */
static unsigned deaths_by_call(bool keeps, uint64_t step)
{
	struct result expected = undisturbed();
	unsigned others = 0;

	for (uint64_t at = 0;; at += step) {
		struct plan plan = {.at = at, .armed = true};
		struct town town;

		town_open(&town, &(struct town_options){.rules = old_rules, .keeps = keeps,
		    .plan = plan_once, .plan_context = &plan, .batch = 8});
		struct result ret = run_over_switch(&town);

		others += ret.hash != expected.hash || ret.count != expected.count;
		town_close(&town);
		if (plan.calls <= at)
			break;
	}
	return others;
}

static void test_death_at_every_call_around_the_switch(void **state)
{
	(void)state;
	assert_int_equal(deaths_by_call(true, 3), 0);
}

/* The same without the kept set, where the next worker takes what lies on the disk. */
static void test_rules_of_the_disk_would_be_noticed(void **state)
{
	(void)state;
	assert_true(deaths_by_call(false, 7) > 0);
}

static void test_death_at_every_write_around_the_switch(void **state)
{
	struct result expected = undisturbed();

	(void)state;
	for (int64_t at = 1;; at++) {
		struct town town;

		writes_end = no_space = false;
		town_open(&town, &(struct town_options){.rules = old_rules, .keeps = true,
		    .on_disk = true, .at_death = writes_heal, .batch = 16});
		writes_left = at;
		struct result ret = run_over_switch(&town);

		writes_left = -1;
		assert_int_equal(ret.hash, expected.hash);
		assert_int_equal(ret.count, expected.count);
		town_close(&town);
		if (!ret.died)
			break;
		assert_true(at < 5000);
	}
}

/* A disk that is full refuses the switch, not the work: the old rules go on and nobody dies. */
static void test_a_switch_that_cannot_be_recorded_is_undone(void **state)
{
	(void)state;
	for (int64_t at = 1;; at++) {
		struct town town;
		struct error error = {0};

		writes_end = false;
		no_space = true;
		town_open(&town, &(struct town_options){.rules = old_rules, .keeps = true,
		    .on_disk = true});
		for (int i = 0; i < 10; i++)
			send_one(&town, i);
		town_run(&town);
		town.options.rules = new_rules;
		writes_left = at;
		int code = town_reload(&town, 0, &error);

		writes_left = -1;
		assert_int_equal(code, writes_end ? ERR_FULL : WORKER_SWITCHED);
		assert_int_equal(ruleset_find(worker_ruleset(town.workers[0]), STR("pairs")) ==
		    NULL, writes_end);
		if (writes_end) {
			for (int i = 10; i < 20; i++)
				send_one(&town, i);
			town_settle(&town);
			assert_int_equal(town_count(&town, "logged", ALERT_SETTLED), 20);
			/* And a later one is taken. */
			assert_int_equal(town_reload(&town, 0, NULL), WORKER_SWITCHED);
		}
		town_close(&town);
		if (!writes_end)
			break;
		assert_true(at < 500);
	}
	no_space = false;
}

/* ---- rebuilding ---- */

/* A death long after a snapshot: the switch waits until the windows stand again. */
static void test_no_switch_while_windows_are_rebuilt(void **state)
{
	struct town town;
	struct buf bundle = BUF(BUNDLE_MAX);

	(void)state;
	town_open(&town, &(struct town_options){.rules = BASES BRUTE, .keeps = true,
	    .snapshot_ns = 1000000 * SECOND, .batch = 1});
	town_send(&town, "web01", TOWN_START, FAIL("192.0.2.1", "an"));
	town_run(&town);
	for (int i = 1; i < 4; i++)
		town_send(&town, "web01", TOWN_START + i * SECOND, FAIL("192.0.2.1", "an"));
	town_run(&town);
	town_crash(&town, 0);
	town_start(&town, 0);
	assert_int_equal(worker_step(town.workers[0], town.now_ns, 0, NULL), 1);
	town.options.rules = BASES SPRAY BRUTE;
	town_bundle(&bundle, town.options.rules);
	struct worker_rules rules = {.ruleset = town_rules(town.options.rules),
	    .bundle = buf_str(&bundle)};

	assert_int_equal(worker_reload(town.workers[0], &rules, NULL), WORKER_NOT_YET);
	ruleset_free(rules.ruleset);
	buf_free(&bundle);
	assert_int_equal(town_reload(&town, 0, NULL), WORKER_SWITCHED);
	town_crash(&town, 0);
	town_send(&town, "web01", TOWN_START + 5 * SECOND, FAIL("192.0.2.1", "an"));
	town_settle(&town);
	assert_int_equal(town_count(&town, "brute", ALERT_SETTLED), 1);
	town_close(&town);
}

/* ---- the fence ---- */

/* Who has been replaced without knowing it writes nothing, and switches where the other is. */
static void test_a_zombie_does_not_switch_behind_the_other(void **state)
{
	struct town town, twin;

	(void)state;
	town_open(&town, &(struct town_options){.rules = BASES BRUTE, .keeps = true});
	for (int i = 0; i < 2; i++)
		town_send(&town, "web01", TOWN_START + i * SECOND, FAIL("192.0.2.1", "an"));
	town_run(&town);
	twin = town;
	town_start(&twin, 0);
	for (int i = 2; i < 4; i++)
		town_send(&town, "web01", TOWN_START + i * SECOND, FAIL("192.0.2.1", "an"));
	twin.now_ns = town.now_ns;
	town_run(&twin);
	town_crash(&twin, 0);
	town.options.rules = BASES SPRAY BRUTE;
	assert_int_equal(town_reload(&town, 0, NULL), WORKER_SWITCHED);
	assert_true(town_stats(&town).stale > 0);
	town_crash(&town, 0);
	town_send(&town, "web01", TOWN_START + 5 * SECOND, FAIL("192.0.2.1", "an"));
	town_settle(&town);
	assert_int_equal(town_count(&town, "brute", ALERT_SETTLED), 1);
	assert_int_equal(town_unsettled(&town), 0);
	town_close(&town);
}

/* ---- what is kept ---- */

struct names {
	unsigned count;
	char last[80];
};

static bool name_visit(void *context, struct str name, struct str value)
{
	struct names *names = context;

	(void)value;
	names->count++;
	snprintf(names->last, sizeof(names->last), "%.*s", STR_ARG(name));
	return true;
}

static unsigned rows_of(struct town *town, const char *prefix, char last[80])
{
	struct names names = {0};

	assert_int_equal(checkpoint_state_each(town->checkpoint, str_of(prefix), name_visit,
	    &names, NULL), 0);
	if (last != NULL)
		memcpy(last, names.last, sizeof(names.last));
	return names.count;
}

static bool kept_is(struct town *town, uint32_t instance, const char *rules)
{
	struct buf kept = BUF(BUNDLE_MAX), expected = BUF(BUNDLE_MAX);

	town_bundle(&expected, rules);
	bool same = shelf_get(town->checkpoint, instance, &kept, NULL) == 0 &&
	    str_eq(buf_str(&kept), buf_str(&expected));

	buf_free(&kept);
	buf_free(&expected);
	return same;
}

/* Who dies at the very first event goes on with what was in force when it came. */
static void test_rules_are_recorded_before_any_event(void **state)
{
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = old_rules, .keeps = true});
	town_run(&town);
	assert_true(kept_is(&town, 0, old_rules));
	town_crash(&town, 0);
	town.options.rules = new_rules;
	send_one(&town, 4); /* a scan, which only the old rule "logged" matches */
	town_settle(&town);
	assert_int_equal(town_count(&town, "logged", ALERT_SETTLED), 1);
	town_close(&town);
}

static void send_some(struct town *town)
{
	for (int i = 0; i < 12; i++)
		send_one(town, i);
	town_run(town);
}

static void test_a_set_stays_as_long_as_somebody_needs_it(void **state)
{
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = old_rules, .keeps = true, .workers = 2});
	send_some(&town);
	assert_int_equal(rows_of(&town, "rules/", NULL), 2);
	assert_int_equal(rows_of(&town, "ruleset/", NULL), 1);
	town.options.rules = new_rules;
	assert_int_equal(town_reload(&town, 0, NULL), WORKER_SWITCHED);
	assert_int_equal(rows_of(&town, "ruleset/", NULL), 2);
	assert_true(kept_is(&town, 0, new_rules));
	assert_true(kept_is(&town, 1, old_rules));
	/* Each goes on with its own. */
	town_crash(&town, 0);
	town_crash(&town, 1);
	town_run(&town);
	assert_non_null(ruleset_find(worker_ruleset(town.workers[0]), STR("pairs")));
	assert_null(ruleset_find(worker_ruleset(town.workers[1]), STR("pairs")));
	assert_int_equal(town_reload(&town, 1, NULL), WORKER_SWITCHED);
	assert_int_equal(rows_of(&town, "ruleset/", NULL), 1);
	assert_true(kept_is(&town, 1, new_rules));
	town_close(&town);
}

/* Fewer workers than before, and more. */
static void test_other_numbers_of_workers(void **state)
{
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = old_rules, .keeps = true, .workers = 3,
	    .events = 3, .detections = 3});
	send_some(&town);
	assert_int_equal(rows_of(&town, "rules/", NULL), 3);
	for (unsigned i = 0; i < 3; i++)
		town_crash(&town, i);
	town.options.rules = new_rules;
	town.options.workers = 1;
	town_run(&town);
	town_send(&town, "web01", TOWN_START + 40 * SECOND, FAIL("192.0.2.1", "an"));
	town_run(&town);
	assert_int_equal(rows_of(&town, "rules/", NULL), 1);
	assert_true(kept_is(&town, 0, old_rules));
	town_crash(&town, 0);
	/* A new one begins with what the first of the others has. */
	town.options.workers = 2;
	town_run(&town);
	assert_null(ruleset_find(worker_ruleset(town.workers[1]), STR("pairs")));
	town_close(&town);
}

static void row_spoil(struct town *town, const char *name, bool missing)
{
	struct buf row = BUF(BUNDLE_MAX);

	assert_int_equal(checkpoint_state_get(town->checkpoint, str_of(name), &row, NULL), 0);
	row.ptr[row.len / 2] ^= 1;
	assert_int_equal(checkpoint_begin(town->checkpoint, NULL), 0);
	assert_int_equal(missing ? checkpoint_state_delete(town->checkpoint, str_of(name), NULL)
	    : checkpoint_state_put(town->checkpoint, str_of(name), buf_str(&row), NULL), 0);
	assert_int_equal(checkpoint_commit(town->checkpoint, NULL), 0);
	buf_free(&row);
}

/* It is told, and the set is put there again by the next switch. */
static void test_a_damaged_set_is_not_taken(void **state)
{
	struct buf kept = BUF(BUNDLE_MAX);
	struct error error = {0};
	char name[80];

	(void)state;
	for (int missing = 0; missing < 2; missing++) {
		struct town town;

		town_open(&town, &(struct town_options){.rules = old_rules, .keeps = true});
		assert_int_equal(shelf_get(town.checkpoint, 0, &kept, NULL), ERR_MISSING);
		send_some(&town);
		assert_int_equal(rows_of(&town, "ruleset/", name), 1);
		row_spoil(&town, name, missing);
		error_clear(&error);
		assert_int_equal(shelf_get(town.checkpoint, 0, &kept, &error),
		    missing ? ERR_MISSING : ERR_CORRUPT);
		assert_non_null(strstr(error.text, "kept"));
		assert_int_equal(town_reload(&town, 0, NULL), WORKER_SWITCHED);
		assert_true(kept_is(&town, 0, old_rules));
		town_close(&town);
	}
	buf_free(&kept);
}

/* ---- made ready beside ---- */

#define SOURCED(id, product)                                                                       \
	"---\ntitle: " id "\nid: " id "\nlogsource:\n    product: " product "\n"                   \
	"detection:\n    s:\n        act: fail\n    condition: s\nlevel: low\n"

/* The log sources that came are known by name, so that another matcher is ready for them. */
static void test_a_new_matcher_knows_the_sources_that_come(void **state)
{
	static const char others[] = BASES SOURCED("n", "nothing") SOURCED("x", "linux");
	struct matcher_source met[8], again[8];
	struct matcher_stats before, after;
	struct town town;

	(void)state;
	town_open(&town, &(struct town_options){.rules = BASES SOURCED("x", "linux")});
	assert_int_equal(matcher_sources(worker_matcher(town.workers[0]), met, 8), 0);
	send_some(&town);
	size_t count = matcher_sources(worker_matcher(town.workers[0]), met, 8);
	struct ruleset *ruleset = town_rules(others);
	struct matcher *matcher = matcher_new(ruleset);

	assert_true(count > 0);
	assert_non_null(matcher);
	for (size_t i = 0; i < count; i++)
		assert_true(matcher_warm(matcher, &met[i]));
	assert_int_equal(matcher_sources(matcher, again, 8), 0); /* no event has met any */
	matcher_stats(matcher, &before);
	struct worker_rules rules = {.ruleset = ruleset, .matcher = matcher};

	assert_int_equal(worker_reload(town.workers[0], &rules, NULL), WORKER_SWITCHED);
	assert_ptr_equal(worker_matcher(town.workers[0]), matcher);
	send_some(&town);
	matcher_stats(matcher, &after);
	assert_int_equal(after.classes, before.classes); /* nothing came that was not ready */
	assert_int_equal(after.indexes_made, before.indexes_made);
	assert_int_equal(matcher_sources(matcher, again, 8), count);
	for (size_t i = 0; i < count; i++)
		assert_true(str_eq(again[i].product, met[i].product));
	town_close(&town);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reload_in_mid_window_loses_nothing),
	    cmocka_unit_test(test_what_was_dropped_is_counted),
	    cmocka_unit_test(test_death_at_every_call_around_the_switch),
	    cmocka_unit_test(test_rules_of_the_disk_would_be_noticed),
	    cmocka_unit_test(test_death_at_every_write_around_the_switch),
	    cmocka_unit_test(test_a_switch_that_cannot_be_recorded_is_undone),
	    cmocka_unit_test(test_no_switch_while_windows_are_rebuilt),
	    cmocka_unit_test(test_a_zombie_does_not_switch_behind_the_other),
	    cmocka_unit_test(test_rules_are_recorded_before_any_event),
	    cmocka_unit_test(test_a_set_stays_as_long_as_somebody_needs_it),
	    cmocka_unit_test(test_other_numbers_of_workers),
	    cmocka_unit_test(test_a_damaged_set_is_not_taken),
	    cmocka_unit_test(test_a_new_matcher_knows_the_sources_that_come),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
