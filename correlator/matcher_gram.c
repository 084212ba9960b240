#include "correlator/matcher_gram.h"

#include "base/check.h"
#include "base/cpu.h"

#if CPU_HAS_V3
#include <immintrin.h>
#endif
#include <stdlib.h>

#define BITS_LEAST  9u
#define BITMAP_MOST 17u /* 16 KiB: more of them stay in the cache */
#define BUCKET_MOST 20u
#define BITMAP_MORE 6u

#define FACTOR UINT32_C(0x9e3779b1)

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

void gram_init(struct gram *gram, size_t kind, size_t most)
{
	*gram = (struct gram){.stride = kinds[kind].stride, .width = kinds[kind].width,
	    .mask = kinds[kind].mask, .capacity = most * kinds[kind].stride};
}

static uint32_t hash_of(const struct gram *gram, uint32_t word)
{
	return (word & gram->mask) * FACTOR;
}

/* len bytes, at most 8: all that there are if there are fewer. */
static uint64_t bytes_at(struct str literal, size_t at, size_t len)
{
	uint64_t bytes = 0;

	if (literal.len >= 8) {
		memcpy(&bytes, literal.ptr + (at + len - 8), 8);
		return bytes >> (64 - 8 * len);
	}
	memcpy(&bytes, literal.ptr + at, len);
	return bytes;
}

bool gram_add(struct gram *gram, struct str literal, size_t first, uint32_t entry)
{
	if (gram->nodes == NULL)
		gram->nodes = malloc(gram->capacity * sizeof(*gram->nodes));
	if (gram->nodes == NULL)
		return false;
	CHECK(gram->count + gram->stride <= gram->capacity);
	for (size_t i = first; i < first + gram->stride; i++) {
		size_t len = literal.len - i < 8 ? literal.len - i : 8;
		struct gram_node *node = &gram->nodes[gram->count++];

		node->bytes = bytes_at(literal, i, len);
		node->mask = ~UINT64_C(0) >> (64 - 8 * len);
		node->entry = entry;
		node->offset = (uint32_t)i;
		node->hash = hash_of(gram, (uint32_t)node->bytes);
		node->unused = 0;
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

static size_t find_plain(const struct gram *gram, struct str text, size_t *at,
    struct gram_hit *ret, size_t max)
{
	size_t count = 0, place = *at;

	for (; place < text.len && count < max; place += gram->stride) {
		uint32_t word = gram_word(text.ptr + place);
		uint32_t hash = hash_of(gram, word);
		uint32_t bit = hash >> gram->bitmap_shift;

		if (gram->bitmap[bit >> 5] >> (bit & 31) & 1)
			ret[count++] = (struct gram_hit){(uint32_t)place, hash};
	}
	*at = place;
	return count;
}

#if CPU_HAS_V3
CPU_V3_CODE static size_t hits_take(uint32_t found, __m256i hashes, size_t place,
    struct gram_hit *ret)
{
	uint32_t hash[8];
	size_t count = 0;

	_mm256_storeu_si256((__m256i *)(void *)hash, hashes);
	for (; found != 0; found &= found - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(found);

		ret[count++] = (struct gram_hit){(uint32_t)place + 4 * i, hash[i]};
	}
	return count;
}

/* What every step needs, kept in registers. */
struct windows {
	__m256i factor, mask, bit_mask;
	__m128i bit_shift, word_shift;
	const int *bitmap;
};

#define V3_INLINE CPU_V3_CODE static inline __attribute__((always_inline))

V3_INLINE struct windows windows_of(const struct gram *gram)
{
	return (struct windows){_mm256_set1_epi32((int)FACTOR),
	    _mm256_set1_epi32((int)gram->mask), _mm256_set1_epi32(31),
	    _mm_cvtsi32_si128((int)gram->bitmap_shift),
	    _mm_cvtsi32_si128((int)gram->bitmap_shift + 5), (const int *)gram->bitmap};
}

/* Of eight windows, four bytes apart. */
V3_INLINE __m256i windows_hash(const struct windows *windows, const char *at, size_t stride)
{
	__m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)at);

	if (stride == 1)
		bytes = _mm256_and_si256(bytes, windows->mask);
	return _mm256_mullo_epi32(bytes, windows->factor);
}

