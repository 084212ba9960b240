#include "storage/evidence.h"

#include <stdlib.h>

#include "base/clock.h"
#include "event/frame.h"
#include "storage/words.h"

#define JSON_MAX  (1u << 20)
#define FETCH_MAX 1024
#define BYTES_MAX (16u << 20) /* of what is kept in one transaction */

struct want {
	struct hash128 id;
	uint64_t sequence, number; /* whose mark counts it; which event of the alert */
	int64_t time_ns;
	struct coordinate at;
	uint64_t partition, offset, index;
};

struct fetched {
	uint64_t key;
	struct want want;
	struct str row; /* ptr NULL: lost */
};

struct evidence {
	const struct store_options *options;
	struct arena *arena; /* life of one fetch */
	struct buf record, frame, json, row;
	uint64_t partition, offset; /* of record */
	bool loaded;
	uint64_t waiting;
	struct fetched fetched[FETCH_MAX];
	size_t count;
};

struct evidence *evidence_new(const struct store_options *options)
{
	struct evidence *evidence = calloc(1, sizeof(*evidence));

	if (evidence == NULL)
		return NULL;
	evidence->options = options;
	evidence->arena = arena_new(2 * BYTES_MAX);
	evidence->record = BUF(FRAME_MAX);
	evidence->frame = BUF(FRAME_MAX);
	evidence->json = BUF(JSON_MAX);
	evidence->row = BUF(FRAME_MAX + JSON_MAX + 64);
	if (evidence->arena == NULL) {
		free(evidence);
		return NULL;
	}
	return evidence;
}

void evidence_free(struct evidence *evidence)
{
	if (evidence == NULL)
		return;
	arena_free(evidence->arena);
	buf_free(&evidence->record);
	buf_free(&evidence->frame);
	buf_free(&evidence->json);
	buf_free(&evidence->row);
	free(evidence);
}

uint64_t evidence_waiting(const struct evidence *evidence)
{
	return evidence->waiting;
}

uint64_t evidence_count(const struct batch *batch, const struct alert *alert)
{
	return alert->event_count < batch->options->evidence_events
		   ? alert->event_count
		   : batch->options->evidence_events;
}

int evidence_want(
    struct batch *batch, const struct alert *alert, uint64_t sequence, struct share *share)
{
	uint64_t count = evidence_count(batch, alert);
	struct words words;
	char key[8];
	int code = 0;

	for (uint64_t i = 0; code == 0 && i < count; i++) {
		const struct alert_event *event = &alert->events[i];
		struct want want = {alert->id, sequence, i, event->time_ns, event->at,
		    event->position.partition, event->position.offset, event->position.index};

		code =
		    db_put(batch->txn, TABLE_WANT, day_key_sequence(key, batch->state.next_want++),
			words_put(&words, &want, sizeof(want)), 0, batch->error);
	}
	share->events += count;
	share->cut += alert->event_count - count;
	return code;
}

/* Takes the wants of an alert out of the table. How many wait is small, and this is rare. */
static int wants_drop(struct batch *batch, struct hash128 id)
{
	struct str key = STR_NONE, row;
	enum db_seek seek = DB_FIRST;
	struct db_cursor *cursor;
	char own[8] = {0};
	struct want want;
	int code;

	do {
		code = db_cursor_open(batch->txn, TABLE_WANT, &cursor, batch->error);
		if (code != 0)
			return code;
		code = db_cursor_get(cursor, seek, &key, &row, batch->error);
		while (code == DB_FOUND) {
			if (key.len != sizeof(own) || !words_get(row, &want, sizeof(want)))
				code = day_damaged(batch->error);
			else if (hash128_eq(want.id, id))
				break;
			else
				code = db_cursor_get(cursor, DB_NEXT, &key, &row, batch->error);
		}
		if (code == DB_FOUND)
			memcpy(own, key.ptr, sizeof(own));
		db_cursor_close(cursor);
		key = str_from(own, sizeof(own));
		seek = DB_AT_OR_AFTER;
		if (code == DB_FOUND)
			code = db_delete(batch->txn, TABLE_WANT, key, batch->error);
	} while (code == DB_FOUND);
	return code < 0 ? code : 0;
}

