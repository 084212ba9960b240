#include "base/hash.h"

#include "tests/base/unit.h"

/* The key and inputs of the SipHash paper and its reference vectors: bytes 00, 01, 02, ... */
static const struct hash_key published = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

static struct str counting(uint8_t out[256])
{
	for (unsigned i = 0; i < 256; i++)
		out[i] = (uint8_t)i;
	return str_from(out, 256);
}

static void test_sip64(void **state)
{
	static const struct {
		size_t len;
		uint64_t hash;
	} rows[] = {{0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd}, {8, 0x93f5f5799a932462},
	    {15, 0xa129ca6149be45e5}, {63, 0x958a324ceb064572}};
	uint8_t bytes[256];
	struct str all = counting(bytes);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_true(hash_sip64(published, str_slice(all, 0, rows[i].len)) == rows[i].hash);
}

static void test_sip128(void **state)
{
	static const struct {
		size_t len;
		struct hash128 hash;
	} rows[] = {{0, {0xe6a825ba047f81a3, 0x930255c71472f66d}},
	    {1, {0x44af996bd8c187da, 0x45fc229b11597634}}};
	uint8_t bytes[256];
	struct str all = counting(bytes);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct hash128 hash = hash_sip128(published, str_slice(all, 0, rows[i].len));

		assert_true(hash128_eq(hash, rows[i].hash));
	}
}

/* RFC 3720 B.4, and the usual check value. */
static void test_crc32c(void **state)
{
	uint8_t zeros[32] = {0}, ones[32], up[256], down[32];

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	counting(up);
	for (size_t i = 0; i < 32; i++)
		down[i] = (uint8_t)(31 - i);
	const struct {
		const void *bytes;
		size_t len;
		uint32_t crc;
	} rows[] = {{"123456789", 9, 0xe3069283}, {zeros, 32, 0x8a9136aa}, {ones, 32, 0x62a8ab43},
	    {up, 32, 0x46dd794e}, {down, 32, 0x113fdb5c}, {"", 0, 0}};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_int_equal(hash_crc32c(0, rows[i].bytes, rows[i].len), rows[i].crc);
		assert_int_equal(hash_crc32c_portable(0, rows[i].bytes, rows[i].len), rows[i].crc);
	}
}

/* Every length and alignment; and in two pieces as in one. */
static void test_crc32c_paths_agree(void **state)
{
	uint8_t bytes[256];

	(void)state;
	counting(bytes);
	for (size_t from = 0; from < 9; from++) {
		for (size_t len = 0; len < 100; len++) {
			uint32_t crc = hash_crc32c(0, bytes + from, len);
			uint32_t half = hash_crc32c(0, bytes + from, len / 2);

			assert_int_equal(hash_crc32c_portable(0, bytes + from, len), crc);
			assert_int_equal(
			    hash_crc32c(half, bytes + from + len / 2, len - len / 2), crc);
		}
	}
}

/* Bit by bit, as RFC 3720 appendix B.4 has it. */
static uint32_t crc_by_bits(const uint8_t *bytes, size_t len)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < len; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return ~crc;
}

/* Long ones go by blocks of three parts. */
static void test_crc32c_long(void **state)
{
	static uint8_t bytes[8192];
	static const size_t lens[] = {511, 512, 1023, 1024, 1535, 1536, 1537, 1551, 3071, 3072,
	    3080, 4608, 6151, 8000};
	uint32_t draw = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)((draw = draw * 1664525u + 1013904223u) >> 24);
	for (size_t i = 0; i < COUNT_OF(lens); i++) {
		for (size_t from = 0; from < 9; from += 4) {
			uint32_t crc = crc_by_bits(bytes + from, lens[i]);
			uint32_t part = hash_crc32c(0, bytes + from, 100);

			assert_int_equal(hash_crc32c(0, bytes + from, lens[i]), crc);
			assert_int_equal(hash_crc32c_portable(0, bytes + from, lens[i]), crc);
			assert_int_equal(
			    hash_crc32c(part, bytes + from + 100, lens[i] - 100), crc);
		}
	}
}

static void test_text(void **state)
{
	struct hash128 hash = {0x0123456789abcdef, 0xfedcba9876543210}, back;
	char out[HASH128_TEXT];

	(void)state;
	struct str text = hash128_format(hash, out);

	assert_str(text, "0123456789abcdeffedcba9876543210");
	assert_true(hash128_parse(text, &back) && hash128_eq(hash, back));
	assert_false(hash128_parse(str_slice(text, 0, 31), &back));
	assert_false(hash128_parse(STR("g123456789abcdeffedcba9876543210"), &back));
}

static void test_random(void **state)
{
	uint64_t a = 0, b = 0;
	struct hash_key one = hash_process_key(), two = hash_process_key();

	(void)state;
	assert_true(hash_random(&a, sizeof(a)) && hash_random(&b, sizeof(b)));
	assert_true(a != b);
	assert_true(one.k0 == two.k0 && one.k1 == two.k1 && one.k0 != one.k1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sip64),
	    cmocka_unit_test(test_sip128),
	    cmocka_unit_test(test_crc32c),
	    cmocka_unit_test(test_crc32c_paths_agree),
	    cmocka_unit_test(test_crc32c_long),
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
