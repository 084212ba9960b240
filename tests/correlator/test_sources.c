/*
 * Sources that take turns, each as far below and above the threshold as the others, from raw lines
 * to settled alerts: however many they are, and whatever is said between, each is found, once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "correlator/correlate.h"
#include "correlator/detect.h"
#include "event/frame.h"
#include "rules.h"
#include "town.h"

#define FRAME_LINES 400u
#define FRAMES_A_PROGRESS 50u
#define LATENESS SECOND

#define FEW                                                                                        \
	CORRELATION_RULE("few", "event_count", "[failed]", "[src_ip]", "10m",                      \
	    "    condition:\n        gte: 3\n")
#define SOME                                                                                       \
	CORRELATION_RULE("some", "event_count", "[failed]", "[src_ip]", "10m",                     \
	    "    condition:\n        gte: 5\n")
#define VALUES                                                                                     \
	CORRELATION_RULE("values", "value_count", "[failed]", "[src_ip]", "10m",                   \
	    "    condition:\n        field: User\n        gte: 4\n")

/* Without a bus: what a worker does with a record, and no more. */
struct line {
	struct ruleset *ruleset;
	struct alert_site site;
	struct worker_stats stats;
	struct detect *detect;
	struct correlate *correlate;
	struct arena *arenas[2];
	struct batch events, detections; /* what detect sends, what correlate sends */
	struct buf frame, progress;
	unsigned lines, frames;
	uint64_t counter, first, offset;
	int64_t now_ns;
	unsigned sources;
	uint8_t *told[2];                /* alerts of each source: early, settled */
};

static void line_open(struct line *line, const char *rules, unsigned sources, size_t groups_max)
{
	*line = (struct line){.ruleset = town_rules(rules), .site = {.key = {1, 2}},
	    .arenas = {arena_new(1u << 30), arena_new(1u << 30)}, .frame = BUF(FRAME_MAX),
	    .progress = BUF(1 << 16), .now_ns = TOWN_START, .sources = sources};
	line->detect = detect_new(&(struct detect_options){.ruleset = line->ruleset,
	    .site = &line->site, .identity = STR("line"), .partitions = 1, .skew_ns = -1,
	    .stats = &line->stats});
	line->correlate = correlate_new(&(struct correlate_options){.ruleset = line->ruleset,
	    .site = &line->site, .sources = 1, .groups_max = groups_max, .pending_max = 1000000,
	    .stats = &line->stats});
	assert_non_null(line->detect);
	assert_non_null(line->correlate);
	for (unsigned i = 0; i < 2; i++) {
		line->told[i] = calloc(sources, 1);
		assert_non_null(line->told[i]);
	}
	for (unsigned i = 0; i < TOPIC_COUNT; i++)
		line->events.partitions[i] = line->detections.partitions[i] = 1;
	frame_begin(&line->frame);
}

static void line_close(struct line *line)
{
	detect_free(line->detect);
	correlate_free(line->correlate);
	ruleset_free(line->ruleset);
	for (unsigned i = 0; i < 2; i++) {
		arena_free(line->arenas[i]);
		free(line->told[i]);
	}
	buf_free(&line->frame);
	buf_free(&line->progress);
}

/* The address of an alert is the number of its source. */
static void line_note(struct line *line, struct str alert)
{
	static const struct str settled = {"\"settled\"", 9}, address = {"\"10.", 4};
	size_t at = str_find(alert, address);
	unsigned a, b, c;

	assert_true(at != STR_NOT_FOUND);
	assert_int_equal(sscanf(alert.ptr + at, "\"10.%u.%u.%u\"", &a, &b, &c), 3);
	unsigned number = a << 16 | b << 8 | c;

	assert_true(number < line->sources);
	line->told[str_find(alert, settled) != STR_NOT_FOUND][number]++;
}

static void line_correlate(struct line *line, struct str value)
{
	assert_int_equal(correlate_record(line->correlate, value, &line->detections, false, NULL),
	    0);
	for (struct letter *letter = line->detections.first; letter != NULL; letter = letter->next)
		if (letter->topic == TOPIC_ALERTS)
			line_note(line, letter->value);
	arena_reset(line->arenas[1]);
	batch_begin(&line->detections, line->arenas[1], 0);
}

static void line_progress(struct line *line, int64_t time_ns)
{
	struct progress progress = {.topic = TOPIC_EVENTS, .partitions = 1, .time_ns = time_ns,
	    .offset = line->offset};

	buf_clear(&line->progress);
	progress_write(&line->progress, &progress, 1);
	line_correlate(line, buf_str(&line->progress));
}

