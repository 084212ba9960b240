#include "decoder/key.h"

#include "decoder/alias.h"
#include "decoder/windows.h"

#include <stdlib.h>

struct keybook *keybook_new(void)
{
	struct keybook *book = calloc(1, sizeof(*book));

	if (book != NULL)
		book->generation = field_generation();
	return book;
}

void keybook_free(struct keybook *book)
{
	free(book);
}

void keybook_begin(struct keybook *book)
{
	uint32_t generation = field_generation();

	if (book->generation == generation)
		return;
	book->generation = generation;
	memset(book->entries, 0, sizeof(book->entries));
}

struct key key_ask(struct str name)
{
	static const struct str messages[] = {
	    STR_INIT("message"), STR_INIT("Message"), STR_INIT("msg"), STR_INIT("log")};
	struct key key = {.id = (uint16_t)field_lookup(name)};

	alias_ask(name, &key);
	windows_ask(name, &key);
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		if (str_eq(messages[i], name)) {
			key.flags |= KEY_MESSAGE;
			key.rank = (uint8_t)i;
		}
	}
	return key;
}

static void entry_put(struct keybook *book, struct key_entry entry, struct str name)
{
	unsigned set = key_set(entry.head, entry.tail, name.len);
	unsigned way = book->entries[set][0].len == 0 ? 0 : book->turn++ % KEY_WAYS;

	book->entries[set][way] = entry;
	memcpy(book->texts[set][way], name.ptr, name.len);
}

const struct key *keybook_find_rare(struct keybook *book, struct str name, struct key *room)
{
	uint64_t head, tail;

	if (name.len == 0 || name.len > KEY_KEPT) {
		*room = key_ask(name);
		return room;
	}
	key_ends(name, &head, &tail);
	unsigned set = key_set(head, tail, name.len);

	for (unsigned way = 0; way < KEY_WAYS && name.len > KEY_SHORT; way++) {
		const struct key_entry *entry = &book->entries[set][way];

		if (entry->head == head && entry->tail == tail && entry->len == name.len &&
		    memcmp(book->texts[set][way], name.ptr, name.len) == 0)
			return &entry->key;
	}
	*room = key_ask(name);
	entry_put(book,
	    (struct key_entry){
		.head = head, .tail = tail, .len = (uint32_t)name.len, .key = *room},
	    name);
	return room;
}
