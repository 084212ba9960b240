/*
 * correlate_type.h - the small interface behind which each correlation type stands.
 *
 * One file correlate_<name>.c and one row in sigma/correlations.def. A type only counts; groups,
 * order, settling, evidence and chaining are the business of correlate.c.
 */
#ifndef TOCSIN_CORRELATOR_CORRELATE_TYPE_H
#define TOCSIN_CORRELATOR_CORRELATE_TYPE_H

#include "correlator/tally.h"
#include "correlator/window.h"
#include "sigma/rule.h"

enum feed_result {
	FEED_MEMORY = -1, /* ERR_MEMORY */
	FEED_WAIT = 0,
	FEED_FIRE = 1 /* the marks that are in the window now made it; the caller consumes them */
};

struct correlate_type {
	struct str name;
	/*
	 * COURSE_ARRIVAL. mark->value: as correlate_value says; step: index in the correlation's
	 * rules. NULL for a type that has no such course.
	 */
	enum feed_result (*feed)(struct window *window, const struct correlation *correlation,
	    const struct mark *mark, uint32_t step);
	/* Its windows are filled by window_renew: correlate_value tells by which value. */
	bool renews;
	/* value_count: an event without the counted fields does not count. */
	bool needs_values;
	/* An event whose field is no number does not count, but is counted. */
	bool needs_numbers;
	/* An event counts once, however many of the rules it matches. */
	bool counts_once;
	/*
	 * COURSE_CLOSE and COURSE_SUM: what a window comes to, exactly: over *ret_below, which is 1
	 * when it is called. One and its billionths, as the bounds are. NULL: never asked.
	 */
	decimal (*measure)(struct tally *tally, const struct correlation *correlation,
	    decimal *ret_below);
	bool keeps_distinct, keeps_values; /* what a closing window keeps for it */
};

const struct correlate_type *correlate_type(enum correlation_type type);

/* What the marks of a window are told apart by, of a type that renews. */
static inline uint64_t correlate_value(enum correlation_type type, uint64_t value, uint32_t step)
{
	return type == CORRELATION_TEMPORAL ? step : value;
}

/* What feeding a window of that name is going to need. */
void correlate_ask(const struct correlation *correlation, uint64_t value, uint32_t step,
    const struct window_table *table, const struct window_name *name, struct window_ask *ret);

/* Shared by value_percentile and value_median: rank in hundredths, of at least one value. */
decimal correlate_percentile(struct tally *tally, uint32_t rank, decimal *ret_below);

/*
 * Shared by value_count and temporal: remembers the last mark of each value; fires when as many
 * distinct ones as needed lie within the timespan. Cost O(needed), whatever the traffic.
 */
enum feed_result correlate_distinct(struct window *window, const struct mark *mark,
    int64_t timespan_ns, uint32_t needed);

#endif
