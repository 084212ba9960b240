#include "storage/suppress.h"

#include <string.h>

static void text_put(struct buf *out, struct str text)
{
	buf_varint(out, text.len);
	buf_str_put(out, text);
}

struct hash128 suppress_entity(const struct batch *batch, const struct alert *alert)
{
	struct buf bytes = BUF(BUS_RECORD_MAX * 2);

	/* No rule's id is that long: never the entity of a fold. */
	buf_varint(&bytes, UINT64_MAX);
	text_put(&bytes, alert->rule.id);
	buf_u64(&bytes, alert->rule.hash.high);
	buf_u64(&bytes, alert->rule.hash.low);
	buf_u64(&bytes, (uint64_t)alert->suppress_ns);
	text_put(&bytes, alert->replay);
	for (size_t i = 0; i < alert->suppress_count; i++) {
		text_put(&bytes, alert->suppress[i].name);
		text_put(&bytes, alert->suppress[i].value);
	}
	struct hash128 entity = hash_sip128(batch->options->site, buf_str(&bytes));

	buf_free(&bytes);
	return entity;
}

int suppress_check(
    struct batch *batch, struct hash128 entity, struct fold *fold, struct head **head)
{
	struct mark mark;
	int code;

	if (*head == NULL || (fold->kind & FOLD_SUPPRESSES) == 0)
		return 0;
	code = batch_mark_get(batch, (*head)->sequence, &mark);
	if (code != DB_NOT_FOUND)
		return code < 0 ? code : 0;
	size_t at = (size_t)(*head - fold->heads);

	memmove(*head, *head + 1, ((size_t)fold->count - at - 1) * sizeof(**head));
	fold->count--;
	*head = NULL;
	return fold_put(batch, entity, fold);
}

struct str suppress_sample(struct words *out, struct place place)
{
	return words_put(out, &place, sizeof(place));
}
