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
/* Of bytes i * 7 + 1, as another implementation has it: all ways to fill the last block. */
static void test_sha256(void **state)
{
	static const struct {
		size_t len;
		const char *digest;
	} rows[] = {
	    {0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	    {1, "4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a"},
	    {3, "ce562c676ea7aba9812f54db146b0096011bf3e423edfb0a6f8fb2b02674a801"},
	    {55, "16fa57a0a3423a715d594516339f36189d6b5f93754a9714fef202616a9fabfe"},
	    {56, "c37b44e5f1b18554b36966f4f8e08bfbf3164c4b6c10374d12d89850892073c5"},
	    {57, "12b234922502022f755ab8550a3d4e202ad39c81d961a4f59ec39d5fd83d15a7"},
	    {63, "bbba992d2c85af960fb2987a1fd05e0aa82a3db3c740dd8982a9e273b75e36a3"},
	    {64, "66bd4633ed6f71c4ecfa4763bf7ba1c8ec7612de9aa6c0578a7b675207c71e0b"},
	    {65, "9f7dc47107b750a1f3d35db5d9547f24ef40da5b731b9540d4f43710a154f6c9"},
	    {111, "1796402e8fc028fc1d3a61e3e4cac839872632c2d7b381cbd802d0768f5cfd13"},
	    {112, "e19b57d2618b2898cb915bf2be9bf558f761faa651cd6c5f892610750714dea4"},
	    {119, "a3ed307b730fa77c07531300c6e4a282330011d4d4caf6bb7b63ae05950f4b66"},
	    {120, "8e3b15d9fea7472655aa069620b7f8c2e55ee1499f763200a7515fe826e99d20"},
	    {128, "e462c130fef8c97e34f7dc3ff3ad2f8b3533ab849af21c10531552a2852387a4"},
	    {1000, "095ecb62e30793ab4b954cd6a0586d0cc91f7ea5b1332694d8da780e98676d78"},
	};
	uint8_t bytes[1000], digest[HASH_SHA256], want[HASH_SHA256];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(str_to_bytes(str_of(rows[i].digest), want, sizeof(want)));
		hash_sha256(str_from(bytes, rows[i].len), digest);
		assert_memory_equal(digest, want, sizeof(want));
	}
	/* FIPS 180-4's own example. */
	assert_true(str_to_bytes(
	    STR("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), want, 32));
	hash_sha256(STR("abc"), digest);
	assert_memory_equal(digest, want, sizeof(want));
}

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
	    cmocka_unit_test(test_sha256),
	    cmocka_unit_test(test_crc32c),
	    cmocka_unit_test(test_crc32c_paths_agree),
	    cmocka_unit_test(test_crc32c_long),
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
