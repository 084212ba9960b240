/*
 * matcher_chain.h - inside the matcher: a hash table from 64-bit keys to what stands under them,
 * with a bitmap in front of it, since nearly every lookup finds nothing.
 *
 * The rules choose what is in it, so a stranger cannot make its chains long.
 */
#ifndef TOCSIN_CORRELATOR_MATCHER_CHAIN_H
#define TOCSIN_CORRELATOR_MATCHER_CHAIN_H

#include "base/arena.h"

#define CHAIN_END UINT32_MAX

struct chain_node {
	uint64_t key;
	uint32_t entry;
	uint32_t offset; /* of the window in the literal */
	uint32_t next;
};

struct chain {
	struct chain_node *nodes;
	size_t count, capacity;
	uint32_t *buckets;
	uint64_t *bitmap;
	unsigned bucket_shift, bitmap_shift;
};

/* False without memory. */
bool chain_add(struct chain *chain, uint64_t key, uint32_t entry, uint32_t offset);
/* After the last chain_add, before the first lookup. */
bool chain_seal(struct chain *chain);
void chain_free(struct chain *chain);

static inline uint64_t chain_hash(uint64_t key)
{
	return key * UINT64_C(0x9e3779b97f4a7c15);
}

/* The first node of the key's bucket or CHAIN_END; compare the keys. */
static inline uint32_t chain_first(const struct chain *chain, uint64_t key)
{
	uint64_t hash = chain_hash(key);
	uint64_t bit = hash >> chain->bitmap_shift;

	if ((chain->bitmap[bit >> 6] >> (bit & 63) & 1) == 0)
		return CHAIN_END;
	return chain->buckets[hash >> chain->bucket_shift];
}

#endif
