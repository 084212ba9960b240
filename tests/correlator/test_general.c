/*
 * What is taken for ordinary before any event was seen: by kind of field, and only a guess.
 */
#include "tests/correlator/rulebook.h"

#include "correlator/matcher_general.h"

#define RULE(id, detection)                                                                        \
	"---\ntitle: t\nid: " id "\nlogsource: {product: thu}\n"                                   \
	"detection: {s: {" detection "}, condition: s}\n"

static const char rules[] = RULE("a", "Image|endswith: '\\svchost.exe'")
    RULE("b", "Image|endswith: '\\dienbien.exe'")
    RULE("c", "TargetObject|endswith: '\\svchost.exe'")
    RULE("d", "EventID: 4624") RULE("e", "EventID: 4719") RULE("f", "Anything|contains: system32")
    RULE("g", "Anything|contains: sonlasonla") RULE("h", "CommandLine|contains: 'châu'")
    RULE("i", "CommandLine|startswith: 'system32'") RULE("j", "commandline|contains: 'system32'")
    RULE("k", "Image|endswith: 'exe'");

struct asking {
	struct ruleset *ruleset;
	struct general *general;
};

/* The rules are plain, of one predicate each. */
static float odds(const struct asking *asking, const char *rule)
{
	const struct program *program = ruleset_program(asking->ruleset);
	uint32_t index = ruleset_find(asking->ruleset, str_of(rule))->index;
	const struct expression *expression = program->rules[index];

	while (expression->kind != EXPRESSION_PREDICATE)
		expression = expression->children[0];
	return general_odds(asking->general)[expression->predicate];
}

static void what_is_ordinary_depends_on_the_field(void **state)
{
	struct asking asking = {.ruleset = rulebook_load(rules)};

	(void)state;
	asking.general = general_new(ruleset_program(asking.ruleset));
	assert_non_null(asking.general);
	assert_true(odds(&asking, "a") > 5 * odds(&asking, "b"));
	assert_true(odds(&asking, "a") > 5 * odds(&asking, "c"));
	assert_true(odds(&asking, "d") > 5 * odds(&asking, "e"));
	assert_true(odds(&asking, "f") > 5 * odds(&asking, "g"));
	assert_true(odds(&asking, "h") < .01);
	/* Not only what it has, but where. */
	assert_true(odds(&asking, "j") > 5 * odds(&asking, "i"));
	/* Short texts too. */
	assert_true(odds(&asking, "k") > odds(&asking, "a"));
	for (const char *rule = "abcdefghijk"; *rule != '\0'; rule++) {
		char id[2] = {*rule, '\0'};

		assert_true(odds(&asking, id) > 0 && odds(&asking, id) <= 1);
	}
	general_free(asking.general);
	ruleset_free(asking.ruleset);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_ordinary_depends_on_the_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
