/*
 * Frames of many events through the stage detect: each event's alert and detections in their order
 * and under their own position, whatever flew with it; and what a failure in the middle leaves.
 */
#include "tests/correlator/rulebook.h"
#include "tests/correlator/rules.h"

#include "correlator/detect.h"
#include "correlator/flight.h"
#include "event/detection.h"
#include "event/frame.h"

#define START   INT64_C(1772438400000000000) /* 2026-03-02T08:00:00Z */
#define SECOND  INT64_C(1000000000)
#define CEILING ((size_t)64 << 20)
#define MANY    (3 * FLIGHT_MOST + FLIGHT_MOST / 2)
#define SKEWED  8 /* the first so many tell a time of last year */

struct rig {
	struct ruleset *ruleset;
	struct alert_site site;
	struct worker_stats stats;
	struct detect *detect;
	struct arena *arena;  /* of the batch */
	struct batch batch;
	struct buf bytes;     /* of the frame */
	uint64_t offset, next; /* of the next frame; counter of its first event */
};

static void rig_open_with(struct rig *rig, const char *rules)
{
	*rig = (struct rig){.ruleset = rulebook_load(rules), .bytes = BUF(FRAME_MAX)};
	struct detect_options options = {.ruleset = rig->ruleset, .site = &rig->site,
	    .identity = STR("bus"), .partitions = 2, .skew_ns = 600 * SECOND, .stats = &rig->stats};

	rig->detect = detect_new(&options);
	rig->arena = arena_new(CEILING);
	assert_true(rig->detect != NULL && rig->arena != NULL);
	for (uint32_t i = 0; i < TOPIC_COUNT; i++)
		rig->batch.partitions[i] = 2;
	batch_begin(&rig->batch, rig->arena, 0);
}

static void rig_open(struct rig *rig)
{
	rig_open_with(rig, BASES "---\n" BASE_RULE("logged", "fail") BRUTE);
}

static void rig_close(struct rig *rig)
{
	detect_free(rig->detect);
	arena_free(rig->arena);
	ruleset_free(rig->ruleset);
	buf_free(&rig->bytes);
}

/* The k-th of a frame: its time tells how many seconds. Of each three, two match. */
static void frame_event(struct buf *out, unsigned k, bool all_match, size_t padding)
{
	static char line[512 << 10];
	int len = snprintf(line, sizeof(line), "<38>1 %s-03-02T08:00:%02uZ web01 town - - - "
	    "{\"act\":\"%s\",\"src_ip\":\"192.0.2.%u\",\"pad\":\"", k < SKEWED ? "2025" : "2026",
	    k % 60, all_match || k % 3 != 2 ? "fail" : "other", k % 250);

	assert_true((size_t)len + padding + 3 < sizeof(line));
	memset(line + len, 'x', padding);
	memcpy(line + len + padding, "\"}", 2);
	struct event event = {.received_ns = START + k * SECOND, .sender = STR("web01"),
	    .transport = TRANSPORT_TCP, .raw = str_from(line, (size_t)len + padding + 2)};

	frame_add(out, &event);
}

struct row {
	const char *name;
	unsigned count;
	size_t padding;
	unsigned padded; /* every so manieth */
};

static struct str frame_make(struct rig *rig, const struct row *row, uint16_t flags, bool all_match)
{
	struct frame_head head = {.type = FRAME_EVENTS, .flags = flags, .collector = 9, .epoch = 3,
	    .first = rig->next, .previous = rig->next > 0 ? rig->next - 1 : FRAME_NO_COUNT,
	    .count = row->count, .made_ns = START};

	frame_begin(&rig->bytes);
	for (unsigned k = 0; k < row->count; k++)
		frame_event(&rig->bytes, k, all_match,
		    row->padded > 0 && k % row->padded == 0 ? row->padding : 0);
	assert_true(frame_end(&rig->bytes, &head));
	rig->next += row->count;
	return buf_str(&rig->bytes);
}

