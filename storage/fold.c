#include "storage/fold.h"

#include <stdlib.h>

#include "base/clock.h"
#include "storage/evidence.h"
#include "storage/fold_row.h"
#include "storage/suppress.h"

#define DUE_MAX 8192 /* most that one transaction settles */

struct hash128 fold_entity(const struct batch *batch, const struct alert *alert)
{
	struct buf bytes = BUF(BUS_RECORD_MAX * 2);

	if (alert->suppress_ns > 0)
		return suppress_entity(batch, alert);
	buf_varint(&bytes, alert->rule.id.len);
	buf_str_put(&bytes, alert->rule.id);
	buf_u64(&bytes, alert->rule.hash.high);
	buf_u64(&bytes, alert->rule.hash.low);
	buf_varint(&bytes, alert->replay.len);
	buf_str_put(&bytes, alert->replay);
	for (size_t i = 0; i < alert->group_count; i++) {
		buf_varint(&bytes, alert->groups[i].name.len);
		buf_str_put(&bytes, alert->groups[i].name);
		buf_varint(&bytes, alert->groups[i].value.len);
		buf_str_put(&bytes, alert->groups[i].value);
	}
	struct hash128 entity = hash_sip128(batch->options->site, buf_str(&bytes));

	buf_free(&bytes);
	return entity;
}

int64_t fold_window(const struct batch *batch, const struct alert *alert)
{
	if (alert->suppress_ns > 0)
		return alert->suppress_ns;
	return alert->fold_ns >= 0 ? alert->fold_ns : batch->options->fold_default_ns;
}

static struct place place_of(const struct alert *alert)
{
	return (struct place){alert->time_ns, alert->at};
}

static enum fold_kind kind_of(const struct alert *alert)
{
	return str_eq(alert->rule.kind, STR("rule")) ? FOLD_PLAIN : FOLD_CORRELATION;
}

static int absorb_settled(struct batch *batch, struct hash128 entity, struct fold *fold,
    struct head *head, const struct alert *alert)
{
	struct share share = share_of(alert);
	bool room =
	    head->share.events + evidence_count(batch, alert) <= batch->options->evidence_events;
	int code = 0;

	if (room) {
		code = evidence_want(batch, alert, head->sequence, &share);
	} else {
		share.cut += alert->event_count;
	}
	if (code == 0)
		code = fold_evidence(batch, head, alert->id, place_of(alert), &share);
	share_add(&head->share, &share);
	fold->touched_ns = batch->now_ns;
	return code == 0 ? fold_put(batch, entity, fold) : code;
}

/* The one before it in order, or the first: there are FOLD_PENDING_MAX to choose from. */
static int neighbour(
    struct batch *batch, struct hash128 entity, struct place place, struct place *ret)
{
	char wanted[PEND_KEY];
	struct str key = pend_key(wanted, entity, place), row;
	struct str own = str_from(wanted, 16);
	struct db_cursor *cursor;
	int code = db_cursor_open(batch->txn, TABLE_PEND, &cursor, batch->error);

	if (code != 0)
		return code;
	code = db_cursor_get(cursor, DB_AT_OR_AFTER, &key, &row, batch->error);
	if (code >= 0)
		code = db_cursor_get(
		    cursor, code == DB_FOUND ? DB_PREVIOUS : DB_LAST, &key, &row, batch->error);
	if (code == DB_NOT_FOUND || (code == DB_FOUND && !str_starts(key, own))) {
		key = str_from(wanted, 16);
		code = db_cursor_get(cursor, DB_AT_OR_AFTER, &key, &row, batch->error);
	}
	if (code == DB_FOUND && str_starts(key, own) && key.len == PEND_KEY)
		*ret = pend_place(key.ptr);
	else if (code >= 0)
		code = day_damaged(batch->error);
	db_cursor_close(cursor);
	return code;
}

static int absorb_pending(
    struct batch *batch, struct hash128 entity, const struct alert *alert, uint64_t *ret_sequence)
{
	struct share share = share_of(alert);
	struct place place;
	struct pend pend;
	int code = neighbour(batch, entity, place_of(alert), &place);

