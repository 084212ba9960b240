/*
 * Correlation documents: what their conditions say, what names them, by what they meet, and what is
 * refused where.
 */
#include "sigma/decimal.h"
#include "tests/sigma/unit.h"

#define RULE(id)                                                                                   \
	"title: " id "\nid: id-" id "\nname: " id                                                  \
	"\nlogsource: {product: thu}\ndetection: {s: {A: " id "}, condition: s}\n---\n"
#define RULES RULE("a") RULE("b") RULE("c")
#define HEAD  RULES "title: x\nid: x\ncorrelation:\n"
#define SPAN  "  timespan: 1m\n"

struct refusal_case {
	const char *text;
	unsigned line, column;
	const char *words;
};

/* The correlation's own keys begin in line 22. */
static const struct refusal_case refusals_of[] = {
    {HEAD "  type: event_count\n  rules: [a]\n" SPAN "  condition: {lt: 1}\n", 25, 14,
	"no window can meet"},
    {HEAD "  type: event_count\n  rules: [a]\n" SPAN "  condition: {eq: 0}\n", 25, 14,
	"no window can meet"},
    {HEAD "  type: event_count\n  rules: [a]\n" SPAN "  condition: {lte: 0}\n", 25, 14,
	"no window can meet"},
    {HEAD "  type: event_count\n  rules: [a]\n" SPAN "  condition: {gt: 5, lt: 6}\n", 25, 14,
	"no window can meet"},
    {HEAD "  type: event_count\n  rules: [a]\n" SPAN "  condition: {eq: 5, neq: 5}\n", 25, 14,
	"no window can meet"},
    {HEAD "  type: event_count\n  rules: [a]\n" SPAN "  condition: {lt: -1}\n", 25, 19,
	"from 1 to"},
    {HEAD "  type: event_count\n  rules: [a]\n" SPAN "  condition: {lt: 2.5}\n", 25, 19,
	"from 1 to"},
    {HEAD "  type: event_count\n  rules: [a]\n" SPAN "  condition: {range: 1..2}\n", 25, 15,
	"unknown key 'range'"},
    {HEAD "  type: event_count\n  rules: [a]\n" SPAN "  condition: a\n", 25, 14, "needs a map"},
    {HEAD "  type: event_count\n  rules: [a]\n" SPAN "  condition: [a]\n", 25, 14, "must be a map"},
    {HEAD "  type: event_count\n" SPAN "  condition: {gte: 1}\n", 22, 3, "'rules' is missing"},
    {HEAD "  type: value_count\n  rules: [a]\n" SPAN "  condition: {field: F, lt: 65536}\n", 25, 14,
	"from 1 to 65535"},
    {HEAD "  type: value_sum\n  rules: [a]\n" SPAN "  condition: {gte: 1}\n", 25, 14,
	"'field' is missing"},
    {HEAD "  type: value_sum\n  rules: [a]\n" SPAN "  condition: {field: [F, G], gte: 1}\n", 25, 22,
	"needs one field"},
    {HEAD "  type: value_sum\n  rules: [a]\n" SPAN "  condition: {field: F, gte: many}\n", 25, 30,
	"expected a number"},
    {HEAD "  type: value_sum\n  rules: [a]\n" SPAN "  condition: {field: F, gte: 0.1234567891}\n",
	25, 30, "expected a number"},
    {HEAD "  type: value_sum\n  rules: [a]\n" SPAN "  condition: {field: F}\n", 25, 14,
	"needs one of gt"},
    {HEAD "  type: value_avg\n  rules: [a]\n" SPAN "  condition: {field: F, gt: 2, lte: 2}\n", 25,
	14, "no window can meet"},
    {HEAD "  type: value_avg\n  rules: [a]\n" SPAN
	  "  condition: {field: F, gte: 2, percentile: 5}\n",
	25, 33, "unknown key 'percentile'"},
    {HEAD "  type: value_percentile\n  rules: [a]\n" SPAN "  condition: {field: F, gte: 2}\n", 25,
	14, "'percentile' is missing"},
    {HEAD "  type: value_percentile\n  rules: [a]\n" SPAN
	  "  condition: {field: F, gte: 2, percentile: 101}\n",
	25, 45, "from 0 to 100"},
    {HEAD "  type: value_percentile\n  rules: [a]\n" SPAN
	  "  condition: {field: F, gte: 2, percentile: 99.999}\n",
	25, 45, "from 0 to 100"},
    {HEAD "  type: value_median\n  rules: [id-a]\n" SPAN "  condition: {field: w, gte: 2}\n"
	  "  aliases: {w: {b: F}}\n",
	26, 16, "names no field for the rule 'id-a'"},
    {HEAD "  type: temporal\n" SPAN "  condition: a and\n", 24, 19, "expected a rule"},
    {HEAD "  type: temporal\n" SPAN "  condition: (a or b\n", 24, 21, "')' is missing"},
    {HEAD "  type: temporal\n" SPAN "  condition: a b\n", 24, 16, "expected 'and', 'or'"},
    {HEAD "  type: temporal\n" SPAN "  condition: a & b\n", 24, 16, "unexpected character"},
    {HEAD "  type: temporal\n" SPAN "  condition: a | near b\n", 24, 16, "'|' is not supported"},
    {HEAD "  type: temporal\n" SPAN "  condition: 'a and d'\n", 24, 21, "no rule 'd'"},
    {HEAD "  type: temporal\n" SPAN "  condition: not a\n", 24, 14, "without any event"},
    {HEAD "  type: temporal\n" SPAN "  condition: a or not b\n", 24, 14, "without any event"},
    {HEAD "  type: temporal\n" SPAN "  condition: a and not a\n", 24, 14, "no window can meet"},
    {HEAD "  type: temporal\n  rules: [a]\n" SPAN "  condition: a and b\n", 25, 20,
	"names 'b', which 'rules' does not list"},
    {HEAD "  type: temporal\n  rules: [a, b, c]\n" SPAN "  condition: a and id-b\n", 23, 17,
	"lists 'c', which the condition does not name"},
    {HEAD "  type: temporal\n  rules: [a, b]\n" SPAN "  condition: {gte: 3}\n", 25, 14,
	"from 1 to 2"},
    {HEAD "  type: temporal_ordered\n  rules: [a, b]\n" SPAN "  condition: {lt: 1}\n", 25, 14,
	"no window can meet"},
    {HEAD "  type: temporal_ordered\n  rules: [a, b]\n" SPAN "  condition: {gte: 1, field: F}\n",
	25, 23, "unknown key 'field'"},
    {HEAD "  type: temporal\n" SPAN
	  "  condition: (a or b) and (a or b) and not (c or (a and (b or c)))) \n",
	24, 67, "not ')'"},
};

