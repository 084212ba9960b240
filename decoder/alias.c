#include "decoder/alias.h"

#include "decoder/host.h"
#include "decoder/timestamp.h"

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
    STR_INIT("start"), STR_INIT("t"), STR_INIT("date"), STR_INIT("created_at")};

static const struct alias *find(struct str name)
{
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
		if (str_eq(aliases[i].name, name))
			return &aliases[i];
	}
	return NULL;
}

void alias_apply(struct record *record, size_t first)
{
	size_t end = record->field_count;

	for (size_t i = first; i < end; i++) {
		struct field field = record->fields[i];
		const struct alias *alias = field.value.len > 0 ? find(field.name) : NULL;

		if (alias == NULL || record_get(record, alias->id) != NULL ||
		    (alias->kind == ADDRESS && !host_is_address(field.value)))
			continue;
		record_put_named(record, field_name(alias->id), field.kind, field.value);
	}
}

static size_t time_rank(struct str name)
{
	size_t count = sizeof(time_names) / sizeof(time_names[0]);

	for (size_t i = 0; i < count; i++) {
		if (str_eq(time_names[i], name))
			return i;
	}
	return SIZE_MAX;
}

bool alias_time(struct record *record, size_t first)
{
	struct timestamp best = {0}, stamp;
	size_t best_rank = SIZE_MAX;
	int64_t ns;

	for (size_t i = first; i < record->field_count; i++) {
		struct str value = record->fields[i].value;
		size_t rank = time_rank(record->fields[i].name);

		if (rank == SIZE_MAX || !timestamp_parse(value, &stamp) ||
		    !timestamp_ns(&stamp, record->event->received_ns, record->event->zone_s, &ns))
			continue;
		if (!stamp.has_zone)
			rank += sizeof(time_names);
		if (rank < best_rank) {
			best_rank = rank;
			best = stamp;
		}
	}
	return best_rank != SIZE_MAX && timestamp_set(record, &best);
}

void alias_time_behind(struct record *record, size_t first)
{
	struct timestamp stamp;

	if (record->flags & RECORD_NO_TIME) {
		alias_time(record, first);
		return;
	}
	for (size_t i = first; i < record->field_count; i++) {
		if (time_rank(record->fields[i].name) != SIZE_MAX &&
		    timestamp_parse(record->fields[i].value, &stamp) &&
		    timestamp_refine(record, &stamp))
			return;
	}
}