	if (code == DB_FOUND)
		code = pend_get(batch, entity, place, &pend);
	if (code != DB_FOUND)
		return code < 0 ? code : day_damaged(batch->error);
	share_add(&pend.share, &share);
	pend.share.cut += alert->event_count + alert->events_cut;
	*ret_sequence = pend.sequence;
	code = pend_put(batch, entity, place, &pend);
	return code;
}

int fold_arrive(struct batch *batch, const struct alert *alert, uint64_t *ret_sequence)
{
	struct hash128 entity;
	struct head *head;
	struct fold fold;
	int code;

	if (fold_window(batch, alert) <= 0)
		return FOLD_ALONE;
	entity = fold_entity(batch, alert);
	code = fold_get(batch, entity, &fold);
	if (code != DB_FOUND)
		return code < 0 ? code : FOLD_STORE;
	head = alert->status == ALERT_EARLY ? NULL : fold_cover(&fold, place_of(alert));
	code = suppress_check(batch, entity, &fold, &head);
	if (code != 0)
		return code;
	if (head != NULL) {
		*ret_sequence = head->sequence;
		code = absorb_settled(batch, entity, &fold, head, alert);
	} else if (fold.pending >= FOLD_PENDING_MAX) {
		code = absorb_pending(batch, entity, alert, ret_sequence);
	} else {
		return FOLD_STORE;
	}
	if (code == 0)
		code = batch_touch(batch, entity);
	fold_count(batch, &fold);
	return code == 0 ? FOLD_DONE : code;
}

static int fold_begin(
    struct batch *batch, const struct alert *alert, struct hash128 entity, struct fold *fold)
{
	int64_t rest;

	fold->window_ns = fold_window(batch, alert);
	fold->kind = kind_of(alert) | (alert->suppress_ns > 0 ? FOLD_SUPPRESSES : 0);
	if (__builtin_add_overflow(batch->now_ns, fold->window_ns, &rest))
		rest = INT64_MAX;
	return due_put(batch, DUE_REST, rest, entity);
}

int fold_pend(struct batch *batch, const struct alert *alert, uint64_t sequence)
{
	struct hash128 entity = fold_entity(batch, alert);
	struct pend pend = {.sequence = sequence,
	    .id = alert->id,
	    .share = share_of(alert),
	    .flags = alert->status == ALERT_EARLY ? PEND_EARLY : 0};
	struct pend before;
	struct fold fold;
	int code = fold_get(batch, entity, &fold);

	if (code == DB_NOT_FOUND)
		code = fold_begin(batch, alert, entity, &fold);
	if (code != 0)
		return code;
	pend.share.events = evidence_count(batch, alert);
	pend.share.cut += alert->event_count - pend.share.events;
	code = pend_get(batch, entity, place_of(alert), &before);
	if (code == DB_FOUND) {
		/* known early: what was counted into it stays */
		if (before.share.folded > 1)
			pend.share = before.share;
		pend.head = before.head;
		pend.flags |= before.flags & PEND_SHOWN;
	} else if (code == DB_NOT_FOUND) {
		fold.pending++;
	}
	fold.touched_ns = batch->now_ns;
	if (code >= 0)
		code = fold_put(batch, entity, &fold);
	if (code == 0)
		code = pend_put(batch, entity, place_of(alert), &pend);
	if (code == 0)
		code = due_put(batch, fold_source(&fold), alert->time_ns, entity);
	return code == 0 ? batch_touch(batch, entity) : code;
}

int fold_withdraw(struct batch *batch, const struct alert *alert)
{
	struct hash128 entity = fold_entity(batch, alert);
	char key[PEND_KEY];
	struct pend pend;
	struct fold fold;
	int code = pend_get(batch, entity, place_of(alert), &pend);

	if (code != DB_FOUND || !hash128_eq(pend.id, alert->id))
		return code < 0 ? code : 0;
	code =
	    db_delete(batch->txn, TABLE_PEND, pend_key(key, entity, place_of(alert)), batch->error);
	if (code == DB_FOUND)
		code = fold_get(batch, entity, &fold);
	if (code != DB_FOUND)
		return code < 0 ? code : 0;
	fold.pending -= fold.pending > 0;
	code = fold_put(batch, entity, &fold);
	return code == 0 ? batch_touch(batch, entity) : code;
}