static void each_is_refused_where_it_stands(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(refusals_of); i++)
		assert_refused(refusals_of[i].text, refusals_of[i].line, refusals_of[i].column,
		    refusals_of[i].words);
}

/* Alternatives multiply: 2^7 of them are too many, and nesting ends. */
static void conditions_without_end_are_refused(void **state)
{
	char text[16384];
	size_t used = (size_t)snprintf(text, sizeof(text), "%s", RULE("a"));

	(void)state;
	for (int i = 0; i < 14; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
		    "title: r%d\nid: r%d\nlogsource: {}\ndetection: {s: {A: 1}, condition: s}\n---\n", i,
		    i);
	used += (size_t)snprintf(text + used, sizeof(text) - used,
	    "title: x\ncorrelation:\n  type: temporal\n" SPAN "  condition: a");
	size_t many = used;

	for (int i = 0; i < 14; i += 2)
		used += (size_t)snprintf(
		    text + used, sizeof(text) - used, " and (r%d or r%d)", i, i + 1);
	assert_refused(text, 81, 14, "more than 64 alternatives");
	used = many;
	for (int i = 0; i < 700; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, " or a");
	assert_refused(text, 81, 1296, "nested too deeply");
	used = many;
	for (int i = 0; i < 100; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, " and (a");
	assert_refused(text, 81, 462, "nested too deeply");
}

static struct ruleset *loaded(const char *text)
{
	struct refusals refusals;
	struct ruleset *ruleset = load_text(text, &refusals);

	if (refusals.count > 0)
		fail_msg("%u: %s", refusals.first.line, refusals.first.text);
	return ruleset;
}

struct term_case {
	const char *text;
	struct correlation_term terms[8];
	bool waits;
};

