#include "storage/store_alert.h"

#include "base/clock.h"
#include "event/detection.h"
#include "storage/evidence.h"
#include "storage/fold.h"
#include "storage/index.h"
#include "storage/words.h"

#define GONE_NS (3600 * NS_PER_S)

struct intake {
	struct batch *batch;
	struct hash_key key;
	const struct alert *alert;
	struct str json;
};

static void know_time(struct day_state *state, int64_t time_ns)
{
	state->known_min = time_ns < state->known_min ? time_ns : state->known_min;
	state->known_max = time_ns > state->known_max ? time_ns : state->known_max;
}

static int known_put(struct batch *batch, const struct alert *alert, uint64_t sequence)
{
	struct words words;
	char key[16];

	know_time(&batch->state, alert->time_ns);
	return db_put(batch->txn, TABLE_UID, day_key(key, alert->id),
	    words_put(&words, &sequence, 8), 0, batch->error);
}

static int gone_get(struct batch *batch, const struct alert *early, struct hash128 *ret)
{
	char key[16];
	struct str row;
	int code = db_get(batch->txn, TABLE_GONE, day_key(key, early->id), &row, batch->error);

	if (code == DB_NOT_FOUND)
		return history_gone(batch->history, early->id, early->time_ns, ret, batch->error);
	if (code == DB_FOUND && !words_get(row, ret, sizeof(*ret)))
		return day_damaged(batch->error);
	return code;
}

/* The early one, when it comes, lies within the window before or behind the settled one. */
static int gone_put(struct batch *batch, struct hash128 early, const struct alert *by)
{
	int64_t window = by->window_ns > GONE_NS ? by->window_ns : GONE_NS, time_ns;
	struct words words;
	char key[16];

	if (!__builtin_sub_overflow(by->time_ns, window, &time_ns))
		know_time(&batch->state, time_ns);
	if (!__builtin_add_overflow(by->time_ns, window, &time_ns))
		know_time(&batch->state, time_ns);
	return db_put(batch->txn, TABLE_GONE, day_key(key, early),
	    words_put(&words, &by->id, sizeof(by->id)), 0, batch->error);
}

/* The document, its index and its mark, under the next sequence number. */
static int document_put(struct intake *intake, const struct mark *mark, uint64_t *ret)
{
	struct batch *batch = intake->batch;
	struct day_state *state = &batch->state;
	struct buf row = BUF(4u << 20);
	struct str facets = STR_NONE, json;
	int64_t newest = mark->time_ns < batch->now_ns ? mark->time_ns : batch->now_ns;
	char key[8];
	int code;

	*ret = state->next++;
	index_document(&row, intake->alert, intake->json);
	code = row.failed ? error_set(batch->error, ERR_MEMORY, TEXT_base_memory)
			  : db_put(batch->txn, TABLE_DOC, day_key_sequence(key, *ret),
				buf_str(&row), DB_APPEND, batch->error);
	(void)index_split(buf_str(&row), &facets, &json);
	if (code == 0)
		code =
		    index_put(batch->txn, intake->key, *ret, mark->time_ns, facets, batch->error);
	buf_free(&row);
	if (code == 0)
		code = batch_mark_put(batch, *ret, mark);
	if (code == 0)
		code = known_put(batch, intake->alert, *ret);
	state->alerts++;
	state->min_ns = mark->time_ns < state->min_ns ? mark->time_ns : state->min_ns;
	state->max_ns = mark->time_ns > state->max_ns ? mark->time_ns : state->max_ns;
	state->newest_ns = newest > state->newest_ns ? newest : state->newest_ns;
	batch->stats.alerts++;
	return code;
}

static struct mark mark_of(const struct intake *intake)
{
	const struct alert *alert = intake->alert;
	uint64_t kept = evidence_count(intake->batch, alert);

