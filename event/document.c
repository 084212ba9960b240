#include "event/document.h"

#include <jansson.h> /* before base/json.h, see there */

#include "base/check.h"
#include "base/civil.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/utf8.h"
#include "event/base64.h"
#include "event/event.h"

#include <stdio.h>
#include <string.h>

#define KEY_TEXT 64

static const void *member(const struct document_row *row, const void *from)
{
	return (const char *)from + row->offset;
}

static size_t member_count(const struct document_row *row, const void *from)
{
	size_t count;

	memcpy(&count, (const char *)from + row->count, sizeof(count));
	return count;
}

static const void *member_elements(const struct document_row *row, const void *from)
{
	const void *elements;

	memcpy(&elements, member(row, from), sizeof(elements));
	return elements;
}

/* Writing. */

static void rows_write(struct json *json, const struct document_row *rows, const void *from);

static bool is_plain(struct str text)
{
	return str_find_char(text, '\0') == STR_NOT_FOUND && utf8_is_valid(text);
}

static struct str base64_key(const char *key, char out[KEY_TEXT])
{
	int len = snprintf(out, KEY_TEXT, "%s_base64", key);

	CHECK(len > 0 && len < KEY_TEXT);
	return (struct str){out, (size_t)len};
}

static void base64_value(struct json *json, struct str text)
{
	struct buf *out = json->out;

	json_raw(json, STR("\""));
	base64_put(out, text);
	buf_char(out, '"');
}

static void text_write(struct json *json, const char *key, struct str text)
{
	char name[KEY_TEXT];

	if (is_plain(text)) {
		json_pair(json, key, text);
		return;
	}
	json_name(json, base64_key(key, name).ptr);
	base64_value(json, text);
}

