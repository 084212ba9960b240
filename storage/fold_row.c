#include "storage/fold_row.h"

#include "storage/suppress.h"

struct str pend_key(char out[PEND_KEY], struct hash128 entity, struct place place)
{
	day_key(out, entity);
	db_key_u64(out + 16, day_time_key(place.time_ns));
	db_key_u64(out + 24, place.at.collector);
	db_key_u64(out + 32, place.at.epoch);
	db_key_u64(out + 40, place.at.counter);
	return str_from(out, PEND_KEY);
}

struct place pend_place(const char *key)
{
	return (struct place){day_time_of(db_key_get_u64(key + 16)),
	    {db_key_get_u64(key + 24), db_key_get_u64(key + 32), db_key_get_u64(key + 40)}};
}

int pend_compare(struct place a, struct place b)
{
	if (a.time_ns != b.time_ns)
		return a.time_ns < b.time_ns ? -1 : 1;
	return coordinate_compare(a.at, b.at);
}

struct share share_of(const struct alert *alert)
{
	return (struct share){
	    alert->count, 1, alert->first_ns, alert->last_ns, 0, alert->events_cut};
}

void share_add(struct share *share, const struct share *other)
{
	share->count += other->count;
	share->folded += other->folded;
	share->first_ns = other->first_ns < share->first_ns ? other->first_ns : share->first_ns;
	share->last_ns = other->last_ns > share->last_ns ? other->last_ns : share->last_ns;
}

/* Only the heads that there are: nearly always one, and the row an eighth. */
static size_t fold_size(uint64_t heads)
{
	return offsetof(struct fold, heads) + (size_t)heads * sizeof(struct head);
}

int fold_get(struct batch *batch, struct hash128 entity, struct fold *ret)
{
	char key[16];
	struct str row;
	int code = db_get(batch->txn, TABLE_FOLD, day_key(key, entity), &row, batch->error);

	memset(ret, 0, sizeof(*ret));
	if (code != DB_FOUND)
		return code;
	if (row.len < fold_size(0) || row.len > sizeof(*ret) || !words_get(row, ret, row.len) ||
	    ret->count > FOLD_HEADS || row.len != fold_size(ret->count) ||
	    ret->kind > (FOLD_CORRELATION | FOLD_SUPPRESSES))
		return day_damaged(batch->error);
	return DB_FOUND;
}

enum fold_kind fold_source(const struct fold *fold)
{
	return (fold->kind & FOLD_CORRELATION) != 0 ? FOLD_CORRELATION : FOLD_PLAIN;
}

void fold_count(struct batch *batch, const struct fold *fold)
{
	if ((fold->kind & FOLD_SUPPRESSES) != 0)
		batch->stats.suppressed++;
	else
		batch->stats.folded++;
}

int fold_put(struct batch *batch, struct hash128 entity, const struct fold *fold)
{
	struct words words;
	char key[16];

	_Static_assert(sizeof(*fold) <= sizeof(words), "a fold must fit");
	return db_put(batch->txn, TABLE_FOLD, day_key(key, entity),
	    words_put(&words, fold, fold_size(fold->count)), 0, batch->error);
}

int pend_get(struct batch *batch, struct hash128 entity, struct place place, struct pend *ret)
{
	char key[PEND_KEY];
	struct str row;
	int code = db_get(batch->txn, TABLE_PEND, pend_key(key, entity, place), &row, batch->error);

	if (code == DB_FOUND && !words_get(row, ret, sizeof(*ret)))
		return day_damaged(batch->error);
	return code;
}

int pend_put(
    struct batch *batch, struct hash128 entity, struct place place, const struct pend *pend)
{
	struct words words;
	char key[PEND_KEY];

	return db_put(batch->txn, TABLE_PEND, pend_key(key, entity, place),
	    words_put(&words, pend, sizeof(*pend)), 0, batch->error);
}

int due_put(struct batch *batch, unsigned kind, int64_t time_ns, struct hash128 entity)
{
	char key[DUE_KEY];

	key[0] = (char)kind;
	db_key_u64(key + 1, day_time_key(time_ns));
	day_key(key + 9, entity);
	return db_put(batch->txn, TABLE_DUE, str_from(key, DUE_KEY), STR("."), 0, batch->error);
}

/* A window that reaches beyond the end of time is cut there. */
static bool covers(const struct head *head, struct place place, int64_t window_ns)
{
	int64_t end;

	if (__builtin_add_overflow(head->time_ns, window_ns, &end))
		end = INT64_MAX;
	return place.time_ns < end;
}

struct head *fold_cover(struct fold *fold, struct place place)
{
	for (uint64_t i = fold->count; i-- > 0;) {
		struct head *head = &fold->heads[i];

		if (pend_compare((struct place){head->time_ns, head->at}, place) <= 0)
			return covers(head, place, fold->window_ns) ? head : NULL;
	}
	return NULL;
}

int fold_evidence(struct batch *batch, struct head *head, struct hash128 id, struct place place,
    const struct share *share)
{
	bool room = share->events > 0 &&
		    head->share.events + share->events <= batch->options->evidence_events;
	struct words words;
	char key[32];

	head->share.cut += share->cut;
	if (room)
		head->share.events += share->events;
	else
		head->share.cut += share->events;
	if (!room && head->share.folded > FOLD_SAMPLE)
		return 0;
	day_key(key, head->id);
	day_key(key + 16, id);
	return db_put(batch->txn, TABLE_LINK, str_from(key, sizeof(key)),
	    suppress_sample(&words, place), 0, batch->error);
}
