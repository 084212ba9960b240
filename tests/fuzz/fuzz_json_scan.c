/* fuzz: decoder - the JSON scanner beside Jansson and the walk: the same documents and values */
#include "decoder/decoder.h"
#include "decoder/json_fields.h"
#include "decoder/json_scan.h"
#include "decoder/json_unescape.h"

#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define GIVEN 65536 /* more than a record holds */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct given {
	struct str name, value;
	enum field_kind kind;
};

struct list {
	struct given *items;
	size_t count, at;
	bool equal;
};

static void give(void *context, struct str name, enum field_kind kind, struct str value)
{
	struct list *list = context;

	if (list->count < GIVEN)
		list->items[list->count++] = (struct given){name, value, kind};
}

/* By libc, as Jansson does it. */
static double number_of(struct str digits)
{
	char *text = malloc(digits.len + 1);
	double number;

	memcpy(text, digits.ptr, digits.len);
	text[digits.len] = '\0';
	number = strtod(text, NULL);
	free(text);
	return number;
}

static bool same_scalar(const struct given *given, const json_t *value)
{
	double number;

	switch (json_typeof(value)) {
	case JSON_STRING:
		return given->kind == FIELD_STRING &&
		       str_eq(given->value,
			   str_from(json_string_value(value), json_string_length(value)));
	case JSON_INTEGER:
	case JSON_REAL:
		if (given->kind != FIELD_NUMBER)
			return false;
		number = number_of(given->value);
		return fabs(number - json_number_value(value)) <= fabs(number) * 1e-12;
	case JSON_TRUE:
	case JSON_FALSE:
		return given->kind == FIELD_BOOL &&
		       str_eq(given->value, json_is_true(value) ? STR("true") : STR("false"));
	case JSON_NULL:
		return given->kind == FIELD_NULL;
	case JSON_OBJECT:
	case JSON_ARRAY:
		break;
	}
	return false;
}

static void compare(struct list *list, const json_t *value, struct str name);

static void compare_object(struct list *list, json_t *object, struct str outer)
{
	const char *key;
	json_t *value;
	size_t key_len;

	json_object_keylen_foreach(object, key, key_len, value)
	{
		char *joined = malloc(outer.len + key_len + 1);
		size_t at = 0;

		if (outer.ptr != NULL) {
			memcpy(joined, outer.ptr, outer.len);
			joined[outer.len] = '.';
			at = outer.len + 1;
		}
		memcpy(joined + at, key, key_len);
		compare(list, value, str_from(joined, at + key_len));
		free(joined);
	}
}

static void compare(struct list *list, const json_t *value, struct str name)
{
	if (json_is_object(value)) {
		compare_object(list, (json_t *)(uintptr_t)value, name);
	} else if (json_is_array(value)) {
		for (size_t i = 0; i < json_array_size(value); i++)
			compare(list, json_array_get(value, i), name);
	} else {
		if (list->at >= list->count || !str_eq(list->items[list->at].name, name) ||
		    !same_scalar(&list->items[list->at], value))
			list->equal = false;
		list->at++;
	}
}

/* The liberties of json_scan.h, as far as they can be seen from the bytes. */
static bool may_differ(const uint8_t *data, size_t size, enum json_error_code code)
{
	if (code == json_error_invalid_utf8 || code == json_error_duplicate_key ||
	    code == json_error_numeric_overflow || code == json_error_null_character ||
	    code == json_error_null_byte_in_key)
		return true;
	for (size_t i = 0; i < size; i++) {
		if (data[i] < 0x20 || data[i] >= 0x80)
			return true;
		if (i + 2 < size && data[i] == '\\' && data[i + 1] == 'u' &&
		    (data[i + 2] | 0x20) == 'd')
			return true;
		if (i + 1 < size && data[i] == '0' && data[i + 1] >= '0' && data[i + 1] <= '9')
			return true;
	}
	return false;
}