static int take(struct rig *rig, struct str value)
{
	struct bus_record record = {.topic = TOPIC_EVENTS, .partition = 1, .offset = rig->offset++,
	    .value = value};
	struct error error = {0};
	bool tick = false;
	int code = detect_record(rig->detect, &record, &rig->batch, &tick, &error);

	assert_false(tick);
	return code;
}

static void is_alert(const struct letter *letter, unsigned k, uint64_t counter, uint64_t offset)
{
	struct arena *arena = arena_new(1u << 20);
	struct error error = {0};
	struct alert alert;

	assert_int_equal(letter->topic, TOPIC_ALERTS);
	assert_int_equal(alert_read(arena, letter->value, &alert, &error), 0);
	assert_true(str_eq(alert.rule.id, STR("logged")));
	assert_int_equal(alert.events[0].at.counter, counter);
	assert_int_equal(alert.events[0].position.partition, 1);
	assert_int_equal(alert.events[0].position.offset, offset);
	assert_int_equal(alert.events[0].position.index, k);
	assert_int_equal(alert.matched_count, 1);
	assert_true(str_eq(alert.matched[0].value, STR("fail")));
	arena_free(arena);
}

static void is_detection(const struct letter *letter, unsigned k, uint64_t counter, uint64_t offset)
{
	struct detection detection;
	char address[32];

	assert_int_equal(letter->topic, TOPIC_DETECTIONS);
	assert_true(detection_read(letter->value, &detection));
	snprintf(address, sizeof(address), "192.0.2.%u", k % 250);
	assert_true(str_eq(detection.groups[0], str_of(address)));
	assert_int_equal(detection.at.counter, counter);
	assert_int_equal(detection.position.offset, offset);
	assert_int_equal(detection.position.index, k);
	assert_int_equal(detection.time_ns, START + k * SECOND);
	assert_int_equal(detection.flags, k < SKEWED ? EVENT_CLOCK_SKEW : 0);
}

/* The letters of events first, first + 1, ... of a frame; NULL behind them. */
static void are_letters(const struct letter *letter, const struct row *row, unsigned first,
    uint64_t counter, uint64_t offset)
{
	for (unsigned k = first; k < row->count; k++) {
		if (k % 3 == 2)
			continue;
		assert_non_null(letter);
		is_alert(letter, k, counter + k, offset);
		letter = letter->next;
		assert_non_null(letter);
		is_detection(letter, k, counter + k, offset);
		letter = letter->next;
	}
	assert_null(letter);
}

static const struct row rows[] = {
    {"one", 1, 0, 0},
    {"one less", FLIGHT_MOST - 1, 0, 0},
    {"a flight", FLIGHT_MOST, 0, 0},
    {"one more", FLIGHT_MOST + 1, 0, 0},
    {"many", MANY, 0, 0},
    {"large ones", 5, 400 << 10, 1},
    {"large ones among others", MANY, 300 << 10, 10},
};

static void frames_are_taken(uint16_t flags)
{
	struct rig rig;

	rig_open(&rig);
	for (size_t i = 0; i < RULEBOOK_COUNT(rows); i++) {
		struct worker_stats before = rig.stats;
		unsigned count = rows[i].count, skewed = count < SKEWED ? count : SKEWED;
		uint64_t first = rig.next;

		batch_begin(&rig.batch, rig.arena, 0);
		struct str value = frame_make(&rig, &rows[i], flags, false);

		assert_int_equal(take(&rig, value), 0);
		are_letters(rig.batch.first, &rows[i], 0, first, rig.offset - 1);
		assert_int_equal(rig.stats.events - before.events, count);
		assert_int_equal(rig.stats.skewed - before.skewed, skewed);
		assert_int_equal(rig.stats.matches - before.matches, 2 * (count - count / 3));
		assert_int_equal(rig.stats.detections - before.detections, count - count / 3);
		assert_int_equal(detect_source(rig.detect, 1)->latest_ns >= START, true);
		/* Once more: all of it has been seen. */
		assert_int_equal(take(&rig, value), 0);
		assert_int_equal(rig.stats.events - before.events, count);
		assert_int_equal(rig.stats.repeats - before.repeats, flags != 0 ? count : 1);
		assert_int_equal(rig.stats.damaged, 0);
	}
	assert_int_equal(detect_source(rig.detect, 1)->latest_ns, START + (MANY - 1) * SECOND);
	assert_int_equal(detect_source(rig.detect, 0)->latest_ns, WATERMARK_SOURCE.latest_ns);
	rig_close(&rig);
}

