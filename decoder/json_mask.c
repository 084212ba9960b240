#include "decoder/json_mask.h"

#include <endian.h>

#if CPU_HAS_V3
#include <immintrin.h>
#endif

#define EVEN UINT64_C(0x5555555555555555)
#define ODD  (~EVEN)

#define INLINE inline __attribute__((always_inline))

/*
 * Of a run of backslashes every other one begins an escape. With the first of each run at an even
 * place, adding the run to its own beginning carries over its end, and tells even lengths from odd
 * ones. *carry: the first byte of the next word is escaped.
 */
static INLINE void word_put(struct json_masks *masks, size_t word,
    uint64_t quotes, uint64_t slashes, uint64_t *carry)
{
	if ((slashes | *carry) == 0) {
		masks->quotes[word] = quotes;
		masks->marks[word] = quotes;
		return;
	}
	uint64_t candidates = slashes & ~*carry;
	uint64_t behind = candidates << 1;
	uint64_t odd = ((behind | ODD) - candidates) ^ ODD;
	uint64_t escaped = odd ^ (slashes | *carry);
	uint64_t escapes = odd & slashes;

	*carry = escapes >> 63;
	masks->quotes[word] = quotes & ~escaped;
	masks->marks[word] = (quotes & ~escaped) | escapes;
}

/* The last block, with zeros behind it. */
static inline void tail_copy(char out[64], struct str text, size_t word)
{
	memset(out, 0, 64);
	memcpy(out, text.ptr + word * 64, text.len - word * 64);
}

/* A bit for each of the 8 bytes that are c. */
static inline uint64_t bytes_equal(uint64_t word, unsigned char c)
{
	const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);
	uint64_t x = word ^ UINT64_C(0x0101010101010101) * c;
	uint64_t zero = ~(((x & low) + low) | x | low);

	return (zero >> 7) * UINT64_C(0x0102040810204080) >> 56;
}

static void block_portable(const char *block, uint64_t *quotes, uint64_t *slashes)
{
	uint64_t bytes;

	*quotes = *slashes = 0;
	for (size_t i = 0; i < 8; i++) {
		memcpy(&bytes, block + i * 8, 8);
		bytes = le64toh(bytes);
		*quotes |= bytes_equal(bytes, '"') << i * 8;
		*slashes |= bytes_equal(bytes, '\\') << i * 8;
	}
}

static void make_portable(struct json_masks *masks, struct str text)
{
	uint64_t quotes, slashes, carry = 0;
	char tail[64];

	for (size_t word = 0; word < masks->words; word++) {
		const char *block = text.ptr + word * 64;

		if (text.len - word * 64 < 64) {
			tail_copy(tail, text, word);
			block = tail;
		}
		block_portable(block, &quotes, &slashes);
		word_put(masks, word, quotes, slashes, &carry);
	}
}

#if CPU_HAS_V3
CPU_V3_CODE static INLINE uint64_t block_equal(__m256i low, __m256i high, char c)
{
	__m256i wanted = _mm256_set1_epi8(c);
	uint32_t first = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, wanted));
	uint32_t second = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, wanted));

	return first | (uint64_t)second << 32;
}

CPU_V3_CODE static INLINE void block_v3(struct json_masks *masks, size_t word, const char *block,
    unsigned shift, uint64_t *carry)
{
	__m256i low = _mm256_loadu_si256((const __m256i *)(const void *)block);
	__m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(block + 32));

	word_put(masks, word, block_equal(low, high, '"') >> shift,
	    block_equal(low, high, '\\') >> shift, carry);
}

CPU_V3_CODE static void make_v3(struct json_masks *out, struct str text)
{
	struct json_masks masks = *out;
	size_t whole = text.len / 64, rest = text.len % 64;
	uint64_t carry = 0;
	char tail[64] __attribute__((uninitialized));

	for (size_t word = 0; word < whole; word++)
		block_v3(&masks, word, text.ptr + word * 64, 0, &carry);
	if (rest == 0)
		return;
	if (whole > 0) { /* the last 64 bytes, of which the first have been looked at */
		block_v3(&masks, whole, text.ptr + text.len - 64, 64 - (unsigned)rest, &carry);
	} else {
		tail_copy(tail, text, 0);
		block_v3(&masks, whole, tail, 0, &carry);
	}
}

CPU_V4_CODE static INLINE void block_v4(struct json_masks *masks, size_t word, __m512i block,
    uint64_t *carry)
{
	word_put(masks, word, _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8('"')),
	    _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8('\\')), carry);
}

/* Bytes that are masked out are not read. */
CPU_V4_CODE static void make_v4(struct json_masks *out, struct str text)
{
	struct json_masks masks = *out;
	size_t whole = text.len / 64, rest = text.len % 64;
	uint64_t carry = 0;

	for (size_t word = 0; word < whole; word++)
		block_v4(&masks, word, _mm512_loadu_si512(text.ptr + word * 64), &carry);
	if (rest > 0)
		block_v4(&masks, whole,
		    _mm512_maskz_loadu_epi8(~(UINT64_MAX << rest), text.ptr + whole * 64), &carry);
}
#endif

bool json_masks_make(struct json_masks *ret, struct str text, struct arena *arena,
    enum cpu_level level)
{
	size_t words = (text.len + 63) / 64;
	uint64_t *memory = arena_alloc(arena, 2 * (words + 2) * sizeof(*memory));

	if (memory == NULL)
		return false;
	*ret = (struct json_masks){.quotes = memory,
	    .marks = memory + words + 2,
	    .words = words};
	ret->quotes[words] = ret->marks[words] = 0;
	ret->quotes[words + 1] = ret->marks[words + 1] = UINT64_MAX;
#if CPU_HAS_V3
	if (level >= CPU_V3) {
		if (level == CPU_V4)
			make_v4(ret, text);
		else
			make_v3(ret, text);
		return true;
	}
#endif
	(void)level;
	make_portable(ret, text);
	return true;
}
