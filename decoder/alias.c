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
    STR_INIT("start"), STR_INIT("t"), STR_INIT("date"), STR_INIT("created_at")};

static struct name_set alias_names, ranks;
static pthread_once_t built = PTHREAD_ONCE_INIT;

static void build(void)
{
	name_set_build(&alias_names, &aliases[0].name, sizeof(aliases[0]),
	    sizeof(aliases) / sizeof(aliases[0]));
	name_set_build(&ranks, time_names, sizeof(time_names[0]),
	    sizeof(time_names) / sizeof(time_names[0]));
}

static const struct alias *find(struct str name)
{
	size_t at = name_set_find(&alias_names, name);

	return at == NAME_SET_NONE ? NULL : &aliases[at];
}

void alias_apply(struct record *record, size_t first)
{
	size_t end = record->field_count;

	pthread_once(&built, build);
	for (size_t i = first; i < end; i++) {
		struct field field = record->fields[i];
		const struct alias *alias = field.value.len > 0 ? find(field.name) : NULL;

		if (alias == NULL || record_get(record, alias->id) != NULL ||
		    (alias->kind == ADDRESS && !host_is_address(field.value)))
			continue;
		record_put_named(record, field_name(alias->id), field.kind, field.value);
	}
}

bool alias_time(struct record *record, size_t first)
{
	struct timestamp best = {0}, stamp;
	size_t best_rank = NAME_SET_NONE;
	int64_t ns;

	pthread_once(&built, build);
	for (size_t i = first; i < record->field_count; i++) {
		struct str value = record->fields[i].value;
		size_t rank = name_set_find(&ranks, record->fields[i].name);

		if (rank == NAME_SET_NONE || !timestamp_parse(value, &stamp) ||
		    !timestamp_ns(&stamp, record->event->received_ns, record->event->zone_s, &ns))
			continue;
		if (!stamp.has_zone)
			rank += sizeof(time_names);
		if (rank < best_rank) {
			best_rank = rank;
			best = stamp;
		}
	}
	return best_rank != NAME_SET_NONE && timestamp_set(record, &best);
}

void alias_time_behind(struct record *record, size_t first)
{
	struct timestamp stamp;

	if (record->flags & RECORD_NO_TIME) {
		alias_time(record, first);
		return;
	}
	pthread_once(&built, build);
	for (size_t i = first; i < record->field_count; i++) {
		if (name_set_find(&ranks, record->fields[i].name) != NAME_SET_NONE &&
		    timestamp_parse(record->fields[i].value, &stamp) &&
		    timestamp_refine(record, &stamp))
			return;
	}
}
