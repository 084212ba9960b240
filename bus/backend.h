/*
 * backend.h - what a backend of the bus provides; private to bus/ and its tests.
 *
 * bus.c holds the common handle and forwards; a backend is one file and one row in backends.def.
 * bus.c checks topic, partition and size (BUS_RECORD_MAX), and counts published, published_bytes,
 * durable, unknown, refused, polled, gaps and gap_records; a backend keeps pending (records without
 * an outcome), pending_bytes, commits, retries, full and connected. bus.c fills struct bus.backend
 * and struct bus_reader after open.
 */
#ifndef TOCSIN_BUS_BACKEND_H
#define TOCSIN_BUS_BACKEND_H

#include "bus/bus.h"

struct bus_backend {
	const char *name;
	int (*open)(struct bus **ret, const struct bus_options *, struct error *);
	void (*close)(struct bus *);
	int (*publish)(struct bus *, enum bus_topic, uint32_t, struct str, struct str, uint64_t);
	int (*receipts)(struct bus *, struct bus_receipt *, size_t, int64_t, struct error *);
	int (*flush)(struct bus *, int64_t, struct error *);
	int (*reader_open)(struct bus_reader **, struct bus *, const struct bus_reader_options *,
	    struct error *);
	void (*reader_close)(struct bus_reader *);
	int (*poll)(struct bus_reader *, struct bus_record *, size_t, int64_t, struct error *);
	int (*seek)(struct bus_reader *, uint32_t, uint64_t, struct error *);
	int (*commit)(struct bus_reader *, uint32_t, uint64_t, struct error *);
	int (*range)(
	    struct bus *, enum bus_topic, uint32_t, uint64_t *, uint64_t *, struct error *);
	int (*fetch)(
	    struct bus *, enum bus_topic, uint32_t, uint64_t, struct buf *, struct error *);
	int (*committed)(struct bus *, const char *, enum bus_topic, uint32_t, uint64_t *,
	    struct error *);
};

/* The common part; each backend's struct begins with it. */
struct bus {
	const struct bus_backend *backend;
	uint32_t partitions[TOPIC_COUNT];
	char identity[64];
	size_t pending;
	bool eager; /* it has work of its own and wants to be driven soon */
	struct bus_stats stats;
};

struct bus_reader {
	struct bus *bus;
	enum bus_topic topic;
	struct bus_assignment assignment;
};

extern const struct bus_backend bus_local, bus_kafka, bus_memory, bus_spool;

/*
 * bus_fault wraps another bus for tests: the plan is asked before each call and may delay it, fail
 * it, answer BUS_BUSY, swallow receipts or turn them into RECEIPT_UNKNOWN after the record went.
 * call is "publish", "poll", ...; number counts the calls of that name from 0. Owns inner.
 */
enum fault {
	FAULT_NONE,
	FAULT_ERROR,
	FAULT_BUSY,
	FAULT_LOSE_RECEIPT,
	FAULT_LOSE_RECORD,
	FAULT_REPEAT
};
typedef enum fault fault_plan(void *context, const char *call, uint64_t number);
int bus_fault_open(struct bus **ret, struct bus *inner, fault_plan *plan, void *context);

#endif
