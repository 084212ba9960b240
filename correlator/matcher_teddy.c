#include "correlator/matcher_teddy.h"

#include "base/check.h"
#include "base/cpu.h"

#if CPU_HAS_V3
#include <immintrin.h>
#endif

#define INLINE inline __attribute__((always_inline))

/* The four bytes stand at the end of the word; bytes that a short literal does not have are any. */
void teddy_add(struct teddy *teddy, struct str text, size_t first, uint32_t entry)
{
	size_t len = text.len < TEDDY_WIDTH ? text.len : TEDDY_WIDTH;
	struct teddy_literal *literal = &teddy->literals[teddy->count++];

	CHECK(teddy->count <= TEDDY_MOST && len > 0 && first + len <= text.len);
	*literal = (struct teddy_literal){.entry = entry, .end = (uint32_t)(first + len - 1)};
	for (size_t i = 0; i < len; i++) {
		unsigned shift = (unsigned)(8 * (TEDDY_WIDTH - len + i));

		literal->bytes |= (uint32_t)(uint8_t)text.ptr[first + i] << shift;
		literal->mask |= UINT32_C(0xFF) << shift;
	}
}

void teddy_add_pair(struct teddy *teddy, struct str text, size_t end, uint32_t entry)
{
	size_t len = end + 1 < TEDDY_WIDTH ? end + 1 : TEDDY_WIDTH;

	teddy->pairs = true;
	teddy_add(teddy, (struct str){text.ptr, end + 1}, end + 1 - len, entry);
}

static void byte_put(struct teddy *teddy, size_t i, uint8_t byte, uint8_t group)
{
	teddy->low[i][byte & 15] |= group;
	teddy->high[i][byte >> 4] |= group;
}

static void literal_put(struct teddy *teddy, const struct teddy_literal *literal, uint8_t group)
{
	for (size_t i = 0; i < TEDDY_WIDTH; i++) {
		uint8_t byte = (uint8_t)(literal->bytes >> 8 * i);

		if ((literal->mask >> 8 * i & 0xFF) == 0) {
			for (uint8_t half = 0; half < 16; half++) {
				teddy->low[i][half] |= group;
				teddy->high[i][half] |= group;
			}
			continue;
		}
		byte_put(teddy, i, byte, group);
		if (teddy->pairs && byte >= 'a' && byte <= 'z')
			byte_put(teddy, i, (uint8_t)(byte - 'a' + 'A'), group);
	}
}

/* Literals with like bytes go into one group: its tables then let the least through. */
static bool is_behind(const struct teddy *teddy, const struct teddy_literal *left,
    const struct teddy_literal *right)
{
	if (teddy->pairs)
		return left->bytes >> 16 > right->bytes >> 16;
	return left->mask != right->mask ? left->mask < right->mask : left->bytes > right->bytes;
}

_Static_assert(TEDDY_MOST <= TEDDY_GROUPS * TEDDY_GROUPS, "a group has places for its literals");

/* Four bytes of the text that end at a place; before its beginning there are zeros. */
static inline uint32_t four_before(const char *text, size_t at)
{
	uint32_t word = 0;

	if (at >= TEDDY_WIDTH - 1) {
		memcpy(&word, text + at - (TEDDY_WIDTH - 1), sizeof(word));
		return word;
	}
	for (size_t i = 0; i <= at; i++)
		word |= (uint32_t)(uint8_t)text[at - i] << (24 - 8 * i);
	return word;
}

/* The ASCII letters of four bytes in lower case. */
static uint32_t four_folded(uint32_t word)
{
	uint32_t low = word & UINT32_C(0x7f7f7f7f);
	uint32_t upper = (low + UINT32_C(0x3f3f3f3f)) & ~(low + UINT32_C(0x25252525)) & ~word &
	    UINT32_C(0x80808080);

	return word | upper >> 2;
}

/* The literals of groups that end there. */
static size_t literals_take(const struct teddy *teddy, const char *text, size_t at,
    uint32_t groups, struct teddy_hit *ret)
{
	uint32_t word = four_folded(four_before(text, at));
	size_t count = 0;

	for (; groups != 0; groups &= groups - 1) {
		uint32_t which = (uint32_t)__builtin_ctz(groups);
		const struct teddy_group *group = &teddy->groups[which];

		for (uint32_t i = 0; i < TEDDY_GROUPS; i++) {
			if (((word & group->mask[i]) ^ group->bytes[i]) == 0)
				ret[count++] = (struct teddy_hit){
				    (uint32_t)at, teddy->firsts[which] + i};
		}
	}
	return count;
}

