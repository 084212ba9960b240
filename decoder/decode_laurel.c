/*
 * Linux audit as Laurel writes it: one JSON object an event, {"ID":"TIME:SERIAL","NODE":...,
 * "SYSCALL":{...},"EXECVE":{"ARGV":[...]},"PATH":[{...}]}. The records' fields come out under the
 * names that auditd itself gives them, and each record's type as one value of the field type, so
 * that rules for single records hold for the whole event.
 */
#include "decoder/decoders.h"

#include "decoder/scan.h"
#include "decoder/timestamp.h"

#define NAME_MOST 128 /* arguments that are named a0, a1, ... */

static bool is_type_char(char c)
{
	return (c >= 'A' && c <= 'Z') || char_is_digit(c) || c == '_';
}

/* "1795316645.250:42" */
static bool take_id(struct record *record, const struct field *id)
{
	struct str rest = id->value, time;

	return scan_until(&rest, STR(":"), &time) && scan_all(rest, char_is_digit) &&
	    timestamp_set_text(record, time);
}

static void put_argument(struct record *record, unsigned index, struct str value)
{
	struct str name = index < NAME_MOST ? arena_printf(record->arena, "a%u", index) : STR_NONE;

	if (name.len > 0)
		record_put_named(record, name, FIELD_STRING, value);
}

/* a0 to a3 of SYSCALL are addresses; those of EXECVE are what was typed. */
static bool is_address(struct str type, struct str name)
{
	return str_eq(type, STR("SYSCALL")) && name.len == 2 && name.ptr[0] == 'a' &&
	    char_is_digit(name.ptr[1]);
}

static void put_fields(struct record *record)
{
	size_t count = record->field_count;
	struct str last = STR_NONE;
	unsigned arguments = 0;

	for (size_t i = 0; i < count; i++) {
		struct field field = record->fields[i];
		struct str name = field.name, type;

		if (!scan_until(&name, STR("."), &type) || !scan_all(type, is_type_char))
			continue;
		if (!str_eq(type, last))
			record_put(record, FIELD_TYPE, type);
		last = type;
		if (str_eq(type, STR("EXECVE")) && str_eq(name, STR("ARGV")))
			put_argument(record, arguments++, field.value);
		else if (!is_address(type, name) && name.len > 0)
			record_put_named(record, name, field.kind, field.value);
	}
}

static enum decode_status decode(struct record *record, struct str text)
{
	const struct field *id = record_find(record, STR("ID"));

	if (scan_peek(text, 0) != '{' || record->field_count < 2 || id == NULL ||
	    id > record->fields + 2 || !take_id(record, id))
		return DECODE_NO;
	const struct field *node = record_find(record, STR("NODE"));

	if (node != NULL && node->value.len > 0)
		record_put(record, FIELD_HOST, node->value);
	put_fields(record);
	record->product = STR("linux");
	record->service = STR("auditd");
	return DECODE_YES;
}

const struct decoder decode_laurel = {
    .name = "laurel",
    .stage = DECODER_SOURCE,
    .lead = STR_INIT("{\"ID\":\""),
    .summary = "Linux audit of Laurel (JSON) under auditd's names",
    .decode = decode,
};
