#include "sigma/name_table.h"

#include "sigma/builder.h"

#define FIRST_NAMES 1024u

uint32_t *name_table_find(const struct name_table *names, struct str key)
{
	if (names->size == 0)
		return NULL;
	size_t at = content_hash(key).low & (names->size - 1);

	for (; names->keys[at].ptr != NULL; at = (at + 1) & (names->size - 1)) {
		if (str_eq(names->keys[at], key))
			return &names->values[at];
	}
	return NULL;
}

static void name_table_place(struct name_table *names, struct str key, uint32_t value)
{
	size_t at = content_hash(key).low & (names->size - 1);

	while (names->keys[at].ptr != NULL)
		at = (at + 1) & (names->size - 1);
	names->keys[at] = key;
	names->values[at] = value;
	names->count++;
}

bool name_table_put(struct arena *arena, struct name_table *names, struct str key, uint32_t value)
{
	uint32_t *old = name_table_find(names, key);

	if (old != NULL) {
		*old = value;
		return true;
	}
	if (names->count * 2 >= names->size) {
		size_t size = names->size == 0 ? FIRST_NAMES : names->size * 2;
		struct name_table grown = {.size = size};

		grown.keys = arena_array(arena, grown.size, sizeof(*grown.keys));
		grown.values = arena_array(arena, grown.size, sizeof(*grown.values));
		if (grown.keys == NULL || grown.values == NULL)
			return false;
		for (size_t i = 0; i < names->size; i++) {
			if (names->keys[i].ptr != NULL)
				name_table_place(&grown, names->keys[i], names->values[i]);
		}
		*names = grown;
	}
	name_table_place(names, key, value);
	return true;
}
