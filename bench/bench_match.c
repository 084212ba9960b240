/*
 * Matching, from raw bytes to exact hits: decoding_run and matcher_run, one event after the other.
 * Our own rules over a mix of syslog of our own making, and all rules of SigmaHQ's `rules` over the
 * two corpora, where they are there (TOCSIN_CORPORA). Events that are not from Windows say
 * themselves what they are, which bench/logsources.yml has read.
 */
#include "bench/lines.h"

#include "correlator/matcher.h"
#include "decoder/decoder.h"

#define CORPUS_BYTES (512u << 20)

struct matching {
	struct lines lines;
	struct logsources *logsources;
	struct decoding *decoding;
	struct matcher *matcher;
	struct arena *arena;
	uint64_t matches;
};

static void decode_one(struct matching *m, size_t i, struct record *record)
{
	arena_reset(m->arena);
	decoding_run(m->decoding, record, &m->lines.events[i], m->arena);
}

static size_t decode_all(void *context)
{
	struct matching *m = context;
	struct record record;

	for (size_t i = 0; i < m->lines.count; i++)
		decode_one(m, i, &record);
	return m->lines.count;
}

static size_t match_all(void *context)
{
	struct matching *m = context;
	struct record record;
	const uint32_t *rules;

	m->matches = 0;
	for (size_t i = 0; i < m->lines.count; i++) {
		decode_one(m, i, &record);
		m->matches += matcher_run(m->matcher, &record, &rules);
	}
	return m->lines.count;
}

/* ---- the corpora ---- */

static const char *corpora(void)
{
	const char *path = getenv("TOCSIN_CORPORA");

	return path != NULL && path[0] != '\0' ? path : "../shared/corpora";
}

static bool is_there(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", corpora(), name);
	return access(path, R_OK) == 0;
}

static struct str unpack(struct arena *arena, const char *name)
{
	char command[600];

	snprintf(command, sizeof(command), "gzip -dc '%s/%s'", corpora(), name);
	FILE *in = popen(command, "r");
	char *text = arena_alloc(arena, CORPUS_BYTES);

	CHECK(in != NULL && text != NULL);
	size_t len = fread(text, 1, CORPUS_BYTES, in);
	CHECK(pclose(in) == 0 && len < CORPUS_BYTES);
	return str_from(text, len);
}

static void corpus_load(struct matching *m, const char *name)
{
	m->lines = (struct lines){.arena = arena_new(CORPUS_BYTES + (64u << 20))};
	CHECK(m->lines.arena != NULL);
	struct str text = unpack(m->lines.arena, name), line;

	m->lines.events = arena_array(m->lines.arena, 100000, sizeof(*m->lines.events));
	CHECK(m->lines.events != NULL);
	while (str_cut(&text, '\n', &line) && m->lines.count < 100000) {
		if (line.len == 0)
			continue;
		m->lines.events[m->lines.count] = bench_event(line, m->lines.count);
		m->lines.count++;
	}
}

/* ---- figures ---- */

static void match_print(struct matching *m, const char *name, size_t rounds)
{
	char full[96], extra[160];
	struct matcher_stats before, after;
	uint64_t events;

	snprintf(full, sizeof(full), "decode %s", name);
	bench_print(full, bench_measure(decode_all, m, rounds, 1), "");
	matcher_stats(m->matcher, &before);
	struct bench_figure figure = bench_measure(match_all, m, rounds, 1);
	matcher_stats(m->matcher, &after);
	events = after.events - before.events;
	CHECK(events > 0);
	snprintf(extra, sizeof(extra),
	    ",\"matches_per_1000\":%.2f,\"candidates_per_event\":%.2f,"
	    "\"predicates_per_event\":%.2f",
	    1000.0 * (double)m->matches / (double)m->lines.count,
	    (double)(after.candidates - before.candidates) / (double)events,
	    (double)(after.predicates - before.predicates) / (double)events);
	snprintf(full, sizeof(full), "decode and match %s", name);
	bench_print(full, figure, extra);
}

static struct ruleset *rules_load(const char *path)
{
	struct ruleset *ruleset = NULL;
	struct ruleset_options options = {.paths = &path, .path_count = 1};
	struct error error = {0};
	int64_t begin = clock_cpu_ns();

	bench_must(ruleset_load(&ruleset, &options, &error), &error);
	fprintf(stderr, "%s: %zu rules, %zu refused, %.2f s of CPU to load\n", path,
	    ruleset_count(ruleset), ruleset_refused(ruleset),
	    (double)(clock_cpu_ns() - begin) / 1e9);
	return ruleset;
}

static void matching_begin(struct matching *m, const struct ruleset *ruleset)
{
	struct error error = {0};

	bench_must(logsources_load(&m->logsources, "bench/logsources.yml", &error), &error);
	m->arena = arena_new(8u << 20);
	m->matcher = matcher_new(ruleset);
	m->decoding = decoding_new(m->logsources);
	CHECK(m->arena != NULL && m->matcher != NULL && m->decoding != NULL);
}

static void matching_free(struct matching *m)
{
	matcher_free(m->matcher);
	arena_free(m->arena);
	lines_free(&m->lines);
	decoding_free(m->decoding);
	logsources_free(m->logsources);
}

static void own_rules(void)
{
	struct ruleset *ruleset = rules_load("rules");
	struct matching m = {.lines = lines_make(line_mixed, 20000)};

	matching_begin(&m, ruleset);
	match_print(&m, "mixed syslog, our rules", 7);
	matching_free(&m);
	ruleset_free(ruleset);
}

static void corpus_rules(const struct ruleset *ruleset, const char *file, const char *name)
{
	struct matching m = {0};

	matching_begin(&m, ruleset);
	if (!is_there(file)) {
		bench_skip(name, "the corpus is not there: TOCSIN_CORPORA");
	} else {
		corpus_load(&m, file);
		match_print(&m, name, 5);
	}
	matching_free(&m);
}

int main(void)
{
	char folder[256], command[900], rules[300];

	own_rules();
	if (!is_there("sigmahq-rules.tar.gz")) {
		bench_skip(
		    "decode and match corpora, SigmaHQ", "the rules are not there: TOCSIN_CORPORA");
		return 0;
	}
	bench_folder(folder);
	snprintf(command, sizeof(command), "tar -xzf '%s/sigmahq-rules.tar.gz' -C '%s'", corpora(),
	    folder);
	CHECK(system(command) == 0);
	snprintf(rules, sizeof(rules), "%s/rules", folder);
	struct ruleset *ruleset = rules_load(rules);
	corpus_rules(ruleset, "mixed-events-bench.ndjson.gz", "mixed corpus, SigmaHQ");
	corpus_rules(ruleset, "windows-events-bench.ndjson.gz", "Windows corpus, SigmaHQ");
	ruleset_free(ruleset);
	bench_forget(folder);
	return 0;
}
