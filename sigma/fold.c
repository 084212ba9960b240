#include "sigma/fold.h"

#include "base/cpu.h"
#include "base/utf8.h"

#if CPU_HAS_V3
#include <immintrin.h>
#endif
#include <string.h>

/*
 * Eight bytes at a time: a byte in 'A'..'Z' gets its high bit in the mask, and a quarter of that
 * bit is the difference of the cases. Only for words without a byte beyond ASCII.
 */
static uint64_t upper_mask(uint64_t word)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);

	return ((word + ones * (0x80 - 'A')) ^ (word + ones * (0x80 - 'Z' - 1))) & ones * 0x80;
}

/* The same for any word: other bytes get nothing. */
static uint64_t upper_mask_safe(uint64_t word)
{
	return upper_mask(word & UINT64_C(0x7F7F7F7F7F7F7F7F)) & ~word;
}

static uint64_t word_at(const char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

/* How many bytes at the front are ASCII; *upper is set when one of these is upper case. */
static size_t ascii_span(struct str text, bool *upper)
{
	uint64_t mask = 0;
	size_t i = 0;

	for (; i + 8 <= text.len; i += 8) {
		uint64_t word = word_at(text.ptr + i);

		if (word & UINT64_C(0x8080808080808080))
			break;
		mask |= upper_mask(word);
	}
	*upper |= mask != 0;
	for (; i < text.len && (uint8_t)text.ptr[i] < 0x80; i++)
		*upper |= text.ptr[i] >= 'A' && text.ptr[i] <= 'Z';
	return i;
}

static void ascii_fold(char *to, const char *from, size_t len)
{
	size_t i = 0;

	for (; i + 8 <= len; i += 8) {
		uint64_t word = word_at(from + i);

		word |= upper_mask(word) >> 2;
		memcpy(to + i, &word, sizeof(word));
	}
	for (; i < len; i++)
		to[i] = (char)(from[i] | (from[i] >= 'A' && from[i] <= 'Z' ? 0x20 : 0));
}

/* U+0080 to U+00BF, trade marks among them, fold to themselves, but for the micro sign. */
static bool is_sign(const char *at)
{
	return at[0] == '\xC2' && (at[1] & 0xC0) == 0x80 && at[1] != '\xB5';
}

/* Runs of ASCII and runs of other bytes in turn: no sequence goes from one into the other. */
static void runs_fold(struct buf *out, struct str text)
{
	bool upper = false;

	while (text.len > 0) {
		size_t run = ascii_span(text, &upper);
		char *to = buf_extend(out, run);

		if (to != NULL)
			ascii_fold(to, text.ptr, run);
		text = str_slice(text, run, text.len);
		for (run = 0; run < text.len && (uint8_t)text.ptr[run] >= 0x80; run++)
			continue;
		if (run == 2 && is_sign(text.ptr))
			buf_put(out, text.ptr, run);
		else
			utf8_fold_put(out, str_slice(text, 0, run));
		text = str_slice(text, run, text.len);
	}
}

#if CPU_HAS_V3
CPU_V3_CODE static inline __m256i lower32(__m256i bytes)
{
	/* The letters are the greatest of all signed bytes, moved so. */
	__m256i upper = _mm256_cmpgt_epi8(_mm256_add_epi8(bytes, _mm256_set1_epi8(127 - 'Z')),
	    _mm256_set1_epi8(127 - 26));

	return _mm256_or_si256(bytes, _mm256_and_si256(upper, _mm256_set1_epi8(0x20)));
}

CPU_V3_CODE static inline __m128i lower16(__m128i bytes)
{
	__m128i upper = _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8('A' - 1)),
	    _mm_cmpgt_epi8(_mm_set1_epi8('Z' + 1), bytes));

	return _mm_or_si128(bytes, _mm_and_si128(upper, _mm_set1_epi8(0x20)));
}

/* 16 to 31 bytes, in two pieces that may overlap; false when one is no ASCII. */
CPU_V3_CODE static inline bool half_fold(char *to, const char *from, size_t len)
{
	__m128i first = _mm_loadu_si128((const __m128i *)(const void *)from);
	__m128i last = _mm_loadu_si128((const __m128i *)(const void *)(from + len - 16));

	_mm_storeu_si128((__m128i *)(void *)to, lower16(first));
	_mm_storeu_si128((__m128i *)(void *)(to + len - 16), lower16(last));
	return _mm_movemask_epi8(_mm_or_si128(first, last)) == 0;
}

/* At least 16 bytes. The last 32 may be done twice. */
CPU_V3_CODE static bool ascii_fold_v3(char *to, const char *from, size_t len)
{
	if (len < 32)
		return half_fold(to, from, len);
	__m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)(from + len - 32));
	__m256i high = bytes;

	_mm256_storeu_si256((__m256i *)(void *)(to + len - 32), lower32(bytes));
