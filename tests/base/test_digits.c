#include "base/digits.h"

#include "tests/base/unit.h"

#include <inttypes.h>
#include <stdio.h>

static void assert_digits(const char *end, const char *text, const char *want)
{
	assert_int_equal(end - text, strlen(want));
	assert_memory_equal(text, want, strlen(want));
}

/* As printf writes them: around every change of length, and at both ends. */
static void test_like_printf(void **state)
{
	char text[DIGITS_U64], want[40];
	uint64_t power = 1;

	(void)state;
	for (int i = 0; i < 20; i++, power *= 10) {
		for (uint64_t value = power - 1; value <= power + 1; value++) {
			snprintf(want, sizeof(want), "%" PRIu64, value);
			assert_digits(digits_u64(text, value), text, want);
			snprintf(want, sizeof(want), "%" PRId64, (int64_t)-value);
			assert_digits(digits_i64(text, (int64_t)-value), text, want);
			snprintf(want, sizeof(want), "%016" PRIx64, value);
			assert_digits(digits_hex64(text, value), text, want);
		}
	}
	assert_digits(digits_u64(text, UINT64_MAX), text, "18446744073709551615");
	assert_digits(digits_i64(text, INT64_MIN), text, "-9223372036854775808");
	assert_digits(digits_i64(text, INT64_MAX), text, "9223372036854775807");
}

static void test_padded(void **state)
{
	char text[16];

	(void)state;
	assert_digits(digits_padded(text, 7, 2), text, "07");
	assert_digits(digits_padded(text, 123456789, 9), text, "123456789");
	assert_digits(digits_padded(text, 0, 4), text, "0000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_like_printf),
	    cmocka_unit_test(test_padded),
	};

	return cmocka_run_group_tests_name("digits", tests, NULL, NULL);
}
