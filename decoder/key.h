/*
 * key.h - what is known of a field's name before any value is looked at, and a book of it.
 *
 * Senders write the same few hundred names over and over; what they mean to the decoders (is it an
 * alias, a time, one of Windows' names) is asked once and kept. The book has a fixed size and is
 * overwritten: names that a stranger makes up cost what they would cost without it, no more.
 */
#ifndef TOCSIN_DECODER_KEY_H
#define TOCSIN_DECODER_KEY_H

#include "decoder/logsource.h"
#include "decoder/timestamp.h"

#define KEY_KEPT 64u /* longer names are asked anew each time */

enum key_flag {
	KEY_TIME = 1u << 0,    /* rank: how good a time it tells, the best is 0 */
	KEY_MESSAGE = 1u << 1, /* rank: likewise */
	KEY_ALIAS = 1u << 2,   /* alias: row of aliases.def */
	KEY_CHANNEL = 1u << 3, /* names the channel of a Windows event */
	KEY_RENAMED = 1u << 4, /* prefix bytes are not part of the name, nor are spaces */
	KEY_NAMING = 1u << 5,  /* naming: first row of windows.def that gives it another name */
	KEY_SOURCE = 1u << 6,  /* some row of the log sources asks for it */
	KEY_WAZUH = 1u << 7    /* a value of a Windows event as Wazuh's manager writes it */
};

struct key {
	uint16_t id;    /* enum field_id */
	uint8_t flags;
	uint8_t rank, alias, prefix, naming;
	uint8_t mark;   /* the id, when it is one of the taxonomy's; else 0 */
};

#define KEY_SHORT 16u /* names of so many bytes are told apart by low and high alone */

/* low, high: of a short name its bytes with zeros behind; of a long one the first and last 8. */
struct key_entry {
	uint64_t low, high;
	uint32_t len; /* 0: free */
	struct key key;
};

#define KEY_SETS 1024u
#define KEY_WAYS 2u

struct json_paths;

struct keybook {
	const struct logsources *sources; /* NULL: none */
	struct json_paths *paths;
	struct timestamp_months months; /* of times that were read */
	uint32_t generation; /* of field.h, for which the ids hold */
	unsigned turn;       /* which way is overwritten next */
	struct key_entry entries[KEY_SETS * KEY_WAYS];
	char texts[KEY_SETS * KEY_WAYS][KEY_KEPT]; /* of long names */
};

/* sources outlives it, and may be NULL. NULL without memory. */
struct keybook *keybook_new(const struct logsources *sources);
void keybook_free(struct keybook *book); /* accepts NULL */
/* Forgets the ids, should names have been interned since. To be called before each event. */
void keybook_begin(struct keybook *book);
/* What the tables say, without a book (and so without log sources). */
struct key key_ask(struct str name);
/* What is known of name; valid until the next call. *room is used for names that are not kept. */
const struct key *keybook_find(struct keybook *book, struct str name, struct key *room);

static inline const struct key_entry *keybook_set(const struct keybook *book, uint64_t low,
    uint64_t high, size_t len)
{
	uint64_t hash = (low ^ high << 9 ^ high >> 55 ^ len) * UINT64_C(0x9e3779b97f4a7c15);

	return &book->entries[(hash >> 54) * KEY_WAYS];
}

_Static_assert(KEY_SETS == (UINT64_MAX >> 54) + 1, "ten bits of the hash");

/* keybook_find of a short name that is kept, else NULL. */
static inline const struct key *keybook_short(const struct keybook *book, uint64_t low,
    uint64_t high, size_t len)
{
	const struct key_entry *entry = keybook_set(book, low, high, len);

	for (unsigned way = 0; way < KEY_WAYS; way++) {
		if (entry[way].low == low && entry[way].high == high && entry[way].len == len)
			return &entry[way].key;
	}
	return NULL;
}

#endif
