/*
 * matcher_memo.h - inside the matcher: values that come again, and what a table has found in them.
 *
 * The same paths, users and hashes come from event to event, and what is found in a value depends
 * on nothing but the value and the table. A value that is there a second time is kept with what was
 * found; from the third time on it is compared and not looked through. A value has one place, by a
 * hash, and what is there stays until another comes twice in a row to that place: values that never
 * come again push out nothing. It is compared whole: what a stranger can make of like hashes is
 * time, that of a comparison.
 */
#ifndef TOCSIN_CORRELATOR_MATCHER_MEMO_H
#define TOCSIN_CORRELATOR_MATCHER_MEMO_H

#include "base/str.h"

#define MEMO_PLACES 256u
#define MEMO_TEXT   208u /* longer values are not kept */
#define MEMO_FOUND  8u   /* values in which more is found are not kept */

/* What was found, as entries of the index. */
struct memo_findings {
	uint32_t count; /* more than MEMO_FOUND: too many */
	uint32_t entries[MEMO_FOUND];
};

struct memo_value {
	struct memo_findings findings;
	uint32_t len;
	char text[];
};

struct memo_place {
	uint32_t tag;     /* of the value that is kept */
	uint32_t waiting; /* of another one that was here last */
	struct memo_value *value; /* or NULL */
};

struct memo {
	struct memo_place places[MEMO_PLACES];
	size_t bytes; /* of all values */
};

/* NULL without memory. */
struct memo *memo_new(void);
void memo_free(struct memo *memo); /* accepts NULL */
/* Keeps a value and what was found in it, where that is allowed; without memory it does not. */
void memo_keep(struct memo *memo, struct str text, uint64_t hash,
    const struct memo_findings *findings);

static inline uint64_t memo_eight(const char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

/* Of the ends, the middle and the length; text is not empty. */
static inline uint64_t memo_hash(struct str text)
{
	uint64_t first = 0, last = 0, middle = 0;

	if (text.len >= 8) {
		first = memo_eight(text.ptr);
		last = memo_eight(text.ptr + text.len - 8);
		middle = memo_eight(text.ptr + text.len / 2 - 4);
	} else {
		first = (uint8_t)text.ptr[0] | (uint64_t)(uint8_t)text.ptr[text.len / 2] << 8;
		last = (uint8_t)text.ptr[text.len - 1] |
		    (uint64_t)(uint8_t)text.ptr[text.len / 4] << 8;
	}
	uint64_t hash = (first ^ text.len) * UINT64_C(0x9e3779b97f4a7c15);

	hash = (hash ^ hash >> 32 ^ last) * UINT64_C(0xd6e8feb86659fd93);
	hash = (hash ^ hash >> 32 ^ middle) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

static inline struct memo_place *memo_place(struct memo *memo, uint64_t hash)
{
	return &memo->places[hash % MEMO_PLACES];
}

/* What was found in it; NULL: it is to be looked through. */
static inline const struct memo_findings *memo_find(struct memo *memo, struct str text,
    uint64_t hash)
{
	const struct memo_place *place = memo_place(memo, hash);
	const struct memo_value *value = place->value;

	if (place->tag != (uint32_t)(hash >> 32) || value == NULL || value->len != text.len ||
	    memcmp(value->text, text.ptr, text.len) != 0)
		return NULL;
	return &value->findings;
}

/* After memo_find has told nothing: whether it was here last time, so that it is to be kept. */
static inline bool memo_wants(struct memo *memo, uint64_t hash)
{
	struct memo_place *place = memo_place(memo, hash);
	uint32_t tag = (uint32_t)(hash >> 32);
	bool again = place->waiting == tag;

	place->waiting = tag;
	return again;
}

#endif
