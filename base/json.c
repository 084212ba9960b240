#include "base/json.h"

#include "base/check.h"
#include "base/digits.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 32u

struct json json_begin(struct buf *out)
{
	return (struct json){.out = out};
}

/* What stands before a value: nothing after a key, a comma after a value of the same level. */
static void separate(struct json *json)
{
	uint32_t bit = json->depth == 0 ? 0 : 1u << (json->depth - 1);

	if (json->after_key) {
		json->after_key = false;
		return;
	}
	if ((json->comma & bit) != 0)
		buf_char(json->out, ',');
	json->comma |= bit;
}

void json_open(struct json *json, char bracket)
{
	CHECK(json->depth < DEPTH_MAX);
	separate(json);
	buf_char(json->out, bracket);
	json->depth++;
	json->comma &= ~(1u << (json->depth - 1));
}

void json_close(struct json *json, char bracket)
{
	CHECK(json->depth > 0 && !json->after_key);
	json->depth--;
	buf_char(json->out, bracket);
}

static void put_quoted(struct buf *out, struct str s)
{
	buf_char(out, '"');
	utf8_json(out, s);
	buf_char(out, '"');
}

void json_key(struct json *json, struct str key)
{
	separate(json);
	put_quoted(json->out, key);
	buf_char(json->out, ':');
	json->after_key = true;
}

void json_name(struct json *json, const char *name)
{
	size_t len = strlen(name);

	separate(json);
	char *room = buf_room(json->out, len + 3);

	if (room == NULL) {
		buf_printf(json->out, "\"%s\":", name);
	} else {
		room[0] = '"';
		memcpy(room + 1, name, len);
		memcpy(room + 1 + len, "\":", 2);
		json->out->len += len + 3;
	}
	json->after_key = true;
}

void json_str(struct json *json, struct str value)
{
	separate(json);
	put_quoted(json->out, value);
}

void json_i64(struct json *json, int64_t value)
{
	char text[DIGITS_I64];

	separate(json);
	buf_put(json->out, text, (size_t)(digits_i64(text, value) - text));
}

void json_u64(struct json *json, uint64_t value)
{
	char text[DIGITS_U64];

	separate(json);
	buf_put(json->out, text, (size_t)(digits_u64(text, value) - text));
}

/* The shortest of the usual precisions that reads back as the same number. */
void json_double(struct json *json, double value)
{
	char text[40];

	if (!isfinite(value)) {
		json_null(json);
		return;
	}
	for (int precision = 15; precision <= 17; precision++) {
		snprintf(text, sizeof(text), "%.*g", precision, value);
		double back = strtod(text, NULL);

		if (back >= value && back <= value)
			break;
	}
	json_raw(json, str_of(text));
}

void json_bool(struct json *json, bool value)
{
	json_raw(json, value ? STR("true") : STR("false"));
}

void json_null(struct json *json)
{
	json_raw(json, STR("null"));
}

void json_raw(struct json *json, struct str value)
{
	separate(json);
	buf_str_put(json->out, value);
}

void json_pair(struct json *json, const char *key, struct str value)
{
	json_name(json, key);
	json_str(json, value);
}

void json_pair_i64(struct json *json, const char *key, int64_t value)
{
	json_name(json, key);
	json_i64(json, value);
}

void json_pair_u64(struct json *json, const char *key, uint64_t value)
{
	json_name(json, key);
	json_u64(json, value);
}

void json_pair_bool(struct json *json, const char *key, bool value)
{
	json_name(json, key);
	json_bool(json, value);
}
