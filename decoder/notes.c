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

void notes_put(struct notes *notes, size_t index, const struct key *key)
{
	if (notes->count == NOTES_MOST)
		return;
	notes->notes[notes->count++] = (struct note){(uint16_t)index, *key};
	notes->flags |= key->flags;
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

void notes_again(struct notes *notes, struct record *record)
{
	size_t count = record->field_count;

	record_shorten(record, 0);
	record->field_count = count;
	notes_begin(notes, notes->book);
	notes_take(notes, record);
}
