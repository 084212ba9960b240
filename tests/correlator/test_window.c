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
		    .condition = {needed, UINT64_MAX}, .timespan_ns = 50};
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
		    .condition = {cases[c].needed, UINT64_MAX}, .timespan_ns = 60};
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
	    .condition = {4, UINT64_MAX}, .timespan_ns = 20};
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
	    cmocka_unit_test(test_event_count_as_defined),
	    cmocka_unit_test(test_groups_taking_turns),
	    cmocka_unit_test(test_value_count_as_defined),
	    cmocka_unit_test(test_temporal_ordered_as_defined),
	    cmocka_unit_test(test_watermark_clamps_and_merges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
