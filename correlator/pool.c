#include "correlator/pool.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"

#define CHUNK_LINES (POOL_CHUNK / POOL_LINE)
#define CHUNKS_MAX  (UINT32_C(1) << 17)
#define LINES_MOST  16384u /* of a block that shares its chunk */

/* ---- sizes: each power of two, and one and a half of it ---- */

static uint32_t size_lines(uint32_t size)
{
	return size == 0 ? 1 : size % 2 ? 2u << size / 2 : 3u << (size / 2 - 1);
}

/* The smallest size of at least so many lines. */
static uint32_t size_of(size_t lines)
{
	if (lines <= 1)
		return 0;
	/* 2^bits < lines <= 2^(bits + 1) */
	uint32_t bits = 63 - (uint32_t)__builtin_clzl(lines - 1);
	uint32_t size = 2 * bits + 1;

	return bits > 0 && lines <= size_lines(size - 1) ? size - 1 : size;
}

static size_t lines_of(size_t bytes)
{
	return bytes > 0 ? (bytes + POOL_LINE - 1) / POOL_LINE : 1;
}

/* Larger blocks have a chunk to themselves, behind its head. */
size_t pool_size(size_t bytes)
{
	size_t lines = lines_of(bytes);

	if (lines <= LINES_MOST)
		return (size_t)size_lines(size_of(lines)) * POOL_LINE;
	return (lines * POOL_LINE + POOL_LINE + POOL_CHUNK - 1) & ~(POOL_CHUNK - 1);
}

/* ---- chunks ---- */

void pool_begin(struct pool *pool, void *owner)
{
	*pool = (struct pool){.owner = owner};
}

void pool_end(struct pool *pool)
{
	for (uint32_t i = 0; i < pool->chunk_count; i++)
		free(pool->chunks[i]);
	free(pool->chunks);
	pool_begin(pool, pool->owner);
}

/* The place of a chunk that has gone, else a new one; CHUNKS_MAX without memory. */
static uint32_t chunk_place(struct pool *pool)
{
	for (uint32_t i = 0; pool->holes > 0 && i < pool->chunk_count; i++) {
		if (pool->chunks[i] != NULL)
			continue;
		pool->holes--;
		return i;
	}
	if (pool->chunk_count == pool->chunk_capacity) {
		uint32_t capacity = pool->chunk_capacity * 2 + 4;
		char **chunks = realloc(pool->chunks, capacity * sizeof(*chunks));

		if (chunks == NULL)
			return CHUNKS_MAX;
		pool->chunks = chunks;
		pool->chunk_capacity = capacity;
	}
	if (pool->chunk_count == CHUNKS_MAX)
		return CHUNKS_MAX;
	pool->chunks[pool->chunk_count] = NULL;
	return pool->chunk_count++;
}