int evidence_forget(struct batch *batch, const struct alert *alert)
{
	char key[20];
	int code = wants_drop(batch, alert->id);

	day_key(key, alert->id);
	for (uint32_t i = 0; code >= 0 && i < evidence_count(batch, alert); i++) {
		db_key_u32(key + 16, i);
		code = db_delete(
		    batch->txn, TABLE_EVIDENCE, str_from(key, sizeof(key)), batch->error);
	}
	return code < 0 ? code : 0;
}

static int wants_read(struct evidence *evidence, struct db *db, struct error *error)
{
	struct db_txn *txn;
	struct db_cursor *cursor = NULL;
	struct str key, row;
	int code = db_begin(db, false, &txn, error);

	evidence->count = 0;
	if (code != 0)
		return code;
	evidence->waiting = db_count(txn, TABLE_WANT);
	code = db_cursor_open(txn, TABLE_WANT, &cursor, error);
	while (code == 0 && evidence->count < FETCH_MAX) {
		struct fetched *next = &evidence->fetched[evidence->count];

		code = db_cursor_get(cursor, DB_NEXT, &key, &row, error);
		if (code != DB_FOUND)
			break;
		if (key.len != 8 || !words_get(row, &next->want, sizeof(next->want)))
			code = day_damaged(error);
		else
			next->key = db_key_get_u64(key.ptr);
		evidence->count += code == 0;
	}
	db_cursor_close(cursor);
	db_abort(txn);
	return code < 0 ? code : 0;
}

