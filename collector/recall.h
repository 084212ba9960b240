/*
 * recall.h - which named messages (messages.h) this collector had put on the bus before it was
 * started: its senders may send them again, because it was killed before it could answer.
 */
#ifndef TOCSIN_COLLECTOR_RECALL_H
#define TOCSIN_COLLECTOR_RECALL_H

#include "bus/bus.h"
#include "collector/messages.h"

/* Records of each partition that are read back; what was under way at a kill is fewer. */
#define RECALL_RECORDS 2048u
/* It is not waited for longer than this. */
#define RECALL_NS INT64_C(10000000000)

/*
 * Reads the end of each partition of "events", and what waits in a spool. Messages of other
 * collectors are passed over. Negative when the bus cannot be read now: then what is known is what
 * could be read.
 */
int recall(struct messages *messages, struct bus *bus, uint64_t collector, struct error *error);

#endif
