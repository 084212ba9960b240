#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "correlator/snapshot.h"
#include "event/detection.h"
#include "rules.h"
#include "town.h"

#define TIMED(id, type, condition)                                                                 \
	CORRELATION_RULE(                                                                          \
	    id, type, "[failed]", "[src_ip]", "60s", "    condition: " condition "\n")

static const char all_rules[] = BASES BRUTE SPRAY TOGETHER BREAKIN STEPS
    TIMED("few", "event_count", "{lt: 100}") TIMED("users", "value_count", "{field: n, neq: 2}")
    TIMED("much", "value_sum", "{field: n, gte: 60}")
    TIMED("mean", "value_avg", "{field: n, gte: 1}")
    TIMED("middle", "value_median", "{field: n, gte: 1}")
    CORRELATION_RULE("either", "temporal", "[failed, scanned, accepted]", "[src_ip]", "60s",
	"    condition: accepted and (failed or scanned)\n")
    CORRELATION_RULE("two", "temporal_ordered", "[scanned, brute, accepted]", "[src_ip]", "60s",
	"    condition: {gte: 2}\n    generate: true\n")
    CORRELATION_RULE("alone", "temporal", "[failed, scanned, accepted]", "[src_ip]", "60s",
	"    condition: (failed or scanned) and not accepted\n");

static const char *const timed[] = {"few", "users", "much", "mean", "middle"};
static const struct alert_site site = {.key = {1, 2}};

struct fixture {
	struct ruleset *ruleset;
	struct worker_stats stats;
	struct arena *arena;
	struct batch batch;
	uint64_t offset;
};

static void fixture_open(struct fixture *fixture, const char *rules)
{
	*fixture = (struct fixture){.ruleset = town_rules(rules), .arena = arena_new(64 << 20),
	    .batch = {.partitions = {2, 2, 2}}};
	batch_begin(&fixture->batch, fixture->arena, 0);
}

static void fixture_close(struct fixture *fixture)
{
	arena_free(fixture->arena);
	ruleset_free(fixture->ruleset);
}

static struct correlate *correlate_make(struct fixture *fixture)
{
	struct correlate *correlate = correlate_new(&(struct correlate_options){
	    .ruleset = fixture->ruleset, .site = &site, .sources = 2, .groups_max = 1000,
	    .pending_max = 1000, .stats = &fixture->stats});

	assert_non_null(correlate);
	return correlate;
}

static void feed(struct fixture *fixture, struct correlate *correlate, const char *rule,
    const char *base, const char *group, int64_t at_s)
{
	struct buf bytes = BUF(1 << 20);
	char number[24];

	snprintf(number, sizeof(number), "%lld", (long long)at_s);
	struct detection detection = {.correlation = str_of(rule), .rule = str_of(base),
	    .groups = {str_of(group)}, .group_count = 1, .values = {str_of(number)},
	    .value_count = str_eq(str_of(base), STR("failed")) &&
		!str_eq(str_of(rule), STR("brute")),
	    .time_ns = TOWN_START + at_s * SECOND, .at = {1, 2, fixture->offset},
	    .position = {fixture->offset & 1, fixture->offset, 0}, .agency = STR("hue"),
	    .host = STR("web01")};

	fixture->offset++;
	detection_write(&bytes, &detection);
	assert_int_equal(correlate_record(correlate, buf_str(&bytes), &fixture->batch, false, NULL),
	    0);
	buf_free(&bytes);
}

static void advance(struct fixture *fixture, struct correlate *correlate, int64_t at_s)
{
	struct progress progress[2] = {{.topic = TOPIC_EVENTS, .partitions = 2,
	    .time_ns = TOWN_START + at_s * SECOND}, {.topic = TOPIC_EVENTS, .partition = 1,
	    .partitions = 2, .idle = true}};
	struct buf bytes = BUF(1 << 20);

	progress_write(&bytes, progress, 2);
	assert_int_equal(correlate_record(correlate, buf_str(&bytes), &fixture->batch, false, NULL),
	    0);
	buf_free(&bytes);
}

/* A state with something of everything in it. */
static struct correlate *busy(struct fixture *fixture)
{
	struct correlate *correlate = correlate_make(fixture);

