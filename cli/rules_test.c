/*
 * `tocsin rules test`: the examples of the rules, or files of events (trial.h), through the same
 * stages as production.
 */
#include "cli/rules.h"

#include "base/clock.h"
#include "base/json.h"
#include "cli/examples.h"
#include "cli/show.h"
#include "cli/trial.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOP_DEFAULT 20u

struct testing {
	struct context *context;
	const struct arguments *arguments;
	struct ruleset *ruleset;
	bool *wanted; /* by rule index */
	struct rules_refusals refusals;
	struct trial *trial;
	bool json;
};

/* ---- which rules ---- */

static bool is_path(const char *word)
{
	return access(word, F_OK) == 0;
}

/* Words that are files or folders name where the rules are; without any, rules.paths. */
static int load(struct testing *testing, struct error *error)
{
	const struct arguments *arguments = testing->arguments;
	const char *paths[ARGUMENTS_MAX];
	size_t count = 0;

	for (size_t i = 1; i < arguments->word_count; i++) {
		if (is_path(arguments->words[i]))
			paths[count++] = arguments->words[i];
	}
	return context_rules_of(testing->context, paths, count, rules_refusal, &testing->refusals,
	    &testing->ruleset, error);
}

static int find(const struct testing *testing, struct str wanted, const struct rule **ret,
    struct error *error)
{
	size_t count;
	char name[256];

	*ret = rules_find(testing->ruleset, wanted, &count);
	snprintf(name, sizeof(name), "%.*s", STR_ARG(wanted));
	return *ret != NULL ? 0 : error_set(error, ERR_USAGE,
	    count == 0 ? TEXT_cli_explain_unknown : TEXT_cli_explain_several, name);
}

