/*
 * Every code of lints.def: a rule that has it, where, and one beside it that has not.
 */
#include "tests/sigma/unit.h"

#include "sigma/lint.h"

#define HEAD                                                                                       \
	"title: Mẫu\nid: 7d1f1a52-4c1e-4a3e-9a53-0f6a5c0e1b01\nstatus: test\n"                     \
	"description: d\nauthor: a\nlevel: low\n"
#define SOURCE    "logsource: {product: thu, category: c}\n"
#define DETECTION "detection: {s: {A: xyz}, condition: s}\n"
/* The detection's own keys begin in line 9, column 3. */
#define AROUND HEAD SOURCE "detection:\n"

#define DISTINCT(field)                                                                            \
	"  type: value_count\n  rules: [nen]\n  condition: {gte: 2, field: " field                    \
	"}\n  timespan: 1m\n  group-by: [A]\n"

struct lint_case {
	enum lint lint;
	unsigned line, column;
	const char *with, *without, *subject;
};

#define SECOND(title)                                                                              \
	HEAD SOURCE DETECTION "---\ntitle: " title "\n"                                            \
	"id: 7d1f1a52-4c1e-4a3e-9a53-0f6a5c0e1b02\n" SOURCE DETECTION
#define LONG64 "0123456789012345678901234567890123456789012345678901234567890123"
#define BASE HEAD "name: nen\n" SOURCE DETECTION "---\ntitle: b\ncorrelation:\n"
#define WINDOW "  type: event_count\n  rules: [nen]\n  timespan: 1m\n  condition: {gte: 2}\n"

