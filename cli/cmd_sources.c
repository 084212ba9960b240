#include "cli/command.h"
#include "cli/gather.h"

#include "base/civil.h"
#include "base/clock.h"

#include <fnmatch.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SOURCES_MAX 200000u /* rows that are sorted; an answer is at most 16 MiB */

struct order;

/* What was asked for. */
struct wish {
	bool json;
	const char *agency; /* NULL: all */
	const struct order *order;
};

/* Rows of one collector. */
struct table {
	json_t *rows[SOURCES_MAX];
	size_t count;
};

static const char *word(const json_t *row, const char *key)
{
	const char *value = json_string_value(json_object_get(row, key));

	return value == NULL ? "" : value;
}

static uint64_t number(const json_t *row, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(row, key));

	return value < 0 ? 0 : (uint64_t)value;
}

static uint64_t refused(const json_t *row)
{
	return number(row, "refused_busy") + number(row, "refused_large") +
	       number(row, "refused_quota") + number(row, "refused_barred");
}

/* ---- in which order ---- */

static int more_first(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

static int by_sender(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	int order = strcmp(word(x, "sender"), word(y, "sender"));

	return order != 0 ? order : strcmp(word(x, "input"), word(y, "input"));
}

static int by_agency(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	int order = strcmp(word(x, "agency"), word(y, "agency"));

	if (order == 0)
		order = strcmp(word(x, "system"), word(y, "system"));
	return order != 0 ? order : by_sender(a, b);
}

static int by_value(const void *a, const void *b, uint64_t (*value)(const json_t *row))
{
	int order = more_first(value(*(json_t *const *)a), value(*(json_t *const *)b));

	return order != 0 ? order : by_sender(a, b);
}

static uint64_t received(const json_t *row)
{
	return number(row, "received");
}

static uint64_t last(const json_t *row)
{
	return number(row, "last_ns");
}

static uint64_t lag_max(const json_t *row)
{
	return number(row, "lag_max_ns");
}

static int by_received(const void *a, const void *b)
{
	return by_value(a, b, received);
}

static int by_refused(const void *a, const void *b)
{
	return by_value(a, b, refused);
}

static int by_last(const void *a, const void *b)
{
	return by_value(a, b, last);
}

static int by_lag(const void *a, const void *b)
{
	return by_value(a, b, lag_max);
}

static const struct order {
	const char *name;
	int (*compare)(const void *a, const void *b);
} orders[] = {{"agency", by_agency}, {"sender", by_sender}, {"received", by_received},
    {"refused", by_refused}, {"last", by_last}, {"lag", by_lag}};

/* NULL: there is none of that name. */
static const struct order *order_find(const char *name)
{
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		if (name == NULL || strcmp(orders[i].name, name) == 0)
			return &orders[i];
	return NULL;
}

/* ---- the table ---- */

static void print_state(const json_t *row)
{
	bool sender = word(row, "sender")[0] != '(';

	if (json_is_true(json_object_get(row, "silent")))
		printf("  %s", text(TEXT_cli_state_silent));
	else if (json_is_true(json_object_get(row, "loud")))
		printf("  %s", text(TEXT_cli_state_loud));
	else if (sender && !json_is_true(json_object_get(row, "known")))
		printf("  %s", text(TEXT_cli_state_unknown));
}

/* Ahead of us with +, behind with -. */
static void format_skew(int64_t skew_ns, char out[40])
{
	char size[32];

	format_duration(skew_ns < 0 ? -(skew_ns + (skew_ns == INT64_MIN)) : skew_ns, size);
	/* Less than is shown is neither before nor behind. */
	snprintf(out, 40, "%s%s", skew_ns > -NS_PER_S && skew_ns < NS_PER_S ? "" :
	        skew_ns < 0 ? "-" : "+", size);
}

static void print_row(const json_t *row, int64_t now_ns)
{
	const char *agency = word(row, "agency"), *system = word(row, "system");
	const char *input = word(row, "input");
	int64_t last_ns = json_integer_value(json_object_get(row, "last_ns"));
	char ago[32] = "-", lag[32] = "-", skew[40] = "-", undecoded[24] = "-";

	if (last_ns > 0)
		format_duration(now_ns - last_ns, ago);
	if (number(row, "durable") > 0)
		format_duration((int64_t)number(row, "lag_max_ns"), lag);
	if (json_object_get(row, "skew_ns") != NULL)
		format_skew(json_integer_value(json_object_get(row, "skew_ns")), skew);
	if (json_object_get(row, "decoded") != NULL)
		snprintf(undecoded, sizeof(undecoded), "%llu",
		    (unsigned long long)number(row, "undecoded"));
	printf("%10s %10llu %10llu %7llu %7llu %5llu %7s %7s %8s  %-10s ", ago,
	    (unsigned long long)number(row, "received"), (unsigned long long)number(row, "durable"),
	    (unsigned long long)refused(row), (unsigned long long)number(row, "kernel_drops"),
	    (unsigned long long)number(row, "truncated"), lag, undecoded, skew,
	    input[0] == '\0' ? "-" : input);
	print_escaped(stdout, str_of(word(row, "sender")));
	if (agency[0] != '\0') {
		printf("  ");
		print_escaped(stdout, str_of(agency));
	}
	if (system[0] != '\0') {
		putchar('/');
		print_escaped(stdout, str_of(system));
	}
	print_state(row);
	putchar('\n');
}

static void print_head(void)
{
	static const struct {
		enum text_id id;
		int width;
	} columns[] = {{TEXT_cli_column_seen, -10}, {TEXT_cli_column_received, -11},
	    {TEXT_cli_column_durable, -11}, {TEXT_cli_column_refused, -8},
	    {TEXT_cli_column_drops, -8}, {TEXT_cli_column_cut, -6}, {TEXT_cli_column_lag, -8},
	    {TEXT_cli_column_undecoded, -8}, {TEXT_cli_column_skew, -9}};

	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		print_padded(stdout, text(columns[i].id), columns[i].width);
	fputs("  ", stdout);
	print_padded(stdout, text(TEXT_cli_column_input), 11);
	printf("%s  %s/%s  %s\n", text(TEXT_cli_column_sender), text(TEXT_cli_column_agency),
	    text(TEXT_cli_column_system), text(TEXT_cli_column_state));
}

static bool is_wanted(const json_t *row, const struct wish *wish)
{
	return wish->agency == NULL || fnmatch(wish->agency, word(row, "agency"), 0) == 0;
}

/* ---- what the workers know of them ---- */

/* Keys of numbers that are added up where two workers have met the same sender. */
static const char *const sums[] = {"decoded", "undecoded", "untimed", "skewed"};

/* A sender is known by name and transport, for its inputs have rows of their own. */
static void sender_key(const json_t *row, char out[256])
{
	const char *sender = word(row, "sender");
	int len = (int)strlen(sender);

	/* A row is a partition of a topic, "web.logs/3"; the sender is the topic. */
	if (strcmp(word(row, "transport"), "kafka") == 0)
		len = (int)strcspn(sender, "/");
	snprintf(out, 256, "%s %.*s", word(row, "transport"), len, sender);
}

static void sender_add(json_t *senders, json_t *row)
{
	char key[256];

	sender_key(row, key);
	json_t *known = json_object_get(senders, key);

	for (size_t i = 0; known != NULL && i < sizeof(sums) / sizeof(sums[0]); i++)
		json_object_set_new(row, sums[i],
		    json_integer((json_int_t)(number(row, sums[i]) + number(known, sums[i]))));
	json_object_set_new(senders, key, json_incref(row));
}

/* By transport and name; NULL without memory. Workers that do not answer know nobody. */
static json_t *senders_of(struct context *context)
{
	struct gathered found[GATHER_MAX];
	json_t *senders = json_object();
	size_t count = 0;

	if (gather_list(context, found, &count, NULL) < 0)
		return senders;
	for (size_t i = 0; i < count && senders != NULL; i++) {
		struct str line;

		if (!str_starts(found[i].stage, STR("correlate")))
			continue;
		gather_ask(context, &found[i], STR("senders"));
		while (!found[i].failed && str_cut(&found[i].answer, '\n', &line)) {
			json_t *row =
			    line.len == 0 ? NULL : json_loadb(line.ptr, line.len, 0, NULL);

			if (row != NULL)
				sender_add(senders, row);
			json_decref(row);
		}
	}
	return senders;
}

/* A row of the ledger, with what decoding its events came to. NULL: no row. */
static json_t *row_read(struct str line, const json_t *senders)
{
	json_t *row = line.len == 0 ? NULL : json_loadb(line.ptr, line.len, 0, NULL);
	char key[256];

	if (row == NULL)
		return NULL;
	sender_key(row, key);
	json_object_update_missing(row, json_object_get(senders, key));
	return row;
}

/* The total of all stands last, and not behind a part of them. */
static void print_table(struct str lines, const json_t *senders, const struct wish *wish)
{
	struct table *table = calloc(1, sizeof(*table));
	int64_t now_ns = clock_wall_ns();
	json_t *total = NULL;
	struct str line;

	print_head();
	while (table != NULL && str_cut(&lines, '\n', &line)) {
		json_t *row = row_read(line, senders);

		if (row != NULL && strcmp(word(row, "sender"), "(total)") == 0 && total == NULL)
			total = row;
		else if (row != NULL && is_wanted(row, wish) && table->count < SOURCES_MAX)
			table->rows[table->count++] = row;
		else
			json_decref(row);
	}
	if (table != NULL)
		qsort(table->rows, table->count, sizeof(json_t *), wish->order->compare);
	for (size_t i = 0; table != NULL && i < table->count; i++) {
		print_row(table->rows[i], now_ns);
		json_decref(table->rows[i]);
	}
	if (total != NULL && wish->agency == NULL)
		print_row(total, now_ns);
	json_decref(total);
	free(table);
}

/* As the collector tells them, a row a line. */
static void print_json(struct str lines, const json_t *senders, const struct wish *wish)
{
	struct str line;

	while (str_cut(&lines, '\n', &line)) {
		json_t *row = row_read(line, senders);

		if (row != NULL && is_wanted(row, wish)) {
			json_dumpf(row, stdout, JSON_COMPACT);
			putchar('\n');
		}
		json_decref(row);
	}
}

static int sources_once(
    struct context *context, const struct wish *wish, struct error *error)
{
	struct gathered found[GATHER_MAX];
	size_t count, answered = 0;
	json_t *senders = senders_of(context);
	int code = gather(context, STR("sources"), found, &count, error);

	for (size_t i = 0; i < count && code == 0; i++) {
		if (found[i].failed || !str_starts(found[i].stage, STR("collect")))
			continue;
		answered++;
		if (wish->json)
			print_json(found[i].answer, senders, wish);
		else
			print_table(found[i].answer, senders, wish);
	}
	json_decref(senders);
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
	const char *sort = arguments_get(arguments, "sort");
	struct wish wish = {arguments_has(arguments, "json"), arguments_get(arguments, "agency"),
	    order_find(sort)};
	int code;

	if (wish.order == NULL) {
		error_set(&error, ERR_USAGE, TEXT_cli_sources_sort, sort);
		return context_fail(&error);
	}
	do {
		if (follow && context->columns > 0 && !wish.json)
			printf("\033[H\033[J");
		code = sources_once(context, &wish, &error);
		fflush(stdout);
		arena_reset(context->arena);
		if (follow && code == 0)
			nanosleep(&wait, NULL);
	} while (follow && code == 0 && !ferror(stdout));
	return code < 0 ? context_fail(&error) : EXIT_OK;
}

const struct command command_sources = {
    .name = "sources",
    .synopsis = "[--agency NAME] [--sort COLUMN] [--follow] [--json]",
    .summary = TEXT_cli_sources,
    .description = TEXT_cli_sources_about,
    .examples = (const struct example_row[]){
	{"tocsin sources", TEXT_cli_sources_example},
	{"tocsin sources --json | jq 'select(.kernel_drops > 0)'", TEXT_cli_sources_example2},
	{"tocsin sources --agency 'langson*' --sort refused", TEXT_cli_sources_example3},
	{NULL, TEXT_COUNT}},
    .options = (const struct option_row[]){
	{'a', "agency", "NAME", TEXT_cli_opt_agency},
	{'s', "sort", "COLUMN", TEXT_cli_opt_sources_sort},
	{'f', "follow", NULL, TEXT_cli_opt_follow},
	{'j', "json", NULL, TEXT_cli_opt_json},
	{0, NULL, NULL, TEXT_COUNT}},
    .run = sources_run,
};
