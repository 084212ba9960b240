/* bench: correlator
 * The whole of a detection, from the bytes of its record to the windows of both machines: a million
 * groups, in polls of 512 that are taken in groups as the worker does, and one record at a time.
 * The watermark follows 8,192 detections behind. Hardly any alert is made: alerts have figures of
 * their own.
 */
#include "bench/bench.h"

#include <inttypes.h>

#include "correlator/correlate.h"
#include "event/detection.h"

#define KEYS    1000000u
#define POLL    512u
#define BEHIND  8192u
#define ROUND   (POLL * 256u)        /* detections */
#define FILL    (8u * KEYS / ROUND)  /* rounds before those that count */
#define ROUNDS  9u
#define STEP_NS 1000                 /* between two detections */

#define BASE(id) "title: " id "\nid: " id "\nlogsource: {definition: any}\n"                       \
	"detection: {s: {act: " id "}, condition: s}\n---\n"
/* Six detections a group and timespan. */
#define COUNTING(type, rules, condition) BASE("a") BASE("b") BASE("c")                             \
	"title: counts\nid: counts\ncorrelation:\n    type: " type "\n    rules: " rules           \
	"\n    group-by: [src_ip, host]\n    timespan: 6s\n" condition

struct line {
	struct ruleset *ruleset;
	struct correlate *correlate;
	struct correlate_group *group;
	struct worker_stats stats;
	struct arena *arena;
	struct batch batch;
	struct buf bytes;
	struct str records[ROUND + ROUND / POLL];
	size_t count;
	uint64_t number;
	bool values, steps;
	bool grouped;
};

static const struct alert_site site = {.key = {1, 2}};
static void put_detection(struct line *line)
{
	char host[32], value[16];
	uint64_t drawn = bench_random();
	unsigned key = (unsigned)(drawn % KEYS);

	snprintf(host, sizeof(host), "langson%07u.example.vn", key);
	snprintf(value, sizeof(value), "u%u", (unsigned)(drawn >> 40) % 30);
	line->number++;
	struct detection detection = {.correlation = STR("counts"),
	    .rule = line->steps && drawn >> 63 ? STR("b") : STR("a"),
	    .groups = {STR("203.0.113.101"), str_of(host)}, .group_count = 2,
	    .values = {str_of(value)}, .value_count = line->values,
	    .time_ns = BENCH_NOW + (int64_t)line->number * STEP_NS,
	    .received_ns = BENCH_NOW + (int64_t)line->number * STEP_NS,
	    .at = {0xc0ffee, 7, line->number},
	    .position = {0, line->number / 100, (uint32_t)(line->number % 100)},
	    .agency = STR("langson"), .host = STR("web01")};

	detection_write(&line->bytes, &detection);
}

static void put_progress(struct line *line)
{
	struct progress progress = {.topic = TOPIC_EVENTS, .partitions = 1,
	    .time_ns = BENCH_NOW + ((int64_t)line->number - BEHIND) * STEP_NS,
	    .offset = line->number / 100};

	progress_write(&line->bytes, &progress, 1);
}

/* The records of a round, the last of each poll tells how far time has come. Not measured. */
static void line_write(struct line *line)
{
	static size_t ends[ROUND + ROUND / POLL];
	size_t begin = 0;

	buf_clear(&line->bytes);
	line->count = 0;
	for (size_t i = 0; i < ROUND; i++) {
		put_detection(line);
		ends[line->count++] = line->bytes.len;
		if (i % (POLL - 1) != POLL - 2)
			continue;
		put_progress(line);
		ends[line->count++] = line->bytes.len;
	}
	CHECK(!line->bytes.failed);
	for (size_t i = 0; i < line->count; begin = ends[i++])
		line->records[i] = str_from(line->bytes.ptr + begin, ends[i] - begin);
}