static size_t find_plain(struct teddy *teddy, struct str text, size_t *at,
    struct teddy_hit *ret, size_t max)
{
	size_t count = 0, place = *at;

	for (; place < text.len && count + TEDDY_STEP <= max; place++) {
		uint32_t groups = 0xFF;

		for (size_t i = 0; i < TEDDY_WIDTH && i <= place; i++) {
			uint8_t byte = (uint8_t)text.ptr[place - i];

			groups &= teddy->low[TEDDY_WIDTH - 1 - i][byte & 15] &
			    teddy->high[TEDDY_WIDTH - 1 - i][byte >> 4];
		}
		if (groups == 0)
			continue;
		count += literals_take(teddy, text.ptr, place, groups, ret + count);
		teddy->asked++;
	}
	*at = place;
	return count;
}

static size_t pairs_plain(struct teddy *teddy, struct str text, size_t *at,
    struct teddy_hit *ret, size_t max)
{
	const uint8_t *low = teddy->low[3], *high = teddy->high[3];
	size_t count = 0, place = *at;
	uint8_t before = place == 0 ? 0 : (uint8_t)text.ptr[place - 1];

	for (; place < text.len && count + TEDDY_STEP <= max; place++) {
		uint8_t byte = (uint8_t)text.ptr[place];
		uint32_t groups = teddy->low[2][before & 15] & teddy->high[2][before >> 4] &
		    low[byte & 15] & high[byte >> 4];

		before = byte;
		if (groups == 0)
			continue;
		count += literals_take(teddy, text.ptr, place, groups, ret + count);
		teddy->asked++;
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

/* By table, the groups for each byte. */
#define GROUPS(table)                                                                              \
	_mm256_and_si256(                                                                          \
	    _mm256_shuffle_epi8(low##table, low), _mm256_shuffle_epi8(high##table, high))

/* The bytes of now moved up by n places, behind the last ones of before. */
#define MOVED(now, before, n)                                                                      \
	_mm256_alignr_epi8(now, _mm256_permute2x128_si256(before, now, 0x21), 16 - (n))

/* literals_take, all of a group at once. */
CPU_V3_CODE static inline size_t literals_take_v3(const struct teddy *teddy, const char *text,
    size_t at, uint32_t groups, struct teddy_hit *ret)
{
	const __m256i word = _mm256_set1_epi32((int)four_folded(four_before(text, at)));
	size_t count = 0;

	for (; groups != 0; groups &= groups - 1) {
		uint32_t which = (uint32_t)__builtin_ctz(groups);
		const struct teddy_group *group = &teddy->groups[which];
		__m256i asked =
		    _mm256_and_si256(word, bytes_load((const char *)group->mask));
		uint32_t found = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(
		    _mm256_cmpeq_epi32(asked, bytes_load((const char *)group->bytes))));

		for (; found != 0; found &= found - 1)
			ret[count++] = (struct teddy_hit){(uint32_t)at,
			    teddy->firsts[which] + (uint32_t)__builtin_ctz(found)};
	}
	return count;
}

CPU_V3_CODE static size_t hits_take(struct teddy *teddy, const char *text, __m256i groups,
    size_t place, struct teddy_hit *ret)
{
	uint32_t found = ~(uint32_t)_mm256_movemask_epi8(
	    _mm256_cmpeq_epi8(groups, _mm256_setzero_si256()));
	uint8_t bytes[TEDDY_BLOCK];
	size_t count = 0;

	_mm256_storeu_si256((__m256i *)(void *)bytes, groups);
	teddy->asked += (unsigned)__builtin_popcount(found);
	for (; found != 0; found &= found - 1) {
		size_t i = (size_t)__builtin_ctz(found);

		count += literals_take_v3(teddy, text, place + i, bytes[i], ret + count);
	}
	return count;
}

CPU_V3_CODE static size_t find_v3(struct teddy *teddy, struct str text, size_t *at,
    struct teddy_hit *ret, size_t max)
{
	const __m256i low0 = table_load(teddy->low[0]), high0 = table_load(teddy->high[0]);
	const __m256i low1 = table_load(teddy->low[1]), high1 = table_load(teddy->high[1]);
	const __m256i low2 = table_load(teddy->low[2]), high2 = table_load(teddy->high[2]);
	const __m256i low3 = table_load(teddy->low[3]), high3 = table_load(teddy->high[3]);
	const __m256i half = _mm256_set1_epi8(15);
	__m256i low, high;
	__m256i before0 = _mm256_set1_epi8(-1), before1 = before0, before2 = before0;
	size_t count = 0, place = *at;

	if (place >= TEDDY_BLOCK) {
		__m256i bytes = bytes_load(text.ptr + place - TEDDY_BLOCK);

		low = _mm256_and_si256(bytes, half);
		high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), half);
		before0 = GROUPS(0);
		before1 = GROUPS(1);
		before2 = GROUPS(2);
	}
	for (; place < text.len && count + TEDDY_STEP <= max; place += TEDDY_BLOCK) {
		__m256i bytes = bytes_load(text.ptr + place);

		low = _mm256_and_si256(bytes, half);
		high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), half);
		__m256i now0 = GROUPS(0), now1 = GROUPS(1), now2 = GROUPS(2);
		__m256i groups = _mm256_and_si256(
		    _mm256_and_si256(GROUPS(3), MOVED(now2, before2, 1)),
		    _mm256_and_si256(MOVED(now1, before1, 2), MOVED(now0, before0, 3)));

