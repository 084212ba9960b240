/*
 * JSON objects, plain and behind "@cee:" (rsyslog's and syslog-ng's mark), of a line or of a
 * message. Their own time counts when no header told one.
 */
#include "decoder/decoders.h"

#include "decoder/alias.h"
#include "decoder/json_scan.h"
#include "decoder/scan.h"

static void give(void *context, struct str name, enum field_kind kind, struct str value)
{
	record_put_named(context, name, kind, value);
}

static void take_message(struct record *record, size_t first)
{
	static const struct str names[] = {
	    STR_INIT("message"), STR_INIT("Message"), STR_INIT("msg"), STR_INIT("log")};

	for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
		for (size_t i = first; i < record->field_count; i++) {
			if (str_eq(record->fields[i].name, names[n])) {
				record->message = record->fields[i].value;
				return;
			}
		}
	}
}

static enum decode_status decode(struct record *record, struct str text)
{
	size_t first = record->field_count;

	scan_literal(&text, STR("\xEF\xBB\xBF"));
	if (scan_literal(&text, STR("@cee:")))
		scan_spaces(&text);
	if (scan_peek(text, 0) != '{' ||
	    !json_scan(text, DECODER_DEPTH, record->arena, give, record))
		return DECODE_NO;
	record->message = text;
	take_message(record, first);
	alias_time_behind(record, first);
	alias_apply(record, first);
	return DECODE_YES;
}

const struct decoder decode_json = {
    .name = "json",
    .stage = DECODER_PAYLOAD,
    .summary =
	"JSON objects, also behind @cee:; nested keys joined with dots, arrays as repeated fields",
    .decode = decode,
};
