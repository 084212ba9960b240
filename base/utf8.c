#include "base/utf8.h"

#include "base/check.h"
#include "base/cpu.h"

#include <string.h>
#if CPU_HAS_V3
#include <immintrin.h>
#endif

#define BAD_BYTE "\xEF\xBF\xBD" /* U+FFFD */

struct fold {
	uint32_t first, last, step;
	int32_t delta;
};

static const struct fold folds[] = {
#define FOLD(first, last, step, delta) {first, last, step, delta},
#include "base/utf8_fold.def"
#undef FOLD
};

/* The length that a first byte announces, 0 for one that begins nothing (RFC 3629 section 4). */
static size_t sequence_length(uint8_t first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xC2 && first <= 0xDF)
		return 2;
	if (first >= 0xE0 && first <= 0xEF)
		return 3;
	return first >= 0xF0 && first <= 0xF4 ? 4 : 0;
}

uint32_t utf8_decode(struct str s, size_t *ret_len)
{
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};

	CHECK(s.len > 0);
	uint8_t first = (uint8_t)s.ptr[0];
	size_t len = sequence_length(first);

	*ret_len = 1;
	if (len == 1)
		return first;
	if (len == 0 || len > s.len)
		return UTF8_BAD;
	uint32_t code_point = first & (0x7Fu >> len);

	for (size_t i = 1; i < len; i++) {
		uint8_t next = (uint8_t)s.ptr[i];

		if ((next & 0xC0) != 0x80)
			return UTF8_BAD;
		code_point = code_point << 6 | (next & 0x3F);
	}
	if (code_point < least[len] || code_point > 0x10FFFF ||
	    (code_point >= 0xD800 && code_point <= 0xDFFF))
		return UTF8_BAD;
	*ret_len = len;
	return code_point;
}

size_t utf8_encode(uint32_t code_point, char ret[4])
{
	size_t len = code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;

	CHECK(code_point <= 0x10FFFF);
	for (size_t i = len - 1; i > 0; i--) {
		ret[i] = (char)(0x80 | (code_point & 0x3F));
		code_point >>= 6;
	}
	ret[0] = (char)(len == 1 ? code_point : (0xF00u >> len & 0xF0) | code_point);
	return len;
}

void utf8_put(struct buf *out, uint32_t code_point)
{
	char bytes[4];

	buf_put(out, bytes, utf8_encode(code_point, bytes));
}

/* Where the ASCII that begins there ends, but for up to seven bytes: nearly all text is ASCII. */
static size_t ascii_skip(struct str s, size_t at)
{
	uint64_t word;

	for (; s.len - at >= sizeof(word); at += sizeof(word)) {
		memcpy(&word, s.ptr + at, sizeof(word));
		if ((word & UINT64_C(0x8080808080808080)) != 0)
			break;
	}
	return at;
}

static bool is_valid_portable(struct str s)
{
	for (size_t at = 0, len; at < s.len; at += len) {
		len = ascii_skip(s, at) - at;
		if (len > 0)
			continue;
		len = 1;
		if ((uint8_t)s.ptr[at] < 0x80)
			continue;
		if (utf8_decode(str_slice(s, at, s.len), &len) == UTF8_BAD)
			return false;
	}
	return true;
}

#if CPU_HAS_V3
/*
 * What is wrong with two bytes that follow one another, a bit a reason; three tables by half bytes
 * give the reasons that each half leaves open, and what all three leave open is wrong (Keiser and
 * Lemire, Validating UTF-8 In Less Than One Instruction Per Byte). TWICE is no reason by itself:
 * there the second of three or four bytes should have come before.
 */
enum {
	SHORT = 1,	/* a beginning that is not gone on with */
	LONG = 2,	/* a continuation that nobody has begun */
	THREE = 4,	/* three bytes for what two can say */
	SURROGATE = 8,
	TWO = 0x10,	/* two bytes for what one can say */
	LARGE = 0x20,	/* above U+10FFFF, or ... */
	LARGE_FOUR = 0x40, /* ... four bytes for what three can say */
	TWICE = 0x80,
	CARRY = SHORT | LONG | TWICE
};

static const uint8_t by_first_high[16] = {LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, TWICE,
    TWICE, TWICE, TWICE, SHORT | TWO, SHORT, SHORT | THREE | SURROGATE,
    SHORT | LARGE | LARGE_FOUR};
static const uint8_t by_first_low[16] = {CARRY | THREE | TWO | LARGE_FOUR, CARRY | TWO, CARRY,
    CARRY, CARRY | LARGE, CARRY | LARGE | LARGE_FOUR, CARRY | LARGE | LARGE_FOUR,
    CARRY | LARGE | LARGE_FOUR, CARRY | LARGE | LARGE_FOUR, CARRY | LARGE | LARGE_FOUR,
    CARRY | LARGE | LARGE_FOUR, CARRY | LARGE | LARGE_FOUR, CARRY | LARGE | LARGE_FOUR,
    CARRY | LARGE | LARGE_FOUR | SURROGATE, CARRY | LARGE | LARGE_FOUR,
    CARRY | LARGE | LARGE_FOUR};