#pragma GCC unroll 4
	for (size_t at = 0; at + 32 < len; at += 32) {
		bytes = _mm256_loadu_si256((const __m256i *)(const void *)(from + at));
		high = _mm256_or_si256(high, bytes);
		_mm256_storeu_si256((__m256i *)(void *)(to + at), lower32(bytes));
	}
	return _mm256_movemask_epi8(high) == 0;
}
#endif

/* At least 8 bytes; false when one is no ASCII. The last 8 may be done twice. */
static inline bool ascii_fold_words(char *to, const char *from, size_t len)
{
	uint64_t word = word_at(from + len - 8), high = word;

	word |= upper_mask_safe(word) >> 2;
	memcpy(to + len - 8, &word, sizeof(word));
	for (size_t at = 0; at + 8 < len; at += 8) {
		word = word_at(from + at);
		high |= word;
		word |= upper_mask_safe(word) >> 2;
		memcpy(to + at, &word, sizeof(word));
	}
	return (high & UINT64_C(0x8080808080808080)) == 0;
}

bool fold_ascii(char *to, struct str text)
{
	char high = 0;

	memset(to + text.len, 0, FOLD_PADDING);
#if CPU_HAS_V3
	if (text.len >= 16 && cpu_level() == CPU_V3)
		return ascii_fold_v3(to, text.ptr, text.len);
#endif
	if (text.len >= 8)
		return ascii_fold_words(to, text.ptr, text.len);
	for (size_t i = 0; i < text.len; i++) {
		high |= text.ptr[i];
		to[i] = char_lower(text.ptr[i]);
	}
	return ((uint8_t)high & 0x80) == 0;
}

/* Whether U+017F or U+212A may begin at a place in front of the last byte. */
static bool long_s_or_kelvin(const char *at)
{
	return (at[0] == '\xC5' && at[1] == '\xBF') || (at[0] == '\xE2' && at[1] == '\x84');
}

#if CPU_HAS_V3
CPU_V3_CODE static inline __m256i where_equal(const char *at, char byte)
{
	return _mm256_cmpeq_epi8(
	    _mm256_loadu_si256((const __m256i *)(const void *)at), _mm256_set1_epi8(byte));
}

/* Whether one of the two begins in a block, of which the byte behind may be read. */
CPU_V3_CODE static bool block_has_either(const char *block)
{
	__m256i s = where_equal(block, '\xC5'), k = where_equal(block, '\xE2');
	__m256i both = _mm256_or_si256(_mm256_and_si256(s, where_equal(block + 1, '\xBF')),
	    _mm256_and_si256(k, where_equal(block + 1, '\x84')));

	return !_mm256_testz_si256(both, both);
}

/* The same of two blocks: looked at closer where a first byte is. */
CPU_V3_CODE static inline bool blocks_have_either(const char *block)
{
	__m256i first = _mm256_or_si256(
	    _mm256_or_si256(where_equal(block, '\xC5'), where_equal(block, '\xE2')),
	    _mm256_or_si256(where_equal(block + 32, '\xC5'), where_equal(block + 32, '\xE2')));

	return !_mm256_testz_si256(first, first) &&
	    (block_has_either(block) || block_has_either(block + 32));
}

/* How many places, from the first on, begin neither. */
CPU_V3_CODE static size_t kept_v3(struct str text)
{
	size_t at = 0;

	for (; at + 65 <= text.len; at += 64) {
		if (blocks_have_either(text.ptr + at))
			return at;
	}
	/* The last ones once more, up to the end. */
	if (text.len >= 65 && !blocks_have_either(text.ptr + text.len - 65))
		at = text.len - 1;
	return at;
}
#endif

bool fold_keeps_ascii(struct str text)
{
	size_t at = 0;

#if CPU_HAS_V3
	if (cpu_level() == CPU_V3)
		at = kept_v3(text);
#endif
	for (; at + 1 < text.len; at++) {
		if (long_s_or_kelvin(text.ptr + at))
			return false;
	}
	return true;
}

struct str fold_padded(struct arena *arena, struct str text)
{
	struct buf out = {.capacity = text.len + text.len / 2 + 4};

	out.ceiling = out.capacity;
	out.ptr = arena_alloc(arena, out.capacity + FOLD_PADDING);
	if (out.ptr == NULL)
		return STR_NONE;
	runs_fold(&out, text);
	memset(out.ptr + out.len, 0, FOLD_PADDING);
	return out.failed ? STR_NONE : buf_str(&out);
}

struct str fold_text(struct arena *arena, struct str text)
{
	bool upper = false;
	size_t ascii = ascii_span(text, &upper);

	if (ascii == text.len && !upper)
		return text;
	/* No code point folds to more than one and a half times its bytes; see the test. */
	size_t room = ascii == text.len ? text.len : text.len + text.len / 2 + 4;
	struct buf out = {.ptr = arena_alloc(arena, room), .capacity = room, .ceiling = room};

	if (out.ptr == NULL)
		return STR_NONE;
	runs_fold(&out, text);
	return out.failed ? STR_NONE : buf_str(&out);
}
