#include "decoder/alias.h"

#include "decoder/host.h"
#include "decoder/name_set.h"
#include "decoder/timestamp.h"

#include <pthread.h>

enum alias_kind { ADDRESS, TEXT };

struct alias {
	struct str name;
	enum field_id id;
	enum alias_kind kind;
};

static const struct alias aliases[] = {
#define ALIAS(name, symbol, kind) {{name, sizeof(name) - 1}, FIELD_##symbol, kind},
#include "decoder/aliases.def"
#undef ALIAS
};

/* Best first. */
static const struct str time_names[] = {STR_INIT("TimeCreated"), STR_INIT("EventTime"),
    STR_INIT("@timestamp"), STR_INIT("timestamp"), STR_INIT("Timestamp"), STR_INIT("timeStamp"),
    STR_INIT("time"), STR_INIT("Time"), STR_INIT("ts"), STR_INIT("eventTime"),
    STR_INIT("event_time"), STR_INIT("date_time"), STR_INIT("datetime"), STR_INIT("devTime"),
    STR_INIT("LogTimestamp"), STR_INIT("GenTime"), STR_INIT("UtcTime"),
    STR_INIT("Event.System.TimeCreated.SystemTime"), STR_INIT("rt"), STR_INIT("end"),
    STR_INIT("start"), STR_INIT("t"), STR_INIT("date"), STR_INIT("created_at"),
    STR_INIT("Event.System.TimeCreated.#attributes.SystemTime"),
    STR_INIT("Event.System.TimeCreated_attributes.SystemTime"),
    STR_INIT("Event.System.TimeCreated.@SystemTime"),
    STR_INIT("Event.System.TimeCreated.$.SystemTime"), STR_INIT("System.TimeCreated.SystemTime"),
    STR_INIT("_source.@timestamp"), STR_INIT("_time"), STR_INIT("published"),
    STR_INIT("activityDateTime"), STR_INIT("createdDateTime"), STR_INIT("eventTimestamp"),
    STR_INIT("id.time"), STR_INIT("time_iso8601"), STR_INIT("time_local"),
    STR_INIT("TimeGenerated"), STR_INIT("CreationTime"), STR_INIT("__REALTIME_TIMESTAMP"),
    STR_INIT("requestReceivedTimestamp")};

static struct name_set alias_names, ranks;
static pthread_once_t built = PTHREAD_ONCE_INIT;

_Static_assert(sizeof(aliases) / sizeof(aliases[0]) <= UINT8_MAX, "struct key has a byte for it");
_Static_assert(sizeof(time_names) / sizeof(time_names[0]) <= 64, "a search tries rank by rank");

static void build(void)
{
	name_set_build(&alias_names, &aliases[0].name, sizeof(aliases[0]),
	    sizeof(aliases) / sizeof(aliases[0]));
	name_set_build(&ranks, time_names, sizeof(time_names[0]),
	    sizeof(time_names) / sizeof(time_names[0]));
}

void alias_ask(struct str name, struct key *key)
{
	pthread_once(&built, build);
	size_t alias = name_set_find(&alias_names, name);

	size_t rank = name_set_find(&ranks, name);

	/* An additional field of GELF. */
	if (alias == NAME_SET_NONE && name.len > 1 && name.ptr[0] == '_')
		alias = name_set_find(&alias_names, str_slice(name, 1, name.len));
	if (alias != NAME_SET_NONE) {
		key->flags |= KEY_ALIAS;
		key->alias = (uint8_t)alias;
	}
	if (rank != NAME_SET_NONE) {
		key->flags |= KEY_TIME;
		key->rank = (uint8_t)rank;
	}
}

void alias_apply(struct record *record, struct notes *notes, size_t first)
{
	notes_take(notes, record);
	for (size_t i = 0; (notes->flags & KEY_ALIAS) != 0 && i < notes->count; i++) {
		const struct note *note = &notes->notes[i];

		if ((note->key.flags & KEY_ALIAS) == 0 || note->field < first)
			continue;
		const struct alias *alias = &aliases[note->key.alias];
		struct field field = record->fields[note->field];

		if (field.value.len == 0 || record_get(record, alias->id) != NULL ||
		    (alias->kind == ADDRESS && !host_is_address(field.value)))
			continue;
		record_put_field(
		    record, alias->id, field_name(alias->id), field.kind, field.value);
	}
	notes_pass(notes, record);
}

