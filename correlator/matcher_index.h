/*
 * matcher_index.h - inside the matcher: which rules of a class an event can match at all.
 *
 * For each rule a necessary clause is chosen: the cheapest set of predicates of which at least one
 * holds whenever the rule matches (and: the best child's; or: all children's together; not: none).
 * Only those predicates are looked for, by tables for each field: whole values, beginnings and ends
 * by hash, contained literals by a filter over 4-byte windows. A rule without a clause is always a
 * candidate. Literals are folded even where case counts, and what is found is tested exactly, so
 * the index never loses a match: tests compare it with the plain evaluator.
 */
#ifndef TOCSIN_CORRELATOR_MATCHER_INDEX_H
#define TOCSIN_CORRELATOR_MATCHER_INDEX_H

#include "correlator/matcher_view.h"

struct index;

/* NULL without memory. */
struct index *index_new(const struct program *program, const uint32_t *rules, size_t count);
void index_free(struct index *index); /* accepts NULL */
/* Calls take for rules that the view may match, some more than once. */
void index_candidates(const struct index *index, struct view *view,
    void (*take)(void *context, uint32_t rule), void *context);

#endif
