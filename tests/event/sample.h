/*
 * sample.h - the values behind the test vectors of docs/wire.md and most tests of this room.
 */
#ifndef TOCSIN_TESTS_EVENT_SAMPLE_H
#define TOCSIN_TESTS_EVENT_SAMPLE_H

#include "event/alert.h"
#include "event/detection.h"
#include "event/frame.h"

#define SAMPLE_EVENTS 3

/* 2026-11-22T06:27:00.123456789Z */
#define SAMPLE_TIME INT64_C(1795328820123456789)

extern const struct hash_key sample_key;

void sample_events(struct event events[SAMPLE_EVENTS]);
struct frame_head sample_head(enum frame_type type);
struct frame_gap sample_gap(void);
struct detection sample_detection(void);
void sample_progress(struct progress rows[2]);
struct alert sample_alert(void);

/* Whole records, appended to out (cleared first). */
void sample_frame(struct buf *out);

/* A copy of bytes that ends where a page begins that may not be touched. */
struct guarded {
	char *map;
	size_t map_len;
	struct str bytes;
};
struct guarded guard_copy(struct str bytes);
void guard_free(struct guarded *guarded);

#endif
