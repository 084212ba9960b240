/*
 * Frames: events into a frame of 32 KB with its checksum, and out of it again. And one event a
 * record as JSON, for bus.format: json.
 */
#include "bench/lines.h"

#include "event/frame.h"

#define FRAME_BYTES 32768

struct framing {
	struct lines lines;
	struct buf frame;
	struct buf *frames;
	size_t count, events;
	struct arena *arena;
};

static struct frame_head head_of(uint64_t first, uint32_t count)
{
	return (struct frame_head){.type = FRAME_EVENTS, .collector = 1, .epoch = 2, .first = first,
	    .previous = FRAME_NO_COUNT, .count = count, .made_ns = BENCH_NOW};
}

static size_t frames_write(void *context)
{
	struct framing *f = context;
	uint32_t count = 0;

	frame_begin(&f->frame);
	for (size_t i = 0; i < f->lines.count; i++) {
		frame_add(&f->frame, &f->lines.events[i]);
		count++;
		if (f->frame.len >= FRAME_BYTES || i + 1 == f->lines.count) {
			struct frame_head head = head_of(i + 1 - count, count);

			CHECK(frame_end(&f->frame, &head));
			frame_begin(&f->frame);
			count = 0;
		}
	}
	return f->lines.count;
}

static size_t frames_read(void *context)
{
	struct framing *f = context;
	size_t events = 0;

	for (size_t i = 0; i < f->count; i++) {
		struct frame frame;
		struct event event;

		CHECK(frame_read(buf_str(&f->frames[i]), &frame) == FRAME_OK);
		while (frame_next(&frame, &event))
			events++;
	}
	CHECK(events == f->events);
	return events;
}

static void frames_keep(struct framing *f)
{
	uint32_t count = 0;

	f->frames = calloc(f->lines.count, sizeof(*f->frames));
	CHECK(f->frames != NULL);
	for (size_t i = 0; i < f->lines.count; i++) {
		struct buf *out = &f->frames[f->count];

		if (count == 0) {
			*out = BUF(FRAME_MAX);
			frame_begin(out);
		}
		frame_add(out, &f->lines.events[i]);
		count++;
		if (out->len >= FRAME_BYTES || i + 1 == f->lines.count) {
			struct frame_head head = head_of(f->events, count);

			CHECK(frame_end(out, &head));
			f->events += count;
			f->count++;
			count = 0;
		}
	}
}

static size_t json_write(void *context)
{
	struct framing *f = context;

	for (size_t i = 0; i < f->lines.count; i++) {
		buf_clear(&f->frame);
		frame_json(&f->frame, &f->lines.events[i]);
	}
	CHECK(!f->frame.failed);
	return f->lines.count;
}

static size_t json_read(void *context)
{
	struct framing *f = context;

	for (size_t i = 0; i < f->lines.count; i++) {
		struct event event;

		arena_reset(f->arena);
		CHECK(frame_read_json(f->arena, buf_str(&f->frames[i]), &event));
	}
	return f->lines.count;
}

int main(void)
{
	struct framing f = {lines_make(line_fortigate, LINES_COUNT), .frame = BUF(FRAME_MAX),
	    .arena = arena_new(1u << 20)};

	CHECK(f.arena != NULL);
	bench_run("frame write", frames_write, &f);
	frames_keep(&f);
	bench_run("frame read", frames_read, &f);
	bench_run("event json write", json_write, &f);
	for (size_t i = 0; i < f.lines.count; i++) {
		if (f.frames[i].ceiling == 0)
			f.frames[i] = BUF(FRAME_MAX);
		buf_clear(&f.frames[i]);
		frame_json(&f.frames[i], &f.lines.events[i]);
	}
	bench_run("event json read", json_read, &f);
	for (size_t i = 0; i < f.lines.count; i++)
		buf_free(&f.frames[i]);
	free(f.frames);
	buf_free(&f.frame);
	arena_free(f.arena);
	lines_free(&f.lines);
	return 0;
}
