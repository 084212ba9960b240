#include "correlator/matcher_chain.h"

#include <stdlib.h>
#include <string.h>

#define BITS_LEAST  6u
#define BITS_MOST   18u
#define BITMAP_MORE 4u /* the bitmap has 16 bits a key, at most 32 KiB */

bool chain_add(struct chain *chain, uint64_t key, uint32_t entry, uint32_t offset)
{
	if (chain->count == chain->capacity) {
		size_t want = chain->capacity == 0 ? 16 : chain->capacity * 2;
		struct chain_node *grown = realloc(chain->nodes, want * sizeof(*grown));

		if (grown == NULL)
			return false;
		chain->nodes = grown;
		chain->capacity = want;
	}
	chain->nodes[chain->count++] = (struct chain_node){key, entry, offset, CHAIN_END};
	return true;
}

static unsigned bits_for(size_t count, unsigned more)
{
	unsigned bits = BITS_LEAST;

	while (bits < BITS_MOST && ((size_t)1 << bits) < (count << more))
		bits++;
	return bits;
}

bool chain_seal(struct chain *chain)
{
	unsigned bucket_bits = bits_for(chain->count, 1);
	unsigned bitmap_bits = bits_for(chain->count, BITMAP_MORE);
	size_t buckets = (size_t)1 << bucket_bits;

	chain->bucket_shift = 64 - bucket_bits;
	chain->bitmap_shift = 64 - bitmap_bits;
	chain->buckets = malloc(buckets * sizeof(*chain->buckets));
	chain->bitmap = calloc((size_t)1 << (bitmap_bits - 6), sizeof(*chain->bitmap));
	if (chain->buckets == NULL || chain->bitmap == NULL)
		return false;
	memset(chain->buckets, 0xFF, buckets * sizeof(*chain->buckets));
	for (uint32_t i = 0; i < chain->count; i++) {
		uint64_t hash = chain_hash(chain->nodes[i].key);
		uint64_t bit = hash >> chain->bitmap_shift;

		chain->bitmap[bit >> 6] |= UINT64_C(1) << (bit & 63);
		chain->nodes[i].next = chain->buckets[hash >> chain->bucket_shift];
		chain->buckets[hash >> chain->bucket_shift] = i;
	}
	return true;
}

void chain_free(struct chain *chain)
{
	free(chain->nodes);
	free(chain->buckets);
	free(chain->bitmap);
}
