#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "correlator/correlate_type.h"
#include "correlator/watermark.h"

static struct window *window_for(struct window_table *table, unsigned group)
{
	char key[16];
	int len = snprintf(key, sizeof(key), "%u", group);

	return window_get(table, group % 3, str_from(key, (size_t)len));
}

static void test_table_finds_evicts_and_expires(void **state)
{
	struct window_table table;

	(void)state;
	assert_true(window_table_begin(&table, 3, 1000));
	for (unsigned i = 0; i < 1000; i++)
		window_for(&table, i)->latest_ns = i;
	struct window *kept = window_for(&table, 0);

	for (unsigned i = 1000; i < 1500; i++)
		window_for(&table, i)->latest_ns = i;
	assert_int_equal(table.count, 1000);
	assert_int_equal(table.evicted, 500);
	/* Touched again, so others were older. */
	assert_ptr_equal(window_find(&table, 0, STR("0")), kept);
	assert_null(window_find(&table, 1, STR("1")));
	assert_non_null(window_find(&table, 1499 % 3, STR("1499")));
	assert_null(window_find(&table, 0, STR("1499"))); /* another correlation's */
	window_remove(&table, kept);
	for (uint32_t i = 0; i < 3; i++)
		window_expire(&table, i, 1400);
	assert_int_equal(table.count, 100);
	window_table_end(&table);
}

static bool marks_in_order(const struct window *window, uint32_t index)
{
	struct mark before = window_mark(window, index - 1), mark = window_mark(window, index);

	return mark_compare(&before, &mark) < 0;
}

/* In whatever order they come and go, the marks stay sorted. */
static void test_marks_are_sorted(void **state)
{
	struct window_table table;

	(void)state;
	srand(3);
	assert_true(window_table_begin(&table, 1, 10));
	struct window *window = window_get(&table, 0, STR("k"));

	for (unsigned i = 0; i < 5000; i++) {
		struct mark mark = {.time_ns = rand() % 100, .at = {1, 1, i}};

		assert_true(window_insert(window, &mark));
		if (window->count > 9 && i % 2)
			window_drop_first(window);
		if (window->count > 9)
			window_drop(window, (uint32_t)rand() % window->count);
		for (uint32_t n = 1; n < window->count; n++)
			assert_true(marks_in_order(window, n));
	}
	window_table_end(&table);
}

static void insert_some(struct window *window, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct mark mark = {.time_ns = i, .at = {1, 1, i}};

		assert_true(window_insert(window, &mark));
	}
}

/* Bounded in memory as in number: large windows drive others out, and one that is alone itself. */
static void test_memory_is_bounded(void **state)
{
	const size_t most = 20000 * WINDOW_BYTES;
	struct window_table table;

	(void)state;
	assert_true(window_table_begin(&table, 3, 20000));
	for (unsigned i = 0; i < 3000; i++) {
		insert_some(window_for(&table, i), 200);
		assert_true(table.pool.taken <= most);
	}
	/* Those that are left are the last, and whole. */
	assert_true(table.evicted > 1000 && table.count == 3000 - table.evicted);
	for (unsigned i = 0; i < 3000; i++) {
		char key[16];
		int len = snprintf(key, sizeof(key), "%u", i);
		const struct window *window =
		    window_find(&table, i % 3, str_from(key, (size_t)len));

		assert_true((window != NULL) == (i >= table.evicted));
		assert_true(window == NULL || window->count == 200);
	}
	size_t evicted = table.evicted, count = table.count;

	struct window *window = window_for(&table, 5000);

	insert_some(window, 400000);
	assert_int_equal(table.count, 1);
	assert_true(table.evicted > evicted + count);
	assert_true(table.pool.taken <= most && window->count > 90000);
	assert_int_equal(window_mark(window, window->count - 1).time_ns, 399999);
	window_remove(&table, window);
	assert_int_equal(table.pool.taken, 0);
	assert_true(table.pool.held <= POOL_CHUNK);
	window_table_end(&table);
}

