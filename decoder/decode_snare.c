/*
 * Snare for Windows: "MSWinEventLog", then fields with a tab (or "#011" where a relay escaped it)
 * between them: criticality, log, counter, time, event id, source, user, SID type, outcome,
 * computer, category, data, text. They come out under the names of the Windows decoder, which
 * follows.
 */
#include "decoder/decoders.h"

#include "decoder/pattern.h"
#include "decoder/scan.h"
#include "decoder/timestamp.h"

static bool take_column(struct str *rest, struct str tab, struct str *ret)
{
	if (rest->len == 0)
		return false;
	if (!scan_until(rest, tab, ret)) {
		*ret = *rest;
		*rest = STR_NONE;
	}
	return true;
}

static enum decode_status decode(struct record *record, struct str text)
{
	static const struct str names[] = {STR_INIT("snare.criticality"), STR_INIT("Channel"),
	    STR_INIT("snare.counter"), STR_INIT("EventTime"), STR_INIT("EventID"),
	    STR_INIT("Provider_Name"), STR_INIT("User"), STR_INIT("snare.sid_type"),
	    STR_INIT("snare.outcome"), STR_INIT("Computer"), STR_INIT("snare.category"),
	    STR_INIT("snare.data"), STR_INIT("Message")};
	struct str rest = text, tab = STR("\t"), value;

	if (!scan_literal(&rest, STR("MSWinEventLog")))
		return DECODE_NO;
	if (scan_literal(&rest, STR("#011")))
		tab = STR("#011");
	else if (!scan_char(&rest, '\t'))
		return DECODE_NO;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (take_column(&rest, tab, &value))
			pattern_put(record, names[i], value);
	}
	const struct field *message = record_find(record, STR("Message"));
	record->message = message != NULL ? message->value : text;
	return DECODE_YES;
}

const struct decoder decode_snare = {
    .name = "snare",
    .stage = DECODER_PAYLOAD,
    .summary = "Windows events of Snare agents (MSWinEventLog, tabs)",
    .decode = decode,
};
