/*
 * suppress.h - tocsin.suppress: the key under which a rule's matches count on the first one's
 * alert. The store does the counting (storage/fold.h); here the key is only told.
 */
#ifndef TOCSIN_CORRELATOR_SUPPRESS_H
#define TOCSIN_CORRELATOR_SUPPRESS_H

#include "correlator/alert_build.h"

/*
 * Of a plain rule's event: its fields, without those that it lacks. Names are borrowed from the
 * rule, values from the record or made in arena.
 */
void suppress_of_record(struct alert *alert, const struct alert_site *site, struct arena *arena,
    const struct rule *rule, const struct record *record);
/* Of a correlation: some of the groups that the alert has. */
void suppress_of_groups(struct alert *alert, struct arena *arena, const struct rule *rule);

#endif
