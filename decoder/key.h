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

struct keybook;

struct keybook *keybook_new(void); /* NULL without memory */
void keybook_free(struct keybook *book); /* accepts NULL */
/* Forgets the ids, should names have been interned since. To be called before each event. */
void keybook_begin(struct keybook *book);
/* book may be NULL: all is asked anew. */
struct key keybook_find(struct keybook *book, struct str name);

#endif
