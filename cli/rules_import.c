/*
 * `tocsin rules import`: foreign rules into a folder of ours (import.h), and what came of it.
 */
#include "cli/rules.h"

#include "base/file.h"
#include "base/json.h"
#include "cli/import.h"
#include "sigma/name_table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARENA_BYTES  ((size_t)2 << 30)
#define CHOICES_MAX  64u
#define LICENSES_MAX 16u

struct license {
	struct str name;
	size_t rules;
};

struct report {
	struct context *context;
	struct arena *arena;
	bool json, dry, tty;
	size_t counts[IMPORT_OUTCOMES];
	struct license licenses[LICENSES_MAX]; /* the last is for all others */
	size_t license_count, unlicensed, rules, unsigned_rules;
	struct name_table authors;
};

/* ---- one file ---- */

static void license_count(struct report *report, struct str license)
{
	size_t i = 0;

	if (license.len == 0) {
		report->unlicensed++;
		return;
	}
	while (i < report->license_count && !str_eq(report->licenses[i].name, license))
		i++;
	if (i == LICENSES_MAX)
		i--;
	if (i == report->license_count) {
		report->licenses[i].name =
		    i == LICENSES_MAX - 1 ? str_of(text(TEXT_cli_import_others)) : license;
		report->license_count++;
	}
	report->licenses[i].rules++;
}

/* Rules are their authors' works: who they are, and under which terms, is told each time. */
static void rights_count(struct report *report, const struct rule_file *file)
{
	for (size_t i = 0; i < file->count; i++) {
		struct str author = rule_file_value(file->documents[i], "author");

		if (file->documents[i] == NULL)
			continue;
		report->rules++;
		license_count(report, rule_file_value(file->documents[i], "license"));
		report->unsigned_rules += author.len == 0;
		if (author.len > 0)
			(void)name_table_put(report->arena, &report->authors, author, 1);
	}
}

static bool is_taken(enum import_outcome outcome)
{
	return outcome == IMPORT_ADDED || outcome == IMPORT_UPDATED || outcome == IMPORT_MOVED ||
	    outcome == IMPORT_SAME;
}

static void result_json(const struct import_file *result)
{
	struct buf out = BUF(1 << 20);
	struct json json = json_begin(&out);

	json_open(&json, '{');
	json_pair(&json, "name", result->file->name);
	json_pair(&json, "source", result->file->path);
	json_pair(&json, "outcome", str_of(import_outcome_name(result->outcome)));
	json_pair(&json, "id", result->file->id);
	json_pair(&json, "title", result->file->title);
	json_pair(&json, "modified", result->file->modified);
	if (result->before.len > 0)
		json_pair(&json, "before", result->before);
	if (result->outcome == IMPORT_REFUSED) {
		json_pair_u64(&json, "line", result->reason.line);
		json_pair_u64(&json, "column", result->reason.column);
		json_pair(&json, "reason", str_of(result->reason.text));
	}
	json_close(&json, '}');
	buf_char(&out, '\n');
	fwrite(out.ptr, 1, out.len, stdout);
	buf_free(&out);
}

static void result_print(const struct import_file *result)
{
	print_padded(stdout, text(import_outcome_text(result->outcome)), 28);
	print_escaped(stdout, result->file->name);
	if (result->before.len > 0) {
		printf("  (");
		print_escaped(stdout, result->before);
		putchar(')');
	}
	if (result->outcome == IMPORT_REFUSED) {
		printf(":%u:%u: ", result->reason.line, result->reason.column);
		print_escaped(stdout, str_of(result->reason.text));
	}
	putchar('\n');
}

static void result_take(void *argument, const struct import_file *result)
{
	struct report *report = argument;
	bool told = import_outcome_is_told(result->outcome) ||
	    (report->dry && result->outcome == IMPORT_ADDED);

	report->counts[result->outcome]++;
	if (is_taken(result->outcome))
		rights_count(report, result->file);
	if (report->json)
		result_json(result);
	else if (told)
		result_print(result);
}

static void progress(void *argument, size_t done, size_t all)
{
	const struct report *report = argument;

	if (report->tty)
		fprintf(stderr, "\r%zu/%zu  ", done, all);
}