	for (int i = 0; i < 12; i++) {
		feed(fixture, correlate, "brute", "failed", i % 3 ? "192.0.2.1" : "192.0.2.2", i);
		feed(fixture, correlate, "spray", "failed", "192.0.2.1", i);
		feed(fixture, correlate, "together", i % 2 ? "failed" : "scanned", "192.0.2.1", i);
		feed(fixture, correlate, "steps", i % 2 ? "failed" : "scanned", "192.0.2.3", i);
		for (size_t k = 0; k < sizeof(timed) / sizeof(*timed); k++)
			feed(fixture, correlate, timed[k], "failed", "192.0.2.1", i);
		feed(fixture, correlate, "either", i % 2 ? "failed" : "scanned", "192.0.2.1", i);
		feed(fixture, correlate, "alone", i % 2 ? "failed" : "scanned", "192.0.2.1", i);
		feed(fixture, correlate, "two", "scanned", "192.0.2.2", i);
	}
	advance(fixture, correlate, 8);
	/* Events that several correlations count: told apart by the correlation alone. */
	for (int i = 8; i < 12; i++) {
		static const char *const rules[] = {"steps", "brute", "together", "spray"};

		for (int n = 0; n < 4; n++, fixture->offset -= n < 4)
			feed(fixture, correlate, rules[(n + i) % 4], "failed", "192.0.2.4", i);
	}
	return correlate;
}

static void written(struct buf *out, const struct correlate *correlate)
{
	buf_clear(out);
	snapshot_write(out, correlate, 77);
	assert_false(out->failed);
}

/* How the two behave from here on is what a snapshot is for. */
static uint64_t future(struct fixture *fixture, struct correlate *correlate)
{
	uint64_t hash = 0;

	batch_begin(&fixture->batch, fixture->arena, 0);
	fixture->offset = 1000;
	for (int i = 12; i < 20; i++) {
		feed(fixture, correlate, "brute", "failed", i % 3 ? "192.0.2.1" : "192.0.2.2", i);
		feed(fixture, correlate, "breakin", "accepted", "192.0.2.1", i);
		feed(fixture, correlate, "steps", "accepted", "192.0.2.3", i);
		for (size_t k = 0; k < sizeof(timed) / sizeof(*timed); k++)
			feed(fixture, correlate, timed[k], "failed", "192.0.2.1", i);
		feed(fixture, correlate, "either", "accepted", "192.0.2.1", i);
		feed(fixture, correlate, "two", "accepted", "192.0.2.1", i);
		feed(fixture, correlate, "alone", "failed", "192.0.2.4", i);
	}
	advance(fixture, correlate, 10000);
	for (struct letter *letter = fixture->batch.first; letter != NULL; letter = letter->next)
		hash = hash * 31 + hash_sip64((struct hash_key){1, 2}, letter->value);
	assert_true(fixture->batch.count > 20);
	return hash;
}

static void test_roundtrip(void **state)
{
	struct buf first = BUF(SNAPSHOT_MAX), second = BUF(SNAPSHOT_MAX);
	struct fixture fixture;
	uint64_t offset = 0, dropped = 0;

	(void)state;
	fixture_open(&fixture, all_rules);
	struct correlate *before = busy(&fixture), *after = correlate_make(&fixture);

	written(&first, before);
	assert_int_equal(snapshot_read(buf_str(&first), after, &offset, &dropped), 0);
	assert_int_equal(offset, 77);
	assert_int_equal(dropped, 0);
	written(&second, after);
	assert_true(str_eq(buf_str(&first), buf_str(&second)));
	assert_int_equal(future(&fixture, before), future(&fixture, after));
	correlate_free(before);
	correlate_free(after);
	buf_free(&first);
	buf_free(&second);
	fixture_close(&fixture);
}

static void test_every_truncation_is_refused(void **state)
{
	struct buf bytes = BUF(SNAPSHOT_MAX);
	struct fixture fixture;
	uint64_t offset, dropped;

	(void)state;
	fixture_open(&fixture, all_rules);
	struct correlate *correlate = busy(&fixture);

	written(&bytes, correlate);
	correlate_free(correlate);
	for (size_t len = 0; len < bytes.len; len += len < 200 ? 1 : 13) {
		char *exact = malloc(len + 1);

		assert_non_null(exact);
		memcpy(exact, bytes.ptr, len);
		correlate = correlate_make(&fixture);
		assert_int_equal(snapshot_read(str_from(exact, len), correlate, &offset, &dropped),
		    ERR_CORRUPT);
		correlate_free(correlate);
		free(exact);
	}
	buf_free(&bytes);
	fixture_close(&fixture);
}

