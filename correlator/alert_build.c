#include "correlator/alert_build.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/check.h"
#include "correlator/correlate_type.h"
#include "correlator/suppress.h"

#define FIELDS_MAX    256u
#define VALUE_MAX     8192u
#define FIELDS_BYTES  98304u /* escaped as JSON, six times that is the worst */
#define ADDRESSES_MAX 8u
#define ALERT_MAX     (BUS_RECORD_MAX - 1024u)

#define GROUP_MAX  1024u
#define GROUP_HEAD 960u

struct str group_text(const struct alert_site *site, struct arena *arena, struct str value)
{
	char text[HASH128_TEXT];

	if (value.len <= GROUP_MAX)
		return value;
	struct str name = hash128_format(hash_sip128(site->key, value), text);

	return arena_printf(arena, "%.*s#%.*s", (int)GROUP_HEAD, value.ptr, STR_ARG(name));
}

void group_key_put(struct buf *out, struct str value)
{
	buf_varint(out, value.len);
	buf_str_put(out, value);
}

bool group_key_take(struct str *rest, struct str *ret)
{
	uint64_t len;

	return take_varint(rest, &len) && take_bytes(rest, len, ret);
}

static bool is_address(struct str value)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t binary[16];

	if (value.len == 0 || value.len >= sizeof(text) || memchr(value.ptr, 0, value.len) != NULL)
		return false;
	memcpy(text, value.ptr, value.len);
	text[value.len] = '\0';
	return inet_pton(AF_INET, text, binary) == 1 || inet_pton(AF_INET6, text, binary) == 1;
}

static void address_add(struct alert *alert, struct str value)
{
	if (alert->addresses == NULL || alert->address_count == ADDRESSES_MAX || !is_address(value))
		return;
	for (size_t i = 0; i < alert->address_count; i++)
		if (str_eq(alert->addresses[i], value))
			return;
	alert->addresses[alert->address_count++] = value;
}

/* ---- plain rules ---- */

/* What an alert is about when the rule does not say: host, user, source address, as present. */
static const struct entity_row {
	struct str name;
	unsigned what; /* only the first present of each kind */
} entity_default[] = {
	{{"host", 4}, 0}, {{"Computer", 8}, 0},
	{{"User", 4}, 1}, {{"TargetUserName", 14}, 1},
	{{"src_ip", 6}, 2}, {{"c-ip", 4}, 2}, {{"IpAddress", 9}, 2}, {{"SourceIp", 8}, 2},
};

#define ENTITY_DEFAULTS (sizeof(entity_default) / sizeof(*entity_default))

static struct str record_named(const struct record *record, struct str name)
{
	const struct field *field = record_find(record, name);

	return field != NULL ? field->value : STR_NONE;
}

static struct str entity_value(const struct record *record, unsigned what)
{
	for (size_t i = 0; i < ENTITY_DEFAULTS; i++) {
		struct str value = STR_NONE;

		if (entity_default[i].what == what)
			value = record_named(record, entity_default[i].name);
		if (value.len > 0)
			return value;
	}
	return STR_NONE;
}

static void entity_put(struct alert *alert, struct str name, struct str value)
{
	alert->groups[alert->group_count++] =
	    (struct alert_pair){name, str_slice(value, 0, VALUE_MAX)};
}

static void entity_by_default(struct alert *alert, const struct record *record)
{
	bool done[3] = {false};

	for (size_t i = 0; i < ENTITY_DEFAULTS; i++) {
		const struct entity_row *row = &entity_default[i];
		struct str value = record_named(record, row->name);

		if (done[row->what] || value.len == 0)
			continue;
		entity_put(alert, row->name, value);
		done[row->what] = true;
	}
}

static void entity_of(struct alert *alert, struct arena *arena, const struct rule *rule,
    const struct record *record)
{
	size_t most = rule->entity_count > 0 ? rule->entity_count : ENTITY_DEFAULTS;

	alert->groups = arena_array(arena, most, sizeof(*alert->groups));
	if (alert->groups == NULL)
		return;
	for (size_t i = 0; i < rule->entity_count; i++) {
		const struct field *field = record_find(record, rule->entity[i]);

		if (field != NULL)
			entity_put(alert, rule->entity[i], field->value);
	}
	if (rule->entity_count == 0)
		entity_by_default(alert, record);
}

static void fields_of(struct alert *alert, struct arena *arena, const struct record *record)
{
	size_t count = record->field_count < FIELDS_MAX ? record->field_count : FIELDS_MAX;
	size_t left = FIELDS_BYTES;

	alert->fields = arena_array(arena, count, sizeof(*alert->fields));
	for (size_t i = 0; alert->fields != NULL && i < count; i++) {
		struct str name = str_slice(record->fields[i].name, 0, 512);
		struct str value = str_slice(record->fields[i].value, 0, VALUE_MAX);

		address_add(alert, value);
		if (name.len + value.len > left)
			continue;
		left -= name.len + value.len;
		alert->fields[alert->field_count++] = (struct alert_pair){name, value};
	}
}

static int64_t fold_of(const struct alert_site *site, const struct rule *rule)
{
	return rule->fold_ns == RULE_DEFAULT_FOLD ? site->fold_default_ns : rule->fold_ns;
}

