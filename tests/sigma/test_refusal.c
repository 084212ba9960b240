/*
 * What is refused, where, and in which words: a rule is never honoured by half.
 */
#include "tests/sigma/unit.h"

struct refusal_case {
	const char *text; /* of the detection, or a whole document */
	unsigned line, column;
	const char *words;
};

static const struct refusal_case detections[] = {
    {"    sel: {A: 1}\n", 6, 1, "'condition' is missing"},
    {"    condition: sel\n", 7, 16, "no detection 'sel'"},
    {"    sel: {A: 1}\n    condition: sel and other\n", 8, 24, "no detection 'other'"},
    {"    sel: {A: 1}\n    condition: 'sel and other'\n", 8, 25, "character 9"},
    {"    sel: {A: 1}\n    condition: sel or\n", 8, 22, "character 7: expected a detection"},
    {"    sel: {A: 1}\n    condition: (sel\n", 8, 20, "')' is missing"},
    {"    sel: {A: 1}\n    condition: sel)\n", 8, 19, "not ')'"},
    {"    sel: {A: 1}\n    condition: sel sel\n", 8, 20, "expected 'and', 'or'"},
    {"    sel: {A: 1}\n    condition: sel | count() > 5\n", 8, 20, "'|' is not supported"},
    {"    sel: {A: 1}\n    condition: sel & sel\n", 8, 20, "unexpected character"},
    {"    sel: {A: 1}\n    condition: not\n", 8, 19, "expected a detection"},
    {"    sel: {A: 1}\n    condition: 1 of filter*\n", 8, 21, "covers no detection"},
    {"    _sel: {A: 1}\n    condition: all of them\n", 8, 23, "covers no detection"},
    {"    sel: {A: 1}\n    condition: 2 of sel*\n", 8, 16, "from 1 to 1"},
    {"    sel: {A: 1}\n    condition: 0 of sel*\n", 8, 16, "expected a number"},
    {"    sel: {A: 1}\n    condition: x of sel*\n", 8, 16, "expected a number"},
    {"    sel: {A: 1}\n    condition: 1 of\n", 8, 20, "expected a detection"},
    {"    sel: {A: 1}\n    condition: [sel, nosel]\n", 8, 22, "no detection 'nosel'"},
    {"    sel: {A: 1}\n    condition: {a: b}\n", 8, 16, "must be a text"},
    {"    sel: {}\n    condition: sel\n", 7, 10, "'sel' is empty"},
    {"    sel: []\n    condition: sel\n", 7, 10, "'sel' is empty"},
    {"    sel: {A: [x, null]}\n    condition: sel\n", 7, 18, "null must stand alone"},
    {"    sel: {A: {B: 1}}\n    condition: sel\n", 7, 14, "expected a text, a number"},
    {"    sel:\n        A|nonsense: x\n    condition: sel\n", 8, 11, "unknown modifier"},
    {"    sel:\n        A|contains|expand: '%x%'\n    condition: sel\n", 8, 28, "no list 'x'"},
    {"    sel:\n        A|re: 'a(b'\n    condition: sel\n", 8, 15, "regular expression, byte 3"},
    {"    sel:\n        A|re|startswith: 'a'\n    condition: sel\n", 8, 26, "'startswith' cannot"},
    {"    sel:\n        A|contains|re: 'a'\n    condition: sel\n", 8, 24, "'re' cannot"},
    {"    sel:\n        A|i: 'a'\n    condition: sel\n", 8, 14, "'i' cannot"},
    {"    sel:\n        A|cidr: 192.0.2.0/33\n    condition: sel\n", 8, 17, "expected a network"},
    {"    sel:\n        A|cidr: ruộng\n    condition: sel\n", 8, 17, "expected a network"},
    {"    sel:\n        A|exists: maybe\n    condition: sel\n", 8, 19, "needs true or false"},
    {"    sel:\n        A|gt: nhiều\n    condition: sel\n", 8, 15, "needs a number"},
    {"    sel:\n        A|base64: 'a*'\n    condition: sel\n", 8, 19, "must not have wildcards"},
    {"    sel:\n        A|windash|base64: ' -a'\n    condition: sel\n", 8, 27, "wildcards"},
    {"    sel:\n        A|base64offset: a\n    condition: sel\n", 8, 25, "too short"},
    {"    sel:\n        A|contains: null\n    condition: sel\n", 8, 21, "'contains' cannot"},
    {"    sel:\n        '|cidr': 192.0.2.0/24\n    condition: sel\n", 8, 18, "name of a field"},
    {"    sel:\n        '|fieldref': B\n    condition: sel\n", 8, 22, "'fieldref' cannot"},
    {"    sel: null\n    condition: sel\n", 7, 10, "name of a field"},
    {"    sel: {A: 1}\n    timeframe: 5m\n    condition: sel\n", 8, 5, "'timeframe' is not"},
};

