/*
 * A log record of OpenTelemetry with its scope and resource, as the collector writes it: in OTLP's
 * JSON, {"logRecord":{...},"scope":{...},"resource":{...}}. Attributes become fields under their
 * own names, those of the resource behind "resource.", of the scope behind "scope."; the body is
 * decoded like any line, or, when it is a list of keys, becomes fields too.
 */
#include "decoder/decoders.h"

#include "base/json_cut.h"
#include "decoder/alias.h"
#include "decoder/envelope.h"
#include "decoder/scan.h"
#include "decoder/timestamp.h"

#define NESTED 16u

static void put_any(struct record *record, struct str name, struct str any, unsigned depth);

static struct str join(struct record *record, struct str a, struct str b)
{
	size_t len = a.len + 1 + b.len;
	char *out = a.len == 0 ? NULL : arena_alloc(record->arena, len);

	if (out == NULL)
		return b;
	memcpy(out, a.ptr, a.len);
	out[a.len] = '.';
	if (b.len > 0)
		memcpy(out + a.len + 1, b.ptr, b.len);
	return str_from(out, len);
}

/* [{"key":...,"value":...}] */
static void put_list(struct record *record, struct str prefix, struct str list, unsigned depth)
{
	struct str pair;

	while (json_cut_element(&list, &pair)) {
		struct str key = envelope_text(record, json_cut_get(pair, STR("key")));

		if (key.len > 0)
			put_any(record, join(record, prefix, key),
			    json_cut_get(pair, STR("value")), depth);
	}
}

static enum field_kind kind_of(struct str type)
{
	return str_eq(type, STR("boolValue")) ? FIELD_BOOL
	    : str_eq(type, STR("intValue")) || str_eq(type, STR("doubleValue")) ? FIELD_NUMBER
									        : FIELD_STRING;
}

static void put_any(struct record *record, struct str name, struct str any, unsigned depth)
{
	struct str type, value, element;

	if (depth == NESTED || !json_cut_member(&any, &type, &value))
		return;
	if (str_eq(type, STR("kvlistValue"))) {
		put_list(record, name, json_cut_get(value, STR("values")), depth + 1);
	} else if (str_eq(type, STR("arrayValue"))) {
		struct str values = json_cut_get(value, STR("values"));

		while (json_cut_element(&values, &element))
			put_any(record, name, element, depth + 1);
	} else {
		record_put_named(record, name, kind_of(type), envelope_text(record, value));
	}
}

/* The text of the attribute of that key; STR_NONE without one. */
static struct str attribute(struct record *record, struct str list, struct str key)
{
	struct str pair;

	while (json_cut_element(&list, &pair)) {
		if (str_eq(envelope_text(record, json_cut_get(pair, STR("key"))), key))
			return envelope_text(record,
			    json_cut_get(json_cut_get(pair, STR("value")), STR("stringValue")));
	}
	return STR_NONE;
}

/* OpenTelemetry's 1 to 24 as syslog's 7 to 0 (its data model, appendix B). */
static void put_severity(struct record *record, struct str number)
{
	static const char syslog[] = "777777776555444432110000";
	uint64_t value;

	if (str_to_u64(number, &value) && value >= 1 && value <= 24)
		record_put_number(record, FIELD_SEVERITY, str_from(&syslog[value - 1], 1));
}

static void put_time(struct record *record, struct str log)
{
	static const struct str names[] = {
	    STR_INIT("timeUnixNano"), STR_INIT("observedTimeUnixNano")};

	for (size_t i = 0; i < 2; i++) {
		struct str text = envelope_text(record, json_cut_get(log, names[i]));

		if (text.len > 1 && timestamp_set_text(record, text))
			return;
	}
}

static void put_resource(struct record *record, struct str resource)
{
	struct str list = json_cut_get(resource, STR("attributes"));
	struct str host = attribute(record, list, STR("host.name"));
	struct str service = attribute(record, list, STR("service.name"));

	if (host.len > 0)
		record_put(record, FIELD_HOST, host);
	if (service.len > 0)
		record_put(record, FIELD_APP, service);
	put_list(record, STR("resource"), list, 0);
}

/* A text is left as the message; anything else becomes fields. */
static void put_body(struct record *record, struct str body)
{
	struct str text = json_cut_get(body, STR("stringValue"));
	struct str list = json_cut_get(json_cut_get(body, STR("kvlistValue")), STR("values"));

	record->message = STR_NONE;
	if (text.len > 0)
		record->message = envelope_text(record, text);
	else if (list.len > 0)
		put_list(record, STR_NONE, list, 0);
	else
		put_any(record, STR("body"), body, 0);
}

static void put_record(struct record *record, struct str log)
{
	put_time(record, log);
	put_severity(record, envelope_text(record, json_cut_get(log, STR("severityNumber"))));
	envelope_put_named(record, STR("log.level"), json_cut_get(log, STR("severityText")));
	envelope_put_named(record, STR("trace.id"), json_cut_get(log, STR("traceId")));
	envelope_put_named(record, STR("span.id"), json_cut_get(log, STR("spanId")));
	envelope_put_named(record, STR("event.name"), json_cut_get(log, STR("eventName")));
	put_list(record, STR_NONE, json_cut_get(log, STR("attributes")), 0);
	put_body(record, json_cut_get(log, STR("body")));
}

static enum decode_status decode(struct record *record, struct str text, struct notes *notes)
{
	size_t first = record->field_count;
	struct str object, log, scope;

	if (!json_cut(&text, &object))
		return DECODE_NO;
	log = json_cut_get(object, STR("logRecord"));
	if (scan_peek(log, 0) != '{')
		return DECODE_NO;
	put_resource(record, json_cut_get(object, STR("resource")));
	put_record(record, log);
	scope = json_cut_get(object, STR("scope"));
	envelope_put_named(record, STR("scope.name"), json_cut_get(scope, STR("name")));
	put_list(record, STR("scope"), json_cut_get(scope, STR("attributes")), 0);
	alias_apply(record, notes, first);
	return DECODE_YES;
}

const struct decoder decode_otlp = {
    .name = "otlp",
    .stage = DECODER_ENVELOPE,
    .summary = "OpenTelemetry log record: attributes, resource, severity; its body is decoded itself",
    .decode_noted = decode,
};