static void test_frames(void **state)
{
	(void)state;
	frames_are_taken(0);
	frames_are_taken(FRAME_KEPT);
}

/* Of what was read once more in part, the rest. */
static void test_the_rest_of_a_frame(void **state)
{
	static const struct row row = {"many", MANY, 0, 0};

	(void)state;
	for (unsigned seen = 0; seen < MANY; seen += 5) {
		const struct row part = {"part", seen, 0, 0};
		struct rig rig;

		rig_open(&rig);
		if (seen > 0)
			assert_int_equal(take(&rig, frame_make(&rig, &part, FRAME_KEPT, false)), 0);
		batch_begin(&rig.batch, rig.arena, 0);
		rig.next = 0;
		assert_int_equal(take(&rig, frame_make(&rig, &row, FRAME_KEPT, false)), 0);
		are_letters(rig.batch.first, &row, seen, 0, rig.offset - 1);
		assert_int_equal(rig.stats.events, MANY);
		assert_int_equal(rig.stats.repeats, seen);
		rig_close(&rig);
	}
}

/*
 * The batch is full in mid-flight: nothing behind that event is counted or told, and the next frame
 * begins anew.
 */
static void test_given_up_in_the_middle(void **state)
{
	static const struct row row = {"many", MANY, 0, 0}, next = {"next", 5, 0, 0};
	unsigned failures = 0;

	(void)state;
	for (size_t ceiling = 0; ceiling < 200u << 10; ceiling += 1771) {
		struct arena *small = arena_new(ceiling);
		struct rig rig;

		rig_open(&rig);
		batch_begin(&rig.batch, small, 0);
		int code = take(&rig, frame_make(&rig, &row, 0, true));

		if (code < 0) {
			assert_int_equal(code, ERR_MEMORY);
			assert_int_equal(rig.batch.count / 2, rig.stats.events - 1);
			assert_int_equal(rig.stats.alerts_plain + rig.stats.detections,
			    rig.batch.count);
			assert_int_equal(detect_source(rig.detect, 1)->received_ns,
			    START + (int64_t)(rig.stats.events - 1) * SECOND);
			failures++;
		} else {
			assert_int_equal(rig.stats.events, MANY);
		}
		batch_begin(&rig.batch, rig.arena, 0);
		uint64_t before = rig.stats.events, first = rig.next;

		assert_int_equal(take(&rig, frame_make(&rig, &next, 0, false)), 0);
		assert_int_equal(rig.stats.events - before, next.count);
		are_letters(rig.batch.first, &next, 0, first, rig.offset - 1);
		rig_close(&rig);
		arena_free(small);
	}
	assert_true(failures > 2 * FLIGHT_MOST);
}

static struct str frame_of(struct rig *rig, const struct event *events, unsigned count)
{
	struct frame_head head = {.type = FRAME_EVENTS, .collector = 9, .epoch = 3,
	    .first = rig->next, .previous = rig->next > 0 ? rig->next - 1 : FRAME_NO_COUNT,
	    .count = count};

	frame_begin(&rig->bytes);
	for (unsigned k = 0; k < count; k++)
		frame_add(&rig->bytes, &events[k]);
	assert_true(frame_end(&rig->bytes, &head));
	rig->next += count;
	return buf_str(&rig->bytes);
}

