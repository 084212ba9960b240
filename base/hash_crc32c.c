/*
 * CRC32C, twice: with tables, eight bytes a step, for any machine; and with the instruction of
 * SSE 4.2. That one answers after three cycles but can be begun in each, so three parts of a block
 * go side by side; the checksum is linear, and what the first parts have become behind the bytes of
 * the later ones is looked up.
 */
#include "base/hash.h"

#include <pthread.h>
#include <string.h>
#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

#define POLYNOMIAL 0x82f63b78u /* reflected */
#define SLICES     8u
#define PART       512u /* bytes of one of three parts */

/* slices[k][b]: what the byte b has become when k more zero bytes went by. Made once. */
static uint32_t slices[SLICES][256];
/* behind[k][b]: what byte k of a checksum, being b, becomes behind PART zero bytes. */
static uint32_t behind[4][256];
static pthread_once_t made = PTHREAD_ONCE_INIT;

static uint32_t byte_pass(uint32_t value)
{
	for (int bit = 0; bit < 8; bit++)
		value = (value >> 1) ^ (value & 1 ? POLYNOMIAL : 0);
	return value;
}

static uint32_t part_pass(uint32_t value)
{
	for (size_t i = 0; i < PART; i++)
		value = slices[0][value & 0xff] ^ (value >> 8);
	return value;
}

static void tables_make(void)
{
	uint32_t bits[32];

	for (uint32_t b = 0; b < 256; b++)
		slices[0][b] = byte_pass(b);
	for (size_t k = 1; k < SLICES; k++)
		for (uint32_t b = 0; b < 256; b++)
			slices[k][b] = slices[0][slices[k - 1][b] & 0xff] ^ (slices[k - 1][b] >> 8);
	for (uint32_t bit = 0; bit < 32; bit++)
		bits[bit] = part_pass(1u << bit);
	for (uint32_t k = 0; k < 4; k++)
		for (uint32_t b = 0; b < 256; b++)
			for (uint32_t bit = 0; bit < 8; bit++)
				behind[k][b] ^= b >> bit & 1 ? bits[8 * k + bit] : 0;
}

static inline uint64_t load64(const uint8_t *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "load64 reads little-endian words");

static uint32_t word_pass(uint64_t word)
{
	uint32_t value = 0;

	for (size_t k = 0; k < SLICES; k++)
		value ^= slices[SLICES - 1 - k][word >> 8 * k & 0xff];
	return value;
}

uint32_t hash_crc32c_portable(uint32_t crc, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	pthread_once(&made, tables_make);
	crc = ~crc;
	for (; len >= 8; len -= 8, at += 8)
		crc = word_pass(load64(at) ^ crc);
	for (; len > 0; len--, at++)
		crc = slices[0][(crc ^ *at) & 0xff] ^ (crc >> 8);
	return ~crc;
}

#if defined(__x86_64__)
#define SSE __attribute__((target("sse4.2")))

static inline uint64_t part_shift(uint64_t crc)
{
	return behind[0][crc & 0xff] ^ behind[1][crc >> 8 & 0xff] ^ behind[2][crc >> 16 & 0xff] ^
	    behind[3][crc >> 24 & 0xff];
}

SSE static uint64_t block_pass(uint64_t a, const uint8_t *at)
{
	uint64_t b = 0, c = 0;

	for (const uint8_t *end = at + PART; at < end; at += 16) {
		a = _mm_crc32_u64(a, load64(at));
		b = _mm_crc32_u64(b, load64(at + PART));
		c = _mm_crc32_u64(c, load64(at + 2 * PART));
		a = _mm_crc32_u64(a, load64(at + 8));
		b = _mm_crc32_u64(b, load64(at + PART + 8));
		c = _mm_crc32_u64(c, load64(at + 2 * PART + 8));
	}
	return part_shift(part_shift(a) ^ b) ^ c;
}

SSE static uint32_t crc32c_sse(uint32_t crc, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	uint64_t value = ~crc;

	if (len >= 3 * PART)
		pthread_once(&made, tables_make);
	for (; len >= 3 * PART; len -= 3 * PART, at += 3 * PART)
		value = block_pass(value, at);
	for (; len >= 8; len -= 8, at += 8)
		value = _mm_crc32_u64(value, load64(at));
	for (; len > 0; len--, at++)
		value = _mm_crc32_u8((uint32_t)value, *at);
	return ~(uint32_t)value;
}
#endif

uint32_t hash_crc32c(uint32_t crc, const void *bytes, size_t len)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("sse4.2"))
		return crc32c_sse(crc, bytes, len);
#endif
	return hash_crc32c_portable(crc, bytes, len);
}