	return (struct mark){
	    .time_ns = alert->time_ns,
	    .id = alert->id,
	    .status = alert->status,
	    .count = alert->count,
	    .folded = 1,
	    .first_ns = alert->first_ns,
	    .last_ns = alert->last_ns,
	    .replay = alert->replay.len == 0 ? 0 : hash_sip64(intake->key, alert->replay) | 1,
	    .cut = alert->events_cut + alert->event_count - kept,
	};
}

static int arrive_new(struct intake *intake)
{
	struct batch *batch = intake->batch;
	const struct alert *alert = intake->alert;
	struct mark mark = mark_of(intake);
	struct share share = {0};
	uint64_t sequence;
	int fate = FOLD_ALONE, code;

	code = alert->status == ALERT_EARLY ? gone_get(batch, alert, &mark.other) : DB_NOT_FOUND;
	if (code == DB_FOUND) {
		mark.status = ALERT_REPLACED;
		batch->stats.replaced++;
	} else if (code == DB_NOT_FOUND) {
		fate = fold_arrive(batch, alert, &sequence);
	} else {
		return code;
	}
	if (fate < 0)
		return fate;
	if (fate == FOLD_DONE)
		return known_put(batch, alert, sequence);
	code = document_put(intake, &mark, &sequence);
	if (code == 0)
		code = evidence_want(batch, alert, sequence, &share);
	return code == 0 && fate == FOLD_STORE ? fold_pend(batch, alert, sequence) : code;
}

/* The early one that a settled alert stands for: marked, and its share taken away. */
static int replace(struct intake *intake, struct hash128 early)
{
	struct batch *batch = intake->batch;
	uint64_t sequence;
	struct mark mark;
	struct str json;
	struct alert alert;
	int code = batch_known(batch, early, intake->alert->time_ns, &sequence);

	/* the early one lies within the window of the settled one, perhaps in another file */
	if (code == DB_NOT_FOUND)
		code = history_known(batch->history, early, INT64_MIN, &sequence, batch->error);
	if (code == DB_NOT_FOUND)
		return gone_put(batch, early, intake->alert);
	if (code == DB_FOUND)
		code = batch_mark_get(batch, sequence, &mark);
	/* What has settled itself stays: another event completed it first when it was shown early.
	 */
	if (code != DB_FOUND || !hash128_eq(mark.id, early) || mark.status != ALERT_EARLY)
		return code < 0 ? code : 0;
	code = batch_document(batch, sequence, &json);
	if (code < 0)
		return code;
	if (code == DB_FOUND && alert_read(batch->arena, json, &alert, NULL) == 0) {
		code = fold_withdraw(batch, &alert);
		mark.count = alert.count;
		mark.first_ns = alert.first_ns;
		mark.last_ns = alert.last_ns;
	}
	mark.folded = 1;
	mark.status = ALERT_REPLACED;
	mark.flags = 0;
	mark.other = intake->alert->id;
	batch->stats.replaced++;
	return code < 0 ? code : batch_mark_put(batch, sequence, &mark);
}

static bool tells_the_same(const struct alert *a, const struct alert *b)
{
	if (a->count != b->count || a->first_ns != b->first_ns || a->last_ns != b->last_ns ||
	    a->event_count != b->event_count || a->events_cut != b->events_cut)
		return false;
	for (size_t i = 0; i < a->event_count; i++)
		if (coordinate_compare(a->events[i].at, b->events[i].at) != 0)
			return false;
	return true;
}

/* The same facets, for entity and completing event are the same: only the text is another. */
static int document_tell_anew(struct intake *intake, uint64_t sequence)
{
	struct buf row = BUF(4u << 20);
	char key[8];

	index_document(&row, intake->alert, intake->json);
	int code = row.failed ? error_set(intake->batch->error, ERR_MEMORY, TEXT_base_memory)
			      : db_put(intake->batch->txn, TABLE_DOC,
				    day_key_sequence(key, sequence), buf_str(&row), 0,
				    intake->batch->error);

	buf_free(&row);
	return code;
}

