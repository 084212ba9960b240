#include "base/civil.h"

#include "base/clock.h"

#include "tests/base/unit.h"

#include <stdlib.h>
#include <time.h>

/* The C library is the other opinion, over all that fits in 64 bits of nanoseconds. */
static void test_against_timegm(void **state)
{
	(void)state;
	for (int64_t s = -9214000000; s < 9214000000; s += 86400 * 5 + 12345) {
		time_t time = (time_t)s;
		struct tm tm;
		struct civil c = civil_from_ns(s * NS_PER_S + 7, 0);

		assert_non_null(gmtime_r(&time, &tm));
		assert_int_equal(c.year, tm.tm_year + 1900);
		assert_int_equal(c.month, tm.tm_mon + 1);
		assert_int_equal(c.day, tm.tm_mday);
		assert_int_equal(c.hour, tm.tm_hour);
		assert_int_equal(c.minute, tm.tm_min);
		assert_int_equal(c.second, tm.tm_sec);
		assert_int_equal(c.ns, 7);
		assert_true(timegm(&tm) * NS_PER_S + 7 == civil_to_ns(&c, 0));
	}
}

static void test_every_day_of_two_centuries(void **state)
{
	int64_t day = 0;

	(void)state;
	for (int year = 1970; year < 2262; year++) {
		for (int month = 1; month <= 12; month++) {
			for (int d = 1; d <= civil_month_days(year, month); d++, day++) {
				struct civil c = {year, month, d, 0, 0, 0, 0};

				assert_true(civil_is_valid(&c));
				assert_true(civil_to_ns(&c, 0) == day * 86400 * NS_PER_S);
			}
		}
	}
}

static void test_valid(void **state)
{
	static const struct {
		struct civil civil;
		bool valid;
	} rows[] = {
	    {{2024, 2, 29, 0, 0, 0, 0}, true},
	    {{2023, 2, 29, 0, 0, 0, 0}, false},
	    {{1900, 2, 29, 0, 0, 0, 0}, false},
	    {{2000, 2, 29, 0, 0, 0, 0}, true},
	    {{2026, 12, 31, 23, 59, 60, 999999999}, true},
	    {{2026, 12, 31, 23, 59, 61, 0}, false},
	    {{2026, 0, 1, 0, 0, 0, 0}, false},
	    {{2026, 13, 1, 0, 0, 0, 0}, false},
	    {{2026, 4, 31, 0, 0, 0, 0}, false},
	    {{2026, 1, 1, 24, 0, 0, 0}, false},
	    {{0, 1, 1, 0, 0, 0, 0}, false},
	    {{2026, 1, 1, 0, 0, 0, 1000000000}, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_int_equal(civil_is_valid(&rows[i].civil), rows[i].valid);
}

static void test_zone_and_ends(void **state)
{
	struct civil hanoi = {2026, 11, 22, 13, 27, 0, 0};
	struct civil utc = {2026, 11, 22, 6, 27, 0, 0};
	struct civil leap = {2016, 12, 31, 23, 59, 60, 0}, after = {2017, 1, 1, 0, 0, 0, 0};
	struct civil first = {1, 1, 1, 0, 0, 0, 0}, last = {9999, 12, 31, 23, 59, 59, 0};

	(void)state;
	assert_true(civil_to_ns(&hanoi, 25200) == civil_to_ns(&utc, 0));
	assert_true(civil_to_ns(&leap, 0) == civil_to_ns(&after, 0));
	assert_true(civil_to_ns(&first, 0) == INT64_MIN);
	assert_true(civil_to_ns(&last, 0) == INT64_MAX);
	assert_int_equal(civil_from_ns(INT64_MIN, 0).year, 1677);
	assert_int_equal(civil_from_ns(INT64_MAX, 0).year, 2262);
}

static void test_format(void **state)
{
	struct civil c = {2026, 11, 22, 6, 27, 0, 123456789};
	int64_t ns = civil_to_ns(&c, 0);
	char out[CIVIL_TEXT];

	(void)state;
	assert_str(civil_format(ns, 0, 0, out), "2026-11-22T06:27:00Z");
	assert_str(civil_format(ns, 0, 3, out), "2026-11-22T06:27:00.123Z");
	assert_str(civil_format(ns, 25200, 9, out), "2026-11-22T13:27:00.123456789+07:00");
	assert_str(civil_format(ns, -12600, 6, out), "2026-11-22T02:57:00.123456-03:30");
	assert_str(civil_format(-1, 0, 9, out), "1969-12-31T23:59:59.999999999Z");
}

static void test_clock(void **state)
{
	(void)state;
	assert_true(clock_wall_ns() > INT64_C(1600000000) * NS_PER_S);
	int64_t before = clock_monotonic_ns(), cpu = clock_cpu_ns();

	assert_true(clock_monotonic_ns() >= before);
	assert_true(clock_cpu_ns() >= cpu && cpu >= 0);
	setenv("TZ", "ICT-7", 1);
	assert_int_equal(clock_zone_s(0), 25200);
	setenv("TZ", "NST3:30", 1);
	assert_int_equal(clock_zone_s(0), -12600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_against_timegm),
	    cmocka_unit_test(test_every_day_of_two_centuries),
	    cmocka_unit_test(test_valid),
	    cmocka_unit_test(test_zone_and_ends),
	    cmocka_unit_test(test_format),
	    cmocka_unit_test(test_clock),
	};

	return cmocka_run_group_tests_name("civil", tests, NULL, NULL);
}
