/*
 * A predicate comes back in the words of a rule.
 */
#include "tests/sigma/unit.h"

#include "sigma/program.h"

static const struct {
	const char *item;
	const char *words;
} cases[] = {
    {"Image: 'C:\\Cmd.exe'", "Image: c:\\cmd.exe"},
    {"Image|cased: Cmd", "Image|cased: Cmd"},
    {"Image|contains: whoami", "Image|contains: whoami"},
    {"Image: '*whoami*'", "Image|contains: whoami"},
    {"Image|startswith: a", "Image|startswith: a"},
    {"Image|endswith|cased: A", "Image|endswith|cased: A"},
    {"Image: 'a?c*d'", "Image: a?c*d"},
    {"Image: 'a\\*c*d'", "Image: a\\*c*d"},
    {"Image: '100\\*'", "Image: 100\\*"},
    {"Image: '\\\\\\\\srv\\x'", "Image: \\\\\\srv\\x"},
    {"Image: 'a\\\\?b\\\\*'", "Image: a\\\\?b\\\\*"},
    {"Image: 'a\\\\'", "Image: a\\\\"},
    {"Image: ''", "Image: ''"},
    {"Image|windash|contains: ' -Enc'", "Image: * -enc*"},
    {"A: 4625", "A: 4625"},
    {"A: null", "A: null"},
    {"A|exists: true", "A|exists: true"},
    {"A|lt: 3", "A|lt: 3"},
    {"A|gte: 3.5", "A|gte: 3.5"},
    {"A|cidr: 192.0.2.9/24", "A|cidr: 192.0.2.0/24"},
    {"A|cidr: 2001:db8::/32", "A|cidr: 2001:db8::/32"},
    {"A|cidr: '::/0'", "A|cidr: ::/0"},
    {"A|cidr: 0.0.0.0/0", "A|cidr: 0.0.0.0/0"},
    {"A|re|i|m|s: '^X.*$'", "A|re|i|m|s: ^X.*$"},
    {"A|hour: 3", "A|hour: 3"},
    {"A|week: 53", "A|week: 53"},
    {"A|fieldref: B", "A|fieldref: B"},
    {"A|fieldref|contains: B", "A|fieldref|contains: B"},
    {"A|fieldref|startswith|cased: B", "A|fieldref|startswith|cased: B"},
    {"A|fieldref|endswith: B", "A|fieldref|endswith: B"},
    {"Tỉnh: 'ĐIỆN BIÊN'", "Tỉnh: điện biên"},
    {"'|cased': Từ", "|contains|cased: Từ"},
};

static void predicates_come_back_as_rules_have_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char detection[512], text[1024];
		struct buf out = BUF(4096);

		snprintf(detection, sizeof(detection), "    s:\n        %s\n    condition: s\n",
		    cases[i].item);
		struct ruleset *ruleset =
		    load_text(rule_around(detection, text, sizeof(text)), NULL);
		const struct program *program = ruleset_program(ruleset);

		assert_int_equal(program->predicate_count, 1);
		predicate_write(program, &program->predicates[0], &out);
		if (!str_eq(buf_str(&out), str_of(cases[i].words)))
			fail_msg("%s: '%.*s', expected '%s'", cases[i].item, STR_ARG(buf_str(&out)),
			    cases[i].words);
		buf_free(&out);
		ruleset_free(ruleset);
	}
}

/* Read again, the words are the same predicate. */
static void what_is_written_means_the_same(void **state)
{
	static const char *const values[] = {"C:\\Cmd.exe", "a\\*c*d", "100\\*", "\\\\\\\\srv\\x",
	    "a\\\\?b\\\\*", "a\\\\", "a\\\\\\*b*c", "*\\\\*\\x", "\\?\\\\\\\\*?"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(values); i++) {
		char detection[512], text[1024];
		struct buf out = BUF(4096);

		snprintf(detection, sizeof(detection),
		    "    s:\n        A: '%s'\n    condition: s\n", values[i]);
		struct ruleset *first = load_text(rule_around(detection, text, sizeof(text)), NULL);
		const struct program *program = ruleset_program(first);

		predicate_write(program, &program->predicates[0], &out);
		struct str key = STR_NONE, rest = buf_str(&out);

		assert_true(str_cut(&rest, ':', &key));
		snprintf(detection, sizeof(detection),
		    "    s:\n        %.*s: '%.*s'\n    condition: s\n", STR_ARG(key),
		    STR_ARG(str_trim(rest)));
		struct ruleset *second =
		    load_text(rule_around(detection, text, sizeof(text)), NULL);

		if (!hash128_eq(ruleset_hash(first), ruleset_hash(second)))
			fail_msg("'%s' became '%.*s'", values[i], STR_ARG(buf_str(&out)));
		buf_free(&out);
		ruleset_free(first);
		ruleset_free(second);
	}
}

static void groups_know_the_names_of_detections(void **state)
{
	struct ruleset *ruleset =
	    load_text("title: a\nlogsource: {}\ndetection: {sel: {A: 1, B: 2}, t: {A: 3}, condition: "
	              "sel and not t}\n---\ntitle: lọc\nlogsource: {}\n"
	              "filter: {rules: any, f: {C: 1}, condition: not f}\n",
		NULL);
	const struct expression *rule = ruleset_program(ruleset)->rules[0];

	(void)state;
	assert_int_equal(rule->kind, EXPRESSION_AND);
	assert_int_equal(rule->name.len, 0);
	const struct expression *condition = rule->children[0], *filter = rule->children[1];

	assert_true(str_eq(filter->name, STR("lọc")));
	assert_true(str_eq(filter->children[0]->name, STR("f")));
	assert_true(str_eq(condition->children[0]->name, STR("sel")));
	assert_int_equal(condition->children[0]->kind, EXPRESSION_AND);
	assert_int_equal(condition->children[1]->name.len, 0);
	assert_true(str_eq(condition->children[1]->children[0]->name, STR("t")));
	ruleset_free(ruleset);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(predicates_come_back_as_rules_have_them),
	    cmocka_unit_test(what_is_written_means_the_same),
	    cmocka_unit_test(groups_know_the_names_of_detections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