static const struct lint_case cases[] = {
    {LINT_TITLE_TWICE, 10, 8, SECOND("Mẫu"), SECOND("Mẫu khác"), "t.yml:1"},
    {LINT_ID_MISSING, 1, 1, "title: a\n" SOURCE DETECTION, HEAD SOURCE DETECTION, ""},
    {LINT_ID_FORM, 2, 5, "title: a\nid: mot-hai\n" SOURCE DETECTION, HEAD SOURCE DETECTION,
	"mot-hai"},
    {LINT_LEVEL_MISSING, 1, 1, "title: a\n" SOURCE DETECTION, HEAD SOURCE DETECTION, ""},
    {LINT_STATUS, 2, 9, "title: a\nstatus: good\n" SOURCE DETECTION, HEAD SOURCE DETECTION, "good"},
    {LINT_STATUS, 1, 1, "title: a\n" SOURCE DETECTION, HEAD SOURCE DETECTION, ""},
    {LINT_DESCRIPTION, 1, 1, "title: a\ndescription: ' '\n" SOURCE DETECTION,
	HEAD SOURCE DETECTION, ""},
    {LINT_AUTHOR, 1, 1, "title: a\nauthor: ''\n" SOURCE DETECTION,
	"title: a\nauthor: [An, Bình]\n" SOURCE DETECTION, ""},
    {LINT_TAG_NAMESPACE, 7, 8, HEAD "tags: [tinh.hue]\n" SOURCE DETECTION,
	HEAD "tags: [tlp.amber, cve.2026-1]\n" SOURCE DETECTION, "tinh.hue"},
    {LINT_TAG_NAMESPACE, 7, 8, HEAD "tags: [attack]\n" SOURCE DETECTION,
	HEAD "tags: [attack.impact]\n" SOURCE DETECTION, "attack"},
    {LINT_TAG_ATTACK, 7, 8, HEAD "tags: [attack.t10591]\n" SOURCE DETECTION,
	HEAD "tags: [attack.t1059]\n" SOURCE DETECTION, "attack.t10591"},
    {LINT_TAG_ATTACK, 7, 8, HEAD "tags: [attack.t1059.01]\n" SOURCE DETECTION,
	HEAD "tags: [attack.T1059.001, attack.g0016, attack.s0001]\n" SOURCE DETECTION, NULL},
    {LINT_TAG_ATTACK, 7, 8, HEAD "tags: [attack.t105]\n" SOURCE DETECTION,
	HEAD "tags: [attack.ta0001]\n" SOURCE DETECTION, NULL},
    {LINT_TAG_ATTACK, 7, 8, HEAD "tags: [attack.g0016.001]\n" SOURCE DETECTION,
	HEAD "tags: [attack.t0016.001]\n" SOURCE DETECTION, NULL},
    {LINT_TAG_ATTACK, 7, 8, HEAD "tags: [attack.lateral]\n" SOURCE DETECTION,
	HEAD "tags: [attack.lateral_movement, attack.initial-access]\n" SOURCE DETECTION, NULL},
    {LINT_TAG_TWICE, 7, 22, HEAD "tags: [attack.t1001, attack.T1001]\n" SOURCE DETECTION,
	HEAD "tags: [attack.t1001, attack.t1002]\n" SOURCE DETECTION, "attack.T1001"},
    {LINT_DATE, 7, 7, HEAD "date: 2026/11/22\n" SOURCE DETECTION,
	HEAD "date: 2026-11-22\n" SOURCE DETECTION, "2026/11/22"},
    {LINT_DATE, 7, 11, HEAD "modified: 2026-13-22\n" SOURCE DETECTION,
	HEAD "modified: 2026-12-31\n" SOURCE DETECTION, NULL},
    {LINT_DATE_ORDER, 8, 11, HEAD "date: 2026-11-22\nmodified: 2026-11-21\n" SOURCE DETECTION,
	HEAD "date: 2026-11-22\nmodified: 2026-11-22\n" SOURCE DETECTION, NULL},
    {LINT_FALSEPOSITIVE, 7, 18, HEAD "falsepositives: [None.]\n" SOURCE DETECTION,
	HEAD "falsepositives: [None but backups]\n" SOURCE DETECTION, "None."},
    {LINT_TITLE_LONG, 1, 8, "title: " LONG64 LONG64 LONG64 LONG64 "x\n" SOURCE DETECTION,
	"title: " LONG64 LONG64 LONG64 LONG64 "\n" SOURCE DETECTION, ""},
    {LINT_EXAMPLES, 1, 1, HEAD SOURCE DETECTION,
	HEAD "tocsin: {examples: [{name: n, fires: true, received: 2026-11-22T00:00:00Z, "
	     "lines: x}]}\n" SOURCE DETECTION, ""},
    {LINT_SKIPPED, 2, 9, "title: a\nstatus: deprecated\n" SOURCE DETECTION, HEAD SOURCE DETECTION,
	"deprecated"},
    {LINT_DETECTION_UNUSED, 10, 3, AROUND "  s: {A: 1}\n  lost: {A: 2}\n  condition: s\n",
	AROUND "  s: {A: 1}\n  lost: {A: 2}\n  condition: [s, not lost]\n", "lost"},
    {LINT_DETECTION_UNUSED, 10, 3, AROUND "  s: {A: 1}\n  _t: {A: 2}\n  condition: 1 of them\n",
	AROUND "  s: {A: 1}\n  t: {A: 2}\n  condition: 1 of them\n", "_t"},
    {LINT_DETECTION_UNUSED, 10, 3, AROUND "  s1: {A: 1}\n  t1: {A: 2}\n  condition: all of s*\n",
	AROUND "  s1: {A: 1}\n  s2: {A: 2}\n  condition: all of s*\n", "t1"},
    {LINT_ALL_SINGLE, 9, 7, AROUND "  s: {A|contains|all: xyz}\n  condition: s\n",
	AROUND "  s: {A|contains|all: [xyz, abc]}\n  condition: s\n", NULL},
    {LINT_ALL_SINGLE, 9, 7, AROUND "  s: {A|contains|all: [xyz]}\n  condition: s\n",
	AROUND "  s: {A|contains: [xyz]}\n  condition: s\n", "A|contains|all"},
    {LINT_WILDCARD_ALONE, 9, 10, AROUND "  s: {A: '*'}\n  condition: s\n",
	AROUND "  s: {A: '\\*'}\n  condition: s\n", "A: *"},
    {LINT_WILDCARD_ALONE, 9, 19, AROUND "  s: {A|contains: '**'}\n  condition: s\n",
	AROUND "  s: {A|re: '.*x.+'}\n  condition: s\n", NULL},
    {LINT_WILDCARD_DOUBLE, 9, 10, AROUND "  s: {A: 'x**y'}\n  condition: s\n",
	AROUND "  s: {A: 'x*\\*y'}\n  condition: s\n", "A: x**y"},
    {LINT_WILDCARD_IDLE, 9, 19, AROUND "  s: {A|contains: '*xyz'}\n  condition: s\n",
	AROUND "  s: {A|startswith: '*xyz'}\n  condition: s\n", NULL},
    {LINT_WILDCARD_IDLE, 9, 21, AROUND "  s: {A|startswith: 'xyz*'}\n  condition: s\n",
	AROUND "  s: {A|startswith: 'xyz\\*'}\n  condition: s\n", NULL},
    {LINT_WILDCARD_IDLE, 9, 19, AROUND "  s: {A|endswith: '*xyz'}\n  condition: s\n",
	AROUND "  s: {A|endswith: 'xyz*'}\n  condition: s\n", NULL},
    {LINT_SPACE, 9, 10, AROUND "  s: {A: ' -x'}\n  condition: s\n",
	AROUND "  s: {A|contains: ' -x'}\n  condition: s\n", "A:  -x"},
    {LINT_SPACE, 9, 10, AROUND "  s: {A: '-x '}\n  condition: s\n",
	AROUND "  s: {A: '- x'}\n  condition: s\n", NULL},
    {LINT_VALUE_TWICE, 9, 16, AROUND "  s: {A: [Huế, HUẾ]}\n  condition: s\n",
	AROUND "  s: {A: [Huế, Hue]}\n  condition: s\n", "A: HUẾ"},
    {LINT_VALUE_TWICE, 9, 20, AROUND "  s: {A|cased: [x, x]}\n  condition: s\n",
	AROUND "  s: {A|cased: [x, X]}\n  condition: s\n", NULL},
    {LINT_REGEX_PLAIN, 9, 13, AROUND "  s: {A|re: '.*whoami\\.exe$'}\n  condition: s\n",
	AROUND "  s: {A|re: 'whoami.exe'}\n  condition: s\n", NULL},
    {LINT_REGEX_PLAIN, 9, 14, AROUND "  s: {A|re: ['^abc', '(?i)def']}\n  condition: s\n",
	AROUND "  s: {A|re: ['^abc', 'd+']}\n  condition: s\n", NULL},
    {LINT_EVENT_ID, 9, 7, AROUND "  s: {EventID: [1, 2]}\n  condition: s\n",
	AROUND "  s: {EventID: 1, A: x}\n  condition: s\n", ""},
    {LINT_EVENT_ID, 9, 7, AROUND "  s: {EventID: 1}\n  condition: s\n",
	AROUND "  s: {EventID: 1}\n  k: [a word]\n  condition: s and k\n", ""},
    {LINT_SOURCE_EMPTY, 2, 1, "title: a\nlogsource: {definition: x}\n" DETECTION,
	HEAD SOURCE DETECTION, ""},
    {LINT_SOURCE_UNKNOWN, 2, 1, "title: a\nlogsource: {product: khac, service: s}\n" DETECTION,
	HEAD SOURCE DETECTION, "khac//s"},
    {LINT_FIELD_UNKNOWN, 9, 7, AROUND "  s: {Lạ: 1}\n  condition: s\n",
	AROUND "  s: {A: 1}\n  condition: s\n", "Lạ"},
    {LINT_FIELD_NEAR, 9, 7, AROUND "  s: {a: 1}\n  condition: s\n",
	AROUND "  s: {A: 1}\n  condition: s\n", "a, A"},
    {LINT_GROUP_UNKNOWN, 17, 14, BASE WINDOW "  group-by: [Z]\n", BASE WINDOW "  group-by: [A]\n",
	"Z (Mẫu)"},
    {LINT_GROUP_UNKNOWN, 17, 14,
	BASE WINDOW "  group-by: [k]\n  aliases: {k: {nen: Z}}\n",
	BASE WINDOW "  group-by: [k]\n  aliases: {k: {nen: A}}\n", NULL},
    {LINT_GROUP_UNKNOWN, 17, 14, BASE WINDOW "  group-by: [k]\n",
	BASE WINDOW "  group-by: [k]\n  aliases: {k: {other: Z}}\n", NULL},
    {LINT_GROUP_UNKNOWN, 15, 30, BASE DISTINCT("Z"), BASE DISTINCT("A"), "Z (Mẫu)"},
    {LINT_GROUP_NONE, 13, 3, BASE WINDOW, BASE WINDOW "  group-by: [A]\n", ""},
};