/* What a text shows without its escapes of one letter, of which it has no others. */
static struct str taken_out(char *out, struct str text)
{
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] != '\\') {
			out[len++] = text.ptr[i];
		} else {
			size_t taken = json_unescape_one(
			    out + len, text.ptr + i, text.ptr + text.len, &(size_t){0});

			if (taken != 2)
				abort();
			len++;
			i++;
		}
	}
	return str_from(out, len);
}

/* Where the record tells what was unescaped, each value lies in the text, or there and is shown. */
static void check_unescaped(const struct record *record, struct str text)
{
	struct str told = record->unescaped;

	if (told.len == 0)
		return;
	char *room = malloc(text.len + 4);
	struct str shown = taken_out(room, text);

	for (size_t i = 0; i < record->field_count; i++) {
		struct str value = record->fields[i].value;
		bool views = value.ptr >= text.ptr && value.ptr + value.len <= text.ptr + text.len;

		if (!views && (value.ptr < told.ptr || value.ptr + value.len > told.ptr + told.len ||
			      memmem(shown.ptr, shown.len, value.ptr, value.len) == NULL))
			abort();
	}
	free(room);
}

/* The walk, on either path, accepts what the scanner accepts, and gives what it gives. */
static void compare_walk(struct str text, const struct list *list, bool taken)
{
	static struct arena *arena;
	static struct keybook *book;
	static struct notes notes;
	const struct event event = {.raw = text};
	const enum cpu_level levels[] = {CPU_PORTABLE, cpu_level(), cpu_level_most()};

	if (arena == NULL) {
		arena = arena_new(64u << 20);
		book = keybook_new(NULL);
	}
	for (int way = 0; way < 6; way++) {
		struct record record;

		arena_reset(arena);
		record_begin(&record, &event, arena, GIVEN - 2);
		notes_begin(&notes, way < 3 ? NULL : book);
		if (json_fields_walk(&record, text, DECODER_DEPTH, &notes,
			levels[way % 3]) != taken)
			abort();
		if (!taken)
			continue;
		check_unescaped(&record, text);
		notes_take(&notes, &record);
		if (record.field_count != list->count)
			abort();
		for (size_t i = 0; i < list->count; i++) {
			const struct given *item = &list->items[i];

			if (record.fields[i].kind != item->kind ||
			    record.fields[i].id != field_lookup(item->name) ||
			    !str_eq(record.fields[i].name, item->name) ||
			    !str_eq(record.fields[i].value, item->value))
				abort();
		}
	}
}

static void fuzz_walk(struct str text)
{
	static struct arena *arena;
	static struct given items[GIVEN];
	struct list list = {.items = items, .equal = true};

	if (arena == NULL)
		arena = arena_new(64u << 20);
	arena_reset(arena);
	bool taken = json_scan(text, DECODER_DEPTH, arena, give, &list);
	if (list.count < GIVEN - 2 && !arena_failed(arena))
		compare_walk(text, &list, taken);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena *arena;
	static struct given items[GIVEN];
	struct list list = {.items = items, .equal = true};
	json_error_t error;
	char *copy = malloc(size == 0 ? 1 : size);

	if (arena == NULL)
		arena = arena_new(64u << 20);
	arena_reset(arena);
	if (size > 0)
		memcpy(copy, data, size);
	fuzz_walk(str_from(copy, size));
	bool ours = json_scan(str_from(copy, size), 2000, arena, give, &list);
	json_t *theirs = json_loadb(copy, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	if (json_is_object(theirs)) {
		/* Jansson loses a NUL that it has put back behind a number, and so accepts it */
		bool nul = size > 0 && memchr(data, '\0', size) != NULL;
		if (!ours && !arena_failed(arena) && !nul)
			abort();
		if (ours && list.count < GIVEN) {
			compare(&list, theirs, STR_NONE);
			if (!list.equal || list.at != list.count)
				abort();
		}
	} else if (ours && (theirs != NULL || !may_differ(data, size, json_error_code(&error)))) {
		abort();
	}
	json_decref(theirs);
	free(copy);
	return 0;
}
