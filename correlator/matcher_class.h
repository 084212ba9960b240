/*
 * matcher_class.h - inside the matcher: records by log source. A class is what rules can tell
 * apart: names that no rule uses are all one, so a stranger cannot make classes without end.
 */
#ifndef TOCSIN_CORRELATOR_MATCHER_CLASS_H
#define TOCSIN_CORRELATOR_MATCHER_CLASS_H

#include "correlator/matcher.h"
#include "correlator/matcher_index.h"

struct classes;

struct class {
	uint32_t product, service; /* numbers of names; 0: one that no rule uses, or none */
	uint32_t categories[RECORD_CATEGORIES]; /* ascending, 0 first */
	uint32_t *rules; /* plain ones that cover it, ascending */
	size_t rule_count;
	struct index *index;
	struct class *next;
};

/* NULL without memory. */
struct classes *classes_new(const struct ruleset *ruleset);
void classes_free(struct classes *classes); /* accepts NULL */
/* NULL when there is no memory for a new one, or there are too many. */
struct class *classes_find(struct classes *classes, const struct record *record);
/* The sources of the classes that there are, at most max. */
size_t classes_sources(const struct classes *classes, struct matcher_source *ret, size_t max);

#endif