/* Most tables stay small: their only chunk is to take the pages that it needs, and no more. */
static uint32_t chunk_add(struct pool *pool, size_t size)
{
	uint32_t place = chunk_place(pool);
	char *chunk = place != CHUNKS_MAX ? aligned_alloc(POOL_CHUNK, size) : NULL;

	if (chunk == NULL) {
		pool->holes += place != CHUNKS_MAX;
		return CHUNKS_MAX;
	}
	(void)madvise(chunk, size, place == 0 ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
	pool->chunks[place] = chunk;
	pool->held += size;
	return place;
}

static void chunk_drop(struct pool *pool, uint32_t place, size_t size)
{
	free(pool->chunks[place]);
	pool->chunks[place] = NULL;
	pool->holes++;
	pool->held -= size;
}

/* ---- blocks ---- */

static void spare_put(struct pool *pool, uint32_t number, uint32_t size)
{
	memcpy(pool_at(pool, number), &pool->spare[size], sizeof(number));
	pool->spare[size] = number;
}

static uint32_t spare_take(struct pool *pool, uint32_t size)
{
	uint32_t number = pool->spare[size];

	if (number != POOL_NONE) {
		memcpy(&pool->spare[size], pool_at(pool, number), sizeof(number));
		/* The next to be taken tells which one comes after it. */
		if (pool->spare[size] != POOL_NONE)
			__builtin_prefetch(pool_at(pool, pool->spare[size]), 1);
	}
	return number;
}

/* Lines from number on, as few spare blocks as they make. */
static void lines_put(struct pool *pool, uint32_t number, uint32_t lines)
{
	while (lines > 0) {
		uint32_t size = size_of(lines);

		if (size_lines(size) > lines)
			size--;
		if (size >= POOL_SIZES)
			size = POOL_SIZES - 1;
		spare_put(pool, number, size);
		number += size_lines(size);
		lines -= size_lines(size);
	}
}

static uint32_t fresh_take(struct pool *pool, uint32_t size)
{
	uint32_t lines = size_lines(size);

	if (pool->end - pool->next < lines) {
		uint32_t place = chunk_add(pool, POOL_CHUNK);

		if (place == CHUNKS_MAX)
			return POOL_NONE;
		struct pool_head head = {pool->owner, place};

		memcpy((void *)(uintptr_t)pool_head(pool->chunks[place]), &head, sizeof(head));
		lines_put(pool, pool->next, pool->end - pool->next);
		pool->next = (uint32_t)(place * CHUNK_LINES + POOL_HEADS);
		pool->end = (uint32_t)(place * CHUNK_LINES + CHUNK_LINES - 1);
	}
	pool->next += lines;
	return pool->next - lines;
}

static uint32_t divided_take(struct pool *pool, uint32_t size)
{
	for (uint32_t larger = size + 1; larger < POOL_SIZES; larger++) {
		uint32_t number = spare_take(pool, larger), lines = size_lines(size);

		if (number == POOL_NONE)
			continue;
		lines_put(pool, number + lines, size_lines(larger) - lines);
		return number;
	}
	return POOL_NONE;
}

static uint32_t block_take(struct pool *pool, uint32_t size)
{
	uint32_t number = spare_take(pool, size);

	if (number == POOL_NONE)
		number = divided_take(pool, size);
	return number != POOL_NONE ? number : fresh_take(pool, size);
}

uint32_t pool_take(struct pool *pool, size_t bytes)
{
	size_t lines = lines_of(bytes);
	uint32_t number = POOL_NONE;

	if (lines <= LINES_MOST) {
		number = block_take(pool, size_of(lines));
	} else {
		uint32_t place = chunk_add(pool, pool_size(bytes));

		if (place != CHUNKS_MAX)
			number = (uint32_t)(place * CHUNK_LINES + 1);
	}
	if (number != POOL_NONE)
		pool->taken += pool_size(bytes);
	return number;
}

/* Nothing is taken: all but the first chunk that is shared can go. */
static void pool_shrink(struct pool *pool)
{
	struct pool empty = {.owner = pool->owner};
	char *first = pool->chunks[0];

	for (uint32_t i = 1; i < pool->chunk_count; i++)
		free(pool->chunks[i]);
	empty.chunks = pool->chunks;
	empty.chunk_capacity = pool->chunk_capacity;
	if (first != NULL) {
		empty.chunk_count = 1;
		empty.held = POOL_CHUNK;
		empty.next = POOL_HEADS;
		empty.end = CHUNK_LINES - 1;
	}
	*pool = empty;
}

void pool_give(struct pool *pool, uint32_t number, size_t bytes)
{
	size_t lines = lines_of(bytes), size = pool_size(bytes);

	CHECK(number != POOL_NONE && pool->taken >= size);
	if (lines <= LINES_MOST)
		spare_put(pool, number, size_of(lines));
	else
		chunk_drop(pool, (uint32_t)(number / CHUNK_LINES), size);
	pool->taken -= size;
	if (pool->taken == 0 && pool->chunk_count > 1)
		pool_shrink(pool);
}
