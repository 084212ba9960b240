/* fuzz: correlator - a snapshot that is read, used, and written again */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "correlator/snapshot.h"
#include "event/detection.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TIMED(id, type, condition)                                                                 \
	"title: " id "\nid: " id "\ncorrelation:\n    type: " type                                 \
	"\n    rules: [a]\n    group-by: [k]\n    timespan: 1m\n    condition: " condition "\n---\n"

static const char rules[] =
    "title: a\nid: a\nlogsource:\n    definition: any\ndetection:\n    s:\n        x: 1\n"
    "    condition: s\n---\n"
    "title: b\nid: b\nlogsource:\n    definition: any\ndetection:\n    s:\n        x: 2\n"
    "    condition: s\n---\n"
    "title: n\nid: n\ncorrelation:\n    type: event_count\n    rules: [a]\n    group-by: [k]\n"
    "    timespan: 1m\n    condition:\n        gte: 4\n---\n"
    "title: v\nid: v\ncorrelation:\n    type: value_count\n    rules: [a]\n    group-by: [k]\n"
    "    timespan: 1m\n    condition:\n        field: u\n        gte: 3\n---\n"
    "title: t\nid: t\ncorrelation:\n    type: temporal\n    rules: [a, b]\n    group-by: [k]\n"
    "    timespan: 1m\n---\n"
    "title: f\nid: f\nlogsource:\n    definition: any\ndetection:\n    s:\n        x: 3\n"
    "    condition: s\ntocsin:\n    first_seen: {fields: [u], by: [k], within: 9d, learn: 0}\n---\n"
    "title: o\nid: o\ncorrelation:\n    type: temporal_ordered\n    rules: [a, n, b]\n"
    "    group-by: [k]\n    timespan: 1m\n---\n"
    TIMED("c", "event_count", "{lt: 9}") TIMED("d", "value_count", "{field: u, neq: 2}")
    TIMED("s", "value_sum", "{field: u, gte: 50}") TIMED("g", "value_avg", "{field: u, gt: 1}")
    TIMED("m", "value_median", "{field: u, gt: 1}")
    "title: p\nid: p\ncorrelation:\n    type: temporal_ordered\n    group-by: [k]\n"
    "    timespan: 1m\n    condition: (a or n) and not b\n---\n"
    "title: q\nid: q\ncorrelation:\n    type: temporal\n    group-by: [k]\n"
    "    timespan: 1m\n    condition: (a or n) and b\n";

#define RULES (sizeof(names) / sizeof(*names))

static const char *const names[][2] = {{"n", "a"}, {"v", "a"}, {"t", "b"}, {"o", "b"},
    {"t", "a"}, {"o", "a"}, {"c", "a"}, {"d", "a"}, {"s", "a"}, {"g", "a"}, {"m", "a"},
    {"p", "a"}, {"q", "a"}, {"q", "b"}, {"f", "f"}};

static const struct alert_site site = {.key = {1, 2}};

static struct correlate *correlate_make(const struct ruleset *ruleset, struct worker_stats *stats)
{
	struct correlate *correlate = correlate_new(&(struct correlate_options){.ruleset = ruleset,
	    .site = &site, .sources = 2, .groups_max = 64, .pending_max = 64, .stats = stats});

	CHECK(correlate != NULL);
	return correlate;
}

/* Some traffic over whatever the snapshot made, and the end of time. */
static void use(struct correlate *correlate, struct batch *batch)
{
	struct progress progress[2] = {{.topic = TOPIC_EVENTS, .partitions = 2,
	    .time_ns = INT64_MAX / 2}, {.topic = TOPIC_EVENTS, .partition = 1, .partitions = 2,
	    .time_ns = INT64_MAX / 2}};
	struct buf bytes = BUF(1 << 20);

	for (unsigned i = 0; i < 4 * RULES; i++) {
		const char *const *name = names[i % RULES];
		struct detection detection = {.correlation = str_of(name[0]),
		    .rule = str_of(name[1]), .groups = {STR("k")}, .group_count = 1,
		    .values = {i & 1 ? STR("3") : STR("u")},
		    .value_count = strchr("vdsgmf", name[0][0]) != NULL,
		    .time_ns = INT64_C(1700000000000000000) + i, .at = {1, 2, i},
		    .position = {i & 1, UINT64_MAX / 2 + i, 0}};

		buf_clear(&bytes);
		detection_write(&bytes, &detection);
		CHECK(correlate_record(correlate, buf_str(&bytes), batch, false, NULL) == 0);
	}
	buf_clear(&bytes);
	progress_write(&bytes, progress, 2);
	CHECK(correlate_record(correlate, buf_str(&bytes), batch, false, NULL) <= 0);
	buf_free(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ruleset *ruleset;
	struct worker_stats stats = {0};
	uint64_t offset, dropped;

	if (ruleset == NULL)
		CHECK(ruleset_load_text(&ruleset, str_of(rules), "rules",
		    &(struct ruleset_options){0}, NULL) == 0);
	struct correlate *correlate = correlate_make(ruleset, &stats);

	if (snapshot_read(str_from(data, size), correlate, &offset, &dropped) == 0) {
		struct correlate *again = correlate_make(ruleset, &stats);
		struct arena *arena = arena_new(64 << 20);
		struct batch batch = {.partitions = {2, 2, 2}};
		struct buf bytes = BUF(SNAPSHOT_MAX);

		CHECK(arena != NULL);
		batch_begin(&batch, arena, 0);
		snapshot_write(&bytes, correlate, offset);
		CHECK(!bytes.failed);
		CHECK(snapshot_read(buf_str(&bytes), again, &offset, &dropped) == 0);
		use(correlate, &batch);
		buf_free(&bytes);
		arena_free(arena);
		correlate_free(again);
	}
	correlate_free(correlate);
	return 0;
}
