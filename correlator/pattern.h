/*
 * pattern.h - alternatives of rules that are there and rules that are not (COURSE_PATTERN).
 *
 * temporal: an alternative is met by events of all the rules that must be there within the
 * timespan; a rule that must not be there may match in no window of that length that holds them.
 * temporal_ordered: by such events one after the other, in the listed order; a rule that must not
 * be there may not match between those listed before and behind it; listed first, not within the
 * timespan up to the last event; listed last, not within the timespan from the first event on.
 * What waits for such an end is a candidate until then.
 */
#ifndef TOCSIN_CORRELATOR_PATTERN_H
#define TOCSIN_CORRELATOR_PATTERN_H

#include "correlator/sighting.h"
#include "sigma/rule.h"

#define PATTERN_CANDIDATES 4096u

struct item;

/* Met, but for what may still come until it is due. */
struct candidate {
	int64_t due_ns;
	uint32_t term;
	struct item *last;       /* the event that completed it */
	struct sightings *events; /* one a rule that must be there */
};

struct pattern {
	int64_t latest_ns;       /* of all that was seen */
	struct track {
		struct sightings *slots; /* NULL until something was in it */
		int64_t barred_ns;   /* last match of what must not be there; INT64_MIN: none */
	} *tracks;               /* one a term */
	uint32_t track_count;
	struct candidate *candidates; /* in the order in which they are due; in the room for them */
	struct candidate *candidate_room;
	uint32_t candidate_count, candidate_capacity;
};

enum pattern_result {
	PATTERN_MEMORY = -1,
	PATTERN_WAIT,
	PATTERN_CUT, /* as WAIT, and a candidate was not kept */
	PATTERN_FIRE /* *ret_parts are the events, which the pattern has forgotten */
};

struct pattern *pattern_new(const struct correlation *correlation);
void pattern_free(struct pattern *pattern); /* accepts NULL */
size_t pattern_bytes(const struct pattern *pattern, const struct correlation *correlation);
/* How many slots the term has, and how many events it is met by. */
uint32_t pattern_slots(const struct correlation *correlation, uint32_t term);
uint32_t pattern_events(const struct correlation *correlation, uint32_t term);

enum pattern_result pattern_feed(struct pattern *pattern, const struct correlation *correlation,
    const struct item *item, const struct sighting *sighting, uint32_t step,
    struct parts **ret_parts);
/* When to look at it again: a candidate is due, or all of it is too old. */
int64_t pattern_due(const struct pattern *pattern, const struct correlation *correlation);
/*
 * The first candidate that is due by then: its parts, and *ret_last, which is the caller's to free.
 * PATTERN_WAIT where there is none.
 */
enum pattern_result pattern_take(struct pattern *pattern, const struct correlation *correlation,
    int64_t now_ns, struct parts **ret_parts, struct item **ret_last);
/* Room for one more; NULL without memory. For the snapshot too. */
struct candidate *pattern_add(struct pattern *pattern, const struct correlation *correlation,
    uint32_t term);

#endif
