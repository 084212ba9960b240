/*
 * spool.h - the parts of bus_spool; private to bus/.
 *
 *   PATH/lock      flock: one handle
 *   PATH/inner     partitions and identity of the inner bus, text, as a local bus has them
 *   PATH/log/...   a local bus (local.h) of one partition: the log, in the order of publishing
 *
 * A record of the log has the key "version 1, topic 1, reserved 2, partition 4, bytes before 8"
 * and, behind that, the key that it was published with. bytes before: sum of all records that went
 * into the log before it, so that the depth is a difference. What is drained is the committed
 * offset of the group "drain".
 */
#ifndef TOCSIN_BUS_SPOOL_H
#define TOCSIN_BUS_SPOOL_H

#include <pthread.h>
#include <stdatomic.h>

#include "bus/backend.h"
#include "bus/bus_spool.h"
#include "event/frame.h"

enum {
	SPOOL_RECEIPTS = 65536, /* pending and ready together */
	SPOOL_WINDOW = 1024,    /* drained records under way */
	SPOOL_DRAINS = 4096,    /* of those, and of what was passed between them */
	SPOOL_BATCH = 32,
	SPOOL_HEAD = 16
};
#define SPOOL_GROUP "drain"

/* A record that went straight to the inner bus. */
struct spool_direct {
	bool done;
	enum bus_topic topic;
	uint32_t partition;
	uint64_t tag;
	int64_t since_ns;
};

enum drain_state { DRAIN_DONE, DRAIN_SENT, DRAIN_FAILED };

/* A record of the log on its way to the inner bus, or a run of them that is done with. */
struct spool_drained {
	enum drain_state state;
	enum bus_topic topic;
	uint32_t partition;
	uint64_t events;
	uint64_t next;  /* offset behind it */
	uint64_t after; /* bytes before the one behind it */
	int64_t time_ns;
	bool counts;    /* it goes into the count of drained records */
};

/* Waits for the commit of the log. own: a gap frame of ours, nobody wants its receipt. */
struct spool_logged {
	uint64_t tag;
	enum bus_topic topic;
	uint32_t partition;
	bool own;
};

/* What was lost in a partition and is not told yet. */
struct spool_loss {
	uint64_t events;
	int64_t from_ns, to_ns;
	bool any;
};

struct spool_opener {
	pthread_t thread;
	atomic_int state;  /* enum opener_state */
	struct bus *old, *made;
	struct bus_options options;
	int (*open)(struct bus **, const struct bus_options *, struct error *);
	struct error error;
	int code;
};

struct bus_spool {
	struct bus bus;
	struct bus_spool_options options;
	struct bus_options inner_options;
	struct bus *inner;             /* NULL: being opened */
	struct spool_opener *opener;   /* NULL: none runs */
	int64_t open_again_ns;         /* monotonic */
	struct error why;              /* what the last opening failed with */
	int64_t trouble_ns;            /* since when the inner bus only fails; 0: it does not */
	int lock;
	size_t readers;

	bool spooling;
	bool proved;                   /* meanwhile the inner bus has made a record durable */
	int64_t busy_ns;               /* since when the inner bus is busy; 0: it is not */
	struct spool_direct *directs;  /* ring by number */
	uint64_t direct_first, direct_next;
	struct bus_receipt *ready;     /* ring */
	size_t ready_head, ready_count, ready_unknown;

	/* the log */
	struct bus *log;
	struct bus_reader *reader;
	struct buf key;                /* of the record that is put */
	struct spool_logged *logged;   /* ring */
	size_t logged_head, logged_count;
	uint64_t log_next;             /* offset behind the last committed record */
	uint64_t bytes_in, bytes_out;  /* put into the log ever; of these, drained */

	/* the drain */
	struct bus_record batch[SPOOL_BATCH];
	size_t batch_at, batch_count;
	struct spool_drained *drains;  /* ring by number */
	uint64_t drain_first, drain_next;
	size_t drain_sent;
	uint64_t position, committed;  /* drained up to; as told to the log */
	int64_t oldest_ns;
	bool rewind;
	unsigned refusals;             /* of the record at position, in a row */
	int64_t pause_ns, closing_ns, close_again_ns, trimmed_ns;
	int64_t progress_ns, sent_ns;  /* when the position moved; when something was sent */
	int64_t rate_ns;
	uint64_t rate_bytes;

	/* what was lost */
	struct spool_loss *losses;     /* by partition of events */
	uint64_t damaged_from, damaged_to; /* offsets of the log; equal: none */
	bool lost;
	uint64_t lost_from, telling_from;
	size_t telling;
	bool head_known;
	struct frame_head head;        /* of some frame of our collector */

	struct bus_spool_stats stats;
};

/* ---- bus_spool.c ---- */

/* The inner bus is behind: what is under way becomes unknown, the log takes over. */
void spool_behind(struct bus_spool *spool);
void spool_ready(struct bus_spool *spool, const struct bus_receipt *receipt);

/* ---- spool_inner.c ---- */

/* Opens the inner bus and waits for it, or for some seconds where a note says what it is. */
int spool_inner_open(struct bus_spool *spool, struct error *error);
void spool_inner_close(struct bus_spool *spool);
/* Takes over what the thread has opened; begins to open where there is none. */
void spool_inner_step(struct bus_spool *spool, int64_t now_ns);
/* A call has failed or has not. */
void spool_inner_trouble(struct bus_spool *spool, bool failed, int64_t now_ns);

/* ---- spool_log.c ---- */

int spool_log_open(struct bus_spool *spool, struct error *error);
void spool_log_close(struct bus_spool *spool);
int spool_log_put(struct bus_spool *spool, enum bus_topic topic, uint32_t partition,
    struct str key, struct str value, const uint64_t *tag);
/* Commits of the log into receipts; waits up to timeout_ns. 0 or a negative code. */
int spool_log_take(struct bus_spool *spool, int64_t timeout_ns, struct error *error);
/* What is there and not drained; values of "events". 0 or negative. */
int spool_log_each(struct bus_spool *spool, void (*visit)(void *context, struct str value),
    void *context, struct error *error);
/* False: not a record of ours. */
bool spool_log_parse(const struct bus_record *record, enum bus_topic *ret_topic,
    uint32_t *ret_partition, uint64_t *ret_before, struct str *ret_key);

/* ---- spool_drain.c ---- */

int spool_drain_step(struct bus_spool *spool, int64_t now_ns, struct error *error);
void spool_drain_receipt(struct bus_spool *spool, const struct bus_receipt *receipt);
/* Another inner bus: everything that was under way goes again. */
void spool_drain_restart(struct bus_spool *spool);
/* Nothing waits in the log or on its way. */
bool spool_drain_is_empty(const struct bus_spool *spool);

/* ---- spool_loss.c ---- */

/* A record of the log is given up. */
void spool_lose(struct bus_spool *spool, enum bus_topic topic, uint32_t partition,
    uint64_t events, int64_t time_ns, uint64_t offset);
/* Offsets of the log could not be read. */
void spool_lose_damaged(struct bus_spool *spool, uint64_t from, uint64_t to);
/* Puts gap frames into the log. 0 or negative. */
int spool_loss_tell(struct bus_spool *spool);
/* No further may the position be committed: what is behind it was lost and is not told. */
uint64_t spool_loss_bound(const struct bus_spool *spool);
void spool_loss_note(struct bus_spool *spool, struct str value);
/* Events in a record, as its head says. */
uint64_t spool_events(struct str value);

#endif
