/*
 * rig.h - a bus in memory that fails as it is told, and what can be read back from it.
 */
#ifndef TOCSIN_TESTS_COLLECTOR_RIG_H
#define TOCSIN_TESTS_COLLECTOR_RIG_H

#include "bus/backend.h"
#include "collector/agencies.h"
#include "collector/collector.h"
#include "event/frame.h"

#define RIG_PARTITIONS 4
#define RIG_TIME       INT64_C(1795328820000000000)

/* An event as it came back; text and raw are owned. */
struct seen {
	uint32_t partition, flags;
	struct coordinate at;
	enum transport transport;
	int64_t received_ns;
	int32_t zone_s;
	char *sender, *peer, *decoder, *raw;
	char who[96]; /* "agency/system/decoder" */
	size_t raw_len;
};

struct rig {
	struct bus *bus;
	enum fault fault; /* for calls of that name, while it is set */
	const char *fault_call;
	uint64_t fault_every; /* 0 and 1: each time */
	struct bus_reader *reader;
	struct seen *seen;
	size_t seen_count, seen_capacity;
	uint64_t last[RIG_PARTITIONS]; /* counter of the last event of a partition */
	uint64_t epoch;		       /* of those */
	bool holes;		       /* the bus loses single records: frames come out of order */
	bool known[65536];	       /* counters, with holes */
	uint64_t frames, repeats, ticks, gaps;
	uint64_t gap_events[5]; /* by reason */
	size_t frame_largest;
	char gap_source[64];
	char folder[64], identity[96];
};

void rig_open(struct rig *rig, uint64_t queue_bytes);
/* All senders are unknown, and of that agency. Stays until the program's end. */
const struct agencies *rig_nobody(struct str agency);
/* Reads what there is; every frame must hold, follow the one before it, and repeats be whole. */
void rig_read(struct rig *rig);
/* For a new epoch. */
void rig_restart(struct rig *rig);
/* NULL when it is not there. */
const struct seen *rig_find(const struct rig *rig, const char *raw);
void rig_close(struct rig *rig);

#endif
