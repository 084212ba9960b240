#include "correlator/window_index.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"

#define BUCKETS_FIRST 4u
#define BUCKET_FULL   10u /* windows a bucket, on the average, before there are twice as many */
#define PAGE_HUGE     ((size_t)1 << 21)
#define LOW_BITS      UINT64_C(0x0101010101010101)

_Static_assert(sizeof(struct index_bucket) == 64, "a bucket is a cache line");

/* ---- tags ---- */

/*
 * Names are handed on by where they are: on the stack, written by halves and read as a whole, one
 * would wait until all that was written before it is in the cache.
 */
static uint8_t tag_of(const struct hash128 *name)
{
	uint8_t tag = (uint8_t)name->low;

	return tag != 0 ? tag : 1;
}

/* A set high bit for each byte that is zero, and now and then for one above it that is not. */
static uint64_t zero_bytes(uint64_t word)
{
	return (word - LOW_BITS) & ~word & (LOW_BITS << 7);
}

/* A bit for each slot whose tag is that one, and seldom for another. */
static uint32_t bucket_match(const struct index_bucket *bucket, uint8_t tag)
{
	uint64_t first, tags = LOW_BITS * tag;
	uint32_t second;

	memcpy(&first, bucket->tags, sizeof(first));
	memcpy(&second, bucket->tags + 8, sizeof(second));
	/* The high bits of eight bytes, gathered in the topmost byte. */
	uint64_t low = zero_bytes(first ^ tags) >> 7;
	uint64_t high = zero_bytes((second ^ tags) | UINT64_MAX << 32) >> 7;

	return (uint32_t)(low * UINT64_C(0x0102040810204080) >> 56) |
	    (uint32_t)((high & 0x01010101) * UINT64_C(0x0102040810204080) >> 56) << 8;
}

/* ---- the way of a name from bucket to bucket ---- */

struct walk {
	size_t at, step;
};

static struct walk walk_begin(const struct window_index *index, const struct hash128 *name)
{
	/* An odd step comes to each bucket once. */
	return (struct walk){name->high & (index->bucket_count - 1),
	    2 * (name->low >> 8 & 255) + 1};
}

static void walk_on(const struct window_index *index, struct walk *walk)
{
	walk->at = (walk->at + walk->step) & (index->bucket_count - 1);
}

/* ---- memory ---- */

static struct index_bucket *buckets_new(size_t count)
{
	size_t size = count * sizeof(struct index_bucket);
	bool huge = size >= PAGE_HUGE;
	struct index_bucket *buckets =
	    aligned_alloc(huge ? PAGE_HUGE : sizeof(struct index_bucket), size);

	if (buckets == NULL)
		return NULL;
	if (huge)
		(void)madvise(buckets, size, MADV_HUGEPAGE);
	memset(buckets, 0, size);
	return buckets;
}

bool window_index_begin(struct window_index *index, const struct pool *pool)
{
	*index = (struct window_index){.buckets = buckets_new(BUCKETS_FIRST),
	    .bucket_count = BUCKETS_FIRST, .pool = pool};
	return index->buckets != NULL;
}

void window_index_end(struct window_index *index)
{
	free(index->buckets);
	*index = (struct window_index){.pool = index->pool};
}

size_t window_index_bytes(const struct window_index *index)
{
	return index->bucket_count * sizeof(*index->buckets);
}

/* ---- finding ---- */

static bool name_is(const struct window_index *index, uint32_t number, const struct hash128 *name)
{
	const struct hash128 *at = pool_at(index->pool, number);

	return at->high == name->high && at->low == name->low;
}

uint32_t window_index_find(const struct window_index *index, const struct hash128 *name)
{
	struct walk walk = walk_begin(index, name);
	uint8_t tag = tag_of(name);

	for (size_t n = 0; n < index->bucket_count; n++) {
		const struct index_bucket *bucket = &index->buckets[walk.at];

		for (uint32_t bits = bucket_match(bucket, tag); bits != 0; bits &= bits - 1) {
			uint32_t number = bucket->numbers[__builtin_ctz(bits)];

			if (number != POOL_NONE && name_is(index, number, name))
				return number;
		}
		if (bucket->passed == 0)
			break;
		walk_on(index, &walk);
	}
	return POOL_NONE;
}