static void poll_take(struct line *line, const struct str *records, size_t count)
{
	struct correlate_given given[CORRELATE_GROUP];

	for (size_t i = 0; i < count; i++) {
		size_t size = 0;

		for (size_t n = i; i % CORRELATE_GROUP == 0 && n < count && size < CORRELATE_GROUP;)
			given[size++] = (struct correlate_given){line->correlate, records[n++]};
		if (size > 0)
			correlate_group_read(line->group, given, size);
		CHECK(correlate_take(line->group, i % CORRELATE_GROUP, &line->batch, false,
		    NULL) == 0);
	}
}

static void line_take(struct line *line)
{
	for (size_t from = 0; from < line->count; from += POLL) {
		size_t count = line->count - from < POLL ? line->count - from : POLL;

		if (line->grouped)
			poll_take(line, line->records + from, count);
		for (size_t i = from; !line->grouped && i < from + count; i++)
			CHECK(correlate_record(line->correlate, line->records[i], &line->batch,
			    false, NULL) == 0);
		arena_reset(line->arena);
		batch_begin(&line->batch, line->arena, 0);
	}
}

static struct bench_figure line_measure(struct line *line)
{
	double cost[ROUNDS];

	for (size_t i = 0; i < ROUNDS; i++) {
		line_write(line);
		int64_t begin = clock_cpu_ns();

		line_take(line);
		cost[i] = (double)(clock_cpu_ns() - begin) / ROUND;
	}
	qsort(cost, ROUNDS, sizeof(cost[0]), bench_by_size);
	return (struct bench_figure){cost[ROUNDS / 2], cost[0], cost[ROUNDS - 1], ROUND};
}

static void line_open(struct line *line, const char *rules)
{
	struct ruleset_options options = {.memory = (size_t)16 << 20};
	struct error error = {0};

	*line = (struct line){.arena = arena_new((size_t)1 << 30), .bytes = BUF(256u << 20),
	    .group = correlate_group_new(), .batch = {.partitions = {1, 1, 1}}};
	bench_must(ruleset_load_text(&line->ruleset, str_of(rules), "bench.yml", &options, &error),
	    &error);
	line->correlate = correlate_new(&(struct correlate_options){.ruleset = line->ruleset,
	    .site = &site, .sources = 1, .groups_max = 2 * KEYS, .pending_max = KEYS,
	    .memory_max = 1, .stats = &line->stats});
	CHECK(line->arena != NULL && line->group != NULL && line->correlate != NULL);
	batch_begin(&line->batch, line->arena, 0);
}

static void line_close(struct line *line)
{
	correlate_group_free(line->group);
	correlate_free(line->correlate);
	ruleset_free(line->ruleset);
	arena_free(line->arena);
	buf_free(&line->bytes);
}

static void measure(const char *name, const char *rules, bool values, bool steps)
{
	static struct line line;
	struct worker_stats stats;
	char full[96], extra[96];

	line_open(&line, rules);
	line.values = values;
	line.steps = steps;
	line.grouped = true;
	for (unsigned i = 0; i < FILL; i++) {
		line_write(&line);
		line_take(&line);
	}
	struct bench_figure grouped = line_measure(&line);

	line.grouped = false;
	struct bench_figure singly = line_measure(&line);

	stats = line.stats;
	correlate_count(line.correlate, &stats);
	CHECK(stats.damaged + stats.unknown + stats.late + stats.evicted == 0);
	snprintf(extra, sizeof(extra), ",\"live\":%" PRIu64 ",\"alerts\":%" PRIu64,
	    stats.groups, stats.alerts_early);
	snprintf(full, sizeof(full), "detection %s, in groups", name);
	bench_print(full, grouped, extra);
	snprintf(full, sizeof(full), "detection %s, one at a time", name);
	bench_print(full, singly, "");
	line_close(&line);
}

int main(void)
{
	measure("event_count 20", COUNTING("event_count", "[a]",
	    "    condition: {gte: 20}\n"), false, false);
	measure("value_count 15", COUNTING("value_count", "[a]",
	    "    condition: {field: user, gte: 15}\n"), true, false);
	measure("temporal of 3", COUNTING("temporal", "[a, b, c]", ""), false, true);
	return 0;
}
