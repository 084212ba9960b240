/*
 * status: what a monitor asks. Exit codes are those of monitoring plugins: 0 OK, 1 warning, 2
 * critical, 3 unknown. Each check is a row of a table; the worst one decides.
 */
#include "cli/command.h"
#include "cli/gather.h"

#include "base/clock.h"
#include "net/control.h"

#include <jansson.h>
#include <string.h>
#include <sys/statvfs.h>

/* A restart is told for so long. */
#define RECENT_S     600
#define DISK_PERCENT 3

enum health { HEALTH_OK, HEALTH_WARNING, HEALTH_CRITICAL, HEALTH_UNKNOWN };

struct check {
	const char *stage;    /* prefix of the stage's name */
	const char *key;      /* in its details */
	uint64_t above;       /* worse when the value is above */
	enum health health;
	enum text_id what;    /* takes the value */
};

static const struct check checks[] = {
    {"collect", "kernel_drops", 0, HEALTH_WARNING, TEXT_cli_check_drops},
    {"collect", "refused_busy", 0, HEALTH_WARNING, TEXT_cli_check_refused},
    {"collect", "refused_large", 0, HEALTH_WARNING, TEXT_cli_check_large},
    {"collect", "refused_connections", 0, HEALTH_WARNING, TEXT_cli_check_connections},
    {"collect", "truncated", 0, HEALTH_WARNING, TEXT_cli_check_cut},
    {"collect", "bad_frames", 0, HEALTH_WARNING, TEXT_cli_check_frames},
    {"collect", "spooling", 0, HEALTH_WARNING, TEXT_cli_check_spooling},
    {"collect", "spool_dropped", 0, HEALTH_WARNING, TEXT_cli_check_spool_dropped},
    {"correlate", "rules_refused", 0, HEALTH_WARNING, TEXT_cli_check_rules},
    {"correlate", "reload_failed", 0, HEALTH_WARNING, TEXT_cli_check_reload},
    {"correlate", "rules_kept_damaged", 0, HEALTH_WARNING, TEXT_cli_check_kept},
    {"correlate", "gaps", 0, HEALTH_WARNING, TEXT_cli_check_gaps},
    {"correlate", "evicted", 0, HEALTH_WARNING, TEXT_cli_check_evicted},
    {"correlate", "forgotten", 0, HEALTH_WARNING, TEXT_cli_check_forgotten},
    {"correlate", "cut", 0, HEALTH_WARNING, TEXT_cli_check_groups_full},
    {"correlate", "pending_dropped", 0, HEALTH_WARNING, TEXT_cli_check_pending},
    {"correlate", "late", 0, HEALTH_WARNING, TEXT_cli_check_late},
    {"correlate", "foreign", 0, HEALTH_WARNING, TEXT_cli_check_foreign},
    {"correlate", "damaged", 0, HEALTH_WARNING, TEXT_cli_check_damaged},
    {"store", "evidence_missing", 0, HEALTH_WARNING, TEXT_cli_check_evidence},
    {"store", "gaps", 0, HEALTH_WARNING, TEXT_cli_check_gaps},
    {"store", "unknown", 0, HEALTH_WARNING, TEXT_cli_check_foreign},
    {"store", "damaged", 0, HEALTH_WARNING, TEXT_cli_check_damaged},
};

struct report {
	enum health health;
	struct buf words;   /* "; " between */
	json_t *stages;
};

static void worsen(struct report *report, enum health health)
{
	if (health > report->health)
		report->health = health;
	if (report->words.len > 0)
		buf_str_put(&report->words, STR("; "));
}

static void run_checks(struct report *report, const char *stage, const json_t *details)
{
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		const struct check *check = &checks[i];
		json_int_t value = json_integer_value(json_object_get(details, check->key));

		if (strncmp(stage, check->stage, strlen(check->stage)) != 0 || value < 0 ||
		    (uint64_t)value <= check->above)
			continue;
		worsen(report, check->health);
		buf_printf(&report->words, "%s: ", stage);
		put_text(&report->words, check->what, (unsigned long long)value);
	}
}