static void alert_log_source(struct alert *alert, const struct rule *rule)
{
	alert->product = rule->product;
	alert->category = rule->category;
	alert->service = rule->service;
}

void alert_of_match(struct alert *ret, const struct alert_site *site, struct arena *arena,
    const struct rule *rule, const struct record *record, struct position position,
    int64_t time_ns)
{
	const struct event *event = record->event;

	*ret = (struct alert){.status = ALERT_SETTLED, .rule = rule->meta, .time_ns = time_ns,
	    .replay = site->replay, .at = event->at, .received_ns = event->received_ns,
	    .first_ns = time_ns, .last_ns = time_ns, .count = 1, .fold_ns = fold_of(site, rule),
	    .agency = event->agency, .system = event->system, .sender = event->sender,
	    .host = str_slice(entity_value(record, 0), 0, 512),
	    .user = str_slice(entity_value(record, 1), 0, 512)};
	alert_log_source(ret, rule);
	ret->addresses = arena_array(arena, ADDRESSES_MAX, sizeof(*ret->addresses));
	address_add(ret, entity_value(record, 2));
	entity_of(ret, arena, rule, record);
	fields_of(ret, arena, record);
	suppress_of_record(ret, site, arena, rule, record);
	ret->events = arena_array(arena, 1, sizeof(*ret->events));
	if (ret->events == NULL)
		return;
	ret->events[0] = (struct alert_event){event->at, position, time_ns, rule->meta.id};
	ret->event_count = 1;
}

/* ---- windows ---- */

static const struct str user_names[] = {{"User", 4}, {"TargetUserName", 14}};
static const struct str host_names[] = {{"host", 4}, {"Computer", 8}};

static struct str group_named(const struct alert *alert, const struct str *names, size_t count)
{
	for (size_t i = 0; i < alert->group_count; i++)
		for (size_t j = 0; j < count; j++)
			if (str_eq(alert->groups[i].name, names[j]))
				return alert->groups[i].value;
	return STR_NONE;
}

/* Takes the values of these names off the front of key; alert->groups has room. */
static void groups_of_key(struct alert *alert, const struct str *names, size_t count,
    struct str *key)
{
	struct str value;

	for (size_t i = 0; i < count && group_key_take(key, &value); i++) {
		alert->groups[alert->group_count++] = (struct alert_pair){names[i], value};
		address_add(alert, value);
	}
}

static void who_of_groups(struct alert *alert)
{
	struct str host = group_named(alert, host_names, sizeof(host_names) / sizeof(*host_names));

	alert->user = group_named(alert, user_names, sizeof(user_names) / sizeof(*user_names));
	if (host.len > 0)
		alert->host = host;
}

static void events_of_parts(struct alert *alert, struct arena *arena, const struct parts *parts,
    struct str (*rule_id)(const void *, uint32_t), const void *context)
{
	alert->events = arena_array(arena, parts->count, sizeof(*alert->events));
	alert->events_cut = parts->cut;
	alert->count = parts->count + parts->cut;
	for (uint32_t i = 0; alert->events != NULL && i < parts->count; i++) {
		const struct part *part = &parts->list[i];

		alert->events[alert->event_count++] = (struct alert_event){part->at, part->position,
		    part->time_ns, rule_id(context, part->rule)};
	}
	if (parts->count > 0) {
		alert->first_ns = parts->list[0].time_ns;
		alert->last_ns = parts->list[parts->count - 1].time_ns;
	}
}

void alert_of_window(struct alert *ret, const struct alert_site *site, struct arena *arena,
    const struct rule *rule, struct str key, const struct parts *parts,
    const struct completion *completion, struct str (*rule_id)(const void *, uint32_t),
    const void *context)
{
	*ret = (struct alert){.rule = rule->meta, .replay = site->replay,
	    .time_ns = completion->time_ns, .at = completion->at,
	    .received_ns = completion->received_ns, .first_ns = completion->time_ns,
	    .last_ns = completion->time_ns, .window_ns = rule->correlation->timespan_ns,
	    .fold_ns = fold_of(site, rule), .agency = completion->agency,
	    .host = completion->host};
	alert_log_source(ret, rule);
	ret->addresses = arena_array(arena, ADDRESSES_MAX, sizeof(*ret->addresses));
	ret->groups =
	    arena_array(arena, rule->correlation->group_count, sizeof(*ret->groups));
	if (ret->groups != NULL)
		groups_of_key(ret, rule->correlation->group_by, rule->correlation->group_count,
		    &key);
	suppress_of_groups(ret, arena, rule);
	events_of_parts(ret, arena, parts, rule_id, context);
	who_of_groups(ret);
}

/* ---- first seen ---- */

