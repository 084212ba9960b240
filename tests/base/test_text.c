/* The catalogue, and the tables that carry texts of their own. */
#include "base/text.h"

#include "base/config_row.h"
#include "base/utf8.h"

#include "tests/base/unit.h"

#include <stdio.h>

/* The next printf conversion of *format without its literal text: "%-5.*lld". Empty at the end. */
static struct str next_conversion(const char **format)
{
	const char *at = *format;

	for (;;) {
		at = strchr(at, '%');
		if (at == NULL) {
			*format = "";
			return STR_NONE;
		}
		if (at[1] != '%')
			break;
		at += 2;
	}
	size_t len = 1 + strspn(at + 1, "0123456789.*-+ #hlzjtL") + 1;

	*format = at + len;
	return str_from(at, len);
}

static void test_same_conversions(void **state)
{
	(void)state;
	for (unsigned id = 0; id < TEXT_COUNT; id++) {
		const char *english = text_in(id, LANGUAGE_ENGLISH);
		const char *vietnamese = text_in(id, LANGUAGE_VIETNAMESE);
		const char *e = english, *v = vietnamese;
		struct str a, b;

		do {
			a = next_conversion(&e);
			b = next_conversion(&v);
			if (!str_eq(a, b))
				fail_msg(
				    "'%s' and '%s' differ in conversions", english, vietnamese);
		} while (a.len > 0);
	}
}

static void test_next_conversion(void **state)
{
	const char *format = "100%% of %-5.*lld and %zu%s";

	(void)state;
	assert_str(next_conversion(&format), "%-5.*lld");
	assert_str(next_conversion(&format), "%zu");
	assert_str(next_conversion(&format), "%s");
	assert_str(next_conversion(&format), "");
	assert_str(next_conversion(&format), "");
}

static void check_pair(const char *english, const char *vietnamese)
{
	if (english[0] == '\0' || vietnamese[0] == '\0')
		fail_msg("an empty text beside '%s%s'", english, vietnamese);
	if (!utf8_is_valid(str_of(english)) || !utf8_is_valid(str_of(vietnamese)))
		fail_msg("'%s' or '%s' is not UTF-8", english, vietnamese);
}

static void test_both_languages(void **state)
{
	(void)state;
	for (unsigned id = 0; id < TEXT_COUNT; id++)
		check_pair(text_in(id, LANGUAGE_ENGLISH), text_in(id, LANGUAGE_VIETNAMESE));
	for (size_t key = 0; key < CONFIG_COUNT; key++)
		check_pair(config_rows[key].description[0], config_rows[key].description[1]);
}

static void test_choice(void **state)
{
	static const struct {
		const char *name;
		bool known;
		enum language language;
	} rows[] = {
	    {"vi", true, LANGUAGE_VIETNAMESE},
	    {"vi_VN.UTF-8", true, LANGUAGE_VIETNAMESE},
	    {"en_GB", true, LANGUAGE_ENGLISH},
	    {"EN", true, LANGUAGE_ENGLISH},
	    {"C.UTF-8", false, LANGUAGE_ENGLISH},
	    {"", false, LANGUAGE_ENGLISH},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		enum language language = LANGUAGE_ENGLISH;

		assert_int_equal(text_language_of(str_of(rows[i].name), &language), rows[i].known);
		assert_int_equal(language, rows[i].language);
	}
	assert_string_equal(text(TEXT_base_memory), "out of memory");
	text_choose(LANGUAGE_VIETNAMESE);
	assert_int_equal(text_language(), LANGUAGE_VIETNAMESE);
	assert_string_equal(text(TEXT_base_memory), "hết bộ nhớ");
	text_choose(LANGUAGE_ENGLISH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_next_conversion),
	    cmocka_unit_test(test_same_conversions),
	    cmocka_unit_test(test_both_languages),
	    cmocka_unit_test(test_choice),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