static const struct term_case terms_of[] = {
    {"  type: temporal\n" SPAN "  condition: a AND b And not c\n", {{3, 4}}, true},
    {"  type: temporal\n" SPAN "  condition: a and (b or c)\n", {{3, 0}, {5, 0}}, false},
    {"  type: temporal\n" SPAN "  condition: not (not a or b)\n", {{1, 2}}, true},
    {"  type: temporal\n" SPAN "  condition: a or (a and b) or c\n", {{1, 0}, {4, 0}}, false},
    {"  type: temporal\n  rules: [id-c, b]\n" SPAN "  condition: b and not c\n", {{2, 1}}, true},
    {"  type: temporal_ordered\n  rules: [a, b, c]\n" SPAN "  condition: {gte: 2}\n",
	{{3, 0}, {5, 0}, {6, 0}}, false},
    {"  type: temporal_ordered\n  rules: [a, b, c]\n" SPAN "  condition: {gt: 1, lt: 3}\n",
	{{3, 4}, {5, 2}, {6, 1}}, true},
    {"  type: temporal\n  rules: [a, b]\n" SPAN "  condition: {eq: 1}\n", {{1, 2}, {2, 1}}, true},
};

static void conditions_are_alternatives(void **state)
{
	char text[2048];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(terms_of); i++) {
		size_t count = 0;

		snprintf(text, sizeof(text), HEAD "%s", terms_of[i].text);
		struct ruleset *ruleset = loaded(text);
		const struct correlation *one = ruleset_find(ruleset, STR("x"))->correlation;

		while (terms_of[i].terms[count].present != 0)
			count++;
		assert_int_equal(one->course, COURSE_PATTERN);
		assert_int_equal(one->term_count, count);
		assert_int_equal(one->waits, terms_of[i].waits);
		for (size_t k = 0; k < count; k++) {
			assert_int_equal(one->terms[k].present, terms_of[i].terms[k].present);
			assert_int_equal(one->terms[k].absent, terms_of[i].terms[k].absent);
		}
		ruleset_free(ruleset);
	}
}

struct course_case {
	const char *type, *condition;
	enum correlation_course course;
};

static const struct course_case courses[] = {
    {"event_count", "{gt: 2, gte: 3}", COURSE_ARRIVAL},
    {"event_count", "{gt: 2, lte: 5}", COURSE_CLOSE},
    {"event_count", "{neq: 1}", COURSE_CLOSE},
    {"value_count", "{field: F, gte: 100000}", COURSE_ARRIVAL},
    {"value_count", "{field: [F, G], eq: 65535}", COURSE_CLOSE},
    {"value_sum", "{field: F, gt: -1.5}", COURSE_SUM},
    {"value_avg", "{field: F, gt: 1, lt: 1.000000001}", COURSE_CLOSE},
    {"value_sum", "{field: [F], lt: 5}", COURSE_CLOSE},
    {"value_avg", "{field: F, gt: 5}", COURSE_CLOSE},
    {"value_percentile", "{field: F, gt: 5, percentile: 99.95}", COURSE_CLOSE},
    {"value_median", "{field: F, neq: 5}", COURSE_CLOSE},
    {"temporal", "{gte: 1}", COURSE_ARRIVAL},
    {"temporal_ordered", "{gte: 2}", COURSE_ARRIVAL},
};

static void what_can_be_undone_waits(void **state)
{
	char text[2048];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(courses); i++) {
		snprintf(text, sizeof(text),
		    HEAD "  type: %s\n  rules: [a, b]\n" SPAN "  condition: %s\n", courses[i].type,
		    courses[i].condition);
		struct ruleset *ruleset = loaded(text);
		const struct correlation *one = ruleset_find(ruleset, STR("x"))->correlation;

		if (one->course != courses[i].course)
			fail_msg("%s %s: %d", courses[i].type, courses[i].condition, one->course);
		ruleset_free(ruleset);
	}
}

static struct hash128 hash_of(const char *correlation)
{
	char text[2048];

	snprintf(text, sizeof(text), HEAD "%s", correlation);
	struct ruleset *ruleset = loaded(text);
	struct hash128 hash = ruleset_find(ruleset, STR("x"))->meta.hash;

	ruleset_free(ruleset);
	return hash;
}

struct name_case {
	const char *one, *other;
	bool same;
};

