/*
 * tally.h - what a window adds up: counts, distinct values, sums, and values in their order.
 *
 * A closing window (COURSE_CLOSE) opens with the first event of its group that no earlier one took
 * and lasts for the timespan, both ends included. Counts, sums and averages cost the same however
 * much comes; distinct values are kept as far as conditions can ask (correlation_condition.c), and
 * a window whose values are kept one by one is over when it has TALLY_VALUES of them.
 * A sliding sum (COURSE_SUM) keeps its events, at most TALLY_VALUES; then the oldest goes, and is
 * counted.
 */
#ifndef TOCSIN_CORRELATOR_TALLY_H
#define TOCSIN_CORRELATOR_TALLY_H

#include "correlator/sighting.h"
#include "sigma/rule.h"

#define TALLY_VALUES 65536u

struct item;

struct tally {
	int64_t first_ns;
	uint64_t count;
	decimal sum;
	struct item *last;           /* the event that came last */
	struct part *evidence;       /* of a closing window: the newest, and how many there were */
	uint32_t evidence_count, evidence_capacity;
	uint64_t evidence_cut;
	decimal *values;             /* one by one: medians, percentiles */
	uint32_t value_count, value_capacity;
	uint64_t *distinct;          /* open addressing, 0 is free; keyed hashes */
	uint32_t distinct_count, distinct_mask;
	struct sighting *events;     /* of a sliding sum: a ring */
	uint32_t event_first, event_count, event_capacity;
};

enum tally_result { TALLY_MEMORY = -1, TALLY_OPEN, TALLY_FULL };

struct tally *tally_new(int64_t first_ns);
void tally_free(struct tally *tally); /* accepts NULL */
size_t tally_bytes(const struct tally *tally);

/* Adds an event to a closing window. */
enum tally_result tally_add(struct tally *tally, const struct correlation *correlation,
    const struct item *item, const struct sighting *sighting);
/* Adds one to a sliding sum, after what is too old has gone. *ret_cut: one had to go before. */
bool tally_slide(struct tally *tally, const struct correlation *correlation,
    const struct item *item, const struct sighting *sighting, bool *ret_cut);
/* Whether its bounds hold; *ret: what they were asked of, cut to billionths. */
bool tally_holds(struct tally *tally, const struct correlation *correlation, decimal *ret);
/* NULL without memory. */
struct parts *tally_collect(const struct tally *tally);

void tally_sort(struct tally *tally); /* its values */
/* For the snapshot. */
bool tally_put_distinct(struct tally *tally, uint64_t value);
bool tally_put_value(struct tally *tally, decimal value);
bool tally_put_evidence(struct tally *tally, const struct part *part);
struct sighting *tally_event(const struct tally *tally, uint32_t index);
bool tally_put_event(struct tally *tally, const struct sighting *sighting);

#endif
