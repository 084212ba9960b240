/*
 * json_fields.h - the values of a JSON object as fields of a record: as json_scan.h, but quickly.
 *
 * Two stages: json_mask.h finds the quotes in blocks of 64 bytes, then a walk goes from quote to
 * quote and looks at what stands between strings, byte by byte. The walk accepts nothing that
 * json_scan refuses; what it does not accept is left to json_scan.
 */
#ifndef TOCSIN_DECODER_JSON_FIELDS_H
#define TOCSIN_DECODER_JSON_FIELDS_H

#include "base/cpu.h"
#include "decoder/notes.h"

/*
 * Puts the values of text behind the fields of record. Some or all of them are noted already;
 * notes_take does the others. False when text is no object, or without memory: the fields that were
 * put are then to be forgotten. Past the record's ceiling fields are dropped and flagged. Sets
 * record->unescaped when all values that are no views of text are told by it.
 */
bool json_fields(struct record *record, struct str text, unsigned depth, struct notes *notes);
/* The walk alone, without json_scan behind it; for tests. */
bool json_fields_walk(struct record *record, struct str text, unsigned depth,
    struct notes *notes, enum cpu_level level);
/* json_scan alone, which does not set record->unescaped; for tests, and where the walk fails. */
bool json_fields_scan(struct record *record, struct str text, unsigned depth);

#endif
