/*
 * watermark.h - which time counts, and how far event time has come.
 *
 * The time that counts is the sender's while it lies within the skew limit of the receive time,
 * else the receive time: an attacker, or a clock that is years wrong, moves no watermark. The
 * watermark of a source partition is the largest time that counts, less the lateness bound; what
 * reads several sources goes by the slowest that is not idle, and never back.
 */
#ifndef TOCSIN_CORRELATOR_WATERMARK_H
#define TOCSIN_CORRELATOR_WATERMARK_H

#include "base/buf.h"
#include "event/detection.h"

#define WATERMARK_NONE INT64_MIN
/* Nothing more comes: the end of a replay. */
#define WATERMARK_END  (INT64_MAX / 2)

/* skew_ns < 0: no limit (replays). *ret_skewed: the receive time was taken instead. */
int64_t watermark_clamp(int64_t event_ns, int64_t received_ns, int64_t skew_ns, bool *ret_skewed);
/* a - b and a + b that stay within the range. */
int64_t watermark_minus(int64_t a, int64_t b);
int64_t watermark_plus(int64_t a, int64_t b);

/* One source partition, on the side that reads it. */
struct watermark_source {
	int64_t latest_ns;   /* largest time that counts; WATERMARK_NONE before the first */
	int64_t received_ns; /* of the newest record */
	int64_t told_ns;     /* when a collector of ours closed its last frame or tick */
};

#define WATERMARK_SOURCE                                                                           \
	((struct watermark_source){WATERMARK_NONE, WATERMARK_NONE, WATERMARK_NONE})

void watermark_source_add(struct watermark_source *source, int64_t time_ns, int64_t received_ns);
int64_t watermark_source_time(const struct watermark_source *source, int64_t lateness_ns);

/*
 * How far time has come on a source that nobody has written to for idle_ns: with the clock, in
 * steps of idle_ns, where no collector of ours has been for a day (those tick; one that is cut off
 * still has old events to tell). What it is without that otherwise.
 */
int64_t watermark_source_idle(const struct watermark_source *source, int64_t lateness_ns,
    int64_t idle_ns, int64_t now_ns);

/* All source partitions, as heard of by progress records; when all are idle, the furthest one. */
struct watermark {
	struct watermark_part {
		int64_t time_ns;
		bool heard, idle;
	} parts[PROGRESS_MAX];
	uint32_t count;
	int64_t now_ns; /* the merged watermark; monotonic */
};

void watermark_begin(struct watermark *watermark, uint32_t count);
/* True when the merged watermark has risen. */
bool watermark_hear(struct watermark *watermark, const struct progress *progress);

void watermark_write(struct buf *out, const struct watermark *watermark);
bool watermark_read(struct str *rest, struct watermark *ret);

#endif
