/*
 * bus.h - how records travel: one interface, five backends (bus_local, bus_kafka, bus_memory,
 * bus_spool, bus_fault), one conformance suite (tests/bus).
 *
 * Life: bus_open, any number of bus_publish / bus_receipts and readers, bus_close. One handle is
 * used by one thread. Promises of every backend:
 *  - a record with a durable receipt (RECEIPT_DURABLE) is read by every reader, in offset order,
 *    after kill -9 and (local) power loss;
 *  - records of one handle to one partition keep their order;
 *  - no receipt means unknown: the record may or may not be there; the caller sends it again and
 * the readers recognise it (docs/wire.md);
 *  - what retention took before it was read is told as one BUS_GAP record, never silently;
 *  - nothing is queued without a bound: bus_publish answers BUS_BUSY instead.
 */
#ifndef TOCSIN_BUS_BUS_H
#define TOCSIN_BUS_BUS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

/*
 * Key and value of a record together; the largest that a Kafka broker takes by default, and less.
 */
#define BUS_RECORD_MAX     1000000
#define BUS_PARTITIONS_MAX 256

enum bus_topic { TOPIC_EVENTS, TOPIC_DETECTIONS, TOPIC_ALERTS, TOPIC_COUNT };

struct str bus_topic_name(enum bus_topic topic); /* "events", "detections", "alerts" */
bool bus_topic_parse(struct str name, enum bus_topic *ret);

struct bus;
struct bus_reader;

struct bus_spool_options;

struct bus_setting {
	struct str name, value;
};

struct bus_options {
	const char *backend;                /* "local", "kafka", "memory", "spool" */
	const char *path;                   /* local: folder */
	uint32_t partitions[TOPIC_COUNT];   /* used when a topic is made; 1..256 */
	/* local: limits of each topic; 0: the default of config.def */
	uint64_t segment_bytes, retain_bytes;
	int64_t retain_ns;
	int64_t commit_ns;                  /* group commit: at most this long ... */
	uint64_t commit_bytes;              /* ... or this much, before a commit */
	uint64_t queue_bytes;               /* unreceipted bytes before BUS_BUSY */
	/* kafka */
	const char *prefix;                 /* of topic names, e.g. "tocsin." */
	const struct bus_setting *settings; /* librdkafka properties, passed through */
	size_t setting_count;
	const struct bus_spool_options *spool; /* spool: bus_spool.h */
	bool memory_durable;                /* memory: a log named by path outlives its handles */
};

int bus_open(struct bus **ret, const struct bus_options *options, struct error *error);
/* Unreceipted records become unknown. Accepts NULL. */
void bus_close(struct bus *bus);
uint32_t bus_partitions(const struct bus *bus, enum bus_topic topic);
/*
 * Names this bus for ever (Kafka cluster id; local: made with the folder). For foreign coordinates.
 */
struct str bus_identity(const struct bus *bus);

/* ---- publishing ---- */

enum { BUS_ACCEPTED = 0, BUS_BUSY = 1, BUS_TOO_LARGE = 2 };

/*
 * Hands over one record; key and value are copied. tag comes back in its receipt. Returns
 * BUS_ACCEPTED, BUS_BUSY (call bus_receipts, stop reading input, try again), BUS_TOO_LARGE (it will
 * never go: count it) or a negative code (the bus is broken for good).
 */
int bus_publish(struct bus *bus, enum bus_topic topic, uint32_t partition, struct str key,
    struct str value, uint64_t tag);

enum receipt_status {
	RECEIPT_DURABLE,
	RECEIPT_UNKNOWN,   /* send it again */
	RECEIPT_REFUSED    /* will never go: too large, topic gone */
};

struct bus_receipt {
	uint64_t tag;
	enum receipt_status status;
	enum bus_topic topic;
	uint32_t partition;
	uint64_t offset;   /* where known, else UINT64_MAX */
};

/*
 * Drives the bus and collects receipts: commits a group that is due (local) and serves callbacks
 * (kafka). Waits up to timeout_ns for the first one. Returns how many (0..max), or a negative code.
 * ERR_FULL: the disk is full; nothing accepted is lost, publishing answers BUS_BUSY until there is
 * room; call again later.
 */
