/*
 * first_seen.h - tocsin.first_seen: which matches of a rule are told, because their values were not
 * seen in their group for so long.
 *
 * A match travels to the partition of its group, as a detection whose correlation is the rule
 * itself. The answer is given twice, like that of a correlation (correlate.h). Settled: in order of
 * (time, coordinate), as the watermark passes, from the memory (memory.h) that it then changes.
 * Early: as it arrives, and only where nothing that may still arrive can take the alert back: no
 * row that still counts, none that waits, and a group that has been learnt by the watermark. What
 * comes late and lies before it then is the first itself, and replaces it. All else waits for the
 * watermark.
 *
 * A partition that is read again after a crash (silent) changes no memory: that is as of the stored
 * offset already.
 */
#ifndef TOCSIN_CORRELATOR_FIRST_SEEN_H
#define TOCSIN_CORRELATOR_FIRST_SEEN_H

#include "correlator/alert_build.h"
#include "correlator/correlate.h"
#include "event/detection.h"

struct first_seen_state;
struct item;
struct run;

/* On the side that matches: groups and values of the detection. False: the event lacks a field. */
bool first_seen_link(struct detection *detection, const struct alert_site *site,
    struct arena *arena, const struct rule *rule, const struct record *record);

/* The rule that a detection of this kind is for, or NULL. */
const struct rule *first_seen_rule(
    const struct ruleset *ruleset, const struct detection *detection);
/* A detection as it waits; NULL without memory. */
struct item *first_seen_item(const struct rule *rule, const struct detection *detection);
/* Gives the answer, early or settled (run->settled). */
int first_seen_run(struct run *run, const struct item *item);

/* NULL without memory. A set without such rules has one too: rows of rules that have gone go. */
struct first_seen_state *first_seen_new(const struct correlate_options *options);
void first_seen_free(struct first_seen_state *state); /* accepts NULL */
/* Rules that the snapshot of correlate did not know. */
bool first_seen_has_strangers(const struct correlate *correlate);
void first_seen_count(const struct first_seen_state *state, struct worker_stats *ret);

#endif
