#include "decoder/key.h"

#include "decoder/alias.h"
#include "decoder/windows.h"

#include <stdlib.h>

_Static_assert(FIELD_COUNT <= UINT8_MAX, "struct key has a byte for an id of the taxonomy");

struct keybook *keybook_new(void)
{
	struct keybook *book = calloc(1, sizeof(*book));

	if (book != NULL)
		book->generation = field_generation();
	return book;
}

void keybook_free(struct keybook *book)
{
	free(book);
}

void keybook_begin(struct keybook *book)
{
	uint32_t generation = field_generation();

	if (book->generation == generation)
		return;
	book->generation = generation;
	memset(book->entries, 0, sizeof(book->entries));
}

struct key key_ask(struct str name)
{
	static const struct str messages[] = {
	    STR_INIT("message"), STR_INIT("Message"), STR_INIT("msg"), STR_INIT("log")};
	enum field_id id = field_lookup(name);
	struct key key = {.id = (uint16_t)id, .mark = (uint8_t)(id < FIELD_COUNT ? id : 0)};

	alias_ask(name, &key);
	windows_ask(name, &key);
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		if (str_eq(messages[i], name)) {
			key.flags |= KEY_MESSAGE;
			key.rank = (uint8_t)i;
		}
	}
	return key;
}

/* As loads of 16 bytes with zeros behind the name would have it, without reading beyond. */
static void ends_of(struct str name, uint64_t *low, uint64_t *high)
{
	unsigned char padded[16] = {0};

	if (name.len >= 8) {
		memcpy(low, name.ptr, 8);
		memcpy(high, name.ptr + name.len - 8, 8);
		if (name.len < 16) { /* its bytes from the eighth on */
			memcpy(padded, high, 8);
			memcpy(high, padded + 16 - name.len, 8);
		}
		return;
	}
	for (size_t i = 0; i < name.len; i++)
		padded[i] = (unsigned char)name.ptr[i];
	memcpy(low, padded, 8);
	*high = 0;
}

/* Two loads more decide for nearly all long names. */
static bool same_text(const char *kept, struct str name)
{
	uint64_t a[2], b[2];

	if (name.len > 32)
		return memcmp(kept, name.ptr, name.len) == 0;
	memcpy(&a[0], kept + 8, 8);
	memcpy(&a[1], kept + name.len - 16, 8);
	memcpy(&b[0], name.ptr + 8, 8);
	memcpy(&b[1], name.ptr + name.len - 16, 8);
	return a[0] == b[0] && a[1] == b[1];
}

static const struct key *long_find(const struct keybook *book, size_t place, struct str name)
{
	for (size_t i = place; i < place + KEY_WAYS; i++) {
		if (book->entries[i].len == name.len && same_text(book->texts[i], name))
			return &book->entries[i].key;
	}
	return NULL;
}

static const struct key *entry_put(struct keybook *book, size_t place, struct key_entry entry,
    struct str name)
{
	if (book->entries[place].len != 0)
		place += book->turn++ % KEY_WAYS;
	book->entries[place] = entry;
	memcpy(book->texts[place], name.ptr, name.len);
	return &book->entries[place].key;
}

const struct key *keybook_find(struct keybook *book, struct str name, struct key *room)
{
	uint64_t low, high;

	if (name.len == 0 || name.len > KEY_KEPT) {
		*room = key_ask(name);
		return room;
	}
	ends_of(name, &low, &high);
	size_t place = (size_t)(keybook_set(book, low, high, name.len) - book->entries);
	const struct key *key = name.len <= KEY_SHORT ? keybook_short(book, low, high, name.len)
						      : long_find(book, place, name);

	if (key != NULL)
		return key;
	return entry_put(book, place,
	    (struct key_entry){low, high, (uint32_t)name.len, key_ask(name)}, name);
}
