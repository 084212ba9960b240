/*
 * repeat.h - detections that were sent twice.
 *
 * Detections of one partition of events come in the order (offset, index) of what they come from,
 * except those that a producer had to send again after a fatal error. Kept are the highest place
 * seen and the last REPEAT_WINDOW keys: what is not above the mark and is known, or is older than
 * all that are known, is a repeat.
 */
#ifndef TOCSIN_CORRELATOR_REPEAT_H
#define TOCSIN_CORRELATOR_REPEAT_H

#include "base/buf.h"

#define REPEAT_WINDOW 65536u

#define REPEAT_NONE   ((struct repeat){.anew_ns = INT64_MIN})

struct repeat_key {
	uint64_t offset;
	uint32_t index;
	uint32_t which; /* repeat_which of correlation and rule */
};

struct repeat {
	struct repeat_key *keys; /* ring, grown as needed */
	uint32_t first, count, capacity;
	uint32_t *slots;         /* hash set, 2 * capacity of them: repeat.c */
	struct repeat_key mark;  /* highest (offset, index) */
	struct repeat_key floor; /* highest that has left the window */
	bool any, cut;           /* mark, floor are set */
	int64_t anew_ns;         /* of the last repeat_anew; INT64_MIN: none */
};

/* The same in every process. */
uint32_t repeat_which(struct str correlation, struct str rule);

enum repeat_result { REPEAT_MEMORY = -1, REPEAT_NEW = 0, REPEAT_KNOWN = 1 };
/* Remembers the key when it is new. */
enum repeat_result repeat_check(struct repeat *repeat, struct repeat_key key);
/*
 * The log was made anew, and offsets begin from its start: forgets all. time_ns tells one such
 * message from its own repetition, which changes nothing.
 */
void repeat_anew(struct repeat *repeat, int64_t time_ns);
/* Calls for the memory that repeat_check of the key is going to need. */
void repeat_foresee(const struct repeat *repeat, const struct repeat_key *key);
void repeat_end(struct repeat *repeat);

void repeat_write(struct buf *out, const struct repeat *repeat);
/* Into an empty one; false when the bytes do not hold, or without memory. */
bool repeat_read(struct str *rest, struct repeat *ret);

#endif
