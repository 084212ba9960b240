#include "decoder/json_unescape.h"

#include "base/utf8.h"

#if CPU_HAS_V3
#include <immintrin.h>
#endif

#define RUN    16u /* bytes copied at once */
#define INLINE inline __attribute__((always_inline))

static bool four_hex(const char *at, const char *end, unsigned *ret)
{
	unsigned value = 0;

	if (end - at < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		int digit = char_hex(at[i]);
		if (digit < 0)
			return false;
		value = value * 16 + (unsigned)digit;
	}
	*ret = value;
	return true;
}

/* "\uXXXX", with its second half if it has one; how many bytes that was, or 0. */
static size_t unescape_unicode(char *out, const char *at, const char *end, size_t *ret_len)
{
	size_t taken = 6;
	unsigned low, c;

	if (!four_hex(at + 2, end, &c))
		return 0;
	if (c >= 0xD800 && c <= 0xDBFF && end - at >= 12 && at[6] == '\\' && at[7] == 'u' &&
	    four_hex(at + 8, end, &low) && low >= 0xDC00 && low <= 0xDFFF) {
		taken = 12;
		c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
	} else if (c >= 0xD800 && c <= 0xDFFF) {
		c = 0xFFFD;
	}
	*ret_len = utf8_encode(c, out);
	return taken;
}

/* What one letter stands for; 0: it is no escape of one letter. */
static const char plain[256] = {['"'] = '"',
    ['\\'] = '\\',
    ['/'] = '/',
    ['b'] = '\b',
    ['f'] = '\f',
    ['n'] = '\n',
    ['r'] = '\r',
    ['t'] = '\t'};

size_t json_unescape_one(char *out, const char *at, const char *end, size_t *ret_len)
{
	if (end - at < 2)
		return 0;
	if (at[1] == 'u')
		return unescape_unicode(out, at, end, ret_len);
	*out = plain[(uint8_t)at[1]];
	*ret_len = 1;
	return *out == '\0' ? 0 : 2;
}

/* Whole blocks while there are bytes of the text and slack of out to copy beyond. */
static INLINE char *run_copy(char *out, const char *at, size_t len,
    const char *end)
{
	if ((size_t)(end - at) >= len + RUN) {
		for (size_t i = 0; i < len; i += RUN)
			memcpy(out + i, at + i, RUN);
	} else {
		memcpy(out, at, len);
	}
	return out + len;
}

static INLINE uint64_t bits_from(uint64_t word, size_t from)
{
	return word & UINT64_MAX << from % 64;
}

/* The first set bit of [from, to), or to. */
static INLINE size_t bit_next(const uint64_t *bits, size_t from,
    size_t to)
{
	size_t word = from / 64;
	uint64_t left = bits_from(bits[word], from);

	while (left == 0) {
		if (++word * 64 >= to)
			return to;
		left = bits[word];
	}
	size_t at = word * 64 + (unsigned)__builtin_ctzll(left);

	return at < to ? at : to;
}

/* Run by run between the escapes, whatever they are. */
static __attribute__((noinline)) size_t unescape_runs(char *out, struct str text,
    size_t from, size_t to, const struct json_masks *masks, bool *coded)
{
	const char *start = out, *end = text.ptr + text.len;
	size_t len;

	for (;;) {
		size_t next = bit_next(masks->marks, from, to);

		out = run_copy(out, text.ptr + from, next - from, end);
		if (next == to)
			return (size_t)(out - start);
		size_t taken = json_unescape_one(out, text.ptr + next, text.ptr + to, &len);

		if (taken == 0)
			return SIZE_MAX;
		*coded |= taken > 2;
		out += len;
		from = next + taken;
	}
}

#if CPU_HAS_V3
CPU_V3_CODE static INLINE void block_copy(char *out, const char *at)
{
	_mm256_storeu_si256((__m256i *)(void *)out,
	    _mm256_loadu_si256((const __m256i *)(const void *)at));
}

/* 32 bytes at a time, of which len count; as many more may be read and written. */
CPU_V3_CODE static INLINE char *blocks_copy(char *out, const char *at, size_t len)
{
	block_copy(out, at);
	if (__builtin_expect(len > 32, 0)) {
		for (size_t i = 32; i < len; i += 32)
			block_copy(out + i, at + i);
	}
	return out + len;
}

