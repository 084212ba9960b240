#include "event/alert.h"

#include "base/check.h"
#include "event/document.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA STR("tocsin.alert/1")

static struct str level_row_name(unsigned value)
{
	static const char *const names[] = {
	    [LEVEL_INFORMATIONAL] = "informational",
	    [LEVEL_LOW] = "low",
	    [LEVEL_MEDIUM] = "medium",
	    [LEVEL_HIGH] = "high",
	    [LEVEL_CRITICAL] = "critical",
	};

	return value <= LEVEL_CRITICAL ? str_of(names[value]) : STR_NONE;
}

static struct str status_row_name(unsigned value)
{
	static const char *const names[] = {
	    [ALERT_EARLY] = "early",
	    [ALERT_SETTLED] = "settled",
	    [ALERT_REPLACED] = "replaced",
	};

	return value <= ALERT_REPLACED ? str_of(names[value]) : STR_NONE;
}

struct str level_name(enum level level)
{
	return level_row_name(level);
}

bool level_parse(struct str name, enum level *ret)
{
	for (unsigned i = 0; i <= LEVEL_CRITICAL; i++) {
		if (str_eq_fold(level_row_name(i), name)) {
			*ret = (enum level)i;
			return true;
		}
	}
	return false;
}

struct str alert_status_name(enum alert_status status)
{
	return status_row_name(status);
}

#define END                                                                                        \
	{                                                                                          \
		NULL, DOCUMENT_TEXT, false, 0, 0, 0, NULL, NULL                                    \
	}

static const struct document_row pair_rows[] = {
	{"name", DOCUMENT_TEXT, true, offsetof(struct alert_pair, name), 0, 0, NULL, NULL},
	{"value", DOCUMENT_TEXT, true, offsetof(struct alert_pair, value), 0, 0, NULL, NULL},
	END,
};

#define ROW(key, kind, required, member)                                                           \
	{                                                                                          \
		key, DOCUMENT_##kind, required, offsetof(struct SUBJECT, member), 0, 0, NULL, NULL \
	}
#define TEXTS_ROW(key, member, member_count)                                                       \
	{                                                                                          \
		key, DOCUMENT_TEXTS, false, offsetof(struct SUBJECT, member),                      \
		    offsetof(struct SUBJECT, member_count), sizeof(struct str), NULL, NULL         \
	}
#define OBJECTS_ROW(key, member, member_count, type, rows)                                         \
	{                                                                                          \
		key, DOCUMENT_OBJECTS, false, offsetof(struct SUBJECT, member),                    \
		    offsetof(struct SUBJECT, member_count), sizeof(struct type), rows, NULL        \
	}

#define SUBJECT alert_event
static const struct document_row event_rows[] = {
	ROW("at", COORDINATE, true, at),
	ROW("partition", U32, true, position.partition),
	ROW("offset", U64, true, position.offset),
	ROW("index", U32, true, position.index),
	ROW("time", TIME, true, time_ns),
	ROW("rule", TEXT, false, rule),
	END,
};
#undef SUBJECT

#define SUBJECT alert_rule
static const struct document_row rule_rows[] = {
	ROW("id", TEXT, true, id),
	ROW("title", TEXT, false, title),
	ROW("title_vi", TEXT, false, title_vi),
	{"level", DOCUMENT_NAME, true, offsetof(struct alert_rule, level), 0, 0, NULL,
	    level_row_name},
	ROW("kind", TEXT, false, kind),
	ROW("hash", HASH, true, hash),
	ROW("status", TEXT, false, status),
	ROW("author", TEXT, false, author),
	ROW("description", TEXT, false, description),
	ROW("advice", TEXT, false, advice),
	ROW("advice_vi", TEXT, false, advice_vi),
	TEXTS_ROW("tags", tags, tag_count),
	TEXTS_ROW("falsepositives", falsepositives, falsepositive_count),
	END,
};
#undef SUBJECT

