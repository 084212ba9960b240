#include "decoder/key.h"

#include "decoder/alias.h"
#include "decoder/json_path.h"
#include "decoder/windows.h"

#include <stdlib.h>

#define PATHS_MOST (UINT32_MAX / 2) /* no event makes so many more */

_Static_assert(FIELD_COUNT <= UINT8_MAX, "struct key has a byte for an id of the taxonomy");

struct keybook *keybook_new(const struct logsources *sources)
{
	struct keybook *book = calloc(1, sizeof(*book));

	if (book == NULL)
		return NULL;
	book->generation = field_generation();
	book->sources = sources;
	book->paths = json_paths_new();
	if (book->paths != NULL)
		return book;
	free(book);
	return NULL;
}

void keybook_free(struct keybook *book)
{
	if (book == NULL)
		return;
	json_paths_free(book->paths);
	free(book);
}

void keybook_begin(struct keybook *book)
{
	uint32_t generation = field_generation();

	if (book->generation == generation && book->paths->path < PATHS_MOST)
		return;
	book->generation = generation;
	memset(book->entries, 0, sizeof(book->entries));
	json_paths_clear(book->paths);
}

struct key key_ask(struct str name)
{
	/* The last one is GELF's. */
	static const struct str messages[] = {STR_INIT("message"), STR_INIT("Message"),
	    STR_INIT("msg"), STR_INIT("log"), STR_INIT("short_message")};
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

static struct key book_ask(const struct keybook *book, struct str name)
{
	struct key key = key_ask(name);

	if (book->sources != NULL && logsources_ask(book->sources, name))
		key.flags |= KEY_SOURCE;
	return key;
}

/* As loads of 16 bytes with zeros behind the name would have it, without reading beyond. */
static void short_ends(struct str name, uint64_t *low, uint64_t *high)
{
	unsigned char padded[16] = {0};

	if (name.len < 8) {
		for (size_t i = 0; i < name.len; i++)
			padded[i] = (unsigned char)name.ptr[i];
	} else {
		memcpy(padded + name.len - 8, name.ptr + name.len - 8, 8);
		memcpy(padded, name.ptr, 8);
	}
	memcpy(low, padded, 8);
	memcpy(high, padded + 8, 8);
}

/* Two loads more decide for nearly all long names. */
static inline bool same_text(const char *kept, struct str name)
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

static const struct key *entry_put(struct keybook *book, struct key_entry entry, struct str name)
{
	size_t place = (size_t)(keybook_set(book, entry.low, entry.high, name.len) - book->entries);

	if (book->entries[place].len != 0)
		place += book->turn++ % KEY_WAYS;
	entry.len = (uint32_t)name.len;
	entry.key = book_ask(book, name);
	book->entries[place] = entry;
	memcpy(book->texts[place], name.ptr, name.len);
	return &book->entries[place].key;
}

static const struct key *long_find(struct keybook *book, struct str name)
{
	uint64_t low, high;

	memcpy(&low, name.ptr, 8);
	memcpy(&high, name.ptr + name.len - 8, 8);
	const struct key_entry *entry = keybook_set(book, low, high, name.len);

	for (unsigned way = 0; way < KEY_WAYS; way++, entry++) {
		if (entry->low == low && entry->high == high && entry->len == name.len &&
		    same_text(book->texts[entry - book->entries], name))
			return &entry->key;
	}
	return entry_put(book, (struct key_entry){.low = low, .high = high}, name);
}

const struct key *keybook_find(struct keybook *book, struct str name, struct key *room)
{
	struct key_entry entry = {.len = 0};

	if (name.len > KEY_SHORT && name.len <= KEY_KEPT)
		return long_find(book, name);
	if (name.len == 0 || name.len > KEY_KEPT) {
		*room = book_ask(book, name);
		return room;
	}
	short_ends(name, &entry.low, &entry.high);
	const struct key *key = keybook_short(book, entry.low, entry.high, name.len);

	return key != NULL ? key : entry_put(book, entry, name);
}
