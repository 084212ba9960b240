/*
 * field.h - the taxonomy: the field names that decoders give, Sigma's name and ECS' name of each.
 *
 * One row a field in field.def: FIELD(symbol, "SigmaName", "ecs.name", "what it is"). The reference
 * in docs/FIELDS.md is made from it. An event may carry other names too (FIELD_OTHER).
 */
#ifndef TOCSIN_EVENT_FIELD_H
#define TOCSIN_EVENT_FIELD_H

#include "base/str.h"

enum field_id {
	FIELD_OTHER = 0,
#define FIELD(symbol, sigma, ecs, meaning) FIELD_##symbol,
#include "event/field.def"
#undef FIELD
	FIELD_COUNT
};

#define FIELD_MOST 65536u /* every id is below */

/* Sigma's name, or the interned one; empty for FIELD_OTHER. Lives as long as the process. */
struct str field_name(enum field_id id);
/* The ECS name; empty where ECS has none. */
struct str field_ecs(enum field_id id);
struct str field_meaning(enum field_id id);
/* By name, exact; FIELD_OTHER when unknown. Constant time; any thread, at any time. */
enum field_id field_lookup(struct str name);

/*
 * Gives a name that a rule looks at a number of its own for as long as the process lives,
 * FIELD_COUNT or above, so that field_lookup tells it; the one that it has, if it has one.
 * FIELD_OTHER for an empty name, when FIELD_MOST numbers are given out, or without memory: such a
 * field is then found by its name. The numbers mean nothing outside of this process. Any thread.
 */
enum field_id field_intern(struct str name);
/*
 * How many names have been interned. A field that was looked up when this was at least g, and is
 * FIELD_OTHER, has none of the first g names.
 */
uint32_t field_generation(void);

#endif
