/* Accepts everything: an event that nobody understands is kept, and keyword rules find it. */
#include "decoder/decoders.h"

static enum decode_status decode(struct record *record, struct str text)
{
	record->message = text;
	return DECODE_YES;
}

const struct decoder decode_plain = {
    .name = "plain",
    .stage = DECODER_APPLICATION,
    .summary = "any text, kept whole as the message",
    .decode = decode,
};