/*
 * In order of arrival other events made it than in order of time, though the same one completed it.
 * What settled is told, with its evidence; in a file that is not written any more the figures
 * alone.
 */
static int tell_anew(struct intake *intake, uint64_t sequence, struct mark *mark)
{
	struct batch *batch = intake->batch;
	struct share share = {0};
	struct mark fresh = mark_of(intake);
	struct alert early;
	struct str json;
	int code = batch_document(batch, sequence, &json);

	if (code != DB_FOUND || alert_read(batch->arena, json, &early, NULL) != 0 ||
	    tells_the_same(&early, intake->alert))
		return code < 0 ? code : 0;
	if (mark->folded == 1) {
		mark->count = fresh.count;
		mark->first_ns = fresh.first_ns;
		mark->last_ns = fresh.last_ns;
		mark->cut = fresh.cut;
	}
	if (sequence < batch->state.first)
		return 0;
	mark->kept = mark->missing = 0;
	code = document_tell_anew(intake, sequence);
	if (code == 0)
		code = evidence_forget(batch, &early);
	return code == 0 ? evidence_want(batch, intake->alert, sequence, &share) : code;
}

/*
 * The watermark has confirmed an early one: as nearly always only its mark changes, and it counts
 * from now on; also when another settled alert has stood for it meanwhile.
 */
static int confirm(struct intake *intake, uint64_t sequence, struct mark *mark)
{
	struct batch *batch = intake->batch;
	int code = tell_anew(intake, sequence, mark);

	mark->status = ALERT_SETTLED;
	mark->other = (struct hash128){0};
	batch->stats.settled++;
	if (code == 0)
		code = batch_mark_put(batch, sequence, mark);
	if (code == 0 && fold_window(batch, intake->alert) > 0)
		code = fold_pend(batch, intake->alert, sequence);
	return code;
}

static int arrive(struct intake *intake)
{
	struct batch *batch = intake->batch;
	const struct alert *alert = intake->alert;
	uint64_t sequence;
	struct mark mark;
	int code = batch_known(batch, alert->id, alert->time_ns, &sequence);

	if (code == DB_NOT_FOUND) {
		code = arrive_new(intake);
	} else if (code == DB_FOUND) {
		code = batch_mark_get(batch, sequence, &mark);
		if (code == DB_FOUND && alert->status == ALERT_SETTLED &&
		    mark.status != ALERT_SETTLED && hash128_eq(mark.id, alert->id))
			code = confirm(intake, sequence, &mark);
		else
			batch->stats.repeats++;
	}
	if (code >= 0 && alert->status == ALERT_SETTLED &&
	    (alert->replaces.high | alert->replaces.low) && !hash128_eq(alert->replaces, alert->id))
		code = replace(intake, alert->replaces);
	return code < 0 ? code : 0;
}

static int progress(struct batch *batch, uint32_t partition, struct str value)
{
	struct progress progress[PROGRESS_MAX];
	size_t count;

	if (!progress_read(value, progress, &count)) {
		batch->stats.damaged++;
		return 0;
	}
	return fold_progress(batch, partition, progress, count);
}

int store_record(
    struct batch *batch, struct hash_key index_key, uint32_t partition, struct str value)
{
	struct error refusal;
	struct alert alert;
	int code;

	switch (message_kind(value)) {
	case MESSAGE_PROGRESS:
		return progress(batch, partition, value);
	case MESSAGE_DETECTION:
		batch->stats.unknown++;
		return 0;
	case MESSAGE_DAMAGED:
		batch->stats.damaged++;
		return 0;
	case MESSAGE_UNKNOWN:
		break;
	}
	error_clear(&refusal);
	code = alert_read(batch->arena, value, &alert, &refusal);
	if (code == ERR_MEMORY)
		return error_set(batch->error, code, TEXT_base_memory);
	if (code != 0 || alert.status == ALERT_REPLACED) {
		batch->stats.damaged++;
		return 0;
	}
	struct intake intake = {batch, index_key, &alert, value};

	return arrive(&intake);
}
