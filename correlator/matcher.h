/*
 * matcher.h - one event against all rules at once.
 *
 * A matcher is the mutable side of a ruleset: scratch and memo of one thread. Each predicate is
 * evaluated at most once an event and shared by all rules. Pure: the same record and ruleset give
 * the same matches. Hostile values cost a bounded amount: regex steps are limited, and an event
 * that passes its budget is counted.
 */
#ifndef TOCSIN_CORRELATOR_MATCHER_H
#define TOCSIN_CORRELATOR_MATCHER_H

#include "sigma/ruleset.h"

struct matcher;

/* The ruleset must outlive it. NULL when there is no memory. */
struct matcher *matcher_new(const struct ruleset *ruleset);
void matcher_free(struct matcher *matcher); /* accepts NULL */

/* Indexes of the plain rules that match, ascending, valid until the next run. */
size_t matcher_run(struct matcher *matcher, const struct record *record, const uint32_t **ret);
/*
 * Every rule in turn, without index, gate or memo: slow, obviously right; the other side of the
 * differential tests.
 */
size_t matcher_run_plain(struct matcher *matcher, const struct record *record,
    const uint32_t **ret);
/* After a run: which fields made that rule match (names and values, borrowed). Up to max. */
size_t matcher_explain(struct matcher *matcher, const struct record *record, uint32_t rule,
    struct alert_pair *ret, size_t max);

/* A log source as records tell it; names are borrowed. */
struct matcher_source {
	struct str product, service;
	struct str categories[RECORD_CATEGORIES];
	size_t category_count;
};

/* Sources that events have met, at most max, in names of the ruleset. */
size_t matcher_sources(const struct matcher *matcher, struct matcher_source *ret, size_t max);
/* Makes its index now, and not at its first event. False without memory. */
bool matcher_warm(struct matcher *matcher, const struct matcher_source *source);

struct matcher_stats {
	uint64_t events, matches, candidates, predicates, regexes, regex_limit_hits;
	uint64_t regex_cut_subjects; /* longer than what a regex looks at */
	uint64_t over_budget; /* events that asked for too many texts one by one: see matcher.c */
	uint64_t short_of_memory;    /* values that were not folded, or not seen */
	uint64_t classes, indexes_made;
	uint64_t table_bytes, study_bytes; /* what the indexes, what their choice takes, now */
};
void matcher_stats(const struct matcher *matcher, struct matcher_stats *ret);

/* Of one rule, since the matcher was made, or the one that its counters were carried from. */
struct matcher_rule_stats {
	uint64_t hits, candidates;
	uint64_t predicates; /* tested for its sake */
	int64_t last_ns;     /* when the event of the last hit was received; 0: none */
};
const struct matcher_rule_stats *matcher_rule_stats(const struct matcher *matcher, uint32_t rule);
/* Goes on with the counters of those rules whose id and compiled form are the same. */
void matcher_carry(struct matcher *matcher, const struct matcher *from);
/*
 * Which rules no index can look up, by rule index: they are candidates for every event of their log
 * source. ret has room for all. False without memory.
 */
bool matcher_always(const struct ruleset *ruleset, bool *ret);

#endif
