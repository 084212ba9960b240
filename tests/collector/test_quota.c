#include "collector/quota.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define T0 INT64_C(1795328820000000000)

/* What a sender that always wants to send gets through in so many seconds, looking each 5 ms. */
static uint64_t through(const struct quota *quota, uint64_t bytes, int64_t seconds)
{
	struct bucket bucket = {0};
	uint64_t events = 0;

	for (int64_t now_ns = T0; now_ns < T0 + seconds * NS_PER_S; now_ns += 5 * NS_PER_MS) {
		while (quota_wait(&bucket, quota, now_ns) == 0 && events < 10000000) {
			quota_take(&bucket, quota, bytes, now_ns);
			events++;
		}
	}
	return events;
}

static void test_rates(void **state)
{
	static const struct {
		struct quota quota;
		uint64_t bytes;
		int64_t seconds;
		uint64_t least, most;
	} rows[] = {
	    {{100, 0, NS_PER_S}, 10, 10, 1085, 1101},
	    {{100, 0, 5 * NS_PER_S}, 10, 10, 1485, 1501},
	    {{1, 0, NS_PER_S}, 10, 10, 10, 11},
	    /* Less than one at a time is saved up to one. */
	    {{1, 0, NS_PER_MS}, 10, 10, 10, 11},
	    {{1000000, 0, NS_PER_S}, 10, 2, 2980000, 3000001},
	    {{0, 10000, NS_PER_S}, 100, 10, 1085, 1101},
	    /* Whichever is used up first. */
	    {{1000, 10000, NS_PER_S}, 100, 10, 1085, 1101},
	    {{50, 10000, NS_PER_S}, 100, 10, 540, 551},
	    /* An event larger than all that may be saved up comes once, and is paid for. */
	    {{0, 1000, NS_PER_S}, 5000, 11, 2, 3},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t events = through(&rows[i].quota, rows[i].bytes, rows[i].seconds);

		if (events < rows[i].least || events > rows[i].most)
			fail_msg("row %zu: %llu", i, (unsigned long long)events);
	}
}

static void test_none(void **state)
{
	struct quota quota = {0};
	struct bucket bucket = {0};

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		quota_take(&bucket, &quota, 1u << 20, T0);
	assert_int_equal(quota_wait(&bucket, &quota, T0), 0);
}

/* What is owed is waited for, and the wait is long enough. */
static void test_wait(void **state)
{
	struct quota quota = {100, 0, NS_PER_S};
	struct bucket bucket = {0};

	(void)state;
	for (unsigned i = 0; i < 400; i++)
		quota_take(&bucket, &quota, 1, T0);
	int64_t wait_ns = quota_wait(&bucket, &quota, T0);

	assert_true(wait_ns >= 3 * NS_PER_S && wait_ns <= 3 * NS_PER_S + 10 * NS_PER_MS);
	assert_true(quota_wait(&bucket, &quota, T0 + 2 * NS_PER_S) > 0);
	assert_int_equal(quota_wait(&bucket, &quota, T0 + wait_ns + NS_PER_MS), 0);
}

/* A clock that is set back an hour: neither a gift nor an hour's wait. */
static void test_clock_back(void **state)
{
	struct quota quota = {100, 0, NS_PER_S};
	struct bucket bucket = {0};
	int64_t back_ns = T0 - 3600 * NS_PER_S;

	(void)state;
	for (unsigned i = 0; i < 150; i++)
		quota_take(&bucket, &quota, 1, T0);
	int64_t wait_ns = quota_wait(&bucket, &quota, back_ns);

	assert_true(wait_ns > 400 * NS_PER_MS && wait_ns < 600 * NS_PER_MS);
	assert_int_equal(quota_wait(&bucket, &quota, back_ns + 600 * NS_PER_MS), 0);
	/* And never more than the burst, however long it was quiet. */
	quota_wait(&bucket, &quota, back_ns + 86400 * NS_PER_S);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(quota_wait(&bucket, &quota, back_ns + 86400 * NS_PER_S), 0);
		quota_take(&bucket, &quota, 1, back_ns + 86400 * NS_PER_S);
	}
	assert_true(quota_wait(&bucket, &quota, back_ns + 86400 * NS_PER_S) > 0);
}

/* Five quiet seconds save up no more than the burst. */
static void test_burst(void **state)
{
	struct quota quota = {100, 1000, NS_PER_S};
	struct bucket bucket = {0};
	unsigned count = 0;

	(void)state;
	quota_take(&bucket, &quota, 10, T0);
	for (; quota_wait(&bucket, &quota, T0 + 5 * NS_PER_S) == 0; count++)
		quota_take(&bucket, &quota, 1, T0 + 5 * NS_PER_S);
	assert_int_equal(count, 100);
	for (count = 0; quota_wait(&bucket, &quota, T0 + 10 * NS_PER_S) == 0; count++)
		quota_take(&bucket, &quota, 100, T0 + 10 * NS_PER_S);
	assert_int_equal(count, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rates),
	    cmocka_unit_test(test_none),
	    cmocka_unit_test(test_wait),
	    cmocka_unit_test(test_clock_back),
	    cmocka_unit_test(test_burst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
