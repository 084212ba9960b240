#include "cli/explain.h"

#include "base/clock.h"
#include "base/json.h"
#include "cli/explain_first.h"
#include "cli/lines.h"
#include "cli/rules.h"
#include "correlator/explainer.h"
#include "decoder/decoder.h"

#include <errno.h>
#include <string.h>

#define ARENA_BYTES ((size_t)64 << 20)
#define SHOWN_MAX   16u  /* children of one group that a person is shown */
#define VALUE_MAX   160u /* bytes of a value */

struct explain {
	struct context *context;
	const struct ruleset *ruleset;
	const struct rule *rule;
	struct explainer *explainer;
	struct arena *arena;
	struct decoding *decoding;
	int64_t received_ns;
	bool json, matched;
	const struct record *record;
};

static const char *mark(const struct explain *explain, bool holds)
{
	static const char *const colored[] = {"\033[31m", "\033[32m"};

	return explain->context->color ? colored[holds] : "";
}

static void mark_print(const struct explain *explain, bool holds, unsigned depth)
{
	printf("  %*s%s[%s]%s ", (int)depth * 2, "", mark(explain, holds),
	    text(holds ? TEXT_cli_explain_yes : TEXT_cli_explain_no),
	    explain->context->color ? "\033[0m" : "");
}

static void value_print(struct str value)
{
	printf("   (");
	print_escaped(stdout, str_slice(value, 0, VALUE_MAX));
	printf(value.len > VALUE_MAX ? "...)" : ")");
}

static void predicate_print(const struct explain *explain, const struct predicate *predicate,
    bool holds)
{
	const struct program *program = ruleset_program(explain->ruleset);
	const struct field *field = explainer_field(explain->explainer, predicate);
	struct buf out = BUF(1 << 20);

	predicate_write(program, predicate, &out);
	print_escaped(stdout, str_slice(buf_str(&out), 0, VALUE_MAX * 4));
	buf_free(&out);
	if (field == NULL && predicate->slot == SLOT_ANYWHERE)
		printf("%s%s", holds ? "   " : "", holds ? text(TEXT_cli_explain_raw) : "");
	else if (field == NULL || field->kind == FIELD_NULL)
		printf("   (%s)", field == NULL ? text(TEXT_cli_explain_absent) : "null");
	else
		value_print(field->value);
}

static void group_print(const struct expression *expression)
{
	switch (expression->kind) {
	case EXPRESSION_AND:
		print_text(stdout, TEXT_cli_explain_all);
		break;
	case EXPRESSION_OR:
		print_text(stdout, expression->count > 0 ? TEXT_cli_explain_any
		                                         : TEXT_cli_explain_never);
		break;
	case EXPRESSION_NOT:
		print_text(stdout, TEXT_cli_explain_not);
		break;
	case EXPRESSION_AT_LEAST:
		print_text(stdout, TEXT_cli_explain_least, expression->need);
		break;
	case EXPRESSION_PREDICATE:
		break;
	}
}

static void node_print(const struct explain *explain, const struct expression *expression,
    unsigned depth);

/*
 * Of a long list those that decide come first: what holds of an "any", what fails of an "all".
 * Depth is the rule's, which has a ceiling.
 */
static void children_print(const struct explain *explain, const struct expression *expression,
    unsigned depth)
{
	bool decides = expression->kind != EXPRESSION_AND, crowd = expression->count > SHOWN_MAX;
	size_t shown = 0;

	for (unsigned round = 0; round < (crowd ? 2u : 1u); round++) {
		for (size_t i = 0; i < expression->count && (shown < SHOWN_MAX || !crowd); i++) {
			const struct expression *child = expression->children[i];
			bool first = explainer_holds(explain->explainer, child) == decides;

			if (crowd && first != (round == 0))
				continue;
			node_print(explain, child, depth);
			shown++;
		}
	}
	if (shown < expression->count) {
		printf("  %*s", (int)depth * 2, "");
		print_text(stdout, TEXT_cli_explain_more, expression->count - shown);
		putchar('\n');
	}
}

static void node_print(const struct explain *explain, const struct expression *expression,
    unsigned depth)
{
	bool holds = explainer_holds(explain->explainer, expression);

	mark_print(explain, holds, depth);
	if (expression->name.len > 0) {
		print_escaped(stdout, expression->name);
		printf(": ");
	}
	if (expression->kind == EXPRESSION_PREDICATE)
		predicate_print(explain,
		    &ruleset_program(explain->ruleset)->predicates[expression->predicate], holds);
	group_print(expression);
	putchar('\n');
	children_print(explain, expression, depth + 1);
}

