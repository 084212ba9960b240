/*
 * `tocsin rules check`: what is refused, and what an author should look at.
 */
#include "cli/rules.h"

#include "base/file.h"
#include "base/json.h"
#include "cli/lint_cost.h"
#include "decoder/source.h"
#include "sigma/builder.h"

#include <stdlib.h>
#include <string.h>

#define FILES_MAX   200000u
#define FILE_BYTES  ((size_t)4 << 20)
#define ARENA_BYTES ((size_t)1 << 30)

struct checking {
	struct context *context;
	const struct arguments *arguments;
	enum lint_severity least; /* that is shown */
	bool json, ignored[LINT_COUNT];
	size_t counts[LINT_COUNT];
	struct arena *arena;
	struct finding *findings; /* to be shown, in the end by place */
	size_t found, capacity;
	bool failed;
};

struct finding {
	struct lint_finding finding;
	struct str message; /* of the loader; else empty */
};

static bool finding_keep(struct checking *checking, const struct lint_finding *finding,
    const char *message)
{
	struct arena *arena = checking->arena;
	struct finding own = {.finding = *finding,
	    .message = message == NULL ? STR_NONE : arena_dup(arena, str_of(message))};

	own.finding.file = arena_cstr(arena, str_of(finding->file));
	own.finding.subject = arena_dup(arena, finding->subject);
	own.finding.title = arena_dup(arena, finding->title);
	if (!array_grow(arena, &checking->findings, checking->found, &checking->capacity,
	        sizeof(own)) || arena_failed(arena))
		return false;
	checking->findings[checking->found++] = own;
	return true;
}

static int by_place(const void *a, const void *b)
{
	const struct lint_finding *left = &((const struct finding *)a)->finding;
	const struct lint_finding *right = &((const struct finding *)b)->finding;
	int order = strcmp(left->file, right->file);

	if (order == 0 && left->line != right->line)
		order = left->line < right->line ? -1 : 1;
	if (order == 0 && left->column != right->column)
		order = left->column < right->column ? -1 : 1;
	return order != 0 ? order : (int)left->lint - (int)right->lint;
}

static void finding_json(const struct lint_finding *finding, struct str message)
{
	const struct lint_row *row = lint_row(finding->lint);
	struct buf out = BUF(1 << 20);
	struct json json = json_begin(&out);

	json_open(&json, '{');
	json_pair(&json, "file", str_of(finding->file));
	json_pair_u64(&json, "line", finding->line);
	json_pair_u64(&json, "column", finding->column);
	json_pair(&json, "code", str_of(row->code));
	json_pair(&json, "severity", str_of(lint_severity_name(row->severity)));
	json_pair(&json, "text", message);
	if (finding->subject.len > 0)
		json_pair(&json, "subject", finding->subject);
	if (finding->title.len > 0)
		json_pair(&json, "rule", finding->title);
	json_close(&json, '}');
	buf_char(&out, '\n');
	fwrite(out.ptr, 1, out.len, stdout);
	buf_free(&out);
}

/* Whether it is to be shown. */
static bool count(struct checking *checking, enum lint lint)
{
	if (checking->ignored[lint])
		return false;
	checking->counts[lint]++;
	return lint_row(lint)->severity >= checking->least;
}

static void finding_print(const struct lint_finding *finding)
{
	const struct lint_row *row = lint_row(finding->lint);
	struct buf line = BUF(1 << 20);

	buf_printf(&line, "%s:%u:%u: %s: %s", finding->file, finding->line, finding->column,
	    lint_severity_name(row->severity), text(row->text));
	if (finding->subject.len > 0)
		buf_printf(&line, ": %.*s", STR_ARG(finding->subject));
	buf_printf(&line, " [%s]", row->code);
	print_escaped(stdout, buf_str(&line));
	putchar('\n');
	buf_free(&line);
}

static void findings_show(struct checking *checking)
{
	if (checking->found > 0)
		qsort(checking->findings, checking->found, sizeof(*checking->findings), by_place);
	for (size_t i = 0; i < checking->found && !ferror(stdout); i++) {
		const struct finding *one = &checking->findings[i];

		if (!checking->json)
			finding_print(&one->finding);
		else
			finding_json(&one->finding, one->message.len > 0
			    ? one->message : str_of(text(lint_row(one->finding.lint)->text)));
	}
}

