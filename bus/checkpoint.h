/*
 * checkpoint.h - where a stage stands: consumed offsets, outbox, state and fence in one
 * transaction.
 *
 * One LMDB file a stage and worker group on one host, shared by its workers and their replacements:
 * LMDB serialises the writers, and checkpoint_advance compares the stored offset with what the
 * worker believes (the fence): ERR_STALE means that somebody else has gone on from there; drop the
 * batch, reload, seek. Transactions are durable but for the last one on power loss
 * (MDB_NOMETASYNC), which is then replayed whole; kill -9 loses nothing that was committed.
 */
#ifndef TOCSIN_BUS_CHECKPOINT_H
#define TOCSIN_BUS_CHECKPOINT_H

#include "bus/bus.h"

struct checkpoint;

/*
 * path: file, made when missing; NULL: in memory only (replay, tests). name goes into the file's
 * head and must agree ("correlate").
 */
int checkpoint_open(struct checkpoint **ret, const char *path, const char *name,
    struct error *error);
void checkpoint_close(struct checkpoint *checkpoint);
/*
 * Whose it is: site, a fingerprint that is not 0 (another one is ERR_FOREIGN), and the identity of
 * the bus. On another bus the offsets mean nothing, nor does what was made from its records: each
 * offset becomes a gap (to 0), offsets and state go, and of the outbox only alerts stay. *ret_new:
 * that has happened. Not within a transaction.
 */
int checkpoint_bind(struct checkpoint *checkpoint, uint64_t site, struct str bus, bool *ret_new,
    struct error *error);

/* One write transaction at a time. A failed call leaves only checkpoint_abort. */
int checkpoint_begin(struct checkpoint *checkpoint, struct error *error);
int checkpoint_commit(struct checkpoint *checkpoint, struct error *error);
void checkpoint_abort(struct checkpoint *checkpoint);

/* Committed value when no transaction is open. UINT64_MAX: none stored. */
int checkpoint_offset(struct checkpoint *checkpoint, enum bus_topic topic, uint32_t partition,
    uint64_t *ret, struct error *error);
/* The fence: ERR_STALE when the stored offset is not expected (UINT64_MAX for none). */
int checkpoint_advance(struct checkpoint *checkpoint, enum bus_topic topic, uint32_t partition,
    uint64_t expected, uint64_t next, struct error *error);

/* What must still be published. sequence comes back as the bus tag; rows stay in order. */
int checkpoint_outbox_put(struct checkpoint *checkpoint, uint32_t owner, enum bus_topic topic,
    uint32_t partition, struct str key, struct str value, uint64_t *ret_sequence,
    struct error *error);
int checkpoint_outbox_delete(struct checkpoint *checkpoint, uint64_t sequence,
    struct error *error);
struct outbox_row {
	uint64_t sequence;
	uint32_t owner; /* partition of the source: who resends it */
	enum bus_topic topic;
	uint32_t partition;
	struct str key, value; /* borrowed until visit returns */
};
/* Rows with sequence >= from in order; visit returns false to stop. Opens its own read view. */
int checkpoint_outbox_each(struct checkpoint *checkpoint, uint64_t from,
    bool (*visit)(void *context, const struct outbox_row *row), void *context,
    struct error *error);

/* Named state (snapshots, rule sets, seen counters). Whole values, checksummed. */
int checkpoint_state_put(struct checkpoint *checkpoint, struct str name, struct str value,
    struct error *error);
int checkpoint_state_delete(struct checkpoint *checkpoint, struct str name, struct error *error);
/* Copies into out (cleared first). ERR_MISSING when there is none. */
int checkpoint_state_get(struct checkpoint *checkpoint, struct str name, struct buf *out,
    struct error *error);
/*
 * Names that begin with prefix, in order, with their values; a value that is damaged is told as
 * STR_NONE. visit returns false to stop, and changes nothing. Sees what the open transaction wrote.
 */
int checkpoint_state_each(struct checkpoint *checkpoint, struct str prefix,
    bool (*visit)(void *context, struct str name, struct str value), void *context,
    struct error *error);
/*
 * Small rows in two tables of the caller's own keys (1 to 64 bytes): what is remembered, and an
 * order to go through it. They outlive a change of the bus, for they tell of times, not of offsets.
 */
enum checkpoint_table { CHECKPOINT_MEMORY, CHECKPOINT_ORDER };
enum { CHECKPOINT_ROW = 0, CHECKPOINT_NO_ROW = 1 };
#define CHECKPOINT_ROW_MAX 128
struct checkpoint_row {
	size_t key_len, value_len;
	char key[64], value[CHECKPOINT_ROW_MAX];
};
/*
 * The first row whose key is not less than from and begins with prefix, copied. Else NO_ROW. Rows
 * that are damaged are passed over here; checkpoint_row_get tells them as ERR_CORRUPT.
 */
int checkpoint_row_next(struct checkpoint *checkpoint, enum checkpoint_table table,
    struct str from, struct str prefix, struct checkpoint_row *ret, struct error *error);
int checkpoint_row_get(struct checkpoint *checkpoint, enum checkpoint_table table, struct str key,
    struct checkpoint_row *ret, struct error *error);
/* Within a transaction. Deleting what is not there is no failure. */
int checkpoint_row_put(struct checkpoint *checkpoint, enum checkpoint_table table, struct str key,
    struct str value, struct error *error);
int checkpoint_row_delete(struct checkpoint *checkpoint, enum checkpoint_table table,
    struct str key, struct error *error);
/* Records a gap (topic, partition, from, to) for ever; checkpoint_gaps counts them. */
int checkpoint_gap(struct checkpoint *checkpoint, enum bus_topic topic, uint32_t partition,
    uint64_t from, uint64_t to, struct error *error);
int checkpoint_gaps(struct checkpoint *checkpoint, uint64_t *ret, struct error *error);

#endif
