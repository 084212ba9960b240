/*
 * fold_divide.c - who is a head and who folds, of one entity.
 *
 * Cost: all that waits of the entity is read once; only what changed is written.
 */
#include "storage/fold_row.h"

#include <stdlib.h>

#include "base/check.h"
#include "storage/words.h"

struct row {
	struct place place;
	struct pend pend;
	bool gone; /* its place is final: the row goes */
};

struct divide {
	struct batch *batch;
	struct hash128 entity;
	struct fold fold;
	struct row *rows;
	size_t count, capacity;
	struct share
	    extra[FOLD_HEADS]; /* what is shown under a settled head and may still change */
};

static int rows_take(struct divide *divide, struct str key, struct str value)
{
	struct row *row;

	if (divide->count == divide->capacity) {
		size_t capacity = divide->capacity == 0 ? 64 : divide->capacity * 2;
		struct row *grown = realloc(divide->rows, capacity * sizeof(*grown));

		if (grown == NULL)
			return error_set(divide->batch->error, ERR_MEMORY, TEXT_base_memory);
		divide->rows = grown;
		divide->capacity = capacity;
	}
	row = &divide->rows[divide->count];
	row->gone = false;
	if (key.len != PEND_KEY || !words_get(value, &row->pend, sizeof(row->pend)))
		return day_damaged(divide->batch->error);
	row->place = pend_place(key.ptr);
	divide->count++;
	return 0;
}

static int rows_read(struct divide *divide)
{
	char wanted[16];
	struct str own = day_key(wanted, divide->entity), key = own, value;
	struct db_cursor *cursor;
	int code = db_cursor_open(divide->batch->txn, TABLE_PEND, &cursor, divide->batch->error);

	if (code != 0)
		return code;
	code = db_cursor_get(cursor, DB_AT_OR_AFTER, &key, &value, divide->batch->error);
	while (code == DB_FOUND && str_starts(key, own)) {
		code = rows_take(divide, key, value);
		if (code == 0)
			code = db_cursor_get(cursor, DB_NEXT, &key, &value, divide->batch->error);
	}
	db_cursor_close(cursor);
	return code < 0 ? code : 0;
}

/* What a row's mark says from now on. other 0: it stands for itself with that share. */
static int mark_write(struct divide *divide, uint64_t sequence, const struct share *share,
    struct hash128 other, bool was_shown)
{
	struct mark mark, before;
	int code = batch_mark_get(divide->batch, sequence, &mark);

	/* a document that retention has dropped needs none */
	if (code != DB_FOUND || mark.status == ALERT_REPLACED)
		return code < 0 ? code : 0;
	before = mark;
	mark.other = other;
	mark.flags = other.high == 0 && other.low == 0
			 ? 0
			 : MARK_FOLDED | (was_shown ? (uint64_t)MARK_REPLACED : 0);
	mark.count = share->count;
	mark.folded = share->folded;
	mark.first_ns = share->first_ns;
	mark.last_ns = share->last_ns;
	mark.cut = share->cut;
	if (memcmp(&mark, &before, sizeof(mark)) == 0)
		return 0;
	if ((mark.flags & MARK_REPLACED) != 0 && (before.flags & MARK_REPLACED) == 0)
		divide->batch->stats.replaced++;
	return batch_mark_put(divide->batch, sequence, &mark);
}

/*
 * The newest heads stay: what is still to come may fold into them. The oldest one has all it gets.
 */
static int head_insert(struct divide *divide, const struct row *row)
{
	static const struct hash128 none = {0, 0};
	struct fold *fold = &divide->fold;
	struct head head = {
	    row->place.time_ns, row->place.at, row->pend.id, row->pend.sequence, row->pend.share};
	uint64_t at;
	int code = 0;

	if (fold->count == FOLD_HEADS) {
		code =
		    mark_write(divide, fold->heads[0].sequence, &fold->heads[0].share, none, true);
		memmove(fold->heads, fold->heads + 1, (FOLD_HEADS - 1) * sizeof(head));
		fold->count--;
	}
	at = fold->count;
	while (at > 0 &&
	       pend_compare((struct place){fold->heads[at - 1].time_ns, fold->heads[at - 1].at},
		   row->place) > 0)
		at--;
	memmove(&fold->heads[at + 1], &fold->heads[at], (fold->count - at) * sizeof(head));
	fold->heads[at] = head;
	fold->count++;
	return code;
}

static int settle_row(struct divide *divide, struct row *row)
{
	struct batch *batch = divide->batch;
	static const struct hash128 none = {0, 0};
	bool shown = (row->pend.flags & PEND_SHOWN) != 0;
	struct head *head;
	int code;

	row->gone = true;
	if ((row->pend.flags & PEND_EARLY) != 0)
		return mark_write(divide, row->pend.sequence, &row->pend.share, none, shown);
	head = fold_cover(&divide->fold, row->place);
	if (head == NULL) {
		code = head_insert(divide, row);
		return code != 0
			   ? code
			   : mark_write(divide, row->pend.sequence, &row->pend.share, none, shown);
	}
	code = fold_evidence(batch, head, row->pend.id, row->place, &row->pend.share);
	share_add(&head->share, &row->pend.share);
	fold_count(batch, &divide->fold);
	if (code != 0)
		return code;
	return mark_write(divide, row->pend.sequence, &row->pend.share, head->id, shown);
}

