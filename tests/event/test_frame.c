#include "tests/event/sample.h"

#include "base/arena.h"
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void same_str(struct str a, struct str b)
{
	assert_int_equal(a.len, b.len);
	if (a.len > 0)
		assert_memory_equal(a.ptr, b.ptr, a.len);
}

static void same_event(const struct event *a, const struct event *b)
{
	assert_int_equal(coordinate_compare(a->at, b->at), 0);
	assert_int_equal(a->received_ns, b->received_ns);
	assert_int_equal(a->transport, b->transport);
	assert_int_equal(a->encoding, b->encoding);
	assert_int_equal(a->flags, b->flags);
	assert_true(hash128_eq(a->message, b->message));
	assert_int_equal(a->zone_s, b->zone_s);
	same_str(a->peer, b->peer);
	same_str(a->sender, b->sender);
	same_str(a->agency, b->agency);
	same_str(a->system, b->system);
	same_str(a->decoder, b->decoder);
	same_str(a->raw, b->raw);
}

/* Makes the checksum of a changed frame hold again. */
static void seal(char *bytes, size_t len)
{
	set_u32(bytes + 60, 0);
	set_u32(bytes + 60, hash_crc32c(0, bytes, len));
}

static void reads_back_what_was_written(void **state)
{
	struct buf out = BUF(FRAME_MAX);
	struct event events[SAMPLE_EVENTS], event;
	struct frame frame;

	(void)state;
	sample_events(events);
	sample_frame(&out);
	assert_int_equal(frame_read(buf_str(&out), &frame), FRAME_OK);
	assert_int_equal(frame.head.type, FRAME_EVENTS);
	assert_int_equal(frame.head.collector, 0xc0ffee0123456789u);
	assert_int_equal(frame.head.previous, 17);
	assert_int_equal(frame.head.made_ns, SAMPLE_TIME + 1000);
	for (size_t i = 0; i < SAMPLE_EVENTS; i++) {
		assert_true(frame_next(&frame, &event));
		same_event(&event, &events[i]);
	}
	assert_false(frame_next(&frame, &event));
	assert_int_equal(frame.index, SAMPLE_EVENTS);
	buf_free(&out);
}

static void tells_its_size_before(void **state)
{
	struct buf out = BUF(FRAME_MAX);
	struct event event = {.zone_s = -1, .received_ns = -1};
	static const size_t lengths[] = {0, 1, 127, 128, 16383, 16384, 100000};
	char *text = calloc(1, 100000);

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		event.raw = event.peer = str_from(text, lengths[i]);
		frame_begin(&out);
		frame_add(&out, &event);
		assert_int_equal(out.len, FRAME_HEAD + frame_event_size(&event));
	}
	free(text);
	buf_free(&out);
}

static void a_tick_and_a_gap(void **state)
{
	struct buf out = BUF(FRAME_MAX);
	struct frame_head tick = sample_head(FRAME_TICK), head = sample_head(FRAME_GAP);
	struct frame_gap gap = sample_gap(), got;
	struct event event;
	struct frame frame;

	(void)state;
	assert_true(frame_tick(&out, &tick));
	assert_int_equal(out.len, FRAME_HEAD);
	assert_int_equal(frame_read(buf_str(&out), &frame), FRAME_OK);
	assert_int_equal(frame.head.type, FRAME_TICK);
	assert_false(frame_next(&frame, &event));
	assert_false(frame_read_gap(&frame, &got));
	assert_true(frame_gap(&out, &head, &gap));
	assert_int_equal(frame_read(buf_str(&out), &frame), FRAME_OK);
	assert_true(frame_read_gap(&frame, &got));
	assert_int_equal(got.reason, gap.reason);
	assert_int_equal(got.count, gap.count);
	assert_int_equal(got.from, gap.from);
	assert_int_equal(got.to, gap.to);
	same_str(got.source, gap.source);
	buf_free(&out);
}

