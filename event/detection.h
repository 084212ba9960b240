/*
 * detection.h - one record of the topic "detections": a match that some correlation refers to, or
 * the progress of the topic that matches come from.
 *
 * Byte layout: docs/wire.md, section 3. Tagged values (tag, length, value), unknown tags skipped,
 * CRC32C at the end.
 */
#ifndef TOCSIN_EVENT_DETECTION_H
#define TOCSIN_EVENT_DETECTION_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "event/event.h"

#define DETECTION_VALUES 16 /* most group-by and value fields of one correlation */

struct detection {
	struct str correlation;      /* id of the correlation rule that the match is for */
	struct str rule;             /* id of the base rule that matched */
	struct str groups[DETECTION_VALUES]; /* group-by values, in the rule's order */
	size_t group_count;
	struct str values[DETECTION_VALUES]; /* fields that it counts; ptr NULL where absent */
	size_t value_count;
	int64_t time_ns; /* event time that counts: clamped, see correlator/watermark.h */
	int64_t received_ns;
	struct coordinate at;
	struct position position;    /* on "events" */
	struct str agency, host;     /* for the alert */
	uint32_t flags;              /* enum event_flag */
	struct str replay;           /* name of the replay; empty live */
};

/* All that was read of a source partition up to time_ns (event time less lateness) was sent. */
struct progress {
	uint8_t topic;        /* enum bus_topic of the source */
	uint32_t partition;   /* of the source */
	uint32_t partitions;  /* how many the source has */
	int64_t time_ns;      /* the watermark */
	uint64_t offset;      /* next offset of the source */
	bool idle;            /* do not wait for this one */
	bool anew;            /* its log was made anew: offsets before this do not count */
};

#define PROGRESS_MAX 256 /* most of them in one record */

enum message_kind {
	MESSAGE_DAMAGED = -1,
	MESSAGE_UNKNOWN = 0,
	MESSAGE_DETECTION = 1,
	MESSAGE_PROGRESS = 2
};

/* What a record is, from its head alone; alerts (JSON) are MESSAGE_UNKNOWN. */
enum message_kind message_kind(struct str bytes);

/* Appended to out; at most DETECTION_VALUES of each, else the program is broken. */
void detection_write(struct buf *out, const struct detection *detection);
/* Borrowed from bytes. False when it does not hold; ret may have been written to. */
bool detection_read(struct str bytes, struct detection *ret);

/* Progress travels on "detections" and on "alerts", between the other records. */
void progress_write(struct buf *out, const struct progress *progress, size_t count);
/* ret has room for PROGRESS_MAX. False when it does not hold; ret may have been written to. */
bool progress_read(struct str bytes, struct progress *ret, size_t *ret_count);

#endif