static const uint8_t by_second_high[16] = {SHORT, SHORT, SHORT, SHORT, SHORT, SHORT, SHORT, SHORT,
    LONG | TWO | TWICE | THREE | LARGE_FOUR, LONG | TWO | TWICE | THREE | LARGE,
    LONG | TWO | TWICE | SURROGATE | LARGE, LONG | TWO | TWICE | SURROGATE | LARGE, SHORT, SHORT,
    SHORT, SHORT};

CPU_V3_CODE static inline __m256i table_v3(const uint8_t table[16], __m256i index)
{
	__m128i half = _mm_loadu_si128((const __m128i *)(const void *)table);

	return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(half), index);
}

/* The bytes that stand so many before those of now. */
#define BEFORE(now, last, count)                                                                   \
	_mm256_alignr_epi8(now, _mm256_permute2x128_si256(last, now, 0x21), 16 - (count))

CPU_V3_CODE static inline __m256i wrong_v3(__m256i now, __m256i last)
{
	const __m256i low = _mm256_set1_epi8(0x0F), high = _mm256_set1_epi8((char)0x80);
	__m256i first = BEFORE(now, last, 1), second = BEFORE(now, last, 2),
		third = BEFORE(now, last, 3);
	__m256i reasons = _mm256_and_si256(
	    _mm256_and_si256(
		table_v3(by_first_high, _mm256_and_si256(_mm256_srli_epi16(first, 4), low)),
		table_v3(by_first_low, _mm256_and_si256(first, low))),
	    table_v3(by_second_high, _mm256_and_si256(_mm256_srli_epi16(now, 4), low)));
	/* Behind the first of three, or of four, a continuation must stand two, or three, later. */
	__m256i wanted = _mm256_or_si256(
	    _mm256_subs_epu8(second, _mm256_set1_epi8((char)(0xE0 - 0x80))),
	    _mm256_subs_epu8(third, _mm256_set1_epi8((char)(0xF0 - 0x80))));

	return _mm256_xor_si256(_mm256_and_si256(wanted, high), reasons);
}

/* Whole blocks of 32 bytes; the end, padded with zeros, shows what is not gone on with. */
CPU_V3_CODE static bool is_valid_v3(struct str s)
{
	__m256i last = _mm256_setzero_si256(), wrong = last, now;
	size_t at = 0;
	bool ascii = true;

	for (; s.len - at >= 32; at += 32) {
		now = _mm256_loadu_si256((const __m256i *)(const void *)(s.ptr + at));
		bool plain = _mm256_movemask_epi8(now) == 0;

		/* Behind ASCII, ASCII is right without looking. */
		if (!plain || !ascii)
			wrong = _mm256_or_si256(wrong, wrong_v3(now, last));
		ascii = plain;
		last = now;
	}
	char rest[32] = {0};

	memcpy(rest, s.ptr + at, s.len - at);
	now = _mm256_loadu_si256((const __m256i *)(const void *)rest);
	wrong = _mm256_or_si256(wrong, wrong_v3(now, last));
	/* What the last byte of all begins is not gone on with: only where no zero follows it. */
	return _mm256_testz_si256(wrong, wrong) != 0;
}
#endif

bool utf8_is_valid(struct str s)
{
#if CPU_HAS_V3
	if (s.len >= 32 && cpu_level() >= CPU_V3)
		return is_valid_v3(s);
#endif
	return is_valid_portable(s);
}

/*
 * What may change how a terminal shows the text around it: bidi marks, embeddings and isolates
 * (UAX #9), line and paragraph separators, and the byte order mark, which shows as nothing.
 */
static bool is_deceptive(uint32_t c)
{
	return c == 0x61C || c == 0x200E || c == 0x200F || (c >= 0x2028 && c <= 0x202E) ||
	       (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
}

static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7F && c < 0xA0);
}

void utf8_escape(struct buf *out, struct str s, bool keep_newlines)
{
	for (size_t at = 0, len; at < s.len; at += len) {
		uint32_t c = utf8_decode(str_slice(s, at, s.len), &len);

		if (keep_newlines && (c == '\n' || c == '\t'))
			buf_char(out, (char)c);
		else if (c == UTF8_BAD || c < 0x20 || c == 0x7F)
			buf_printf(out, "\\x%02X", (uint8_t)s.ptr[at]);
		else if (is_control(c) || is_deceptive(c))
			buf_printf(out, "\\u{%X}", c);
		else
			buf_put(out, s.ptr + at, len);
	}
}