#define SUBJECT alert
static const struct document_row alert_rows[] = {
	ROW("id", HASH, true, id),
	{"status", DOCUMENT_NAME, true, offsetof(struct alert, status), 0, 0, NULL,
	    status_row_name},
	ROW("replaces", HASH, false, replaces),
	ROW("replay", TEXT, false, replay),
	{"rule", DOCUMENT_OBJECT, true, offsetof(struct alert, rule), 0, 0, rule_rows, NULL},
	ROW("time", TIME, true, time_ns),
	ROW("at", COORDINATE, true, at),
	ROW("received", TIME, false, received_ns),
	ROW("made", TIME, false, made_ns),
	ROW("first", TIME, true, first_ns),
	ROW("last", TIME, true, last_ns),
	ROW("count", U64, true, count),
	OBJECTS_ROW("groups", groups, group_count, alert_pair, pair_rows),
	ROW("window_ns", I64, false, window_ns),
	ROW("fold_ns", I64, false, fold_ns),
	ROW("suppress_ns", I64, false, suppress_ns),
	OBJECTS_ROW("suppress", suppress, suppress_count, alert_pair, pair_rows),
	ROW("unseen_ns", I64, false, unseen_ns),
	ROW("agency", TEXT, false, agency),
	ROW("system", TEXT, false, system),
	ROW("sender", TEXT, false, sender),
	ROW("host", TEXT, false, host),
	ROW("user", TEXT, false, user),
	TEXTS_ROW("addresses", addresses, address_count),
	ROW("product", TEXT, false, product),
	ROW("category", TEXT, false, category),
	ROW("service", TEXT, false, service),
	OBJECTS_ROW("matched", matched, matched_count, alert_pair, pair_rows),
	OBJECTS_ROW("fields", fields, field_count, alert_pair, pair_rows),
	OBJECTS_ROW("events", events, event_count, alert_event, event_rows),
	ROW("events_cut", U64, false, events_cut),
	END,
};
#undef SUBJECT

void alert_write(struct buf *out, const struct alert *alert)
{
	document_write(out, SCHEMA, alert_rows, alert);
}

int alert_read(struct arena *arena, struct str json, struct alert *ret, struct error *error)
{
	struct alert alert = {0};
	int status = document_read(arena, json, SCHEMA, alert_rows, &alert, error);

	if (status == 0)
		*ret = alert;
	return status;
}

static char *put_part(char *at, const void *bytes, size_t len)
{
	set_u32(at, (uint32_t)len);
	if (len > 0)
		memcpy(at + 4, bytes, len);
	return at + 4 + len;
}

static char *put_numbers(char *at, const uint64_t *numbers, size_t count)
{
	set_u32(at, (uint32_t)(8 * count));
	at += 4;
	for (size_t i = 0; i < count; i++, at += 8)
		set_u64(at, numbers[i]);
	return at;
}

static size_t id_size(const struct alert *alert)
{
	size_t size = 4 + alert->rule.id.len + 4 + 16 + 4 + 4 + 4 + 24;

	for (size_t i = 0; i < alert->group_count; i++)
		size += 4 + alert->groups[i].value.len;
	return size;
}

static void id_material(char *at, const struct alert *alert)
{
	char count[4];
	const uint64_t hash[2] = {alert->rule.hash.high, alert->rule.hash.low};
	const uint64_t coordinate[3] = {alert->at.collector, alert->at.epoch, alert->at.counter};

	at = put_part(at, alert->rule.id.ptr, alert->rule.id.len);
	at = put_numbers(at, hash, 2);
	set_u32(count, (uint32_t)alert->group_count);
	at = put_part(at, count, sizeof(count));
	for (size_t i = 0; i < alert->group_count; i++)
		at = put_part(at, alert->groups[i].value.ptr, alert->groups[i].value.len);
	put_numbers(at, coordinate, 3);
}

/* Group values are as long as a sender likes, but nearly always a few dozen bytes. */
struct hash128 alert_make_id(struct hash_key site, const struct alert *alert)
{
	char small[1024];
	size_t size = id_size(alert);
	char *bytes = size <= sizeof(small) ? small : malloc(size);

	CHECK(bytes != NULL);
	id_material(bytes, alert);
	struct hash128 id = hash_sip128(site, str_from(bytes, size));

	if (bytes != small)
		free(bytes);
	return id;
}