static int fetched_compare(const void *left, const void *right)
{
	const struct want *a = &((const struct fetched *)left)->want;
	const struct want *b = &((const struct fetched *)right)->want;

	if (a->partition != b->partition)
		return a->partition < b->partition ? -1 : 1;
	if (a->offset != b->offset)
		return a->offset < b->offset ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

static void fetched_reverse(struct fetched *from, size_t count)
{
	for (size_t i = 0; i < count / 2; i++) {
		struct fetched kept = from[i];

		from[i] = from[count - 1 - i];
		from[count - 1 - i] = kept;
	}
}

/*
 * In the order of the bus, from where the last fetch ended and round: a record is fetched once for
 * all that want of it, and a bus that reads on is much quicker than one that goes elsewhere.
 */
static void wants_sort(struct evidence *evidence)
{
	struct fetched last = {.want = {.partition = evidence->partition,
		.offset = evidence->offset}};
	size_t before = 0;

	qsort(evidence->fetched, evidence->count, sizeof(*evidence->fetched), fetched_compare);
	while (before < evidence->count && fetched_compare(&evidence->fetched[before], &last) < 0)
		before++;
	fetched_reverse(evidence->fetched, before);
	fetched_reverse(evidence->fetched + before, evidence->count - before);
	fetched_reverse(evidence->fetched, evidence->count);
}

/* The event at the wanted index, whoever wrote the record. False: it is not there. */
static bool event_find(struct evidence *evidence, const struct want *want, struct event *ret)
{
	struct str value = buf_str(&evidence->record);
	struct position position = {(uint32_t)want->partition, want->offset, (uint32_t)want->index};
	struct frame frame;

	switch (frame_read(value, &frame)) {
	case FRAME_OK:
		while (frame_next(&frame, ret))
			if (frame.index == want->index + 1)
				return coordinate_compare(ret->at, want->at) == 0;
		return false;
	case FRAME_NOT_OURS:
		if (frame_read_json(evidence->arena, value, ret) &&
		    coordinate_compare(ret->at, want->at) == 0)
			return true;
		frame_foreign(bus_identity(evidence->options->bus), bus_topic_name(TOPIC_EVENTS),
		    position, want->time_ns, value, ret);
		return coordinate_compare(ret->at, want->at) == 0;
	case FRAME_UNKNOWN:
	case FRAME_DAMAGED:
		break;
	}
	return false;
}

static bool row_make(
    struct evidence *evidence, const struct want *want, const struct event *event, struct str *ret)
{
	const struct store_options *options = evidence->options;
	struct frame_head head = {.type = FRAME_EVENTS,
	    .collector = event->at.collector,
	    .epoch = event->at.epoch,
	    .first = event->at.counter,
	    .previous = FRAME_NO_COUNT,
	    .count = 1,
	    .made_ns = event->received_ns};
	struct words words;

	frame_begin(&evidence->frame);
	frame_add(&evidence->frame, event);
	if (!frame_end(&evidence->frame, &head))
		return false;
	buf_clear(&evidence->json);
	if (options->decode == NULL || !options->decode(options->context, event, &evidence->json) ||
	    evidence->json.failed)
		buf_clear(&evidence->json);
	struct kept kept = {
	    want->time_ns, want->partition, want->offset, want->index, evidence->frame.len};

	buf_clear(&evidence->row);
	buf_str_put(&evidence->row, words_put(&words, &kept, sizeof(kept)));
	buf_str_put(&evidence->row, buf_str(&evidence->frame));
	buf_str_put(&evidence->row, buf_str(&evidence->json));
	*ret = arena_dup(evidence->arena, buf_str(&evidence->row));
	return !evidence->row.failed && ret->ptr != NULL;
}

/* 0, ERR_MISSING, or what the bus says. The record before is kept: neighbours share a frame. */
static int record_load(struct evidence *evidence, const struct want *want)
{
	struct bus *bus = evidence->options->bus;

	if (evidence->loaded && evidence->partition == want->partition &&
	    evidence->offset == want->offset)
		return 0;
	evidence->loaded = false;
	if (want->partition >= bus_partitions(bus, TOPIC_EVENTS))
		return ERR_MISSING;
	int code = bus_fetch(
	    bus, TOPIC_EVENTS, (uint32_t)want->partition, want->offset, &evidence->record, NULL);

	evidence->loaded = code == 0;
	evidence->partition = want->partition;
	evidence->offset = want->offset;
	return code;
}

int evidence_fetch(
    struct evidence *evidence, struct db *db, int64_t budget_ns, struct error *error)
{
	int64_t end_ns = clock_monotonic_ns() + budget_ns;
	size_t done = 0;
	int code;

	arena_reset(evidence->arena);
	code = wants_read(evidence, db, error);
	if (code != 0)
		return code;
	wants_sort(evidence);
	for (; done < evidence->count && arena_used(evidence->arena) < BYTES_MAX &&
	     (done == 0 || clock_monotonic_ns() < end_ns);
	     done++) {
		struct fetched *next = &evidence->fetched[done];
		struct event event;

		next->row = STR_NONE;
		code = record_load(evidence, &next->want);
		if (code != 0 && code != ERR_MISSING && code != ERR_CORRUPT)
			break;
		if (code == 0 && event_find(evidence, &next->want, &event) &&
		    !row_make(evidence, &next->want, &event, &next->row) &&
		    arena_failed(evidence->arena))
			break;
	}
	evidence->count = done;
	return (int)done;
}

static int keep_one(struct batch *batch, const struct fetched *fetched)
{
	char key[20], want_key[8];
	struct str row;
	struct mark mark;
	int code = db_get(
	    batch->txn, TABLE_WANT, day_key_sequence(want_key, fetched->key), &row, batch->error);

	if (code != DB_FOUND)
		return code < 0 ? code : 0;
	day_key(key, fetched->want.id);
	db_key_u32(key + 16, (uint32_t)fetched->want.number);
	if (fetched->row.ptr != NULL)
		code = db_put(batch->txn, TABLE_EVIDENCE, str_from(key, sizeof(key)), fetched->row,
		    0, batch->error);
	if (code == 0)
		code = db_delete(
		    batch->txn, TABLE_WANT, day_key_sequence(want_key, fetched->key), batch->error);
	if (code == 0)
		code = batch_mark_get(batch, fetched->want.sequence, &mark);
	if (code == DB_FOUND) {
		mark.kept += fetched->row.ptr != NULL;
		mark.missing += fetched->row.ptr == NULL;
		code = batch_mark_put(batch, fetched->want.sequence, &mark);
	}
	batch->stats.evidence_kept += fetched->row.ptr != NULL;
	batch->stats.evidence_missing += fetched->row.ptr == NULL;
	return code < 0 ? code : 0;
}

int evidence_keep(struct evidence *evidence, struct batch *batch)
{
	int code = 0;

	for (size_t i = 0; code == 0 && i < evidence->count; i++)
		code = keep_one(batch, &evidence->fetched[i]);
	return code;
}

bool evidence_split(struct str row, struct kept *ret, struct str *ret_frame, struct str *ret_fields)
{
	if (!words_get(str_slice(row, 0, sizeof(*ret)), ret, sizeof(*ret)))
		return false;
	row = str_slice(row, sizeof(*ret), row.len);
	if (!take_bytes(&row, ret->frame_bytes, ret_frame))
		return false;
	*ret_fields = row;
	return true;
}
