/*
 * Records taken in groups do exactly what they do one by one: the same letters, the same counts,
 * the same state, down to the order in which its windows were touched.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "correlator/correlate_state.h"
#include "correlator/snapshot.h"
#include "rules.h"
#include "town.h"

#define PARTITIONS 2u
#define RECORDS    3000u

static const char rules[] = BASES BRUTE SPRAY TOGETHER BREAKIN STEPS
    CORRELATION_RULE("pair", "event_count", "[failed]", "[src_ip]", "60s",
	"    condition:\n        gte: 2\n")
    CORRELATION_RULE("few", "event_count", "[scanned]", "[src_ip]", "20s",
	"    condition:\n        lt: 3\n")
    CORRELATION_RULE("much", "value_sum", "[failed]", "[src_ip]", "30s",
	"    condition:\n        field: Bytes\n        gte: 50\n")
    "---\ntitle: new\nid: new\nlogsource: {definition: any}\n"
    "detection: {s: {act: start}, condition: s}\n"
    "tocsin: {first_seen: {fields: [Image], by: [src_ip], within: 10d, learn: 0}}\n";

static const struct alert_site site = {.key = {1, 2}};

/* One worker's half: some partitions of "detections", and what they said. */
struct side {
	struct ruleset *ruleset;
	struct correlate *correlates[PARTITIONS];
	struct correlate_group *group;
	struct worker_stats stats;
	struct arena *arena;
	struct batch batch;
	struct buf told;
};

static void side_open(struct side *side, const char *text, size_t groups_max, size_t memory)
{
	*side = (struct side){.ruleset = town_rules(text), .arena = arena_new(memory),
	    .group = correlate_group_new(), .batch = {.partitions = {1, PARTITIONS, 1}},
	    .told = BUF(64 << 20)};
	assert_non_null(side->group);
	for (uint32_t i = 0; i < PARTITIONS; i++) {
		side->correlates[i] = correlate_new(&(struct correlate_options){
		    .ruleset = side->ruleset, .site = &site, .partition = i, .sources = 1,
		    .groups_max = groups_max, .pending_max = 150, .memory_max = 1000,
		    .stats = &side->stats});
		assert_non_null(side->correlates[i]);
	}
	batch_begin(&side->batch, side->arena, 0);
}

static void side_close(struct side *side)
{
	correlate_group_free(side->group);
	for (uint32_t i = 0; i < PARTITIONS; i++)
		correlate_free(side->correlates[i]);
	arena_free(side->arena);
	ruleset_free(side->ruleset);
	buf_free(&side->told);
}

static void side_listen(struct side *side)
{
	for (const struct letter *letter = side->batch.first; letter != NULL; letter = letter->next)
		buf_str_put(&side->told, letter->value);
	arena_reset(side->arena);
	batch_begin(&side->batch, side->arena, 0);
}

/* ---- records ---- */

struct record_list {
	struct given {
		uint32_t partition;
		size_t at, len; /* of bytes */
	} list[RECORDS];
	struct buf bytes;
	size_t count;
	uint64_t offset;
};

static struct str record_at(const struct record_list *records, size_t index)
{
	return str_from(records->bytes.ptr + records->list[index].at, records->list[index].len);
}

static struct given *record_end(struct record_list *records, uint32_t partition, size_t at)
{
	struct given *given = &records->list[records->count++];

	assert_true(records->count <= RECORDS && !records->bytes.failed);
	*given = (struct given){partition, at, records->bytes.len - at};
	return given;
}

static struct given *put_detection(struct record_list *records, uint32_t partition,
    const char *correlation, const char *rule, const char *group, const char *value, int64_t at_s)
{
	size_t at = records->bytes.len;
	struct detection detection = {.correlation = str_of(correlation), .rule = str_of(rule),
	    .groups = {str_of(group)}, .group_count = 1, .values = {str_of(value)},
	    .value_count = value[0] != '\0', .time_ns = TOWN_START + at_s * SECOND,
	    .at = {1, 2, records->offset}, .position = {0, records->offset, 0},
	    .agency = STR("hue"), .host = STR("web01")};

	records->offset++;
	detection_write(&records->bytes, &detection);
	return record_end(records, partition, at);
}

static void put_progress(struct record_list *records, uint32_t partition, int64_t at_s)
{
	struct progress progress = {.topic = TOPIC_EVENTS, .partitions = 1,
	    .time_ns = TOWN_START + at_s * SECOND};
	size_t at = records->bytes.len;

	progress_write(&records->bytes, &progress, 1);
	record_end(records, partition, at);
}

