#include "cli/command.h"
#include "cli/show.h"

#include "base/clock.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FOLLOW_NS   (100 * NS_PER_MS)

/* "high+" is high and above, "low-" low and below, "high" just that. */
static int parse_level(const char *text, struct query_filter *filter, struct error *error)
{
	struct str s = str_of(text);
	char mark = s.len > 0 ? s.ptr[s.len - 1] : 0;
	enum level level;

	if (mark == '+' || mark == '-')
		s.len--;
	if (!level_parse(s, &level))
		return error_set(error, ERR_USAGE, TEXT_cli_bad_level, text);
	filter->level_min = mark == '-' ? LEVEL_INFORMATIONAL : level;
	filter->level_max = mark == '+' ? LEVEL_CRITICAL : level;
	return 0;
}

static int parse_terms(const struct arguments *arguments, const char *name,
    struct str terms[QUERY_TERMS], size_t *count, struct error *error)
{
	const char *value;

	while ((value = arguments_each(arguments, name, *count)) != NULL) {
		if (*count == QUERY_TERMS)
			return error_set(error, ERR_USAGE, TEXT_cli_too_many);
		terms[(*count)++] = str_of(value);
	}
	return 0;
}

static int parse_when(const struct context *context, const struct arguments *arguments,
    const char *name, int64_t *ret, struct error *error)
{
	const char *value = arguments_get(arguments, name);

	if (value != NULL && !parse_time(str_of(value), clock_wall_ns(), context->zone_s, ret))
		return error_set(error, ERR_USAGE, TEXT_cli_bad_time, value);
	return 0;
}

static int parse_filter(const struct context *context, const struct arguments *arguments,
    struct query_filter *f, struct error *error)
{
	const struct {
		const char *name;
		struct str *terms;
		size_t *count;
	} lists[] = {
	    {"rule", f->rules, &f->rule_count}, {"host", f->hosts, &f->host_count},
	    {"user", f->users, &f->user_count}, {"address", f->addresses, &f->address_count},
	    {"agency", f->agencies, &f->agency_count}, {"sender", f->senders, &f->sender_count}};
	const char *limit = arguments_get(arguments, "limit");
	uint64_t number = 100;
	int code = 0;

	*f = (struct query_filter){.since_ns = INT64_MIN, .until_ns = INT64_MAX,
	    .level_max = LEVEL_CRITICAL, .with_replaced = arguments_has(arguments, "all"),
	    .replay = str_of(arguments_get(arguments, "replay"))};
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]) && code == 0; i++)
		code = parse_terms(arguments, lists[i].name, lists[i].terms, lists[i].count, error);
	if (code == 0 && arguments_has(arguments, "level"))
		code = parse_level(arguments_get(arguments, "level"), f, error);
	if (code == 0)
		code = parse_when(context, arguments, "since", &f->since_ns, error);
	if (code == 0)
		code = parse_when(context, arguments, "until", &f->until_ns, error);
	if (code == 0 && limit != NULL && !str_to_u64(str_of(limit), &number))
		code = error_set(error, ERR_USAGE, TEXT_cli_bad_number, limit);
	f->limit = number == 0 ? SIZE_MAX : (size_t)number;
	return code;
}

static int alerts_list(struct context *context, const struct arguments *arguments,
    struct query *query, struct error *error)
{
	bool json = arguments_has(arguments, "json");
	struct query_filter filter;
	size_t shown = 0;
	int code = parse_filter(context, arguments, &filter, error);

	if (code == 0)
		code = show_list(context, query, &filter, json, &shown, error);
	if (code == 0 && shown == 0 && !json)
		fprintf(stderr, "%s\n", text(TEXT_cli_no_alerts));
	return code < 0 ? code : shown > 0 ? EXIT_OK : EXIT_NO;
}

static int alerts_show(struct context *context, const struct arguments *arguments,
    struct query *query, struct error *error)
{
	struct query_evidence *evidence = NULL;
	struct query_alert alert;
	size_t count = 0;

	if (arguments->word_count < 2)
		return error_set(error, ERR_USAGE, TEXT_cli_which_alert);
	for (size_t i = 1; i < arguments->word_count; i++) {
		int code =
		    query_alert(query, str_of(arguments->words[i]), context->arena, &alert, error);

		if (code == 0)
			code = query_evidence(
			    query, alert.alert.id, context->arena, &evidence, &count, error);
		if (code < 0)
			return code;
		if (arguments_has(arguments, "json"))
			show_json(&alert, evidence, count, true);
		else
			show_alert(context, &alert, evidence, count);
	}
	return EXIT_OK;
}

/* Ids that were shown, so that each alert is shown once though pages overlap. A ring, newest last.
 */
#define SHOWN_MAX 65536u

struct following {
	const struct context *context;
	bool json;
	struct hash128 *shown;
	size_t count;
	struct query_alert *page;
	size_t page_count, page_max;
	size_t lines;
	bool silent; /* the first round only learns what is there */
};

