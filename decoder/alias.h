/*
 * alias.h - vendors' field names brought under the taxonomy (aliases.def), and their times.
 *
 * Each of these first takes what is new in the record into the notes.
 */
#ifndef TOCSIN_DECODER_ALIAS_H
#define TOCSIN_DECODER_ALIAS_H

#include "decoder/notes.h"

/* For the fields of the record from index first on. */
void alias_apply(struct record *record, struct notes *notes, size_t first);
/*
 * The best of the fields from index first on that are known to tell the event's time becomes the
 * record's: those that name a zone before those that do not. False, and no change, without one.
 */
bool alias_time(struct record *record, struct notes *notes, size_t first);
/* The same when no header told a time; else such a field may only refine the header's. */
void alias_time_behind(struct record *record, struct notes *notes, size_t first);

/* What a name is as an alias and as a time. */
void alias_ask(struct str name, struct key *key);

#endif