static void look_at(struct report *report, const struct gathered *stage)
{
	json_t *answer = stage->failed ? NULL
				       : json_loadb(stage->answer.ptr, stage->answer.len, 0, NULL);
	const char *state = json_string_value(json_object_get(answer, "state"));
	char name[64];

	snprintf(name, sizeof(name), "%.*s", STR_ARG(stage->stage));
	if (answer == NULL) {
		worsen(report, HEALTH_CRITICAL);
		put_text(&report->words, TEXT_cli_check_silent, name);
		return;
	}
	if (state != NULL && strcmp(state, "running") != 0) {
		worsen(report, HEALTH_CRITICAL);
		put_text(&report->words,
		    strcmp(state, "disk-full") == 0 ? TEXT_cli_check_full : TEXT_cli_check_bus,
		    name);
	}
	run_checks(report, name, json_object_get(answer, "details"));
	json_array_append_new(report->stages, answer);
}

static size_t have(const struct gathered *found, size_t count, struct str name)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		n += str_starts(found[i].stage, name);
	return n;
}

/* What the supervisor knows and no stage tells: that one died and was started again lately. */
static void check_restarts(struct report *report, struct context *context)
{
	struct buf answer = BUF(1u << 20);
	struct error ignored = {0};
	int code = control_ask(context_run_path(context, "tocsin.sock"), STR("status"),
	    3 * NS_PER_S, &answer, &ignored);
	json_t *all = code < 0 ? NULL : json_loadb(answer.ptr, answer.len, 0, NULL), *child;
	size_t i;

	json_array_foreach(json_object_get(all, "details"), i, child)
	{
		json_int_t up_s = json_integer_value(json_object_get(child, "up_s"));
		json_int_t restarts = json_integer_value(json_object_get(child, "restarts"));
		const char *name = json_string_value(json_object_get(child, "stage"));
		char ago[32];

		if (restarts <= 0 || up_s > RECENT_S || name == NULL)
			continue;
		format_duration(up_s * NS_PER_S, ago);
		worsen(report, HEALTH_WARNING);
		put_text(&report->words, TEXT_cli_check_restarts, name,
		    (unsigned long long)restarts, ago);
	}
	json_decref(all);
	buf_free(&answer);
}

static void check_disk(struct report *report, struct context *context)
{
	const char *path = context_data_path(context, NULL);
	struct statvfs about;

	if (statvfs(path, &about) < 0 || about.f_blocks == 0)
		return;
	uint64_t percent = (uint64_t)about.f_bavail * 100 / (uint64_t)about.f_blocks;

	if (percent >= DISK_PERCENT)
		return;
	worsen(report, HEALTH_WARNING);
	put_text(&report->words, TEXT_cli_check_disk, path, (unsigned long long)percent);
}

/* With Kafka the stages may run on other machines; the local bus has all of them here. */
static void check_presence(struct report *report, const struct context *context,
    const struct gathered *found, size_t count)
{
	static const char *const needed[] = {"collect", "correlate", "store"};
	uint64_t workers = (uint64_t)config_number(context->config, CONFIG_CORRELATE_WORKERS);
	size_t running = have(found, count, STR("correlate"));

	for (size_t i = 0; i < 3; i++) {
		if (have(found, count, str_of(needed[i])) > 0)
			continue;
		worsen(report, HEALTH_CRITICAL);
		put_text(&report->words, TEXT_cli_check_absent, needed[i]);
	}
	if (running > 0 && running < workers) {
		worsen(report, HEALTH_CRITICAL);
		put_text(&report->words, TEXT_cli_check_workers, (unsigned long long)running,
		    (unsigned long long)workers);
	}
}