static int row_delete(struct divide *divide, const struct row *row)
{
	char key[PEND_KEY];
	int code = db_delete(divide->batch->txn, TABLE_PEND,
	    pend_key(key, divide->entity, row->place), divide->batch->error);

	divide->fold.pending -= divide->fold.pending > 0;
	return code < 0 ? code : 0;
}

/* Everything up to the watermark. Returns how many in *ret. */
static int settle(struct divide *divide, size_t *ret)
{
	int64_t watermark = divide->batch->state.watermark[fold_source(&divide->fold)];
	size_t i = 0;
	int code = 0;

	while (code == 0 && i < divide->count && divide->rows[i].place.time_ns <= watermark) {
		code = settle_row(divide, &divide->rows[i]);
		if (code == 0)
			code = row_delete(divide, &divide->rows[i]);
		i++;
	}
	*ret = i;
	return code;
}

static int row_show(struct divide *divide, struct row *row, const struct share *share,
    uint64_t head, struct hash128 other)
{
	struct pend before = row->pend;
	bool is_head = head == row->pend.sequence;
	int code;

	row->pend.head = head;
	if (is_head)
		row->pend.flags |= PEND_SHOWN;
	if (!is_head && before.head == head)
		return 0;
	code = mark_write(
	    divide, row->pend.sequence, share, other, (row->pend.flags & PEND_SHOWN) != 0);
	if (code == 0 && memcmp(&before, &row->pend, sizeof(before)) != 0)
		code = pend_put(divide->batch, divide->entity, row->place, &row->pend);
	return code;
}

static bool row_covers(const struct divide *divide, const struct row *head, const struct row *row)
{
	int64_t end;

	if (__builtin_add_overflow(head->place.time_ns, divide->fold.window_ns, &end))
		end = INT64_MAX;
	return row->place.time_ns < end;
}

/* rows[from..to) stand under rows[from], which is shown with the sum. */
static int show_group(struct divide *divide, size_t from, size_t to)
{
	static const struct hash128 none = {0, 0};
	struct row *head = &divide->rows[from];
	struct share sum = head->pend.share;
	int code = 0;

	for (size_t i = from + 1; code == 0 && i < to; i++) {
		share_add(&sum, &divide->rows[i].pend.share);
		code = row_show(divide, &divide->rows[i], &divide->rows[i].pend.share,
		    head->pend.sequence, head->pend.id);
	}
	return code == 0 ? row_show(divide, head, &sum, head->pend.sequence, none) : code;
}

/* The rest, as it would settle if nothing else came. */
static int show(struct divide *divide, size_t from)
{
	int code = 0;

	while (code == 0 && from < divide->count) {
		struct row *row = &divide->rows[from];
		struct head *head = fold_cover(&divide->fold, row->place);
		size_t to = from + 1;

		if (head != NULL) {
			struct share *extra = &divide->extra[head - divide->fold.heads];

			extra->count += row->pend.share.count;
			extra->folded += row->pend.share.folded;
			extra->first_ns = row->pend.share.first_ns < extra->first_ns
					      ? row->pend.share.first_ns
					      : extra->first_ns;
			extra->last_ns = row->pend.share.last_ns > extra->last_ns
					     ? row->pend.share.last_ns
					     : extra->last_ns;
			code = row_show(divide, row, &row->pend.share, head->sequence, head->id);
		} else {
			while (to < divide->count && row_covers(divide, row, &divide->rows[to]))
				to++;
			code = show_group(divide, from, to);
		}
		from = to;
	}
	return code;
}

static int show_heads(struct divide *divide)
{
	static const struct hash128 none = {0, 0};
	int code = 0;

	for (uint64_t i = 0; code == 0 && i < divide->fold.count; i++) {
		struct share sum = divide->fold.heads[i].share;

		share_add(&sum, &divide->extra[i]);
		code = mark_write(divide, divide->fold.heads[i].sequence, &sum, none, true);
	}
	return code;
}

int fold_divide(struct batch *batch, struct hash128 entity)
{
	struct divide divide = {.batch = batch, .entity = entity};
	size_t settled;
	int code = fold_get(batch, entity, &divide.fold);

	if (code != DB_FOUND)
		return code < 0 ? code : 0;
	for (size_t i = 0; i < FOLD_HEADS; i++)
		divide.extra[i] = (struct share){.first_ns = INT64_MAX, .last_ns = INT64_MIN};
	code = rows_read(&divide);
	if (code == 0)
		code = settle(&divide, &settled);
	if (code == 0)
		code = show(&divide, settled);
	if (code == 0)
		code = show_heads(&divide);
	if (code == 0 && settled > 0)
		code = fold_put(batch, entity, &divide.fold);
	free(divide.rows);
	return code;
}
