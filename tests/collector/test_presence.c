#include "collector/presence.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define T0 INT64_C(1795328820000000000)

/* A row that gets events evenly, and is looked at each ten seconds. */
struct bench {
	struct identity_of identity;
	struct ledger_row row;
	int64_t now_ns;
	double owed;
	unsigned news[4];
};

static void begin(struct bench *bench, int64_t silent_s, uint32_t silent_times, uint32_t loud_times)
{
	*bench = (struct bench){.identity = {.silent_ns = silent_s * NS_PER_S,
				    .silent_times = silent_times, .loud_times = loud_times},
	    .now_ns = T0};
	bench->row.identity = &bench->identity;
}

/* For so long, so many events a second. */
static void pass(struct bench *bench, int64_t seconds, double rate)
{
	for (int64_t s = 0; s < seconds; s += 10) {
		bench->now_ns += 10 * NS_PER_S;
		bench->owed += rate * 10;
		uint64_t count = (uint64_t)bench->owed;

		bench->owed -= (double)count;
		bench->row.counts.received += count;
		if (count > 0)
			bench->row.counts.last_ns = bench->now_ns - NS_PER_S;
		bench->news[presence_look(&bench->row, bench->now_ns)]++;
	}
}

static void assert_news(struct bench *bench, unsigned silent, unsigned loud, unsigned back)
{
	assert_int_equal(bench->news[PRESENCE_SILENT], silent);
	assert_int_equal(bench->news[PRESENCE_LOUD], loud);
	assert_int_equal(bench->news[PRESENCE_BACK], back);
}

static void test_silent(void **state)
{
	struct bench bench;

	(void)state;
	begin(&bench, 900, 10, 0);
	pass(&bench, 1800, 2);
	pass(&bench, 890, 0);
	assert_news(&bench, 0, 0, 0);
	pass(&bench, 20, 0);
	assert_news(&bench, 1, 0, 0);
	assert_true(bench.row.counts.silent);
	/* Once, however long; and once that it is back. */
	pass(&bench, 86400, 0);
	assert_news(&bench, 1, 0, 0);
	pass(&bench, 600, 2);
	assert_news(&bench, 1, 0, 1);
	assert_false(bench.row.counts.silent);
	pass(&bench, 910, 0);
	assert_news(&bench, 2, 0, 1);
}

/* One event an hour: a quarter of an hour without any is nothing, ten hours are. */
static void test_seldom(void **state)
{
	struct bench bench;

	(void)state;
	begin(&bench, 900, 10, 0);
	pass(&bench, 20 * 3600, 1. / 3600);
	/* Until the second event nobody can know that it is usual. */
	assert_news(&bench, 1, 0, 1);
	pass(&bench, 8 * 3600, 0);
	assert_news(&bench, 1, 0, 1);
	pass(&bench, 4 * 3600, 0);
	assert_news(&bench, 2, 0, 1);
}

static void test_unasked(void **state)
{
	struct bench bench;

	(void)state;
	begin(&bench, 0, 10, 0);
	pass(&bench, 3600, 100);
	pass(&bench, 86400, 0);
	pass(&bench, 3600, 100000);
	assert_news(&bench, 0, 0, 0);
	/* Nothing was ever heard of it. */
	begin(&bench, 10, 1, 2);
	pass(&bench, 86400, 0);
	assert_news(&bench, 0, 0, 0);
}

static void test_loud(void **state)
{
	static const struct {
		double usual, then;
		int64_t known_s, seconds;
		unsigned loud, back;
	} rows[] = {
	    {20, 190, 3600, 600, 0, 0}, /* not ten times */
	    {20, 260, 3600, 50, 0, 0},  /* not for a minute */
	    {20, 260, 3600, 60, 1, 1},
	    {20, 260, 3600, 7200, 1, 1}, /* once, and never what is usual */
	    {20, 260, 300, 600, 0, 0},   /* not known long enough */
	    {0.1, 9, 3600, 600, 0, 0},   /* ten an hour more are no flood */
	    {0.1, 11, 3600, 600, 1, 1},
	    {0, 50, 3600, 600, 1, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bench bench;

		begin(&bench, 0, 10, 10);
		pass(&bench, 10, 1);
		pass(&bench, rows[i].known_s, rows[i].usual);
		pass(&bench, rows[i].seconds, rows[i].then);
		if (bench.news[PRESENCE_LOUD] != rows[i].loud)
			fail_msg("row %zu: %u", i, bench.news[PRESENCE_LOUD]);
		assert_true(bench.row.counts.loud == (rows[i].loud > 0));
		pass(&bench, 60, rows[i].usual);
		assert_news(&bench, 0, rows[i].loud, rows[i].back);
		assert_false(bench.row.counts.loud);
	}
}

/* A rate that grows slowly is usual at each time. */
static void test_growth(void **state)
{
	struct bench bench;

	(void)state;
	begin(&bench, 0, 10, 3);
	for (double rate = 20; rate < 20000; rate *= 1.2)
		pass(&bench, 1800, rate);
	assert_news(&bench, 0, 0, 0);
}

static void test_clock_back(void **state)
{
	struct bench bench;

	(void)state;
	begin(&bench, 900, 10, 10);
	pass(&bench, 1800, 20);
	bench.now_ns -= 3600 * NS_PER_S;
	pass(&bench, 1800, 20);
	assert_news(&bench, 0, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_silent),
	    cmocka_unit_test(test_seldom),
	    cmocka_unit_test(test_unasked),
	    cmocka_unit_test(test_loud),
	    cmocka_unit_test(test_growth),
	    cmocka_unit_test(test_clock_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
