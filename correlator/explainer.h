/*
 * explainer.h - why a rule matches an event, or does not: every part of its condition by itself.
 *
 * The answers are the matcher's and of its predicates; only the order of asking is another.
 */
#ifndef TOCSIN_CORRELATOR_EXPLAINER_H
#define TOCSIN_CORRELATOR_EXPLAINER_H

#include "sigma/program.h"

struct explainer;

/* The ruleset must outlive it. NULL when there is no memory. */
struct explainer *explainer_new(const struct ruleset *ruleset);
void explainer_free(struct explainer *explainer); /* accepts NULL */
/* The event of all that follows; must outlive the answers. */
void explainer_begin(struct explainer *explainer, const struct record *record);

/* Whether the matcher has found that plain rule. */
bool explainer_matches(const struct explainer *explainer, const struct rule *rule);

/* Which attributes of the rule's log source are the event's; one that is not given is. */
struct explained_source {
	bool product, category, service;
};
struct explained_source explainer_source(const struct explainer *explainer,
    const struct rule *rule);

bool explainer_holds(struct explainer *explainer, const struct expression *expression);
/*
 * The value that the predicate was asked of: the one that makes it hold, else the first of its
 * field. NULL when the field is not there, and for what keywords find in the raw message.
 */
const struct field *explainer_field(struct explainer *explainer,
    const struct predicate *predicate);

#endif
