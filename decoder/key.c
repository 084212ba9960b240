#include "decoder/key.h"

#include "decoder/alias.h"
#include "decoder/windows.h"

#include <stdlib.h>

#define SETS	  1024u
#define WAYS	  2u
#define NAME_MOST 64u /* longer names are asked anew each time */

/* head and tail tell names of up to 16 bytes apart; of longer ones the text is compared. */
struct entry {
	uint64_t head, tail;
	uint32_t len; /* 0: free; the empty name is not kept */
	struct key key;
};

struct keybook {
	uint32_t generation; /* of field.h, for which the ids hold */
	unsigned turn; /* which way is overwritten next */
	struct entry entries[SETS][WAYS];
	char texts[SETS][WAYS][NAME_MOST];
};

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

static struct key key_ask(struct str name)
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

/* The first and the last 8 bytes, of a shorter name enough to tell it, without reading beyond. */
static inline void ends_of(struct str name, uint64_t *head, uint64_t *tail)
{
	uint32_t low, high;

	if (name.len >= 8) {
		memcpy(head, name.ptr, 8);
		memcpy(tail, name.ptr + name.len - 8, 8);
	} else if (name.len >= 4) {
		memcpy(&low, name.ptr, 4);
		memcpy(&high, name.ptr + name.len - 4, 4);
		*head = low;
		*tail = high;
	} else {
		*head = (uint8_t)name.ptr[0] | (uint32_t)(uint8_t)name.ptr[name.len / 2] << 8;
		*tail = (uint8_t)name.ptr[name.len - 1];
	}
}

static inline unsigned set_of(uint64_t head, uint64_t tail, size_t len)
{
	uint64_t hash = (head ^ len) * UINT64_C(0x9e3779b97f4a7c15);

	hash = (hash ^ hash >> 32 ^ tail) * UINT64_C(0xc2b2ae3d27d4eb4f);
	return (unsigned)(hash >> 48) % SETS;
}

struct key keybook_find(struct keybook *book, struct str name)
{
	uint64_t head, tail;

	if (book == NULL || name.len == 0 || name.len > NAME_MOST)
		return key_ask(name);
	ends_of(name, &head, &tail);
	unsigned set = set_of(head, tail, name.len);

	for (unsigned way = 0; way < WAYS; way++) {
		const struct entry *entry = &book->entries[set][way];

		if (entry->head == head && entry->tail == tail && entry->len == name.len &&
		    (name.len <= 16 || memcmp(book->texts[set][way], name.ptr, name.len) == 0))
			return entry->key;
	}
	unsigned way = book->turn++ % WAYS;

	book->entries[set][way] = (struct entry){
	    .head = head, .tail = tail, .len = (uint32_t)name.len, .key = key_ask(name)};
	memcpy(book->texts[set][way], name.ptr, name.len);
	return book->entries[set][way].key;
}
