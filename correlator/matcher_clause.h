/*
 * matcher_clause.h - inside the matcher: the necessary clause of a rule, chosen by what it costs.
 */
#ifndef TOCSIN_CORRELATOR_MATCHER_CLAUSE_H
#define TOCSIN_CORRELATOR_MATCHER_CLAUSE_H

#include "correlator/matcher_study.h"

#define CLAUSE_NONE 1e30F

/*
 * What it costs an event, about in instructions: to look for an expression, and where it is found,
 * odds of an event, to evaluate what else the rule asks for.
 */
struct price {
	float look, odds, rest;
};

/* But for the share in what it costs to look at the field. */
struct known_price {
	float look, odds;
	uint32_t round;   /* it is of this one */
	uint32_t opening; /* its slot's */
};

struct node;

/* For one index after another. */
struct chooser {
	const struct program *program;
	struct general *general;
	struct study *nothing;      /* of no events */
	const struct study *study;
	struct node *nodes;         /* of all rules, one behind the other */
	uint32_t *firsts;           /* by rule, in nodes */
	struct known_price *prices; /* by predicate */
	uint32_t round;
	float *openings; /* by slot, keywords last: a predicate's share in what it costs to look */
	uint64_t serial;  /* of the last index */
	uint32_t *places; /* by predicate: for who asks, all 0 between */
};

/* False without memory; chooser_free all the same. */
bool chooser_new(struct chooser *chooser, const struct ruleset *ruleset);
void chooser_free(struct chooser *chooser);
/* Before the first price for events that study tells of; NULL: of which nothing is known. */
void chooser_begin(struct chooser *chooser, const struct study *study);
/*
 * To look at a field at all has a price, which all that is looked for there share. counts: by slot,
 * how many that were.
 */
void chooser_open(struct chooser *chooser, const uint32_t *counts);
/* By how much chooser_open has made a predicate dearer that had a price before. */
static inline float clause_opening(const struct chooser *chooser, uint32_t predicate)
{
	return chooser->openings[chooser->prices[predicate].opening];
}

/* The whole price of a plain rule. CLAUSE_NONE: a match does not need anything to be looked for. */
float clause_cost(struct chooser *chooser, uint32_t rule);
/* After clause_cost, which was not CLAUSE_NONE: calls take for each predicate of the clause. */
bool clause_each(const struct chooser *chooser, uint32_t rule,
    bool (*take)(void *context, uint32_t predicate), void *context);

/* Whether tables can find it, by predicate.folded; else it is tested wherever its field is. */
bool clause_is_findable(const struct predicate *predicate);

#endif
