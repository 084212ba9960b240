#include "cli/command.h"
#include "cli/coverage.h"
#include "cli/explain.h"
#include "cli/reload.h"
#include "cli/rules.h"
#include "cli/show.h"

#include "base/json.h"

#include <string.h>

int rules_load(struct context *context, const struct arguments *arguments,
    void (*refused)(void *, const struct error *), void *argument, struct ruleset **ret,
    struct error *error)
{
	return context_rules_of(context, arguments->words + 1,
	    arguments->word_count > 1 ? arguments->word_count - 1 : 0, refused, argument, ret,
	    error);
}

void rules_refusal(void *argument, const struct error *error)
{
	struct rules_refusals *refusals = argument;

	refusals->count++;
	if (!refusals->quiet)
		context_fail(error);
}

struct str rules_title(const struct rule *rule)
{
	return text_language() == LANGUAGE_VIETNAMESE && rule->meta.title_vi.len > 0
	    ? rule->meta.title_vi : rule->meta.title;
}

int rules_top(const struct arguments *arguments, size_t *ret, struct error *error)
{
	const char *text = arguments_get(arguments, "top");
	uint64_t top;

	if (text == NULL)
		return 0;
	if (!str_to_u64(str_of(text), &top))
		return error_set(error, ERR_USAGE, TEXT_cli_bad_top, text);
	*ret = top == 0 ? SIZE_MAX : (size_t)top;
	return 0;
}

const struct rule *rules_find(const struct ruleset *ruleset, struct str wanted,
    size_t *ret_count)
{
	const struct rule *found = ruleset_find(ruleset, wanted);

	*ret_count = found != NULL;
	for (size_t i = 0; *ret_count == 0 && i < ruleset_count(ruleset); i++) {
		const struct rule *rule = ruleset_rule(ruleset, (uint32_t)i);

		if (!str_starts_fold(rule->meta.id, wanted))
			continue;
		if (found != NULL)
			*ret_count = 2;
		found = rule;
	}
	if (*ret_count == 0)
		*ret_count = found != NULL;
	return *ret_count == 1 ? found : NULL;
}

static void list_json(const struct rule *rule)
{
	struct buf out = BUF(65536);
	struct json json = json_begin(&out);

	json_open(&json, '{');
	json_pair(&json, "id", rule->meta.id);
	json_pair(&json, "title", rule->meta.title);
	json_pair(&json, "title_vi", rule->meta.title_vi);
	json_pair(&json, "level", level_name(rule->meta.level));
	json_pair(&json, "kind", rule->meta.kind);
	json_pair(&json, "author", rule->meta.author);
	json_pair(&json, "file", rule->file);
	json_key(&json, STR("tags"));
	json_open(&json, '[');
	for (size_t i = 0; i < rule->meta.tag_count; i++)
		json_str(&json, rule->meta.tags[i]);
	json_close(&json, ']');
	json_close(&json, '}');
	buf_char(&out, '\n');
	fwrite(out.ptr, 1, out.len, stdout);
	buf_free(&out);
}

static void list_head(void)
{
	print_padded(stdout, text(TEXT_cli_column_level), 14);
	print_padded(stdout, text(TEXT_cli_column_kind), 18);
	print_padded(stdout, text(TEXT_cli_column_id), 10);
	puts(text(TEXT_cli_column_title));
}

static void list_one(const struct rule *rule)
{
	struct str id = str_slice(rule->meta.id, 0, rule->meta.id.len < 8 ? rule->meta.id.len : 8);

	print_padded(stdout, show_level(rule->meta.level), 14);
	printf("%-18.*s", STR_ARG(rule->meta.kind));
	print_escaped(stdout, id);
	printf("%*s", 10 - (int)id.len, "");
	print_escaped(stdout, rules_title(rule));
	putchar('\n');
}

static int rules_list(struct context *context, const struct arguments *arguments,
    struct error *error)
{
	bool json = arguments_has(arguments, "json");
	struct rules_refusals refusals = {.quiet = json};
	struct ruleset *ruleset = NULL;
	int code = rules_load(context, arguments, rules_refusal, &refusals, &ruleset, error);

	for (size_t i = 0; code == 0 && i < ruleset_count(ruleset) && !ferror(stdout); i++) {
		const struct rule *rule = ruleset_rule(ruleset, (uint32_t)i);

		if (json) {
			list_json(rule);
			continue;
		}
		if (i == 0)
			list_head();
		list_one(rule);
	}
	ruleset_free(ruleset);
	return code;
}

