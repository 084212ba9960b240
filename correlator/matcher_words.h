/*
 * matcher_words.h - inside the matcher: whole values, beginnings and ends of values, by hash.
 *
 * A text of up to 8 bytes stands under all of them, a longer one under its first or last 8 or 16, a
 * whole value under its length and both ends. A bitmap stands in front, since nearly every lookup
 * finds nothing. The rules choose what is in it, so a stranger cannot make its chains long.
 */
#ifndef TOCSIN_CORRELATOR_MATCHER_WORDS_H
#define TOCSIN_CORRELATOR_MATCHER_WORDS_H

#include "base/str.h"

#define WORDS_END UINT32_MAX

enum word { WORD_EXACT, WORD_PREFIX, WORD_SUFFIX, WORD_NUMBER, WORD_KINDS };

struct words_node {
	uint64_t key;
	uint32_t entry;
	uint32_t next;
};

struct words {
	struct words_node *nodes;
	size_t count, capacity;
	uint32_t *buckets;
	uint64_t *bitmap;
	unsigned bucket_shift, bitmap_shift;
	uint32_t lengths[WORD_KINDS]; /* bit n: texts of n bytes are in it */
};

/* Not WORD_NUMBER; text is not empty but for WORD_EXACT. False without memory. */
bool words_add(struct words *words, enum word word, struct str text, uint32_t entry);
bool words_add_number(struct words *words, double number, uint32_t entry);
/* After the last words_add, before the first lookup. */
bool words_seal(struct words *words);
void words_free(struct words *words);
size_t words_bytes(const struct words *words);

/* The first 8 bytes and the last 8, low bytes first; of fewer, what there is. */
struct word_ends {
	uint64_t first, last;
	size_t len;
};

/* At least 8 bytes behind the text may be read. */
static inline struct word_ends word_ends_of(struct str text)
{
	struct word_ends ends = {.len = text.len};

	memcpy(&ends.first, text.ptr, 8);
	if (text.len >= 8) {
		memcpy(&ends.last, text.ptr + text.len - 8, 8);
		return ends;
	}
	ends.first &= (UINT64_C(1) << 8 * text.len) - 1;
	ends.last = text.len == 0 ? 0 : ends.first << (64 - 8 * text.len);
	return ends;
}

static inline uint64_t word_key(enum word word, size_t len, uint64_t bytes)
{
	return bytes ^ ((uint64_t)len << 3 | (uint64_t)word) * UINT64_C(0xd1b54a32d192ed03);
}

static inline uint64_t word_join(uint64_t one, uint64_t other)
{
	return (one ^ one >> 31) * UINT64_C(0xbf58476d1ce4e5b9) ^ other;
}

static inline uint64_t word_exact_key(const struct word_ends *ends)
{
	return word_key(WORD_EXACT, ends->len, word_join(ends->first, ends->last));
}

/* n: 1..8, at most the length. */
static inline uint64_t word_prefix_key(const struct word_ends *ends, size_t n)
{
	return word_key(WORD_PREFIX, n, ends->first & (~UINT64_C(0) >> (64 - 8 * n)));
}

static inline uint64_t word_suffix_key(const struct word_ends *ends, size_t n)
{
	return word_key(WORD_SUFFIX, n, ends->last >> (64 - 8 * n));
}

static inline uint64_t word_number_key(double number)
{
	uint64_t bits;

	number += 0.0; /* -0 is 0 */
	memcpy(&bits, &number, sizeof(bits));
	return word_key(WORD_NUMBER, 0, bits ^ bits >> 29);
}

/* Of the 16 bytes there. */
static inline uint64_t word_long_key(enum word word, const char *at)
{
	uint64_t one, other;

	memcpy(&one, at, 8);
	memcpy(&other, at + 8, 8);
	return word_key(word, 16, word_join(one, other));
}

/* The first node of the key's bucket or WORDS_END; compare the keys. */
static inline uint32_t words_first(const struct words *words, uint64_t key)
{
	uint64_t hash = (key ^ key >> 32) * UINT64_C(0x9e3779b97f4a7c15);
	uint64_t bit = hash >> words->bitmap_shift;

	if ((words->bitmap[bit >> 6] >> (bit & 63) & 1) == 0)
		return WORDS_END;
	return words->buckets[hash >> words->bucket_shift];
}

#endif
