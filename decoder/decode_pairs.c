/*
 * key=value behind other text, of programs that have no decoder of their own: "flows src=192.0.2.1
 * dst=192.0.2.9 ...". The message stays whole.
 */
#include "decoder/decoders.h"

#include "decoder/alias.h"
#include "decoder/kv.h"

#define PAIRS_MIN 3 /* fewer happen in sentences */

static enum decode_status decode(struct record *record, struct str text, struct notes *notes)
{
	size_t first = record->field_count;
	size_t begin = kv_begin(text);

	if (begin == STR_NOT_FOUND || kv_put(record, str_slice(text, begin, text.len)) < PAIRS_MIN)
		return DECODE_NO;
	alias_time_behind(record, notes, first);
	alias_apply(record, notes, first);
	return DECODE_YES;
}

const struct decoder decode_pairs = {
    .name = "pairs",
    .stage = DECODER_APPLICATION,
    .summary = "key=value behind other text, of programs without a decoder of their own",
    .decode_noted = decode,
};