void alert_of_first_seen(struct alert *ret, const struct alert_site *site, struct arena *arena,
    const struct rule *rule, struct str key, const struct completion *completion)
{
	const struct first_seen *first_seen = rule->first_seen;

	*ret = (struct alert){.rule = rule->meta, .replay = site->replay,
	    .time_ns = completion->time_ns, .at = completion->at,
	    .received_ns = completion->received_ns, .first_ns = completion->time_ns,
	    .last_ns = completion->time_ns, .count = 1, .unseen_ns = first_seen->within_ns,
	    .fold_ns = fold_of(site, rule), .agency = completion->agency,
	    .host = completion->host};
	alert_log_source(ret, rule);
	ret->addresses = arena_array(arena, ADDRESSES_MAX, sizeof(*ret->addresses));
	ret->groups = arena_array(
	    arena, first_seen->by_count + first_seen->field_count, sizeof(*ret->groups));
	ret->events = arena_array(arena, 1, sizeof(*ret->events));
	if (ret->groups == NULL || ret->events == NULL)
		return;
	groups_of_key(ret, first_seen->by, first_seen->by_count, &key);
	groups_of_key(ret, first_seen->fields, first_seen->field_count, &key);
	who_of_groups(ret);
	suppress_of_groups(ret, arena, rule);
	ret->events[ret->event_count++] = (struct alert_event){completion->at,
	    completion->position, completion->time_ns, rule->meta.id};
}

void alert_of_memory(struct alert *ret, const struct alert_site *site, struct arena *arena,
    const struct rule *rule, uint32_t partition, uint64_t evicted, int64_t time_ns)
{
	*ret = (struct alert){.status = ALERT_SETTLED, .time_ns = time_ns, .replay = site->replay,
	    .at = {hash_sip64(site->key, rule->meta.id), partition, evicted},
	    .received_ns = time_ns, .first_ns = time_ns, .last_ns = time_ns, .count = 1};
	ret->rule = (struct alert_rule){.id = STR("tocsin-memory"), .level = LEVEL_MEDIUM,
	    .kind = STR("memory"),
	    .title = str_of(text_in(TEXT_correlator_memory_title, LANGUAGE_ENGLISH)),
	    .title_vi = str_of(text_in(TEXT_correlator_memory_title, LANGUAGE_VIETNAMESE)),
	    .advice = str_of(text_in(TEXT_correlator_memory_advice, LANGUAGE_ENGLISH)),
	    .advice_vi = str_of(text_in(TEXT_correlator_memory_advice, LANGUAGE_VIETNAMESE))};
	ret->groups = arena_array(arena, 2, sizeof(*ret->groups));
	if (ret->groups == NULL)
		return;
	entity_put(ret, STR("rule"), rule->meta.id);
	entity_put(ret, STR("forgotten"), arena_printf(arena, "%lu", evicted));
}

/* ---- gaps ---- */

void alert_of_gap(struct alert *ret, const struct alert_site *site, struct arena *arena,
    struct str identity, const struct bus_record *gap, int64_t time_ns)
{
	static const struct hash_key place = {0x746f6373696e2e67, 0x61702e6b65792e31};
	struct str topic = bus_topic_name(gap->topic);
	struct hash_key of_topic = {place.k0 ^ (uint64_t)gap->topic, place.k1};

	*ret = (struct alert){.status = ALERT_SETTLED, .time_ns = time_ns, .replay = site->replay,
	    .at = {hash_sip64(of_topic, identity), gap->partition, gap->offset},
	    .received_ns = time_ns, .first_ns = time_ns, .last_ns = time_ns, .count = 1};
	ret->rule = (struct alert_rule){.id = STR("tocsin-gap"), .level = LEVEL_HIGH,
	    .kind = STR("gap"),
	    .title = str_of(text_in(TEXT_correlator_gap_title, LANGUAGE_ENGLISH)),
	    .title_vi = str_of(text_in(TEXT_correlator_gap_title, LANGUAGE_VIETNAMESE)),
	    .advice = str_of(text_in(TEXT_correlator_gap_advice, LANGUAGE_ENGLISH)),
	    .advice_vi = str_of(text_in(TEXT_correlator_gap_advice, LANGUAGE_VIETNAMESE))};
	ret->groups = arena_array(arena, 4, sizeof(*ret->groups));
	if (ret->groups == NULL)
		return;
	entity_put(ret, STR("topic"), topic);
	entity_put(ret, STR("partition"), arena_printf(arena, "%u", gap->partition));
	entity_put(ret, STR("from"), arena_printf(arena, "%lu", gap->offset));
	entity_put(ret, STR("to"), arena_printf(arena, "%lu", gap->next));
}

/* ---- sending ---- */

bool alert_post(struct alert *alert, const struct alert_site *site, struct batch *batch,
    uint32_t owner)
{
	struct buf json = BUF(ALERT_MAX);
	char id[HASH128_TEXT];

	if (alert->id.high == 0 && alert->id.low == 0)
		alert->id = alert_make_id(site->key, alert);
	alert->made_ns = batch->now_ns;
	alert_write(&json, alert);
	if (json.failed) {
		/*
		 * Too long after all: what it is about matters more than the fields of its event.
		 */
		alert->field_count = alert->matched_count = 0;
		buf_clear(&json);
		alert_write(&json, alert);
	}
	bool done = !json.failed && batch_post(batch, owner, TOPIC_ALERTS,
	    hash128_format(alert->id, id), buf_str(&json));

	buf_free(&json);
	return done;
}
