/*
 * Why a rule matches or does not: the parts say what the matcher says.
 */
#include "tests/correlator/rulebook.h"

#include "correlator/explainer.h"

#define RULE(source, detection)                                                                    \
	"title: t\nid: r\nlogsource: {" source "}\ndetection: {" detection "}\n"

struct bench {
	struct ruleset *ruleset;
	struct explainer *explainer;
	struct arena *arena;
	const struct program *program;
	const struct expression *whole;
};

static void bench_open(struct bench *bench, const char *rules, const char *fields, const char *raw)
{
	bench->ruleset = rulebook_load(rules);
	bench->program = ruleset_program(bench->ruleset);
	bench->whole = bench->program->rules[0];
	bench->explainer = explainer_new(bench->ruleset);
	bench->arena = arena_new(1 << 20);
	assert_true(bench->explainer != NULL && bench->arena != NULL);
	explainer_begin(bench->explainer, rulebook_record(bench->arena, fields, raw));
}

static void bench_close(struct bench *bench)
{
	explainer_free(bench->explainer);
	ruleset_free(bench->ruleset);
	arena_free(bench->arena);
}

static const struct expression *child(const struct expression *expression, size_t index)
{
	assert_true(index < expression->count);
	return expression->children[index];
}

/* The text of the field that is shown for a predicate; "-" when there is none. */
static struct str value_of(struct bench *bench, const struct expression *expression)
{
	assert_int_equal(expression->kind, EXPRESSION_PREDICATE);
	const struct field *field = explainer_field(
	    bench->explainer, &bench->program->predicates[expression->predicate]);

	return field == NULL ? STR("-") : field->value;
}

static void each_part_says_what_holds(void **state)
{
	struct bench bench;
	const struct expression *part;

	(void)state;
	bench_open(&bench,
	    RULE("product: thu", "s: {A: x, B: y, C: null, D|contains: q}, condition: s"),
	    "A=X\nB=z\nD=abc\nD=aqc", NULL);
	part = bench.whole;
	assert_false(explainer_matches(bench.explainer, ruleset_rule(bench.ruleset, 0)));
	assert_false(explainer_holds(bench.explainer, part));
	assert_true(explainer_holds(bench.explainer, child(part, 0)));
	assert_false(explainer_holds(bench.explainer, child(part, 1)));
	assert_true(explainer_holds(bench.explainer, child(part, 2)));
	assert_true(explainer_holds(bench.explainer, child(part, 3)));
	assert_true(str_eq(value_of(&bench, child(part, 0)), STR("X")));
	assert_true(str_eq(value_of(&bench, child(part, 1)), STR("z")));
	assert_true(str_eq(value_of(&bench, child(part, 2)), STR("-")));
	/* of several values the one that holds */
	assert_true(str_eq(value_of(&bench, child(part, 3)), STR("aqc")));
	bench_close(&bench);
}

static void keywords_are_found_in_a_field_or_in_the_message(void **state)
{
	struct bench bench;

	(void)state;
	bench_open(&bench, RULE("product: thu", "k: {'|all': [một, hai, ba]}, condition: k"),
	    "A=xx một", "... hai ...");
	assert_false(explainer_holds(bench.explainer, bench.whole));
	assert_false(explainer_matches(bench.explainer, ruleset_rule(bench.ruleset, 0)));
	assert_true(str_eq(value_of(&bench, child(bench.whole, 0)), STR("xx một")));
	assert_true(explainer_holds(bench.explainer, child(bench.whole, 1)));
	assert_true(str_eq(value_of(&bench, child(bench.whole, 1)), STR("-")));
	assert_false(explainer_holds(bench.explainer, child(bench.whole, 2)));
	bench_close(&bench);
}

static void the_log_source_is_told_by_attribute(void **state)
{
	static const struct {
		const char *source;
		bool product, category, service, matches;
	} cases[] = {
	    {RULE("product: thu", "s: {A: 1}, condition: s"), true, true, true, true},
	    {RULE("", "s: {A: 1}, condition: s"), true, true, true, true},
	    {RULE("product: khac", "s: {A: 1}, condition: s"), false, true, true, false},
	    {RULE("product: thu, service: x", "s: {A: 1}, condition: s"), true, true, false, false},
	    {RULE("category: x", "s: {A: 1}, condition: s"), true, false, true, false},
	};

	(void)state;
	for (size_t i = 0; i < RULEBOOK_COUNT(cases); i++) {
		struct bench bench;

		bench_open(&bench, cases[i].source, "A=1", NULL);
		const struct rule *rule = ruleset_rule(bench.ruleset, 0);
		struct explained_source source = explainer_source(bench.explainer, rule);

		assert_int_equal(source.product, cases[i].product);
		assert_int_equal(source.category, cases[i].category);
		assert_int_equal(source.service, cases[i].service);
		assert_int_equal(explainer_matches(bench.explainer, rule), cases[i].matches);
		assert_true(explainer_holds(bench.explainer, bench.whole));
		bench_close(&bench);
	}
}

/* Every kind of group: the root holds exactly when the matcher has found the rule. */
static void the_root_agrees_with_the_matcher(void **state)
{
	static const char *const conditions[] = {"s1", "not s1", "s1 and s2", "s1 or s2",
	    "1 of s*", "2 of s*", "3 of s*", "all of s*", "not 1 of s*", "s1 and not (s2 or s3)"};
	static const char *const events[] = {"A=1", "B=2", "C=3", "A=1\nB=2", "A=1\nC=3",
	    "A=1\nB=2\nC=3", "D=4"};
	char text[512];

	(void)state;
	for (size_t c = 0; c < RULEBOOK_COUNT(conditions); c++) {
		for (size_t e = 0; e < RULEBOOK_COUNT(events); e++) {
			struct bench bench;

			snprintf(text, sizeof(text),
			    RULE("product: thu",
				"s1: {A: 1}, s2: {B: 2}, s3: {C: 3}, condition: %s"),
			    conditions[c]);
			bench_open(&bench, text, events[e], NULL);
			if (explainer_holds(bench.explainer, bench.whole) !=
			    explainer_matches(bench.explainer, ruleset_rule(bench.ruleset, 0)))
				fail_msg("%s: %s", conditions[c], events[e]);
			bench_close(&bench);
		}
	}
}

/* Of an event the next one knows nothing. */
static void events_do_not_mix(void **state)
{
	struct bench bench;
	const char *rule = RULE("product: thu", "s: {A: 1, B: 2}, condition: s");

	(void)state;
	bench_open(&bench, rule, "A=1\nB=2", NULL);
	assert_true(explainer_holds(bench.explainer, bench.whole));
	explainer_begin(bench.explainer, rulebook_record(bench.arena, "B=3", NULL));
	assert_false(explainer_holds(bench.explainer, child(bench.whole, 0)));
	assert_true(str_eq(value_of(&bench, child(bench.whole, 0)), STR("-")));
	assert_true(str_eq(value_of(&bench, child(bench.whole, 1)), STR("3")));
	assert_false(explainer_matches(bench.explainer, ruleset_rule(bench.ruleset, 0)));
	bench_close(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_part_says_what_holds),
	    cmocka_unit_test(keywords_are_found_in_a_field_or_in_the_message),
	    cmocka_unit_test(the_log_source_is_told_by_attribute),
	    cmocka_unit_test(the_root_agrees_with_the_matcher),
	    cmocka_unit_test(events_do_not_mix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