static void detections_are_refused_with_a_position(void **state)
{
	char text[2048];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(detections); i++)
		assert_refused(rule_around(detections[i].text, text, sizeof(text)),
		    detections[i].line, detections[i].column, detections[i].words);
}

#define DETECTION "logsource: {product: thu}\ndetection: {s: {A: 1}, condition: s}\n"

static const struct refusal_case documents[] = {
    {"just text\n", 1, 1, "a rule is a map"},
    {"title: a\n", 1, 1, "a rule is a map"},
    {DETECTION, 1, 1, "'title' is missing"},
    {"title: a\ndetection: {s: {A: 1}, condition: s}\n", 1, 1, "'logsource' is missing"},
    {"title: ''\n" DETECTION, 1, 8, "'title' must not be empty"},
    {"title: [a]\n" DETECTION, 1, 8, "'title' must be a text"},
    {"title: a\nlevel: loud\n" DETECTION, 2, 8, "level 'loud'"},
    {"title: a\ntaxonomy: ecs\n" DETECTION, 2, 11, "taxonomy 'ecs'"},
    {"title: a\ntags: {a: b}\n" DETECTION, 2, 7, "'tags' must be a list"},
    {"title: a\nlogsource: windows\ndetection: {s: {A: 1}, condition: s}\n", 2, 12,
        "'logsource' must be a map"},
    {"title: a\naction: global\n", 2, 1, "'action' is not supported"},
    {"title: a\nfilter: {rules: any}\n", 2, 1, "'condition' is missing"},
    {"title: a\nfilter: {rules: any}\n" DETECTION, 2, 1, "'filter' is a document of its own"},
    {"title: a\ntocsin: {fould: 1h}\n" DETECTION, 2, 10, "unknown key 'fould'"},
    {"title: a\ntocsin: {fold: 1 hour}\n" DETECTION, 2, 16, "not a duration"},
    {"title: a\ntocsin: {examples: [{name: n}]}\n" DETECTION, 2, 21, "'fires' is missing"},
    {"title: a\ntocsin: {examples: [{name: n, fires: 1}]}\n" DETECTION, 2, 38, "true or false"},
    {"title: a\ntocsin: {examples: [{received: hôm qua}]}\n" DETECTION, 2, 32, "not a time"},
    {"title: a\ntocsin: {examples: [{lines: []}]}\n" DETECTION, 2, 29, "must not be empty"},
    {"title: a\ntocsin: {examples: [{x: 1}]}\n" DETECTION, 2, 22, "unknown key 'x'"},
    {"title: a\ntocsin: {suppress: 1h}\n" DETECTION, 2, 20, "'suppress' must be a map"},
    {"title: a\ntocsin: {suppress: {for: 1h}}\n" DETECTION, 2, 20, "'by' is missing"},
    {"title: a\ntocsin: {suppress: {by: [A]}}\n" DETECTION, 2, 20, "'for' is missing"},
    {"title: a\ntocsin: {suppress: {for: 0, by: [A]}}\n" DETECTION, 2, 26, "not a duration"},
    {"title: a\ntocsin: {suppress: {for: 31d, by: [A]}}\n" DETECTION, 2, 26, "at most 30 days"},
    {"title: a\ntocsin: {suppress: {for: 1h, by: {A: 1}}}\n" DETECTION, 2, 34, "must be a list"},
    {"title: a\ntocsin: {suppress: {for: 1h, by: [A, A]}}\n" DETECTION, 2, 38, "listed twice"},
    {"title: a\ntocsin: {suppress: {for: 1h, by: ['']}}\n" DETECTION, 2, 35, "must be a text"},
    {"title: a\ntocsin: {suppress: {for: 1h, by: [A], of: 1}}\n" DETECTION, 2, 39, "unknown key"},
    {"title: a\ntocsin: {suppress: {for: 1h, by: [A]}, fold: 1h}\n" DETECTION, 2, 40,
        "'fold' means nothing"},
    {"title: a\ntocsin: {first_seen: [A]}\n" DETECTION, 2, 22, "'first_seen' must be a map"},
    {"title: a\ntocsin: {first_seen: {fields: A, within: 9d}}\n" DETECTION, 2, 22,
        "'learn' is missing"},
    {"title: a\ntocsin: {first_seen: {fields: A, learn: 0}}\n" DETECTION, 2, 22,
        "'within' is missing"},
    {"title: a\ntocsin: {first_seen: {learn: 0, within: 9d}}\n" DETECTION, 2, 22,
        "'fields' is missing"},
    {"title: a\ntocsin: {first_seen: {fields: [], within: 9d, learn: 0}}\n" DETECTION, 2, 31,
        "'fields' must not be empty"},
    {"title: a\ntocsin: {first_seen: {fields: A, within: 0, learn: 0}}\n" DETECTION, 2, 42,
        "not a duration"},
    {"title: a\ntocsin: {first_seen: {fields: A, within: 2y, learn: 0}}\n" DETECTION, 2, 42,
        "at most 400 days"},
    {"title: a\ntocsin: {first_seen: {fields: A, within: 1d, learn: 2d}}\n" DETECTION, 2, 53,
        "longer than 'within'"},
    {"title: a\ntocsin: {first_seen: {fields: A, by: A, within: 1d, learn: 0}}\n" DETECTION, 2,
        38, "listed twice"},
    {"title: a\ntocsin: {first_seen: {fields: A, at: A, within: 1d, learn: 0}}\n" DETECTION, 2,
        34, "unknown key 'at'"},
    {"title: a\ntocsin: {entity: B, first_seen: {fields: A, within: 1d, learn: 0}}\n" DETECTION,
        2, 10, "'entity' means nothing"},
    {"title: a\ntocsin: {suppress: {for: 1h, by: B}, first_seen: {fields: A, within: 1d, learn: 0}}\n"
     DETECTION, 2, 34, "'B' is not in"},
    {"title: a\ntocsin: {first_seen: {fields: A, within: 1d, learn: 0}}\ncorrelation: {type: "
     "event_count, rules: [x], timespan: 1m, condition: {gte: 2}}\n", 2, 10, "not to a correlation"},
    {"title: a\ntocsin: {suppress: {for: 1h, by: [A,B,C,D,E,F,G,H,I,J,K,L,M,N,O,P,Q]}}\n" DETECTION,
        2, 34, "more than 16"},
    {"title: a\ntocsin: {suppress: {for: 1h, by: [A, B]}}\ncorrelation: {type: event_count, "
     "rules: [x], group-by: [A], timespan: 1m, condition: {gte: 2}}\n", 2, 38, "'B' is not in"},
};

