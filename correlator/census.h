/*
 * census.h - what decoding the events of each sender came to: how many no decoder knew, how many
 * told no time, how far their clocks are off. For a person who looks (`tocsin sources`); nothing is
 * decided by it, and it begins anew with the worker.
 */
#ifndef TOCSIN_CORRELATOR_CENSUS_H
#define TOCSIN_CORRELATOR_CENSUS_H

#include "event/record.h"

struct census;

struct census_row {
	struct str sender;        /* "(others)": those beyond the ceiling */
	enum transport transport;
	uint64_t decoded;         /* events that were looked at */
	uint64_t undecoded;       /* ... of which no decoder but "plain" took any */
	uint64_t untimed;         /* ... told no time that can be used */
	uint64_t skewed;          /* ... were too far off, so that the receive time counts */
	/* Event time less receive time, of those that told one: of the last, least and most. */
	int64_t skew_ns, skew_least_ns, skew_most_ns;
};

#define CENSUS_SENDER 64 /* bytes of a name that are told apart */

struct census *census_new(size_t rows_max); /* NULL without memory */
void census_free(struct census *census);    /* accepts NULL */
/* Without memory it is counted with the others. */
void census_note(struct census *census, const struct record *record, bool skewed);
/* In the order in which they were first seen; visit returns false to stop. */
void census_each(const struct census *census,
    bool (*visit)(void *context, const struct census_row *row), void *context);

#endif
