/*
 * One event as JSON, schema "tocsin.event/1" (docs/wire.md, section 2): for consumers of "events"
 * that do not read frames.
 */
#include "event/frame.h"

#include "event/document.h"

#include <stddef.h>

#define SCHEMA STR("tocsin.event/1")

static struct str encoding_name(unsigned value)
{
	static const char *const names[] = {[ENCODING_TEXT] = "text", [ENCODING_JSON] = "json"};

	return value <= ENCODING_JSON ? str_of(names[value]) : STR_NONE;
}

static struct str transport_row_name(unsigned value)
{
	return value < TRANSPORT_COUNT ? transport_name((enum transport)value) : STR_NONE;
}

static const struct document_row rows[] = {
	{"at", DOCUMENT_COORDINATE, true, offsetof(struct event, at), 0, 0, NULL, NULL},
	{"received", DOCUMENT_TIME, false, offsetof(struct event, received_ns), 0, 0, NULL, NULL},
	{"transport", DOCUMENT_NAME, false, offsetof(struct event, transport), 0, 0, NULL,
	    transport_row_name},
	{"peer", DOCUMENT_TEXT, false, offsetof(struct event, peer), 0, 0, NULL, NULL},
	{"sender", DOCUMENT_TEXT, false, offsetof(struct event, sender), 0, 0, NULL, NULL},
	{"agency", DOCUMENT_TEXT, false, offsetof(struct event, agency), 0, 0, NULL, NULL},
	{"system", DOCUMENT_TEXT, false, offsetof(struct event, system), 0, 0, NULL, NULL},
	{"zone_s", DOCUMENT_I32, false, offsetof(struct event, zone_s), 0, 0, NULL, NULL},
	{"decoder", DOCUMENT_TEXT, false, offsetof(struct event, decoder), 0, 0, NULL, NULL},
	{"encoding", DOCUMENT_NAME, false, offsetof(struct event, encoding), 0, 0, NULL,
	    encoding_name},
	{"flags", DOCUMENT_U32, false, offsetof(struct event, flags), 0, 0, NULL, NULL},
	{"message", DOCUMENT_HASH, false, offsetof(struct event, message), 0, 0, NULL, NULL},
	{"raw", DOCUMENT_TEXT, true, offsetof(struct event, raw), 0, 0, NULL, NULL},
	{NULL, DOCUMENT_TEXT, false, 0, 0, 0, NULL, NULL},
};

void frame_json(struct buf *out, const struct event *event)
{
	document_write(out, SCHEMA, rows, event);
}

bool frame_read_json(struct arena *arena, struct str value, struct event *ret)
{
	static const char head[] = "{\"schema\":\"tocsin.event/1\"";
	struct event event = {0};

	/* Most JSON on the topic is somebody else's: do not parse it only to find that out. */
	if (value.len > FRAME_MAX || !str_starts(value, STR(head)) ||
	    document_read(arena, value, SCHEMA, rows, &event, NULL) != 0)
		return false;
	*ret = event;
	return true;
}
