/*
 * matcher_clause.h - inside the matcher: the necessary clause of a rule, chosen by what it costs.
 */
#ifndef TOCSIN_CORRELATOR_MATCHER_CLAUSE_H
#define TOCSIN_CORRELATOR_MATCHER_CLAUSE_H

#include "correlator/matcher_study.h"

#define CLAUSE_NONE 1e30

/*
 * What it costs an event, about in instructions: to look for an expression, and where it is found,
 * odds of an event, to evaluate what else the rule asks for.
 */
struct price {
	double look, odds, rest;
};

struct known_price {
	struct price price;
	uint32_t round; /* it is of this one */
};

/* For one index after another. */
struct chooser {
	const struct program *program;
	const struct study *study;
	struct known_price *prices; /* by predicate */
	uint32_t round;
	float *openings; /* by slot: the share of a predicate in what it costs to look there */
	uint64_t serial; /* of the last index */
	uint32_t *places; /* by predicate: for who asks, all 0 between */
};

/* False without memory; chooser_free all the same. */
bool chooser_new(struct chooser *chooser, const struct program *program);
void chooser_free(struct chooser *chooser);
/* Before the first price for events that study tells of. */
void chooser_begin(struct chooser *chooser, const struct study *study);
/*
 * To look at a field at all has a price, which all that is looked for there share. counts: by slot,
 * how many that were. Prices are made anew.
 */
void chooser_open(struct chooser *chooser, const uint32_t *counts);

/* The whole price. CLAUSE_NONE: a match does not need the expression to be looked for. */
double clause_cost(struct chooser *chooser, const struct expression *expression);
/* Calls take for each predicate of the clause. The cost is not CLAUSE_NONE. */
bool clause_each(struct chooser *chooser, const struct expression *expression,
    bool (*take)(void *context, uint32_t predicate), void *context);

/* Whether tables can find it, by predicate.folded; else it is tested wherever its field is. */
bool clause_is_findable(const struct predicate *predicate);

#endif
