/*
 * matcher_clause.h - inside the matcher: the necessary clause of a rule, chosen by what it costs.
 */
#ifndef TOCSIN_CORRELATOR_MATCHER_CLAUSE_H
#define TOCSIN_CORRELATOR_MATCHER_CLAUSE_H

#include "sigma/program.h"

#define CLAUSE_NONE 1e30

/*
 * What it costs to look for this predicate: a guess at how often it is found for nothing, per
 * thousand events that have the field. CLAUSE_NONE: a match does not need it to be looked for.
 */
double clause_cost(const struct program *program, const struct expression *expression);
/* Calls take for each predicate of the clause. The cost is not CLAUSE_NONE. */
bool clause_each(const struct program *program, const struct expression *expression,
    bool (*take)(void *context, uint32_t predicate), void *context);

/* How common four bytes are in ordinary events, by a hash of them; for the choice of a window. */
struct commonness {
	uint8_t counts[4096];
};
void commonness_learn(struct commonness *commonness);
unsigned commonness_of(const struct commonness *commonness, const char four[4]);

#endif
