/*
 * bus_spool.h - a bus in front of another (Kafka): while that one does not answer, records go to a
 * log on the disk.
 *
 * Records go straight to the inner bus while it answers. Once it does not (BUS_BUSY, or a receipt
 * outstanding, for longer than after_ns; or an error), what is under way becomes RECEIPT_UNKNOWN,
 * so that the caller sends it again, and everything goes to the log, whose synced commit is the
 * durable receipt (its offset is not known). The log is drained in its order and a record leaves it
 * only once the inner bus has it durably; when it is empty, records go straight again. So nothing
 * overtakes what is spooled, and a death at any point repeats records but loses none.
 *
 * The log is bounded. Full (bytes, or the disk): BUS_BUSY. Older than age_ns: dropped, counted, and
 * told as gap frames on the topic, as is what damage took.
 *
 * bus_open takes the backend "spool". Its first opening needs the inner bus, later ones do not:
 * partitions and identity are noted in the folder. The inner bus is opened, and after errors opened
 * anew, by a thread; readers, bus_range and the like pass through and fail with ERR_BUS meanwhile.
 * One handle at a time has the folder: ERR_USAGE for another. What the options point to must
 * outlive the handle.
 */
#ifndef TOCSIN_BUS_BUS_SPOOL_H
#define TOCSIN_BUS_BUS_SPOOL_H

#include "bus/bus.h"

struct bus_spool_options {
	const char *inner;      /* backend behind the spool */
	const char *path;       /* folder of the log */
	uint64_t bytes;         /* of records that wait; 0: 4 GiB */
	int64_t age_ns;         /* 0: no record is too old */
	int64_t after_ns;       /* 0: 2 s */
	uint64_t segment_bytes; /* of a file of the log; 0: 16 MiB */
	/* Opens the inner bus, in another thread; NULL: bus_open with the backend named inner. */
	int (*open)(struct bus **ret, const struct bus_options *options, struct error *error);
};

struct bus_spool_stats {
	bool spooling;      /* records go to the disk now */
	bool connected;     /* the inner bus is open */
	uint64_t records, bytes;   /* in the log and not yet durable in the inner bus */
	int64_t oldest_ns;  /* wall clock of the oldest of them; 0: none */
	uint64_t spooled, drained; /* records, since the handle was opened */
	uint64_t dropped;   /* records: too old, refused by the inner bus, damaged */
	uint64_t drain_rate;       /* bytes a second, of late */
	uint64_t outages;   /* how often spooling began */
};

/*
 * Why the inner bus could not be opened when that was tried last; NULL: it is open, or is being
 * opened for the first time, or this is no spool.
 */
const struct error *bus_spool_why(const struct bus *bus);
/*
 * The values of the records of "events" that wait in the log, in their order, each until the next.
 * 0 or negative; 0 too for a bus that is no spool.
 */
int bus_spool_each(struct bus *bus, void (*visit)(void *context, struct str value), void *context,
    struct error *error);
/* False: it is no spool, and *ret is zero. */
bool bus_spool_stats(const struct bus *bus, struct bus_spool_stats *ret);

#endif