void window_index_prefetch_bucket(const struct window_index *index, const struct hash128 *name)
{
	__builtin_prefetch(&index->buckets[walk_begin(index, name).at], 1);
}

uint32_t window_index_guess(const struct window_index *index, const struct hash128 *name)
{
	const struct index_bucket *bucket = &index->buckets[walk_begin(index, name).at];
	uint32_t bits = bucket_match(bucket, tag_of(name));

	return bits != 0 ? bucket->numbers[__builtin_ctz(bits)] : POOL_NONE;
}

size_t window_index_distance(const struct window_index *index, const struct hash128 *name)
{
	struct walk walk = walk_begin(index, name);
	uint32_t number = window_index_find(index, name);

	for (size_t n = 1; n < index->bucket_count; n++) {
		const struct index_bucket *bucket = &index->buckets[walk.at];

		for (uint32_t slot = 0; number != POOL_NONE && slot < INDEX_SLOTS; slot++)
			if (bucket->numbers[slot] == number)
				return n;
		if (bucket->passed == 0)
			return n;
		walk_on(index, &walk);
	}
	return index->bucket_count;
}

/* ---- changing ---- */

/* There is a free slot somewhere. */
static void bucket_put(struct window_index *index, const struct hash128 *name, uint32_t number)
{
	struct walk walk = walk_begin(index, name);

	for (;;) {
		struct index_bucket *bucket = &index->buckets[walk.at];

		for (uint32_t slot = 0; slot < INDEX_SLOTS; slot++) {
			if (bucket->tags[slot] != 0)
				continue;
			bucket->tags[slot] = tag_of(name);
			bucket->numbers[slot] = number;
			return;
		}
		bucket->passed += bucket->passed != UINT32_MAX;
		walk_on(index, &walk);
	}
}

static void window_index_fill(struct window_index *index, const struct index_bucket *from,
    size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (uint32_t slot = 0; slot < INDEX_SLOTS; slot++)
			if (from[i].tags[slot] != 0)
				bucket_put(index, pool_at(index->pool, from[i].numbers[slot]),
				    from[i].numbers[slot]);
}

/* Without memory for more the buckets fill to the last slot. */
static void window_index_grow(struct window_index *index)
{
	struct index_bucket *old = index->buckets, *buckets = buckets_new(index->bucket_count * 2);

	if (buckets == NULL)
		return;
	size_t old_count = index->bucket_count;

	index->buckets = buckets;
	index->bucket_count *= 2;
	window_index_fill(index, old, old_count);
	free(old);
}

bool window_index_put(struct window_index *index, const struct hash128 *name, uint32_t number)
{
	if (index->count >= index->bucket_count * BUCKET_FULL)
		window_index_grow(index);
	if (index->count >= index->bucket_count * INDEX_SLOTS)
		return false;
	bucket_put(index, name, number);
	index->count++;
	return true;
}

static bool bucket_drop(struct index_bucket *bucket, uint32_t number)
{
	for (uint32_t slot = 0; slot < INDEX_SLOTS; slot++) {
		if (bucket->numbers[slot] != number)
			continue;
		bucket->numbers[slot] = POOL_NONE;
		bucket->tags[slot] = 0;
		return true;
	}
	return false;
}

void window_index_drop(struct window_index *index, const struct hash128 *name, uint32_t number)
{
	struct walk walk = walk_begin(index, name);

	for (size_t n = 0; n < index->bucket_count; n++) {
		struct index_bucket *bucket = &index->buckets[walk.at];

		if (bucket_drop(bucket, number)) {
			index->count--;
			return;
		}
		CHECK(bucket->passed > 0);
		bucket->passed -= bucket->passed != UINT32_MAX;
		walk_on(index, &walk);
	}
	CHECK(false);
}