static int rules_coverage(struct context *context, const struct arguments *arguments,
    struct error *error)
{
	struct ruleset *ruleset = NULL;
	int code = rules_load(context, arguments, NULL, NULL, &ruleset, error);

	if (code == 0)
		code = coverage_print(
		    ruleset, "Tocsin", arguments_has(arguments, "json"), error);
	ruleset_free(ruleset);
	return code;
}

static const struct {
	const char *verb;
	int (*run)(struct context *context, const struct arguments *arguments,
	    struct error *error);
} verbs[] = {
    {"check", rules_check},
    {"list", rules_list},
    {"test", rules_test},
    {"explain", explain_run},
    {"coverage", rules_coverage},
    {"import", rules_import},
    {"stats", rules_stats},
    {"reload", rules_reload},
};

static int rules_run(struct context *context, const struct arguments *arguments)
{
	struct error error = {0};
	const char *verb = arguments_verb(arguments, "list", &error);
	int code = verb == NULL ? error.code : 0;

	for (size_t i = 0; code == 0 && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(verb, verbs[i].verb) == 0) {
			code = verbs[i].run(context, arguments, &error);
			break;
		}
	}
	return code < 0 ? context_fail(&error) : code;
}

const struct command command_rules = {
    .name = "rules",
    .synopsis = "check|list|coverage [PATH...] | test [RULE|PATH...] [--events FILE] | "
		"explain RULE EVENT... | import SOURCE... [--into DIR] | stats | reload [--force]",
    .summary = TEXT_cli_rules,
    .description = TEXT_cli_rules_about,
    .examples = (const struct example_row[]){
	{"tocsin rules check rules/", TEXT_cli_rules_example},
	{"tocsin rules test rules/linux", TEXT_cli_rules_example2},
	{"tocsin rules test --events /var/log/auth.log --plain", TEXT_cli_rules_example7},
	{"tocsin rules import --dry-run --level medium+ ~/sigma/rules", TEXT_cli_rules_example8},
	{"tocsin rules stats --follow", TEXT_cli_rules_example9},
	{"tocsin rules list --json | jq -r .tags[] | sort | uniq -c", TEXT_cli_rules_example3},
	{"tocsin rules reload", TEXT_cli_rules_example4},
	{"tail -n 1 /var/log/auth.log | tocsin rules explain ssh_password_refused -",
	    TEXT_cli_rules_example5},
	{"tocsin rules coverage --json > layer.json", TEXT_cli_rules_example6},
	{NULL, TEXT_COUNT}},
    .options = (const struct option_row[]){
	{'f', "file", "FILE", TEXT_cli_opt_file},
	{0, "strict", NULL, TEXT_cli_opt_strict},
	{0, "severity", "SEVERITY", TEXT_cli_opt_severity},
	{0, "ignore", "CODE", TEXT_cli_opt_ignore},
	{'e', "events", "FILE", TEXT_cli_opt_events},
	{0, "expect", "RULE[=N]", TEXT_cli_opt_expect},
	{0, "plain", NULL, TEXT_cli_opt_plain},
	{0, "received", "TIME", TEXT_cli_opt_received},
	{0, "top", "N", TEXT_cli_opt_top},
	{0, "sort", "ORDER", TEXT_cli_opt_sort},
	{0, "show", "WHICH", TEXT_cli_opt_show},
	{0, "follow", NULL, TEXT_cli_opt_follow},
	{0, "markdown", NULL, TEXT_cli_opt_markdown},
	{0, "into", "DIR", TEXT_cli_opt_into},
	{'n', "dry-run", NULL, TEXT_cli_opt_dry},
	{0, "level", "LEVEL[+|-]", TEXT_cli_opt_import_level},
	{0, "status", "STATUS", TEXT_cli_opt_import_status},
	{0, "product", "PRODUCT", TEXT_cli_opt_import_product},
	{0, "force", NULL, TEXT_cli_opt_force},
	{'j', "json", NULL, TEXT_cli_opt_json}, {0, NULL, NULL, TEXT_COUNT}},
    .verbs = (const char *const[]){"check", "list", "test", "coverage", "explain", "import",
	"stats", "reload", NULL},
    .words_max = ARGUMENTS_MAX,
    .run = rules_run,
};