/* What the alerts of all of them take together is far more than one may take. */
static void test_memory_is_of_each_event(void **state)
{
	struct event events[50];
	struct buf line = BUF(64u << 10);
	struct rig rig;

	(void)state;
	buf_str_put(&line, STR("{\"act\":\"fail\",\"src_ip\":\"192.0.2.1\""));
	for (unsigned i = 0; i < 256; i++)
		buf_printf(&line, ",\"%u\":%u", i, i);
	buf_char(&line, '}');
	for (unsigned k = 0; k < 50; k++)
		events[k] = (struct event){.received_ns = START, .raw = buf_str(&line)};
	rig_open(&rig);
	for (unsigned i = 0; i < 180; i++) {
		batch_begin(&rig.batch, rig.arena, 0);
		assert_int_equal(take(&rig, frame_of(&rig, events, 50)), 0);
		assert_int_equal(rig.batch.count, 100);
	}
	rig_close(&rig);
	buf_free(&line);
}

/*
 * An event that cannot be decoded whole, for its names alone would take a hundred megabytes: what
 * it says to a correlation is not to be believed.
 */
static void test_not_decoded_whole(void **state)
{
	static const char rules[] =
	    "title: word\nid: word\nlogsource:\n    definition: any\ndetection:\n"
	    "    s:\n        - failed\n    condition: s\nlevel: low\n"
	    "---\ntitle: words\nid: words\ncorrelation:\n    type: event_count\n"
	    "    rules: [word]\n    timespan: 60s\n    condition:\n        gte: 5\nlevel: high\n";
	struct event events[3] = {{.received_ns = START, .raw = STR("{\"act\":\"failed\"}")},
	    {.received_ns = START}, {.received_ns = START, .raw = STR("failed")}};
	struct buf line = BUF(1u << 20);
	struct rig rig;

	(void)state;
	buf_str_put(&line, STR("{\"failed "));
	for (unsigned i = 0; i < 100000; i++)
		buf_char(&line, 'x');
	buf_str_put(&line, STR("\":{\"0\":0"));
	for (unsigned i = 1; i < 1000; i++)
		buf_printf(&line, ",\"%u\":%u", i, i);
	buf_str_put(&line, STR("}}"));
	events[1].raw = buf_str(&line);
	rig_open_with(&rig, rules);
	assert_int_equal(take(&rig, frame_of(&rig, events, 3)), ERR_MEMORY);
	assert_int_equal(rig.stats.events, 2);
	assert_int_equal(rig.batch.count, 1);
	rig_close(&rig);
	buf_free(&line);
}

/* What stands before an event that cannot be read is taken. */
static void test_damaged_in_the_middle(void **state)
{
	static const struct row row = {"more", FLIGHT_MOST + 4, 0, 0};
	static const uint16_t flags[] = {0, FRAME_KEPT};

	(void)state;
	for (size_t i = 0; i < RULEBOOK_COUNT(flags); i++) {
		struct frame_head head = {.type = FRAME_EVENTS, .flags = flags[i], .collector = 9,
		    .epoch = 3, .previous = FRAME_NO_COUNT, .count = row.count + 2};
		struct rig rig;

		rig_open(&rig);
		frame_begin(&rig.bytes);
		for (unsigned k = 0; k < row.count; k++)
			frame_event(&rig.bytes, k, false, 0);
		buf_str_put(&rig.bytes, STR("\xff\xff\xff\xff\xff\xff\xff\xff"));
		assert_true(frame_end(&rig.bytes, &head));
		assert_int_equal(take(&rig, buf_str(&rig.bytes)), 0);
		are_letters(rig.batch.first, &row, 0, 0, 0);
		assert_int_equal(rig.stats.events, row.count);
		assert_int_equal(rig.stats.damaged, 1);
		rig_close(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_frames),
	    cmocka_unit_test(test_the_rest_of_a_frame),
	    cmocka_unit_test(test_given_up_in_the_middle),
	    cmocka_unit_test(test_memory_is_of_each_event),
	    cmocka_unit_test(test_not_decoded_whole),
	    cmocka_unit_test(test_damaged_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