static const char *state_text(const char *state)
{
	if (state == NULL || strcmp(state, "running") == 0)
		return text(TEXT_cli_state_running);
	return text(
	    strcmp(state, "disk-full") == 0 ? TEXT_cli_state_full : TEXT_cli_state_waiting);
}

static uint64_t number_of(const json_t *details, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(details, key));

	return value < 0 ? 0 : (uint64_t)value;
}

static void print_spool(const json_t *details)
{
	struct buf line = BUF(1024);
	char age[32];

	if (number_of(details, "spool_records") == 0)
		return;
	format_duration((int64_t)number_of(details, "spool_age_ns"), age);
	put_text(&line, TEXT_cli_status_spool,
	    (unsigned long long)number_of(details, "spool_records"),
	    (unsigned long long)number_of(details, "spool_bytes") >> 10, age,
	    (unsigned long long)number_of(details, "spool_drain_rate") >> 10);
	printf("    %.*s\n", STR_ARG(buf_str(&line)));
	buf_free(&line);
}

static void print_stages(const json_t *stages)
{
	size_t i;
	json_t *stage;

	json_array_foreach(stages, i, stage)
	{
		char up[32];
		int64_t started = json_integer_value(json_object_get(stage, "started_ns"));

		format_duration(clock_wall_ns() - started, up);
		printf("  %-14s pid %-8lld %-10s %6lld MB  %s\n",
		    json_string_value(json_object_get(stage, "stage")),
		    json_integer_value(json_object_get(stage, "pid")), up,
		    json_integer_value(json_object_get(stage, "resident_bytes")) >> 20,
		    state_text(json_string_value(json_object_get(stage, "state"))));
		print_spool(json_object_get(stage, "details"));
	}
}

static void print_report(struct report *report, bool json)
{
	static const char *const names[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};
	struct str words = buf_str(&report->words);

	if (json) {
		json_t *all = json_pack("{s:s, s:s%, s:O}", "health", names[report->health], "text",
		    words.ptr == NULL ? "" : words.ptr, words.len, "stages", report->stages);

		if (all != NULL)
			json_dumpf(all, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(all);
		return;
	}
	printf("%s: %.*s\n", names[report->health],
	    words.len > 0 ? (int)words.len : (int)strlen(text(TEXT_cli_all_well)),
	    words.len > 0 ? words.ptr : text(TEXT_cli_all_well));
	print_stages(report->stages);
}

static int status_run(struct context *context, const struct arguments *arguments)
{
	struct report report = {.words = BUF(65536), .stages = json_array()};
	struct gathered found[GATHER_MAX];
	struct error error = {0};
	size_t count = 0;
	int code = gather(context, STR("status"), found, &count, &error);

	if (code < 0) {
		context_fail(&error);
		return HEALTH_UNKNOWN;
	}
	for (size_t i = 0; i < count; i++)
		look_at(&report, &found[i]);
	if (count == 0) {
		worsen(&report, HEALTH_CRITICAL);
		put_text(&report.words, TEXT_cli_not_running, context_run_path(context, NULL));
	}
	if (count > 0 && config_number(context->config, CONFIG_BUS_BACKEND) == 0)
		check_presence(&report, context, found, count);
	check_restarts(&report, context);
	check_disk(&report, context);
	print_report(&report, arguments_has(arguments, "json"));
	json_decref(report.stages);
	buf_free(&report.words);
	return (int)report.health;
}

const struct command command_status = {
    .name = "status",
    .synopsis = "[--json]",
    .summary = TEXT_cli_status,
    .description = TEXT_cli_status_about,
    .examples = (const struct example_row[]){
	{"tocsin status || mail -s 'Tocsin' soc@example.org < /dev/null", TEXT_cli_status_example},
	{NULL, TEXT_COUNT}},
    .options = (const struct option_row[]){
	{'j', "json", NULL, TEXT_cli_opt_json}, {0, NULL, NULL, TEXT_COUNT}},
    .run = status_run,
};