/* In an array there is no key to tell the two apart: an object with one key stands for bytes. */
static void texts_write(struct json *json, const struct str *texts, size_t count)
{
	json_open(json, '[');
	for (size_t i = 0; i < count; i++) {
		if (is_plain(texts[i])) {
			json_str(json, texts[i]);
			continue;
		}
		json_open(json, '{');
		json_key(json, STR("base64"));
		base64_value(json, texts[i]);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void objects_write(struct json *json, const struct document_row *row, const void *from)
{
	const char *element = member_elements(row, from);
	size_t count = member_count(row, from);

	json_open(json, '[');
	for (size_t i = 0; i < count; i++)
		rows_write(json, row->rows, element + i * row->size);
	json_close(json, ']');
}

/* An empty member of a row that is not required leaves no key. */
static bool is_empty(const struct document_row *row, const void *from)
{
	static const char zero[24];
	const void *at = member(row, from);

	switch (row->kind) {
	case DOCUMENT_TEXT:
		return ((const struct str *)at)->len == 0;
	case DOCUMENT_I32:
	case DOCUMENT_U32:
	case DOCUMENT_NAME:
		return memcmp(at, zero, 4) == 0;
	case DOCUMENT_TIME:
	case DOCUMENT_I64:
	case DOCUMENT_U64:
		return memcmp(at, zero, 8) == 0;
	case DOCUMENT_HASH:
		return memcmp(at, zero, 16) == 0;
	case DOCUMENT_COORDINATE:
		return memcmp(at, zero, 24) == 0;
	case DOCUMENT_TEXTS:
	case DOCUMENT_OBJECTS:
		return member_count(row, from) == 0;
	case DOCUMENT_OBJECT:
		break;
	}
	return false;
}

static void time_write(struct json *json, int64_t ns)
{
	char text[CIVIL_TEXT];

	json_str(json, civil_format(ns, 0, 9, text));
}

static void value_write(struct json *json, const struct document_row *row, const void *from)
{
	const void *at = member(row, from);
	char text[COORDINATE_TEXT];

	switch (row->kind) {
	case DOCUMENT_TIME:
		time_write(json, *(const int64_t *)at);
		break;
	case DOCUMENT_I32:
		json_i64(json, *(const int32_t *)at);
		break;
	case DOCUMENT_I64:
		json_i64(json, *(const int64_t *)at);
		break;
	case DOCUMENT_U32:
		json_u64(json, *(const uint32_t *)at);
		break;
	case DOCUMENT_U64:
		json_u64(
		    json, *(const uint64_t *)at > INT64_MAX ? INT64_MAX : *(const uint64_t *)at);
		break;
	case DOCUMENT_HASH:
		json_str(json, hash128_format(*(const struct hash128 *)at, text));
		break;
	case DOCUMENT_COORDINATE:
		json_str(json, coordinate_format(*(const struct coordinate *)at, text));
		break;
	case DOCUMENT_NAME:
		json_str(json, row->name(*(const unsigned *)at));
		break;
	case DOCUMENT_TEXTS:
		texts_write(json, member_elements(row, from), member_count(row, from));
		break;
	case DOCUMENT_OBJECT:
		rows_write(json, row->rows, at);
		break;
	case DOCUMENT_OBJECTS:
		objects_write(json, row, from);
		break;
	case DOCUMENT_TEXT: /* text_write: the key depends on the text */
		break;
	}
}

static void members_write(struct json *json, const struct document_row *rows, const void *from)
{
	for (const struct document_row *row = rows; row->key != NULL; row++) {
		if (!row->required && is_empty(row, from))
			continue;
		if (row->kind == DOCUMENT_TEXT) {
			text_write(json, row->key, *(const struct str *)member(row, from));
			continue;
		}
		json_name(json, row->key);
		value_write(json, row, from);
	}
}

static void rows_write(struct json *json, const struct document_row *rows, const void *from)
{
	json_open(json, '{');
	members_write(json, rows, from);
	json_close(json, '}');
}

void document_write(struct buf *out, struct str schema, const struct document_row *rows,
    const void *from)
{
	struct json json = json_begin(out);

	json_open(&json, '{');
	json_pair(&json, "schema", schema);
	members_write(&json, rows, from);
	json_close(&json, '}');
}

/* Reading. The key at fault is kept for the message. */

struct reading {
	struct arena *arena;
	const char *fault;
};

static bool rows_read(struct reading *reading, const struct document_row *rows,
    const json_t *object, void *to);

static struct str json_text(const json_t *value)
{
	return (struct str){json_string_value(value), json_string_length(value)};
}

static bool text_read(struct reading *reading, const json_t *value, struct str *ret)
{
	if (!json_is_string(value))
		return false;
	*ret = arena_dup(reading->arena, json_text(value));
	return ret->ptr != NULL;
}

static bool bytes_read(struct reading *reading, const json_t *value, struct str *ret)
{
	return json_is_string(value) && base64_read(reading->arena, json_text(value), ret);
}

static bool number_of(struct str text, int least, int most, int *ret)
{
	uint64_t value;

	if (!str_to_u64(text, &value) || value < (uint64_t)least || value > (uint64_t)most)
		return false;
	*ret = (int)value;
	return true;
}

/* The one form that is written: "2026-11-22T06:27:00.123456789Z". */
static bool time_parse(struct str text, int64_t *ret)
{
	struct civil c;

	if (text.len != 30 || text.ptr[4] != '-' || text.ptr[7] != '-' || text.ptr[10] != 'T' ||
	    text.ptr[13] != ':' || text.ptr[16] != ':' || text.ptr[19] != '.' ||
	    text.ptr[29] != 'Z')
		return false;
	if (!number_of(str_slice(text, 0, 4), 1, 9999, &c.year) ||
	    !number_of(str_slice(text, 5, 7), 1, 12, &c.month) ||
	    !number_of(str_slice(text, 8, 10), 1, 31, &c.day) ||
	    !number_of(str_slice(text, 11, 13), 0, 23, &c.hour) ||
	    !number_of(str_slice(text, 14, 16), 0, 59, &c.minute) ||
	    !number_of(str_slice(text, 17, 19), 0, 59, &c.second) ||
	    !number_of(str_slice(text, 20, 29), 0, 999999999, &c.ns) || !civil_is_valid(&c))
		return false;
	*ret = civil_to_ns(&c, 0);
	return true;
}

static bool integer_read(const json_t *value, int64_t least, int64_t most, int64_t *ret)
{
	if (!json_is_integer(value))
		return false;
	*ret = json_integer_value(value);
	return *ret >= least && *ret <= most;
}

static bool small_read(const json_t *value, int64_t least, int64_t most, void *to)
{
	int64_t wide;

	if (!integer_read(value, least, most, &wide))
		return false;
	uint32_t narrow = (uint32_t)wide;

	memcpy(to, &narrow, sizeof(narrow));
	return true;
}

static bool name_read(const struct document_row *row, const json_t *value, unsigned *ret)
{
	if (!json_is_string(value))
		return false;
	for (unsigned i = 0; row->name(i).len > 0; i++) {
		if (str_eq(row->name(i), json_text(value))) {
			*ret = i;
			return true;
		}
	}
	return false;
}

static bool element_text_read(struct reading *reading, const json_t *value, struct str *ret)
{
	if (json_is_object(value))
		return bytes_read(reading, json_object_get(value, "base64"), ret);
	return text_read(reading, value, ret);
}

static bool array_read(struct reading *reading, const struct document_row *row,
    const json_t *value, void *to)
{
	size_t count = json_array_size(value);
	size_t size = row->kind == DOCUMENT_TEXTS ? sizeof(struct str) : row->size;

	if (!json_is_array(value))
		return false;
	if (count == 0)
		return true;
	char *elements = arena_array(reading->arena, count, size);

	if (elements == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		const json_t *element = json_array_get(value, i);
		void *at = elements + i * size;

		if (row->kind == DOCUMENT_TEXTS ? !element_text_read(reading, element, at)
						: !rows_read(reading, row->rows, element, at))
			return false;
	}
	memcpy((char *)to + row->offset, &elements, sizeof(elements));
	memcpy((char *)to + row->count, &count, sizeof(count));
	return true;
}

static bool value_read(struct reading *reading, const struct document_row *row,
    const json_t *value, void *to)
{
	void *at = (char *)to + row->offset;

	switch (row->kind) {
	case DOCUMENT_TEXT:
		return text_read(reading, value, at);
	case DOCUMENT_TIME:
		return json_is_string(value) && time_parse(json_text(value), at);
	case DOCUMENT_I32:
		return small_read(value, INT32_MIN, INT32_MAX, at);
	case DOCUMENT_U32:
		return small_read(value, 0, UINT32_MAX, at);
	case DOCUMENT_I64:
		return integer_read(value, INT64_MIN, INT64_MAX, at);
	case DOCUMENT_U64:
		return integer_read(value, 0, INT64_MAX, at);
	case DOCUMENT_HASH:
		return json_is_string(value) && hash128_parse(json_text(value), at);
	case DOCUMENT_COORDINATE:
		return json_is_string(value) && coordinate_parse(json_text(value), at);
	case DOCUMENT_NAME:
		return name_read(row, value, at);
	case DOCUMENT_OBJECT:
		return rows_read(reading, row->rows, value, at);
	case DOCUMENT_TEXTS:
	case DOCUMENT_OBJECTS:
		return array_read(reading, row, value, to);
	}
	return false;
}

static bool row_read(struct reading *reading, const struct document_row *row,
    const json_t *object, void *to)
{
	char key[KEY_TEXT];
	const json_t *value = json_object_get(object, row->key);

	if (value != NULL)
		return value_read(reading, row, value, to);
	if (row->kind == DOCUMENT_TEXT) {
		value = json_object_get(object, base64_key(row->key, key).ptr);
		if (value != NULL)
			return bytes_read(reading, value, (struct str *)((char *)to + row->offset));
	}
	return !row->required;
}

static bool rows_read(struct reading *reading, const struct document_row *rows,
    const json_t *object, void *to)
{
	if (!json_is_object(object))
		return false;
	for (const struct document_row *row = rows; row->key != NULL; row++) {
		if (!row_read(reading, row, object, to)) {
			if (reading->fault == NULL)
				reading->fault = row->key;
			return false;
		}
	}
	return true;
}

static int root_read(struct arena *arena, const json_t *root, struct str schema,
    const struct document_row *rows, void *to, struct error *error)
{
	struct reading reading = {.arena = arena};
	const json_t *name = json_object_get(root, "schema");

	if (!json_is_string(name) || !str_eq(json_text(name), schema))
		return error_set(error, ERR_DOCUMENT, TEXT_event_member, "schema");
	if (rows_read(&reading, rows, root, to))
		return 0;
	if (arena_failed(arena))
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	return error_set(error, ERR_DOCUMENT, TEXT_event_member,
	    reading.fault == NULL ? "schema" : reading.fault);
}

int document_read(struct arena *arena, struct str text, struct str schema,
    const struct document_row *rows, void *to, struct error *error)
{
	json_error_t wrong;
	json_t *root = json_loadb(text.len == 0 ? "" : text.ptr, text.len,
	    JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &wrong);

	if (root == NULL && json_error_code(&wrong) == json_error_out_of_memory)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	if (root == NULL)
		return error_set(error, ERR_DOCUMENT, TEXT_event_json, wrong.position);
	int status = root_read(arena, root, schema, rows, to, error);

	json_decref(root);
	return status;
}
