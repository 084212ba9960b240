/*
 * Splunk HEC: {"time":...,"host":...,"source":...,"sourcetype":...,"event":...,"fields":{...}}, and
 * lines of its raw endpoint behind one object of that kind without an event.
 */
#include "decoder/decoders.h"

#include "base/json_cut.h"
#include "decoder/envelope.h"
#include "decoder/scan.h"
#include "decoder/timestamp.h"

/* The event: a member, or what stands behind the line. False: there is none. */
static bool take_event(struct record *record, struct str object, struct str rest)
{
	struct str event = json_cut_get(object, STR("event"));

	if (event.len > 0) {
		record->message = envelope_text(record, event);
		return true;
	}
	if (!scan_char(&rest, '\n'))
		return false;
	record->message = rest;
	return true;
}

static enum decode_status decode(struct record *record, struct str text, struct notes *notes)
{
	static const struct str names[] = {
	    STR_INIT("source"), STR_INIT("sourcetype"), STR_INIT("index")};
	struct str object;

	if (!json_cut(&text, &object) || !take_event(record, object, text))
		return DECODE_NO;
	timestamp_set_text(record, envelope_text(record, json_cut_get(object, STR("time"))));
	envelope_put(record, FIELD_HOST, json_cut_get(object, STR("host")));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		envelope_put_named(record, names[i], json_cut_get(object, names[i]));
	notes_pass(notes, record);
	envelope_put_fields(record, notes, json_cut_get(object, STR("fields")));
	return DECODE_YES;
}

const struct decoder decode_hec = {
    .name = "hec",
    .stage = DECODER_ENVELOPE,
    .summary = "Splunk HEC: time, host, source and fields around an event, which is decoded itself",
    .decode_noted = decode,
};
