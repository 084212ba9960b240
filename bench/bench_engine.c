/* bench: correlator
 * The engine alone as a process: rules and a file of JSON lines in, exact hits out as JSON lines.
 *
 *   bench_engine RULES FILE [decode|plain|fields]
 *
 * What it calls is what the stage detect calls: correlator/flight.h. bench/engine.py runs it beside
 * its peer and compares the hits; tools that count instructions look at engine_run.
 * decode leaves out the matching, plain tries every rule, fields writes what was decoded, flat, for
 * a peer that cannot decode it. Without arguments it does nothing.
 */
#include "bench/bench.h"

#include "base/heap.h"
#include "base/json.h"
#include "correlator/flight.h"
#include "correlator/warming.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum mode { MODE_MATCH, MODE_PLAIN, MODE_DECODE, MODE_FIELDS };

struct engine {
	struct ruleset *ruleset;
	struct matcher *matcher;
	struct logsources *logsources;
	struct decoding *decoding;
	struct flight *flight;
	struct buf out;
	enum mode mode;
	uint64_t events, hits;
};

static struct str file_map(const char *path)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0 && fstat(fd, &status) == 0);
	if (status.st_size == 0)
		return STR_NONE;
	/* All at once: a fault for every few pages costs more. */
	void *text = mmap(NULL, (size_t)status.st_size, PROT_READ,
	    MAP_PRIVATE | MAP_POPULATE, fd, 0);

	CHECK(text != MAP_FAILED && close(fd) == 0);
	return str_from(text, (size_t)status.st_size);
}

static void hits_write(struct engine *engine, const uint32_t *rules, size_t count)
{
	engine->hits += count;
	for (size_t i = 0; i < count; i++) {
		buf_printf(&engine->out, "{\"line\":%lu,\"rule\":\"", engine->events);
		buf_str_put(&engine->out, ruleset_rule(engine->ruleset, rules[i])->meta.id);
		buf_str_put(&engine->out, STR("\"}\n"));
	}
}

/* 007 is a number to us, and not in JSON. */
static bool is_json(const struct field *field)
{
	int64_t value;

	if (field->kind != FIELD_NUMBER)
		return field->kind != FIELD_STRING;
	return str_to_i64(field->value, &value) && field->value.ptr[0] >= '1';
}

/* One value a name; the log source beside them, its closest category. */
static void fields_write(struct engine *engine, const struct record *record)
{
	struct json json = json_begin(&engine->out);

	json_open(&json, '{');
	for (size_t i = 0; i < record->field_count; i++) {
		const struct field *field = &record->fields[i];

		if (record_find(record, field->name) != field)
			continue;
		json_key(&json, field->name);
		if (is_json(field))
			json_raw(&json, field->value);
		else
			json_str(&json, field->value);
	}
	json_pair(&json, "log_product", record->product);
	json_pair(&json, "log_service", record->service);
	json_pair(&json, "log_category",
	    record->category_count > 0 ? record->categories[record->category_count - 1] : STR_NONE);
	json_close(&json, '}');
	buf_char(&engine->out, '\n');
}

static void engine_write(struct engine *engine)
{
	CHECK(!engine->out.failed &&
	    fwrite(engine->out.len == 0 ? "" : engine->out.ptr, 1, engine->out.len, stdout) ==
		engine->out.len);
	buf_clear(&engine->out);
}

static int engine_land(void *context, const struct flown *flown)
{
	struct engine *engine = context;
	const uint32_t *rules = flown->matches;
	size_t count = flown->match_count;

	engine->events++;
	if (engine->mode == MODE_FIELDS)
		fields_write(engine, flown->record);
	if (engine->mode == MODE_PLAIN)
		count = matcher_run_plain(engine->matcher, flown->record, &rules);
	if (count > 0)
		hits_write(engine, rules, count);
	return 0;
}

static void engine_fly(struct engine *engine)
{
	CHECK(flight_run(engine->flight, engine->mode == MODE_MATCH ? engine->matcher : NULL,
		  engine_land, engine) == 0);
	if (engine->out.len > 60000)
		engine_write(engine);
}

__attribute__((noinline)) static void engine_run(struct engine *engine, struct str text)
{
	struct position position = {0};
	struct str line;

	while (str_cut(&text, '\n', &line)) {
		if (line.len == 0)
			continue;
		*flight_seat(engine->flight) = bench_event(line, position.offset++);
		if (flight_add(engine->flight, &position))
			engine_fly(engine);
	}
	engine_fly(engine);
	engine_write(engine);
}

static void engine_load(struct engine *engine, const char *rules)
{
	struct ruleset_options options = {.paths = &rules, .path_count = 1};
	struct error error = {0};

	bench_must(ruleset_load(&engine->ruleset, &options, &error), &error);
	engine->matcher = matcher_new(engine->ruleset);
	bench_must(logsources_load(&engine->logsources, "bench/logsources.yml", &error), &error);
	engine->decoding = decoding_new(engine->logsources);
	engine->flight = flight_new(engine->decoding, 64u << 20);
	engine->out = BUF(16u << 20);
	CHECK(engine->matcher != NULL && warming_run(engine->matcher, engine->ruleset) &&
	    engine->decoding != NULL && engine->flight != NULL);
}

static void engine_report(const struct engine *engine, int64_t load_ns, int64_t run_ns)
{
	struct matcher_stats stats;

	matcher_stats(engine->matcher, &stats);
	fprintf(stderr,
	    "%zu rules in %.2f s of CPU; %lu events, %.0f events per CPU-second, %lu hits, "
	    "%.2f candidates and %.1f predicates an event, %lu KiB of tables in %lu indexes\n",
	    ruleset_count(engine->ruleset), (double)load_ns / 1e9, engine->events,
	    (double)engine->events * 1e9 / (double)(run_ns + 1), engine->hits,
	    (double)stats.candidates / (double)(engine->events + 1),
	    (double)stats.predicates / (double)(engine->events + 1), stats.table_bytes >> 10,
	    stats.indexes_made);
}

int main(int argc, char **argv)
{
	static const char *const modes[] = {"match", "plain", "decode", "fields"};
	struct engine engine = {.mode = MODE_MATCH};

	if (argc < 3)
		return 0;
	for (unsigned i = 0; argc > 3 && i < 4; i++)
		if (strcmp(argv[3], modes[i]) == 0)
			engine.mode = (enum mode)i;
	heap_keep(); /* as tocsin correlate does */
	int64_t begin = clock_cpu_ns();
	engine_load(&engine, argv[1]);
	int64_t loaded = clock_cpu_ns();
	engine_run(&engine, file_map(argv[2]));
	CHECK(fflush(stdout) == 0);
	engine_report(&engine, loaded - begin, clock_cpu_ns() - loaded);
	buf_free(&engine.out);
	flight_free(engine.flight);
	decoding_free(engine.decoding);
	logsources_free(engine.logsources);
	matcher_free(engine.matcher);
	ruleset_free(engine.ruleset);
	return 0;
}