static const struct name_case names[] = {
    {"  type: temporal\n" SPAN "  condition: a and not b\n",
	"  type: temporal\n  rules: [id-b, id-a]\n" SPAN "  condition: NOT id-b AND a\n", true},
    {"  type: temporal\n" SPAN "  condition: a and not b\n",
	"  type: temporal\n" SPAN "  condition: b and not a\n", false},
    {"  type: temporal_ordered\n" SPAN "  condition: a and not b\n",
	"  type: temporal_ordered\n  rules: [b, a]\n" SPAN "  condition: a and not b\n", false},
    {"  type: value_sum\n  rules: [a]\n" SPAN "  condition: {field: F, gt: 1, lt: 5}\n",
	"  type: value_sum\n  rules: [a]\n" SPAN "  condition: {lt: 5.0, gt: 1, field: F}\n", true},
    {"  type: value_sum\n  rules: [a]\n" SPAN "  condition: {field: F, gt: 1}\n",
	"  type: value_sum\n  rules: [a]\n" SPAN "  condition: {field: F, gte: 1}\n", false},
    {"  type: value_percentile\n  rules: [a]\n" SPAN
	"  condition: {field: F, gt: 1, percentile: 5}\n",
	"  type: value_percentile\n  rules: [a]\n" SPAN
	"  condition: {field: F, gt: 1, percentile: 6}\n",
	false},
    {"  type: value_count\n  rules: [a]\n" SPAN "  condition: {field: w, gt: 1}\n"
	"  aliases: {w: {a: F}}\n",
	"  type: value_count\n  rules: [a]\n" SPAN "  condition: {field: v, gt: 1}\n"
	"  aliases: {v: {id-a: F}}\n",
	true},
    {"  type: value_count\n  rules: [a]\n" SPAN "  condition: {field: w, gt: 1}\n"
	"  aliases: {w: {a: F}}\n",
	"  type: value_count\n  rules: [a]\n" SPAN "  condition: {field: w, gt: 1}\n"
	"  aliases: {w: {a: G}}\n",
	false},
};

static void what_means_the_same_has_one_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (hash128_eq(hash_of(names[i].one), hash_of(names[i].other)) != names[i].same)
			fail_msg("%s%s", names[i].one, names[i].other);
}

/* ---- chains ---- */

#define COUNT(id, rules, groups)                                                                   \
	"title: " id "\nid: " id "\ncorrelation: {type: event_count, rules: [" rules               \
	"], group-by: [" groups "], timespan: 1m, condition: {gte: 2}}\n---\n"

struct key_case {
	const char *id, *root;
	uint32_t depth;
	size_t count;
	uint32_t groups[4];
};

static const struct key_case keys[] = {
    {"base", "left", 0, 1, {2}}, {"left", "left", 1, 1, {1}}, {"right", "left", 1, 1, {0}},
    {"lone", "lone", 0, 2, {0, 1}}, {"deep", "top", 0, 1, {1}}, {"mid", "top", 1, 1, {0}},
    {"top", "top", 2, 1, {0}}, {"u", "u", 1, 0, {0}}, {"v", "u", 1, 0, {0}}};

/* left shares ip and user with base, right host and user: user is what all three have. */
static void chains_meet_by_what_all_of_them_have(void **state)
{
	struct ruleset *ruleset = loaded(RULES COUNT("base", "a", "ip, host, user")
		COUNT("left", "base", "ip, user") COUNT("right", "base, b", "user, host")
		COUNT("lone", "c", "x, y") COUNT("deep", "a", "p, q") COUNT("mid", "deep", "q, p")
		COUNT("top", "mid, deep", "q") COUNT("two", "a", "m, n") COUNT("u", "two", "m")
		COUNT("v", "two", "n"));

	(void)state;
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		const struct correlation *one =
		    ruleset_find(ruleset, str_of(keys[i].id))->correlation;

		assert_true(str_eq(
		    ruleset_rule(ruleset, one->root)->meta.id, str_of(keys[i].root)));
		assert_int_equal(one->depth, keys[i].depth);
		assert_int_equal(one->key_group_count, keys[i].count);
		for (size_t k = 0; k < keys[i].count; k++)
			assert_int_equal(one->key_groups[k], keys[i].groups[k]);
	}
	assert_int_equal(ruleset_find(ruleset, STR("base"))->use_count, 2);
	ruleset_free(ruleset);
	assert_refused(RULES COUNT("base", "a", "ip")
		"title: y\nid: y\ncorrelation: {type: value_count, rules: [base], timespan: 1m, "
		"condition: {field: [ip, user], gte: 2}}\n",
	    25, 87, "'user' is not in the group-by of the correlation 'base'");
	/* One name for two groups of the same inner one, over two ways: no key. */
	ruleset = loaded(RULES COUNT("base", "a", "p, q") COUNT("left", "base", "p")
		COUNT("right", "base", "q")
		"title: top\nid: top\ncorrelation: {type: temporal, rules: [left, right], "
		"group-by: [t], aliases: {t: {left: p, right: q}}, timespan: 1m}\n");
	const struct correlation *one = ruleset_find(ruleset, STR("base"))->correlation;

	assert_int_equal(one->key_group_count, 0);
	assert_int_equal(one->root, ruleset_find(ruleset, STR("top"))->index);
	ruleset_free(ruleset);
}