static void attribute_print(const struct explain *explain, const char *name, struct str wanted,
    bool holds, struct str there)
{
	if (wanted.len == 0)
		return;
	mark_print(explain, holds, 0);
	printf("%s: ", name);
	print_escaped(stdout, wanted);
	if (there.len > 0)
		value_print(there);
	else
		printf("   (%s)", text(TEXT_cli_explain_absent));
	putchar('\n');
}

static struct str categories_of(const struct explain *explain)
{
	struct str all = STR_NONE;

	for (size_t i = 0; i < explain->record->category_count; i++)
		all = arena_printf(explain->arena, "%.*s%s%.*s", STR_ARG(all), i > 0 ? ", " : "",
		    STR_ARG(explain->record->categories[i]));
	return all;
}

static void rule_print(const struct explain *explain, const struct rule *rule)
{
	bool matches = explainer_matches(explain->explainer, rule);
	struct explained_source source = explainer_source(explain->explainer, rule);
	const struct record *record = explain->record;

	printf("%s", mark(explain, matches));
	print_text(stdout, matches ? TEXT_cli_explain_match : TEXT_cli_explain_miss);
	printf("%s  ", explain->context->color ? "\033[0m" : "");
	print_escaped(stdout, rules_title(rule));
	printf("  (");
	print_escaped(stdout, rule->meta.id);
	printf(")\n");
	if (!source.product || !source.category || !source.service)
		puts(text(TEXT_cli_explain_source));
	attribute_print(explain, "product", rule->product, source.product, record->product);
	attribute_print(
	    explain, "category", rule->category, source.category, categories_of(explain));
	attribute_print(explain, "service", rule->service, source.service, record->service);
	node_print(explain, ruleset_program(explain->ruleset)->rules[rule->index], 0);
}

static const char *const kind_names[] = {[EXPRESSION_PREDICATE] = "predicate",
    [EXPRESSION_AND] = "all", [EXPRESSION_OR] = "any", [EXPRESSION_NOT] = "not",
    [EXPRESSION_AT_LEAST] = "at_least"};

static void predicate_json(const struct explain *explain, const struct predicate *predicate,
    struct json *json)
{
	const struct program *program = ruleset_program(explain->ruleset);
	const struct field *field = explainer_field(explain->explainer, predicate);
	struct buf out = BUF(1 << 20);

	predicate_write(program, predicate, &out);
	json_pair(json, "predicate", buf_str(&out));
	buf_free(&out);
	if (field == NULL)
		return;
	json_pair(json, "field", field->name);
	json_key(json, STR("value"));
	if (field->kind == FIELD_NULL)
		json_null(json);
	else
		json_str(json, field->value);
}

/* The tree in the order of depth, since nesting of a rule goes deeper than that of a document. */
static void node_json(const struct explain *explain, const struct expression *expression,
    unsigned depth, struct json *json)
{
	json_open(json, '{');
	json_pair_u64(json, "depth", depth);
	json_pair(json, "kind", str_of(kind_names[expression->kind]));
	if (expression->kind == EXPRESSION_AT_LEAST)
		json_pair_u64(json, "need", expression->need);
	if (expression->name.len > 0)
		json_pair(json, "name", expression->name);
	json_pair_bool(json, "holds", explainer_holds(explain->explainer, expression));
	if (expression->kind == EXPRESSION_PREDICATE)
		predicate_json(explain,
		    &ruleset_program(explain->ruleset)->predicates[expression->predicate], json);
	json_close(json, '}');
	for (size_t i = 0; i < expression->count; i++)
		node_json(explain, expression->children[i], depth + 1, json);
}

static void attribute_json(struct json *json, const char *name, struct str wanted, bool holds,
    struct str there)
{
	json_key(json, str_of(name));
	json_open(json, '{');
	json_pair(json, "rule", wanted);
	json_pair(json, "event", there);
	json_pair_bool(json, "holds", holds);
	json_close(json, '}');
}

static void rule_json(const struct explain *explain, const struct rule *rule)
{
	struct explained_source source = explainer_source(explain->explainer, rule);
	const struct record *record = explain->record;
	struct buf out = BUF((size_t)64 << 20);
	struct json json = json_begin(&out);

	json_open(&json, '{');
	json_pair(&json, "id", rule->meta.id);
	json_pair(&json, "title", rule->meta.title);
	json_pair_bool(&json, "matches", explainer_matches(explain->explainer, rule));
	json_key(&json, STR("logsource"));
	json_open(&json, '{');
	json_pair_bool(
	    &json, "holds", source.product && source.category && source.service);
	attribute_json(&json, "product", rule->product, source.product, record->product);
	attribute_json(
	    &json, "category", rule->category, source.category, categories_of(explain));
	attribute_json(&json, "service", rule->service, source.service, record->service);
	json_close(&json, '}');
	json_key(&json, STR("condition"));
	json_open(&json, '[');
	node_json(explain, ruleset_program(explain->ruleset)->rules[rule->index], 0, &json);
	json_close(&json, ']');
	if (rule->first_seen != NULL)
		explain_first_json(&json, rule->first_seen, record);
	json_close(&json, '}');
	buf_char(&out, '\n');
	fwrite(out.ptr, 1, out.len, stdout);
	buf_free(&out);
}