static void put_again(struct record_list *records)
{
	struct given *given = &records->list[records->count++];

	assert_true(records->count <= RECORDS);
	*given = records->list[(size_t)rand() % (records->count - 1)];
}

/* ---- both ways ---- */

static void take_singly(struct side *side, const struct record_list *records)
{
	for (size_t i = 0; i < records->count; i++) {
		assert_int_equal(correlate_record(side->correlates[records->list[i].partition],
		    record_at(records, i), &side->batch, false, NULL), 0);
		side_listen(side);
	}
}

/* Polls of so many records, which are taken as the worker does. */
static void take_in_polls(struct side *side, const struct record_list *records, size_t poll)
{
	for (size_t from = 0; from < records->count; from += poll) {
		size_t count = records->count - from < poll ? records->count - from : poll;

		for (size_t i = 0; i < count; i++) {
			struct correlate_given given[CORRELATE_GROUP];
			size_t size = 0;

			for (size_t n = i; n < count && size < CORRELATE_GROUP; n++)
				given[size++] = (struct correlate_given){
				    side->correlates[records->list[from + n].partition],
				    record_at(records, from + n)};
			if (i % CORRELATE_GROUP == 0)
				correlate_group_read(side->group, given, size);
			assert_int_equal(correlate_take(side->group, i % CORRELATE_GROUP,
			    &side->batch, false, NULL), 0);
			side_listen(side);
		}
	}
}

static void assert_same(const struct side *a, const struct side *b)
{
	assert_memory_equal(&a->stats, &b->stats, sizeof(a->stats));
	assert_int_equal(a->told.len, b->told.len);
	assert_true(a->told.len == 0 || memcmp(a->told.ptr, b->told.ptr, a->told.len) == 0);
	for (uint32_t i = 0; i < PARTITIONS; i++) {
		struct buf left = BUF(64 << 20), right = BUF(64 << 20);

		snapshot_write(&left, a->correlates[i], 1);
		snapshot_write(&right, b->correlates[i], 1);
		assert_false(left.failed || right.failed);
		assert_true(str_eq(buf_str(&left), buf_str(&right)));
		buf_free(&left);
		buf_free(&right);
	}
}

static const size_t polls[] = {1, 2, 31, 32, 33, 64, 100, RECORDS};

/* Singly, and in polls of all sizes. What came of it singly is *ret; whether that rule spoke. */
static bool compare(const struct record_list *records, const char *text, size_t groups_max,
    const char *rule, struct worker_stats *ret)
{
	struct side one, other;

	side_open(&one, text, groups_max, (size_t)64 << 20);
	take_singly(&one, records);
	for (size_t i = 0; i < sizeof(polls) / sizeof(polls[0]); i++) {
		side_open(&other, text, groups_max, (size_t)64 << 20);
		take_in_polls(&other, records, polls[i]);
		assert_same(&one, &other);
		side_close(&other);
	}
	bool spoke = str_find(buf_str(&one.told), str_of(rule)) != STR_NOT_FOUND;

	*ret = one.stats;
	for (uint32_t i = 0; i < PARTITIONS; i++)
		correlate_count(one.correlates[i], ret);
	side_close(&one);
	return spoke;
}

/* ---- something of everything ---- */

static void put_some(struct record_list *records, int64_t now_s)
{
	static const struct {
		const char *correlation, *rule;
		bool counts;
	} rows[] = {{"brute", "failed", false}, {"spray", "failed", true},
	    {"together", "failed", false}, {"together", "scanned", false},
	    {"breakin", "accepted", false}, {"steps", "failed", false},
	    {"steps", "scanned", false}, {"steps", "accepted", false}, {"pair", "failed", false},
	    {"few", "scanned", false}, {"much", "failed", true}, {"new", "new", true},
	    {"gone", "failed", false}, {"spray", "failed", false}};
	size_t row = (size_t)rand() % (sizeof(rows) / sizeof(rows[0]));
	char group[32], value[16];

	/* Few that fire, and many that drive them out. */
	snprintf(group, sizeof(group), "192.0.2.%d", rand() % (rand() % 3 ? 6 : 200));
	snprintf(value, sizeof(value), "%d", rand() % 30);
	put_detection(records, (uint32_t)rand() % PARTITIONS, rows[row].correlation,
	    rows[row].rule, group, rows[row].counts ? value : "", now_s - rand() % 12);
}

