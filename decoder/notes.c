#include "decoder/notes.h"

void notes_begin(struct notes *notes, struct keybook *book)
{
	if (book != NULL)
		keybook_begin(book);
	notes->book = book;
	notes->looked = notes->asked = notes->count = 0;
	notes->flags = 0;
	notes->timed = 0;
	notes->time_found = false;
}

static void notes_ask(struct notes *notes, struct record *record)
{
	for (size_t i = notes->looked; i < record->field_count; i++) {
		struct key key = key_ask(record->fields[i].name);

		notes_key(notes, record, i, &key);
	}
}

static void notes_find(struct notes *notes, struct record *record)
{
	size_t count = record->field_count;
	const struct field *fields = record->fields;
	struct key room;

	for (size_t i = notes->looked; i < count; i++)
		notes_key(notes, record, i, keybook_find(notes->book, fields[i].name, &room));
}

void notes_take_all(struct notes *notes, struct record *record)
{
	if (notes->looked > record->field_count)
		notes_begin(notes, notes->book);
	if (notes->book == NULL)
		notes_ask(notes, record);
	else
		notes_find(notes, record);
	if (notes->asked == notes->looked)
		notes->asked = record->field_count;
	notes->looked = record->field_count;
}

/* Gives a field the id of its new name; false when it had another, of which it may be the first. */
static bool field_rename(struct record *record, size_t index, const struct key *key)
{
	uint16_t *first = &record->first[key->mark];
	bool had = record->fields[index].id != FIELD_OTHER;

	record->fields[index].id = (enum field_id)key->id;
	if (*first == 0 || *first > index + 1)
		*first = (uint16_t)(index + 1);
	return !had;
}

static struct key key_bare(const struct notes *notes, const struct note *note, struct str name)
{
	struct key room;

	if (note->is_bare)
		return note->bare;
	return notes->book == NULL ? key_ask(name) : *keybook_find(notes->book, name, &room);
}

/* Notes of names that are nothing now are dropped. False: record_shorten is called for. */
static bool notes_rename(struct notes *notes, struct record *record)
{
	size_t kept = 0;
	bool right = true;

	notes->flags = 0;
	for (size_t i = 0; i < notes->count; i++) {
		struct note *note = &notes->notes[i];

		if (note->key.flags & KEY_RENAMED) {
			note->key = key_bare(notes, note, record->fields[note->field].name);
			note->is_bare = false;
			right &= field_rename(record, note->field, &note->key);
		}
		notes->flags |= note->key.flags;
		notes->notes[kept] = *note;
		kept += note->key.flags != 0;
	}
	notes->count = kept;
	return right;
}

void notes_again(struct notes *notes, struct record *record)
{
	if (!notes_rename(notes, record))
		record_shorten(record, record->field_count);
	notes->looked = notes->asked;
	notes->timed = 0;
	notes->time_found = false;
	notes_take(notes, record);
}