static void documents_are_refused_with_a_position(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(documents); i++)
		assert_refused(documents[i].text, documents[i].line, documents[i].column,
		    documents[i].words);
}

static void a_rule_of_first_seen_is_no_step(void **state)
{
	(void)state;
	assert_refused("title: a\nid: a\ntocsin: {first_seen: {fields: A, within: 1d, learn: 0}}\n" DETECTION
		       "---\ntitle: b\ncorrelation: {type: event_count, rules: [a], timespan: 1m, "
		       "condition: {gte: 2}}\n",
	    8, 42, "cannot be part of a correlation");
}

#define BASE                                                                                       \
	"title: a\nid: id-a\nname: ten_a\n" DETECTION "---\n"                                      \
	"title: b\nid: id-b\n" DETECTION "---\ntitle: c\ncorrelation:\n"

/* The correlation's own keys begin in line 14. */
static const struct refusal_case correlations[] = {
    {BASE "  type: value_mode\n", 14, 9, "'value_mode' is not a correlation type"},
    {BASE "  type: event_count\n  timespan: 1m\n", 14, 3, "'rules' is missing"},
    {BASE "  type: event_count\n  rules: [ten_a]\n", 14, 3, "'timespan' is missing"},
    {BASE "  type: event_count\n  rules: ten_a\n", 15, 10, "'rules' must be a list"},
    {BASE "  type: event_count\n  rules: []\n", 15, 10, "'rules' must not be empty"},
    {BASE "  type: event_count\n  rules: [id-a, id-a]\n", 15, 17, "'id-a' is listed twice"},
    {BASE "  type: event_count\n  rules: [id-a, ten_a]\n  timespan: 1m\n  condition: {gte: 2}\n",
	15, 17, "'ten_a' is listed twice"},
    {BASE "  type: event_count\n  rules: [nobody]\n  timespan: 1m\n  condition: {gte: 2}\n", 15, 11,
	"no rule 'nobody'"},
    {BASE "  type: event_count\n  rules: [id-a]\n  timespan: 5x\n", 16, 13, "not a duration"},
    {BASE "  type: event_count\n  rules: [id-a]\n  timespan: 0s\n", 16, 13, "not a duration"},
    {BASE "  type: event_count\n  rules: [id-a]\n  timespan: 1m\n", 14, 3,
	"'condition' is missing"},
    {BASE "  type: event_count\n  rules: [id-a]\n  timespan: 1m\n  condition: {gte: 0}\n", 17, 20,
	"from 1 to"},
    {BASE "  type: event_count\n  rules: [id-a]\n  timespan: 1m\n  condition: {gte: 2, field: x}\n",
	17, 23, "unknown key 'field'"},
    {BASE "  type: value_count\n  rules: [id-a]\n  timespan: 1m\n  condition: {gte: 2}\n", 17, 14,
	"'field' is missing"},
    {BASE "  type: value_count\n  rules: [id-a]\n  timespan: 1m\n  condition: {field: x}\n", 17, 14,
	"needs one of gt, gte"},
    {BASE "  type: temporal\n  rules: [id-a, id-b]\n  timespan: 1m\n  condition: {gte: 3}\n", 17,
	14, "from 1 to 2"},
    {BASE "  type: event_count\n  rules: [id-a, id-b]\n  timespan: 1m\n  condition: {gte: 2}\n"
	  "  group-by: [ai]\n  aliases: {ai: {ten_a: User}}\n",
	19, 17, "names no field for the rule 'id-b'"},
    {BASE "  type: event_count\n  rules: [id-a]\n  timespan: 1m\n  condition: {gte: 2}\n"
	  "  group-by: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q]\n",
	18, 13, "from 1 to 16"},
    {BASE "  type: value_count\n  rules: [id-a]\n  timespan: 1m\n"
	  "  condition: {gte: 2, field: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q]}\n",
	17, 30, "from 1 to 16"},
};