		before0 = now0;
		before1 = now1;
		before2 = now2;
		if (!_mm256_testz_si256(groups, groups))
			count += hits_take(teddy, text.ptr, groups, place, ret + count);
	}
	*at = place;
	return count;
}
/* What looking for pairs needs in each step, kept in registers. */
struct tables {
	__m256i low0, high0, low1, high1, half;
};

CPU_V3_CODE static INLINE struct tables tables_of(const struct teddy *teddy)
{
	return (struct tables){table_load(teddy->low[2]), table_load(teddy->high[2]),
	    table_load(teddy->low[3]), table_load(teddy->high[3]), _mm256_set1_epi8(15)};
}

/* The groups of pairs that end in a block; before: of first bytes in the block before it. */
CPU_V3_CODE static INLINE __m256i pairs_block(const struct tables *tables, __m256i bytes,
    __m256i *before)
{
	__m256i high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), tables->half);
	__m256i first = _mm256_and_si256(_mm256_shuffle_epi8(tables->low0, bytes),
	    _mm256_shuffle_epi8(tables->high0, high));
	__m256i second = _mm256_and_si256(_mm256_shuffle_epi8(tables->low1, bytes),
	    _mm256_shuffle_epi8(tables->high1, high));
	__m256i groups = _mm256_and_si256(second, MOVED(first, *before, 1));

	*before = first;
	return groups;
}

/* Two blocks in one step: nearly always there is nothing in either. */
CPU_V3_CODE static size_t pairs_v3(struct teddy *teddy, struct str text, size_t *at,
    struct teddy_hit *ret, size_t max)
{
	const struct tables tables = tables_of(teddy);
	__m256i before = _mm256_set1_epi8(-1);
	size_t count = 0, place = *at;

	if (place >= TEDDY_BLOCK)
		pairs_block(&tables, bytes_load(text.ptr + place - TEDDY_BLOCK), &before);
	for (; place < text.len && count + TEDDY_STEP <= max; place += 2 * TEDDY_BLOCK) {
		__m256i one = pairs_block(&tables, bytes_load(text.ptr + place), &before);
		__m256i two =
		    pairs_block(&tables, bytes_load(text.ptr + place + TEDDY_BLOCK), &before);
		__m256i both = _mm256_or_si256(one, two);

		if (__builtin_expect(_mm256_testz_si256(both, both), 1))
			continue;
		count += hits_take(teddy, text.ptr, one, place, ret + count);
		count += hits_take(teddy, text.ptr, two, place + TEDDY_BLOCK, ret + count);
	}
	*at = place;
	return count;
}

/* Whether a pair of a block has the four bytes of a literal before its end. */
CPU_V3_CODE static __attribute__((noinline)) bool block_has_any(struct teddy *teddy,
    struct str text, __m256i groups, size_t place, struct teddy_hit *room)
{
	size_t count = hits_take(teddy, text.ptr, groups, place, room);

	for (size_t i = 0; i < count; i++) {
		if (room[i].at < text.len)
			return true;
	}
	return false;
}

/* The last block is looked at by itself: nothing behind the text is read. */
CPU_V3_CODE static bool any_v3(struct teddy *teddy, struct str text,
    struct teddy_hit *room, bool *ret_ascii)
{
	const struct tables tables = tables_of(teddy);
	__m256i before = _mm256_set1_epi8(-1), seen = _mm256_setzero_si256();
	char tail[TEDDY_BLOCK] = {0};
	size_t place = 0;