/* ---- the summary ---- */

static void summary_print(const struct report *report)
{
	for (unsigned i = 0; i < IMPORT_OUTCOMES; i++) {
		if (report->counts[i] > 0)
			printf("%8zu  %s\n", report->counts[i],
			    text(import_outcome_text((enum import_outcome)i)));
	}
	print_text(stdout, TEXT_cli_import_rights, report->rules, report->authors.count,
	    report->unsigned_rules, report->unlicensed);
	putchar('\n');
	for (size_t i = 0; i < report->license_count; i++) {
		printf("%8zu  ", report->licenses[i].rules);
		print_escaped(stdout, report->licenses[i].name);
		putchar('\n');
	}
	if (report->dry)
		puts(text(TEXT_cli_import_dry));
	else if (report->counts[IMPORT_ADDED] + report->counts[IMPORT_UPDATED] +
	    report->counts[IMPORT_MOVED] > 0)
		puts(text(TEXT_cli_import_next));
}

/* ---- the command line ---- */

static int into_default(struct context *context, const char **ret, struct error *error)
{
	size_t count = 0;
	const char *const *paths = context_rules_paths(context, &count);
	struct stat about;

	if (paths == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	if (count == 0 || (stat(paths[0], &about) == 0 && !S_ISDIR(about.st_mode)))
		return error_set(error, ERR_USAGE, TEXT_cli_import_into);
	struct str path = arena_printf(context->arena, "%s/imported", paths[0]);

	*ret = path.ptr;
	return path.ptr == NULL ? error_set(error, ERR_MEMORY, TEXT_base_memory) : 0;
}

static size_t choices(const struct arguments *arguments, const char *name,
    const char *ret[CHOICES_MAX])
{
	size_t count = 0;
	const char *value;

	while (count < CHOICES_MAX && (value = arguments_each(arguments, name, count)) != NULL)
		ret[count++] = value;
	return count;
}

static int level_take(const struct arguments *arguments, struct import_options *ret,
    struct error *error)
{
	const char *level = arguments_get(arguments, "level");

	ret->leveled = level != NULL;
	if (level == NULL || level_range_parse(str_of(level), &ret->level_min, &ret->level_max))
		return 0;
	return error_set(error, ERR_USAGE, TEXT_cli_bad_level, level);
}

static int import(struct report *report, const struct arguments *arguments, struct error *error)
{
	const char *statuses[CHOICES_MAX], *products[CHOICES_MAX];
	struct import_options options = {.context = report->context,
	    .sources = arguments->words + 1, .source_count = arguments->word_count - 1,
	    .into = arguments_get(arguments, "into"), .dry = report->dry,
	    .force = arguments_has(arguments, "force"), .statuses = statuses,
	    .status_count = choices(arguments, "status", statuses), .products = products,
	    .product_count = choices(arguments, "product", products), .told = result_take,
	    .progress = progress, .argument = report};
	int code = level_take(arguments, &options, error);

	if (code == 0 && options.into == NULL)
		code = into_default(report->context, &options.into, error);
	if (code == 0 && !options.dry)
		code = file_make_folder(options.into, 0755, error);
	return code < 0 ? code : import_run(&options, report->arena, error);
}

int rules_import(struct context *context, const struct arguments *arguments, struct error *error)
{
	struct report report = {.context = context, .arena = arena_new(ARENA_BYTES),
	    .json = arguments_has(arguments, "json"), .dry = arguments_has(arguments, "dry-run"),
	    .tty = isatty(STDERR_FILENO)};
	size_t found = 0;
	int code = 0;

	if (report.arena == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	if (arguments->word_count < 2)
		code = error_set(error, ERR_USAGE, TEXT_cli_import_what);
	if (code == 0)
		code = import(&report, arguments, error);
	if (report.tty)
		fprintf(stderr, "\r\033[K");
	if (code == 0 && !report.json)
		summary_print(&report);
	for (unsigned i = 0; i < IMPORT_OUTCOMES; i++)
		found += report.counts[i];
	arena_free(report.arena);
	return code < 0 ? code : found > 0 ? EXIT_OK : EXIT_NO;
}