int bus_receipts(struct bus *bus, struct bus_receipt *ret, size_t max, int64_t timeout_ns,
    struct error *error);
/* Accepted and not yet receipted records. */
size_t bus_pending(const struct bus *bus);
/* A spool drains: bus_receipts should be called soon, though nothing may be pending. */
bool bus_is_eager(const struct bus *bus);
/* Commits now and drives until nothing is pending or timeout_ns passed; receipts stay to be
 * collected. */
int bus_flush(struct bus *bus, int64_t timeout_ns, struct error *error);

/* ---- reading ---- */

enum bus_kind { BUS_RECORD, BUS_GAP };

struct bus_record {
	enum bus_kind kind;
	enum bus_topic topic;
	uint32_t partition;
	uint64_t offset;   /* BUS_GAP: first missing */
	/*
	 * Offset to read next: offset + 1; BUS_GAP: first offset that is there, which lies before
	 * offset when the log was made anew and is shorter than the position.
	 */
	uint64_t next;
	int64_t time_ns;   /* when it was published; 0 where unknown */
	struct str key, value; /* borrowed until the next bus_poll of this reader */
};

/*
 * Partitions come and go with the group (kafka). on_assign sets *offset to where to begin for each
 * new partition (it reads the checkpoint); UINT64_MAX: the group's committed offset, else the
 * earliest, never silently the latest. on_revoke is told before a partition leaves. Both are called
 * from within bus_poll.
 */
struct bus_assignment {
	int (*on_assign)(void *context, enum bus_topic topic, uint32_t partition, uint64_t *offset);
	void (*on_revoke)(void *context, enum bus_topic topic, uint32_t partition, bool lost);
	void *context;
};

struct bus_reader_options {
	enum bus_topic topic;
	const char *group;          /* names the reader for committed offsets and retention */
	const uint32_t
	    *partitions; /* static assignment; NULL: the group decides (kafka), all (others) */
	size_t partition_count;
	struct bus_assignment assignment;
};

int bus_reader_open(struct bus_reader **ret, struct bus *bus,
    const struct bus_reader_options *options, struct error *error);
/* Accepts NULL. Calls on_revoke for what it owns. */
void bus_reader_close(struct bus_reader *reader);
/*
 * Up to max records, in offset order within each partition; waits up to timeout_ns for the first.
 * Returns how many (0..max) or a negative code.
 */
int bus_poll(struct bus_reader *reader, struct bus_record *ret, size_t max, int64_t timeout_ns,
    struct error *error);
/* Reads on from offset; the next bus_poll begins there. For a fence that found a new position. */
int bus_seek(struct bus_reader *reader, uint32_t partition, uint64_t offset, struct error *error);
/*
 * Tells the bus what the reader will never ask for again (retention, lag). After the transaction.
 */
int bus_commit(struct bus_reader *reader, uint32_t partition, uint64_t next, struct error *error);

/* ---- looking ---- */

/* first: oldest offset that is there; next: the one that the next record will get. */
int bus_range(struct bus *bus, enum bus_topic topic, uint32_t partition, uint64_t *ret_first,
    uint64_t *ret_next, struct error *error);
/*
 * A single record into out (cleared first). ERR_MISSING when it is not there. May be slow (kafka).
 */
int bus_fetch(struct bus *bus, enum bus_topic topic, uint32_t partition, uint64_t offset,
    struct buf *out, struct error *error);
/* The committed offset of a group; UINT64_MAX when none. */
int bus_committed(struct bus *bus, const char *group, enum bus_topic topic, uint32_t partition,
    uint64_t *ret, struct error *error);

/* Partition for a key: hash with a fixed key, modulo; the same in every process and release. */
uint32_t bus_partition_of(struct str key, uint32_t partitions);

struct bus_stats {
	uint64_t published, durable, unknown, refused; /* records */
	uint64_t published_bytes, commits, polled, gaps, gap_records;
	uint64_t retries;     /* producer re-created, or a full disk met again */
	uint64_t pending_bytes;
	uint64_t roused;      /* kafka: a client that had read enough ahead was made to go on */
	bool full;            /* the disk is full now */
	bool connected;       /* kafka: a broker answers */
};
void bus_stats(const struct bus *bus, struct bus_stats *ret);

#endif
