/* SHA-256 (FIPS 180-4), as the standard writes it. */
#include "base/hash.h"

#include <string.h>

struct sha256 {
	uint32_t state[8];
	uint32_t words[64];
};

static const uint32_t constants[64] = {0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b,
    0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74,
    0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
    0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3,
    0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354,
    0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
    0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3,
    0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa,
    0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t turn(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

static uint32_t get_big(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* 6.2.2, step 1 */
static void schedule(uint32_t words[64], const uint8_t *block)
{
	for (unsigned t = 0; t < 16; t++)
		words[t] = get_big(block + 4u * t);
	for (unsigned t = 16; t < 64; t++) {
		uint32_t a = words[t - 15], b = words[t - 2];

		words[t] = words[t - 16] + words[t - 7] + (turn(a, 7) ^ turn(a, 18) ^ a >> 3) +
			   (turn(b, 17) ^ turn(b, 19) ^ b >> 10);
	}
}

static void block_add(struct sha256 *sha, const uint8_t *block)
{
	uint32_t s[8];

	schedule(sha->words, block);
	memcpy(s, sha->state, sizeof(s));
	for (unsigned t = 0; t < 64; t++) {
		uint32_t first = s[7] + (turn(s[4], 6) ^ turn(s[4], 11) ^ turn(s[4], 25)) +
				 ((s[4] & s[5]) ^ (~s[4] & s[6])) + constants[t] + sha->words[t];
		uint32_t second = (turn(s[0], 2) ^ turn(s[0], 13) ^ turn(s[0], 22)) +
				  ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));

		memmove(s + 1, s, 7 * sizeof(*s));
		s[4] += first;
		s[0] = first + second;
	}
	for (unsigned i = 0; i < 8; i++)
		sha->state[i] += s[i];
}

void hash_sha256(struct str bytes, uint8_t ret[HASH_SHA256])
{
	struct sha256 sha = {.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
				 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
	const uint8_t *at = (const uint8_t *)bytes.ptr;
	size_t left = bytes.len;
	uint8_t last[128] = {0};

	for (; left >= 64; left -= 64, at += 64)
		block_add(&sha, at);
	if (left > 0)
		memcpy(last, at, left);
	last[left] = 0x80;
	size_t size = left < 56 ? 64 : 128;

	for (unsigned i = 0; i < 8; i++)
		last[size - 1 - i] = (uint8_t)((uint64_t)bytes.len * 8 >> 8 * i);
	block_add(&sha, last);
	if (size == 128)
		block_add(&sha, last + 64);
	for (unsigned i = 0; i < HASH_SHA256; i++)
		ret[i] = (uint8_t)(sha.state[i / 4] >> (24 - 8 * (i % 4)));
}
