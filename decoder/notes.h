/*
 * notes.h - the few fields of an event whose names mean something to a decoder, noted once while
 * the record is filled, so that no step has to look through all of them.
 */
#ifndef TOCSIN_DECODER_NOTES_H
#define TOCSIN_DECODER_NOTES_H

#include "decoder/key.h"

#define NOTES_MOST 1024u /* as many as fields: DECODER_FIELDS */

struct note {
	uint16_t field; /* index */
	bool is_bare;   /* bare is known: of KEY_RENAMED what the name without its prefix is */
	struct key key, bare;
};

/* 20 KB of which little is touched: not to be cleared for each event. */
struct notes {
	struct keybook *book; /* NULL: none */
	size_t looked;        /* fields of the record that were looked at, or need not be */
	size_t asked;         /* of these the first whose names were all looked up */
	size_t count;
	unsigned flags;       /* of all notes together: enum key_flag */
	size_t timed;         /* alias_time has decided over so many of them; 0: it has not */
	bool time_found;      /* what it said */
	struct note notes[NOTES_MOST];
};

void notes_begin(struct notes *notes, struct keybook *book);
/* The field at index has a name of that key, and perhaps bare: for notes_key. */
static inline void notes_put(struct notes *notes, size_t index, const struct key *key,
    const struct key *bare)
{
	if (notes->count == NOTES_MOST)
		return;
	struct note *note = &notes->notes[notes->count++];

	note->field = (uint16_t)index;
	note->is_bare = bare != NULL;
	note->key = *key;
	if (bare != NULL)
		note->bare = *bare;
	notes->flags |= key->flags;
}
/* Gives the field at index its id, and notes it if that is worth it. In order of index. */
static inline void notes_key(struct notes *notes, struct record *record, size_t index,
    const struct key *key)
{
	record_mark_slot(record, index, (enum field_id)key->id, key->mark);
	if (__builtin_expect(key->flags != 0, 0))
		notes_put(notes, index, key, NULL);
}
/*
 * Notes the fields that were put since the last call, and gives them their ids. Fields of a record
 * that was put back to fewer are forgotten.
 */
static inline void notes_take(struct notes *notes, struct record *record);
/* notes_take where there is something to take. */
void notes_take_all(struct notes *notes, struct record *record);
static inline void notes_take(struct notes *notes, struct record *record)
{
	if (notes->looked != record->field_count)
		notes_take_all(notes, record);
}

/* What was put since stands under names of the taxonomy that decoders gave: nothing to note. */
static inline void notes_pass(struct notes *notes, const struct record *record)
{
	notes->looked = record->field_count;
}

/* After the fields of KEY_RENAMED were given their bare names, without ids. */
void notes_again(struct notes *notes, struct record *record);

#endif
