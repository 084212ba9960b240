/*
 * hash.h - keyed hashes and checksums.
 *
 * SipHash-2-4 (Aumasson, Bernstein 2012) wherever a stranger chooses the input: tables in memory
 * use a random key of the process, ids that are stored use the site's key. CRC32C (Castagnoli)
 * guards stored and travelling bytes against accidents, not against people.
 */
#ifndef TOCSIN_BASE_HASH_H
#define TOCSIN_BASE_HASH_H

#include "base/str.h"

struct hash_key {
	uint64_t k0, k1;
};

struct hash128 {
	uint64_t high, low;
};

#define HASH128_TEXT 33

uint64_t hash_sip64(struct hash_key key, struct str bytes);
struct hash128 hash_sip128(struct hash_key key, struct str bytes);
/* From getrandom, once a process; the same afterwards. For tables in memory, never for what is
 * kept. */
struct hash_key hash_process_key(void);
/* len bytes of the system's randomness; false when there is none. */
bool hash_random(void *ret, size_t len);

#define HASH_SHA256 32
/* For secrets and certificates, which are compared by it; not where speed counts. */
void hash_sha256(struct str bytes, uint8_t ret[HASH_SHA256]);

/* crc 0 begins; continue with the last result. Uses the CPU's instruction where there is one. */
uint32_t hash_crc32c(uint32_t crc, const void *bytes, size_t len);
/* The portable path, for tests. */
uint32_t hash_crc32c_portable(uint32_t crc, const void *bytes, size_t len);

bool hash128_eq(struct hash128 a, struct hash128 b);
/* 32 lower case digits, high half first; returns the text. */
struct str hash128_format(struct hash128 hash, char out[HASH128_TEXT]);
bool hash128_parse(struct str text, struct hash128 *ret);

#endif
