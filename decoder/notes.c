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

/* What the names have become, in place; notes of names that are nothing now are dropped. */
static void notes_rename(struct notes *notes, struct record *record)
{
	size_t kept = 0;
	struct key room;

	notes->flags = 0;
	for (size_t i = 0; i < notes->count; i++) {
		struct note *note = &notes->notes[i];
		struct field *field = &record->fields[note->field];

		if (note->key.flags & KEY_RENAMED) {
			if (note->is_bare)
				note->key = note->bare;
			else if (notes->book == NULL)
				note->key = key_ask(field->name);
			else
				note->key = *keybook_find(notes->book, field->name, &room);
			note->is_bare = false;
			field->id = (enum field_id)note->key.id;
		}
		notes->flags |= note->key.flags;
		notes->notes[kept] = *note;
		kept += note->key.flags != 0;
	}
	notes->count = kept;
}

void notes_again(struct notes *notes, struct record *record)
{
	notes_rename(notes, record);
	notes->looked = notes->asked;
	notes->timed = 0;
	notes->time_found = false;
	record_shorten(record, record->field_count);
	notes_take(notes, record);
}
