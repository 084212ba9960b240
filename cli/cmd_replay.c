#include "cli/command.h"
#include "cli/lines.h"
#include "cli/replay.h"
#include "cli/show.h"

#include "base/clock.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct replaying {
	struct context *context;
	struct replay *replay;
	int64_t received_ns;
	bool tty;
};

static void show_progress(const struct replaying *r, const char *path, off_t done, off_t size)
{
	struct replay_totals totals;

	replay_totals(r->replay, &totals);
	fputc('\r', stderr);
	print_escaped(stderr, str_of(path));
	fprintf(stderr, ": %llu %s, %d %%  ", (unsigned long long)totals.lines,
	    text(TEXT_cli_lines), size > 0 ? (int)(done * 100 / size) : 0);
}

struct streaming {
	struct replaying *r;
	const char *path;
	uint64_t count;
	off_t done, size;
};

static int take_line(void *context, struct str line, bool cut, struct error *error)
{
	struct streaming *streaming = context;
	struct replaying *r = streaming->r;
	int code = replay_line(r->replay, line, cut, r->received_ns, error);

	streaming->done += (off_t)line.len + 1;
	if (r->tty && ++streaming->count % 65536 == 0)
		show_progress(r, streaming->path, streaming->done, streaming->size);
	return code;
}

static int replay_stream(struct replaying *r, FILE *in, const char *path, struct error *error)
{
	size_t limit = (size_t)config_number(r->context->config, CONFIG_COLLECTOR_FRAME_LIMIT);
	struct streaming streaming = {.r = r, .path = path};
	struct stat about = {0};

	fstat(fileno(in), &about);
	streaming.size = about.st_size;
	int code = lines_each(in, path, limit, take_line, &streaming, error);

	if (r->tty && streaming.count >= 65536)
		fprintf(stderr, "\r\033[K");
	return code;
}

static int replay_files(struct replaying *r, const struct arguments *arguments,
    struct error *error)
{
	int code = 0;

	for (size_t i = 0; i < arguments->word_count && code == 0; i++) {
		const char *path = arguments->words[i];
		bool input = strcmp(path, "-") == 0;
		FILE *in = input ? stdin : fopen(path, "re");

		if (in == NULL)
			return error_system(error, errno, TEXT_base_open, path);
		code = replay_stream(r, in, path, error);
		if (!input)
			fclose(in);
	}
	return code < 0 ? code : replay_finish(r->replay, error);
}

static int list_alerts(struct replaying *r, const char *store, const char *name, bool json,
    struct error *error)
{
	struct query_filter filter = {.since_ns = INT64_MIN, .until_ns = INT64_MAX,
	    .level_max = LEVEL_CRITICAL, .replay = str_of(name), .limit = SIZE_MAX};
	struct query *query = NULL;
	struct replay_totals totals;
	size_t shown = 0;
	int code = query_open(&query, store, error);

	if (code == 0)
		code = show_list(r->context, query, &filter, json, &shown, error);
	query_close(query);
	replay_totals(r->replay, &totals);
	fflush(stdout);
	if (code == 0 && !json)
		print_text(stderr, TEXT_cli_replay_done, (unsigned long long)totals.lines, shown,
		    (unsigned long long)totals.undecoded, (unsigned long long)totals.late);
	return code;
}

static int remove_one(const char *path, const struct stat *about, int type, struct FTW *ftw)
{
	(void)about;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* Where the alerts go: beside the live store under the replay's name, or away at the end. */
static int choose_store(struct context *context, const struct arguments *arguments,
    const char *name, char out[4096], struct error *error)
{
	const char *tmp = getenv("TMPDIR");

	if (arguments_has(arguments, "store")) {
		snprintf(out, 4096, "%s", context_replay_path(context, name));
		if (access(out, F_OK) == 0)
			return error_set(error, ERR_USAGE, TEXT_cli_replay_exists, name);
		return 0;
	}
	snprintf(out, 4096, "%s/tocsin-replay-XXXXXX", tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(out) == NULL)
		return error_system(error, errno, TEXT_base_write, out);
	return 0;
}

static int setup(struct replaying *r, const struct arguments *arguments, const char *name,
    const char *store, struct error *error)
{
	const char *received = arguments_get(arguments, "received");
	int64_t zone = config_number(r->context->config, CONFIG_SITE_ZONE);
	struct replay_options options = {.context = r->context, .name = name, .store_path = store,
	    .zone_s = zone == CONFIG_ZONE_AUTO ? r->context->zone_s : (int32_t)zone};

	r->received_ns = clock_wall_ns();
	r->tty = isatty(STDERR_FILENO);
	if (received != NULL &&
	    !parse_time(str_of(received), r->received_ns, options.zone_s, &r->received_ns))
		return error_set(error, ERR_USAGE, TEXT_cli_bad_time, received);
	options.received_ns = r->received_ns;
	int code = context_rules(r->context, NULL, NULL, &options.ruleset, error);

	return code < 0 ? code : replay_open(&r->replay, &options, error);
}

static int replay_run(struct context *context, const struct arguments *arguments)
{
	struct replaying r = {.context = context};
	const char *name = arguments_get(arguments, "name");
	struct error error = {0};
	char store[4096] = "";
	int code = 0;

	if (name == NULL)
		name = "replay";
	if (arguments->word_count == 0)
		code = error_set(&error, ERR_USAGE, TEXT_cli_which_file);
	else if (!replay_name_is_good(str_of(name)))
		code = error_set(&error, ERR_USAGE, TEXT_cli_bad_name, name);
	if (code == 0)
		code = choose_store(context, arguments, name, store, &error);
	if (code == 0)
		code = setup(&r, arguments, name, store, &error);
	if (code == 0)
		code = replay_files(&r, arguments, &error);
	if (code == 0)
		code = list_alerts(&r, store, name, arguments_has(arguments, "json"), &error);
	replay_close(r.replay);
	if (store[0] != '\0' && !arguments_has(arguments, "store"))
		nftw(store, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return code < 0 ? context_fail(&error) : EXIT_OK;
}

const struct command command_replay = {
    .name = "replay",
    .synopsis = "FILE... [--name NAME] [--store] [--received TIME]",
    .summary = TEXT_cli_replay,
    .description = TEXT_cli_replay_about,
    .examples = (const struct example_row[]){
	{"tocsin replay /var/log/auth.log", TEXT_cli_replay_example},
	{"tocsin replay --store --name hunt-2026-11 /srv/archive/web*.log",
	    TEXT_cli_replay_example2},
	{"tocsin alerts --replay hunt-2026-11", TEXT_cli_replay_example3},
	{NULL, TEXT_COUNT}},
    .options = (const struct option_row[]){
	{0, "name", "NAME", TEXT_cli_opt_name},
	{0, "store", NULL, TEXT_cli_opt_store},
	{0, "received", "TIME", TEXT_cli_opt_received},
	{'j', "json", NULL, TEXT_cli_opt_json},
	{0, NULL, NULL, TEXT_COUNT}},
    .words_max = ARGUMENTS_MAX,
    .run = replay_run,
};
