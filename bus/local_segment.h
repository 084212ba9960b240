/*
 * local_segment.h - one file of a topic's chain: a table a partition, and one for the head.
 */
#ifndef TOCSIN_BUS_LOCAL_SEGMENT_H
#define TOCSIN_BUS_LOCAL_SEGMENT_H

#include <time.h>

#include "bus/bus.h"
#include "db/db.h"

enum { LOCAL_IDENTITY = 16, LOCAL_OPEN_MAX = 8 };

enum segment_state {
	SEGMENT_UNSEEN, /* not opened yet */
	SEGMENT_UNBORN, /* its head is not written yet; whoever holds the topic's lock may do it */
	SEGMENT_GOOD,
	SEGMENT_BAD     /* truncated, foreign, damaged: a gap */
};

struct local_segment {
	uint64_t sequence;
	enum segment_state state;
	int64_t birth_ns;
	uint64_t *base;     /* first offset of each partition; SEGMENT_GOOD */
	struct db *db;      /* NULL: closed for now */
	unsigned held;      /* readers with a transaction */
	bool gone;          /* out of the list; freed by the last reader */
	uint64_t used_at;   /* for closing the one that was not used for longest */
};

struct local_topic {
	const struct bus_options *limits;
	enum bus_topic topic;
	uint32_t partitions;
	char identity[LOCAL_IDENTITY];
	char *path;
	int folder, lock;
	struct timespec listed; /* change time of the folder as listed */
	uint32_t *wake;
	uint64_t *mark, unmarked; /* segment that is followed just now; see local_mark.c */
	char *mark_path;
	int mark_file;
	struct local_segment **segments; /* by sequence */
	size_t count, capacity;
	uint64_t clock;     /* for used_at */
	int64_t retained_ns;
	char (*names)[8];
	struct db_table_options *tables; /* head, then the partitions */
};

enum { TABLE_HEAD, TABLE_PARTITION };

/* The file's name; caller frees. NULL: no memory. */
char *segment_path(const struct local_topic *topic, uint64_t sequence);
/*
 * Opens when it is not, and reads the head. 0 (look at state), ERR_MISSING (retention), negative.
 */
int segment_load(struct local_topic *topic, struct local_segment *segment, struct error *error);
/* Reads all of it in a child: 0, ERR_CORRUPT, or that it cannot be opened at all. */
int segment_verify(struct local_topic *topic, uint64_t sequence);
/* Makes the file if need be, and writes its head: it is SEGMENT_GOOD then. */
int segment_make(struct local_topic *topic, struct local_segment *segment, const uint64_t *base,
    int64_t now_ns, struct error *error);
void segment_free(struct local_segment *segment);
/* A reader has ended its transaction. */
void segment_leave(struct local_segment *segment);
/*
 * The offset behind the last record of the partition. ERR_CORRUPT when that one is damaged: its key
 * may be as well, and an offset must not be given twice.
 */
int segment_next(struct local_segment *segment, struct db_txn *txn, uint32_t partition,
    uint64_t *ret, struct error *error);
/* Bytes that may still be put into it, as db_put will take them. */
uint64_t segment_room(const struct local_topic *topic, struct local_segment *segment);
uint64_t segment_bytes(const struct local_topic *topic);

#endif
