/*
 * window_index.h - from the name of a window (a keyed 128-bit hash) to its number in a pool.
 *
 * A bucket is one cache line: twelve numbers, a byte of each one's name, and how many windows
 * passed it by because it was full. One line tells nearly always which window to read, and a
 * name that is not there is known after one line and no window.
 */
#ifndef TOCSIN_CORRELATOR_WINDOW_INDEX_H
#define TOCSIN_CORRELATOR_WINDOW_INDEX_H

#include "base/hash.h"
#include "correlator/pool.h"

#define INDEX_SLOTS 12u

struct index_bucket {
	uint8_t tags[INDEX_SLOTS];      /* 0: nothing here */
	uint32_t passed;                /* stays at UINT32_MAX once there */
	uint32_t numbers[INDEX_SLOTS];
};

struct window_index {
	struct index_bucket *buckets;
	size_t bucket_count;            /* a power of two */
	size_t count;
	const struct pool *pool;      /* its windows begin with their struct hash128 */
};

bool window_index_begin(struct window_index *index, const struct pool *pool);
void window_index_end(struct window_index *index);
/* POOL_NONE where there is none. */
uint32_t window_index_find(const struct window_index *index, const struct hash128 *name);
/* The name is not there yet. False without memory. */
bool window_index_put(struct window_index *index, const struct hash128 *name, uint32_t number);
void window_index_drop(struct window_index *index, const struct hash128 *name, uint32_t number);
size_t window_index_bytes(const struct window_index *index);
/* How many buckets are read to find it, or to know that it is not there. */
size_t window_index_distance(const struct window_index *index, const struct hash128 *name);

/* For when several are looked up: first the buckets of all, then the windows of all. */
void window_index_prefetch_bucket(const struct window_index *index, const struct hash128 *name);
/* What is most likely its number, without having read it; POOL_NONE. */
uint32_t window_index_guess(const struct window_index *index, const struct hash128 *name);

#endif
