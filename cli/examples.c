#include "cli/examples.h"

#include "base/clock.h"
#include "cli/replay.h"

struct watching {
	struct str id;
	bool raised;
};

static void watch_alert(void *argument, const struct alert *alert)
{
	struct watching *watching = argument;

	if (str_eq(alert->rule.id, watching->id))
		watching->raised = true;
}

static int example_run(const struct examples *examples, const struct rule *rule,
    const struct rule_example *example, bool *raised, struct error *error)
{
	struct watching watching = {.id = rule->meta.id};
	struct replay_options options = {.context = examples->context, .name = "rules-test",
	    .ruleset = ruleset_share(examples->ruleset),
	    .received_ns = example->received_ns != 0 ? example->received_ns : clock_wall_ns(),
	    .told = watch_alert, .told_context = &watching};
	struct replay *replay = NULL;
	int code = replay_open(&replay, &options, error);

	for (size_t i = 0; i < example->line_count && code == 0; i++)
		code = replay_line(
		    replay, example->lines[i], false, options.received_ns, error);
	if (code == 0)
		code = replay_finish(replay, error);
	replay_close(replay);
	*raised = watching.raised;
	return code;
}

static int rule_run(const struct examples *examples, const struct rule *rule,
    struct examples_tally *tally, struct error *error)
{
	size_t fires = 0, quiet = 0;
	int code = 0;

	for (size_t i = 0; i < rule->example_count && code == 0; i++) {
		const struct rule_example *example = &rule->examples[i];
		bool raised = false;

		if (examples->stop != NULL && atomic_load(examples->stop))
			return 0;
		code = example_run(examples, rule, example, &raised, error);
		fires += example->fires;
		quiet += !example->fires;
		tally->passed += code == 0 && raised == example->fires;
		if (code < 0 || raised == example->fires)
			continue;
		tally->failed++;
		if (examples->failed != NULL)
			examples->failed(examples->argument, rule, example, raised);
	}
	if (code == 0 && !rule->silent && (fires == 0 || quiet == 0))
		tally->without++;
	return code;
}

int examples_run(const struct examples *examples, struct examples_tally *ret, struct error *error)
{
	int code = 0;

	for (uint32_t i = 0; code == 0 && i < ruleset_count(examples->ruleset); i++) {
		if (examples->only == NULL || examples->only[i])
			code = rule_run(examples, ruleset_rule(examples->ruleset, i), ret, error);
	}
	return code;
}

void examples_explain(struct error *ret, const struct rule *rule,
    const struct rule_example *example, bool raised)
{
	error_clear(ret);
	error_at(ret, ERR_DOCUMENT, rule->file.ptr, example->line, 1,
	    raised ? TEXT_cli_example_fired : TEXT_cli_example_silent, STR_ARG(rule->meta.title),
	    STR_ARG(example->name));
}