	for (; place + 2 * TEDDY_BLOCK <= text.len; place += 2 * TEDDY_BLOCK) {
		__m256i bytes = bytes_load(text.ptr + place);
		__m256i more = bytes_load(text.ptr + place + TEDDY_BLOCK);
		__m256i one = pairs_block(&tables, bytes, &before);
		__m256i two = pairs_block(&tables, more, &before);
		__m256i both = _mm256_or_si256(one, two);

		seen = _mm256_or_si256(seen, _mm256_or_si256(bytes, more));
		if (__builtin_expect(_mm256_testz_si256(both, both), 1))
			continue;
		if (block_has_any(teddy, text, one, place, room) ||
		    block_has_any(teddy, text, two, place + TEDDY_BLOCK, room))
			return true;
	}
	for (; place < text.len; place += TEDDY_BLOCK) {
		size_t rest = text.len - place;
		__m256i bytes;

		if (rest < TEDDY_BLOCK)
			bytes = bytes_load(memcpy(tail, text.ptr + place, rest));
		else
			bytes = bytes_load(text.ptr + place);
		__m256i groups = pairs_block(&tables, bytes, &before);

		seen = _mm256_or_si256(seen, bytes);
		if (!_mm256_testz_si256(groups, groups) &&
		    block_has_any(teddy, text, groups, place, room))
			return true;
	}
	*ret_ascii = _mm256_movemask_epi8(seen) == 0;
	return false;
}
#endif

static bool any_plain(struct teddy *teddy, struct str text, struct teddy_hit *room, bool *ret_ascii)
{
	uint8_t seen = 0;
	size_t at = 0;

	while (at < text.len) {
		if (pairs_plain(teddy, text, &at, room, 2 * TEDDY_STEP) > 0)
			return true;
	}
	for (at = 0; at < text.len; at++)
		seen |= (uint8_t)text.ptr[at];
	*ret_ascii = seen < 0x80;
	return false;
}

bool teddy_has_any(struct teddy *teddy, struct str text, struct teddy_hit *room, bool *ret_ascii)
{
	*ret_ascii = false;
#if CPU_HAS_V3
	if (cpu_level() == CPU_V3)
		return any_v3(teddy, text, room, ret_ascii);
#endif
	return any_plain(teddy, text, room, ret_ascii);
}

static teddy_finder *finder(bool pairs)
{
#if CPU_HAS_V3
	if (cpu_level() == CPU_V3)
		return pairs ? pairs_v3 : find_v3;
#endif
	return pairs ? pairs_plain : find_plain;
}

/*
 * Which group each literal goes to, in their order: of pairs one group each, and another where one
 * is full; of others as many as fit into each.
 */
static uint32_t group_next(const struct teddy *teddy, uint32_t literal, uint32_t group)
{
	if (!teddy->pairs)
		return literal * TEDDY_GROUPS / teddy->count;
	if (literal == 0)
		return 0;
	bool same = teddy->literals[literal].bytes >> 16 ==
	    teddy->literals[literal - 1].bytes >> 16;

	return same && literal - teddy->firsts[group] < TEDDY_GROUPS ? group : group + 1;
}

static void literals_sort(struct teddy *teddy)
{
	for (uint32_t i = 1; i < teddy->count; i++) {
		struct teddy_literal literal = teddy->literals[i];
		uint32_t at = i;

		for (; at > 0 && is_behind(teddy, &teddy->literals[at - 1], &literal); at--)
			teddy->literals[at] = teddy->literals[at - 1];
		teddy->literals[at] = literal;
	}
}

void teddy_seal(struct teddy *teddy)
{
	uint32_t group = 0;

	literals_sort(teddy);
	teddy->find = finder(teddy->pairs);
	/* No word is what a free place asks for: a bit that is masked out. */
	memset(teddy->groups, 0, sizeof(teddy->groups));
	for (uint32_t i = 0; i < TEDDY_GROUPS * TEDDY_GROUPS; i++)
		teddy->groups[i / TEDDY_GROUPS].bytes[i % TEDDY_GROUPS] = 1;
	for (uint32_t i = 0; i < teddy->count; i++) {
		const struct teddy_literal *literal = &teddy->literals[i];
		uint32_t next = group_next(teddy, i, group);

		if (i == 0 || next != group)
			teddy->firsts[next] = i;
		group = next;
		CHECK(group < TEDDY_GROUPS && i - teddy->firsts[group] < TEDDY_GROUPS);
		literal_put(teddy, literal, (uint8_t)(1u << group));
		teddy->groups[group].bytes[i - teddy->firsts[group]] = literal->bytes;
		teddy->groups[group].mask[i - teddy->firsts[group]] = literal->mask;
	}
}
