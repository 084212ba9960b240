#include "decoder/name_set.h"

#include "base/check.h"

#include <string.h>

static unsigned hash(struct str name)
{
	uint64_t head = 0, tail = 0;
	size_t n = name.len < 8 ? name.len : 8;

	if (n > 0) {
		memcpy(&head, name.ptr, n);
		memcpy(&tail, name.ptr + name.len - n, n);
	}
	head = (head ^ name.len) * UINT64_C(0x9e3779b97f4a7c15);
	head = (head ^ head >> 32 ^ tail) * UINT64_C(0x9e3779b97f4a7c15);
	return (unsigned)(head >> 48) % NAME_SET_SLOTS;
}

static struct str name_at(const struct name_set *set, size_t index)
{
	struct str name;

	memcpy(&name, set->rows + index * set->stride, sizeof(name));
	return name;
}

void name_set_build(struct name_set *set, const struct str *rows, size_t stride, size_t count)
{
	CHECK(count <= NAME_SET_SLOTS / 4 && stride >= sizeof(*rows));
	*set = (struct name_set){.rows = (const char *)rows, .stride = stride, .count = count};
	for (size_t i = 0; i < count; i++) {
		struct str name = name_at(set, i);
		unsigned at = hash(name);

		while (set->slots[at] != 0 && !str_eq(name_at(set, set->slots[at] - 1u), name))
			at = (at + 1) % NAME_SET_SLOTS;
		if (set->slots[at] == 0)
			set->slots[at] = (uint16_t)(i + 1);
	}
}

size_t name_set_find(const struct name_set *set, struct str name)
{
	for (unsigned at = hash(name); set->slots[at] != 0; at = (at + 1) % NAME_SET_SLOTS) {
		if (str_eq(name_at(set, set->slots[at] - 1u), name))
			return set->slots[at] - 1u;
	}
	return NAME_SET_NONE;
}