static void no_prefix_is_a_frame(void **state)
{
	struct buf out = BUF(FRAME_MAX);
	struct frame frame;

	(void)state;
	sample_frame(&out);
	for (size_t len = 0; len < out.len; len++) {
		struct guarded copy = guard_copy(str_from(out.ptr, len));
		enum frame_status status = frame_read(copy.bytes, &frame);

		assert_int_equal(status, len < 4 ? FRAME_NOT_OURS : FRAME_DAMAGED);
		guard_free(&copy);
	}
	buf_char(&out, 0);
	assert_int_equal(frame_read(buf_str(&out), &frame), FRAME_DAMAGED);
	buf_free(&out);
}

static void no_flipped_bit_passes(void **state)
{
	struct buf out = BUF(FRAME_MAX);
	struct frame frame;

	(void)state;
	sample_frame(&out);
	for (size_t bit = 0; bit < out.len * 8; bit++) {
		out.ptr[bit / 8] ^= (char)(1 << bit % 8);
		enum frame_status status = frame_read(buf_str(&out), &frame);

		assert_int_equal(status,
		    bit < 32 ? FRAME_NOT_OURS : bit < 40 ? FRAME_UNKNOWN : FRAME_DAMAGED);
		out.ptr[bit / 8] ^= (char)(1 << bit % 8);
	}
	buf_free(&out);
}

static void a_version_or_type_of_the_future_is_unknown(void **state)
{
	struct buf out = BUF(FRAME_MAX);
	struct frame frame;

	(void)state;
	for (unsigned type = 0; type < 256; type++) {
		sample_frame(&out);
		out.ptr[5] = (char)type;
		seal(out.ptr, out.len);
		enum frame_status status = frame_read(buf_str(&out), &frame);

		/* A tick or gap that has events is no frame of version 1. */
		assert_int_equal(status,
		    type == 1			? FRAME_OK
			: type == 2 || type == 3 ? FRAME_DAMAGED
						 : FRAME_UNKNOWN);
	}
	sample_frame(&out);
	out.ptr[4] = 2;
	seal(out.ptr, out.len);
	assert_int_equal(frame_read(buf_str(&out), &frame), FRAME_UNKNOWN);
	buf_free(&out);
}

static void a_head_that_lies_is_damaged(void **state)
{
	static const struct {
		size_t at;
		uint64_t value;
		enum frame_status status;
	} rows[] = {
	    {32, 42, FRAME_DAMAGED},	       /* previous is not before first */
	    {32, 41, FRAME_OK},
	    {32, FRAME_NO_COUNT, FRAME_OK},
	    {24, UINT64_MAX - 2, FRAME_DAMAGED}, /* the last counter would be FRAME_NO_COUNT */
	    {24, UINT64_MAX - 3, FRAME_OK},
	    {24, 17, FRAME_DAMAGED},
	};
	struct buf out = BUF(FRAME_MAX);
	struct frame frame;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		sample_frame(&out);
		set_u64(out.ptr + rows[i].at, rows[i].value);
		seal(out.ptr, out.len);
		assert_int_equal(frame_read(buf_str(&out), &frame), rows[i].status);
	}
	static const uint32_t counts[] = {0, 1u << 31, UINT32_MAX};

	for (size_t i = 0; i < 3; i++) {
		sample_frame(&out);
		set_u32(out.ptr + 48, counts[i]);
		seal(out.ptr, out.len);
		assert_int_equal(frame_read(buf_str(&out), &frame), FRAME_DAMAGED);
	}
	buf_free(&out);
}

static void a_wrong_count_is_noticed_while_walking(void **state)
{
	struct buf out = BUF(FRAME_MAX);
	struct event event;
	struct frame frame;

	(void)state;
	for (uint32_t count = 2; count <= 4; count += 2) {
		sample_frame(&out);
		set_u32(out.ptr + 48, count);
		seal(out.ptr, out.len);
		assert_int_equal(frame_read(buf_str(&out), &frame), FRAME_OK);
		while (frame_next(&frame, &event))
			continue;
		assert_true(frame.index < count);
	}
	buf_free(&out);
}

