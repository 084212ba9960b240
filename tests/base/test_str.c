#include "base/str.h"

#include "tests/base/unit.h"

static void test_compare(void **state)
{
	(void)state;
	assert_true(str_eq(STR("a\0b"), STR("a\0b")));
	assert_false(str_eq(STR("a\0b"), STR("a\0c")));
	assert_true(str_eq(STR_NONE, STR("")));
	assert_true(str_eq_fold(STR("SSHD"), STR("sshd")));
	assert_false(str_eq_fold(STR("sshd"), STR("sshd2")));
	assert_false(str_eq_fold(STR("["), STR("{"))); /* 0x5B and 0x7B: no letters */
	assert_true(str_compare(STR("a"), STR("ab")) < 0);
	assert_true(str_compare(STR("b"), STR("ab")) > 0);
	assert_true(str_compare(STR("\xff"), STR("a")) > 0);
	assert_int_equal(str_compare(STR_NONE, STR("")), 0);
	assert_true(str_starts(STR("tocsin"), STR("")));
	assert_true(str_ends(STR("a.yml"), STR(".yml")));
	assert_false(str_ends(STR("yml"), STR(".yml")));
	assert_false(str_starts_fold(STR("v"), STR("vi")));
}

static void test_find(void **state)
{
	(void)state;
	assert_int_equal(str_find(STR("a\0bc"), STR("bc")), 2);
	assert_int_equal(str_find(STR("abc"), STR("")), 0);
	assert_true(str_find(STR("abc"), STR("abcd")) == STR_NOT_FOUND);
	assert_true(str_find(STR_NONE, STR("x")) == STR_NOT_FOUND);
	assert_int_equal(str_find_char(STR("a:b:c"), ':'), 1);
	assert_int_equal(str_find_last(STR("a:b:c"), ':'), 3);
	assert_true(str_find_char(STR_NONE, ':') == STR_NOT_FOUND);
	assert_true(str_find_last(STR("abc"), ':') == STR_NOT_FOUND);
	assert_str(str_trim(STR(" \t\r\nab c\v\f ")), "ab c");
	assert_str(str_trim(STR(" \t ")), "");
	assert_str(str_slice(STR("abc"), 1, 99), "bc");
	assert_str(str_slice(STR("abc"), 5, 2), "");
}

static void test_cut(void **state)
{
	static const char *const pieces[] = {"a", "", "b", ""};
	struct str rest = STR("a,,b,"), head;
	size_t count = 0;

	(void)state;
	while (str_cut(&rest, ',', &head)) {
		assert_true(count < COUNT_OF(pieces));
		assert_true(str_eq(head, str_of(pieces[count++])));
	}
	assert_int_equal(count, COUNT_OF(pieces));
	assert_null(rest.ptr);
}

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		bool u64, i64;
		uint64_t u;
		int64_t i;
	} rows[] = {
	    {"0", true, true, 0, 0},
	    {"007", true, true, 7, 7},
	    {"-5", false, true, 0, -5},
	    {"18446744073709551615", true, false, UINT64_MAX, 0},
	    {"18446744073709551616", false, false, 0, 0},
	    {"9223372036854775807", true, true, INT64_MAX, INT64_MAX},
	    {"9223372036854775808", true, false, 9223372036854775808u, 0},
	    {"-9223372036854775808", false, true, 0, INT64_MIN},
	    {"-9223372036854775809", false, false, 0, 0},
	    {"", false, false, 0, 0},
	    {"-", false, false, 0, 0},
	    {"+1", false, false, 0, 0},
	    {"1 ", false, false, 0, 0},
	    {"0x1", false, false, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		uint64_t u = 0;
		int64_t s = 0;

		assert_int_equal(str_to_u64(str_of(rows[i].text), &u), rows[i].u64);
		assert_int_equal(str_to_i64(str_of(rows[i].text), &s), rows[i].i64);
		assert_true(u == rows[i].u && s == rows[i].i);
	}
}

static void test_double(void **state)
{
	static const char *const bad[] = {"", "inf", "nan", "0x10", "+1", "1e", "1 ", "1-", "--1"};
	double value = 0;

	(void)state;
	assert_true(str_to_double(STR("-12.5e1"), &value));
	assert_true(value > -125.1 && value < -124.9);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_false(str_to_double(str_of(bad[i]), &value));
	assert_false(str_to_double(STR("1\0"), &value));
}

static void test_bytes(void **state)
{
	uint8_t bytes[3];

	(void)state;
	assert_true(str_to_bytes(STR("00fFa9"), bytes, 3));
	assert_memory_equal(bytes, "\x00\xff\xa9", 3);
	assert_false(str_to_bytes(STR("00fFa"), bytes, 3));
	assert_false(str_to_bytes(STR("00fFag"), bytes, 3));
	assert_int_equal(char_hex('g'), -1);
	assert_int_equal(char_hex('F'), 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_compare),
	    cmocka_unit_test(test_find),
	    cmocka_unit_test(test_cut),
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_double),
	    cmocka_unit_test(test_bytes),
	};

	return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