/* Told from elsewhere: by what knows the matcher (tests/cli). */
static const enum lint elsewhere[] = {
    LINT_ALWAYS, LINT_SHORT, LINT_REGEX_LITERAL, LINT_NOT_ONLY};

static bool is_given(void *context, struct str product, struct str category,
    struct str service)
{
	(void)context;
	(void)category;
	(void)service;
	return str_eq(product, STR("thu"));
}

static bool has_field(void *context, struct str product, struct str category, struct str field,
    struct str *ret_near)
{
	(void)context;
	(void)product;
	(void)category;
	if (ret_near != NULL)
		*ret_near = str_eq(field, STR("a")) ? STR("A") : STR_NONE;
	return str_eq(field, STR("A")) || str_eq(field, STR("EventID"));
}

struct watch {
	enum lint lint;
	size_t count;
	unsigned line, column;
	char subject[256];
};

static void found(void *context, const struct lint_finding *finding)
{
	struct watch *watch = context;

	assert_string_equal(finding->file, "t.yml");
	if (finding->lint != watch->lint)
		return;
	if (watch->count++ == 0) {
		watch->line = finding->line;
		watch->column = finding->column;
		snprintf(watch->subject, sizeof(watch->subject), "%.*s", STR_ARG(finding->subject));
	}
}