/* Takes what is due by limit out of the table; the entities are touched. */
static int collect_due(
    struct batch *batch, unsigned kind, int64_t limit, char **ret_keys, size_t *ret_count)
{
	char from[1] = {(char)kind};
	struct str key = str_from(from, 1), row;
	struct db_cursor *cursor;
	int code = db_cursor_open(batch->txn, TABLE_DUE, &cursor, batch->error);

	*ret_count = 0;
	*ret_keys = arena_alloc(batch->arena, (size_t)DUE_MAX * DUE_KEY);
	if (code == 0 && *ret_keys == NULL)
		code = error_set(batch->error, ERR_MEMORY, TEXT_base_memory);
	if (code == 0)
		code = db_cursor_get(cursor, DB_AT_OR_AFTER, &key, &row, batch->error);
	while (code == DB_FOUND && key.len == DUE_KEY && key.ptr[0] == (char)kind &&
	       day_time_of(db_key_get_u64(key.ptr + 1)) <= limit) {
		if (*ret_count == DUE_MAX) {
			batch->more = true;
			break;
		}
		memcpy(*ret_keys + *ret_count * DUE_KEY, key.ptr, DUE_KEY);
		++*ret_count;
		code = db_cursor_get(cursor, DB_NEXT, &key, &row, batch->error);
	}
	db_cursor_close(cursor);
	for (size_t i = 0; code >= 0 && i < *ret_count; i++)
		code = db_delete(batch->txn, TABLE_DUE, str_from(*ret_keys + i * DUE_KEY, DUE_KEY),
		    batch->error);
	return code < 0 ? code : 0;
}

/* Forgets an entity once nothing can fold into it any more, else asks again later. */
static int rest(struct batch *batch, struct hash128 entity)
{
	int64_t quiet, last, again;
	struct fold fold;
	char key[16];
	int code = fold_get(batch, entity, &fold);

	if (code != DB_FOUND)
		return code < 0 ? code : 0;
	if (__builtin_add_overflow(fold.touched_ns, fold.window_ns, &quiet))
		quiet = INT64_MAX;
	last = fold.count > 0 ? fold.heads[fold.count - 1].time_ns : INT64_MIN;
	if (__builtin_add_overflow(last, fold.window_ns, &last))
		last = INT64_MAX;
	if (fold.pending == 0 && quiet <= batch->now_ns &&
	    last <= batch->state.watermark[fold_source(&fold)]) {
		code = db_delete(batch->txn, TABLE_FOLD, day_key(key, entity), batch->error);
		return code < 0 ? code : 0;
	}
	if (__builtin_add_overflow(batch->now_ns, fold.window_ns, &again))
		return 0;
	return due_put(batch, DUE_REST, again + 60 * NS_PER_S, entity);
}

static int compare_entities(const void *a, const void *b)
{
	const struct hash128 *x = a, *y = b;

	if (x->high != y->high)
		return x->high < y->high ? -1 : 1;
	return x->low == y->low ? 0 : x->low < y->low ? -1 : 1;
}

static int divide_touched(struct batch *batch)
{
	int code = 0;

	if (batch->touched_count == 0)
		return 0;
	qsort(batch->touched, batch->touched_count, sizeof(*batch->touched), compare_entities);
	for (size_t i = 0; code == 0 && i < batch->touched_count; i++)
		if (i == 0 || !hash128_eq(batch->touched[i], batch->touched[i - 1]))
			code = fold_divide(batch, batch->touched[i]);
	return code;
}

int fold_finish(struct batch *batch)
{
	size_t count;
	char *keys;
	int code = batch->progress ? fold_watermarks(batch) : 0;

	for (unsigned kind = 0; code == 0 && kind < 2; kind++) {
		code = collect_due(batch, kind, batch->state.watermark[kind], &keys, &count);
		for (size_t i = 0; code == 0 && i < count; i++)
			code = batch_touch(batch, day_key_id(keys + i * DUE_KEY + 9));
	}
	if (code == 0)
		code = divide_touched(batch);
	if (code == 0)
		code = collect_due(batch, DUE_REST, batch->now_ns, &keys, &count);
	for (size_t i = 0; code == 0 && i < count; i++)
		code = rest(batch, day_key_id(keys + i * DUE_KEY + 9));
	return code;
}