static void put_damaged(struct record_list *records, int64_t now_s)
{
	struct given *given =
	    put_detection(records, (uint32_t)rand() % PARTITIONS, "pair", "failed", "x", "", now_s);

	records->bytes.ptr[given->at + (size_t)rand() % given->len] ^= 1;
}

static void test_something_of_everything(void **state)
{
	static struct record_list records;
	struct worker_stats stats;

	(void)state;
	for (unsigned seed = 1; seed <= 6; seed++) {
		records = (struct record_list){.bytes = BUF(16 << 20)};
		srand(seed);
		for (unsigned i = 0; records.count < RECORDS - 2; i++) {
			int64_t now_s = i / 8;

			if (rand() % 40 == 0)
				put_progress(&records, (uint32_t)rand() % PARTITIONS, now_s - 8);
			else if (rand() % 50 == 0 && records.count > 0)
				put_again(&records);
			else if (rand() % 50 == 0)
				put_damaged(&records, now_s);
			else
				put_some(&records, now_s);
		}
		for (uint32_t i = 0; i < PARTITIONS; i++)
			put_progress(&records, i, RECORDS);
		bool crowded = seed % 2;

		assert_true(compare(&records, rules, crowded ? 20 : 1000,
		    crowded ? "\"pair\"" : "\"breakin\"", &stats));
		buf_free(&records.bytes);
		assert_true(stats.alerts_early > 50 && stats.alerts_settled > 50);
		assert_true(stats.alerts_replaced > 0 && stats.alerts_closed > 10);
		assert_true(!crowded || stats.evicted > 100);
		assert_true(stats.late > 10 && stats.damaged > 10 && stats.unknown > 50);
		assert_true(stats.detection_repeats > 20 && stats.skipped > 0);
		assert_true(stats.pending_dropped > 0);
	}
}

/* ---- within one group ---- */

#define PAIR                                                                                       \
	BASES CORRELATION_RULE("pair", "event_count", "[failed]", "[src_ip]", "60s",               \
	    "    condition:\n        gte: 2\n")

/* Windows that fire and are made anew, all within a group. */
static void test_one_window_again_and_again(void **state)
{
	static struct record_list records;
	struct worker_stats stats;

	(void)state;
	for (unsigned count = 1; count <= 33; count++) {
		records = (struct record_list){.bytes = BUF(1 << 20)};
		for (unsigned i = 0; i < count; i++)
			put_detection(&records, 0, "pair", "failed", "192.0.2.1", "", i);
		assert_true(compare(&records, PAIR, 100, "\"pair\"", &stats) == (count > 1));
		assert_int_equal(stats.alerts_early, count / 2);
		put_progress(&records, 0, 100);
		assert_true(compare(&records, PAIR, 100, "\"pair\"", &stats) == (count > 1));
		assert_int_equal(stats.alerts_settled, count / 2);
		buf_free(&records.bytes);
	}
}

/* What was called for has been driven out when its turn comes. */
static void test_eviction_within_a_group(void **state)
{
	static struct record_list records;
	struct worker_stats stats;
	char group[32];

	(void)state;
	records = (struct record_list){.bytes = BUF(1 << 20)};
	put_detection(&records, 0, "pair", "failed", "192.0.2.200", "", 0);
	for (int i = 0; i < 10; i++) {
		snprintf(group, sizeof(group), "192.0.2.%d", i);
		put_detection(&records, 0, "pair", "failed", group, "", 1);
	}
	put_detection(&records, 0, "pair", "failed", "192.0.2.200", "", 2); /* the first of two */
	put_detection(&records, 0, "pair", "failed", "192.0.2.9", "", 2);   /* still there */
	assert_true(compare(&records, PAIR, 4, "192.0.2.9", &stats));
	assert_int_equal(stats.alerts_early, 1);
	assert_int_equal(stats.evicted, 8);
	buf_free(&records.bytes);
}

/* What lies beside it in the group is not the worse for it. */
static void test_damage_within_a_group(void **state)
{
	static struct record_list records;
	struct worker_stats stats;

	(void)state;
	for (unsigned bad = 0; bad < 33; bad++) {
		records = (struct record_list){.bytes = BUF(1 << 20)};
		for (unsigned i = 0; i < 33; i++) {
			struct given *given = put_detection(&records, 0, "pair", "failed",
			    "192.0.2.1", "", i);

			if (i == bad)
				records.bytes.ptr[given->at + given->len / 2] ^= 4;
		}
		assert_true(compare(&records, PAIR, 100, "\"pair\"", &stats));
		assert_int_equal(stats.alerts_early, 16);
		assert_int_equal(stats.damaged, 1);
		buf_free(&records.bytes);
	}
}

