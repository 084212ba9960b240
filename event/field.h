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

/* Sigma's name; empty for FIELD_OTHER. */
struct str field_name(enum field_id id);
/* The ECS name; empty where ECS has none. */
struct str field_ecs(enum field_id id);
struct str field_meaning(enum field_id id);
/* By Sigma name, exact; FIELD_OTHER when unknown. Constant time. */
enum field_id field_lookup(struct str name);

#endif