/* Whoever goes is the one that was touched longest ago, of all correlations. */
static void test_the_oldest_goes(void **state)
{
	uint64_t touched[200] = {0};
	struct window_table table;
	unsigned alive = 0;

	(void)state;
	srand(5);
	assert_true(window_table_begin(&table, 3, 64));
	for (uint64_t now = 1; now < 4000; now++) {
		unsigned group = (unsigned)rand() % (now % 1000 < 500 ? 60 : 200), oldest = 200;

		if (touched[group] == 0 && alive++ == 64) {
			for (unsigned i = 0; i < 200; i++)
				if (touched[i] != 0 &&
				    (oldest == 200 || touched[i] < touched[oldest]))
					oldest = i;
			touched[oldest] = 0;
			alive--;
		}
		touched[group] = now;
		window_for(&table, group);
		for (unsigned i = 0; i < 200; i++) {
			char key[16];
			int len = snprintf(key, sizeof(key), "%u", i);

			assert_true((window_find(&table, i % 3, str_from(key, (size_t)len)) !=
			    NULL) == (touched[i] != 0));
		}
	}
	assert_true(table.evicted > 1000);
	window_table_end(&table);
}

/* The count of touches comes to its end: who was touched longest ago goes first all the same. */
static void test_touches_without_end(void **state)
{
	struct window_table table;

	(void)state;
	assert_true(window_table_begin(&table, 3, 64));
	for (unsigned i = 0; i < 64; i++)
		window_for(&table, i);
	table.order.touches = STAMP_TOUCHES_MAX - 20;
	for (unsigned i = 0; i < 32; i++)
		window_for(&table, i);
	for (unsigned i = 64; i < 96; i++)
		window_for(&table, i);
	assert_int_equal(table.evicted, 32);
	for (unsigned i = 0; i < 96; i++) {
		char key[16];
		int len = snprintf(key, sizeof(key), "%u", i);

		assert_true((window_find(&table, i % 3, str_from(key, (size_t)len)) != NULL) ==
		    (i < 32 || i >= 64));
	}
	window_table_end(&table);
}

/* ---- keys that somebody chose ---- */

#define CHOSEN 300u

/* Keys that all go the same way from bucket to bucket under that key. */
static unsigned chosen_keys(const struct window_table *table, unsigned *ret)
{
	unsigned found = 0;

	for (unsigned i = 0; found < CHOSEN; i++) {
		char key[16];
		int len = snprintf(key, sizeof(key), "%u", i);

		struct hash128 hash = window_name(table, 0, str_from(key, (size_t)len)).hash;

		if ((hash.high & 31) == 0 && (hash.low >> 8 & 15) == 0)
			ret[found++] = i;
	}
	return found;
}

static size_t distance_with(const unsigned *keys, unsigned count, struct hash_key hash_key)
{
	struct window_table table;

	assert_true(window_table_begin(&table, 1, 1000000));
	table.key = hash_key;
	for (unsigned i = 0; i < count; i++) {
		char key[16];
		int len = snprintf(key, sizeof(key), "%u", keys != NULL ? keys[i] : i);

		assert_non_null(window_get(&table, 0, str_from(key, (size_t)len)));
	}
	assert_int_equal(table.count, count);
	size_t distance = window_table_distance(&table);

	window_table_end(&table);
	return distance;
}

/*
 * Who knows the key makes keys that fill one bucket after the other; who does not, and takes those
 * of another process or any series of them, makes nothing longer than chance does.
 */
static void test_keys_that_somebody_chose(void **state)
{
	static unsigned keys[CHOSEN];
	struct window_table table = {.key = {11, 12}};

	(void)state;
	assert_int_equal(chosen_keys(&table, keys), CHOSEN);
	assert_true(distance_with(keys, CHOSEN, table.key) >= 20);
	for (uint64_t i = 0; i < 8; i++)
		assert_true(distance_with(keys, CHOSEN, (struct hash_key){i, 99}) <= 8);
	assert_true(distance_with(keys, CHOSEN, hash_process_key()) <= 8);
	assert_true(distance_with(NULL, 300000, hash_process_key()) <= 16);
}

