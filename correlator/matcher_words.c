#include "correlator/matcher_words.h"

#include <stdlib.h>

#define BITS_LEAST  6u
#define BITS_MOST   18u
#define BITMAP_MORE 4u /* the bitmap has 16 bits a key, at most 32 KiB */

static bool node_add(struct words *words, uint64_t key, uint32_t entry)
{
	if (words->count == words->capacity) {
		size_t want = words->capacity == 0 ? 16 : words->capacity * 2;
		struct words_node *grown = realloc(words->nodes, want * sizeof(*grown));

		if (grown == NULL)
			return false;
		words->nodes = grown;
		words->capacity = want;
	}
	words->nodes[words->count++] = (struct words_node){key, entry, WORDS_END};
	return true;
}

static struct word_ends ends_of(struct str text)
{
	char few[8] = {0};

	if (text.len >= 8)
		return word_ends_of(text);
	if (text.len > 0)
		memcpy(few, text.ptr, text.len);
	return word_ends_of((struct str){few, text.len});
}

bool words_add(struct words *words, enum word word, struct str text, uint32_t entry)
{
	struct word_ends ends = ends_of(text);
	size_t n = text.len >= 16 ? 16 : text.len > 8 ? 8 : text.len;

	if (word == WORD_EXACT) {
		words->lengths[word] |= 1;
		return node_add(words, word_exact_key(&ends), entry);
	}
	words->lengths[word] |= UINT32_C(1) << n;
	if (n == 16)
		return node_add(words, word_long_key(word,
		    word == WORD_PREFIX ? text.ptr : text.ptr + text.len - 16), entry);
	return node_add(words, word == WORD_PREFIX ? word_prefix_key(&ends, n)
	                                           : word_suffix_key(&ends, n), entry);
}

bool words_add_number(struct words *words, double number, uint32_t entry)
{
	words->lengths[WORD_NUMBER] |= 1;
	return node_add(words, word_number_key(number), entry);
}

static unsigned bits_for(size_t count, unsigned more)
{
	unsigned bits = BITS_LEAST;

	while (bits < BITS_MOST && ((size_t)1 << bits) < (count << more))
		bits++;
	return bits;
}

bool words_seal(struct words *words)
{
	unsigned bucket_bits = bits_for(words->count, 1);
	unsigned bitmap_bits = bits_for(words->count, BITMAP_MORE);
	size_t buckets = (size_t)1 << bucket_bits;

	if (words->count == 0)
		return true;
	words->bucket_shift = 64 - bucket_bits;
	words->bitmap_shift = 64 - bitmap_bits;
	words->buckets = malloc(buckets * sizeof(*words->buckets));
	words->bitmap = calloc((size_t)1 << (bitmap_bits - 6), sizeof(*words->bitmap));
	if (words->buckets == NULL || words->bitmap == NULL)
		return false;
	memset(words->buckets, 0xFF, buckets * sizeof(*words->buckets));
	for (uint32_t i = 0; i < words->count; i++) {
		uint64_t key = words->nodes[i].key;
		uint64_t hash = (key ^ key >> 32) * UINT64_C(0x9e3779b97f4a7c15);
		uint64_t bit = hash >> words->bitmap_shift;

		words->bitmap[bit >> 6] |= UINT64_C(1) << (bit & 63);
		words->nodes[i].next = words->buckets[hash >> words->bucket_shift];
		words->buckets[hash >> words->bucket_shift] = i;
	}
	return true;
}

void words_free(struct words *words)
{
	free(words->nodes);
	free(words->buckets);
	free(words->bitmap);
}

size_t words_bytes(const struct words *words)
{
	if (words->count == 0)
		return 0;
	return words->capacity * sizeof(*words->nodes) +
	    ((size_t)4 << (64 - words->bucket_shift)) +
	    ((size_t)1 << (64 - words->bitmap_shift)) / 8;
}
