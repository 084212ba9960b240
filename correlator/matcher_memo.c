#include "correlator/matcher_memo.h"

#include <stdlib.h>

struct memo *memo_new(void)
{
	return calloc(1, sizeof(struct memo));
}

void memo_free(struct memo *memo)
{
	if (memo == NULL)
		return;
	for (size_t i = 0; i < MEMO_PLACES; i++)
		free(memo->places[i].value);
	free(memo);
}

void memo_keep(struct memo *memo, struct str text, uint64_t hash,
    const struct memo_findings *findings)
{
	struct memo_place *place = memo_place(memo, hash);
	struct memo_value *value;

	if (text.len > MEMO_TEXT || findings->count > MEMO_FOUND)
		return;
	value = malloc(sizeof(*value) + text.len);
	if (value == NULL)
		return;
	value->findings = *findings;
	value->len = (uint32_t)text.len;
	memcpy(value->text, text.ptr, text.len);
	if (place->value != NULL)
		memo->bytes -= sizeof(*value) + place->value->len;
	memo->bytes += sizeof(*value) + text.len;
	free(place->value);
	place->value = value;
	place->tag = (uint32_t)(hash >> 32);
}
