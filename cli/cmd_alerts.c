#include "cli/command.h"
#include "cli/replay.h"
#include "cli/show.h"
#include "cli/shown.h"

#include "base/clock.h"

#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FOLLOW_NS     (100 * NS_PER_MS)
/* What is older than this when one begins to follow is not news, whenever it is stored. */
#define FOLLOW_SILENT (86400 * NS_PER_S)

static int parse_level(const char *text, struct query_filter *filter, struct error *error)
{
	if (level_range_parse(str_of(text), &filter->level_min, &filter->level_max))
		return 0;
	return error_set(error, ERR_USAGE, TEXT_cli_bad_level, text);
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

#define MATCHES_SHOWN 16

static int alerts_show(struct context *context, const struct arguments *arguments,
    struct query *query, struct error *error)
{
	struct query_evidence *evidence = NULL;
	struct query_match matches[MATCHES_SHOWN];
	struct ruleset *ruleset = NULL;
	struct query_alert alert;
	struct error ignored = {0};
	size_t count = 0;
	int code = 0;

	if (arguments->word_count < 2)
		return error_set(error, ERR_USAGE, TEXT_cli_which_alert);
	/* Without rules the alert is still shown, with ids in the place of titles. */
	if (!arguments_has(arguments, "json"))
		(void)context_rules(context, NULL, NULL, &ruleset, &ignored);
	for (size_t i = 1; i < arguments->word_count && code == 0; i++) {
		code =
		    query_alert(query, str_of(arguments->words[i]), context->arena, &alert, error);
		if (code == 0)
			code = query_evidence(
			    query, alert.alert.id, context->arena, &evidence, &count, error);
		if (code == 0)
			code = query_matches(query, alert.alert.id, matches, MATCHES_SHOWN,
			    &alert.match_count, error);
		alert.matches = matches;
		if (code < 0)
			break;
		if (i > 1 && !arguments_has(arguments, "json"))
			putchar('\n');
		if (arguments_has(arguments, "json"))
			show_json(&alert, evidence, count, true);
		else
			show_alert(context, &alert, evidence, count, ruleset);
	}
	ruleset_free(ruleset);
	return code;
}

/* What came while one looked is shown in order; beyond so many at once, the newest of them. */
#define FOLLOW_PAGE  1000u
#define FOLLOW_MAX   65536u
#define FOLLOW_ARENA (1u << 30)
/*
 * How far behind the newest one an alert may still come: what may be late, and an hour for
 * partitions that are not read evenly.
 */
#define FOLLOW_BACK  (3600 * NS_PER_S)

struct following {
	struct context *context;
	struct query *query;
	struct query_filter filter;
	bool json, silent; /* silent: the first round only learns what is there */
	struct shown *shown;
	struct arena *arena; /* of a round */
	const struct query_alert **found;
	size_t count, dropped, lines, page;
	int64_t newest_ns;
	char cursor[256];
	bool told;
};

static bool follow_one(void *argument, const struct query_alert *alert)
{
	struct following *f = argument;
	struct query_alert *copy;

	f->page++;
	snprintf(f->cursor, sizeof(f->cursor), "%.*s", STR_ARG(alert->cursor));
	if (alert->alert.time_ns > f->newest_ns)
		f->newest_ns = alert->alert.time_ns;
	if (!shown_add(f->shown, alert->alert.id) || f->silent)
		return true;
	copy = f->count < FOLLOW_MAX ? arena_array(f->arena, 1, sizeof(*copy)) : NULL;
	if (copy == NULL) {
		f->dropped++;
		return true;
	}
	*copy = *alert;
	f->found[f->count++] = copy;
	return true;
}

static void follow_damaged(void *argument, const struct error *error)
{
	struct following *f = argument;

	f->told = true;
	context_fail(error);
}

/* The query gives the newest first; a person who follows reads downwards. */
static void follow_show(struct following *f)
{
	if (f->dropped > 0) {
		print_text(stderr, TEXT_cli_follow_many, f->dropped);
		fputc('\n', stderr);
	}
	for (size_t i = f->count; i > 0 && !ferror(stdout); i--)
		show_one(f->context, f->found[i - 1], f->json, f->lines++ == 0);
	f->count = f->dropped = 0;
	f->silent = false;
	fflush(stdout);
}

/* One look: all alerts from the floor on, of which only those are shown that were not yet. */
static int follow_round(struct following *f, struct error *error)
{
	const struct config *c = f->context->config;
	int64_t back_ns = FOLLOW_BACK + config_number(c, CONFIG_CORRELATE_SKEW) +
			  config_number(c, CONFIG_CORRELATE_LATENESS);
	struct query_filter page = f->filter;
	int code;

	if (f->newest_ns != INT64_MIN && f->newest_ns - back_ns > page.since_ns)
		page.since_ns = f->newest_ns - back_ns;
	arena_reset(f->arena);
	do {
		f->page = 0;
		page.limit = FOLLOW_PAGE;
		code = query_alerts(f->query, &page, f->arena, follow_one, f,
		    f->told ? NULL : follow_damaged, error);
		page.after = str_of(f->cursor);
	} while (code == 0 && f->page == FOLLOW_PAGE);
	follow_show(f);
	return code;
}

/* Is anybody still reading? Without alerts nothing is written, and a closed pipe stays unseen. */
static bool output_is_gone(void)
{
	struct pollfd out = {.fd = STDOUT_FILENO, .events = 0};

	return ferror(stdout) || (poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0);
}

static int follow_loop(struct following *f, struct error *error)
{
	uint64_t seen = UINT64_MAX, now = 0;
	int code = 0;

	while (code == 0 && !output_is_gone()) {
		int64_t began_ns = clock_monotonic_ns(), pause_ns;

		code = query_generation(f->query, &now, error);
		if (code == 0 && now != seen)
			code = follow_round(f, error);
		seen = now;
		/* In a storm of alerts a fifth of one core is enough. */
		pause_ns = 4 * (clock_monotonic_ns() - began_ns);
		pause_ns = pause_ns < FOLLOW_NS ? FOLLOW_NS : pause_ns;
		struct timespec wait = {pause_ns / NS_PER_S, pause_ns % NS_PER_S};

		nanosleep(&wait, NULL);
	}
	return code;
}

/* --since shows what is there from then on first; without it only what comes. */
static int alerts_follow(struct context *context, const struct arguments *arguments,
    struct query *query, struct error *error)
{
	struct following f = {.context = context,
	    .query = query,
	    .json = arguments_has(arguments, "json"),
	    .silent = !arguments_has(arguments, "since"),
	    .newest_ns = INT64_MIN};
	int code = parse_filter(context, arguments, &f.filter, error);

	if (code < 0)
		return code;
	if (f.silent)
		f.filter.since_ns = clock_wall_ns() - FOLLOW_SILENT;
	f.found = arena_array(context->arena, FOLLOW_MAX, sizeof(struct query_alert *));
	f.shown = shown_new();
	f.arena = arena_new(FOLLOW_ARENA);
	code = f.found == NULL || f.shown == NULL || f.arena == NULL
	    ? error_set(error, ERR_MEMORY, TEXT_base_memory)
	    : follow_loop(&f, error);
	arena_free(f.arena);
	shown_free(f.shown);
	return code;
}

/* No folder is no error while one follows: the store may make it yet. */
static int check_folder(const char *replay, const char *path, bool follow, struct error *error)
{
	if (replay != NULL && !replay_name_is_good(str_of(replay)))
		return error_set(error, ERR_USAGE, TEXT_cli_bad_name, replay);
	if (follow || access(path, F_OK) == 0)
		return 0;
	return replay != NULL ? error_set(error, ERR_MISSING, TEXT_cli_no_replay, replay, path)
			      : error_set(error, ERR_MISSING, TEXT_cli_no_store, path);
}

static int alerts_run(struct context *context, const struct arguments *arguments)
{
	struct error error = {0};
	struct query *query = NULL;
	const char *verb = arguments_verb(arguments, "list", &error);
	const char *replay = arguments_get(arguments, "replay");
	const char *path = replay == NULL ? context_store_path(context)
					  : context_replay_path(context, replay);
	bool follow = verb != NULL && strcmp(verb, "follow") == 0;
	int code = verb == NULL ? error.code : check_folder(replay, path, follow, &error);

	if (code == 0 && strcmp(verb, "show") != 0)
		code = arguments_at_most(arguments, 1, &error);
	if (code == 0)
		code = query_open(&query, path, &error);
	if (code == 0 && strcmp(verb, "list") == 0)
		code = alerts_list(context, arguments, query, &error);
	else if (code == 0 && follow)
		code = alerts_follow(context, arguments, query, &error);
	else if (code == 0)
		code = alerts_show(context, arguments, query, &error);
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
    .words_max = ARGUMENTS_MAX,
    .run = alerts_run,
};