static void finding_tell(void *argument, const struct lint_finding *finding)
{
	struct checking *checking = argument;

	if (count(checking, finding->lint) && !finding_keep(checking, finding, NULL))
		checking->failed = true;
}

/* The loader's own words, with a code behind them. */
static void refusal_tell(void *argument, const struct error *error)
{
	struct checking *checking = argument;
	struct lint_finding finding = {.lint = lint_of_error(error), .file = error->file,
	    .line = error->line, .column = error->column};
	struct error told = *error;
	size_t len = strlen(told.text);

	checking->counts[finding.lint]++;
	if (checking->json) {
		if (!finding_keep(checking, &finding, error->text))
			checking->failed = true;
		return;
	}
	snprintf(told.text + len, sizeof(told.text) - len, " [%s]", lint_row(finding.lint)->code);
	context_fail(&told);
}

static int file_lint(struct linter *linter, const char *path, struct error *error)
{
	struct arena *arena = arena_new(FILE_BYTES * 2);
	struct error ignored = {0}; /* the loader has told it */
	struct str text;
	int code = 0;

	if (arena == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	if (file_read(arena, path, FILE_BYTES, &text, &ignored) == 0)
		code = linter_take(linter, text, path, error);
	arena_free(arena);
	return code;
}

/* As the loader: of a folder what ends as a rule file does, a file whatever its name. */
static int path_lint(struct linter *linter, const char *path, struct error *error)
{
	struct arena *arena = arena_new((size_t)256 << 20);
	struct str *files = NULL;
	size_t found = 0;
	int code = arena == NULL
	    ? error_set(error, ERR_MEMORY, TEXT_base_memory)
	    : file_list(arena, path, STR(""), FILES_MAX, &files, &found, error);

	for (size_t i = 0; i < found && code == 0; i++) {
		if (str_ends(files[i], STR(".yml")) || str_ends(files[i], STR(".yaml")) ||
		    str_eq(files[i], str_of(path)))
			code = file_lint(linter, files[i].ptr, error);
	}
	arena_free(arena);
	return code;
}

static int paths_lint(struct checking *checking, struct linter *linter, struct error *error)
{
	const struct arguments *arguments = checking->arguments;
	size_t own = 0;
	const char *const *paths = context_rules_paths(checking->context, &own);
	int code = paths == NULL ? error_set(error, ERR_MEMORY, TEXT_base_memory) : 0;

	for (size_t i = 1; i < arguments->word_count && code == 0; i++)
		code = path_lint(linter, arguments->words[i], error);
	for (size_t i = 0; arguments->word_count <= 1 && i < own && code == 0; i++)
		code = path_lint(linter, paths[i], error);
	return code == 0 ? linter_finish(linter, error) : code;
}

/* What the configuration tells (decode.logsources) is given too. */
static bool source_given(void *context, struct str product, struct str category,
    struct str service)
{
	const struct logsources *own = context;

	return source_is_given(product, category, service) ||
	    (own != NULL && logsources_give(own, product, category, service));
}

static bool source_field(void *context, struct str product, struct str category,
    struct str field, struct str *ret_near)
{
	(void)context;
	return source_has_field(product, category, field, ret_near);
}

static int check_lint(struct checking *checking, const struct ruleset *ruleset,
    struct error *error)
{
	const struct logsources *own = NULL;
	int code = context_logsources(checking->context, &own, error);
	struct lint_sources sources = {source_given, source_field, (void *)own};
	struct linter *linter = code < 0 ? NULL : linter_new(&sources, finding_tell, checking);

	if (code == 0)
		code = linter == NULL ? error_set(error, ERR_MEMORY, TEXT_base_memory)
				      : paths_lint(checking, linter, error);

	if (code == 0)
		lint_cost(ruleset, linter, finding_tell, checking);
	linter_free(linter);
	return code;
}

static size_t total(const struct checking *checking, enum lint_severity severity)
{
	size_t found = 0;

	for (unsigned i = 0; i < LINT_COUNT; i++)
		found += lint_row((enum lint)i)->severity == severity ? checking->counts[i] : 0;
	return found;
}

/* How often each code, so that a folder of thousands can be judged at a glance. */
static void summary_print(const struct checking *checking, const struct ruleset *ruleset)
{
	for (unsigned i = 0; i < LINT_COUNT; i++) {
		const struct lint_row *row = lint_row((enum lint)i);

		if (checking->counts[i] == 0)
			continue;
		printf("%s %-7s %6zu  ", row->code, lint_severity_name(row->severity),
		    checking->counts[i]);
		print_wrapped(stdout, str_of(text(row->text)), 23, checking->context->columns);
	}
	print_text(stdout, TEXT_cli_check_found, total(checking, LINT_SEVERITY_WARNING),
	    total(checking, LINT_SEVERITY_INFO));
	putchar('\n');
	print_text(
	    stdout, TEXT_cli_rules_loaded, ruleset_count(ruleset), ruleset_refused(ruleset));
	putchar('\n');
}

static int options_read(struct checking *checking, struct error *error)
{
	const char *least = arguments_get(checking->arguments, "severity"), *code;
	unsigned severity = 0;

	checking->json = arguments_has(checking->arguments, "json");
	checking->least = LINT_SEVERITY_WARNING;
	while (least != NULL && severity <= LINT_SEVERITY_ERROR &&
	    strcmp(least, lint_severity_name((enum lint_severity)severity)) != 0)
		severity++;
	if (severity > LINT_SEVERITY_ERROR)
		return error_set(error, ERR_USAGE, TEXT_cli_check_severity, least);
	if (least != NULL)
		checking->least = (enum lint_severity)severity;
	for (size_t i = 0; (code = arguments_each(checking->arguments, "ignore", i)) != NULL; i++) {
		enum lint lint = lint_find(str_of(code));

		if (lint == LINT_COUNT || lint_row(lint)->severity == LINT_SEVERITY_ERROR)
			return error_set(error, ERR_USAGE, TEXT_cli_check_code, code);
		checking->ignored[lint] = true;
	}
	return 0;
}

static void lint_reference(void)
{
	printf("# %s\n\n%s\n\n| %s | | %s |\n|---|---|---|\n", text(TEXT_cli_lint_head),
	    text(TEXT_cli_lint_about), text(TEXT_cli_lint_code), text(TEXT_cli_lint_text));
	for (unsigned i = 0; i < LINT_COUNT; i++) {
		const struct lint_row *row = lint_row((enum lint)i);

		printf("| %s | %s | ", row->code, lint_severity_name(row->severity));
		for (const char *c = text(row->text); *c != '\0'; c++)
			printf(*c == '|' ? "\\%c" : "%c", *c);
		puts(" |");
	}
}

static int check(struct checking *checking, struct error *error)
{
	struct ruleset *ruleset = NULL;
	int code = rules_load(checking->context, checking->arguments, refusal_tell, checking,
	    &ruleset, error);

	if (code == 0)
		code = check_lint(checking, ruleset, error);
	if (code == 0 && checking->failed)
		code = error_set(error, ERR_MEMORY, TEXT_base_memory);
	if (code == 0)
		findings_show(checking);
	if (code == 0 && !checking->json)
		summary_print(checking, ruleset);
	ruleset_free(ruleset);
	return code;
}

int rules_check(struct context *context, const struct arguments *arguments, struct error *error)
{
	struct checking checking = {.context = context, .arguments = arguments,
	    .arena = arena_new(ARENA_BYTES)};

	if (arguments_has(arguments, "markdown"))
		lint_reference();
	int code = checking.arena == NULL ? error_set(error, ERR_MEMORY, TEXT_base_memory)
					  : options_read(&checking, error);

	if (code == 0 && !arguments_has(arguments, "markdown"))
		code = check(&checking, error);
	arena_free(checking.arena);
	if (code < 0)
		return code;
	if (total(&checking, LINT_SEVERITY_ERROR) > 0)
		return EXIT_NO;
	return arguments_has(arguments, "strict") && total(&checking, LINT_SEVERITY_WARNING) > 0
	    ? EXIT_NO : EXIT_OK;
}
