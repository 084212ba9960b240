/*
 * Filters: which rules they reach, what they make of them, and what is refused. A rule with a
 * filter has the compiled form, and so the meaning, of a rule that says both.
 */
#include "tests/sigma/unit.h"

#define RULE_OF(source, detection)                                                                 \
	"title: a\nid: id-a\nname: ten_a\nlogsource: {" source "}\ndetection: {" detection "}\n"
#define RULE(detection) RULE_OF("product: thu, category: c", detection)
#define PLAIN           RULE("s: {A: 1}, condition: s")
#define BOTH            RULE("s: {A: 1}, f: {B: 2}, condition: s and not f")
#define FILTER_OF(source, keys)                                                                    \
	"title: lọc\nlogsource: {" source "}\nfilter: {" keys ", f: {B: 2}, condition: not f}\n"
#define FILTER(keys) FILTER_OF("product: thu", keys)
#define NEXT         "---\n"

struct filter_case {
	const char *filtered, *written;
};

static const struct filter_case cases[] = {
    {PLAIN NEXT FILTER("rules: [id-a]"), BOTH},
    {PLAIN NEXT FILTER("rules: [ten_a]"), BOTH},
    {PLAIN NEXT FILTER("rules: any"), BOTH},
    {PLAIN NEXT FILTER("rules: Any"), BOTH},
    {PLAIN NEXT FILTER("rules: []"), BOTH},
    /* a filter may come before its rule */
    {FILTER("rules: [id-a]") NEXT PLAIN, BOTH},
    /* what the filter gives must be equal, what it omits is any */
    {PLAIN NEXT FILTER_OF("", "rules: any"), BOTH},
    {PLAIN NEXT FILTER_OF("category: c", "rules: any"), BOTH},
    {PLAIN NEXT FILTER_OF("category: c, product: thu, definition: x", "rules: any"), BOTH},
    {PLAIN NEXT FILTER_OF("product: khac", "rules: any"), PLAIN},
    {PLAIN NEXT FILTER_OF("product: thu, service: s", "rules: any"), PLAIN},
    {RULE_OF("product: thu", "s: {A: 1}, condition: s") NEXT FILTER_OF(
         "product: thu, category: c", "rules: any"),
	RULE_OF("product: thu", "s: {A: 1}, condition: s")},
    /* as written: nothing is negated of itself */
    {PLAIN NEXT "title: lọc\nlogsource: {}\nfilter: {rules: any, f: {B: 2}, condition: f}\n",
	RULE("s: {A: 1}, f: {B: 2}, condition: s and f")},
    /* patterns of the rule do not reach the filter's detections, nor the other way round */
    {RULE("s1: {A: 1}, s2: {A: 2}, condition: 1 of s*") NEXT
     "title: lọc\nlogsource: {}\nfilter: {rules: any, s3: {B: 2}, condition: not s3}\n",
	RULE("s1: {A: 1}, s2: {A: 2}, f: {B: 2}, condition: 1 of s* and not f")},
    {RULE("s: {A: 1}, condition: all of them") NEXT FILTER("rules: any"), BOTH},
    {PLAIN NEXT "title: lọc\nlogsource: {}\n"
	        "filter: {rules: any, s1: {B: 2}, s2: {B: 3}, condition: not 1 of s*}\n",
	RULE("s: {A: 1}, f: {B: [2, 3]}, condition: s and not f")},
    {PLAIN NEXT "title: lọc\nlogsource: {}\nfilter: {rules: any, s: {B: 2}, condition: not s}\n",
	BOTH},
    /* or binds looser than the filter */
    {RULE("s: {A: 1}, t: {A: 2}, condition: s or t") NEXT FILTER("rules: any"),
	RULE("s: {A: 1}, t: {A: 2}, f: {B: 2}, condition: (s or t) and not f")},
    /* several filters, in any order; status and unknown keys say nothing */
    {PLAIN NEXT FILTER("rules: any") NEXT
     "title: hai\nstatus: test\nx: y\nlogsource: {}\nfilter: {rules: [id-a], g: {C: 3}, condition: g}\n",
	RULE("s: {A: 1}, f: {B: 2}, g: {C: 3}, condition: g and s and not f")},
    {"title: hai\nlogsource: {}\nfilter: {rules: [id-a], g: {C: 3}, condition: g}\n" NEXT PLAIN NEXT
         FILTER("rules: any"),
	RULE("s: {A: 1}, f: {B: 2}, g: {C: 3}, condition: g and s and not f")},
};