static bool was_shown(const struct following *f, struct hash128 id)
{
	size_t n = f->count < SHOWN_MAX ? f->count : SHOWN_MAX;

	for (size_t i = 0; i < n; i++) {
		if (hash128_eq(f->shown[i], id))
			return true;
	}
	return false;
}

static bool collect_page(void *argument, const struct query_alert *alert)
{
	struct following *f = argument;

	if (!was_shown(f, alert->alert.id) && f->page_count < f->page_max)
		f->page[f->page_count++] = *alert;
	return true;
}

/* The query gives the newest first; a person who follows reads downwards. */
static void show_page(struct following *f)
{
	for (size_t i = f->page_count; i > 0; i--) {
		f->shown[f->count++ % SHOWN_MAX] = f->page[i - 1].alert.id;
		if (!f->silent)
			show_one(f->context, &f->page[i - 1], f->json, f->lines++ == 0);
	}
	f->page_count = 0;
	f->silent = false;
	fflush(stdout);
}

static int follow_loop(struct query *query, struct query_filter *filter, struct following *f,
    struct arena *arena, struct error *error)
{
	uint64_t seen = UINT64_MAX, now = 0;
	struct timespec wait = {0, FOLLOW_NS};
	int code = 0;

	while (code == 0 && !ferror(stdout)) {
		code = query_generation(query, &now, error);
		if (code == 0 && now != seen) {
			arena_reset(arena);
			code = query_alerts(query, filter, arena, collect_page, f, NULL, error);
			show_page(f);
			seen = now;
		}
		nanosleep(&wait, NULL);
	}
	return code;
}

/* --since shows what is there from then on first; without it only what comes. */
static int alerts_follow(struct context *context, const struct arguments *arguments,
    struct query *query, struct error *error)
{
	struct following f = {.context = context,
	    .json = arguments_has(arguments, "json"),
	    .page_max = 4096,
	    .silent = !arguments_has(arguments, "since")};
	struct query_filter filter;
	int code = parse_filter(context, arguments, &filter, error);

	if (code < 0)
		return code;
	filter.limit = f.page_max;
	f.shown = arena_array(context->arena, SHOWN_MAX, sizeof(*f.shown));
	f.page = arena_array(context->arena, f.page_max, sizeof(*f.page));
	struct arena *arena = arena_new(1u << 30);

	if (f.shown == NULL || f.page == NULL || arena == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	code = follow_loop(query, &filter, &f, arena, error);
	arena_free(arena);
	return code;
}

static int alerts_run(struct context *context, const struct arguments *arguments)
{
	struct error error = {0};
	struct query *query = NULL;
	const char *verb = arguments_verb(arguments, "list", &error);
	const char *replay = arguments_get(arguments, "replay");
	int code = verb == NULL ? error.code
				: query_open(&query, replay == NULL ? context_store_path(context)
						: context_replay_path(context, replay), &error);

	if (code == 0 && strcmp(verb, "list") == 0)
		code = alerts_list(context, arguments, query, &error);
	else if (code == 0 && strcmp(verb, "show") == 0)
		code = alerts_show(context, arguments, query, &error);
	else if (code == 0)
		code = alerts_follow(context, arguments, query, &error);
	query_close(query);
	if (code == ERR_MISSING) {
		context_fail(&error);
		return EXIT_NO;
	}
	return code < 0 ? context_fail(&error) : code;
}

const struct command command_alerts = {
    .name = "alerts",
    .synopsis = "[list|follow] [FILTER...] | show ID...",
    .summary = TEXT_cli_alerts,
    .description = TEXT_cli_alerts_about,
    .examples = (const struct example_row[]){
	{"tocsin alerts --since 24h --level high+", TEXT_cli_alerts_example},
	{"tocsin alerts --host web01 --rule 'SSH*' --json", TEXT_cli_alerts_example2},
	{"tocsin alerts show 7f3a09c2", TEXT_cli_alerts_example3},
	{"tocsin alerts follow --level medium+", TEXT_cli_alerts_example4},
	{NULL, TEXT_COUNT}},
    .options = (const struct option_row[]){
	{'s', "since", "TIME", TEXT_cli_opt_since},
	{'u', "until", "TIME", TEXT_cli_opt_until},
	{'l', "level", "LEVEL[+|-]", TEXT_cli_opt_level},
	{'r', "rule", "PATTERN", TEXT_cli_opt_rule},
	{0, "host", "PATTERN", TEXT_cli_opt_host},
	{0, "user", "PATTERN", TEXT_cli_opt_user},
	{0, "address", "PATTERN", TEXT_cli_opt_address},
	{0, "agency", "PATTERN", TEXT_cli_opt_agency},
	{0, "sender", "PATTERN", TEXT_cli_opt_sender},
	{0, "replay", "NAME", TEXT_cli_opt_replay},
	{'n', "limit", "N", TEXT_cli_opt_limit},
	{'a', "all", NULL, TEXT_cli_opt_all},
	{'j', "json", NULL, TEXT_cli_opt_json},
	{0, NULL, NULL, TEXT_COUNT}},
    .verbs = (const char *const[]){"list", "show", "follow", NULL},
    .run = alerts_run,
};
