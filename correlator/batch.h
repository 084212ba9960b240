/*
 * batch.h - what one step of a worker is about to send; lives in the batch's arena.
 */
#ifndef TOCSIN_CORRELATOR_BATCH_H
#define TOCSIN_CORRELATOR_BATCH_H

#include "base/arena.h"
#include "bus/bus.h"

struct letter {
	struct letter *next;
	uint32_t owner;         /* letter_owner of the source: who resends it */
	enum bus_topic topic;
	uint32_t partition;
	struct str key, value;
	uint64_t sequence;      /* once it is in the outbox */
};

struct batch {
	struct arena *arena;
	int64_t now_ns;         /* only for what is not compared: when an alert was made */
	uint32_t partitions[TOPIC_COUNT];
	struct letter *first, **end;
	size_t count;
};

/* Source topic and partition in one number. */
uint32_t letter_owner(enum bus_topic topic, uint32_t partition);

void batch_begin(struct batch *batch, struct arena *arena, int64_t now_ns);
/* Copies key and value. The partition follows from the key. False without memory. */
bool batch_post(struct batch *batch, uint32_t owner, enum bus_topic topic, struct str key,
    struct str value);
/* To every partition, without a key. */
bool batch_post_all(struct batch *batch, uint32_t owner, enum bus_topic topic, struct str value);

#endif