static void correlations_are_refused_with_a_position(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(correlations); i++)
		assert_refused(correlations[i].text, correlations[i].line, correlations[i].column,
		    correlations[i].words);
}

#define COUNT_OF_RULE(id, rule, group)                                                             \
	"---\ntitle: x\nid: " id "\ncorrelation: {type: event_count, rules: [" rule                \
	"], group-by: [" group "], timespan: 1m, condition: {gte: 2}}\n"

static void circles_and_wide_groups_are_refused(void **state)
{
	struct refusals refusals;
	struct ruleset *ruleset =
	    load_text(COUNT_OF_RULE("c1", "c2", "") COUNT_OF_RULE("c2", "c1", ""), &refusals);

	(void)state;
	assert_int_equal(refusals.count, 2);
	assert_non_null(strstr(refusals.first.text, "in a circle"));
	assert_int_equal(ruleset_count(ruleset), 0);
	ruleset_free(ruleset);
	assert_refused("title: a\nid: id-a\n" DETECTION COUNT_OF_RULE("c1", "id-a", "User")
	               COUNT_OF_RULE("c2", "c1", "User, Host"),
	    12, 64, "'Host' is not in the group-by of the correlation 'c1'");
}

static void a_refused_rule_leaves_the_others(void **state)
{
	struct refusals refusals;
	struct ruleset *ruleset = load_text("title: a\nid: id-a\n" DETECTION "---\ntitle: b\n"
	                                    "---\ntitle: c\nid: id-a\n" DETECTION
	                                    "---\ntitle: d\nid: id-d\nname: id-a\n" DETECTION
	                                    "---\ntitle: e\nid: id-e\n" DETECTION,
	    &refusals);

	(void)state;
	assert_int_equal(refusals.count, 3);
	assert_int_equal(ruleset_count(ruleset), 2);
	assert_non_null(ruleset_find(ruleset, STR("id-a")));
	assert_null(ruleset_find(ruleset, STR("id-d")));
	assert_int_equal(ruleset_find(ruleset, STR("id-e"))->index, 1);
	ruleset_free(ruleset);
	assert_refused("title: a\nid: id-a\n" DETECTION "---\ntitle: c\nid: id-a\n" DETECTION, 7, 5,
	    "already the id or name of the rule in quy-tac.yml:1");
}

