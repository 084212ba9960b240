/*
 * Elasticsearch's _bulk: {"create":{"_index":"x","_id":"1"}} LF document. An update's document is
 * its "doc".
 */
#include "decoder/decoders.h"

#include "base/json_cut.h"
#include "decoder/envelope.h"
#include "decoder/scan.h"

static enum decode_status decode(struct record *record, struct str text, struct notes *notes)
{
	struct str action, verb, named, document;

	if (!json_cut(&text, &action) || !json_cut_member(&action, &verb, &named))
		return DECODE_NO;
	document = str_trim(text);
	if (scan_peek(document, 0) != '{')
		return DECODE_NO;
	envelope_put_named(record, STR("_index"), json_cut_get(named, STR("_index")));
	envelope_put_named(record, STR("_id"), json_cut_get(named, STR("_id")));
	notes_pass(notes, record);
	record->message = document;
	if (str_eq(verb, STR("update"))) {
		struct str part = json_cut_get(document, STR("doc"));

		if (scan_peek(part, 0) == '{')
			record->message = part;
	}
	return DECODE_YES;
}

const struct decoder decode_bulk = {
    .name = "bulk",
    .stage = DECODER_ENVELOPE,
    .summary = "Elasticsearch _bulk: the action that names a document, which is decoded itself",
    .decode_noted = decode,
};
