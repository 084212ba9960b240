#include "correlator/matcher_gram.h"

#include <stdlib.h>

#define BITS_LEAST  9u
#define BITMAP_MOST 18u /* 32 KiB */
#define BUCKET_MOST 20u
#define BITMAP_MORE 4u
#define BUCKET_MORE 1u

static const struct {
	uint32_t least, stride, width, mask;
} kinds[GRAM_KINDS] = {{7, 4, 4, UINT32_MAX}, {5, 2, 4, UINT32_MAX}, {3, 1, 3, 0xFFFFFF},
    {2, 1, 2, 0xFFFF}, {1, 1, 1, 0xFF}};

size_t gram_kind(size_t len)
{
	size_t kind = 0;

	while (len < kinds[kind].least)
		kind++;
	return kind;
}

void gram_init(struct gram *gram, size_t kind)
{
	*gram = (struct gram){.stride = kinds[kind].stride, .width = kinds[kind].width,
	    .mask = kinds[kind].mask};
}

static bool node_add(struct gram *gram, struct gram_node node)
{
	if (gram->count == gram->capacity) {
		size_t want = gram->capacity == 0 ? 64 : gram->capacity * 2;
		struct gram_node *grown = realloc(gram->nodes, want * sizeof(*grown));

		if (grown == NULL)
			return false;
		gram->nodes = grown;
		gram->capacity = want;
	}
	gram->nodes[gram->count++] = node;
	return true;
}

bool gram_add(struct gram *gram, struct str literal, size_t first, uint32_t entry)
{
	for (size_t i = first; i < first + gram->stride; i++) {
		size_t len = literal.len - i < 8 ? literal.len - i : 8;
		struct gram_node node = {.entry = entry, .offset = (uint32_t)i,
		    .mask = ~UINT64_C(0) >> (64 - 8 * len)};

		memcpy(&node.bytes, literal.ptr + i, len);
		node.hash = gram_hash((uint32_t)node.bytes & gram->mask);
		if (!node_add(gram, node))
			return false;
	}
	return true;
}

static unsigned bits_for(size_t count, unsigned more, unsigned most)
{
	unsigned bits = BITS_LEAST;

	while (bits < most && ((size_t)1 << bits) < (count << more))
		bits++;
	return bits;
}

/* Sorts the nodes by bucket, by counting. */
static bool nodes_sort(struct gram *gram, size_t buckets)
{
	struct gram_node *sorted = malloc(gram->count * sizeof(*sorted));

	if (sorted == NULL)
		return false;
	for (size_t i = 0; i < gram->count; i++)
		gram->buckets[(gram->nodes[i].hash >> gram->bucket_shift) + 1]++;
	for (size_t i = 0; i < buckets; i++)
		gram->buckets[i + 1] += gram->buckets[i];
	for (size_t i = gram->count; i > 0; i--) {
		const struct gram_node *node = &gram->nodes[i - 1];

		sorted[--gram->buckets[(node->hash >> gram->bucket_shift) + 1]] = *node;
	}
	/* Each beginning has moved into the place of the one behind it. */
	memmove(gram->buckets, gram->buckets + 1, buckets * sizeof(*gram->buckets));
	gram->buckets[buckets] = (uint32_t)gram->count;
	free(gram->nodes);
	gram->nodes = sorted;
	gram->capacity = gram->count;
	return true;
}

bool gram_seal(struct gram *gram)
{
	unsigned bucket_bits = bits_for(gram->count, BUCKET_MORE, BUCKET_MOST);
	unsigned bitmap_bits = bits_for(gram->count, BITMAP_MORE, BITMAP_MOST);
	size_t buckets = (size_t)1 << bucket_bits;

	if (gram->count == 0)
		return true;
	gram->bucket_shift = 32 - bucket_bits;
	gram->bitmap_shift = 32 - bitmap_bits;
	gram->buckets = calloc(buckets + 2, sizeof(*gram->buckets));
	gram->bitmap = calloc((size_t)1 << (bitmap_bits - 3), 1);
	if (gram->buckets == NULL || gram->bitmap == NULL || !nodes_sort(gram, buckets))
		return false;
	for (size_t i = 0; i < gram->count; i++) {
		uint32_t bit = gram->nodes[i].hash >> gram->bitmap_shift;

		gram->bitmap[bit >> 3] |= (uint8_t)(1u << (bit & 7));
	}
	return true;
}

void gram_free(struct gram *gram)
{
	free(gram->nodes);
	free(gram->buckets);
	free(gram->bitmap);
}

size_t gram_bytes(const struct gram *gram)
{
	if (gram->count == 0)
		return 0;
	return gram->capacity * sizeof(*gram->nodes) +
	    ((size_t)4 << (32 - gram->bucket_shift)) +
	    ((size_t)1 << (32 - gram->bitmap_shift)) / 8;
}
