/*
 * `tocsin rules test`: the examples of the rules, through the same stages as production.
 */
#include "cli/rules.h"

#include "cli/examples.h"

static void tell_example(void *argument, const struct rule *rule,
    const struct rule_example *example, bool raised)
{
	struct error told;

	(void)argument;
	examples_explain(&told, rule, example, raised);
	printf("%s:%u: ", told.file, told.line);
	print_escaped(stdout, str_of(told.text));
	putchar('\n');
}

int rules_test(struct context *context, const struct arguments *arguments, struct error *error)
{
	struct rules_refusals refusals = {0};
	struct examples_tally tally = {0};
	struct examples examples = {.context = context, .failed = tell_example};
	int code = rules_load(
	    context, arguments, rules_refusal, &refusals, &examples.ruleset, error);

	if (code == 0)
		code = examples_run(&examples, &tally, error);
	ruleset_free(examples.ruleset);
	if (code < 0)
		return code;
	print_text(stdout, TEXT_cli_examples_done, tally.passed, tally.failed, tally.without);
	putchar('\n');
	return tally.failed > 0 || refusals.count > 0 ? EXIT_NO : EXIT_OK;
}
