/*
 * What rules check tells of costs: a rule that has it, and one beside it that has not.
 */
#include "cli/lint_cost.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HEAD "title: Mẫu\nlogsource: {product: thu}\ndetection:\n"

static const struct {
	enum lint lint;
	unsigned line, column;
	const char *with, *without;
} cases[] = {
    {LINT_ALWAYS, 5, 14, HEAD "  s: {A: null}\n  condition: s\n",
	HEAD "  s: {A: null, B: xyz}\n  condition: s\n"},
    {LINT_ALWAYS, 6, 14, HEAD "  s: {A: xyz}\n  n: {B: null}\n  condition: s or n\n",
	HEAD "  s: {A: xyz}\n  n: {B: null}\n  condition: s and n\n"},
    {LINT_ALWAYS, 6, 14, HEAD "  s: {A: null}\n  t: {B: xyz}\n  condition: s and not t\n",
	HEAD "  s: {A: 1}\n  t: {B: xyz}\n  condition: s and not t\n"},
    {LINT_NOT_ONLY, 5, 14, HEAD "  s: {A: xyz}\n  condition: not s\n",
	HEAD "  s: {A: xyz}\n  t: {B: xyz}\n  condition: t and not s\n"},
    {LINT_NOT_ONLY, 6, 14, HEAD "  s: {A: xyz}\n  t: {B: xyz}\n  condition: not s and not t\n",
	HEAD "  s: {A: xyz}\n  condition: not not s\n"},
    {LINT_NOT_ONLY, 5, 14, HEAD "  s: {A|neq: xyz}\n  condition: s\n",
	HEAD "  s: {A: xyz}\n  condition: s\n"},
    {LINT_SHORT, 4, 26, HEAD "  s: {A|contains: [xyzw, '-X']}\n  condition: s\n", NULL},
    {LINT_SHORT, 4, 19, HEAD "  s: {A|contains: '-x'}\n  condition: s\n",
	HEAD "  s: {A|contains: '-x', B: word}\n  condition: s\n"},
    {LINT_SHORT, 4, 19, HEAD "  s: {A|contains: x}\n  condition: s\n",
	HEAD "  s: {A|contains: ế}\n  condition: s\n"},
    {LINT_REGEX_LITERAL, 4, 13, HEAD "  s: {A|re: '[ab]+x\\d'}\n  condition: s\n",
	HEAD "  s: {A|re: '[ab]+words\\d'}\n  condition: s\n"},
};

struct watch {
	enum lint lint;
	size_t count;
	unsigned line, column;
};

static void found(void *context, const struct lint_finding *finding)
{
	struct watch *watch = context;

	if (finding->lint != watch->lint)
		return;
	watch->count++;
	watch->line = finding->line;
	watch->column = finding->column;
}

static void quiet(void *context, const struct lint_finding *finding)
{
	(void)context;
	(void)finding;
}

static struct watch cost_of(const char *text, enum lint lint)
{
	struct watch watch = {.lint = lint};
	struct linter *linter = linter_new(NULL, quiet, NULL);
	struct ruleset *ruleset = NULL;
	struct error error = {0};

	assert_int_equal(ruleset_load_text(&ruleset, str_of(text), "t.yml", NULL, &error), 0);
	assert_int_equal(ruleset_refused(ruleset), 0);
	assert_int_equal(linter_take(linter, str_of(text), "t.yml", &error), 0);
	lint_cost(ruleset, linter, found, &watch);
	linter_free(linter);
	ruleset_free(ruleset);
	return watch;
}

static void each_code_is_told_where_it_is(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct watch with = cost_of(cases[i].with, cases[i].lint);

		if (with.count != 1 || with.line != cases[i].line ||
		    with.column != cases[i].column)
			fail_msg("case %zu: %zu at %u:%u\n%s", i, with.count, with.line,
			    with.column, cases[i].with);
		if (cases[i].without != NULL &&
		    cost_of(cases[i].without, cases[i].lint).count != 0)
			fail_msg("case %zu: is told of\n%s", i, cases[i].without);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_code_is_told_where_it_is)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
