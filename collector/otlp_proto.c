#include "collector/otlp_proto.h"

#include "base/utf8.h"
#include "event/base64.h"

#include <math.h>
#include <stdio.h>

#define DEPTH_MAX 32u

enum kind { TEXT, HEX, BASE64, NUMBER, NUMBER_TEXT, SIGNED_TEXT, BOOL, DOUBLE, MESSAGE };

struct message;

struct rule {
	uint32_t number;
	const char *name;
	enum kind kind;
	bool repeated;
	const struct message *message;
};

struct message {
	const struct rule *rules;
	size_t count;
};

#define MESSAGE_OF(rules) {rules, sizeof(rules) / sizeof(rules[0])}

static const struct message any_value, key_value;

static const struct rule array_rules[] = {{1, "values", MESSAGE, true, &any_value}};
static const struct rule list_rules[] = {{1, "values", MESSAGE, true, &key_value}};
static const struct message array_value = MESSAGE_OF(array_rules);
static const struct message list_value = MESSAGE_OF(list_rules);

static const struct rule any_rules[] = {
    {1, "stringValue", TEXT, false, NULL},
    {2, "boolValue", BOOL, false, NULL},
    {3, "intValue", SIGNED_TEXT, false, NULL},
    {4, "doubleValue", DOUBLE, false, NULL},
    {5, "arrayValue", MESSAGE, false, &array_value},
    {6, "kvlistValue", MESSAGE, false, &list_value},
    {7, "bytesValue", BASE64, false, NULL},
};
static const struct message any_value = MESSAGE_OF(any_rules);

static const struct rule key_rules[] = {
    {1, "key", TEXT, false, NULL},
    {2, "value", MESSAGE, false, &any_value},
};
static const struct message key_value = MESSAGE_OF(key_rules);

static const struct rule record_rules[] = {
    {1, "timeUnixNano", NUMBER_TEXT, false, NULL},
    {2, "severityNumber", NUMBER, false, NULL},
    {3, "severityText", TEXT, false, NULL},
    {5, "body", MESSAGE, false, &any_value},
    {6, "attributes", MESSAGE, true, &key_value},
    {7, "droppedAttributesCount", NUMBER, false, NULL},
    {8, "flags", NUMBER, false, NULL},
    {9, "traceId", HEX, false, NULL},
    {10, "spanId", HEX, false, NULL},
    {11, "observedTimeUnixNano", NUMBER_TEXT, false, NULL},
    {12, "eventName", TEXT, false, NULL},
};

static const struct rule resource_rules[] = {
    {1, "attributes", MESSAGE, true, &key_value},
    {2, "droppedAttributesCount", NUMBER, false, NULL},
};

static const struct rule scope_rules[] = {
    {1, "name", TEXT, false, NULL},
    {2, "version", TEXT, false, NULL},
    {3, "attributes", MESSAGE, true, &key_value},
    {4, "droppedAttributesCount", NUMBER, false, NULL},
};

static const struct message messages[] = {
    [OTLP_RECORD] = MESSAGE_OF(record_rules),
    [OTLP_RESOURCE] = MESSAGE_OF(resource_rules),
    [OTLP_SCOPE] = MESSAGE_OF(scope_rules),
};

/* ---- the wire ---- */

enum proto proto_next(struct str *rest, struct proto_field *ret)
{
	uint64_t tag, len;
	struct str fixed;

	if (rest->len == 0)
		return PROTO_END;
	if (!take_varint(rest, &tag) || tag >> 3 == 0 || tag >> 3 > UINT32_MAX >> 3)
		return PROTO_BAD;
	*ret = (struct proto_field){.number = tag >> 3, .wire = (unsigned)(tag & 7)};
	switch (ret->wire) {
	case 0:
		return take_varint(rest, &ret->value) ? PROTO_FIELD : PROTO_BAD;
	case 1:
		if (!take_bytes(rest, 8, &fixed))
			return PROTO_BAD;
		ret->value = get_u64(fixed.ptr);
		return PROTO_FIELD;
	case 2:
		return take_varint(rest, &len) && take_bytes(rest, len, &ret->bytes) ? PROTO_FIELD
										    : PROTO_BAD;
	case 5:
		if (!take_bytes(rest, 4, &fixed))
			return PROTO_BAD;
		ret->value = get_u32(fixed.ptr);
		return PROTO_FIELD;
	default:
		return PROTO_BAD;
	}
}

/* ---- as JSON ---- */

static bool put_message(
    struct buf *out, const struct message *message, struct str bytes, unsigned depth);

static void put_text(struct buf *out, struct str text)
{
	buf_char(out, '"');
	utf8_json(out, text);
	buf_char(out, '"');
}