/* A correlation has a level and tags of its own; generate is for what it refers to. */
static void levels_tags_and_generate_are_the_correlations_own(void **state)
{
	struct ruleset *ruleset = loaded(RULES
	    "title: x\nid: x\nlevel: critical\ntags: [attack.t1110, attack.impact]\n"
	    "correlation: {type: temporal, timespan: 1m, condition: a and not b, generate: true}\n"
	    "---\ntitle: y\nid: y\ncorrelation: {type: value_avg, rules: [b, c], timespan: 1m, "
	    "condition: {field: F, gt: 1}}\n");
	const struct rule *one = ruleset_find(ruleset, STR("x"));

	(void)state;
	assert_int_equal(one->meta.level, LEVEL_CRITICAL);
	assert_int_equal(one->meta.tag_count, 2);
	assert_true(str_eq(one->meta.tags[1], STR("attack.impact")));
	assert_true(str_eq(one->meta.kind, STR("temporal")));
	assert_false(one->silent);
	assert_false(ruleset_find(ruleset, STR("a"))->silent);
	assert_false(ruleset_find(ruleset, STR("b"))->silent); /* one that generates is enough */
	assert_true(ruleset_find(ruleset, STR("c"))->silent);
	assert_int_equal(ruleset_find(ruleset, STR("y"))->meta.level, LEVEL_MEDIUM);
	ruleset_free(ruleset);
}

/* ---- numbers ---- */

struct decimal_case {
	const char *text, *written; /* NULL: none */
};

static const struct decimal_case decimals[] = {
    {"0", "0"}, {"-0", "0"}, {"12", "12"}, {"+12", "12"}, {" 7 ", "7"}, {"0.1", "0.1"},
    {"-0.000000001", "-0.000000001"}, {"1.5000000000000", "1.5"}, {".5", "0.5"}, {"5.", "5"},
    {"1e3", "1000"}, {"1.5E+3", "1500"}, {"25e-1", "2.5"}, {"1e17", "100000000000000000"},
    {"999999999999999999.999999999", "999999999999999999.999999999"},
    {"1000000000000000000", NULL}, {"0.0000000001", NULL}, {"1e18", NULL}, {"1e-10", NULL},
    {"0e399", "0"}, {"0000000000000000000000000000000000000000000001", "1"}, {"", NULL},
    {"-", NULL}, {".", NULL}, {"1e", NULL}, {"1e+", NULL}, {"0x10", NULL}, {"1,5", NULL},
    {"1 2", NULL}, {"nan", NULL}, {"inf", NULL}, {"1.2.3", NULL}, {"--1", NULL},
    {"9999999999999999999999999999999999999999999999999999", NULL}, {"1e99999999999", NULL}};

static void numbers_are_exact_or_none(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(decimals); i++) {
		struct buf out = BUF(64);
		decimal value;
		bool is = decimal_parse(str_of(decimals[i].text), &value);

		if (is != (decimals[i].written != NULL))
			fail_msg("'%s'", decimals[i].text);
		if (is) {
			decimal_put(&out, value);
			buf_char(&out, '\0');
			assert_string_equal(out.ptr, decimals[i].written);
		}
		buf_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_is_refused_where_it_stands),
	    cmocka_unit_test(conditions_without_end_are_refused),
	    cmocka_unit_test(conditions_are_alternatives),
	    cmocka_unit_test(what_can_be_undone_waits),
	    cmocka_unit_test(what_means_the_same_has_one_name),
	    cmocka_unit_test(chains_meet_by_what_all_of_them_have),
	    cmocka_unit_test(levels_tags_and_generate_are_the_correlations_own),
	    cmocka_unit_test(numbers_are_exact_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
