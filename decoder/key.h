/*
 * key.h - what is known of a field's name before any value is looked at, and a book of it.
 *
 * Senders write the same few hundred names over and over; what they mean to the decoders (is it an
 * alias, a time, one of Windows' names) is asked once and kept. The book has a fixed size and is
 * overwritten: names that a stranger makes up cost what they would cost without it, no more.
 */
#ifndef TOCSIN_DECODER_KEY_H
#define TOCSIN_DECODER_KEY_H

#include "event/record.h"

#define KEY_KEPT 64u /* longer names are asked anew each time */

enum key_flag {
	KEY_TIME = 1u << 0,    /* rank: how good a time it tells, the best is 0 */
	KEY_MESSAGE = 1u << 1, /* rank: likewise */
	KEY_ALIAS = 1u << 2,   /* alias: row of aliases.def */
	KEY_CHANNEL = 1u << 3, /* names the channel of a Windows event */
	KEY_RENAMED = 1u << 4, /* prefix bytes are not part of the name, nor are spaces */
	KEY_NAMING = 1u << 5   /* naming: first row of windows.def that gives it another name */
};

struct key {
	uint16_t id;    /* enum field_id */
	uint8_t flags;
	uint8_t rank, alias, prefix, naming;
};

/* head and tail tell names of up to 16 bytes apart. */
struct key_entry {
	uint64_t head, tail; /* first and last 8 bytes */
	uint32_t len;        /* 0: free */
	struct key key;
};

#define KEY_SHORT 16u
#define KEY_SETS  1024u
#define KEY_WAYS  2u

struct keybook {
	uint32_t generation; /* of field.h, for which the ids hold */
	unsigned turn;       /* which way is overwritten next */
	struct key_entry entries[KEY_SETS][KEY_WAYS];
	char texts[KEY_SETS][KEY_WAYS][KEY_KEPT]; /* of longer names */
};

struct keybook *keybook_new(void); /* NULL without memory */
void keybook_free(struct keybook *book); /* accepts NULL */
/* Forgets the ids, should names have been interned since. To be called before each event. */
void keybook_begin(struct keybook *book);
/* What the tables say, without a book. */
struct key key_ask(struct str name);
/* keybook_find of names that are long, or new, or too long to be kept: these go into *room. */
const struct key *keybook_find_rare(struct keybook *book, struct str name, struct key *room);

/* The first and the last 8 bytes, of a shorter name enough to tell it, without reading beyond. */
static inline void key_ends(struct str name, uint64_t *head, uint64_t *tail)
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

static inline unsigned key_set(uint64_t head, uint64_t tail, size_t len)
{
	uint64_t hash = (head ^ tail << 9 ^ tail >> 55 ^ len) * UINT64_C(0x9e3779b97f4a7c15);

	return (unsigned)(hash >> 54);
}

_Static_assert(KEY_SETS == (UINT64_MAX >> 54) + 1, "ten bits of the hash");

/*
 * What is known of name; valid until the next call. The whole of it for nearly every field of nearly
 * every event, so it stands here.
 */
static inline const struct key *keybook_find(struct keybook *book, struct str name,
    struct key *room)
{
	uint64_t head, tail;

	if (name.len - 1 >= KEY_SHORT)
		return keybook_find_rare(book, name, room);
	key_ends(name, &head, &tail);
	const struct key_entry *entry = book->entries[key_set(head, tail, name.len)];

	for (unsigned way = 0; way < KEY_WAYS; way++) {
		if (entry[way].head == head && entry[way].tail == tail &&
		    entry[way].len == name.len)
			return &entry[way].key;
	}
	return keybook_find_rare(book, name, room);
}

#endif
