/*
 * The tables of windows.def, put in order once so that an event costs a probe of each and not a
 * walk through all. What is looked up is a stranger's, what stands in the tables is not: the
 * hashes need no key.
 */
#include "decoder/windows.h"

#include "base/check.h"
#include "decoder/name_set.h"

#include <pthread.h>

#define SLOTS 512u /* of services and of kinds; both are at most a quarter full */

struct service {
	struct str name, channel;
};

struct category {
	struct str name, service, event, field, value;
};

struct rename {
	struct str service, event, name, from;
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

static struct windows_naming namings[] = {
#undef NAME
#define NAME(from, name) {STR_INIT(from), STR_INIT(name), FIELD_OTHER},
#include "decoder/windows.def"
#undef NAME
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

_Static_assert(COUNT(namings) <= UINT8_MAX, "struct key has a byte for it");
_Static_assert(COUNT(services) <= SLOTS / 4, "the table of channels is at most a quarter full");
_Static_assert(COUNT(categories) + COUNT(renames) <= SLOTS / 4, "and so is that of kinds");

static struct name_set naming_names;
static uint8_t channel_slots[SLOTS]; /* index of services + 1 */
static struct str service_texts[COUNT(services)];
static struct windows_kind kinds[SLOTS];
static pthread_once_t built = PTHREAD_ONCE_INIT;

/*
 * Letters of either case hash alike, and so do some other characters. The last 16 bytes tell nearly
 * all channels apart; of shorter ones the ends overlap.
 */
static unsigned hash_fold(struct str text)
{
	uint64_t hash = text.len, word = 0, tail = 0;

	if (text.len >= 16) {
		memcpy(&word, text.ptr + text.len - 16, 8);
		memcpy(&tail, text.ptr + text.len - 8, 8);
	} else if (text.len >= 8) {
		memcpy(&word, text.ptr, 8);
		memcpy(&tail, text.ptr + text.len - 8, 8);
	} else if (text.len > 0) {
		memcpy(&word, text.ptr, text.len);
	}
	hash ^= word | UINT64_C(0x2020202020202020);
	hash *= UINT64_C(0x9e3779b97f4a7c15);
	hash ^= hash >> 32 ^ (tail | UINT64_C(0x2020202020202020));
	return (unsigned)(hash * UINT64_C(0x9e3779b97f4a7c15) >> 48) % SLOTS;
}

/* Decimal without leading zeros, as windows.def writes it; false when it is another text. */
static bool event_number(struct str event, uint32_t *ret)
{
	uint32_t number = 0;

	if (event.len == 0 || event.len > 5 || (event.ptr[0] == '0' && event.len > 1))
		return false;
	for (size_t i = 0; i < event.len; i++) {
		if (!char_is_digit(event.ptr[i]))
			return false;
		number = number * 10 + (uint32_t)(event.ptr[i] - '0');
	}
	*ret = number;
	return true;
}

/* One text for each service, however many channels it has, so that the pointer tells it. */
static struct str service_text(struct str name)
{
	for (size_t i = 0; i < COUNT(services); i++) {
		if (str_eq(services[i].name, name))
			return services[i].name;
	}
	CHECK(false);
	return name;
}

/* The kind's place, or a free one. Services are few: their ends tell them apart well enough. */
static struct windows_kind *kind_at(struct str service, uint32_t event)
{
	uint64_t hash = event * UINT64_C(0x9e3779b97f4a7c15) ^ service.len * 31u ^
	    (uint8_t)service.ptr[service.len - 1];
	unsigned at = (unsigned)(hash ^ hash >> 40) % SLOTS;

	while (kinds[at].service.len > 0 &&
	    (kinds[at].event != event || kinds[at].service.ptr != service.ptr))
		at = (at + 1) % SLOTS;
	return &kinds[at];
}

static struct windows_kind *kind_make(struct str service, struct str event)
{
	uint32_t number;

	CHECK(event_number(event, &number));
	service = service_text(service);
	struct windows_kind *kind = kind_at(service, number);

