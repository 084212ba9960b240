/*
 * matcher_class.h - inside the matcher: records by log source. A class is what rules can tell
 * apart: names that no rule uses are all one, so a stranger cannot make classes without end.
 *
 * Classes which the same rules cover share one index, in a group. Its first index is made from what
 * is known of events in general; some events of the group are studied, and the index is made again
 * when that is worth it (matcher_upkeep.h). No index changes what matches.
 */
#ifndef TOCSIN_CORRELATOR_MATCHER_CLASS_H
#define TOCSIN_CORRELATOR_MATCHER_CLASS_H

#include "correlator/matcher.h"
#include "correlator/matcher_index.h"
#include "correlator/matcher_upkeep.h"

struct classes;

/* Classes of the same rules. */
struct group {
	uint32_t *rules; /* plain ones that cover it, ascending */
	size_t rule_count;
	struct index *index;
	struct index *whole;     /* of all texts; NULL until an event needs it */
	const struct study *study; /* of its events, or of none */
	struct study *own;         /* the same, or NULL: not begun */
	struct upkeep upkeep;
	struct group *next;
};

/* NULL without memory. */
struct classes *classes_new(const struct ruleset *ruleset);
void classes_free(struct classes *classes); /* accepts NULL */
/* NULL when there is no memory for a new one, or there are too many. */
struct group *classes_find(struct classes *classes, const struct record *record);
/* Makes the index for such records now. False without memory, or when there are too many. */
bool classes_warm(struct classes *classes, const struct record *record);
/* After the event that the view stands at was matched, when the group's upkeep asks for it. */
void classes_look(struct classes *classes, struct group *group, struct view *view);

/* The index of all texts, made when it is first needed. NULL without memory. */
struct index *classes_whole(struct classes *classes, struct group *group);

struct classes_size {
	size_t classes, groups, index_bytes, study_bytes;
	uint64_t indexes_made;
};
struct classes_size classes_size(const struct classes *classes);
/* The sources of the classes that events have met, at most max. */
size_t classes_sources(const struct classes *classes, struct matcher_source *ret, size_t max);

#endif
