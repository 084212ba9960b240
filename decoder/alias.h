/*
 * alias.h - vendors' field names brought under the taxonomy (aliases.def), and their times.
 */
#ifndef TOCSIN_DECODER_ALIAS_H
#define TOCSIN_DECODER_ALIAS_H

#include "event/record.h"

/* For the fields of the record from index first on. */
void alias_apply(struct record *record, size_t first);
/*
 * The best of the fields from index first on that are known to tell the event's time becomes the
 * record's: those that name a zone before those that do not. False, and no change, without one.
 */
bool alias_time(struct record *record, size_t first);
/* The same when no header told a time; else such a field may only refine the header's. */
void alias_time_behind(struct record *record, size_t first);

#endif
