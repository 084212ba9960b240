/*
 * Plain rules are told by the matcher, line by line. Correlations are told by a replay of the same
 * lines, whose events are counted as they come: the counter of an alert's event leads to its line.
 */
#include "cli/trial.h"

#include "base/json.h"
#include "cli/lines.h"
#include "cli/replay.h"
#include "cli/rules.h"
#include "cli/show.h"
#include "correlator/matcher.h"
#include "decoder/decoder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARENA_BYTES    ((size_t)64 << 20)
#define PROGRESS_LINES 65536u

struct place {
	const char *path;
	uint64_t line;
};

struct trial {
	struct trial_options options;
	struct matcher *matcher;
	struct decoding *decoding;
	struct arena *arena; /* of one event */
	struct replay *replay; /* NULL: there are no correlations */
	struct place *places;  /* of the replay's events */
	size_t place_count, place_capacity;
	uint32_t *indexed;     /* what the index found, while the plain scan runs */
	uint64_t *hits;
	struct trial_totals totals;
	const char *path;
	uint64_t line;
	int32_t zone_s;
	off_t done, size;
	bool tty;
};

/* ---- telling ---- */

static void lines_json(struct json *json, const struct trial *trial, const struct alert *alert)
{
	json_key(json, STR("lines"));
	json_open(json, '[');
	for (size_t i = 0; i < alert->event_count; i++) {
		if (alert->events[i].at.counter < trial->place_count)
			json_u64(json, trial->places[alert->events[i].at.counter].line);
	}
	json_close(json, ']');
}

static void hit_json(const struct trial *trial, const struct rule *rule,
    const struct place *place, const struct alert *alert)
{
	struct buf out = BUF(1 << 20);
	struct json json = json_begin(&out);

	json_open(&json, '{');
	json_pair(&json, "file", str_of(place->path));
	json_pair_u64(&json, "line", place->line);
	json_pair(&json, "rule", rule->meta.id);
	json_pair(&json, "title", rule->meta.title);
	json_pair(&json, "level", level_name(rule->meta.level));
	json_pair(&json, "kind", rule->meta.kind);
	if (alert != NULL)
		lines_json(&json, trial, alert);
	json_close(&json, '}');
	buf_char(&out, '\n');
	fwrite(out.ptr, 1, out.len, stdout);
	buf_free(&out);
}

static void hit_tell(struct trial *trial, const struct rule *rule, const struct place *place,
    const struct alert *alert)
{
	if (!trial->options.wanted[rule->index])
		return;
	trial->hits[rule->index]++;
	if (trial->options.json) {
		hit_json(trial, rule, place, alert);
		return;
	}
	print_escaped(stdout, str_of(place->path));
	printf(":%llu: ", (unsigned long long)place->line);
	print_padded(stdout, show_level(rule->meta.level), 14);
	print_escaped(stdout, rules_title(rule));
	if (alert != NULL)
		printf("  (%.*s)", STR_ARG(rule->meta.kind));
	putchar('\n');
}

static void alert_take(void *context, const struct alert *alert)
{
	struct trial *trial = context;
	const struct rule *rule = ruleset_find(trial->options.ruleset, alert->rule.id);

	if (rule != NULL && rule->kind == RULE_CORRELATION && alert->status == ALERT_SETTLED &&
	    alert->at.counter < trial->place_count)
		hit_tell(trial, rule, &trial->places[alert->at.counter], alert);
}

static void difference_tell(struct trial *trial, uint32_t index, bool indexed)
{
	const struct rule *rule = ruleset_rule(trial->options.ruleset, index);

	trial->totals.differences++;
	fprintf(stderr, "tocsin: ");
	print_escaped(stderr, str_of(trial->path));
	fprintf(stderr, ":%llu: ", (unsigned long long)trial->line);
	print_text(stderr, indexed ? TEXT_cli_trial_indexed : TEXT_cli_trial_plain,
	    STR_ARG(rule->meta.id));
	fputc('\n', stderr);
}

/* ---- one line ---- */

static void compare(struct trial *trial, const struct record *record, size_t count)
{
	const uint32_t *plain;
	size_t plain_count = matcher_run_plain(trial->matcher, record, &plain);
	size_t i = 0, k = 0;

	while (i < count || k < plain_count) {
		bool only_index = k == plain_count || (i < count && trial->indexed[i] < plain[k]);
		bool only_plain = i == count || (k < plain_count && plain[k] < trial->indexed[i]);

		if (only_index || only_plain)
			difference_tell(
			    trial, only_index ? trial->indexed[i] : plain[k], only_index);
		i += !only_plain;
		k += !only_index;
	}
}

static void line_match(struct trial *trial, struct str line)
{
	struct event event = {.received_ns = trial->options.received_ns, .zone_s = trial->zone_s,
	    .transport = TRANSPORT_FILE, .sender = STR("replay"), .raw = line};
	struct place place = {trial->path, trial->line};
	struct record record;
	const uint32_t *matches;

	arena_reset(trial->arena);
	decoding_run(trial->decoding, &record, &event, trial->arena);
	size_t count = matcher_run(trial->matcher, &record, &matches);

	trial->totals.lines++;
	trial->totals.matched += count > 0;
	trial->totals.undecoded += str_ends(record.decoders, STR("plain"));
	for (size_t i = 0; i < count; i++)
		hit_tell(trial, ruleset_rule(trial->options.ruleset, matches[i]), &place, NULL);
	if (!trial->options.plain)
		return;
	if (count > 0)
		memcpy(trial->indexed, matches, count * sizeof(*matches));
	compare(trial, &record, count);
}

