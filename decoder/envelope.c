#include "decoder/envelope.h"

#include "base/json_cut.h"
#include "decoder/alias.h"
#include "decoder/decoder.h"
#include "decoder/json_fields.h"
#include "decoder/json_unescape.h"

static struct str unescape(struct record *record, struct str text)
{
	const char *at = text.ptr, *end = text.ptr + text.len;
	char *out = arena_alloc(record->arena, text.len + 4);
	size_t len = 0;

	if (out == NULL)
		return text;
	while (at < end) {
		size_t put = 0, taken = 0;

		if (*at == '\\')
			taken = json_unescape_one(out + len, at, end, &put);
		if (taken == 0) {
			out[len] = *at;
			taken = put = 1;
		}
		at += taken;
		len += put;
	}
	return str_from(out, len);
}

struct str envelope_text(struct record *record, struct str value)
{
	struct str text;

	if (!json_cut_string(value, &text))
		return value;
	return str_find_char(text, '\\') == STR_NOT_FOUND ? text : unescape(record, text);
}

void envelope_put(struct record *record, enum field_id id, struct str value)
{
	struct str text = envelope_text(record, value);

	if (text.len > 0)
		record_put(record, id, text);
}

void envelope_put_named(struct record *record, struct str name, struct str value)
{
	struct str text = envelope_text(record, value);

	if (text.len > 0)
		record_put_named(record, name, FIELD_STRING, text);
}

bool envelope_put_fields(struct record *record, struct notes *notes, struct str object)
{
	size_t first = record->field_count;

	if (object.len == 0 || object.ptr[0] != '{')
		return false;
	notes_pass(notes, record);
	if (!json_fields(record, object, DECODER_DEPTH, notes)) {
		record_shorten(record, first);
		return false;
	}
	notes_take(notes, record);
	alias_apply(record, notes, first);
	return true;
}
