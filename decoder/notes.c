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

static inline __attribute__((always_inline)) void key_take(struct notes *notes,
    struct record *record, size_t index, const struct key *key)
{
	record_mark(record, index, (enum field_id)key->id);
	if (__builtin_expect(key->flags == 0, 1) || notes->count == NOTES_MOST)
		return;
	notes->notes[notes->count++] = (struct note){(uint16_t)index, *key};
	notes->flags |= key->flags;
}

void notes_take(struct notes *notes, struct record *record)
{
	struct keybook *book = notes->book;
	size_t count = record->field_count, i = notes->looked;
	const struct field *fields = record->fields;
	struct key room;

	if (i > count) {
		notes_begin(notes, book);
		i = 0;
	}
	notes->looked = count;
	for (; i < count && book != NULL; i++)
		key_take(notes, record, i, keybook_find(book, fields[i].name, &room));
	for (; i < count; i++) {
		room = key_ask(fields[i].name);
		key_take(notes, record, i, &room);
	}
}

void notes_again(struct notes *notes, struct record *record)
{
	notes_begin(notes, notes->book);
	notes_take(notes, record);
}