/* The bit of each, where the mask of its word is taken from: at the top. */
V3_INLINE __m256i windows_bits(const struct windows *windows, __m256i hash)
{
	__m256i words = _mm256_i32gather_epi32(
	    windows->bitmap, _mm256_srl_epi32(hash, windows->word_shift), 4);
	__m256i bit =
	    _mm256_andnot_si256(_mm256_srl_epi32(hash, windows->bit_shift), windows->bit_mask);

	return _mm256_sllv_epi32(words, bit);
}

V3_INLINE size_t windows_take(__m256i bits, __m256i hash, size_t place, struct gram_hit *ret)
{
	uint32_t found = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(bits));

	return __builtin_expect(found != 0, 0) ? hits_take(found, hash, place, ret) : 0;
}

/* At one place and at another: nearly always there is nothing at either. */
V3_INLINE size_t windows_pair(const struct windows *windows, const char *text, size_t place,
    size_t other, struct gram_hit *ret, size_t stride)
{
	__m256i hash = windows_hash(windows, text + place, stride);
	__m256i next = windows_hash(windows, text + other, stride);
	__m256i bits = windows_bits(windows, hash), more = windows_bits(windows, next);
	size_t count = 0;

	if (__builtin_expect(_mm256_movemask_ps(_mm256_castsi256_ps(
	        _mm256_or_si256(bits, more))) == 0, 1))
		return 0;
	count = windows_take(bits, hash, place, ret);
	return count + windows_take(more, next, other, ret + count);
}

/*
 * The stride is a constant wherever this stands. With a stride of 4 a pair is 64 bytes; else it is
 * the places between the bytes of a window.
 */
V3_INLINE size_t windows_find(const struct gram *gram, const char *text, size_t from, size_t to,
    struct gram_hit *ret, size_t stride)
{
	const struct windows windows = windows_of(gram);
	size_t count = 0, place = from;

	if (stride == 4) {
		for (; place + 32 < to; place += 64)
			count += windows_pair(
			    &windows, text, place, place + 32, ret + count, stride);
		if (place < to) {
			__m256i hash = windows_hash(&windows, text + place, stride);

			count += windows_take(
			    windows_bits(&windows, hash), hash, place, ret + count);
		}
		return count;
	}
	for (; place < to; place += 32) {
		for (size_t by = 0; by < 4; by += 2 * stride)
			count += windows_pair(&windows, text, place + by, place + by + stride,
			    ret + count, stride);
	}
	return count;
}

V3_INLINE size_t stride_find(const struct gram *gram, struct str text, size_t *at,
    struct gram_hit *ret, size_t max, size_t stride)
{
	size_t from = *at, to = from + max * stride / 32 * 32;

	*at = to = to < text.len ? to : text.len;
	return windows_find(gram, text.ptr, from, to, ret, stride);
}

#define FINDER(stride)                                                                             \
	CPU_V3_CODE static size_t find_v3_##stride(const struct gram *gram, struct str text,       \
	    size_t *at, struct gram_hit *ret, size_t max)                                          \
	{                                                                                          \
		return stride_find(gram, text, at, ret, max, stride);                              \
	}
FINDER(1)
FINDER(2)
FINDER(4)
#undef FINDER
#endif

static gram_finder *finder_for(uint32_t stride)
{
#if CPU_HAS_V3
	if (cpu_level() == CPU_V3)
		return stride == 4 ? find_v3_4 : stride == 2 ? find_v3_2 : find_v3_1;
#else
	(void)stride;
#endif
	return find_plain;
}

bool gram_seal(struct gram *gram)
{
	unsigned bucket_bits = bits_for(gram->count, 0, BUCKET_MOST);
	unsigned bitmap_bits = bits_for(gram->count, BITMAP_MORE, BITMAP_MOST);
	size_t buckets = (size_t)1 << bucket_bits;

	if (gram->count == 0)
		return true;
	gram->find = finder_for(gram->stride);
	gram->bucket_shift = 32 - bucket_bits;
	gram->bitmap_shift = 32 - bitmap_bits;
	gram->buckets = calloc(buckets + 2, sizeof(*gram->buckets));
	gram->bitmap = calloc((size_t)1 << (bitmap_bits - 5), sizeof(*gram->bitmap));
	if (gram->buckets == NULL || gram->bitmap == NULL || !nodes_sort(gram, buckets))
		return false;
	for (size_t i = 0; i < gram->count; i++) {
		uint32_t bit = gram->nodes[i].hash >> gram->bitmap_shift;

		gram->bitmap[bit >> 5] |= UINT32_C(1) << (bit & 31);
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
