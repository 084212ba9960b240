#include "base/json_cut.h"

#include "tests/base/unit.h"

static const struct {
	const char *text, *value, *rest; /* value NULL: none */
} cuts[] = {
    {"{}", "{}", ""}, {" [1, {\"a\":[]}] x", "[1, {\"a\":[]}]", " x"}, {"{}{}", "{}", "{}"},
    {"\"a\\\"b\"c", "\"a\\\"b\"", "c"}, {"\"a\\\\\"c", "\"a\\\\\"", "c"},
    {"-1.5e+3,", "-1.5e+3", ","},
    {"true", "true", ""}, {"nullx", "null", "x"}, {"{\"a\" : \"}\"}", "{\"a\" : \"}\"}", ""},
    {"", NULL, ""}, {" ", NULL, " "}, {"{", NULL, "{"}, {"[1,]", NULL, "[1,]"},
    {"{\"a\":1,}", NULL, "{\"a\":1,}"}, {"{\"a\"}", NULL, "{\"a\"}"}, {"[1}", NULL, "[1}"},
    {"{1:2}", NULL, "{1:2}"}, {"\"a", NULL, "\"a"}, {"\"a\\\"", NULL, "\"a\\\""}, {"}", NULL, "}"},
    {",1", NULL, ",1"}, {"[1 2]", NULL, "[1 2]"}, {"{\"a\":}", NULL, "{\"a\":}"},
    {"e1", NULL, "e1"},
    {"[,1]", NULL, "[,1]"}, {"]", NULL, "]"}, {"[{]}", NULL, "[{]}"},
};

static void values(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		struct str rest = str_of(cuts[i].text), value = STR_NONE;

		assert_int_equal(json_cut(&rest, &value), cuts[i].value != NULL);
		assert_true(str_eq(value, str_of(cuts[i].value)));
		assert_true(str_eq(rest, str_of(cuts[i].rest)));
	}
}

static void depth(void **state)
{
	char text[2 * JSON_CUT_DEPTH + 2];
	struct str rest = {text, 2 * JSON_CUT_DEPTH}, value;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i < JSON_CUT_DEPTH ? '[' : ']';
	assert_true(json_cut(&rest, &value));
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i <= JSON_CUT_DEPTH ? '[' : ']';
	rest = str_from(text, sizeof(text));
	assert_false(json_cut(&rest, &value));
}

static void members(void **state)
{
	struct str object = STR("{ \"a\" : 1 , \"b\":{\"a\":2},\"a\":\"x\" }"), key, value, text;

	(void)state;
	assert_true(str_eq(json_cut_get(object, STR("a")), STR("\"x\"")));
	assert_true(str_eq(json_cut_get(object, STR("b")), STR("{\"a\":2}")));
	assert_int_equal(json_cut_get(object, STR("c")).len, 0);
	assert_int_equal(json_cut_get(STR("[\"a\"]"), STR("a")).len, 0);
	assert_true(json_cut_member(&object, &key, &value));
	assert_true(str_eq(key, STR("a")) && str_eq(value, STR("1")));
	assert_false(json_cut_string(value, &text));
	assert_true(json_cut_string(STR("\"\""), &text) && text.len == 0);
	assert_false(json_cut_member(&(struct str){"{}", 2}, &key, &value));
}

static void elements(void **state)
{
	struct str list = STR("[1, [2] ,\"3\"]"), value;

	(void)state;
	assert_true(json_cut_element(&list, &value) && str_eq(value, STR("1")));
	assert_true(json_cut_element(&list, &value) && str_eq(value, STR("[2]")));
	assert_true(json_cut_element(&list, &value) && str_eq(value, STR("\"3\"")));
	assert_false(json_cut_element(&list, &value));
	assert_false(json_cut_element(&(struct str){"{\"a\":1}", 7}, &value));
	assert_false(json_cut_element(&(struct str){"[]", 2}, &value));
}

/* In one pass what two passes say, of good texts and of bad ones. */
static void with_a_key(void **state)
{
	static const char *const texts[] = {"{\"event\":\"x\",\"b\":1} {\"c\":2}",
	    " {\"a\":{\"event\":1},\"event\" : {\"event\":[1,{}]} ,\"z\":[{\"event\":3}]}",
	    "{\"event\":1,\"event\":2}", "{\"events\":1,\"even\":2}", "{\"event\\\"\":1}", "{}",
	    "[{\"event\":1}]", "[\"event\",5]", "\"event\"", "{\"a\":\"event\",\"b\":[]}",
	    "{\"event\":[[]],\"a\":true}x", "{\"event\":nul", "{\"event\"", "{\"event\":}", "",
	    "{\"event\":\"\\\\\"}", "{\"b\":[1,{\"event\":7}],\"event\":-1.5e3}"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		for (size_t len = 0; len <= strlen(texts[i]); len++) {
			struct str one = str_from(texts[i], len), two = one, value, whole, found;
			bool there = json_cut(&one, &value);

			assert_int_equal(json_cut_with(&two, &whole, STR("event"), &found), there);
			assert_ptr_equal(one.ptr, two.ptr);
			assert_int_equal(one.len, two.len);
			if (!there)
				continue;
			struct str wanted = json_cut_get(value, STR("event"));

			assert_true(str_eq(value, whole) && str_eq(found, wanted));
			assert_true(wanted.len == 0 || wanted.ptr == found.ptr);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(values), cmocka_unit_test(depth),
	    cmocka_unit_test(members), cmocka_unit_test(elements),
	    cmocka_unit_test(with_a_key)};

	return cmocka_run_group_tests_name("json_cut", tests, NULL, NULL);
}
