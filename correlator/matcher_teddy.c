#include "correlator/matcher_teddy.h"

#include "base/check.h"
#include "base/cpu.h"

#if CPU_HAS_V3
#include <immintrin.h>
#endif

/* Literals with like bytes go into one group: its tables then let the least through. */
static uint32_t like(struct str text, uint32_t offset)
{
	const uint8_t *at = (const uint8_t *)text.ptr + offset;

	return (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
}

static void byte_put(struct teddy *teddy, size_t i, uint8_t byte, uint8_t group)
{
	teddy->low[i][byte & 15] |= group;
	teddy->high[i][byte >> 4] |= group;
}

static void literal_put(struct teddy *teddy, struct str text, uint32_t offset, uint8_t group)
{
	for (size_t i = 0; i < TEDDY_WIDTH; i++) {
		char c = text.ptr[offset + i];

		byte_put(teddy, i, (uint8_t)c, group);
		if (c >= 'a' && c <= 'z')
			byte_put(teddy, i, (uint8_t)(c - 32), group);
	}
}

void teddy_seal(struct teddy *teddy, const struct str *texts)
{
	uint32_t order[TEDDY_MOST];
	struct teddy_literal sorted[TEDDY_MOST];

	CHECK(teddy->count <= TEDDY_MOST);
	for (uint32_t i = 0; i < teddy->count; i++) {
		uint32_t at = i, key = like(texts[i], teddy->literals[i].offset);

		for (; at > 0 && like(texts[order[at - 1]],
		     teddy->literals[order[at - 1]].offset) > key; at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
	for (uint32_t i = 0; i < teddy->count; i++) {
		uint32_t group = i * TEDDY_GROUPS / teddy->count;

		sorted[i] = teddy->literals[order[i]];
		literal_put(teddy, texts[order[i]], sorted[i].offset, (uint8_t)(1u << group));
	}
	for (uint32_t i = 0; i < teddy->count; i++)
		teddy->literals[i] = sorted[i];
	for (uint32_t group = 0; group <= TEDDY_GROUPS; group++)
		teddy->groups[group] =
		    (group * teddy->count + TEDDY_GROUPS - 1) / TEDDY_GROUPS;
}

static size_t find_plain(const struct teddy *teddy, struct str text, size_t *at,
    struct teddy_hit *ret, size_t max, bool *high)
{
	size_t count = 0, place = *at;

	for (; place < text.len && count + 32 <= max; place++) {
		uint32_t groups = 0xFF;

		*high |= (uint8_t)text.ptr[place] >= 0x80;
		for (size_t i = 0; i < TEDDY_WIDTH && groups != 0; i++) {
			uint8_t byte = (uint8_t)text.ptr[place + i];

			groups &= teddy->low[i][byte & 15] & teddy->high[i][byte >> 4];
		}
		if (groups != 0)
			ret[count++] = (struct teddy_hit){(uint32_t)place, groups};
	}
	*at = place;
	return count;
}

#if CPU_HAS_V3
CPU_V3_CODE static inline __m256i table_load(const uint8_t table[16])
{
	return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)table));
}

CPU_V3_CODE static inline __m256i bytes_load(const char *at)
{
	return _mm256_loadu_si256((const __m256i *)(const void *)at);
}

CPU_V3_CODE static inline __m256i groups_of(__m256i bytes, __m256i low, __m256i high)
{
	const __m256i half = _mm256_set1_epi8(15);
	__m256i upper = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), half);

	return _mm256_and_si256(_mm256_shuffle_epi8(low, _mm256_and_si256(bytes, half)),
	    _mm256_shuffle_epi8(high, upper));
}

CPU_V3_CODE static size_t hits_take(__m256i groups, size_t place, struct teddy_hit *ret)
{
	uint8_t bytes[32];
	uint32_t found = ~(uint32_t)_mm256_movemask_epi8(
	    _mm256_cmpeq_epi8(groups, _mm256_setzero_si256()));
	size_t count = 0;

	_mm256_storeu_si256((__m256i *)(void *)bytes, groups);
	for (; found != 0; found &= found - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(found);

		ret[count++] = (struct teddy_hit){(uint32_t)place + i, bytes[i]};
	}
	return count;
}

CPU_V3_CODE static size_t find_v3(const struct teddy *teddy, struct str text, size_t *at,
    struct teddy_hit *ret, size_t max, bool *high)
{
	const __m256i low0 = table_load(teddy->low[0]), high0 = table_load(teddy->high[0]);
	const __m256i low1 = table_load(teddy->low[1]), high1 = table_load(teddy->high[1]);
	const __m256i low2 = table_load(teddy->low[2]), high2 = table_load(teddy->high[2]);
	__m256i all = _mm256_setzero_si256();
	size_t count = 0, place = *at;

	for (; place < text.len && count + 32 <= max; place += 32) {
		const char *from = text.ptr + place;
		__m256i bytes = bytes_load(from);
		__m256i groups = _mm256_and_si256(_mm256_and_si256(groups_of(bytes, low0, high0),
		    groups_of(bytes_load(from + 1), low1, high1)),
		    groups_of(bytes_load(from + 2), low2, high2));

		all = _mm256_or_si256(all, bytes);
		if (!_mm256_testz_si256(groups, groups))
			count += hits_take(groups, place, ret + count);
	}
	*high |= _mm256_movemask_epi8(all) != 0;
	*at = place;
	return count;
}
#endif

size_t teddy_find(const struct teddy *teddy, struct str text, size_t *at, struct teddy_hit *ret,
    size_t max, bool *high)
{
#if CPU_HAS_V3
	if (cpu_level() == CPU_V3)
		return find_v3(teddy, text, at, ret, max, high);
#endif
	return find_plain(teddy, text, at, ret, max, high);
}
