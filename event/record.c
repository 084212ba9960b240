#include "event/record.h"

#include "base/check.h"

#include <string.h>

#define FIRST_FIELDS 64u

#define PIECE 64u

/* In pieces: for one so large compilers choose an instruction that takes longer to get started. */
static inline void record_clear(struct record *record)
{
	char *at = (char *)record;

	_Static_assert(sizeof(*record) >= PIECE, "the last piece may overlap the one before");

	for (size_t i = 0; i + PIECE <= sizeof(*record); i += PIECE)
		memset(at + i, 0, PIECE);
	memset(at + sizeof(*record) - PIECE, 0, PIECE);
}

void record_begin(struct record *record, const struct event *event, struct arena *arena,
    size_t ceiling)
{
	CHECK(ceiling < UINT16_MAX);
	record_clear(record);
	record->event = event;
	record->arena = arena;
	record->field_ceiling = ceiling;
	record->generation = field_generation();
	if (event != NULL)
		record->time_ns = event->received_ns;
}

static bool record_grow(struct record *record)
{
	size_t want = record->field_capacity == 0 ? FIRST_FIELDS : record->field_capacity * 2;

	if (want > record->field_ceiling)
		want = record->field_ceiling;
	if (want <= record->field_count)
		return false;
	struct field *grown = arena_alloc(record->arena, want * sizeof(*grown));

	if (grown == NULL)
		return false;
	if (record->field_count > 0)
		memcpy(grown, record->fields, record->field_count * sizeof(*grown));
	record->fields = grown;
	record->field_capacity = want;
	return true;
}

/* When there is none. */
static __attribute__((noinline)) bool record_room_make(struct record *record)
{
	if (record_grow(record))
		return true;
	record->flags |= RECORD_FIELDS_CUT;
	return false;
}

bool record_room(struct record *record)
{
	return record->field_count < record->field_capacity || record_room_make(record);
}

static inline void record_add(struct record *record, struct field field)
{
	if (!record_room(record))
		return;
	record->fields[record->field_count] = field;
	record_mark(record, record->field_count++, field.id);
}

void record_shorten(struct record *record, size_t count)
{
	memset(record->first, 0, sizeof(record->first));
	record->field_count = count;
	for (size_t i = 0; i < count; i++)
		record_mark(record, i, record->fields[i].id);
}

void record_put(struct record *record, enum field_id id, struct str value)
{
	CHECK(id != FIELD_OTHER);
	record_add(record, (struct field){id, FIELD_STRING, field_name(id), value});
}

void record_put_number(struct record *record, enum field_id id, struct str digits)
{
	CHECK(id != FIELD_OTHER);
	record_add(record, (struct field){id, FIELD_NUMBER, field_name(id), digits});
}

void record_put_named(struct record *record, struct str name, enum field_kind kind,
    struct str value)
{
	record_add(record, (struct field){field_lookup(name), kind, name, value});
}

void record_put_field(struct record *record, enum field_id id, struct str name,
    enum field_kind kind, struct str value)
{
	record_add(record, (struct field){id, kind, name, value});
}

const struct field *record_get(const struct record *record, enum field_id id)
{
	if (id < FIELD_COUNT && id != FIELD_OTHER)
		return record->first[id] == 0 ? NULL : &record->fields[record->first[id] - 1u];
	for (size_t i = 0; i < record->field_count; i++) {
		if (record->fields[i].id == id)
			return &record->fields[i];
	}
	return NULL;
}

const struct field *record_find(const struct record *record, struct str name)
{
	enum field_id id = field_lookup(name);

	if (id != FIELD_OTHER && id < FIELD_COUNT)
		return record_get(record, id);
	/* A name that was interned after the field was put there has no id in it. */
	for (size_t i = 0; i < record->field_count; i++) {
		const struct field *field = &record->fields[i];

		if (field->id == FIELD_OTHER ? str_eq(field->name, name) : field->id == id)
			return field;
	}
	return NULL;
}

struct str record_value(const struct record *record, enum field_id id)
{
	const struct field *field = record_get(record, id);

	return field == NULL ? STR_NONE : field->value;
}

void record_category(struct record *record, struct str category)
{
	for (size_t i = 0; i < record->category_count; i++) {
		if (str_eq(record->categories[i], category))
			return;
	}
	if (record->category_count < RECORD_CATEGORIES)
		record->categories[record->category_count++] = category;
}
