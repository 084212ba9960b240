#include "cli/command.h"
#include "cli/gather.h"

#include "base/civil.h"
#include "base/clock.h"

#include <jansson.h>
#include <string.h>
#include <time.h>

struct table {
	const struct context *context;
	int64_t now_ns;
};

static uint64_t number(const json_t *row, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(row, key));

	return value < 0 ? 0 : (uint64_t)value;
}

static void print_row(const struct table *table, const json_t *row)
{
	const char *sender = json_string_value(json_object_get(row, "sender"));
	const char *agency = json_string_value(json_object_get(row, "agency"));
	const char *input = json_string_value(json_object_get(row, "input"));
	int64_t last_ns = json_integer_value(json_object_get(row, "last_ns"));
	uint64_t refused = number(row, "refused_busy") + number(row, "refused_large");
	char ago[32] = "-";

	if (last_ns > 0)
		format_duration(table->now_ns - last_ns, ago);
	printf("%10s %10llu %10llu %7llu %7llu %5llu  %-10s ", ago,
	    (unsigned long long)number(row, "received"), (unsigned long long)number(row, "durable"),
	    (unsigned long long)refused, (unsigned long long)number(row, "kernel_drops"),
	    (unsigned long long)number(row, "truncated"),
	    input == NULL || input[0] == '\0' ? "-" : input);
	print_escaped(stdout, str_of(sender));
	if (agency != NULL && agency[0] != '\0') {
		printf("  ");
		print_escaped(stdout, str_of(agency));
	}
	putchar('\n');
}

static void print_table(struct context *context, struct str lines)
{
	struct table table = {context, clock_wall_ns()};
	struct str line;

	static const struct {
		enum text_id id;
		int width;
	} columns[] = {{TEXT_cli_column_seen, -10}, {TEXT_cli_column_received, -11},
	    {TEXT_cli_column_durable, -11}, {TEXT_cli_column_refused, -8},
	    {TEXT_cli_column_drops, -8}, {TEXT_cli_column_cut, -6}};

	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		print_padded(stdout, text(columns[i].id), columns[i].width);
	fputs("  ", stdout);
	print_padded(stdout, text(TEXT_cli_column_input), 11);
	printf("%s  %s\n", text(TEXT_cli_column_sender), text(TEXT_cli_column_agency));
	while (str_cut(&lines, '\n', &line)) {
		json_t *row = line.len == 0 ? NULL : json_loadb(line.ptr, line.len, 0, NULL);

		if (row != NULL)
			print_row(&table, row);
		json_decref(row);
	}
}

static int sources_once(struct context *context, bool json, struct error *error)
{
	struct gathered found[GATHER_MAX];
	size_t count, answered = 0;
	int code = gather(context, STR("sources"), found, &count, error);

	for (size_t i = 0; i < count && code == 0; i++) {
		if (found[i].failed || !str_starts(found[i].stage, STR("collect")))
			continue;
		answered++;
		if (json)
			fwrite(found[i].answer.ptr, 1, found[i].answer.len, stdout);
		else
			print_table(context, found[i].answer);
	}
	if (code == 0 && answered == 0)
		return error_set(error, ERR_MISSING, TEXT_cli_not_running,
		    context_run_path(context, NULL));
	return code;
}

static int sources_run(struct context *context, const struct arguments *arguments)
{
	struct error error = {0};
	bool follow = arguments_has(arguments, "follow");
	struct timespec wait = {2, 0};
	int code;

	do {
		if (follow && context->columns > 0 && !arguments_has(arguments, "json"))
			printf("\033[H\033[J");
		code = sources_once(context, arguments_has(arguments, "json"), &error);
		fflush(stdout);
		arena_reset(context->arena);
		if (follow && code == 0)
			nanosleep(&wait, NULL);
	} while (follow && code == 0 && !ferror(stdout));
	return code < 0 ? context_fail(&error) : EXIT_OK;
}

const struct command command_sources = {
    .name = "sources",
    .synopsis = "[--follow] [--json]",
    .summary = TEXT_cli_sources,
    .description = TEXT_cli_sources_about,
    .examples = (const struct example_row[]){
	{"tocsin sources", TEXT_cli_sources_example},
	{"tocsin sources --json | jq 'select(.kernel_drops > 0)'", TEXT_cli_sources_example2},
	{NULL, TEXT_COUNT}},
    .options = (const struct option_row[]){
	{'f', "follow", NULL, TEXT_cli_opt_follow},
	{'j', "json", NULL, TEXT_cli_opt_json},
	{0, NULL, NULL, TEXT_COUNT}},
    .run = sources_run,
};