static struct watch lint_of(const char *text, enum lint lint)
{
	static const struct lint_sources sources = {is_given, has_field, NULL};
	struct watch watch = {.lint = lint};
	struct linter *linter = linter_new(&sources, found, &watch);
	struct error error = {0};

	assert_non_null(linter);
	assert_int_equal(linter_take(linter, str_of(text), "t.yml", &error), 0);
	assert_int_equal(linter_finish(linter, &error), 0);
	linter_free(linter);
	return watch;
}

static void each_code_is_told_where_it_is(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct lint_case *c = &cases[i];
		struct watch with = lint_of(c->with, c->lint);
		struct watch without = lint_of(c->without, c->lint);

		if (with.count != 1 || with.line != c->line || with.column != c->column ||
		    (c->subject != NULL && strcmp(with.subject, c->subject) != 0))
			fail_msg("%s, case %zu: %zu at %u:%u '%s'\n%s", lint_row(c->lint)->code, i,
			    with.count, with.line, with.column, with.subject, c->with);
		if (without.count != 0)
			fail_msg("%s, case %zu: is told of\n%s", lint_row(c->lint)->code, i,
			    c->without);
	}
}

static void no_code_is_without_a_case(void **state)
{
	(void)state;
	for (unsigned lint = 0; lint < LINT_COUNT; lint++) {
		bool there = lint_row((enum lint)lint)->severity == LINT_SEVERITY_ERROR;

		for (size_t i = 0; i < COUNT_OF(cases); i++)
			there |= cases[i].lint == (enum lint)lint;
		for (size_t i = 0; i < COUNT_OF(elsewhere); i++)
			there |= elsewhere[i] == (enum lint)lint;
		if (!there)
			fail_msg("%s has no case", lint_row((enum lint)lint)->code);
	}
}

static void codes_are_unique_and_found(void **state)
{
	(void)state;
	for (unsigned lint = 0; lint < LINT_COUNT; lint++)
		assert_int_equal(lint_find(str_of(lint_row((enum lint)lint)->code)), lint);
	assert_int_equal(lint_find(STR("TR000")), LINT_COUNT);
}