/* ---- what a type holds, and when it fires, beside the plain definition ---- */

static enum feed_result feed(struct window_table *table, const struct correlation *correlation,
    int64_t time_s, uint64_t value, uint32_t step, uint64_t number, uint32_t *ret_count)
{
	struct window *window = window_get(table, 0, STR("k"));
	struct mark mark = {.time_ns = time_s, .at = {1, 1, number}, .value = value};
	enum feed_result result =
	    correlate_type(correlation->type)->feed(window, correlation, &mark, step);

	*ret_count = window->count;
	if (result == FEED_FIRE)
		window_remove(table, window);
	return result;
}

static void test_event_count_as_defined(void **state)
{
	(void)state;
	srand(11);
	for (uint64_t needed = 1; needed <= 20; needed++) {
		struct correlation correlation = {.type = CORRELATION_EVENT_COUNT,
		    .condition = {.min = needed}, .timespan_ns = 50};
		struct window_table table;
		int64_t times[2000], now = 0;
		uint32_t held, since = 0;

		assert_true(window_table_begin(&table, 1, 10));
		for (uint32_t i = 0; i < 2000; i++) {
			times[i] = now += rand() % 6;
			/* Plainly: are there needed since the last firing, within the timespan? */
			bool fires = i + 1 - since >= needed &&
			    times[i] - times[i + 1 - needed] <= 50;

			assert_int_equal(feed(&table, &correlation, now, 0, 0, i, &held),
			    fires ? FEED_FIRE : FEED_WAIT);
			assert_true(held <= needed);
			if (fires)
				since = i + 1;
		}
		window_table_end(&table);
	}
}

/* However many groups take turns, none is forgotten for the others, and each fires once. */
static void test_groups_taking_turns(void **state)
{
	static const struct {
		unsigned groups, needed;
	} cases[] = {{1, 5}, {10, 5}, {100, 5}, {10000, 5}, {100000, 5}, {1000000, 2}};

	(void)state;
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		const struct correlation correlation = {.type = CORRELATION_EVENT_COUNT,
		    .condition = {.min = cases[c].needed}, .timespan_ns = 60};
		struct window_table table;
		unsigned groups = cases[c].groups, fired = 0;

		assert_true(window_table_begin(&table, 3, groups));
		for (unsigned i = 0; i < cases[c].needed * groups; i++) {
			struct window *window = window_for(&table, i % groups);
			struct mark mark = {.time_ns = i / groups, .at = {1, 1, i}};

			if (correlate_type(correlation.type)->feed(
				window, &correlation, &mark, 0) != FEED_FIRE)
				continue;
			assert_true(i >= (cases[c].needed - 1) * groups);
			window_remove(&table, window);
			fired++;
		}
		assert_int_equal(fired, groups);
		assert_int_equal(table.evicted, 0);
		assert_int_equal(table.count, 0);
		window_table_end(&table);
	}
}

static void test_value_count_as_defined(void **state)
{
	struct correlation correlation = {.type = CORRELATION_VALUE_COUNT,
	    .condition = {.min = 4}, .timespan_ns = 20};
	struct window_table table;
	int64_t times[3000], now = 0;
	uint64_t values[3000];
	uint32_t held, since = 0, fired = 0;

	(void)state;
	srand(12);
	assert_true(window_table_begin(&table, 1, 10));
	for (uint32_t i = 0; i < 3000; i++) {
		bool has[6] = {false};
		unsigned distinct = 0;

		times[i] = now += rand() % 8;
		values[i] = (uint64_t)rand() % 6;
		for (uint32_t n = since; n <= i; n++)
			if (times[i] - times[n] <= 20 && !has[values[n]])
				distinct += has[values[n]] = true;
		assert_int_equal(feed(&table, &correlation, now, values[i], 0, i, &held),
		    distinct >= 4 ? FEED_FIRE : FEED_WAIT);
		if (distinct >= 4) {
			since = i + 1;
			fired++;
		}
	}
	assert_true(fired > 50);
	window_table_end(&table);
}

