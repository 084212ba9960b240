/*
 * local.h - the parts of bus_local; private to bus/.
 *
 *   PATH/bus                     identity and partition counts, text
 *   PATH/TOPIC/lock              flock: one process at a time commits, rolls and retains
 *   PATH/TOPIC/wake              mapped by all: a counter that readers wait on (futex)
 *   PATH/TOPIC/00...042.mdb      segments, a chain; a table a partition, and one for the head
 *   PATH/TOPIC/GROUP.00000003    committed offset of a group in a partition
 */
#ifndef TOCSIN_BUS_LOCAL_H
#define TOCSIN_BUS_LOCAL_H

#include <time.h>

#include "bus/backend.h"
#include "db/db.h"

enum { LOCAL_IDENTITY = 16, LOCAL_OPEN_MAX = 8 };

/* ---- record: what a row of a partition's table holds (local_record.c) ---- */

struct local_record {
	int64_t time_ns;
	struct str key, value;
};
#define LOCAL_RECORD_HEAD 12 /* time 8, length of the key 4 */

void local_record_put(struct buf *out, const struct local_record *record);
/* Slices of row; false when it is none. */
bool local_record_parse(struct str row, struct local_record *ret);

/* ---- segment: one file of the chain (local_segment.c) ---- */

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
/* Opens when it is not, and reads the head. 0 (look at state), ERR_MISSING (retention), negative. */
int segment_load(struct local_topic *topic, struct local_segment *segment, struct error *error);
/* Makes the file if need be, and writes its head: it is SEGMENT_GOOD then. */
int segment_make(struct local_topic *topic, struct local_segment *segment, const uint64_t *base,
    int64_t now_ns, struct error *error);
void segment_free(struct local_segment *segment);
/* A reader has ended its transaction. */
void segment_leave(struct local_segment *segment);
/* The offset behind the last record of the partition. */
int segment_next(struct local_segment *segment, struct db_txn *txn, uint32_t partition,
    uint64_t *ret, struct error *error);
/* Bytes that may still be put into it, as db_put will take them. */
uint64_t segment_room(const struct local_topic *topic, struct local_segment *segment);
uint64_t segment_bytes(const struct local_topic *topic);

/* ---- topic: the chain (local_topic.c) ---- */

int topic_open(struct local_topic **ret, const char *folder, enum bus_topic topic,
    uint32_t partitions, const char *identity, const struct bus_options *limits,
    struct error *error);
void topic_close(struct local_topic *topic); /* accepts NULL */
int topic_lock(struct local_topic *topic, struct error *error);
void topic_unlock(struct local_topic *topic);
/* Looks whether files came or went. */
int topic_refresh(struct local_topic *topic, struct error *error);
/* Newest or oldest usable segment; NULL in an empty topic. */
int topic_newest(struct local_topic *topic, struct local_segment **ret, struct error *error);
int topic_oldest(struct local_topic *topic, struct local_segment **ret, struct error *error);
/*
 * The last usable segment with base <= offset, *ret_end the base of the usable one behind it
 * (UINT64_MAX: it is the newest). *ret NULL: the offset is older than all there is.
 */
int topic_find(struct local_topic *topic, uint32_t partition, uint64_t offset,
    struct local_segment **ret, uint64_t *ret_end, struct error *error);
/* Under the lock: begins a new segment behind the newest. */
int topic_roll(struct local_topic *topic, int64_t now_ns, struct error *error);
/* Under the lock: drops the oldest segments beyond the limits. */
int topic_retain(struct local_topic *topic, int64_t now_ns, struct error *error);
void topic_wake(struct local_topic *topic);
uint32_t topic_wake_count(const struct local_topic *topic);
/* Until the counter is no longer seen, or timeout. */
void topic_wait(const struct local_topic *topic, uint32_t seen, int64_t timeout_ns);
int topic_range(struct local_topic *topic, uint32_t partition, uint64_t *ret_first,
    uint64_t *ret_next, struct error *error);

/* ---- groups (local_group.c) ---- */

int group_get(const struct local_topic *topic, const char *group, uint32_t partition,
    uint64_t *ret, struct error *error);
int group_put(const struct local_topic *topic, const char *group, uint32_t partition,
    uint64_t next, struct error *error);

/* ---- the handle (bus_local.c, local_queue.c) and its readers (local_reader.c) ---- */

struct local_queued {
	struct local_queued *next;
	uint64_t tag;
	uint32_t partition;
	size_t len;
	char row[];
};

struct local_queue {
	struct local_queued *first, **end;
	size_t count;
	uint64_t bytes;
	int64_t since_ns; /* monotonic, of the first */
};

struct local_bus {
	struct bus bus;
	struct bus_options limits;
	struct local_topic *topics[TOPIC_COUNT];
	struct local_queue queues[TOPIC_COUNT];
	struct bus_receipt *receipts; /* ring of LOCAL_RECEIPTS */
	size_t receipt_head, receipt_count;
	int64_t retry_ns;             /* monotonic: when a full disk is tried again */
	int broken;                   /* code of what cannot be mended but by opening anew */
};
enum { LOCAL_RECEIPTS = 65536 };

int local_publish(struct bus *bus, enum bus_topic topic, uint32_t partition, struct str key,
    struct str value, uint64_t tag);
int local_receipts(struct bus *bus, struct bus_receipt *ret, size_t max, int64_t timeout_ns,
    struct error *error);
int local_flush(struct bus *bus, int64_t timeout_ns, struct error *error);
void local_queue_free(struct local_queue *queue);

int local_reader_open(struct bus_reader **ret, struct bus *bus,
    const struct bus_reader_options *options, struct error *error);
void local_reader_close(struct bus_reader *reader);
int local_poll(struct bus_reader *reader, struct bus_record *ret, size_t max, int64_t timeout_ns,
    struct error *error);
int local_seek(struct bus_reader *reader, uint32_t partition, uint64_t offset,
    struct error *error);
int local_commit(struct bus_reader *reader, uint32_t partition, uint64_t next,
    struct error *error);

#endif