static size_t json_control(char *at, uint32_t c)
{
	static const char letters[] = "btn?fr"; /* from U+0008; U+000B has no letter */

	at[0] = '\\';
	if (c >= 8 && c <= 13 && c != 11) {
		at[1] = letters[c - 8];
		return 2;
	}
	memcpy(at + 1, "u00", 3);
	at[4] = "0123456789abcdef"[c >> 4];
	at[5] = "0123456789abcdef"[c & 15];
	return 6;
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first byte is the lowest");

/* The high bit of each byte that is zero; of those above one that is, perhaps wrongly. */
static inline uint64_t zero_bytes(uint64_t word)
{
	return (word - EACH(1)) & ~word;
}

/* ASCII that stands in JSON as it is. */
static inline bool json_is_plain(char c)
{
	return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
}

/*
 * Copies what stands in JSON as it is, up to the first byte that does not: how many bytes. Up to 32
 * bytes more may be written to `to`.
 */
static size_t json_copy_portable(char *to, const char *from, size_t len)
{
	size_t at = 0;

	for (; len - at >= 8; at += 8) {
		uint64_t word, other;

		memcpy(&word, from + at, sizeof(word));
		memcpy(to + at, &word, sizeof(word));
		other = (word | (word + EACH(1)) | ((word - EACH(0x20)) & ~word) |
		    zero_bytes(word ^ EACH('"')) | zero_bytes(word ^ EACH('\\'))) & EACH(0x80);
		if (other != 0)
			return at + (size_t)__builtin_ctzll(other) / 8;
	}
	for (; at < len && json_is_plain(from[at]); at++)
		to[at] = from[at];
	return at;
}

#if CPU_HAS_V3
CPU_V3_CODE static size_t json_copy_v3(char *to, const char *from, size_t len)
{
	const __m256i below = _mm256_set1_epi8(0x20), quote = _mm256_set1_epi8('"'),
	    backslash = _mm256_set1_epi8('\\'), delete = _mm256_set1_epi8(0x7F);
	size_t at = 0;

	for (; len - at >= 32; at += 32) {
		__m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)(from + at));
		/* Signed: bytes that are not ASCII lie below as well. */
		__m256i other = _mm256_or_si256(
		    _mm256_or_si256(_mm256_cmpgt_epi8(below, bytes),
			_mm256_cmpeq_epi8(bytes, quote)),
		    _mm256_or_si256(_mm256_cmpeq_epi8(bytes, backslash),
			_mm256_cmpeq_epi8(bytes, delete)));
		uint32_t mask = (uint32_t)_mm256_movemask_epi8(other);

		_mm256_storeu_si256((__m256i *)(void *)(to + at), bytes);
		if (mask != 0)
			return at + (size_t)__builtin_ctz(mask);
	}
	return at + json_copy_portable(to + at, from + at, len - at);
}
#endif

static size_t json_copy(char *to, const char *from, size_t len)
{
#if CPU_HAS_V3
	if (cpu_level() >= CPU_V3)
		return json_copy_v3(to, from, len);
#endif
	return json_copy_portable(to, from, len);
}

/* The character that begins s, as JSON wants it; at has room for six bytes. */
static size_t json_character(char *at, struct str s, size_t *ret_len)
{
	uint32_t c = utf8_decode(s, ret_len);

	if (c == UTF8_BAD) {
		memcpy(at, BAD_BYTE, 3);
		return 3;
	}
	if (c == '"' || c == '\\') {
		at[0] = '\\';
		at[1] = (char)c;
		return 2;
	}
	if (is_control(c))
		return json_control(at, c);
	memcpy(at, s.ptr, *ret_len);
	return *ret_len;
}

#define JSON_SPARE 40u /* what json_copy may write beyond, and one character */

void utf8_json(struct buf *out, struct str s)
{
	char *room;
	size_t at = 0, len;

	while (at < s.len && (room = buf_room(out, s.len - at + JSON_SPARE)) != NULL) {
		size_t plain = json_copy(room, s.ptr + at, s.len - at);

		at += plain;
		out->len += plain;
		if (at < s.len) {
			out->len += json_character(room + plain, str_slice(s, at, s.len), &len);
			at += len;
		}
	}
	/* Near the ceiling: what fits, fits. */
	for (; at < s.len && !out->failed; at += len) {
		char character[8];

		buf_put(out, character, json_character(character, str_slice(s, at, s.len), &len));
	}
}

uint32_t utf8_fold(uint32_t code_point)
{
	size_t low = 0, high = sizeof(folds) / sizeof(folds[0]);

	if (code_point < 0x80)
		return (uint32_t)(uint8_t)char_lower((char)code_point);
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct fold *fold = &folds[middle];

		if (code_point < fold->first)
			high = middle;
		else if (code_point > fold->last)
			low = middle + 1;
		else if ((code_point - fold->first) % fold->step != 0)
			return code_point;
		else
			return code_point + (uint32_t)fold->delta;
	}
	return code_point;
}

void utf8_fold_put(struct buf *out, struct str s)
{
	for (size_t at = 0, len; at < s.len; at += len) {
		uint32_t c = utf8_decode(str_slice(s, at, s.len), &len);

		if (c == UTF8_BAD)
			buf_char(out, s.ptr[at]);
		else
			utf8_put(out, utf8_fold(c));
	}
}
