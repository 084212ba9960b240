/*
 * matcher_shape.h - inside the matcher: which fields a record has, in which order.
 *
 * Events of one kind have the same fields, so that what follows from their ids alone is found out
 * once: the slot of each, the first value of a slot, and what an index looks for in which value. A
 * shape is told from others by all its ids, one by one. There are at most SHAPES of them; a
 * stranger who makes more has each made anew, which costs a few times what it saves.
 */
#ifndef TOCSIN_CORRELATOR_MATCHER_SHAPE_H
#define TOCSIN_CORRELATOR_MATCHER_SHAPE_H

#include "sigma/program.h"

#define SHAPES      2048u
#define SHAPE_WIDE  256u /* more fields are not kept: they are made anew each time */
#define SHAPE_NONE  UINT16_MAX

/* Look into this value by this table of the index. */
struct shape_step {
	uint32_t value, table;
};

struct shape {
	uint32_t count, capacity;
	uint32_t *ids;
	uint32_t *slots; /* by value; SLOT_ANYWHERE: no rule looks at it */
	uint16_t *next;  /* by value: the next of its slot, or SHAPE_NONE */
	uint16_t *first; /* by slot, or SHAPE_NONE */
	struct shape_step *steps; /* in order of value; room for all */
	uint32_t step_count;
	uint64_t steps_of; /* the serial of the index that they are for; 0: of none */
};

struct shapes;

/* NULL without memory. */
struct shapes *shapes_new(const struct program *program);
void shapes_free(struct shapes *shapes); /* accepts NULL */

/* Room for so many ids, or NULL. */
uint32_t *shapes_ids(struct shapes *shapes, size_t count);
/*
 * The shape of a record whose first count ids are in shapes_ids; hash is shape_hash over them in
 * turn, from 0. Valid until the next call. Without memory it has no values.
 */
struct shape *shapes_find(struct shapes *shapes, const struct record *record, uint32_t count,
    uint64_t hash);

static inline uint64_t shape_hash(uint64_t hash, uint32_t id)
{
	return (hash << 7 | hash >> 57) + id;
}

#endif
