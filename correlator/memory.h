/*
 * memory.h - what rules with first_seen remember, of one partition of "detections": rows on disk,
 * those in use in memory.
 *
 * A row (a tuple of values in its group, or a group) is known by a keyed 128-bit hash and says when
 * it was first and last seen. Rows are read when they are asked for and written by memory_commit,
 * in the transaction of the offsets: kill -9 leaves both or neither. Each rule has a scope, with a
 * ceiling of rows: beyond it the rows that were last seen longest ago go, and are counted. Rows
 * that have not been seen for the scope's time go too, some with each commit.
 *
 * Tables of the checkpoint (docs/wire.md, section 9): MEMORY has the rows, and one a scope; ORDER
 * has for each row when it may go. That time is not moved while the row is seen again, but when it
 * has come: a row in use costs one write a commit, not three.
 */
#ifndef TOCSIN_CORRELATOR_MEMORY_H
#define TOCSIN_CORRELATOR_MEMORY_H

#include "base/hash.h"
#include "bus/checkpoint.h"
#include "event/event.h"

struct memory;

struct memory_row {
	int64_t first_ns, last_ns;
	struct coordinate at; /* of the event that made it, at first_ns */
};

/* Valid until memory_commit; longer while pending is not 0. */
struct memory_entry {
	struct memory_entry *next_dirty;
	struct hash128 key;
	struct memory_row row; /* when there */
	uint32_t scope;        /* of memory_scope */
	uint32_t pending;      /* the caller's: who still waits for it */
	bool there;
	bool stored;           /* the disk has a row of that key, and its order */
	bool dirty;
};

/* checkpoint NULL: nothing is kept on disk, and nothing forgotten. NULL without memory. */
struct memory *memory_new(struct checkpoint *checkpoint, uint32_t partition, size_t ceiling);
void memory_free(struct memory *memory); /* accepts NULL */

/* A rule's scope, found or begun. 0, ERR_MEMORY, or as the checkpoint fails. */
int memory_scope(struct memory *memory, uint64_t name, int64_t within_ns, uint32_t *ret,
    struct error *error);
int memory_find(struct memory *memory, uint32_t scope, struct hash128 key,
    struct memory_entry **ret, struct error *error);
/* Its row has changed: it is written with the next commit. */
void memory_touch(struct memory *memory, struct memory_entry *entry);

/* A scope that has had to forget rows since the last commit. */
struct memory_loss {
	uint32_t scope;
	uint64_t evicted; /* of this scope, ever */
	int64_t told_ns;  /* that somebody was told of it last; the caller may set it */
};
/*
 * Within the checkpoint's transaction. now_ns: the watermark. lost is called for each scope that
 * has lost rows. After a failure the memory is only good for memory_free.
 */
int memory_commit(struct memory *memory, int64_t now_ns,
    int (*lost)(void *context, struct memory_loss *loss), void *context, struct error *error);

struct memory_stats {
	uint64_t rows, evicted, expired, damaged;
};
void memory_stats(const struct memory *memory, struct memory_stats *ret);

#endif
