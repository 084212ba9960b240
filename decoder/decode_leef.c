/*
 * IBM's Log Event Extended Format: "LEEF:1.0|vendor|product|version|id|k=v<TAB>k=v" and
 * "LEEF:2.0|...|id|delimiter|k^v": the delimiter is one character or its code as "x09" or "0x09".
 * devTime in epoch form is the device's own time and goes before the header's, which a relay may
 * have written; in other forms devTimeFormat, which is free text, would say how to read it.
 */
#include "decoder/decoders.h"

#include "decoder/alias.h"
#include "decoder/scan.h"
#include "decoder/timestamp.h"

/* LEEF 2.0: the delimiter field, when it is one; it may be missing. */
static char take_delimiter(struct str *rest)
{
	struct str at = *rest, text;
	int high, low;

	if (!scan_until(&at, STR("|"), &text) || text.len > 4)
		return '\t';
	*rest = at;
	if (text.len == 1)
		return text.ptr[0];
	if (!scan_literal(&text, STR("0x")))
		scan_literal(&text, STR("x"));
	high = char_hex(scan_peek(text, 0));
	low = char_hex(scan_peek(text, 1));
	if (high < 0)
		return '\t';
	return (char)(text.len == 1 ? high : low < 0 ? '\t' : high * 16 + low);
}

/* Some senders of version 1 write '|' or '^' in place of the tab. */
static char guess_delimiter(struct str rest)
{
	static const char candidates[] = "\t|^";

	for (size_t i = 0; i < 3; i++) {
		if (str_find_char(rest, candidates[i]) != STR_NOT_FOUND)
			return candidates[i];
	}
	return '\t';
}

static void put_pairs(struct record *record, struct str rest, char delimiter)
{
	struct str pair;

	while (str_cut(&rest, delimiter, &pair)) {
		size_t equals = str_find_char(pair, '=');
		struct str name =
		    str_trim(str_slice(pair, 0, equals == STR_NOT_FOUND ? 0 : equals));
		if (name.len > 0)
			record_put_named(record, name, FIELD_STRING,
			    str_trim(str_slice(pair, equals + 1, pair.len)));
	}
}

static enum decode_status decode(struct record *record, struct str text, struct notes *notes)
{
	static const struct str names[] = {STR_INIT("deviceVendor"), STR_INIT("deviceProduct"),
	    STR_INIT("deviceVersion"), STR_INIT("deviceEventClassId")};
	struct str rest = text, version, part;
	struct timestamp stamp;
	size_t first = record->field_count;

	if (!scan_literal(&rest, STR("LEEF:")) || !scan_until(&rest, STR("|"), &version) ||
	    version.len == 0 || version.len > 4)
		return DECODE_NO;
	record_put_named(record, STR("leefVersion"), FIELD_STRING, version);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!scan_until(&rest, STR("|"), &part))
			return DECODE_NO;
		record_put_named(record, names[i], FIELD_STRING, part);
	}
	char delimiter = version.ptr[0] == '2' ? take_delimiter(&rest) : guess_delimiter(rest);
	put_pairs(record, rest, delimiter);
	const struct field *time = record_find(record, STR("devTime"));
	if (time == NULL || !timestamp_parse(time->value, &stamp) ||
	    stamp.form != TIMESTAMP_EPOCH || !timestamp_set(record, &stamp))
		alias_time_behind(record, notes, first);
	alias_apply(record, notes, first);
	record->message = text;
	return DECODE_YES;
}

const struct decoder decode_leef = {
    .name = "leef",
    .stage = DECODER_PAYLOAD,
    .summary = "Log Event Extended Format 1 and 2 (IBM QRadar), any delimiter",
    .decode_noted = decode,
};
