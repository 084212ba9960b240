/* fuzz: event - frames and JSON events: what reads, reads the same after it is written again */
#include "event/frame.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_event(const struct event *a, const struct event *b)
{
	CHECK(coordinate_compare(a->at, b->at) == 0 && a->received_ns == b->received_ns);
	CHECK(a->transport == b->transport && a->encoding == b->encoding);
	CHECK(a->flags == b->flags && a->zone_s == b->zone_s);
	CHECK(hash128_eq(a->message, b->message));
	CHECK(str_eq(a->peer, b->peer) && str_eq(a->sender, b->sender));
	CHECK(str_eq(a->agency, b->agency) && str_eq(a->system, b->system));
	CHECK(str_eq(a->decoder, b->decoder) && str_eq(a->raw, b->raw));
}

static void write_again(struct frame frame)
{
	struct frame_head head = frame.head;
	struct buf out = BUF(FRAME_MAX);
	struct event event, again;
	struct frame second;
	struct frame first = frame;

	frame_begin(&out);
	for (head.count = 0; frame_next(&frame, &event); head.count++) {
		size_t before = out.len;

		frame_add(&out, &event);
		CHECK(out.failed || out.len - before == frame_event_size(&event));
	}
	if (head.count > 0 && frame_end(&out, &head)) {
		CHECK(frame_read(buf_str(&out), &second) == FRAME_OK);
		while (frame_next(&second, &again)) {
			CHECK(frame_next(&first, &event));
			same_event(&event, &again);
		}
		CHECK(second.index == head.count);
	}
	buf_free(&out);
}

static void one_frame(struct str bytes)
{
	struct frame frame;
	struct frame_gap gap;

	if (frame_read(bytes, &frame) != FRAME_OK)
		return;
	frame_read_gap(&frame, &gap);
	write_again(frame);
}

/* The fuzzer cannot find a checksum: the same bytes once more with a right one, and length. */
static void sealed_frame(struct str bytes)
{
	char *copy = bytes.len < FRAME_HEAD || bytes.len > FRAME_MAX ? NULL : malloc(bytes.len);

	if (copy == NULL)
		return;
	memcpy(copy, bytes.ptr, bytes.len);
	memcpy(copy, "TCSN\1", 5);
	set_u32(copy + 52, (uint32_t)(bytes.len - FRAME_HEAD));
	set_u32(copy + 60, 0);
	set_u32(copy + 60, hash_crc32c(0, copy, bytes.len));
	one_frame(str_from(copy, bytes.len));
	free(copy);
}

static void one_json(struct str bytes)
{
	struct arena *arena = arena_new(1 << 22);
	struct buf out = BUF(FRAME_MAX * 2);
	struct event event, again;

	if (arena != NULL && frame_read_json(arena, bytes, &event)) {
		frame_json(&out, &event);
		CHECK(!out.failed && frame_read_json(arena, buf_str(&out), &again));
		same_event(&event, &again);
	}
	arena_free(arena);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = str_from(data, size);

	one_frame(bytes);
	sealed_frame(bytes);
	one_json(bytes);
	return 0;
}
