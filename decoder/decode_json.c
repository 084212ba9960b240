/*
 * JSON objects, plain and behind "@cee:" (rsyslog's and syslog-ng's mark), of a line or of a
 * message. Their own time counts when no header told one.
 */
#include "decoder/decoders.h"

#include "decoder/alias.h"
#include "decoder/json_fields.h"
#include "decoder/scan.h"

/* Of the names that tell it the best, and of fields of one name the first. */
static void take_message(struct record *record, const struct notes *notes, size_t first)
{
	unsigned best = UINT8_MAX;

	for (size_t i = 0; (notes->flags & KEY_MESSAGE) != 0 && i < notes->count; i++) {
		const struct note *note = &notes->notes[i];

		if ((note->key.flags & KEY_MESSAGE) == 0 || note->field < first ||
		    note->key.rank >= best)
			continue;
		best = note->key.rank;
		record->message = record->fields[note->field].value;
	}
}

static enum decode_status decode(struct record *record, struct str text, struct notes *notes)
{
	size_t first = record->field_count;

	scan_literal(&text, STR("\xEF\xBB\xBF"));
	if (scan_literal(&text, STR("@cee:")))
		scan_spaces(&text);
	if (scan_peek(text, 0) != '{' ||
	    !json_fields(record, text, DECODER_DEPTH, notes))
		return DECODE_NO;
	notes_take(notes, record);
	record->message = text;
	take_message(record, notes, first);
	alias_time_behind(record, notes, first);
	alias_apply(record, notes, first);
	return DECODE_YES;
}

const struct decoder decode_json = {
    .name = "json",
    .stage = DECODER_PAYLOAD,
    .summary =
	"JSON objects, also behind @cee:; nested keys joined with dots, arrays as repeated fields",
    .decode_noted = decode,
};
