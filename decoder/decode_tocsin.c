/*
 * What Tocsin says about itself: a JSON object that begins with which stage says it. The collector
 * tells of senders that became silent or loud. Such an event has no peer; whatever came through a
 * door has one, so nobody outside can say it in our name.
 */
#include "decoder/decoders.h"

#define BEGINNING "{\"tocsin\":\""

static enum decode_status decode(struct record *record, struct str text, struct notes *notes)
{
	if (record->event->peer.len > 0 ||
	    decode_json.decode_noted(record, text, notes) != DECODE_YES)
		return DECODE_NO;
	struct str stage = str_slice(text, sizeof(BEGINNING) - 1, text.len);

	record->product = STR("tocsin");
	record->service = str_slice(stage, 0, str_find_char(stage, '"'));
	return DECODE_YES;
}

const struct decoder decode_tocsin = {
    .name = "tocsin",
    .stage = DECODER_PAYLOAD,
    .lead = STR_INIT(BEGINNING),
    .summary = "what Tocsin says about itself: senders that became silent, loud, or are back",
    .decode_noted = decode,
};
