#include "base/hash.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/digits.h"

#include <pthread.h>
#include <string.h>
#include <sys/random.h>

/* All of a hash in registers: handed on through memory, the state would be waited for. */
#define SIP_INLINE static inline __attribute__((always_inline))

#define ROTATE(x, b) (((x) << (b)) | ((x) >> (64 - (b))))

struct sip {
	uint64_t v0, v1, v2, v3;
};

SIP_INLINE void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = ROTATE(s->v1, 13) ^ s->v0;
	s->v0 = ROTATE(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = ROTATE(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = ROTATE(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = ROTATE(s->v1, 17) ^ s->v2;
	s->v2 = ROTATE(s->v2, 32);
}

static inline uint64_t load64(const char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "load64 reads little-endian words");

SIP_INLINE void sip_absorb(struct sip *s, struct str bytes)
{
	size_t whole = bytes.len & ~(size_t)7;
	uint64_t last = (uint64_t)bytes.len << 56;

	for (size_t i = 0; i < whole; i += 8) {
		uint64_t word = load64(bytes.ptr + i);

		s->v3 ^= word;
		sip_round(s);
		sip_round(s);
		s->v0 ^= word;
	}
	for (size_t i = whole; i < bytes.len; i++)
		last |= (uint64_t)(uint8_t)bytes.ptr[i] << (8 * (i - whole));
	s->v3 ^= last;
	sip_round(s);
	sip_round(s);
	s->v0 ^= last;
}

SIP_INLINE uint64_t sip_squeeze(struct sip *s)
{
	for (int i = 0; i < 4; i++)
		sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

SIP_INLINE struct sip sip_begin(struct hash_key key)
{
	return (struct sip){key.k0 ^ 0x736f6d6570736575u, key.k1 ^ 0x646f72616e646f6du,
	    key.k0 ^ 0x6c7967656e657261u, key.k1 ^ 0x7465646279746573u};
}

uint64_t hash_sip64(struct hash_key key, struct str bytes)
{
	struct sip s = sip_begin(key);

	sip_absorb(&s, bytes);
	s.v2 ^= 0xff;
	return sip_squeeze(&s);
}

struct hash128 hash_sip128(struct hash_key key, struct str bytes)
{
	struct sip s = sip_begin(key);
	struct hash128 hash;

	s.v1 ^= 0xee;
	sip_absorb(&s, bytes);
	s.v2 ^= 0xee;
	hash.high = sip_squeeze(&s);
	s.v1 ^= 0xdd;
	hash.low = sip_squeeze(&s);
	return hash;
}

bool hash_random(void *ret, size_t len)
{
	return getrandom(ret, len, 0) == (ssize_t)len;
}

/* Made once, by whichever thread comes first. */
static struct hash_key process_key;

static void make_process_key(void)
{
	CHECK(hash_random(&process_key, sizeof(process_key)));
}

struct hash_key hash_process_key(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_process_key);
	return process_key;
}

bool hash128_eq(struct hash128 a, struct hash128 b)
{
	return a.high == b.high && a.low == b.low;
}

struct str hash128_format(struct hash128 hash, char out[HASH128_TEXT])
{
	*digits_hex64(digits_hex64(out, hash.high), hash.low) = '\0';
	return (struct str){out, HASH128_TEXT - 1};
}

bool hash128_parse(struct str text, struct hash128 *ret)
{
	uint8_t bytes[16];

	if (!str_to_bytes(text, bytes, sizeof(bytes)))
		return false;
	ret->high = __builtin_bswap64(get_u64(bytes));
	ret->low = __builtin_bswap64(get_u64(bytes + 8));
	return true;
}