static void filters_are_anded_as_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct ruleset *filtered = load_text(cases[i].filtered, NULL);
		struct ruleset *written = load_text(cases[i].written, NULL);

		assert_int_equal(ruleset_count(filtered), 1);
		if (!hash128_eq(ruleset_hash(filtered), ruleset_hash(written)))
			fail_msg("%s\n%s", cases[i].filtered, cases[i].written);
		ruleset_free(filtered);
		ruleset_free(written);
	}
}

#define OTHER "title: b\nid: id-b\nlogsource: {product: thu}\ndetection: {s: {A: 9}, condition: s}\n"
#define COUNT                                                                                      \
	"title: c\nid: id-c\ncorrelation: {type: event_count, rules: [id-a], timespan: 1m, "       \
	"condition: {gte: 2}}\n"

static struct hash128 hash_of(const char *text, struct str id)
{
	struct ruleset *ruleset = load_text(text, NULL);
	struct hash128 hash = ruleset_find(ruleset, id)->meta.hash;

	ruleset_free(ruleset);
	return hash;
}

/* Correlations are not filtered, but what they refer to is, and so their name changes too. */
static void a_filter_changes_what_it_reaches_and_no_more(void **state)
{
	const char *bare = PLAIN NEXT OTHER NEXT COUNT;
	const char *named = PLAIN NEXT OTHER NEXT COUNT NEXT FILTER("rules: [id-a]");
	const char *any = PLAIN NEXT OTHER NEXT COUNT NEXT FILTER("rules: any");

	(void)state;
	assert_false(hash128_eq(hash_of(bare, STR("id-a")), hash_of(named, STR("id-a"))));
	assert_false(hash128_eq(hash_of(bare, STR("id-c")), hash_of(named, STR("id-c"))));
	assert_true(hash128_eq(hash_of(bare, STR("id-b")), hash_of(named, STR("id-b"))));
	assert_false(hash128_eq(hash_of(bare, STR("id-b")), hash_of(any, STR("id-b"))));
	assert_true(hash128_eq(hash_of(named, STR("id-c")), hash_of(any, STR("id-c"))));
}

static const struct {
	const char *text;
	unsigned line, column;
	const char *words;
} refusals[] = {
    {PLAIN NEXT FILTER("rules: [nobody]"), 9, 18, "no rule 'nobody'"},
    {PLAIN NEXT FILTER("rules: [id-a, nobody]"), 9, 24, "no rule 'nobody'"},
    {PLAIN NEXT FILTER("rules: [id-a, ten_a]"), 9, 24, "'ten_a' is listed twice"},
    {PLAIN NEXT COUNT NEXT FILTER("rules: [id-c]"), 13, 18, "'id-c' is a correlation"},
    {PLAIN NEXT FILTER_OF("product: khac", "rules: [id-a]"), 9, 17, "takes in none"},
    {PLAIN NEXT FILTER("rules: some"), 9, 17, "expected 'any' or a list"},
    {PLAIN NEXT FILTER("rules: {id-a: 1}"), 9, 17, "expected 'any' or a list"},
    {PLAIN NEXT FILTER("rules: [[id-a]]"), 9, 18, "expected 'any' or a list"},
    {PLAIN NEXT FILTER("x: {A: 1}"), 9, 1, "'rules' is missing"},
    {PLAIN NEXT "title: lọc\nlogsource: {}\nfilter: any\n", 9, 9, "'filter' must be a map"},
    {PLAIN NEXT "title: lọc\nlogsource: {}\nfilter: {rules: any, f: {A: 1}}\n", 9, 1,
	"'condition' is missing"},
    {PLAIN NEXT "title: lọc\nlogsource: {}\nfilter: {rules: any, f: {A: 1}, condition: s}\n", 9,
	44, "no detection 's'"},
    {PLAIN NEXT "title: lọc\nfilter: {rules: any, f: {A: 1}, condition: f}\n", 7, 1,
	"'logsource' is missing"},
    {PLAIN NEXT "logsource: {}\nfilter: {rules: any, f: {A: 1}, condition: f}\n", 7, 1,
	"'title' is missing"},
    {PLAIN NEXT "title: lọc\nid: id-a\nlogsource: {}\n"
	        "filter: {rules: any, f: {A: 1}, condition: f}\n",
	8, 5, "already the id or name"},
    {PLAIN "filter: {rules: any, f: {A: 1}, condition: f}\n", 6, 1, "a document of its own"},
};

