#include "correlator/repeat.h"

#include <stdlib.h>

#include "base/hash.h"

static const struct hash_key which_key = {0x746f6373696e2e72, 0x65706561742e6b31};

uint32_t repeat_which(struct str correlation, struct str rule)
{
	uint64_t a = hash_sip64(which_key, correlation);
	struct hash_key chained = {which_key.k0 ^ a, which_key.k1};

	return (uint32_t)hash_sip64(chained, rule);
}

static int place_compare(struct repeat_key a, struct repeat_key b)
{
	if (a.offset != b.offset)
		return a.offset < b.offset ? -1 : 1;
	return a.index < b.index ? -1 : a.index > b.index;
}

static struct repeat_key *key_at(const struct repeat *repeat, uint32_t index)
{
	return &repeat->keys[(repeat->first + index) & (repeat->capacity - 1)];
}

/* ---- slots ---- */

/*
 * A slot is one number: where its key is in the ring, plus 1 (0: nothing here); how far it lies
 * behind the slot where its hash would have it; and a few more bits of that hash. So neither a
 * search nor a gap that is closed reads keys, but of what is nearly always the one looked for.
 */
#define PLACE_BITS 17u
#define AWAY_BITS  7u
#define AWAY_MOST  ((UINT32_C(1) << AWAY_BITS) - 1) /* so far or farther: the hash must tell */
#define TAG_BIT    (PLACE_BITS + AWAY_BITS)

_Static_assert(REPEAT_WINDOW < UINT32_C(1) << PLACE_BITS, "a place fits");
_Static_assert(sizeof(struct repeat_key) == 16, "a key is hashed as it lies");

static uint64_t key_hash(const struct repeat_key *key)
{
	return hash_sip64(hash_process_key(), str_from((const char *)key, sizeof(*key)));
}

static uint32_t slot_mask(const struct repeat *repeat)
{
	return repeat->capacity * 2 - 1;
}

static uint32_t slot_tag(uint64_t hash)
{
	return (uint32_t)(hash >> (32 + TAG_BIT)) << TAG_BIT;
}

static uint32_t slot_place(uint32_t slot)
{
	return (slot & ((UINT32_C(1) << PLACE_BITS) - 1)) - 1;
}

static uint32_t slot_make(uint32_t place, uint32_t away, uint64_t hash)
{
	return slot_tag(hash) | (away < AWAY_MOST ? away : AWAY_MOST) << PLACE_BITS | (place + 1);
}

/* How far the key of the slot at that place lies from where it would be. */
static uint32_t slot_away(const struct repeat *repeat, uint32_t at)
{
	uint32_t slot = repeat->slots[at], away = slot >> PLACE_BITS & AWAY_MOST;

	return away < AWAY_MOST ? away
	    : (at - (uint32_t)key_hash(&repeat->keys[slot_place(slot)])) & slot_mask(repeat);
}

static bool key_eq(const struct repeat_key *a, const struct repeat_key *b)
{
	return a->offset == b->offset && a->index == b->index && a->which == b->which;
}

/* The slot that holds the key, or the free one where it would go. */
static uint32_t slot_find(const struct repeat *repeat, const struct repeat_key *key, uint64_t hash)
{
	uint32_t at = (uint32_t)hash & slot_mask(repeat), slot;

	for (; (slot = repeat->slots[at]) != 0; at = (at + 1) & slot_mask(repeat))
		if (slot >> TAG_BIT << TAG_BIT == slot_tag(hash) &&
		    key_eq(&repeat->keys[slot_place(slot)], key))
			break;
	return at;
}

static void slot_put(struct repeat *repeat, uint32_t place)
{
	const struct repeat_key *key = &repeat->keys[place];
	uint64_t hash = key_hash(key);
	uint32_t at = slot_find(repeat, key, hash);

	repeat->slots[at] =
	    slot_make(place, (at - (uint32_t)hash) & slot_mask(repeat), hash);
}

/* Linear probing without tombstones: what follows moves up into the gap where it may. */
static void slot_free(struct repeat *repeat, uint32_t gap)
{
	uint32_t mask = slot_mask(repeat);

	for (uint32_t at = (gap + 1) & mask; repeat->slots[at] != 0; at = (at + 1) & mask) {
		uint32_t away = slot_away(repeat, at), back = (at - gap) & mask;

		if (away < back)
			continue;
		uint32_t rest = repeat->slots[at] & ~(AWAY_MOST << PLACE_BITS);

		away -= back;
		repeat->slots[gap] = rest | (away < AWAY_MOST ? away : AWAY_MOST) << PLACE_BITS;
		gap = at;
	}
	repeat->slots[gap] = 0;
}

void repeat_foresee(const struct repeat *repeat, const struct repeat_key *key)
{
	if (repeat->capacity > 0)
		__builtin_prefetch(
		    &repeat->slots[(uint32_t)key_hash(key) & slot_mask(repeat)], 1);
}

/* ---- the ring ---- */

