/*
 * matcher_index.h - inside the matcher: which rules of a class an event can match at all.
 *
 * For each rule a necessary clause is chosen: the cheapest set of predicates of which at least one
 * holds whenever the rule matches (and: the best child's; or: all children's together; not: none).
 * Only those predicates are looked for, by tables for each field: whole values, beginnings and ends
 * by hash, contained literals by filters. A rule without a clause is always a candidate. Literals
 * are folded even where case counts, and what is found is tested exactly, so the index never loses
 * a match: tests compare it with the plain evaluator.
 */
#ifndef TOCSIN_CORRELATOR_MATCHER_INDEX_H
#define TOCSIN_CORRELATOR_MATCHER_INDEX_H

#include "correlator/matcher_clause.h"
#include "correlator/matcher_code.h"
#include "correlator/matcher_table.h"

#define NO_TABLE UINT32_MAX

/* The parts are for matcher_index.c and matcher_search.c. Rules go by their number in the class. */
struct index {
	const struct program *program;
	uint64_t serial;         /* no other index of the matcher has had it; never 0 */
	const uint32_t *rules;   /* of the class; borrowed */
	size_t rule_count;
	uint32_t *always;        /* rules without a clause */
	size_t always_count;
	struct entry *entries;
	size_t entry_count;
	uint32_t *entry_rules;
	uint8_t *decided;        /* bit by predicate: it is an entry, found wherever it holds */
	uint32_t *table_of;      /* by slot */
	uint32_t anywhere;       /* the table of keywords */
	struct table *tables;
	size_t table_count;
	struct code **codes;     /* by rule, written when it is first needed */
};

/* rules must outlive it. NULL without memory. */
struct index *index_new(struct chooser *chooser, const struct study *study,
    const uint32_t *rules, size_t count);
/*
 * Of all texts that the rules ask for, each for itself and for no rule: what a search has not found
 * does not hold, and an event of any size is looked through once and not once a text.
 */
struct index *index_new_whole(struct chooser *chooser, const struct study *study,
    const uint32_t *rules, size_t count);
void index_free(struct index *index); /* accepts NULL */
/* What was written of rules goes on in another index of the same rules. */
void index_hand_on(struct index *from, struct index *to);
size_t index_bytes(const struct index *index);
/* What one like it costs to be made, about in instructions. */
uint64_t index_cost(const struct index *index);

#define CANDIDATES_HITS (2 * TEDDY_STEP)

/* Rules, each once, in no order; and what a search needs room for. */
struct candidates {
	uint32_t *rules, *stamps; /* room for all; a stamp is the view's where a rule is taken */
	size_t count;
	struct teddy_hit hits[CANDIDATES_HITS];
	struct gram_hit gram_hits[CANDIDATES_HITS];
};

/* The rules that the view may match (matcher_search.c). */
void index_search(struct index *index, struct view *view, struct candidates *ret);
/* Whether a rule matches; CODE_OVER as in code_run. */
enum code_answer index_holds(struct index *index, const struct study *study, struct view *view,
    uint32_t rule, uint64_t most);

#endif
