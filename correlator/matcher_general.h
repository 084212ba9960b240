/*
 * matcher_general.h - inside the matcher: what is known of ordinary events before any was seen.
 */
#ifndef TOCSIN_CORRELATOR_MATCHER_GENERAL_H
#define TOCSIN_CORRELATOR_MATCHER_GENERAL_H

#include "sigma/program.h"

struct general;

/* The program must outlive it. NULL without memory. */
struct general *general_new(const struct program *program);
void general_free(struct general *general); /* accepts NULL */
const struct program *general_program(const struct general *general);

/*
 * By predicate: the share of events that have the field in which a text predicate holds, 0..1; for
 * a beginning or an end, in which its text is somewhere.
 */
const float *general_odds(const struct general *general);
#define GENERAL_BITS 12u

/* How often two bytes, the first one the lower, are in some ordinary events, 255 at most. */
const uint8_t *general_pairs(const struct general *general);

/* In which examples of ordinary values of a field four bytes are, a bit each: by general_place. */
const uint32_t *general_windows(const struct general *general, uint32_t slot);

static inline size_t general_place(uint32_t four)
{
	return four * 2654435761u >> (32 - GENERAL_BITS);
}

/* What the odds of predicates ask of a field's values. */
enum general_want {
	GENERAL_PRESENT = 1, /* whether there is one */
	GENERAL_EXACT = 2,
	GENERAL_ENDS = 4,
	GENERAL_FOURS = 8, /* every four bytes */
	GENERAL_BYTES = 16
};
/* By slot, bits of these; 0: nothing. */
const uint8_t *general_wants(const struct general *general);

#endif