/* The other words are rules; without any, all. */
static int choose(struct testing *testing, struct error *error)
{
	const struct arguments *arguments = testing->arguments;
	size_t count = ruleset_count(testing->ruleset), named = 0;

	testing->wanted = calloc(count + 1, sizeof(*testing->wanted));
	if (testing->wanted == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	for (size_t i = 1; i < arguments->word_count; i++) {
		const struct rule *rule;

		if (is_path(arguments->words[i]))
			continue;
		int code = find(testing, str_of(arguments->words[i]), &rule, error);

		if (code < 0)
			return code;
		testing->wanted[rule->index] = true;
		named++;
	}
	for (size_t i = 0; i < count && named == 0; i++)
		testing->wanted[i] = true;
	return 0;
}

/* ---- examples ---- */

static void example_json(const struct rule *rule, const struct rule_example *example, bool raised)
{
	struct buf out = BUF(1 << 20);
	struct json json = json_begin(&out);

	json_open(&json, '{');
	json_pair(&json, "file", rule->file);
	json_pair_u64(&json, "line", example->line);
	json_pair(&json, "rule", rule->meta.id);
	json_pair(&json, "title", rule->meta.title);
	json_pair(&json, "example", example->name);
	json_pair_bool(&json, "expected", example->fires);
	json_pair_bool(&json, "raised", raised);
	json_close(&json, '}');
	buf_char(&out, '\n');
	fwrite(out.ptr, 1, out.len, stdout);
	buf_free(&out);
}

static void example_tell(void *argument, const struct rule *rule,
    const struct rule_example *example, bool raised)
{
	const struct testing *testing = argument;
	struct error told;

	if (testing->json) {
		example_json(rule, example, raised);
		return;
	}
	examples_explain(&told, rule, example, raised);
	printf("%s:%u: ", told.file, told.line);
	print_escaped(stdout, str_of(told.text));
	putchar('\n');
}

static int test_examples(struct testing *testing, struct error *error)
{
	struct examples_tally tally = {0};
	struct examples examples = {.context = testing->context, .ruleset = testing->ruleset,
	    .only = testing->wanted, .failed = example_tell, .argument = testing};
	int code = examples_run(&examples, &tally, error);

	if (code < 0)
		return code;
	if (testing->json) {
		printf("{\"passed\":%zu,\"failed\":%zu,\"without\":%zu}\n", tally.passed,
		    tally.failed, tally.without);
	} else {
		print_text(stdout, TEXT_cli_examples_done, tally.passed, tally.failed,
		    tally.without);
		putchar('\n');
	}
	return tally.failed > 0 || testing->refusals.count > 0 ? EXIT_NO : EXIT_OK;
}

/* ---- events ---- */

/* "RULE", "RULE=N": at least once, or exactly so often. */
static int expect_one(const struct testing *testing, const char *text, bool *ret_met,
    struct error *error)
{
	struct str wanted = str_of(text);
	size_t equals = str_find_last(wanted, '=');
	const struct rule *rule;
	uint64_t need = 0;

	if (equals != STR_NOT_FOUND) {
		if (!str_to_u64(str_slice(wanted, equals + 1, wanted.len), &need))
			return error_set(error, ERR_USAGE, TEXT_cli_trial_expect, text);
		wanted = str_slice(wanted, 0, equals);
	}
	int code = find(testing, wanted, &rule, error);

	if (code < 0)
		return code;
	if (!testing->wanted[rule->index])
		return error_set(error, ERR_USAGE, TEXT_cli_trial_expect, text);
	uint64_t hits = testing->trial == NULL ? 0 : trial_hits(testing->trial, rule->index);

	*ret_met = equals == STR_NOT_FOUND ? hits > 0 : hits == need;
	if (!*ret_met && testing->trial != NULL) {
		fprintf(stderr, "tocsin: ");
		print_text(
		    stderr, TEXT_cli_trial_unmet, text, (unsigned long long)hits);
		fputc('\n', stderr);
	}
	return 0;
}

/* Before the trial has run: only whether they can be understood. */
static int expect_all(const struct testing *testing, bool *ret_met, struct error *error)
{
	const char *text;

	*ret_met = true;
	for (size_t i = 0; (text = arguments_each(testing->arguments, "expect", i)) != NULL; i++) {
		bool met;
		int code = expect_one(testing, text, &met, error);

		if (code < 0)
			return code;
		*ret_met &= met;
	}
	return 0;
}

struct row {
	const struct rule *rule;
	uint64_t hits;
};

static int by_hits(const void *a, const void *b)
{
	const struct row *left = a, *right = b;

	if (left->hits != right->hits)
		return left->hits < right->hits ? 1 : -1;
	return left->rule->index < right->rule->index ? -1 : 1;
}

static void rows_print(const struct row *rows, size_t count, size_t top)
{
	for (size_t i = 0; i < count && i < top; i++) {
		struct str id = rows[i].rule->meta.id;

		printf("%10llu  ", (unsigned long long)rows[i].hits);
		print_padded(stdout, show_level(rows[i].rule->meta.level), 14);
		print_escaped(stdout, rules_title(rows[i].rule));
		printf("  (");
		print_escaped(stdout, str_slice(id, 0, 8));
		printf(")\n");
	}
	if (count > top) {
		print_text(stdout, TEXT_cli_trial_more, count - top);
		putchar('\n');
	}
}

static int summary_print(const struct testing *testing, size_t top, struct error *error)
{
	size_t rules = ruleset_count(testing->ruleset), count = 0, chosen = 0;
	struct row *rows = calloc(rules + 1, sizeof(*rows));
	struct trial_totals totals;

	if (rows == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	for (uint32_t i = 0; i < rules; i++) {
		uint64_t hits = trial_hits(testing->trial, i);

		chosen += testing->wanted[i];
		if (hits > 0)
			rows[count++] = (struct row){ruleset_rule(testing->ruleset, i), hits};
	}
	if (count > 0) {
		qsort(rows, count, sizeof(*rows), by_hits);
		putchar('\n');
	}
	rows_print(rows, count, top);
	trial_totals(testing->trial, &totals);
	print_text(stdout, TEXT_cli_trial_done, (unsigned long long)totals.lines,
	    (unsigned long long)totals.matched, (unsigned long long)totals.undecoded, count,
	    chosen);
	putchar('\n');
	if (arguments_has(testing->arguments, "plain")) {
		print_text(stdout, TEXT_cli_trial_compared,
		    (unsigned long long)totals.differences);
		putchar('\n');
	}
	free(rows);
	return 0;
}

static int files_run(struct testing *testing, struct error *error)
{
	const char *path;
	int code = 0;

	for (size_t i = 0; code == 0; i++) {
		if ((path = arguments_each(testing->arguments, "events", i)) == NULL)
			break;
		code = trial_file(testing->trial, path, error);
	}
	return code == 0 ? trial_finish(testing->trial, error) : code;
}

static int received_take(const struct testing *testing, int64_t *ret, struct error *error)
{
	const char *received = arguments_get(testing->arguments, "received");

	*ret = clock_wall_ns();
	if (received == NULL ||
	    parse_time(str_of(received), *ret, testing->context->zone_s, ret))
		return 0;
	return error_set(error, ERR_USAGE, TEXT_cli_bad_time, received);
}

static int test_events(struct testing *testing, struct error *error)
{
	struct trial_options options = {.context = testing->context, .ruleset = testing->ruleset,
	    .wanted = testing->wanted, .json = testing->json,
	    .plain = arguments_has(testing->arguments, "plain")};
	struct trial_totals totals;
	size_t top = TOP_DEFAULT;
	bool met = true;
	int code = rules_top(testing->arguments, &top, error);

	if (code == 0)
		code = received_take(testing, &options.received_ns, error);
	if (code == 0)
		code = expect_all(testing, &met, error);
	if (code == 0)
		code = trial_open(&testing->trial, &options, error);
	if (code == 0)
		code = files_run(testing, error);
	if (code == 0 && !testing->json)
		code = summary_print(testing, top, error);
	if (code == 0)
		code = expect_all(testing, &met, error);
	if (code < 0)
		return code;
	trial_totals(testing->trial, &totals);
	return totals.differences > 0 ? EXIT_WORLD : met ? EXIT_OK : EXIT_NO;
}

int rules_test(struct context *context, const struct arguments *arguments, struct error *error)
{
	struct testing testing = {.context = context, .arguments = arguments,
	    .json = arguments_has(arguments, "json")};
	bool events = arguments_has(arguments, "events");
	int code = 0;

	if (!events && (arguments_has(arguments, "plain") || arguments_has(arguments, "expect")))
		return error_set(error, ERR_USAGE, TEXT_cli_trial_events);
	code = load(&testing, error);
	if (code == 0)
		code = choose(&testing, error);
	if (code == 0)
		code = events ? test_events(&testing, error) : test_examples(&testing, error);
	trial_close(testing.trial);
	ruleset_free(testing.ruleset);
	free(testing.wanted);
	return code;
}
