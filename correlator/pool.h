/*
 * pool.h - blocks of memory of many sizes that are told by 32-bit numbers.
 *
 * Sizes are counted in cache lines of 64 bytes, and so are numbers. Blocks lie in chunks of 2 MB
 * that never move: a pointer holds as long as its block. What was given back last is taken first;
 * what is too large is divided. From the second chunk on, huge pages are asked for: a table of a
 * million windows is read at random, and would else miss the translation of each address too.
 */
#ifndef TOCSIN_CORRELATOR_POOL_H
#define TOCSIN_CORRELATOR_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POOL_LINE    64u
#define POOL_CHUNK   ((size_t)1 << 21)
#define POOL_NONE    0u  /* no block has this number */
#define POOL_SIZES   28u /* 1, 2, 3, 4, 6, 8, 12, ... 16,384 lines; what is larger has chunks of
			   * its own */

struct pool {
	char **chunks;
	void *owner;
	uint32_t chunk_count, chunk_capacity, holes;
	uint32_t next, end;             /* what is left of the newest chunk */
	uint32_t spare[POOL_SIZES];    /* given back, by size */
	size_t taken, held;             /* bytes: in blocks that are taken; in all chunks */
};

/*
 * In one of the first lines of a chunk that blocks share. Which one hangs on where the chunk lies:
 * in the first line always, the heads of all chunks would drive each other out of a cache.
 */
#define POOL_HEADS 64u
struct pool_head {
	void *owner;
	uint32_t number;
};

/* owner: what pool_owner tells of each block. */
void pool_begin(struct pool *pool, void *owner);
void pool_end(struct pool *pool);
/* At least so many bytes, not zeroed, lines alone; POOL_NONE without memory. */
uint32_t pool_take(struct pool *pool, size_t size);
/* size: as it was taken. When the last block comes back, all chunks but one go. */
void pool_give(struct pool *pool, uint32_t number, size_t size);
/* What a block of that many bytes takes. */
size_t pool_size(size_t size);

static inline void *pool_at(const struct pool *pool, uint32_t number)
{
	return pool->chunks[number >> 15] + (size_t)(number & 32767) * POOL_LINE;
}

/* For blocks within a chunk. */
static inline const struct pool_head *pool_head(const void *block)
{
	uintptr_t chunk = (uintptr_t)block & ~(uintptr_t)(POOL_CHUNK - 1);

	return (const struct pool_head *)(chunk + chunk / POOL_CHUNK % POOL_HEADS * POOL_LINE);
}

static inline uint32_t pool_number(const void *block)
{
	return pool_head(block)->number << 15 |
	    (uint32_t)(((uintptr_t)block & (POOL_CHUNK - 1)) / POOL_LINE);
}

static inline void *pool_owner(const void *block)
{
	return pool_head(block)->owner;
}

#endif