static bool repeat_grow(struct repeat *repeat)
{
	uint32_t capacity = repeat->capacity == 0 ? 16 : repeat->capacity * 2;
	struct repeat_key *keys = calloc(capacity, sizeof(*keys));
	uint32_t *slots = calloc((size_t)capacity * 2, sizeof(*slots));

	if (keys == NULL || slots == NULL) {
		free(keys);
		free(slots);
		return false;
	}
	for (uint32_t i = 0; i < repeat->count; i++)
		keys[i] = *key_at(repeat, i);
	free(repeat->keys);
	free(repeat->slots);
	repeat->keys = keys;
	repeat->slots = slots;
	repeat->capacity = capacity;
	repeat->first = 0;
	for (uint32_t i = 0; i < repeat->count; i++)
		slot_put(repeat, i);
	return true;
}

static void window_forget(struct repeat *repeat)
{
	struct repeat_key oldest = *key_at(repeat, 0);

	if (!repeat->cut || place_compare(oldest, repeat->floor) > 0)
		repeat->floor = oldest;
	repeat->cut = true;
	slot_free(repeat, slot_find(repeat, &oldest, key_hash(&oldest)));
	repeat->first = (repeat->first + 1) & (repeat->capacity - 1);
	repeat->count--;
}

static bool repeat_has(const struct repeat *repeat, const struct repeat_key *key)
{
	return repeat->slots[slot_find(repeat, key, key_hash(key))] != 0;
}

static bool window_remember(struct repeat *repeat, struct repeat_key key)
{
	if (repeat->count == REPEAT_WINDOW)
		window_forget(repeat);
	else if (repeat->count == repeat->capacity && !repeat_grow(repeat))
		return false;
	*key_at(repeat, repeat->count) = key;
	slot_put(repeat, (repeat->first + repeat->count) & (repeat->capacity - 1));
	repeat->count++;
	return true;
}

enum repeat_result repeat_check(struct repeat *repeat, struct repeat_key key)
{
	if (repeat->any && place_compare(key, repeat->mark) <= 0) {
		if (repeat->cut && place_compare(key, repeat->floor) <= 0)
			return REPEAT_KNOWN;
		if (repeat_has(repeat, &key))
			return REPEAT_KNOWN;
	} else {
		repeat->mark = key;
		repeat->any = true;
	}
	return window_remember(repeat, key) ? REPEAT_NEW : REPEAT_MEMORY;
}

void repeat_end(struct repeat *repeat)
{
	free(repeat->keys);
	free(repeat->slots);
	*repeat = REPEAT_NONE;
}

void repeat_anew(struct repeat *repeat, int64_t time_ns)
{
	if (time_ns == repeat->anew_ns)
		return;
	repeat_end(repeat);
	repeat->anew_ns = time_ns;
}

static void key_write(struct buf *out, struct repeat_key key)
{
	buf_u64(out, key.offset);
	buf_u32(out, key.index);
	buf_u32(out, key.which);
}

static bool key_read(struct str *rest, struct repeat_key *ret)
{
	struct str bytes;

	if (!take_bytes(rest, 16, &bytes))
		return false;
	*ret = (struct repeat_key){get_u64(bytes.ptr), get_u32(bytes.ptr + 8),
	    get_u32(bytes.ptr + 12)};
	return true;
}

void repeat_write(struct buf *out, const struct repeat *repeat)
{
	bool anew = repeat->anew_ns != INT64_MIN;

	buf_u8(out, (uint8_t)(repeat->any | repeat->cut << 1 | anew << 2));
	if (anew)
		buf_u64(out, (uint64_t)repeat->anew_ns);
	key_write(out, repeat->mark);
	key_write(out, repeat->floor);
	buf_u32(out, repeat->count);
	for (uint32_t i = 0; i < repeat->count; i++)
		key_write(out, *key_at(repeat, i));
}

bool repeat_read(struct str *rest, struct repeat *ret)
{
	struct str bytes;
	struct repeat_key key;

	if (!take_bytes(rest, 1, &bytes))
		return false;
	ret->any = (bytes.ptr[0] & 1) != 0;
	ret->cut = (bytes.ptr[0] & 2) != 0;
	if ((bytes.ptr[0] & 4) != 0) {
		if (!take_bytes(rest, 8, &bytes))
			return false;
		ret->anew_ns = (int64_t)get_u64(bytes.ptr);
	}
	if (!key_read(rest, &ret->mark) || !key_read(rest, &ret->floor) ||
	    !take_bytes(rest, 4, &bytes))
		return false;
	uint32_t count = get_u32(bytes.ptr);

	if (count > REPEAT_WINDOW || (ret->any && count == 0) || (!ret->any && count > 0))
		return false;
	for (uint32_t i = 0; i < count; i++) {
		if (!key_read(rest, &key))
			return false;
		if (ret->capacity > 0 && repeat_has(ret, &key))
			return false; /* twice */
		if (!window_remember(ret, key))
			return false;
	}
	return true;
}