static void broken_yaml_is_one_refusal(void **state)
{
	struct refusals refusals;
	struct ruleset *ruleset = load_text("title: [a\nid: b\n", &refusals);

	(void)state;
	assert_int_equal(refusals.count, 1);
	assert_int_not_equal(refusals.first.line, 0);
	ruleset_free(ruleset);
}

static void a_document_that_is_no_yaml_leaves_the_others(void **state)
{
	struct refusals refusals;
	struct ruleset *ruleset = load_text("title: a\nid: id-a\n" DETECTION
	                                    "---\ntitle: [b\nid: id-b\n--- # here\ntitle: c\n"
	                                    "id: id-c\ndescription: |\n  ---\n  text\n" DETECTION
	                                    "---\ntitle: d\ntitle: e\n---\nid: id-f\n",
	    &refusals);

	(void)state;
	assert_int_equal(refusals.count, 3);
	assert_int_equal(refusals.first.line, 7);
	assert_int_equal(ruleset_count(ruleset), 2);
	assert_non_null(ruleset_find(ruleset, STR("id-a")));
	assert_non_null(ruleset_find(ruleset, STR("id-c")));
	ruleset_free(ruleset);
	assert_refused("title: a\nid: id-a\n" DETECTION "---\ntitle: d\ntitle: e\n", 7, 1,
	    "first on line 6");
}

static void refusals_are_told_in_vietnamese(void **state)
{
	(void)state;
	text_choose(LANGUAGE_VIETNAMESE);
	assert_refused("title: a\nlevel: loud\n" DETECTION, 2, 8, "mức 'loud' không thuộc");
	text_choose(LANGUAGE_ENGLISH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(detections_are_refused_with_a_position),
	    cmocka_unit_test(documents_are_refused_with_a_position),
	    cmocka_unit_test(a_rule_of_first_seen_is_no_step),
	    cmocka_unit_test(correlations_are_refused_with_a_position),
	    cmocka_unit_test(circles_and_wide_groups_are_refused),
	    cmocka_unit_test(a_refused_rule_leaves_the_others),
	    cmocka_unit_test(broken_yaml_is_one_refusal),
	    cmocka_unit_test(a_document_that_is_no_yaml_leaves_the_others),
	    cmocka_unit_test(refusals_are_told_in_vietnamese),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