static void line_frame(struct line *line)
{
	struct frame_head head = {.type = FRAME_EVENTS, .collector = 0xc0ffee, .epoch = 7,
	    .first = line->first, .previous = line->first > 0 ? line->first - 1 : FRAME_NO_COUNT,
	    .count = line->lines, .made_ns = line->now_ns};
	bool tick;

	if (line->lines == 0)
		return;
	assert_true(frame_end(&line->frame, &head));
	struct bus_record record = {.kind = BUS_RECORD, .topic = TOPIC_EVENTS,
	    .offset = line->offset, .next = line->offset + 1, .value = buf_str(&line->frame)};

	arena_reset(line->arenas[0]);
	batch_begin(&line->events, line->arenas[0], 0);
	assert_int_equal(detect_record(line->detect, &record, &line->events, &tick, NULL), 0);
	for (struct letter *letter = line->events.first; letter != NULL; letter = letter->next)
		if (letter->topic == TOPIC_DETECTIONS)
			line_correlate(line, letter->value);
	line->offset++;
	line->first = line->counter;
	line->lines = 0;
	frame_begin(&line->frame);
	if (++line->frames % FRAMES_A_PROGRESS == 0)
		line_progress(line, line->now_ns - LATENESS);
}

static void line_add(struct line *line, const char *body)
{
	char text[512];
	struct event event = {.received_ns = line->now_ns, .transport = TRANSPORT_TCP,
	    .sender = STR("web01"), .agency = STR("hue"), .peer = STR("192.0.2.7:40112")};

	snprintf(text, sizeof(text), "<38>1 - web01 town - - - %s", body);
	event.raw = str_of(text);
	frame_add(&line->frame, &event);
	line->counter++;
	if (++line->lines == FRAME_LINES)
		line_frame(line);
}

static void line_fail(struct line *line, unsigned source, unsigned round)
{
	char body[160];

	snprintf(body, sizeof(body),
	    "{\"act\":\"fail\",\"src_ip\":\"10.%u.%u.%u\",\"User\":\"u%u\"}", source >> 16,
	    source >> 8 & 255, source & 255, round);
	line_add(line, body);
}

static void line_settle(struct line *line)
{
	line_frame(line);
	line_progress(line, line->now_ns + 3600 * SECOND);
}

static void found_once(const struct line *line)
{
	for (unsigned i = 0; i < line->sources; i++) {
		assert_int_equal(line->told[0][i], 1);
		assert_int_equal(line->told[1][i], 1);
	}
	assert_int_equal(line->stats.alerts_replaced, 0);
	assert_int_equal(line->stats.late, 0);
	assert_int_equal(line->stats.pending_dropped, 0);
}

static void take_turns(const char *rules, unsigned sources, unsigned needed, unsigned unrelated)
{
	struct line line;
	struct worker_stats counted = {0};
	/* All of it within five minutes, whatever it is. */
	int64_t step_ns = 300 * SECOND / ((int64_t)sources * (needed + 2) * (1 + unrelated));

	line_open(&line, rules, sources, 2 * (size_t)sources + 16);
	for (unsigned round = 0; round < needed + 2; round++) {
		for (unsigned source = 0; source < sources; source++) {
			line.now_ns += step_ns;
			line_fail(&line, source, round);
			for (unsigned i = 0; i < unrelated; i++) {
				line.now_ns += step_ns;
				line_add(&line, i % 3 ? "session opened for user an"
				    : "{\"act\":\"look\",\"src_ip\":\"10.0.0.1\"}");
			}
		}
	}
	line_settle(&line);
	found_once(&line);
	correlate_count(line.correlate, &counted);
	assert_int_equal(counted.evicted, 0);
	assert_int_equal(counted.groups, 0);
	line_close(&line);
}

static bool is_long(void)
{
	return getenv("TOCSIN_LONG") != NULL;
}

static void test_sources_taking_turns(void **state)
{
	static const unsigned sources[] = {1, 10, 100, 10000};

	(void)state;
	for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++) {
		take_turns(BASES SOME, sources[i], 5, 0);
		take_turns(BASES VALUES, sources[i], 4, 0);
	}
}

static void test_a_million_sources_taking_turns(void **state)
{
	(void)state;
	if (is_long())
		take_turns(BASES SOME, 1000000, 5, 0);
	else
		take_turns(BASES FEW, 100000, 3, 0);
}

static void test_unrelated_lines_between(void **state)
{
	(void)state;
	take_turns(BASES SOME, 1, 5, is_long() ? 1400000 : 3000);
	take_turns(BASES SOME, 1000, 5, is_long() ? 1400 : 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sources_taking_turns),
	    cmocka_unit_test(test_a_million_sources_taking_turns),
	    cmocka_unit_test(test_unrelated_lines_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