static void test_foreign_and_later_snapshots(void **state)
{
	const struct {
		size_t at;
		int code;
	} rows[] = {{0, ERR_CORRUPT}, {4, ERR_VERSION}, {8, ERR_FOREIGN}, {12, ERR_FOREIGN}};
	struct buf bytes = BUF(SNAPSHOT_MAX);
	struct fixture fixture;
	uint64_t offset, dropped;

	(void)state;
	fixture_open(&fixture, all_rules);
	struct correlate *correlate = busy(&fixture);

	written(&bytes, correlate);
	correlate_free(correlate);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		bytes.ptr[rows[i].at] ^= 4;
		correlate = correlate_make(&fixture);
		assert_int_equal(snapshot_read(buf_str(&bytes), correlate, &offset, &dropped),
		    rows[i].code);
		correlate_free(correlate);
		bytes.ptr[rows[i].at] ^= 4;
	}
	buf_free(&bytes);
	fixture_close(&fixture);
}

static void test_rules_that_have_gone_are_dropped(void **state)
{
	struct buf bytes = BUF(SNAPSHOT_MAX);
	struct fixture fixture, other;
	uint64_t offset, dropped = 0;

	(void)state;
	fixture_open(&fixture, all_rules);
	fixture_open(&other, BASES BRUTE);
	struct correlate *before = busy(&fixture), *after = correlate_make(&other);

	written(&bytes, before);
	assert_int_equal(snapshot_read(buf_str(&bytes), after, &offset, &dropped), 0);
	assert_true(dropped > 5);
	struct worker_stats stats = {0};

	correlate_count(after, &stats);
	assert_true(stats.groups > 0);
	correlate_free(before);
	correlate_free(after);
	buf_free(&bytes);
	fixture_close(&fixture);
	fixture_close(&other);
}

/* The one group that goes by time: its place and length in the snapshot. */
static struct str group_in(const struct buf *bytes, struct str key)
{
	size_t at = bytes->len;

	while (at-- > 0 && !str_starts(str_slice(buf_str(bytes), at, bytes->len), key))
		;
	size_t body = at + key.len + 8;

	return str_slice(buf_str(bytes), at - 8, body + 4 + get_u32(bytes->ptr + body));
}

static void test_a_group_that_is_there_twice_is_refused(void **state)
{
	struct buf bytes = BUF(SNAPSHOT_MAX), twice = BUF(SNAPSHOT_MAX);
	struct fixture fixture;
	uint64_t offset, dropped;

	(void)state;
	fixture_open(&fixture, all_rules);
	struct correlate *correlate = correlate_make(&fixture), *after = correlate_make(&fixture);

	feed(&fixture, correlate, "few", "failed", "192.0.2.77", 1);
	advance(&fixture, correlate, 2);
	written(&bytes, correlate);
	struct str group = group_in(&bytes, STR("192.0.2.77"));
	/* The key of one group has its own length in front. */
	size_t begin = (size_t)(group.ptr - bytes.ptr) - 1;

	group = str_slice(buf_str(&bytes), begin, begin + group.len + 1);
	assert_int_equal(get_u32(bytes.ptr + begin - 4), 1);
	buf_str_put(&twice, str_slice(buf_str(&bytes), 0, begin - 4));
	buf_u32(&twice, 2);
	buf_str_put(&twice, group);
	buf_str_put(&twice, group);
	buf_str_put(&twice, str_slice(buf_str(&bytes), begin + group.len, bytes.len));
	assert_int_equal(snapshot_read(buf_str(&twice), after, &offset, &dropped), ERR_CORRUPT);
	correlate_free(after);
	after = correlate_make(&fixture);
	assert_int_equal(snapshot_read(buf_str(&bytes), after, &offset, &dropped), 0);
	correlate_free(after);
	correlate_free(correlate);
	buf_free(&bytes);
	buf_free(&twice);
	fixture_close(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_roundtrip),
	    cmocka_unit_test(test_every_truncation_is_refused),
	    cmocka_unit_test(test_foreign_and_later_snapshots),
	    cmocka_unit_test(test_rules_that_have_gone_are_dropped),
	    cmocka_unit_test(test_a_group_that_is_there_twice_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
