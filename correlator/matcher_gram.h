/*
 * matcher_gram.h - inside the matcher: many literals in one text, by a filter over short windows.
 *
 * Of each literal a few windows next to each other stand in the filter, so that a text need be
 * looked at only every stride bytes: a window of 4 bytes and stride 4 for literals of 7 bytes and
 * more, 4 and 2 for 5 and 6, 3 and 1 for 3 and 4, and shorter ones as they are. A bitmap in front
 * says for most places of a text that nothing begins there.
 */
#ifndef TOCSIN_CORRELATOR_MATCHER_GRAM_H
#define TOCSIN_CORRELATOR_MATCHER_GRAM_H

#include "base/str.h"

struct gram_node {
	uint64_t bytes, mask; /* of the literal from the window on, up to 8 */
	uint32_t entry;
	uint32_t offset;      /* of the window in the literal */
	uint32_t hash;
	uint32_t unused;
};

struct gram;

/* Where a window may be: the hash says in which bucket. */
struct gram_hit {
	uint32_t at, hash;
};

typedef size_t gram_finder(const struct gram *gram, struct str text, size_t *at,
    struct gram_hit *ret, size_t max);

struct gram {
	gram_finder *find; /* as the machine can */
	uint32_t stride, width;
	uint32_t mask;        /* of the window's bytes in a word */
	struct gram_node *nodes; /* by bucket, once sealed */
	size_t count, capacity;
	uint32_t *buckets;    /* where each begins in nodes; one more than there are */
	uint32_t *bitmap;
	unsigned bucket_shift, bitmap_shift;
};

#define GRAM_KINDS 5u

/* Which kind is for literals of so many bytes, 1 and up. */
size_t gram_kind(size_t len);
/* For so many literals at most. */
void gram_init(struct gram *gram, size_t kind, size_t most);
/* The first of stride windows that lie in the literal. False without memory. */
bool gram_add(struct gram *gram, struct str literal, size_t first, uint32_t entry);
bool gram_seal(struct gram *gram);
void gram_free(struct gram *gram);
size_t gram_bytes(const struct gram *gram);

/* Bytes behind the text that may be read; what is found may lie behind its end. */
#define GRAM_PADDING 64u
/*
 * Looks from *at on, a multiple of 32, until ret, of max places, at least 32, may be full or the
 * text ends, and moves *at there. The text is folded.
 */
static inline size_t gram_find(const struct gram *gram, struct str text, size_t *at,
    struct gram_hit *ret, size_t max)
{
	return gram->find(gram, text, at, ret, max);
}

static inline uint32_t gram_word(const char *at)
{
	uint32_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

#endif