/* ---- failures ---- */

/* Until it fails; how many were taken. The rest of the group is forgotten. */
static size_t take_until_failure(struct side *side, const struct record_list *records, bool group)
{
	struct correlate_given given[CORRELATE_GROUP];
	int code = 0;

	for (size_t i = 0; group && i < records->count; i++)
		given[i] = (struct correlate_given){side->correlates[0], record_at(records, i)};
	if (group)
		correlate_group_read(side->group, given, records->count);
	for (size_t i = 0; i < records->count; i++) {
		code = group ? correlate_take(side->group, i, &side->batch, false, NULL)
		    : correlate_record(side->correlates[0], record_at(records, i), &side->batch,
		    false, NULL);
		if (code == 0)
			continue;
		assert_int_equal(code, ERR_MEMORY);
		correlate_group_clear(side->group);
		return i;
	}
	fail_msg("there was memory enough");
	return 0;
}

static void test_failure_within_a_group(void **state)
{
	static struct record_list records;
	struct side one, other;

	(void)state;
	records = (struct record_list){.bytes = BUF(1 << 20)};
	for (unsigned i = 0; i < CORRELATE_GROUP; i++)
		put_detection(&records, 0, "pair", "failed", "192.0.2.1", "", i);
	side_open(&one, PAIR, 100, 16384);
	side_open(&other, PAIR, 100, 16384);
	size_t taken = take_until_failure(&one, &records, false);

	assert_true(taken > 1 && taken < CORRELATE_GROUP - 1);
	assert_int_equal(take_until_failure(&other, &records, true), taken);
	assert_same(&one, &other);
	side_close(&one);
	side_close(&other);
	buf_free(&records.bytes);
}

/* The settled machine too goes on in groups: what it has not come to is still there. */
static void test_failure_while_settling(void **state)
{
	static struct record_list records;
	struct side side;
	struct worker_stats stats = {0};

	(void)state;
	records = (struct record_list){.bytes = BUF(1 << 20)};
	for (unsigned i = 0; i < 100; i++)
		put_detection(&records, 0, "pair", "failed", "192.0.2.1", "", i);
	side_open(&side, PAIR, 100, 16384);
	take_singly(&side, &records);
	records.count = 0;
	put_progress(&records, 0, 200);
	assert_int_equal(take_until_failure(&side, &records, true), 0);
	correlate_count(side.correlates[0], &stats);
	assert_true(stats.pending > 68 && stats.pending < 99);
	for (size_t i = 0; i < stats.pending; i++)
		assert_int_equal(pending_at(side.correlates[0], i)->key.len, 10);
	side_close(&side);
	buf_free(&records.bytes);
}

/* ---- the worker ---- */

static uint64_t town_with_batch(size_t batch, size_t *ret_count)
{
	struct town town;
	char body[128];

	town_open(&town,
	    &(struct town_options){.rules = BASES BRUTE SPRAY BREAKIN, .batch = batch});
	srand(9);
	for (unsigned i = 0; i < 400; i++) {
		int64_t at_ns = TOWN_START + (int64_t)i * SECOND / 4 - rand() % 8 * SECOND;
		unsigned address = (unsigned)rand() % 8;

		if (rand() % 5)
			snprintf(body, sizeof(body), FAIL("192.0.2.%u", "u%u"), address, i % 5);
		else
			snprintf(body, sizeof(body), OK("192.0.2.%u"), address);
		town_send(&town, "web01", at_ns, body);
	}
	town_run(&town);
	town_settle(&town);
	uint64_t settled = town_settled(&town, ret_count);

	town_close(&town);
	return settled;
}

static void test_the_worker_takes_groups(void **state)
{
	static const size_t batches[] = {31, 32, 33, 512};
	size_t count, counted;
	uint64_t settled = town_with_batch(1, &count);

	(void)state;
	assert_true(count > 20);
	for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++) {
		assert_int_equal(town_with_batch(batches[i], &counted), settled);
		assert_int_equal(counted, count);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_something_of_everything),
	    cmocka_unit_test(test_one_window_again_and_again),
	    cmocka_unit_test(test_eviction_within_a_group),
	    cmocka_unit_test(test_damage_within_a_group),
	    cmocka_unit_test(test_failure_within_a_group),
	    cmocka_unit_test(test_failure_while_settling),
	    cmocka_unit_test(test_the_worker_takes_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
