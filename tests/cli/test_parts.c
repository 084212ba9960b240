#include "cli/lines.h"
#include "cli/print.h"
#include "cli/shown.h"
#include "cli/why.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

/* ---- lines ---- */

struct read {
	char text[256];
	size_t stop;
};

static int take(void *context, struct str line, bool cut, struct error *error)
{
	struct read *read = context;
	size_t at = strlen(read->text);

	(void)error;
	snprintf(read->text + at, sizeof(read->text) - at, "[%.*s%s]", STR_ARG(line),
	    cut ? "~" : "");
	return read->stop > 0 && --read->stop == 0 ? 1 : 0;
}

static void test_lines(void **state)
{
	static const struct {
		const char *in, *out;
		size_t stop;
	} rows[] = {
	    {"", "", 0},
	    {"\n\n\r\n", "", 0},
	    {"a\nb", "[a][b]", 0},
	    {"a\r\nb\r\n", "[a][b]", 0},
	    {"12345678\n", "[12345678]", 0},
	    {"12345678\r\n", "[12345678]", 0},
	    {"123456789\nb\n", "[12345678~][b]", 0},
	    {"1234567890123456789012345678901234567890", "[12345678~]", 0},
	    {"a\nb\nc\n", "[a][b]", 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct read read = {.stop = rows[i].stop};
		struct error error = {0};
		char copy[64];
		FILE *in;

		snprintf(copy, sizeof(copy), "%s", rows[i].in);
		in = copy[0] == '\0' ? fopen("/dev/null", "r")
				     : fmemopen(copy, strlen(copy), "r");
		assert_non_null(in);
		assert_int_equal(lines_each(in, "x", 8, take, &read, &error), 0);
		fclose(in);
		assert_string_equal(read.text, rows[i].out);
	}
}

static void test_lines_of_a_folder(void **state)
{
	struct read read = {0};
	struct error error = {0};
	FILE *in = fopen("/", "r");

	(void)state;
	assert_non_null(in);
	assert_int_equal(lines_each(in, "/", 8, take, &read, &error), ERR_IO);
	fclose(in);
}

/* ---- print ---- */

static void wrapped(const char *text, int indent, int columns, const char *expected)
{
	char *made = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&made, &len);

	print_wrapped(out, str_of(text), indent, columns);
	fclose(out);
	assert_string_equal(made, expected);
	free(made);
}

static void test_wrapping(void **state)
{
	(void)state;
	wrapped("one two three", 0, 0, "one two three\n");
	wrapped("one two three", 0, 7, "one two\nthree\n");
	wrapped("one two three", 2, 9, "one two\n  three\n");
	wrapped("mật khẩu", 0, 8, "mật khẩu\n");
	wrapped("a-very-long-word x", 0, 5, "a-very-long-word\nx\n");
	wrapped("red \033[31m\xff", 0, 0, "red \\x1B[31m\\xFF\n");
	wrapped("", 0, 10, "\n");
}

/* ---- shown ---- */

static void test_shown(void **state)
{
	struct shown *shown = shown_new();

	(void)state;
	assert_non_null(shown);
	for (uint64_t i = 1; i <= 3 * (uint64_t)SHOWN_MIN; i++) {
		struct hash128 id = {i, i * 2654435761u};

		assert_true(shown_add(shown, id));
		assert_false(shown_add(shown, id));
	}
	/* The last ones are still known. */
	for (uint64_t i = 2 * (uint64_t)SHOWN_MIN + 1; i <= 3 * (uint64_t)SHOWN_MIN; i++)
		assert_false(shown_add(shown, (struct hash128){i, i * 2654435761u}));
	shown_free(shown);
}

/* ---- why ---- */

#define BASE                                                                                       \
	"title: Refused\nid: 11111111-1111-4111-8111-111111111111\nname: refused\nstatus: test\n"  \
	"logsource: {product: linux}\ndetection: {a: {action: failed}, condition: a}\n---\n"       \
	"title: Accepted\nid: 22222222-2222-4222-8222-222222222222\nname: accepted\n"              \
	"status: test\nlogsource: {product: linux}\n"                                              \
	"detection: {a: {action: accepted}, condition: a}\n---\n"                                  \
	"title: Sum\nid: 33333333-3333-4333-8333-333333333333\nstatus: test\nlevel: high\n"        \
	"correlation:\n  group-by: [host, User]\n  timespan: 2m\n"

static const struct {
	const char *correlation, *first; /* line of the answer */
} whys[] = {
    {"  type: event_count\n  rules: [refused]\n  condition: {gte: 10}\n",
	"10 or more events within 2 m, with the same host, User"},
    {"  type: event_count\n  rules: [refused]\n  condition: {gt: 4}\n",
	"5 or more events within 2 m, with the same host, User"},
    {"  type: value_count\n  rules: [refused]\n  condition: {field: src_ip, gte: 3}\n",
	"3 or more different values of src_ip within 2 m, with the same host, User"},
    {"  type: temporal\n  rules: [refused, accepted]\n",
	"all of these within 2 m, in any order, with the same host, User"},
    {"  type: temporal_ordered\n  rules: [refused, accepted]\n",
	"these within 2 m, in this order, with the same host, User"},
};

static struct alert_event events[] = {
    {.rule = {"11111111-1111-4111-8111-111111111111", 36}},
    {.rule = {"11111111-1111-4111-8111-111111111111", 36}},
    {.rule = {"99999999-9999-4999-8999-999999999999", 36}},
};

static void test_why(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(whys) / sizeof(whys[0]); i++) {
		struct ruleset_options options = {0};
		struct ruleset *ruleset = NULL;
		struct error error = {0};
		struct buf out = BUF(65536);
		char rules[2048], expected[1024];

		snprintf(rules, sizeof(rules), "%s%s", BASE, whys[i].correlation);
		if (ruleset_load_text(&ruleset, str_of(rules), "r.yml", &options, &error) < 0 ||
		    ruleset_count(ruleset) != 3)
			fail_msg("%zu: %s", i, error.text);
		const struct rule *rule =
		    ruleset_find(ruleset, STR("33333333-3333-4333-8333-333333333333"));
		struct alert alert = {.rule = rule->meta, .events = events, .event_count = 3};

		why_write(&out, &alert, ruleset);
		snprintf(expected, sizeof(expected),
		    "%s\n2 × Refused\n1 × 99999999-9999-4999-8999-999999999999\n", whys[i].first);
		buf_char(&out, '\0');
		assert_string_equal(out.ptr, expected);
		out.len = 0;
		alert.rule.hash.low ^= 1;
		why_write(&out, &alert, ruleset);
		buf_char(&out, '\0');
		assert_non_null(strstr(out.ptr, "changed since"));
		out.len = 0;
		why_write(&out, &alert, NULL);
		buf_char(&out, '\0');
		assert_non_null(strstr(out.ptr, "rules.paths"));
		buf_free(&out);
		ruleset_free(ruleset);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_lines_of_a_folder),
	    cmocka_unit_test(test_wrapping),
	    cmocka_unit_test(test_shown),
	    cmocka_unit_test(test_why),
	};

	return cmocka_run_group_tests_name("cli parts", tests, NULL, NULL);
}
