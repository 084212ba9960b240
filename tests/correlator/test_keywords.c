/*
 * Keywords in JSON: what the raw line tells of values whose escapes were taken out. Random keywords
 * and lines, of few characters, against a plain scan of all values.
 */
#include "tests/correlator/rulebook.h"

#include "base/buf.h"
#include "base/cpu.h"
#include "decoder/decoder.h"

#define RULES  150
#define EVENTS 60

/* As JSON writes a character, and as YAML does between double quotes; seldom ones stand once. */
static const struct {
	const char *json[3], *yaml;
} characters[] = {
    {{"a", "A", "a"}, "a"}, {{"b", "B", "b"}, "b"}, {{":", ":", ":"}, ":"}, {{"n", "N", "n"}, "n"},
    {{"a", "a", "\\u0061"}, "a"}, {{"\\n", "\\n", "\\u000a"}, "\\n"},
    {{"\\\\", "\\\\", "\\\\"}, "\\\\"}, {{"\\\"", "\\\"", "\\\""}, "\\\""},
    {{"/", "\\/", "/"}, "/"}, {{"k", "\xE2\x84\xAA", "K"}, "k"},
};

static unsigned character(bool plain)
{
	return rulebook_random(plain ? 4 : RULEBOOK_COUNT(characters));
}

static void rules_put(struct buf *out)
{
	buf_str_put(out, STR("title: Keywords\nid: keywords\nlogsource:\n    product: windows\n"
	    "detection:\n    keywords:\n"));
	for (uint32_t i = 1 + rulebook_random(12); i > 0; i--) {
		bool plain = rulebook_random(3) > 0;

		buf_str_put(out, STR("        - \""));
		for (uint32_t n = 2 + rulebook_random(6); n > 0; n--)
			buf_str_put(out, str_of(characters[character(plain)].yaml));
		buf_str_put(out, STR("\"\n"));
	}
	buf_str_put(out, STR("    condition: keywords\n"));
	buf_char(out, '\0');
}

static void value_put(struct buf *out, uint32_t len, bool coded)
{
	for (; len > 0; len--)
		buf_str_put(out, str_of(characters[character(rulebook_random(2) > 0)]
		    .json[rulebook_random(coded ? 3 : 2)]));
}

static void line_put(struct buf *out)
{
	bool coded = rulebook_random(4) == 0;

	buf_str_put(out, STR("{\"Channel\":\"Security\",\"EventID\":1"));
	for (uint32_t i = rulebook_random(4); i > 0; i--) {
		buf_printf(out, ",\"F%u\":\"", i);
		value_put(out, rulebook_random(30), coded);
		buf_char(out, '"');
	}
	buf_char(out, '}');
}

struct bench {
	struct arena *arena;
	struct decoding *decoding;
	struct buf rules, line;
	size_t found, events, with_region;
};

static void rules_check(struct bench *bench)
{
	buf_clear(&bench->rules);
	rules_put(&bench->rules);
	struct ruleset *ruleset = rulebook_load(bench->rules.ptr);
	struct matcher *matcher = matcher_new(ruleset);
	const uint32_t *matches;
	struct record record;

	for (int i = 0; i < EVENTS; i++) {
		buf_clear(&bench->line);
		line_put(&bench->line);
		struct event event = {.raw = buf_str(&bench->line)};

		arena_reset(bench->arena);
		decoding_run(bench->decoding, &record, &event, bench->arena);
		size_t is = matcher_run(matcher, &record, &matches);
		size_t wanted = matcher_run_plain(matcher, &record, &matches);

		if (is != wanted)
			fail_msg("%zu in place of %zu:\n%s%.*s", is, wanted, bench->rules.ptr,
			    (int)event.raw.len, event.raw.ptr);
		bench->events++;
		bench->found += wanted;
		bench->with_region += record.unescaped.len > 0;
	}
	matcher_free(matcher);
	ruleset_free(ruleset);
}

static void lines_tell_what_values_hold(void **state)
{
	struct bench bench = {.arena = arena_new(1u << 20), .decoding = decoding_new(NULL),
	    .rules = BUF(1u << 16), .line = BUF(1u << 16)};

	(void)state;
	for (int i = 0; i < RULES; i++)
		rules_check(&bench);
	print_message("# %zu of %zu events match, %zu have values without their escapes\n",
	    bench.found, bench.events, bench.with_region);
	assert_in_range(bench.found, bench.events / 20, bench.events - bench.events / 20);
	assert_true(bench.with_region > bench.events / 4);
	buf_free(&bench.rules);
	buf_free(&bench.line);
	decoding_free(bench.decoding);
	arena_free(bench.arena);
}

/* The last one: afterwards the loops for better machines are not taken any more. */
static void in_plain_loops_too(void **state)
{
	cpu_limit(CPU_PORTABLE);
	lines_tell_what_values_hold(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_tell_what_values_hold),
	    cmocka_unit_test(in_plain_loops_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