struct one {
	size_t taken, len;
};

/* json_unescape_one, apart, so that those that are plain need no memory of the function. */
static __attribute__((noinline)) struct one unescape_special(char *out, const char *at,
    const char *end)
{
	struct one one = {0, 0};

	one.taken = json_unescape_one(out, at, end, &one.len);
	return one;
}

/*
 * Run by run, as unescape_runs, where 32 bytes of text and slack are there. A second half of \uD83D
 * is eaten with the first, so its backslash may lie behind at.
 */
CPU_V3_CODE static size_t unescape_blocks(char *out, const char *text, size_t from, size_t to,
    const uint64_t *marks, bool *coded)
{
	const char *start = out, *at = text + from, *end = text + to, *next;
	const char *base = text + from / 64 * 64;
	uint64_t left = bits_from(marks[from / 64], from);

	marks += from / 64;
	for (;;) {
		while (__builtin_expect(left == 0, 0)) { /* the quote at end is a mark too */
			base += 64;
			left = *++marks;
		}
		next = base + (unsigned)__builtin_ctzll(left);
		left &= left - 1;
		if (__builtin_expect(next >= end, 0))
			return (size_t)(blocks_copy(out, at, (size_t)(end - at)) - start);
		out = blocks_copy(out, at, (size_t)(next - at));
		at = next + 2;
		*out = plain[(uint8_t)next[1]];
		if (__builtin_expect(*out++ != '\0', 1))
			continue;
		struct one one = unescape_special(--out, next, end);

		if (one.taken == 0)
			return SIZE_MAX;
		*coded = true;
		out += one.len;
		at = next + one.taken;
		if (one.taken > 6) { /* the second half is the next escape */
			if (left == 0) {
				base += 64;
				left = *++marks;
			}
			left &= left - 1;
		}
	}
}

CPU_V3_CODE static size_t unescape_v3(char *out, struct str text, size_t from, size_t to,
    const struct json_masks *masks, bool *coded)
{
	if (__builtin_expect(text.len - to >= 32, 1))
		return unescape_blocks(out, text.ptr, from, to, masks->marks, coded);
	return unescape_runs(out, text, from, to, masks, coded);
}

/*
 * Word by word: in each the letters behind backslashes become what they stand for, and what is no
 * backslash is pressed together. Where a letter stands for nothing, it is \uXXXX or no escape.
 */
CPU_V4_CODE static size_t unescape_v4(char *out, struct str text, size_t from, size_t to,
    const struct json_masks *masks, bool *coded)
{
	const __m512i below = _mm512_loadu_si512(plain), above = _mm512_loadu_si512(plain + 64);
	char *start = out;
	uint64_t inside = UINT64_MAX << from % 64, carry = 0;

	for (size_t word = from / 64, last = (to - 1) / 64; word <= last; word++) {
		if (word == last)
			inside &= UINT64_MAX >> (63 - (to - 1) % 64);
		uint64_t escapes = masks->marks[word] & inside;
		uint64_t letters = escapes << 1 | carry;
		__m512i block = _mm512_maskz_loadu_epi8(inside, text.ptr + word * 64);
		__m512i meant = _mm512_permutex2var_epi8(below, block, above);
		uint64_t none = _mm512_testn_epi8_mask(meant, meant) | _mm512_movepi8_mask(block);

		if (__builtin_expect((letters & none) != 0, 0))
			return unescape_v3(start, text, from, to, masks, coded);
		block = _mm512_mask_mov_epi8(block, letters, meant);
		_mm512_storeu_si512(out, _mm512_maskz_compress_epi8(inside & ~escapes, block));
		out += __builtin_popcountll(inside & ~escapes);
		carry = escapes >> 63;
		inside = UINT64_MAX;
	}
	return (size_t)(out - start);
}
#endif

static size_t unescape_portable(char *out, struct str text, size_t from, size_t to,
    const struct json_masks *masks, bool *coded)
{
	return unescape_runs(out, text, from, to, masks, coded);
}

json_unescape_fn *json_unescape_for(enum cpu_level level)
{
#if CPU_HAS_V3
	if (level >= CPU_V3)
		return level == CPU_V4 ? unescape_v4 : unescape_v3;
#endif
	(void)level;
	return unescape_portable;
}