/* One event cannot meet a correlation: what it refers to is explained, inner ones too. */
static void rule_explain(struct explain *explain, const struct rule *rule)
{
	if (rule->kind == RULE_PLAIN) {
		explain->matched |= explainer_matches(explain->explainer, rule);
		if (explain->json)
			rule_json(explain, rule);
		else
			rule_print(explain, rule);
		if (!explain->json && rule->first_seen != NULL)
			explain_first_print(rule->first_seen, explain->record);
		return;
	}
	if (!explain->json) {
		print_text(stdout, TEXT_cli_explain_correlation, STR_ARG(rules_title(rule)),
		    STR_ARG(rule->meta.kind));
		putchar('\n');
	}
	for (size_t i = 0; i < rule->correlation->rule_count; i++)
		rule_explain(
		    explain, ruleset_rule(explain->ruleset, rule->correlation->rules[i]));
}

static void line_explain(struct explain *explain, struct str line)
{
	struct event event = {.received_ns = explain->received_ns,
	    .zone_s = explain->context->zone_s, .transport = TRANSPORT_FILE, .raw = line};
	struct record record;

	arena_reset(explain->arena);
	decoding_run(explain->decoding, &record, &event, explain->arena);
	explain->record = &record;
	explainer_begin(explain->explainer, &record);
	rule_explain(explain, explain->rule);
}

static int line_take(void *context, struct str line, bool cut, struct error *error)
{
	(void)cut;
	(void)error;
	line_explain(context, line);
	return ferror(stdout) ? 1 : 0;
}

static int stream_explain(struct explain *explain, FILE *in, const char *path,
    struct error *error)
{
	size_t limit =
	    (size_t)config_number(explain->context->config, CONFIG_COLLECTOR_FRAME_LIMIT);

	return lines_each(in, path, limit, line_take, explain, error);
}

static int events_explain(struct explain *explain, const struct arguments *arguments,
    struct error *error)
{
	const char *path;
	int code = 0;

	for (size_t i = 2; i < arguments->word_count && code == 0; i++) {
		if (strcmp(arguments->words[i], "-") == 0)
			code = stream_explain(explain, stdin, "-", error);
		else
			line_explain(explain, str_of(arguments->words[i]));
	}
	for (size_t i = 0; code == 0; i++) {
		if ((path = arguments_each(arguments, "file", i)) == NULL)
			break;
		FILE *in = fopen(path, "re");

		if (in == NULL)
			return error_system(error, errno, TEXT_base_open, path);
		code = stream_explain(explain, in, path, error);
		fclose(in);
	}
	return code;
}

static int explain_with(struct explain *explain, const struct arguments *arguments,
    struct error *error)
{
	const char *wanted = arguments->words[1];
	const struct logsources *sources;
	size_t count;
	int code = context_logsources(explain->context, &sources, error);

	if (code < 0)
		return code;
	explain->rule = rules_find(explain->ruleset, str_of(wanted), &count);
	if (explain->rule == NULL)
		return error_set(error, ERR_USAGE,
		    count == 0 ? TEXT_cli_explain_unknown : TEXT_cli_explain_several, wanted);
	explain->explainer = explainer_new(explain->ruleset);
	explain->arena = arena_new(ARENA_BYTES);
	explain->decoding = decoding_new(sources);
	if (explain->explainer == NULL || explain->arena == NULL || explain->decoding == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	return events_explain(explain, arguments, error);
}

int explain_run(struct context *context, const struct arguments *arguments, struct error *error)
{
	struct explain explain = {.context = context, .received_ns = clock_wall_ns(),
	    .json = arguments_has(arguments, "json")};
	struct ruleset *ruleset = NULL;

	if (arguments->word_count < 2 ||
	    (arguments->word_count == 2 && !arguments_has(arguments, "file")))
		return error_set(error, ERR_USAGE, TEXT_cli_explain_usage);
	int code = context_rules(context, NULL, NULL, &ruleset, error);

	explain.ruleset = ruleset;
	if (code == 0)
		code = explain_with(&explain, arguments, error);
	explainer_free(explain.explainer);
	decoding_free(explain.decoding);
	arena_free(explain.arena);
	ruleset_free(ruleset);
	return code < 0 ? code : explain.matched ? EXIT_OK : EXIT_NO;
}
