#include "correlator/census.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

struct entry {
	struct census_row row;
	char name[CENSUS_SENDER];
};

struct census {
	struct entry **entries; /* in order of coming; [0]: the others */
	size_t count, capacity, rows_max;
	uint32_t *slots;        /* open addressing: index in entries; 0: free. At most half full */
	size_t slot_count;
	struct entry *last;     /* neighbours in a frame are mostly of one sender */
};

static struct entry *entry_new(struct census *census, struct str sender, enum transport transport)
{
	if (census->count == census->capacity) {
		size_t capacity = census->capacity == 0 ? 16 : census->capacity * 2;
		struct entry **entries =
		    realloc(census->entries, capacity * sizeof(struct entry *));

		if (entries == NULL)
			return NULL;
		census->entries = entries;
		census->capacity = capacity;
	}
	struct entry *entry = calloc(1, sizeof(*entry));

	if (entry == NULL)
		return NULL;
	if (sender.len > 0)
		memcpy(entry->name, sender.ptr, sender.len);
	entry->row.sender = str_from(entry->name, sender.len);
	entry->row.transport = transport;
	census->entries[census->count++] = entry;
	return entry;
}

struct census *census_new(size_t rows_max)
{
	struct census *census = calloc(1, sizeof(*census));

	if (census == NULL)
		return NULL;
	census->rows_max = rows_max;
	census->slot_count = 64;
	census->slots = calloc(census->slot_count, sizeof(*census->slots));
	if (census->slots == NULL ||
	    entry_new(census, STR("(others)"), TRANSPORT_UNKNOWN) == NULL) {
		census_free(census);
		return NULL;
	}
	census->last = census->entries[0];
	return census;
}

void census_free(struct census *census)
{
	if (census == NULL)
		return;
	for (size_t i = 0; i < census->count; i++)
		free(census->entries[i]);
	free(census->entries);
	free(census->slots);
	free(census);
}

static bool entry_is(const struct entry *entry, struct str sender, enum transport transport)
{
	return entry->row.transport == transport && str_eq(entry->row.sender, sender);
}

static uint32_t *slot_find(const struct census *census, struct str sender,
    enum transport transport)
{
	struct hash_key key = hash_process_key();

	key.k0 ^= transport;
	size_t at = (size_t)hash_sip64(key, sender) & (census->slot_count - 1);

	while (census->slots[at] != 0 &&
	    !entry_is(census->entries[census->slots[at]], sender, transport))
		at = (at + 1) & (census->slot_count - 1);
	return &census->slots[at];
}

static bool slots_grow(struct census *census)
{
	size_t count = census->slot_count * 2;
	uint32_t *slots = calloc(count, sizeof(*slots));

	if (slots == NULL)
		return false;
	free(census->slots);
	census->slots = slots;
	census->slot_count = count;
	for (uint32_t i = 1; i < census->count; i++) {
		const struct census_row *row = &census->entries[i]->row;

		*slot_find(census, row->sender, row->transport) = i;
	}
	return true;
}

static struct entry *entry_of(struct census *census, struct str sender, enum transport transport)
{
	sender = str_slice(sender, 0, CENSUS_SENDER);
	if (entry_is(census->last, sender, transport))
		return census->last;
	uint32_t *slot = slot_find(census, sender, transport);

	if (*slot != 0)
		return census->entries[*slot];
	if (census->count > census->rows_max ||
	    (census->count * 2 >= census->slot_count && !slots_grow(census)))
		return census->entries[0];
	struct entry *entry = entry_new(census, sender, transport);

	if (entry == NULL)
		return census->entries[0];
	*slot_find(census, sender, transport) = (uint32_t)census->count - 1;
	return entry;
}

void census_note(struct census *census, const struct record *record, bool skewed)
{
	const struct event *event = record->event;
	struct entry *entry = entry_of(census, event->sender, event->transport);
	struct census_row *row = &entry->row;
	int64_t skew_ns;

	census->last = entry;
	row->decoded++;
	row->undecoded += str_ends(record->decoders, STR("plain"));
	row->skewed += skewed;
	if ((record->flags & RECORD_NO_TIME) != 0) {
		row->untimed++;
		return;
	}
	/* A time that no clock shows is no skew, but must not overflow either. */
	if (__builtin_sub_overflow(record->time_ns, event->received_ns, &skew_ns))
		return;
	bool first = row->decoded - row->untimed == 1;

	row->skew_ns = skew_ns;
	if (first || skew_ns < row->skew_least_ns)
		row->skew_least_ns = skew_ns;
	if (first || skew_ns > row->skew_most_ns)
		row->skew_most_ns = skew_ns;
}

void census_each(const struct census *census,
    bool (*visit)(void *context, const struct census_row *row), void *context)
{
	for (size_t i = 1; i < census->count; i++)
		if (!visit(context, &census->entries[i]->row))
			return;
	if (census->entries[0]->row.decoded > 0)
		visit(context, &census->entries[0]->row);
}