/* A frame of one event from the bytes of its body; whether the event reads. */
static bool reads_body(struct str body, struct event *ret)
{
	struct buf out = BUF(FRAME_MAX);
	struct frame_head head = sample_head(FRAME_EVENTS);
	struct frame frame;

	head.count = 1;
	frame_begin(&out);
	buf_str_put(&out, body);
	assert_true(frame_end(&out, &head));
	struct guarded copy = guard_copy(buf_str(&out));

	assert_int_equal(frame_read(copy.bytes, &frame), FRAME_OK);
	bool good = frame_next(&frame, ret);

	assert_int_equal(frame.index, good ? 1 : 0);
	ret->raw.len = good ? ret->raw.len : 0;
	guard_free(&copy);
	buf_free(&out);
	return good;
}

static void events_that_do_not_hold(void **state)
{
	static const struct {
		const char *name;
		struct str body;
		bool good;
	} rows[] = {
	    {"empty event", {"\0\0", 2}, true},
	    {"unknown tag", {"\0\5\xc8\3abc", 7}, true},
	    {"unknown transport", {"\0\3\2\1\xee", 5}, true},
	    {"raw longer than the frame", {"\7\0abc", 5}, false},
	    {"raw length of 2^64-1", {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\0", 11}, false},
	    {"length of more than 64 bits", {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\2\0", 11},
		false},
	    {"length cut short", {"\x80\x80", 2}, false},
	    {"meta longer than the frame", {"\0\7abc", 5}, false},
	    {"meta length of 2^64-1", {"\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", 11}, false},
	    {"tag without a length", {"\0\1\3", 3}, false},
	    {"value longer than the meta", {"\1\3\3\2ab", 6}, false},
	    {"value length of 2^64-1", {"\0\xb\3\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", 13},
		false},
	    {"receive time of 4 bytes", {"\0\6\1\4abcd", 8}, false},
	    {"zone of 1 byte", {"\0\3\7\1a", 5}, false},
	    {"transport of 2 bytes", {"\0\4\2\2ab", 6}, false},
	    {"message of 15 bytes", {"\0\x11\xb\xf" "123456789abcdef", 19}, false},
	    {"flags of 0 bytes", {"\0\2\xa\0", 4}, false},
	    {"bytes behind the last event", {"\0\0x", 3}, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct event event;

		if (reads_body(rows[i].body, &event) != rows[i].good)
			fail_msg("%s", rows[i].name);
	}
	struct event event;

	assert_true(reads_body((struct str){"\0\6\2\1\xee\x9\1\xee", 8}, &event));
	assert_int_equal(event.transport, TRANSPORT_UNKNOWN);
	assert_int_equal(event.encoding, ENCODING_TEXT);
}

static void a_full_buffer_gives_no_frame(void **state)
{
	struct event events[SAMPLE_EVENTS];
	struct frame_head head = sample_head(FRAME_EVENTS);
	struct buf small = BUF(FRAME_HEAD + 10), large = BUF(FRAME_MAX * 2);

	(void)state;
	sample_events(events);
	frame_begin(&small);
	frame_add(&small, &events[0]);
	assert_false(frame_end(&small, &head));
	buf_free(&small);
	frame_begin(&large);
	assert_non_null(buf_extend(&large, FRAME_MAX));
	assert_false(frame_end(&large, &head));
	buf_free(&large);
}

static void a_foreign_record_has_one_name(void **state)
{
	struct event a, b;
	struct position position = {3, 99, 0};

	(void)state;
	frame_foreign(STR("cluster"), STR("events"), position, 7, STR(" {\"a\":1}"), &a);
	frame_foreign(STR("cluste"), STR("revents"), position, 7, STR("x\0\xff"), &b);
	assert_int_not_equal(a.at.collector, b.at.collector);
	assert_int_equal(a.at.epoch, 3);
	assert_int_equal(a.at.counter, 99);
	assert_int_equal(a.received_ns, 7);
	assert_int_equal(a.flags, EVENT_FOREIGN);
	assert_int_equal(a.encoding, ENCODING_JSON);
	assert_int_equal(b.flags, EVENT_FOREIGN | EVENT_HAS_NUL | EVENT_BAD_UTF8);
	assert_int_equal(b.encoding, ENCODING_TEXT);
	same_str(b.raw, STR("x\0\xff"));
	frame_foreign(STR("cluster"), STR("events"), position, 8, STR(""), &b);
	assert_int_equal(coordinate_compare(a.at, b.at), 0);
}

static void json_keeps_every_byte(void **state)
{
	struct buf out = BUF(FRAME_MAX);
	struct event events[SAMPLE_EVENTS], got;
	struct arena *arena = arena_new(1 << 20);

	(void)state;
	sample_events(events);
	events[2].peer = STR("\xff\0");
	events[1].flags = UINT32_MAX;
	for (size_t i = 0; i < SAMPLE_EVENTS; i++) {
		buf_clear(&out);
		frame_json(&out, &events[i]);
		assert_true(frame_read_json(arena, buf_str(&out), &got));
		same_event(&got, &events[i]);
		for (size_t len = 0; len < out.len; len++)
			assert_false(frame_read_json(arena, str_from(out.ptr, len), &got));
		assert_int_equal(str_find_char(buf_str(&out), '\0'), STR_NOT_FOUND);
	}
	events[2].raw = STR("NUL alone: \0");
	buf_clear(&out);
	frame_json(&out, &events[2]);
	assert_int_not_equal(str_find(buf_str(&out), STR("\"raw_base64\":")), STR_NOT_FOUND);
	assert_true(frame_read_json(arena, buf_str(&out), &got));
	same_event(&got, &events[2]);
	arena_free(arena);
	buf_free(&out);
}

static void json_that_is_no_event(void **state)
{
#define SCHEMA "{\"schema\":\"tocsin.event/1\""
#define AT     ",\"at\":\"c0ffee0123456789-16b0f2a3c4d5e6f7-42\""
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
	    {SCHEMA AT ",\"raw\":\"\"}", true},
	    {SCHEMA AT ",\"raw\":\"\",\"unknown\":[1,{}]}", true},
	    {SCHEMA AT ",\"raw_base64\":\"/w==\"}", true},
	    {SCHEMA AT ",\"raw_base64\":\"/x==\"}", false},
	    {SCHEMA AT ",\"raw_base64\":\"/w=\"}", false},
	    {SCHEMA AT "}", false},
	    {SCHEMA ",\"raw\":\"\"}", false},
	    {SCHEMA AT ",\"raw\":7}", false},
	    {SCHEMA AT ",\"raw\":\"\",\"zone_s\":2147483648}", false},
	    {SCHEMA AT ",\"raw\":\"\",\"zone_s\":1.5}", false},
	    {SCHEMA AT ",\"raw\":\"\",\"transport\":\"pigeon\"}", false},
	    {SCHEMA AT ",\"raw\":\"\",\"received\":\"2026-02-30T00:00:00.000000000Z\"}", false},
	    {SCHEMA AT ",\"raw\":\"\",\"raw\":\"\"}", false},
	    {"{\"schema\":\"tocsin.event/2\"" AT ",\"raw\":\"\"}", false},
	    {"{\"a\":1}", false},
	    {"", false},
	};
	struct arena *arena = arena_new(1 << 20);
	struct event event;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (frame_read_json(arena, str_of(rows[i].text), &event) != rows[i].good)
			fail_msg("%s", rows[i].text);
	}
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_back_what_was_written),
	    cmocka_unit_test(tells_its_size_before),
	    cmocka_unit_test(a_tick_and_a_gap),
	    cmocka_unit_test(no_prefix_is_a_frame),
	    cmocka_unit_test(no_flipped_bit_passes),
	    cmocka_unit_test(a_version_or_type_of_the_future_is_unknown),
	    cmocka_unit_test(a_head_that_lies_is_damaged),
	    cmocka_unit_test(a_wrong_count_is_noticed_while_walking),
	    cmocka_unit_test(events_that_do_not_hold),
	    cmocka_unit_test(a_full_buffer_gives_no_frame),
	    cmocka_unit_test(a_foreign_record_has_one_name),
	    cmocka_unit_test(json_keeps_every_byte),
	    cmocka_unit_test(json_that_is_no_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