	kind->service = service;
	kind->event = number;
	return kind;
}

static void build_kinds(void)
{
	for (size_t i = 0; i < COUNT(categories); i++) {
		const struct category *c = &categories[i];
		struct windows_kind *kind = kind_make(c->service, c->event);

		CHECK(kind->category_count < COUNT(kind->categories));
		kind->categories[kind->category_count++] =
		    (struct windows_category){c->name, c->field, c->value};
	}
	for (size_t i = 0; i < COUNT(renames); i++) {
		const struct rename *r = &renames[i];
		struct windows_kind *kind = kind_make(r->service, r->event);

		CHECK(kind->rename_count < COUNT(kind->renames));
		kind->renames[kind->rename_count++] = (struct windows_rename){
		    r->name, r->from, field_lookup(r->name), field_lookup(r->from)};
	}
}

static void build(void)
{
	name_set_build(&naming_names, &namings[0].from, sizeof(namings[0]), COUNT(namings));
	for (size_t i = 0; i < COUNT(namings); i++) {
		namings[i].id = field_lookup(namings[i].name);
		CHECK(namings[i].id != FIELD_OTHER);
		for (size_t k = i + 2; k < COUNT(namings); k++)
			CHECK(!str_eq(namings[k].from, namings[i].from) ||
			    str_eq(namings[k - 1].from, namings[i].from));
	}
	for (size_t i = 0; i < COUNT(services); i++) {
		unsigned at = hash_fold(services[i].channel);

		service_texts[i] = service_text(services[i].name);
		while (channel_slots[at] != 0)
			at = (at + 1) % SLOTS;
		channel_slots[at] = (uint8_t)(i + 1);
	}
	build_kinds();
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

/* Of Event.UserData the element goes too that Windows wraps around such data. */
static size_t prefix_span(struct str name)
{
	static const struct str wrapped = STR_INIT("Event.UserData.");

	for (size_t i = 0; i < COUNT(prefixes); i++) {
		size_t span = prefixes[i].len;

		if (name.len <= span || !str_starts(name, prefixes[i]))
			continue;
		/* Of GELF: "_Image", not "_id" and "_source.winlog.channel". */
		if (span == 1 && !is_upper(name.ptr[1]))
			continue;
		if (str_eq(prefixes[i], wrapped)) {
			size_t dot = str_find_char(str_slice(name, span, name.len), '.');

			if (dot != STR_NOT_FOUND && span + dot + 1 < name.len &&
			    span + dot < UINT8_MAX)
				span += dot + 1;
		}
		return span;
	}
	return 0;
}

void windows_ask(struct str name, struct key *key)
{
	/* "channel" is a word of many senders: of those that use it another name tells. */
	static const struct str marks[] = {STR_INIT("Channel"), STR_INIT("winlog.channel"),
	    STR_INIT("Event.System.Channel"), STR_INIT("log_name"), STR_INIT("System.Channel"),
	    STR_INIT("LogName"), STR_INIT("_source.winlog.channel"), STR_INIT("_Channel"),
	    STR_INIT("win.system.channel"), STR_INIT("data.win.system.channel"),
	    STR_INIT("_source.data.win.system.channel"), STR_INIT("winlog_channel"),
	    STR_INIT("_winlog_channel"), STR_INIT("winlogbeat_winlog_channel"),
	    STR_INIT("_winlogbeat_winlog_channel"), STR_INIT("winlogbeat_log_name"),
	    STR_INIT("_winlogbeat_log_name"), STR_INIT("event_id.id"),
	    STR_INIT("body.event_id.id"), STR_INIT("provider_name")};

	pthread_once(&built, build);
	for (size_t i = 0; i < COUNT(marks); i++) {
		if (str_eq(marks[i], name))
			key->flags |= KEY_CHANNEL;
	}
	key->prefix = (uint8_t)prefix_span(name);
	if (key->prefix > 0 || str_find_char(name, ' ') != STR_NOT_FOUND)
		key->flags |= KEY_RENAMED;
	if (str_ends(str_slice(name, 0, key->prefix), STR("win.eventdata.")))
		key->flags |= KEY_WAZUH;
	size_t naming = name_set_find(&naming_names, name);

	if (naming != NAME_SET_NONE) {
		key->flags |= KEY_NAMING;
		key->naming = (uint8_t)naming;
	}
}

const struct windows_naming *windows_naming(struct str from, size_t *index)
{
	const struct windows_naming *naming = &namings[*index];

	if (*index >= COUNT(namings) || !str_eq(from, naming->from))
		return NULL;
	++*index;
	return naming;
}

struct str windows_product(struct str channel)
{
	return str_starts(channel, STR("Linux-Sysmon/")) ? STR("linux") : STR("windows");
}

struct str windows_service(struct str channel)
{
	pthread_once(&built, build);
	for (unsigned at = hash_fold(channel); channel_slots[at] != 0; at = (at + 1) % SLOTS) {
		unsigned index = channel_slots[at] - 1u;
		struct str own = services[index].channel;

		if (str_eq(own, channel) || str_eq_fold(own, channel))
			return service_texts[index];
	}
	return STR_NONE;
}

const struct windows_kind *windows_kind(struct str service, struct str event)
{
	uint32_t number;

	if (service.len == 0 || !event_number(event, &number))
		return NULL;
	const struct windows_kind *kind = kind_at(service, number);

	return kind->service.len > 0 ? kind : NULL;
}
