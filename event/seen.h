/*
 * seen.h - which frames of "events" have been seen: repetition is dropped, loss is told.
 *
 * A collector's counters run over all partitions, but each frame names the counter that its
 * collector put on the same partition before it. So a frame stands for the interval
 * (previous, last], and the intervals of one source (collector, epoch, partition) join into one as
 * long as nothing is missing. A frame whose first counter lies in an interval is a repeat. Frames
 * may come in any order while a source has at most SEEN_INTERVALS intervals; past that the lowest
 * two are joined: the hole between them is given up (and counted), a frame that still comes out of
 * it is taken for a repeat. What lies before the first frame seen is not a hole: reading may begin
 * in the middle. Cost: one hash, and a binary search; in order, a comparison.
 */
#ifndef TOCSIN_EVENT_SEEN_H
#define TOCSIN_EVENT_SEEN_H

#include "base/buf.h"
#include "event/frame.h"

#define SEEN_SOURCES         65536u /* then the eighth with the oldest epochs is forgotten */
#define SEEN_INTERVALS       1024u  /* of one source */
#define SEEN_INTERVALS_TOTAL (1u << 20)

enum seen_answer { SEEN_NEW = 0, SEEN_REPEAT = 1 };

struct seen_stats {
	uint64_t sources, intervals; /* kept now */
	uint64_t holes;              /* open now: frames that are late or lost */
	uint64_t repeats;            /* frames answered with SEEN_REPEAT */
	uint64_t given_up;           /* holes that were closed by a ceiling */
	uint64_t evicted;            /* sources that were forgotten by the ceiling */
};

struct seen;

/* NULL when there is no memory. */
struct seen *seen_new(void);
/* Accepts NULL. */
void seen_free(struct seen *seen);

/*
 * Asks and notes in one. head comes from frame_read. SEEN_NEW, SEEN_REPEAT or ERR_MEMORY (nothing
 * noted). A tick or gap has no counters of its own: it is always new, and only shows that what it
 * names as previous must have been there.
 */
int seen_frame(struct seen *seen, uint32_t partition, const struct frame_head *head);

/* Forgets a partition that somebody else reads now. */
void seen_forget(struct seen *seen, uint32_t partition);
/* Appends what is known of a partition, for the checkpoint. */
void seen_save(const struct seen *seen, uint32_t partition, struct buf *out);
/*
 * Puts what seen_save wrote in the place of what is known of the partition. 0, ERR_MEMORY,
 * ERR_VERSION or ERR_CORRUPT; then the partition is forgotten.
 */
int seen_restore(struct seen *seen, uint32_t partition, struct str saved);

struct seen_stats seen_stats(const struct seen *seen);

#endif
