#include "cli/decoded.h"

#include "base/civil.h"
#include "decoder/decoder.h"

static void value_write(struct json *json, const struct field *field)
{
	double number;

	if (field->kind == FIELD_NULL)
		json_null(json);
	else if (field->kind == FIELD_BOOL ||
	    (field->kind == FIELD_NUMBER && str_to_double(field->value, &number)))
		json_raw(json, field->value);
	else
		json_str(json, field->value);
}

static bool same_name(const struct field *a, const struct field *b)
{
	return a->id == b->id && (a->id != FIELD_OTHER || str_eq(a->name, b->name));
}

static bool seen_before(const struct record *record, size_t index)
{
	for (size_t i = 0; i < index; i++) {
		if (same_name(&record->fields[i], &record->fields[index]))
			return true;
	}
	return false;
}

/* A name that occurs more than once becomes a list, as it came. */
static void field_write(struct json *json, const struct record *record, size_t index)
{
	const struct field *field = &record->fields[index];
	size_t more = 0;

	for (size_t i = index + 1; i < record->field_count; i++)
		more += same_name(field, &record->fields[i]);
	json_key(json, field->name);
	if (more == 0) {
		value_write(json, field);
		return;
	}
	json_open(json, '[');
	for (size_t i = index; i < record->field_count; i++) {
		if (same_name(field, &record->fields[i]))
			value_write(json, &record->fields[i]);
	}
	json_close(json, ']');
}

static void fields_write(struct json *json, const struct record *record)
{
	json_open(json, '{');
	for (size_t i = 0; i < record->field_count; i++) {
		if (!seen_before(record, i))
			field_write(json, record, i);
	}
	json_close(json, '}');
}

static void ecs_write(struct json *json, const struct record *record)
{
	json_key(json, STR("ecs"));
	json_open(json, '{');
	for (size_t i = 0; i < record->field_count; i++) {
		struct str ecs = field_ecs(record->fields[i].id);
		bool repeated = false;

		for (size_t k = 0; k < i && !repeated; k++)
			repeated = str_eq(ecs, field_ecs(record->fields[k].id));
		if (ecs.len > 0 && !repeated) {
			json_key(json, ecs);
			value_write(json, &record->fields[i]);
		}
	}
	json_close(json, '}');
}

void decoded_write(struct json *json, const struct record *record, bool with_ecs)
{
	char time[CIVIL_TEXT];

	json_open(json, '{');
	json_pair(json, "time", civil_format(record->time_ns, 0, 9, time));
	json_pair_bool(json, "time_from_event", (record->flags & RECORD_NO_TIME) == 0);
	json_pair(json, "decoders", record->decoders);
	json_key(json, STR("logsource"));
	json_open(json, '{');
	json_pair(json, "product", record->product);
	json_pair(json, "service", record->service);
	json_key(json, STR("category"));
	json_open(json, '[');
	for (size_t i = 0; i < record->category_count; i++)
		json_str(json, record->categories[i]);
	json_close(json, ']');
	json_close(json, '}');
	json_pair(json, "message", record->message);
	json_key(json, STR("fields"));
	fields_write(json, record);
	if (with_ecs)
		ecs_write(json, record);
	json_close(json, '}');
}

bool decoded_fields(void *context, const struct event *event, struct buf *ret_json)
{
	struct arena *arena = arena_new(8u << 20);
	struct record record;

	(void)context;
	if (arena == NULL)
		return false;
	decoder_run(&record, event, arena);
	struct json json = json_begin(ret_json);

	fields_write(&json, &record);
	arena_free(arena);
	return !ret_json->failed;
}
