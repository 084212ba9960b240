/*
 * frame.h - one record of the topic "events": a frame of events of one partition.
 *
 * Byte layout and test vectors: docs/wire.md, section 2. Everything is little-endian; CRC32C covers
 * the whole frame with its own four bytes as zero.
 */
#ifndef TOCSIN_EVENT_FRAME_H
#define TOCSIN_EVENT_FRAME_H

#include "base/buf.h"
#include "event/event.h"

#define FRAME_HEAD     64u
#define FRAME_MAX      (2u << 20)          /* nothing larger is read or written */
#define FRAME_NO_COUNT UINT64_MAX          /* previous counter: none in this epoch */

enum frame_type { FRAME_EVENTS = 1, FRAME_TICK = 2, FRAME_GAP = 3 };

/*
 * Flag of a head: its events keep the coordinates of the topic that they were read from. Whoever
 * reads that topic again closes other frames over it, so that frames of one source may overlap in
 * part: each event is looked up by itself.
 */
#define FRAME_KEPT 1u

enum gap_reason {
	GAP_KERNEL_DROP = 1, /* SO_RXQ_OVFL */
	GAP_REFUSED = 2,     /* the collector refused: quota, bus full, too large */
	GAP_RETENTION = 3,   /* the bus dropped what was not read yet */
	GAP_DAMAGED = 4      /* a record that could not be read */
};

struct frame_head {
	enum frame_type type;
	uint16_t flags;
	uint64_t collector, epoch;
	uint64_t first;    /* counter of the first event; of the next one, for tick and gap */
	uint64_t previous; /* last counter that this collector put on this partition before */
	uint32_t count;    /* events */
	int64_t made_ns;   /* when it was closed */
};

struct frame_gap {
	enum gap_reason reason;
	uint64_t count;            /* 0: unknown */
	uint64_t from, to;         /* bounds: times in ns (drops) or offsets (retention) */
	struct str source;         /* sender, listener or topic; may be empty */
};

/*
 * Writing. frame_begin leaves room for the head; frame_add appends events whose coordinates will be
 * first, first + 1, ...; frame_end writes the head and the checksum. out is cleared by frame_begin.
 */
void frame_begin(struct buf *out);
void frame_add(struct buf *out, const struct event *event);
/* Bytes that frame_add will write, to close a frame before it grows too large. */
size_t frame_event_size(const struct event *event);
/*
 * Writes the head as told; count must be the events that were added. False when out has failed or
 * is longer than FRAME_MAX.
 */
bool frame_end(struct buf *out, const struct frame_head *head);
/* A whole tick or gap frame. */
bool frame_tick(struct buf *out, const struct frame_head *head);
bool frame_gap(struct buf *out, const struct frame_head *head, const struct frame_gap *gap);

/* Reading. */
enum frame_status {
	FRAME_OK,
	FRAME_NOT_OURS, /* no magic: an event that somebody else wrote */
	FRAME_UNKNOWN,  /* our magic, a version or type that we do not know: skip and count */
	FRAME_DAMAGED   /* checksum, length or content do not hold */
};

struct frame {
	struct frame_head head;
	struct str body;
	struct str rest;  /* what frame_next has not read */
	uint32_t index;   /* of the next event */
};

/* Checks everything but the events' own tags. bytes must outlive the frame. */
enum frame_status frame_read(struct str bytes, struct frame *ret);
/* The next event, borrowed from the frame's bytes; false at the end or at a malformed one (then
 * frame->index < head.count). Unknown tags are skipped. */
bool frame_next(struct frame *frame, struct event *ret);
/* False when it is no gap or does not hold. reason may be one that this version does not know. */
bool frame_read_gap(const struct frame *frame, struct frame_gap *ret);
/*
 * An event that somebody else wrote to our topic: coordinate from (cluster and topic, partition,
 * offset), flags EVENT_FOREIGN. value is taken as the raw bytes.
 */
void frame_foreign(struct str cluster, struct str topic, struct position position, int64_t time_ns,
    struct str value, struct event *ret);
/*
 * One event as a JSON object, for foreign consumers (bus.format: json): the same fields as the
 * tags; raw as a string, or "raw_base64" when it is not UTF-8 or holds NUL. frame_read_json reads
 * it back.
 */
void frame_json(struct buf *out, const struct event *event);
/* Copies into arena. False when it is not such an object, or the arena is full (arena_failed). */
struct arena;
bool frame_read_json(struct arena *arena, struct str value, struct event *ret);

#endif