static void put_hex(struct buf *out, struct str bytes)
{
	buf_char(out, '"');
	for (size_t i = 0; i < bytes.len; i++) {
		unsigned char c = (unsigned char)bytes.ptr[i];

		buf_char(out, "0123456789abcdef"[c >> 4]);
		buf_char(out, "0123456789abcdef"[c & 15]);
	}
	buf_char(out, '"');
}

static void put_base64(struct buf *out, struct str bytes)
{
	buf_char(out, '"');
	base64_put(out, bytes);
	buf_char(out, '"');
}

static void put_double(struct buf *out, uint64_t bits)
{
	double value;

	memcpy(&value, &bits, sizeof(value));
	if (isnan(value))
		buf_str_put(out, STR("\"NaN\""));
	else if (isinf(value))
		buf_str_put(out, value > 0 ? STR("\"Infinity\"") : STR("\"-Infinity\""));
	else
		buf_printf(out, "%.17g", value);
}

static bool put_value(
    struct buf *out, const struct rule *rule, const struct proto_field *field, unsigned depth)
{
	unsigned long long number = field->value;

	switch (rule->kind) {
	case TEXT:
		put_text(out, field->bytes);
		return true;
	case HEX:
		put_hex(out, field->bytes);
		return true;
	case BASE64:
		put_base64(out, field->bytes);
		return true;
	case NUMBER:
		buf_printf(out, "%llu", number);
		return true;
	case NUMBER_TEXT:
		buf_printf(out, "\"%llu\"", number);
		return true;
	case SIGNED_TEXT:
		buf_printf(out, "\"%lld\"", (long long)number);
		return true;
	case BOOL:
		buf_str_put(out, number != 0 ? STR("true") : STR("false"));
		return true;
	case DOUBLE:
		put_double(out, field->value);
		return true;
	case MESSAGE:
		break;
	}
	return put_message(out, rule->message, field->bytes, depth + 1);
}

/* NULL: not known, or of another type than known. */
static const struct rule *rule_of(const struct message *message, const struct proto_field *field)
{
	for (size_t i = 0; i < message->count; i++) {
		const struct rule *rule = &message->rules[i];
		bool bytes = rule->kind <= BASE64 || rule->kind == MESSAGE;

		if (rule->number == field->number)
			return bytes != (field->wire == 2) ||
				(rule->kind == DOUBLE && field->wire != 1) ? NULL : rule;
	}
	return NULL;
}

static void put_unknown(struct buf *out, const struct proto_field *field)
{
	buf_printf(out, "\"#%llu\":", (unsigned long long)field->number);
	if (field->wire == 2)
		put_base64(out, field->bytes);
	else
		buf_printf(out, "\"%llu\"", (unsigned long long)field->value);
}

/* All fields of the rule, as an array; they need not stand together. */
static bool put_repeated(struct buf *out, const struct message *message, const struct rule *rule,
    struct str bytes, unsigned depth)
{
	struct proto_field field;
	bool any = false;

	buf_printf(out, "\"%s\":[", rule->name);
	while (proto_next(&bytes, &field) == PROTO_FIELD) {
		if (rule_of(message, &field) != rule)
			continue;
		if (any)
			buf_char(out, ',');
		any = true;
		if (!put_value(out, rule, &field, depth))
			return false;
	}
	buf_char(out, ']');
	return true;
}

static bool put_field(struct buf *out, const struct message *message,
    const struct proto_field *field, const struct rule *rule, struct str all, unsigned depth)
{
	(void)message;
	if (rule == NULL) {
		put_unknown(out, field);
		return true;
	}
	if (rule->repeated)
		return put_repeated(out, message, rule, all, depth);
	buf_printf(out, "\"%s\":", rule->name);
	return put_value(out, rule, field, depth);
}

static bool put_message(
    struct buf *out, const struct message *message, struct str bytes, unsigned depth)
{
	struct str rest = bytes;
	struct proto_field field;
	uint32_t listed = 0; /* rules that repeat, and were put */
	bool any = false;
	enum proto next;

	if (depth > DEPTH_MAX)
		return false;
	buf_char(out, '{');
	while ((next = proto_next(&rest, &field)) == PROTO_FIELD) {
		const struct rule *rule = rule_of(message, &field);

		if (rule != NULL && rule->repeated) {
			uint32_t bit = 1u << (rule - message->rules);

			if ((listed & bit) != 0)
				continue;
			listed |= bit;
		}
		if (any)
			buf_char(out, ',');
		any = true;
		if (!put_field(out, message, &field, rule, bytes, depth) || out->failed)
			return false;
	}
	buf_char(out, '}');
	return next == PROTO_END && !out->failed;
}

bool otlp_proto_json(struct buf *out, enum otlp_message message, struct str bytes)
{
	return put_message(out, &messages[message], bytes, 0);
}
