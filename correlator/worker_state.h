/*
 * worker_state.h - what a worker holds; for worker*.c, ownership.c, commit.c and announce.c alone.
 */
#ifndef TOCSIN_CORRELATOR_WORKER_STATE_H
#define TOCSIN_CORRELATOR_WORKER_STATE_H

#include "correlator/batch.h"
#include "correlator/correlate.h"
#include "correlator/detect.h"
#include "correlator/sender.h"

#define WORKER_GROUP "correlate"
#define NOWHERE      UINT64_MAX /* offset: none yet */

/* The topics that a worker reads; also the index of its readers. */
#define WORKER_TOPICS 2u

/* A partition of events or detections that this worker reads. */
struct owned {
	bool owned;
	bool moved;             /* next has gone on since the last commit */
	uint64_t committed;     /* as the checkpoint has it; NOWHERE: nothing there */
	uint64_t next;          /* offset to read next */
	/* detections only */
	struct correlate *correlate;
	uint64_t silent_until;  /* records below it rebuild the state and send nothing */
	uint64_t kept;          /* offset of the last snapshot; NOWHERE: none */
	int64_t snapshot_ns;    /* when it was taken */
	bool other_rules;       /* it was taken under others: one of these is due */
	/* what was announced last */
	int64_t announced_ns;
	bool announced, announced_idle;
};

struct gap_note {
	struct gap_note *next;
	enum bus_topic topic;
	uint32_t partition;
	uint64_t from, to;
};

/* Progress that waits until all rows up to a sequence are on the bus. */
struct announcement {
	bool ready;
	uint64_t after;
	struct progress events[PROGRESS_MAX], detections[PROGRESS_MAX];
	size_t event_count, detection_count;
};

struct worker {
	struct worker_options options;
	struct ruleset *ruleset;
	char *bundle;            /* what it was made of */
	size_t bundle_len;
	struct alert_site site;
	char replay[256];
	struct worker_stats stats;
	struct bus_reader *readers[WORKER_TOPICS];
	struct owned *owned[WORKER_TOPICS];
	uint32_t partitions[TOPIC_COUNT];
	struct bus_record *records;
	struct correlate_group *group; /* of the detections among them */
	uint64_t frame_events;   /* in a record of events, of late; at least 1 */
	struct detect *detect;
	struct sender *sender;
	struct arena *arena;
	struct batch batch;
	struct gap_note *gaps;
	struct buf scratch;
	uint64_t last_sequence;  /* of the rows that this worker put or took over */
	bool has_sequence;
	int64_t now_ns, announced_ns;
	bool reload;             /* memory is ahead of, or beside, the checkpoint */
	bool rules_told;         /* the checkpoint knows which rules are in force */
	bool finishing, tick, busy;
	struct announcement announcement;
};

/* worker_rules.c */
bool worker_keep_bundle(struct worker *worker, struct str bundle);

/* ownership.c */
int worker_on_assign(void *context, enum bus_topic topic, uint32_t partition, uint64_t *offset);
void worker_on_revoke(void *context, enum bus_topic topic, uint32_t partition, bool lost);
/* Everything as the checkpoint has it, and the readers there. */
int worker_start_over(struct worker *worker, struct error *error);
void worker_disown(struct worker *worker);
struct correlate *worker_correlate_new(struct worker *worker, const struct ruleset *ruleset,
    uint32_t partition);

/* commit.c: one transaction. snapshots: of all partitions, due or not. Afterwards rows are with the
 * sender. On failure worker->reload is set. */
int worker_commit(struct worker *worker, bool snapshots, struct error *error);

/* announce.c: tells how far time has come, if that is due or forced. */
int worker_announce(struct worker *worker, bool force, struct error *error);
bool worker_is_caught_up(struct worker *worker, enum bus_topic topic, uint32_t partition);

#endif
