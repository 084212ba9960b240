#include "storage/batch.h"

#include "storage/index.h"
#include "storage/words.h"

static int newest_mark(struct batch *batch, uint64_t sequence, struct mark *ret)
{
	char key[8];
	struct str row;
	int code =
	    db_get(batch->txn, TABLE_MARK, day_key_sequence(key, sequence), &row, batch->error);

	if (code == DB_FOUND && !words_get(row, ret, sizeof(*ret)))
		return day_damaged(batch->error);
	return code;
}

int batch_mark_get(struct batch *batch, uint64_t sequence, struct mark *ret)
{
	int code = newest_mark(batch, sequence, ret);

	if (code != DB_NOT_FOUND || sequence >= batch->state.first)
		return code;
	return history_mark(batch->history, sequence, ret, batch->error);
}

int batch_mark_put(struct batch *batch, uint64_t sequence, const struct mark *mark)
{
	struct words words;
	char key[8];

	return db_put(batch->txn, TABLE_MARK, day_key_sequence(key, sequence),
	    words_put(&words, mark, sizeof(*mark)), 0, batch->error);
}

int batch_document(struct batch *batch, uint64_t sequence, struct str *ret)
{
	struct str row, facets;
	char key[8];
	int code;

	if (sequence < batch->state.first)
		code = history_row(
		    batch->history, sequence, TABLE_DOC, batch->arena, &row, batch->error);
	else
		code = db_get(
		    batch->txn, TABLE_DOC, day_key_sequence(key, sequence), &row, batch->error);
	if (code != DB_FOUND)
		return code;
	if (!index_split(row, &facets, ret))
		return day_damaged(batch->error);
	*ret = arena_dup(batch->arena, *ret);
	return ret->ptr == NULL ? error_set(batch->error, ERR_MEMORY, TEXT_base_memory) : DB_FOUND;
}

int batch_known(struct batch *batch, struct hash128 id, int64_t time_ns, uint64_t *ret)
{
	char key[16];
	struct str row;
	int code = db_get(batch->txn, TABLE_UID, day_key(key, id), &row, batch->error);

	if (code == DB_NOT_FOUND)
		return history_known(batch->history, id, time_ns, ret, batch->error);
	if (code == DB_FOUND && !words_get(row, ret, 8))
		return day_damaged(batch->error);
	return code;
}

int batch_touch(struct batch *batch, struct hash128 entity)
{
	if (batch->touched_count > 0 &&
	    hash128_eq(batch->touched[batch->touched_count - 1], entity))
		return 0;
	if (batch->touched_count == batch->touched_capacity) {
		size_t capacity = batch->touched_capacity == 0 ? 1024 : batch->touched_capacity * 2;
		struct hash128 *grown = arena_array(batch->arena, capacity, sizeof(*grown));

		if (grown == NULL)
			return error_set(batch->error, ERR_MEMORY, TEXT_base_memory);
		if (batch->touched_count > 0)
			memcpy(grown, batch->touched, batch->touched_count * sizeof(*grown));
		batch->touched = grown;
		batch->touched_capacity = capacity;
	}
	batch->touched[batch->touched_count++] = entity;
	return 0;
}
