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

static uint32_t slot_of(const struct repeat *repeat, struct repeat_key key)
{
	char bytes[16];

	set_u64(bytes, key.offset);
	set_u32(bytes + 8, key.index);
	set_u32(bytes + 12, key.which);
	return (uint32_t)hash_sip64(hash_process_key(), str_from(bytes, sizeof(bytes))) &
	    (repeat->capacity * 2 - 1);
}

static bool key_eq(struct repeat_key a, struct repeat_key b)
{
	return a.offset == b.offset && a.index == b.index && a.which == b.which;
}

/* The slot that holds the key, or the free one where it would go. */
static uint32_t slot_find(const struct repeat *repeat, struct repeat_key key)
{
	uint32_t mask = repeat->capacity * 2 - 1;
	uint32_t slot = slot_of(repeat, key);

	while (repeat->slots[slot] != 0 && !key_eq(repeat->keys[repeat->slots[slot] - 1], key))
		slot = (slot + 1) & mask;
	return slot;
}

/* Linear probing without tombstones: what follows moves up into the gap where it may. */
static void slot_free(struct repeat *repeat, uint32_t slot)
{
	uint32_t mask = repeat->capacity * 2 - 1;
	uint32_t gap = slot;

	for (uint32_t at = (slot + 1) & mask; repeat->slots[at] != 0; at = (at + 1) & mask) {
		uint32_t home = slot_of(repeat, repeat->keys[repeat->slots[at] - 1]);

		if (((at - home) & mask) < ((at - gap) & mask))
			continue;
		repeat->slots[gap] = repeat->slots[at];
		gap = at;
	}
	repeat->slots[gap] = 0;
}

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
		slots[slot_find(repeat, keys[i])] = i + 1;
	return true;
}

static void window_forget(struct repeat *repeat)
{
	struct repeat_key oldest = *key_at(repeat, 0);

	if (!repeat->cut || place_compare(oldest, repeat->floor) > 0)
		repeat->floor = oldest;
	repeat->cut = true;
	slot_free(repeat, slot_find(repeat, oldest));
	repeat->first = (repeat->first + 1) & (repeat->capacity - 1);
	repeat->count--;
}

static bool window_remember(struct repeat *repeat, struct repeat_key key)
{
	if (repeat->count == REPEAT_WINDOW)
		window_forget(repeat);
	else if (repeat->count == repeat->capacity && !repeat_grow(repeat))
		return false;
	uint32_t slot = slot_find(repeat, key);

	*key_at(repeat, repeat->count) = key;
	repeat->slots[slot] = ((repeat->first + repeat->count) & (repeat->capacity - 1)) + 1;
	repeat->count++;
	return true;
}

enum repeat_result repeat_check(struct repeat *repeat, struct repeat_key key)
{
	if (repeat->any && place_compare(key, repeat->mark) <= 0) {
		if (repeat->cut && place_compare(key, repeat->floor) <= 0)
			return REPEAT_KNOWN;
		if (repeat->slots[slot_find(repeat, key)] != 0)
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
		if (ret->capacity > 0 && ret->slots[slot_find(ret, key)] != 0)
			return false; /* twice */
		if (!window_remember(ret, key))
			return false;
	}
	return true;
}
