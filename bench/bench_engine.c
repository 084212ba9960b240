/*
 * The engine alone as a process: rules and a file of JSON lines in, exact hits out as JSON lines.
 *
 *   bench_engine RULES FILE [decode|plain]
 *
 * What it calls is what the stage detect calls: decoder_run and matcher_run. bench/engine.py runs it
 * beside its peer and compares the hits; tools that count instructions look at engine_run. Without
 * arguments it does nothing.
 */
#include "bench/bench.h"

#include "bench/source.h"
#include "correlator/matcher.h"
#include "decoder/decoder.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct engine {
	struct ruleset *ruleset;
	struct matcher *matcher;
	struct arena *arena;
	struct buf out;
	bool match, plain;
	uint64_t events, hits;
};

static struct str file_map(const char *path)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0 && fstat(fd, &status) == 0);
	if (status.st_size == 0)
		return STR_NONE;
	void *text = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);

	CHECK(text != MAP_FAILED && close(fd) == 0);
	return str_from(text, (size_t)status.st_size);
}

static void hits_write(struct engine *engine, const uint32_t *rules, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		buf_printf(&engine->out, "{\"line\":%lu,\"rule\":\"", engine->events);
		buf_str_put(&engine->out, ruleset_rule(engine->ruleset, rules[i])->meta.id);
		buf_str_put(&engine->out, STR("\"}\n"));
	}
	if (engine->out.len > 60000) {
		CHECK(fwrite(engine->out.ptr, 1, engine->out.len, stdout) == engine->out.len);
		buf_clear(&engine->out);
	}
}

static void engine_line(struct engine *engine, struct str line)
{
	struct event event = bench_event(line, engine->events);
	struct record record;
	const uint32_t *rules;

	engine->events++;
	arena_reset(engine->arena);
	decoder_run(&record, &event, engine->arena);
	source_told(&record, source_of(line));
	if (!engine->match)
		return;
	size_t count = (engine->plain ? matcher_run_plain : matcher_run)(
	    engine->matcher, &record, &rules);

	engine->hits += count;
	if (count > 0)
		hits_write(engine, rules, count);
}

__attribute__((noinline)) static void engine_run(struct engine *engine, struct str text)
{
	struct str line;

	while (str_cut(&text, '\n', &line))
		if (line.len > 0)
			engine_line(engine, line);
}

static void engine_load(struct engine *engine, const char *rules)
{
	struct ruleset_options options = {.paths = &rules, .path_count = 1};
	struct error error = {0};

	bench_must(ruleset_load(&engine->ruleset, &options, &error), &error);
	engine->matcher = matcher_new(engine->ruleset);
	engine->arena = arena_new(64u << 20);
	engine->out = BUF(1u << 20);
	CHECK(engine->matcher != NULL && engine->arena != NULL);
}

static void engine_report(const struct engine *engine, int64_t load_ns, int64_t run_ns)
{
	struct matcher_stats stats;

	matcher_stats(engine->matcher, &stats);
	fprintf(stderr,
	    "%zu rules in %.2f s of CPU; %lu events, %.0f events per CPU-second, %lu hits, "
	    "%.2f candidates and %.1f predicates an event\n",
	    ruleset_count(engine->ruleset), (double)load_ns / 1e9, engine->events,
	    (double)engine->events * 1e9 / (double)(run_ns + 1), engine->hits,
	    (double)stats.candidates / (double)(engine->events + 1),
	    (double)stats.predicates / (double)(engine->events + 1));
}

int main(int argc, char **argv)
{
	struct engine engine = {.match = true};
	const char *mode = argc > 3 ? argv[3] : "";

	if (argc < 3)
		return 0;
	engine.match = strcmp(mode, "decode") != 0;
	engine.plain = strcmp(mode, "plain") == 0;
	int64_t begin = clock_cpu_ns();
	engine_load(&engine, argv[1]);
	int64_t loaded = clock_cpu_ns();
	engine_run(&engine, file_map(argv[2]));
	fwrite(engine.out.ptr == NULL ? "" : engine.out.ptr, 1, engine.out.len, stdout);
	CHECK(fflush(stdout) == 0);
	engine_report(&engine, loaded - begin, clock_cpu_ns() - loaded);
	buf_free(&engine.out);
	arena_free(engine.arena);
	matcher_free(engine.matcher);
	ruleset_free(engine.ruleset);
	return 0;
}
