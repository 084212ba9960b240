#include "base/metrics.h"

#include "base/utf8.h"

#include "tests/base/unit.h"

#include <pthread.h>
#include <stdio.h>

static struct buf out;

static int set_up(void **state)
{
	(void)state;
	metrics_reset();
	out = BUF(1u << 20);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	buf_free(&out);
	return 0;
}

static bool contains(const char *text)
{
	return str_find(buf_str(&out), str_of(text)) != STR_NOT_FOUND;
}

static size_t occurrences(const char *text)
{
	struct str rest = buf_str(&out);
	size_t count = 0, at;

	while ((at = str_find(rest, str_of(text))) != STR_NOT_FOUND) {
		count++;
		rest = str_slice(rest, at + 1, rest.len);
	}
	return count;
}

static void test_values(void **state)
{
	(void)state;
	metrics_add(METRIC_MATCHES, 3);
	metrics_add(METRIC_MATCHES, 4);
	metrics_set(METRIC_WINDOW_GROUPS, 9);
	metrics_set(METRIC_WINDOW_GROUPS, 5);
	metrics_add_by(METRIC_EVENTS_REFUSED, STR("too long"), 2);
	metrics_add_by(METRIC_EVENTS_REFUSED, STR("empty"), 1);
	metrics_add_by(METRIC_EVENTS_REFUSED, STR("too long"), 2);
	assert_int_equal(metrics_get(METRIC_MATCHES), 7);
	assert_int_equal(metrics_get(METRIC_WINDOW_GROUPS), 5);
	assert_int_equal(metrics_get(METRIC_EVENTS_REFUSED), 5);
	assert_int_equal(metrics_get_by(METRIC_EVENTS_REFUSED, STR("too long")), 4);
	assert_int_equal(metrics_get_by(METRIC_EVENTS_REFUSED, STR("none")), 0);
	metrics_measure();
	assert_true(metrics_get(METRIC_RESIDENT_BYTES) > 100000);
	metrics_reset();
	assert_int_equal(metrics_get(METRIC_EVENTS_REFUSED) + metrics_get(METRIC_MATCHES), 0);
}

static void test_exposition(void **state)
{
	(void)state;
	metrics_add(METRIC_MATCHES, 3);
	metrics_add_by(METRIC_EVENTS_REFUSED, STR("a\"b\\c\nd"), 1);
	metrics_write(&out, STR("correlate"), LANGUAGE_ENGLISH);
	assert_true(contains("# HELP tocsin_matches_total Matches of rules on events\n"
			     "# TYPE tocsin_matches_total counter\n"
			     "tocsin_matches_total{stage=\"correlate\"} 3\n"));
	assert_true(contains("tocsin_window_groups{stage=\"correlate\"} 0\n"));
	assert_true(contains(
	    "tocsin_events_refused_total{stage=\"correlate\",reason=\"a\\\"b\\\\c\\nd\"} 1\n"));
	assert_int_equal(occurrences("# TYPE "), METRIC_COUNT);
	buf_clear(&out);
	metrics_write(&out, STR_NONE, LANGUAGE_VIETNAMESE);
	assert_true(contains("\ntocsin_matches_total 3\n"));
	assert_true(contains("tocsin_events_refused_total{reason=\""));
	assert_true(utf8_is_valid(buf_str(&out)) && contains("Số lần luật khớp"));
}

static void test_join(void **state)
{
	struct buf one = BUF(1u << 20), two = BUF(1u << 20);

	(void)state;
	metrics_add(METRIC_MATCHES, 3);
	metrics_write(&one, STR("correlate"), LANGUAGE_ENGLISH);
	metrics_reset();
	metrics_add(METRIC_STORE_COMMITS, 8);
	metrics_write(&two, STR("store"), LANGUAGE_ENGLISH);
	buf_str_put(&two, STR("foreign_metric 5\ntocsin_matches_total_of_others 1\n"));
	struct str texts[] = {buf_str(&one), buf_str(&two)};

	metrics_join(&out, texts, 2, LANGUAGE_ENGLISH);
	assert_true(contains("# TYPE tocsin_matches_total counter\n"
			     "tocsin_matches_total{stage=\"correlate\"} 3\n"
			     "tocsin_matches_total{stage=\"store\"} 0\n#"));
	assert_int_equal(occurrences("# TYPE "), METRIC_COUNT);
	assert_false(contains("foreign") || contains("of_others"));
	buf_free(&one);
	buf_free(&two);
}

/* More labels than there are slots: nothing is lost, the rest is "other". */
static void test_label_ceiling(void **state)
{
	char label[32];

	(void)state;
	for (int i = 0; i < 5000; i++) {
		int len = snprintf(label, sizeof(label), "reason %d", i);

		metrics_add_by(METRIC_EVENTS_REFUSED, str_from(label, (size_t)len), 1);
	}
	assert_int_equal(metrics_get(METRIC_EVENTS_REFUSED), 5000);
	assert_true(metrics_get_by(METRIC_EVENTS_REFUSED, STR("other")) > 4000);
	assert_int_equal(metrics_get_by(METRIC_EVENTS_REFUSED, STR("reason 0")), 1);
}

static void *count(void *argument)
{
	for (int i = 0; i < 20000; i++) {
		metrics_add(METRIC_MATCHES, 1);
		metrics_add_by(METRIC_EVENTS_REFUSED, STR("empty"), 1);
	}
	return argument;
}

static void test_threads(void **state)
{
	pthread_t threads[4];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(metrics_get(METRIC_MATCHES), 80000);
	assert_int_equal(metrics_get(METRIC_EVENTS_REFUSED), 80000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_values),
	    TEST(test_exposition),
	    TEST(test_join),
	    TEST(test_label_ceiling),
	    TEST(test_threads),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