static bool place_add(struct trial *trial)
{
	if (trial->place_count == trial->place_capacity) {
		size_t want = trial->place_capacity == 0 ? 1024 : trial->place_capacity * 2;
		struct place *grown = realloc(trial->places, want * sizeof(*grown));

		if (grown == NULL)
			return false;
		trial->places = grown;
		trial->place_capacity = want;
	}
	trial->places[trial->place_count++] = (struct place){trial->path, trial->line};
	return true;
}

static void progress(const struct trial *trial)
{
	fputc('\r', stderr);
	print_escaped(stderr, str_of(trial->path));
	fprintf(stderr, ": %llu %s", (unsigned long long)trial->line, text(TEXT_cli_lines));
	if (trial->size > 0)
		fprintf(stderr, ", %d %%  ", (int)(trial->done * 100 / trial->size));
}

static int line_take(void *context, struct str line, bool cut, struct error *error)
{
	struct trial *trial = context;
	int code = 0;

	line_match(trial, line);
	if (trial->replay != NULL && !place_add(trial))
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	if (trial->replay != NULL)
		code = replay_line(
		    trial->replay, line, cut, trial->options.received_ns, error);
	trial->done += (off_t)line.len + 1;
	if (trial->tty && trial->totals.lines % PROGRESS_LINES == 0)
		progress(trial);
	return code < 0 ? code : ferror(stdout) ? 1 : 0;
}

/* ---- files ---- */

/* RFC 1952 section 2.3.1: the two bytes that every gzip file begins with. */
static bool is_compressed(FILE *in)
{
	uint8_t head[2];

	return pread(fileno(in), head, 2, 0) == 2 && head[0] == 0x1f && head[1] == 0x8b;
}

int trial_file(struct trial *trial, const char *path, struct error *error)
{
	size_t limit = (size_t)config_number(
	    trial->options.context->config, CONFIG_COLLECTOR_FRAME_LIMIT);
	bool input = strcmp(path, "-") == 0;
	FILE *in = input ? stdin : fopen(path, "re");
	struct stat about = {0};
	int code;

	if (in == NULL)
		return error_system(error, errno, TEXT_base_open, path);
	fstat(fileno(in), &about);
	trial->path = path;
	trial->size = about.st_size;
	trial->done = 0;
	if (is_compressed(in))
		code = error_set(error, ERR_USAGE, TEXT_cli_trial_compressed, path, path);
	else
		code = lines_numbered(in, path, limit, &trial->line, line_take, trial, error);
	if (trial->tty && trial->totals.lines >= PROGRESS_LINES)
		fprintf(stderr, "\r\033[K");
	if (!input)
		fclose(in);
	return code;
}

/* ---- birth and death ---- */

static bool has_correlations(const struct trial_options *options)
{
	for (uint32_t i = 0; i < ruleset_count(options->ruleset); i++) {
		if (options->wanted[i] &&
		    ruleset_rule(options->ruleset, i)->kind == RULE_CORRELATION)
			return true;
	}
	return false;
}

static int replay_begin(struct trial *trial, struct error *error)
{
	struct replay_options options = {.context = trial->options.context, .name = "rules-test",
	    .ruleset = ruleset_share(trial->options.ruleset), .zone_s = trial->zone_s,
	    .received_ns = trial->options.received_ns, .told = alert_take,
	    .told_context = trial};

	return replay_open(&trial->replay, &options, error);
}

int trial_open(struct trial **ret, const struct trial_options *options, struct error *error)
{
	struct trial *trial = calloc(1, sizeof(*trial));
	size_t count = ruleset_count(options->ruleset) + 1;
	int64_t zone = config_number(options->context->config, CONFIG_SITE_ZONE);
	const struct logsources *sources = NULL;
	int code = context_logsources(options->context, &sources, error);

	if (trial == NULL || code < 0) {
		free(trial);
		return code < 0 ? code : error_set(error, ERR_MEMORY, TEXT_base_memory);
	}
	trial->options = *options;
	trial->zone_s = zone == CONFIG_ZONE_AUTO ? options->context->zone_s : (int32_t)zone;
	trial->tty = isatty(STDERR_FILENO);
	trial->matcher = matcher_new(options->ruleset);
	trial->decoding = decoding_new(sources);
	trial->arena = arena_new(ARENA_BYTES);
	trial->indexed = calloc(count, sizeof(*trial->indexed));
	trial->hits = calloc(count, sizeof(*trial->hits));
	if (trial->matcher == NULL || trial->decoding == NULL || trial->arena == NULL ||
	    trial->indexed == NULL || trial->hits == NULL)
		code = error_set(error, ERR_MEMORY, TEXT_base_memory);
	if (code == 0 && has_correlations(options))
		code = replay_begin(trial, error);
	if (code < 0) {
		trial_close(trial);
		return code;
	}
	*ret = trial;
	return 0;
}

void trial_close(struct trial *trial)
{
	if (trial == NULL)
		return;
	replay_close(trial->replay);
	matcher_free(trial->matcher);
	decoding_free(trial->decoding);
	arena_free(trial->arena);
	free(trial->places);
	free(trial->indexed);
	free(trial->hits);
	free(trial);
}

int trial_finish(struct trial *trial, struct error *error)
{
	return trial->replay == NULL ? 0 : replay_finish(trial->replay, error);
}

void trial_totals(const struct trial *trial, struct trial_totals *ret)
{
	*ret = trial->totals;
}

uint64_t trial_hits(const struct trial *trial, uint32_t rule)
{
	return trial->hits[rule];
}
