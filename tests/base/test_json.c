#include "base/json.h"

#include "tests/base/unit.h"

#include <math.h>
#include <stdlib.h>

static void test_document(void **state)
{
	struct buf buf = BUF(1024);
	struct json json = json_begin(&buf);

	(void)state;
	json_open(&json, '{');
	json_pair(&json, "tỉnh", STR("Cà \"Mau\""));
	json_pair_i64(&json, "min", INT64_MIN);
	json_pair_u64(&json, "max", UINT64_MAX);
	json_pair_bool(&json, "yes", true);
	json_key(&json, STR("list"));
	json_open(&json, '[');
	json_open(&json, '{');
	json_close(&json, '}');
	json_open(&json, '[');
	json_i64(&json, 1);
	json_null(&json);
	json_close(&json, ']');
	json_str(&json, STR(""));
	json_raw(&json, STR("{\"a\":1}"));
	json_close(&json, ']');
	json_pair(&json, "", STR_NONE);
	json_close(&json, '}');
	assert_str(buf_str(&buf), "{\"tỉnh\":\"Cà \\\"Mau\\\"\",\"min\":-9223372036854775808,"
				  "\"max\":18446744073709551615,\"yes\":true,"
				  "\"list\":[{},[1,null],\"\",{\"a\":1}],\"\":\"\"}");
	buf_free(&buf);
}

static void test_lines(void **state)
{
	struct buf buf = BUF(64);

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct json json = json_begin(&buf);

		json_open(&json, '[');
		json_bool(&json, false);
		json_close(&json, ']');
		buf_char(&buf, '\n');
	}
	assert_str(buf_str(&buf), "[false]\n[false]\n");
	buf_free(&buf);
}

static void test_depth(void **state)
{
	struct buf buf = BUF(256);
	struct json json = json_begin(&buf);

	(void)state;
	for (int i = 0; i < 32; i++) {
		json_open(&json, '[');
		json_i64(&json, 1);
	}
	for (int i = 0; i < 32; i++)
		json_close(&json, ']');
	assert_memory_equal(buf.ptr, "[1,[1,[1,", 9);
	assert_int_equal(buf.len, 32 * 3 - 1 + 32);
	buf_free(&buf);
}

static void test_double(void **state)
{
	static const struct {
		double value;
		const char *text;
	} rows[] = {{0.1, "0.1"}, {-2.5, "-2.5"}, {1e300, "1e+300"}, {3, "3"}, {NAN, "null"},
	    {INFINITY, "null"}, {0.1 + 0.2, "0.30000000000000004"}};
	struct buf buf = BUF(256);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct json json = json_begin(&buf);

		buf_clear(&buf);
		json_double(&json, rows[i].value);
		assert_true(str_eq(buf_str(&buf), str_of(rows[i].text)));
	}
	buf_free(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_document),
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_depth),
	    cmocka_unit_test(test_double),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
