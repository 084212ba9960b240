/*
 * sighting.h - one event as groups remember it (cohort.h).
 */
#ifndef TOCSIN_CORRELATOR_SIGHTING_H
#define TOCSIN_CORRELATOR_SIGHTING_H

#include "correlator/evidence.h"
#include "sigma/decimal.h"

struct sighting {
	struct part part;    /* when, which, where, of which rule */
	struct parts *parts; /* of an inner correlation; else NULL */
	decimal number;      /* value_sum */
	bool used;           /* this place holds something */
	bool is_end;         /* as in struct item; not kept */
};

/* Several, owned together. */
struct sightings {
	uint32_t count;
	struct sighting list[];
};

struct sightings *sightings_new(uint32_t count); /* none used; NULL without memory */
void sightings_free(struct sightings *sightings); /* accepts NULL */

int sighting_compare(const struct sighting *a, const struct sighting *b); /* by place in time */
bool sighting_eq(const struct sighting *a, const struct sighting *b);     /* the same event */
/* Replaces what is there; shares the parts. */
void sighting_set(struct sighting *to, const struct sighting *from);
void sighting_clear(struct sighting *sighting);
/* The evidence of several. NULL without memory. */
struct parts *sightings_collect(const struct sighting *list, size_t count);

#endif
