/*
 * record.h - an event after decoding: fields under Sigma's taxonomy names, log source, time.
 *
 * Lives in the event's arena (or the batch's). Field values are slices of the raw bytes where the
 * decoder need not rewrite them. A name may occur more than once: a multi-value field (arrays).
 */
#ifndef TOCSIN_EVENT_RECORD_H
#define TOCSIN_EVENT_RECORD_H

#include "base/arena.h"
#include "event/event.h"
#include "event/field.h"

enum field_kind { FIELD_STRING, FIELD_NUMBER, FIELD_BOOL, FIELD_NULL };

struct field {
	enum field_id id;     /* FIELD_OTHER when neither the taxonomy nor a rule has the name */
	enum field_kind kind; /* as the sender wrote it; value holds the text in each case */
	struct str name;
	struct str value;
};

#define RECORD_CATEGORIES 4

enum record_flag {
	RECORD_NO_TIME = 1u << 0,   /* no usable time inside: time_ns is the receive time */
	RECORD_BAD_PRI = 1u << 1,
	RECORD_NO_YEAR = 1u << 2,   /* the year was chosen */
	RECORD_BAD_SD = 1u << 3,    /* structured data that RFC 5424 does not allow */
	RECORD_FIELDS_CUT = 1u << 4, /* more fields than the ceiling */
	RECORD_CLOCK_UNSYNCED = 1u << 5 /* the device says so itself (Cisco '*' and '.') */
};

struct record {
	const struct event *event;
	int64_t time_ns;      /* as the sender tells it, else the receive time; not clamped */
	uint32_t flags;       /* enum record_flag */
	struct str decoders;  /* which decoders took part, outermost first: "rfc3164/sshd" */

	/* The log source that this event satisfies. Empty: none. */
	struct str product, service;
	struct str categories[RECORD_CATEGORIES];
	size_t category_count;

	struct str message;   /* the text that is left after the headers */
	/*
	 * Where values lie of which a decoder only took out escapes of one letter (RFC 8259, 7:
	 * \" \\ \/ \b \f \n \r \t), the text they come from being in event->raw; empty: nowhere.
	 */
	struct str unescaped;
	struct field *fields;
	size_t field_count, field_capacity;
	size_t field_ceiling;
	uint32_t generation;  /* field_generation when it was begun: ids are at least so new */
	struct arena *arena;
	/*
	 * For each id of the taxonomy 1 + the index of the first field that has it; 0: none has.
	 * The place of FIELD_OTHER tells nothing.
	 */
	uint16_t first[FIELD_COUNT];
};

/*
 * An empty record over event. arena is the record's lifetime. ceiling: most fields (e.g. 1,024),
 * less than 65,535.
 */
void record_begin(struct record *record, const struct event *event, struct arena *arena,
    size_t ceiling);
/* Adds a field under a name of the taxonomy. Past the ceiling it is dropped and flagged. */
void record_put(struct record *record, enum field_id id, struct str value);
void record_put_number(struct record *record, enum field_id id, struct str digits);
/* Adds a field by name; names of the taxonomy get their id. */
void record_put_named(struct record *record, struct str name, enum field_kind kind,
    struct str value);
/* The same with the id that field_lookup gives for name. */
void record_put_field(struct record *record, enum field_id id, struct str name,
    enum field_kind kind, struct str value);
/* Takes back the fields from count on, also those that were written behind field_count. */
void record_shorten(struct record *record, size_t count);
/*
 * For those who write many fields at once: makes field_capacity greater than field_count; fields
 * from field_count on may then be written, and count when field_count does. False, and flagged, at
 * the ceiling.
 */
bool record_room(struct record *record);
/*
 * Sets the id of a field, which must be that of its name, and have had none; in order of index.
 * slot: the id if it is the taxonomy's.
 */
static inline void record_mark_slot(struct record *record, size_t index, enum field_id id,
    unsigned slot)
{
	record->fields[index].id = id;
	if (record->first[slot] == 0)
		record->first[slot] = (uint16_t)(index + 1);
}
static inline void record_mark(struct record *record, size_t index, enum field_id id)
{
	record_mark_slot(record, index, id, id < FIELD_COUNT ? id : FIELD_OTHER);
}
/* The first field of that id / name (exact bytes), or NULL. */
const struct field *record_get(const struct record *record, enum field_id id);
const struct field *record_find(const struct record *record, struct str name);
/* value of record_get, or STR_NONE. */
struct str record_value(const struct record *record, enum field_id id);
void record_category(struct record *record, struct str category);

#endif
