#include "decoder/notes.h"

void notes_begin(struct notes *notes, struct keybook *book)
{
	if (book != NULL)
		keybook_begin(book);
	notes->book = book;
	notes->looked = notes->count = 0;
	notes->flags = 0;
	notes->timed = 0;
	notes->time_found = false;
}

void notes_take(struct notes *notes, struct record *record)
{
	if (notes->looked > record->field_count)
		notes_begin(notes, notes->book);
	for (size_t i = notes->looked; i < record->field_count; i++) {
		struct field *field = &record->fields[i];
		struct key key = keybook_find(notes->book, field->name);

		field->id = (enum field_id)key.id;
		record_mark(record, field->id);
		if (key.flags == 0 || notes->count == NOTES_MOST)
			continue;
		notes->notes[notes->count++] = (struct note){(uint16_t)i, key};
		notes->flags |= key.flags;
	}
	notes->looked = record->field_count;
}

void notes_again(struct notes *notes, struct record *record)
{
	notes_begin(notes, notes->book);
	notes_take(notes, record);
}