/* Is there a chain of all steps, in order, that ends with event i and began within the timespan? */
static bool chain_ends_at(const int64_t *times, const uint32_t *steps, uint32_t since, uint32_t i,
    uint32_t step, int64_t begin)
{
	if (steps[i] != step || times[i] < begin)
		return false;
	if (step == 0)
		return true;
	for (uint32_t n = since; n < i; n++)
		if (chain_ends_at(times, steps, since, n, step - 1, begin))
			return true;
	return false;
}

static void test_temporal_ordered_as_defined(void **state)
{
	struct correlation correlation = {.type = CORRELATION_TEMPORAL_ORDERED, .rule_count = 4,
	    .timespan_ns = 30};
	struct window_table table;
	int64_t times[4000], now = 0;
	uint32_t steps[4000], held, since = 0, fired = 0;

	(void)state;
	srand(13);
	assert_true(window_table_begin(&table, 1, 10));
	for (uint32_t i = 0; i < 4000; i++) {
		times[i] = now += rand() % 7;
		steps[i] = (uint32_t)rand() % 4;
		bool fires = chain_ends_at(times, steps, since, i, 3, now - 30);

		assert_int_equal(feed(&table, &correlation, now, 0, steps[i], i, &held),
		    fires ? FEED_FIRE : FEED_WAIT);
		assert_true(held <= 10);
		if (fires) {
			assert_int_equal(held, 4);
			since = i + 1;
			fired++;
		}
	}
	assert_true(fired > 50);
	window_table_end(&table);
}

static void test_watermark_clamps_and_merges(void **state)
{
	const struct {
		int64_t event_ns, received_ns, skew_ns, result;
		bool skewed;
	} rows[] = {
	    {100, 105, 5, 100, false}, {99, 105, 5, 105, true}, {110, 105, 5, 110, false},
	    {111, 105, 5, 105, true}, {INT64_MIN, INT64_MAX, 5, INT64_MAX, true},
	    {INT64_MAX, INT64_MIN, 5, INT64_MIN, true}, {INT64_MIN, 7, -1, INT64_MIN, false},
	};
	struct watermark watermark;
	bool skewed;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(watermark_clamp(rows[i].event_ns, rows[i].received_ns,
		    rows[i].skew_ns, &skewed), rows[i].result);
		assert_int_equal(skewed, rows[i].skewed);
	}
	watermark_begin(&watermark, 3);
	assert_false(watermark_hear(&watermark, &(struct progress){.partition = 0, .time_ns = 10}));
	assert_false(watermark_hear(&watermark, &(struct progress){.partition = 1, .time_ns = 20}));
	assert_true(watermark_hear(&watermark, &(struct progress){.partition = 2, .idle = true}));
	assert_int_equal(watermark.now_ns, 10);
	assert_true(watermark_hear(&watermark, &(struct progress){.partition = 0, .time_ns = 30}));
	assert_int_equal(watermark.now_ns, 20);
	/* Never back: neither by an older word, nor by one that wakes up behind. */
	assert_false(watermark_hear(&watermark, &(struct progress){.partition = 1, .time_ns = 5}));
	assert_false(watermark_hear(&watermark, &(struct progress){.partition = 2, .time_ns = 1}));
	assert_int_equal(watermark.now_ns, 20);
	assert_false(watermark_hear(&watermark, &(struct progress){.partition = 3, .time_ns = 99}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table_finds_evicts_and_expires),
	    cmocka_unit_test(test_marks_are_sorted),
	    cmocka_unit_test(test_memory_is_bounded),
	    cmocka_unit_test(test_the_oldest_goes),
	    cmocka_unit_test(test_touches_without_end),
	    cmocka_unit_test(test_keys_that_somebody_chose),
	    cmocka_unit_test(test_event_count_as_defined),
	    cmocka_unit_test(test_groups_taking_turns),
	    cmocka_unit_test(test_value_count_as_defined),
	    cmocka_unit_test(test_temporal_ordered_as_defined),
	    cmocka_unit_test(test_watermark_clamps_and_merges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