/* A filter is whole or not at all: the rules that it would reach are as without it. */
static void wrong_filters_are_refused_with_a_position(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(refusals); i++)
		assert_refused(refusals[i].text, refusals[i].line, refusals[i].column,
		    refusals[i].words);
	struct refusals told;
	struct ruleset *refused = load_text(PLAIN NEXT FILTER("rules: [id-a, nobody]"), &told);
	struct ruleset *bare = load_text(PLAIN, NULL);

	assert_true(hash128_eq(ruleset_hash(refused), ruleset_hash(bare)));
	ruleset_free(refused);
	ruleset_free(bare);
}

/* What was refused has no name that a filter could reach; nor is a filter a rule to refer to. */
static void refused_rules_cannot_be_filtered(void **state)
{
	struct refusals told;
	struct ruleset *ruleset =
	    load_text("title: a\nid: id-a\nlogsource: {}\ndetection: {s: {A: 1}}\n" NEXT FILTER(
		"rules: [id-a]"), &told);

	(void)state;
	assert_int_equal(told.count, 2);
	ruleset_free(ruleset);
	ruleset = load_text(PLAIN NEXT "title: lọc\nid: id-f\nlogsource: {}\n"
		"filter: {rules: any, f: {A: 1}, condition: f}\n" NEXT
		"title: c\nid: id-c\ncorrelation: {type: temporal, rules: [id-a, id-f], timespan: 1m}\n",
	    &told);
	assert_int_equal(told.count, 1);
	assert_non_null(strstr(told.first.text, "no rule 'id-f'"));
	assert_null(ruleset_find(ruleset, STR("id-f")));
	ruleset_free(ruleset);
}

static void no_memory_for_filters_is_an_error_and_no_more(void **state)
{
	static const char whole[] = PLAIN NEXT OTHER NEXT COUNT NEXT FILTER("rules: any");
	int code = ERR_MEMORY;

	(void)state;
	for (size_t memory = 1; code == ERR_MEMORY; memory += 101) {
		struct ruleset_options options = {.memory = memory};
		struct ruleset *ruleset = NULL;
		struct error error = {0};

		code = ruleset_load_text(&ruleset, STR(whole), "quy-tac.yml", &options, &error);
		assert_int_equal(error.code, code);
		assert_true((code == 0) == (ruleset != NULL));
		ruleset_free(ruleset);
	}
	assert_int_equal(code, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(filters_are_anded_as_written),
	    cmocka_unit_test(a_filter_changes_what_it_reaches_and_no_more),
	    cmocka_unit_test(wrong_filters_are_refused_with_a_position),
	    cmocka_unit_test(refused_rules_cannot_be_filtered),
	    cmocka_unit_test(no_memory_for_filters_is_an_error_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
