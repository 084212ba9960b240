/*
 * envelope.h - what protocols wrap around events (decode_hec.c, decode_otlp.c, decode_bulk.c).
 *
 * A decoder of the stage ENVELOPE is asked only when the event names it. It puts what the envelope
 * says, and leaves the event itself as the record's message, which is then decoded like any line;
 * an empty message: there is nothing but fields.
 */
#ifndef TOCSIN_DECODER_ENVELOPE_H
#define TOCSIN_DECODER_ENVELOPE_H

#include "decoder/notes.h"

/*
 * What a value of JSON (base/json_cut.h) stands for: a string without quotes and escapes, anything
 * else as it is written. An escape that is none stays.
 */
struct str envelope_text(struct record *record, struct str value);
/* envelope_text as a field of the taxonomy; nothing for an empty or missing value. */
void envelope_put(struct record *record, enum field_id id, struct str value);
void envelope_put_named(struct record *record, struct str name, struct str value);
/* All values of an object as fields, vendors' names under the taxonomy's too. False: no object. */
bool envelope_put_fields(struct record *record, struct notes *notes, struct str object);

#endif
