#include "decoder/names.h"

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
	return (unsigned)(head >> 48) % NAMES_SLOTS;
}

static struct str name_at(const struct names *names, size_t index)
{
	struct str name;

	memcpy(&name, names->rows + index * names->stride, sizeof(name));
	return name;
}

void names_build(struct names *names, const struct str *rows, size_t stride, size_t count)
{
	CHECK(count <= NAMES_SLOTS / 4 && stride >= sizeof(*rows));
	*names = (struct names){.rows = (const char *)rows, .stride = stride, .count = count};
	for (size_t i = 0; i < count; i++) {
		struct str name = name_at(names, i);
		unsigned at = hash(name);

		while (names->slots[at] != 0 && !str_eq(name_at(names, names->slots[at] - 1u), name))
			at = (at + 1) % NAMES_SLOTS;
		if (names->slots[at] == 0)
			names->slots[at] = (uint16_t)(i + 1);
	}
}

size_t names_find(const struct names *names, struct str name)
{
	for (unsigned at = hash(name); names->slots[at] != 0; at = (at + 1) % NAMES_SLOTS) {
		if (str_eq(name_at(names, names->slots[at] - 1u), name))
			return names->slots[at] - 1u;
	}
	return NAMES_NONE;
}
