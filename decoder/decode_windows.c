/*
 * Windows events that came as fields: NXLog's flat JSON, Winlogbeat's and Elastic Agent's nested
 * one, Snare's columns. Names become Sigma's, and the channel and event id tell service and
 * categories; all of it is data in windows.def.
 */
#include "decoder/decoders.h"

#include "decoder/alias.h"
#include "decoder/name_set.h"
#include "decoder/scan.h"

#include <pthread.h>

struct service {
	struct str name, channel;
};

struct category {
	struct str name, service, event, field, value;
};

struct rename {
	struct str service, event, name, from;
};

struct naming {
	struct str from, name;
};

#define SERVICE(name, channel)
#define CATEGORY(name, service, event, field, value)
#define RENAME(service, event, name, from)
#define PREFIX(prefix)
#define NAME(from, name)

static const struct service services[] = {
#undef SERVICE
#define SERVICE(name, channel) {STR_INIT(name), STR_INIT(channel)},
#include "decoder/windows.def"
#undef SERVICE
#define SERVICE(name, channel)
};

static const struct category categories[] = {
#undef CATEGORY
#define CATEGORY(name, service, event, field, value)                                               \
	{STR_INIT(name), STR_INIT(service), STR_INIT(event), STR_INIT(field), STR_INIT(value)},
#include "decoder/windows.def"
#undef CATEGORY
#define CATEGORY(name, service, event, field, value)
};

static const struct rename renames[] = {
#undef RENAME
#define RENAME(service, event, name, from)                                                         \
	{STR_INIT(service), STR_INIT(event), STR_INIT(name), STR_INIT(from)},
#include "decoder/windows.def"
#undef RENAME
#define RENAME(service, event, name, from)
};

static const struct str prefixes[] = {
#undef PREFIX
#define PREFIX(prefix) STR_INIT(prefix),
#include "decoder/windows.def"
#undef PREFIX
#define PREFIX(prefix)
};

static const struct naming namings[] = {
#undef NAME
#define NAME(from, name) {STR_INIT(from), STR_INIT(name)},
#include "decoder/windows.def"
#undef NAME
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void rename_field(struct field *field, struct str name)
{
	field->name = name;
	field->id = field_lookup(name);
}

static void strip_prefix(struct field *field)
{
	for (size_t i = 0; i < COUNT(prefixes); i++) {
		if (field->name.len > prefixes[i].len && str_starts(field->name, prefixes[i])) {
			rename_field(
			    field, str_slice(field->name, prefixes[i].len, field->name.len));
			return;
		}
	}
}

/* "Account Name" is AccountName in Sigma. */
static void strip_spaces(struct record *record, struct field *field)
{
	char *out;
	size_t n = 0;

	if (str_find_char(field->name, ' ') == STR_NOT_FOUND)
		return;
	out = arena_alloc(record->arena, field->name.len);
	if (out == NULL)
		return;
	for (size_t i = 0; i < field->name.len; i++) {
		if (field->name.ptr[i] != ' ')
			out[n++] = field->name.ptr[i];
	}
	rename_field(field, str_from(out, n));
}

static struct name_set naming_names;
static pthread_once_t built = PTHREAD_ONCE_INIT;

static void build(void)
{
	name_set_build(&naming_names, &namings[0].from, sizeof(namings[0]), COUNT(namings));
}

static void put_naming(struct record *record, const struct field *field)
{
	/* A name may stand for several; the first that is not there yet is given. */
	for (size_t i = name_set_find(&naming_names, field->name); i < COUNT(namings); i++) {
		if (str_eq(field->name, namings[i].from) &&
		    record_find(record, namings[i].name) == NULL) {
			record_put_named(record, namings[i].name, field->kind, field->value);
			return;
		}
	}
}

static void normalise(struct record *record)
{
	size_t end = record->field_count;

	pthread_once(&built, build);
	for (size_t i = 0; i < end; i++) {
		strip_prefix(&record->fields[i]);
		strip_spaces(record, &record->fields[i]);
	}
	for (size_t i = 0; i < end; i++) {
		struct field field = record->fields[i];
		put_naming(record, &field);
	}
}

static struct str service_of(struct str channel)
{
	for (size_t i = 0; i < COUNT(services); i++) {
		if (str_eq_fold(services[i].channel, channel))
			return services[i].name;
	}
	return STR_NONE;
}

static bool has_value(const struct record *record, struct str name, struct str value)
{
	for (size_t i = 0; i < record->field_count; i++) {
		if (str_eq(record->fields[i].name, name) &&
		    str_eq_fold(record->fields[i].value, value))
			return true;
	}
	return name.len == 0;
}

static void put_categories(struct record *record, struct str event)
{
	for (size_t i = 0; i < COUNT(categories); i++) {
		const struct category *c = &categories[i];
		if (str_eq(c->event, event) && str_eq(c->service, record->service) &&
		    has_value(record, c->field, c->value))
			record_category(record, c->name);
	}
}

static void put_renames(struct record *record, struct str event)
{
	for (size_t i = 0; i < COUNT(renames); i++) {
		const struct rename *r = &renames[i];
		if (!str_eq(r->event, event) || !str_eq(r->service, record->service) ||
		    record_find(record, r->name) != NULL)
			continue;
		const struct field *from = record_find(record, r->from);
		if (from != NULL)
			record_put_named(record, r->name, from->kind, from->value);
	}
}

/*
 * The machine that the event is about stands before the collector that a header or an agent names.
 */
static void put_host(struct record *record)
{
	struct str computer = record_value(record, FIELD_COMPUTER);
	size_t count = record->field_count;

	if (computer.len == 0)
		return;
	record_put(record, FIELD_HOST, computer);
	for (size_t i = 0; i < count && record->field_count > count; i++) {
		if (record->fields[i].id == FIELD_HOST) {
			struct field first = record->fields[i];
			record->fields[i] = record->fields[count];
			record->fields[count] = first;
			return;
		}
	}
}

static bool is_windows(const struct record *record)
{
	static const struct str channels[] = {STR_INIT("Channel"), STR_INIT("winlog.channel"),
	    STR_INIT("Event.System.Channel"), STR_INIT("log_name")};

	for (size_t i = 0; i < COUNT(channels); i++) {
		if (record_find(record, channels[i]) != NULL)
			return true;
	}
	return false;
}

static enum decode_status decode(struct record *record, struct str text)
{
	(void)text;
	if (!is_windows(record))
		return DECODE_NO;
	normalise(record);
	const struct field *event = record_get(record, FIELD_EVENTID);
	if (event == NULL)
		return DECODE_NO;
	struct str id = event->value;
	record->product = STR("windows");
	record->service = service_of(record_value(record, FIELD_CHANNEL));
	put_categories(record, id);
	put_renames(record, id);
	put_host(record);
	alias_time(record, 0);
	return DECODE_YES;
}

const struct decoder decode_windows = {
    .name = "windows",
    .stage = DECODER_SOURCE,
    .summary = "Windows events of NXLog, Winlogbeat, Elastic Agent and Snare under Sigma's names",
    .decode = decode,
};