static const struct {
	enum lint lint;
	const char *text;
} refused[] = {
    {LINT_YAML, "title: [\n"},
    {LINT_DOCUMENT, "title: a\n"},
    {LINT_DOCUMENT, HEAD "filter: {}\n" SOURCE DETECTION},
    {LINT_MISSING, SOURCE DETECTION},
    {LINT_KIND, "title: [a]\n" SOURCE DETECTION},
    {LINT_KIND, AROUND "  s: {A: [x, null]}\n  condition: s\n"},
    {LINT_LENGTH, "title: ''\n" SOURCE DETECTION},
    {LINT_LENGTH, AROUND "  s: {}\n  condition: s\n"},
    {LINT_KEY, HEAD "tocsin: {lạ: 1}\n" SOURCE DETECTION},
    {LINT_UNSUPPORTED, HEAD "taxonomy: ecs\n" SOURCE DETECTION},
    {LINT_WORD, "title: a\nlevel: to\n" SOURCE DETECTION},
    {LINT_DUPLICATE, HEAD SOURCE DETECTION "---\n" HEAD SOURCE DETECTION},
    {LINT_MODIFIER, AROUND "  s: {A|lạ: 1}\n  condition: s\n"},
    {LINT_VALUE, AROUND "  s: {A|cidr: x}\n  condition: s\n"},
    {LINT_VALUE, AROUND "  s: {A|contains: null}\n  condition: s\n"},
    {LINT_REGEX, AROUND "  s: {A|re: '('}\n  condition: s\n"},
    {LINT_LIST, AROUND "  s: {A|expand: '%không%'}\n  condition: s\n"},
    {LINT_CONDITION, AROUND "  s: {A: 1}\n  condition: s and\n"},
    {LINT_SELECTION, AROUND "  s: {A: 1}\n  condition: t\n"},
    {LINT_SELECTION, AROUND "  s: {A: 1}\n  condition: 1 of t*\n"},
    {LINT_CORRELATION, BASE "  type: đếm\n"},
    {LINT_REFERENCE, "title: b\ncorrelation:\n" WINDOW},
    {LINT_FILTER, HEAD SOURCE "filter: {rules: 1, s: {A: 1}, condition: s}\n"},
};

/* Every class of refusals but the two that no text can show. */
static void refusals_have_codes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		struct refusals refusals = {0};
		struct ruleset *ruleset = load_text(refused[i].text, &refusals);

		ruleset_free(ruleset);
		assert_int_equal(refusals.count, 1);
		if (lint_of_error(&refusals.first) != refused[i].lint)
			fail_msg("%s instead of %s: %s",
			    lint_row(lint_of_error(&refusals.first))->code,
			    lint_row(refused[i].lint)->code, refusals.first.text);
	}
	for (unsigned lint = 0; lint < LINT_COUNT; lint++) {
		bool there = lint_row((enum lint)lint)->severity != LINT_SEVERITY_ERROR ||
		    lint == LINT_READ || lint == LINT_REFUSED;

		for (size_t i = 0; i < COUNT_OF(refused); i++)
			there |= refused[i].lint == (enum lint)lint;
		assert_true(there);
	}
	struct error error = {0};

	error_set(&error, ERR_IO, TEXT_base_read, "x");
	assert_int_equal(lint_of_error(&error), LINT_READ);
	error_clear(&error);
	error_set(&error, ERR_DOCUMENT, TEXT_config_root);
	assert_int_equal(lint_of_error(&error), LINT_REFUSED);
}

/* Whatever stands where a rule should be. */
static void odd_documents_are_survived(void **state)
{
	static const char *const odd[] = {"", "a", "[]", "{}", "---\n---\n", "title: {a: b}\n",
	    "detection: []\n", "detection: {s: [[a]], condition: {a: b}}\n",
	    "detection: {s: {A: {B: c}}, condition: s}\ntags: x\ndate: []\nlogsource: []\n",
	    "correlation: {group-by: {a: b}, rules: {c: d}, aliases: []}\n",
	    "correlation: {group-by: [[a]], rules: [[b]], aliases: {a: 1}}\n",
	    "filter: {rules: [x], condition: s}\nfalsepositives: {a: none}\nauthor: {}\n",
	    "detection: {'': {'': ''}, condition: [[s]]}\ntitle:\nid:\n", "title: [\n"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(odd); i++)
		(void)lint_of(odd[i], LINT_COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_code_is_told_where_it_is),
	    cmocka_unit_test(no_code_is_without_a_case),
	    cmocka_unit_test(codes_are_unique_and_found),
	    cmocka_unit_test(refusals_have_codes),
	    cmocka_unit_test(odd_documents_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