static bool is_time(const struct note *note, size_t first)
{
	return (note->key.flags & KEY_TIME) != 0 && note->field >= first;
}

struct found_time {
	bool found;
	struct timestamp stamp;
	int64_t ns;
};

static bool time_read(const struct record *record, const struct notes *notes,
    const struct note *note, struct found_time *ret)
{
	const struct event *event = record->event;
	struct str text = record->fields[note->field].value;
	bool zone;

	if (notes->book != NULL &&
	    timestamp_quick(&notes->book->months, text, event->zone_s, &zone, &ret->ns)) {
		/* what is asked of it: that it has a year, and whether it has a zone */
		ret->stamp = (struct timestamp){.civil.year = 1, .has_zone = zone};
		return true;
	}
	return timestamp_parse(text, &ret->stamp) &&
	    timestamp_ns(&ret->stamp, event->received_ns, event->zone_s, &ret->ns);
}

/*
 * Rank by rank; the first that names a zone ends the search, the first that names none is kept in
 * case that none of the others does.
 */
static void time_search(const struct record *record, const struct notes *notes, size_t first,
    struct found_time *best)
{
	struct found_time other;

	for (unsigned rank = 0; rank < sizeof(time_names) / sizeof(time_names[0]); rank++) {
		for (size_t i = 0; i < notes->count; i++) {
			const struct note *note = &notes->notes[i];

			if (!is_time(note, first) || note->key.rank != rank ||
			    !time_read(record, notes, note, &other) ||
			    (best->found && !other.stamp.has_zone))
				continue;
			*best = other;
			best->found = true;
			if (other.stamp.has_zone)
				return;
		}
	}
}

/* Nearly always the best by its name is one, and names a zone. */
static bool time_choose(struct record *record, const struct notes *notes, size_t first)
{
	const struct note *note = NULL;
	struct found_time best __attribute__((uninitialized));

	for (size_t i = 0; i < notes->count; i++) {
		if (is_time(&notes->notes[i], first) &&
		    (note == NULL || notes->notes[i].key.rank < note->key.rank))
			note = &notes->notes[i];
	}
	best.found = note != NULL && time_read(record, notes, note, &best);
	if (note != NULL && !(best.found && best.stamp.has_zone)) {
		best.found = false;
		time_search(record, notes, first, &best);
	}
	if (best.found)
		timestamp_set_ns(record, &best.stamp, best.ns);
	return best.found;
}

static bool has_more_times(const struct notes *notes)
{
	for (size_t i = notes->timed; i < notes->count; i++) {
		if (notes->notes[i].key.flags & KEY_TIME)
			return true;
	}
	return notes->timed == 0;
}

static __attribute__((noinline)) bool time_decide(struct record *record, struct notes *notes,
    size_t first)
{
	notes->time_found = time_choose(record, notes, first);
	notes->timed = first == 0 ? notes->count : 0;
	return notes->time_found;
}

bool alias_time(struct record *record, struct notes *notes, size_t first)
{
	notes_take(notes, record);
	if (first == 0 && !has_more_times(notes))
		return notes->time_found;
	return time_decide(record, notes, first);
}

void alias_time_behind(struct record *record, struct notes *notes, size_t first)
{
	struct timestamp stamp;

	if (record->flags & RECORD_NO_TIME) {
		alias_time(record, notes, first);
		return;
	}
	notes_take(notes, record);
	for (size_t i = 0; i < notes->count; i++) {
		const struct note *note = &notes->notes[i];

		if (is_time(note, first) &&
		    timestamp_parse(record->fields[note->field].value, &stamp) &&
		    timestamp_refine(record, &stamp))
			return;
	}
}
