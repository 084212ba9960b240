/*
 * Patterns: the escapes of the specification, and matching; the literal of an expression.
 */
#include "tests/sigma/unit.h"

#include "sigma/glob.h"
#include "sigma/regex.h"

struct pattern_case {
	const char *pattern;
	const char *yes[4];
	const char *no[4];
};

/* In C every backslash is doubled once more. */
static const struct pattern_case cases[] = {
    {"", {""}, {"a"}},
    {"abc", {"abc"}, {"ab", "abcd", "xabc"}},
    {"a*", {"a", "ab", "a\nb"}, {"ba"}},
    {"*a", {"a", "ba", "aa"}, {"ab"}},
    {"*", {"", "a", "\n"}, {NULL}},
    {"**", {"", "a"}, {NULL}},
    {"a?c", {"abc", "a\nc", "a\xC4\x83" "c", "a\xFF" "c"}, {"ac", "abbc"}},
    {"?", {"a", "\xF0\x9F\x94\x94"}, {"", "ab"}},
    {"*??", {"ab", "\xC4\x83\xC4\x83"}, {"a", "\xC4\x83", ""}},
    {"a*b*c", {"abc", "aXbYc", "abbc", "abcbc"}, {"acb", "ab"}},
    {"*ab?d", {"abcd", "ababcd", "abxabcd"}, {"abd", "abcde"}},
    /* '\' escapes only '*', '?' and '\' */
    {"a\\*b", {"a*b"}, {"axb", "a\\*b"}},
    {"a\\?b", {"a?b"}, {"axb"}},
    {"a\\\\b", {"a\\b"}, {"a\\\\b"}},
    {"a\\nb", {"a\\nb"}, {"a\nb"}},
    {"a\\\\*", {"a\\", "a\\b"}, {"a*", "ab"}},
    {"a\\\\\\*", {"a\\*"}, {"a\\", "a\\b"}},
    {"a\\\\\\\\b", {"a\\\\b"}, {"a\\b"}},
    {"a\\\\\\b", {"a\\\\b"}, {"a\\b"}},
    {"a\\", {"a\\"}, {"a"}},
    {"a\\\\", {"a\\"}, {"a\\\\"}},
    {"a\\\\\\", {"a\\\\"}, {"a\\"}},
    {"\\\\\\\\.\\\\pipe", {"\\\\.\\pipe"}, {"\\.\\pipe", "\\\\\\\\.\\\\pipe"}},
    {"\\*\\?\\\\", {"*?\\"}, {"abc"}},
    {"C:\\Users\\*\\x", {"C:\\Users*\\x"}, {"C:\\Users\\a\\x"}},
    {"C:\\Users\\\\*\\x", {"C:\\Users\\a\\x"}, {"C:\\Users*\\x"}},
};

static void patterns_match_as_specified(void **state)
{
	struct arena *arena = arena_new(1 << 20);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct glob glob;

		assert_true(glob_parse(arena, str_of(cases[i].pattern), &glob));
		for (size_t j = 0; j < 4 && cases[i].yes[j] != NULL; j++) {
			if (!glob_match(glob, str_of(cases[i].yes[j])))
				fail_msg("'%s' must match '%s'", cases[i].pattern, cases[i].yes[j]);
		}
		for (size_t j = 0; j < 4 && cases[i].no[j] != NULL; j++) {
			if (glob_match(glob, str_of(cases[i].no[j])))
				fail_msg(
				    "'%s' must not match '%s'", cases[i].pattern, cases[i].no[j]);
		}
	}
	arena_free(arena);
}

static void folding_takes_unicode_and_leaves_bytes(void **state)
{
	static const char *const pairs[][2] = {
	    {"plain", "plain"},
	    {"LÀO CAI", "lào cai"},
	    {"ĐẮK LẮK", "đắk lắk"},
	    {"\xFF\xFE" "A", "\xFF\xFE" "a"},
	    {"\xC8\xBA", "\xE2\xB1\xA5"}, /* U+023A grows by half */
	    {"", ""},
	};
	struct arena *arena = arena_new(1 << 20);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(pairs); i++) {
		struct str folded = fold_text(arena, str_of(pairs[i][0]));

		assert_true(str_eq(folded, str_of(pairs[i][1])));
	}
	arena_free(arena);
}

/* No code point may grow by more than fold_text makes room for. */
static void no_code_point_outgrows_its_room(void **state)
{
	struct arena *arena = arena_new((size_t)256 << 20);

	(void)state;
	for (uint32_t c = 0x80; c < 0x110000; c++) {
		char text[4];
		size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
		uint32_t rest = c;

		for (size_t i = len - 1; i > 0; i--, rest >>= 6)
			text[i] = (char)(0x80 | (rest & 0x3F));
		text[0] = (char)((0xF00u >> len & 0xF0) | rest);
		if (fold_text(arena, str_from(text, len)).ptr == NULL)
			fail_msg("U+%X", c);
		arena_reset(arena);
	}
	arena_free(arena);
}

static void stars_cost_no_explosion(void **state)
{
	struct arena *arena = arena_new(1 << 20);
	char subject[20001];
	struct glob glob;

	(void)state;
	memset(subject, 'a', sizeof(subject) - 1);
	subject[sizeof(subject) - 1] = '\0';
	assert_true(glob_parse(arena, STR("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b"), &glob));
	assert_false(glob_match(glob, str_of(subject)));
	arena_free(arena);
}

static void an_expression_needs_its_literal(void **state)
{
	static const char *const literals[][2] = {
	    {"abcd", "abcd"},
	    {"ABcd.*efghi", "efghi"},
	    {"abc?d", "ab"},
	    {"ab{0,2}cde", "cde"},
	    {"abc+de", "abc"},
	    {"(abcdef)gh", "gh"},
	    {"ab|cdefg", ""},
	    {"a[bcdefgh]ij", "ij"},
	    {"\\\\temp\\\\", "\\temp\\"},
	    {"a\\.exe$", "a.exe"},
	    {"\\x41bcdef", ""},
	    {"(?i)Invoke-\\w+x", "invoke-"},
	    {"(?x) a b c d", ""},
	    {"\\Qa.b\\E", ""},
	    {"[]abc]de", "de"},
	    {"[^]abc]de", "de"},
	    {"(a(b)c)*def", "def"},
	    {"a\\dbcd", "bcd"},
	    {"ằabc", "abc"},
	    {"(?#x)abcd", ""},
	    {"(\\))abc", "abc"},
	    {"(a[)]b)cd", "cd"},
	    {"", ""},
	    {"abc*?def", "def"},
	    {"z$etection: {a: {A|", ""},
	    {"a{b}cde", "cde"},
	    {"abcd(?#()|x", ""},
	};
	struct arena *arena = arena_new(1 << 20);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(literals); i++) {
		struct str found = regex_literal(arena, str_of(literals[i][0]));

		if (!str_eq(found, str_of(literals[i][1])))
			fail_msg("%s: '%.*s', expected '%s'", literals[i][0], STR_ARG(found),
			    literals[i][1]);
	}
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(patterns_match_as_specified),
	    cmocka_unit_test(folding_takes_unicode_and_leaves_bytes),
	    cmocka_unit_test(no_code_point_outgrows_its_room),
	    cmocka_unit_test(stars_cost_no_explosion),
	    cmocka_unit_test(an_expression_needs_its_literal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
