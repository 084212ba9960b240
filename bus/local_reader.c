/*
 * local_reader.c - reading the local bus.
 *
 * A poll reads in one LMDB transaction a segment and hands out slices of the map; the transactions
 * stay until the next poll, or until the reader goes to sleep. Segments have no free list to speak
 * of, so that a slow reader costs nobody space. What cannot be read is told as a gap and passed.
 */
#include "bus/local.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"

enum { VIEWS_MAX = 8 };
/* Whoever died between commit and waking has left a record that is found after this at most. */
#define LOOK_NS (50 * NS_PER_MS)

struct local_position {
	uint32_t partition;
	uint64_t offset;
};

struct local_view {
	struct local_segment *segment;
	struct db_txn *txn;
	bool spoiled; /* it met damage: LMDB lets nothing more be read in it */
};

struct local_reader {
	struct bus_reader reader;
	struct local_topic *topic;
	char *group;
	struct local_position *positions;
	size_t count, turn; /* turn: position that the next poll begins with */
	bool assigned;
	struct local_view views[VIEWS_MAX];
	unsigned view_count;
	/* There was nothing at that count of wakings: not looked for again until it changes. */
	bool idle;
	uint32_t idle_seen;
	int64_t idle_until_ns;
};

/* Where records are put. */
struct local_sink {
	struct bus_record *records;
	size_t count, max;
};

static void reader_let_go(struct local_reader *reader)
{
	while (reader->view_count > 0) {
		struct local_view *view = &reader->views[--reader->view_count];

		db_abort(view->txn);
		segment_leave(view->segment);
	}
}

/* *ret NULL: no more views in this poll, or the segment is not (any more) to be read. */
static int reader_view(struct local_reader *reader, struct local_segment *segment,
    struct db_txn **ret, struct error *error)
{
	struct local_view *view;
	struct error why;
	int code;

	*ret = NULL;
	mark_set(reader->topic, segment->sequence);
	for (unsigned i = 0; i < reader->view_count; i++)
		if (reader->views[i].segment == segment && !reader->views[i].spoiled)
			*ret = reader->views[i].txn;
	if (*ret != NULL || reader->view_count == VIEWS_MAX)
		return 0;
	error_clear(&why);
	code = segment_load(reader->topic, segment, &why);
	if (code == ERR_MISSING)
		reader->topic->listed = (struct timespec){0};
	if (code == ERR_MISSING || (code == 0 && segment->state != SEGMENT_GOOD))
		return 0;
	view = &reader->views[reader->view_count];
	if (code == 0)
		code = db_begin(segment->db, false, &view->txn, &why);
	if (code != 0) {
		if (error != NULL && error->code == 0)
			*error = why;
		return code;
	}
	view->segment = segment;
	view->spoiled = false;
	segment->held++;
	reader->view_count++;
	*ret = view->txn;
	return 0;
}

/* What was handed out of it stays until the next poll; the next partition gets a new one. */
static void reader_spoil(struct local_reader *reader, const struct db_txn *txn)
{
	for (unsigned i = 0; i < reader->view_count; i++)
		if (reader->views[i].txn == txn)
			reader->views[i].spoiled = true;
}

/* ---- one segment ---- */

static struct bus_record *sink_next(struct local_sink *sink, const struct local_reader *reader,
    const struct local_position *at)
{
	struct bus_record *record = &sink->records[sink->count++];

	*record = (struct bus_record){.topic = reader->topic->topic, .partition = at->partition,
		.offset = at->offset};
	return record;
}

static void sink_gap(struct local_sink *sink, const struct local_reader *reader,
    struct local_position *at, uint64_t next)
{
	struct bus_record *record = sink_next(sink, reader, at);

	record->kind = BUS_GAP;
	record->next = at->offset = next;
}

static void sink_record(struct local_sink *sink, const struct local_reader *reader,
    struct local_position *at, const struct local_record *stored)
{
	struct bus_record *record = sink_next(sink, reader, at);

	record->kind = BUS_RECORD;
	record->time_ns = stored->time_ns;
	record->key = stored->key;
	record->value = stored->value;
	record->next = ++at->offset;
}

/*
 * Rows from the position on into the sink. A damaged row's key is not to be trusted either: the gap
 * reaches to the next good row, or to the next file, which whoever publishes begins behind it.
 */
static int rows_collect(struct local_reader *reader, struct local_position *at,
    struct db_cursor *cursor, struct local_sink *sink, bool *ret_spoiled, struct error *error)
{
	char first[8] = {0};
	struct str key = str_from(first, sizeof(first)), row;
	enum db_seek seek = DB_AT_OR_AFTER;
	struct local_record record;
	uint64_t offset;
	int code;

	db_key_u64(first, at->offset);
	while (sink->count < sink->max) {
		struct error why;

		error_clear(&why);
		code = db_cursor_get(cursor, seek, &key, &row, &why);
		seek = DB_NEXT;
		*ret_spoiled = code == ERR_CORRUPT && key.len == 0;
		if (code == DB_NOT_FOUND || *ret_spoiled)
			return DB_NOT_FOUND;
		if (code < 0 && code != ERR_CORRUPT) {
			if (error != NULL && error->code == 0)
				*error = why;
			return code;
		}
		offset = key.len == 8 ? db_key_get_u64(key.ptr) : 0;
		if (code == ERR_CORRUPT || key.len != 8 || offset < at->offset
		    || !local_record_parse(row, &record))
			continue;
		if (offset > at->offset) {
			sink_gap(sink, reader, at, offset);
			if (sink->count == sink->max)
				break;
		}
		sink_record(sink, reader, at, &record);
	}
	return 0;
}

static int partition_beyond(struct local_reader *reader, struct local_position *at,
    struct local_segment *segment, struct db_txn *txn, struct local_sink *sink, struct error *error)
{
	struct local_segment *oldest = NULL;
	uint64_t next;
	int code = segment_next(segment, txn, at->partition, &next, NULL);

	if (code == ERR_CORRUPT) {
		reader_spoil(reader, txn);
		return 0;
	}
	if (code == 0 && at->offset > next) {
		/* a position of another bus, or of one restored from an older copy */
		code = topic_oldest(reader->topic, &oldest, error);
		if (code == 0 && oldest != NULL)
			sink_gap(sink, reader, at, oldest->base[at->partition]);
	}
	return code;
}

/*
 * *ret_more: the position stands in another segment now. end: where that begins, if there is one.
 */
static int segment_collect(struct local_reader *reader, struct local_position *at,
    struct local_segment *segment, struct db_txn *txn, uint64_t end, struct local_sink *sink,
    bool *ret_more, struct error *error)
{
	struct db_cursor *cursor;
	size_t before = sink->count;
	bool spoiled = false;
	int code = db_cursor_open(txn, TABLE_PARTITION + at->partition, &cursor, NULL);

	*ret_more = false;
	if (code == 0)
		code = rows_collect(reader, at, cursor, sink, &spoiled, error);
	else if (code == ERR_CORRUPT)
		spoiled = true;
	else
		return error_set(error, code, TEXT_bus_segment, reader->topic->path,
		    (unsigned long long)segment->sequence);
	db_cursor_close(cursor);
	if (spoiled)
		reader_spoil(reader, txn);
	else if (code != DB_NOT_FOUND)
		return code;
	/* nothing more in this file */
	if (end != UINT64_MAX) {
		if (at->offset < end && sink->count < sink->max)
			sink_gap(sink, reader, at, end);
		*ret_more = at->offset >= end;
		return 0;
	}
	if (sink->count == before && sink->count < sink->max)
		return partition_beyond(reader, at, segment, txn, sink, error);
	return 0;
}

/* ---- a poll ---- */

static int position_collect(struct local_reader *reader, struct local_position *at,
    struct local_sink *sink, struct error *error)
{
	struct local_segment *segment;
	struct db_txn *txn;
	bool more = true;
	uint64_t end;
	int code = 0;

	while (code == 0 && more && sink->count < sink->max) {
		code = topic_find(reader->topic, at->partition, at->offset, &segment, &end, error);
		if (code != 0)
			break;
		if (segment == NULL) {
			if (end == UINT64_MAX && at->offset == 0)
				break;
			sink_gap(sink, reader, at, end == UINT64_MAX ? 0 : end);
			continue;
		}
		code = reader_view(reader, segment, &txn, error);
		if (code != 0 || (txn == NULL && segment->state == SEGMENT_GOOD))
			break;
		if (txn != NULL)
			code = segment_collect(reader, at, segment, txn, end, sink, &more, error);
	}
	return code;
}

/* Each partition first gets its share, then what the others left. */
static int reader_collect(struct local_reader *reader, struct bus_record *ret, size_t max,
    struct error *error)
{
	size_t share = reader->count == 0 ? 0 : (max + reader->count - 1) / reader->count;
	struct local_sink sink = {.records = ret};
	int code = 0;

	for (unsigned round = 0; round < 2; round++) {
		for (size_t i = 0; i < reader->count && sink.count < max && code == 0; i++) {
			struct local_position *at =
			    &reader->positions[(reader->turn + i) % reader->count];

			sink.max = round == 0 && sink.count + share < max
			    ? sink.count + share : max;
			code = position_collect(reader, at, &sink, error);
		}
		if (sink.count == 0)
			break;
	}
	if (reader->count > 0)
		reader->turn = (reader->turn + 1) % reader->count;
	/* what was read before a failure is handed out; the failure is met again */
	return sink.count > 0 ? (int)sink.count : code;
}

static int reader_assign(struct local_reader *reader, struct error *error)
{
	const struct bus_assignment *assignment = &reader->reader.assignment;
	struct local_topic *topic = reader->topic;
	struct local_segment *oldest = NULL;

	for (size_t i = 0; i < reader->count; i++) {
		struct local_position *at = &reader->positions[i];
		int code = 0;

		at->offset = UINT64_MAX;
		if (assignment->on_assign != NULL)
			code = assignment->on_assign(assignment->context, topic->topic,
			    at->partition, &at->offset);
		if (code == 0 && at->offset == UINT64_MAX)
			code = group_get(topic, reader->group, at->partition, &at->offset, error);
		if (code == 0 && at->offset == UINT64_MAX)
			code = topic_oldest(topic, &oldest, error);
		if (code < 0)
			return code;
		if (at->offset == UINT64_MAX)
			at->offset = oldest == NULL ? 0 : oldest->base[at->partition];
	}
	reader->assigned = true;
	return 0;
}

static int reader_ready(struct local_reader *reader, struct error *error)
{
	int code = topic_refresh(reader->topic, error);

	return code != 0 || reader->assigned ? code : reader_assign(reader, error);
}

/* Looking costs a transaction and several pages for each partition; the count costs nothing. */
static bool reader_is_idle(const struct local_reader *reader, uint32_t seen)
{
	return reader->idle && reader->idle_seen == seen &&
	    clock_monotonic_ns() < reader->idle_until_ns;
}

static void reader_found(struct local_reader *reader, uint32_t seen, int count)
{
	reader->idle = count == 0;
	reader->idle_seen = seen;
	if (reader->idle)
		reader->idle_until_ns = clock_monotonic_ns() + LOOK_NS;
}

int local_poll(struct bus_reader *base, struct bus_record *ret, size_t max, int64_t timeout_ns,
    struct error *error)
{
	struct local_reader *reader = (struct local_reader *)base;
	int64_t left = timeout_ns, deadline = 0, wait_ns;
	uint32_t seen;
	int code;

	max = max < INT32_MAX ? max : INT32_MAX;
	for (;;) {
		reader_let_go(reader);
		seen = topic_wake_count(reader->topic);
		code = 0;
		wait_ns = LOOK_NS;
		if (!reader_is_idle(reader, seen)) {
			wait_ns = INT64_MAX;
			code = reader_ready(reader, error);
			if (code == 0)
				code = reader_collect(reader, ret, max, error);
			mark_set(reader->topic, 0);
			reader_found(reader, seen, code);
		}
		if (code != 0 || left <= 0)
			return code;
		if (deadline == 0)
			deadline = clock_monotonic_ns() + timeout_ns;
		reader_let_go(reader);
		topic_wait(reader->topic, seen, left < wait_ns ? left : wait_ns);
		left = deadline - clock_monotonic_ns();
	}
}

/* ---- life ---- */

static void reader_free(struct local_reader *reader)
{
	free(reader->group);
	free(reader->positions);
	free(reader);
}

int local_reader_open(struct bus_reader **ret, struct bus *bus,
    const struct bus_reader_options *options, struct error *error)
{
	struct local_reader *reader = calloc(1, sizeof(*reader));

	if (reader == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	reader->topic = ((struct local_bus *)bus)->topics[options->topic];
	reader->count = options->partitions != NULL ? options->partition_count
	    : bus->partitions[options->topic];
	reader->group = strdup(options->group);
	reader->positions = calloc(reader->count + 1, sizeof(*reader->positions));
	if (reader->group == NULL || reader->positions == NULL) {
		reader_free(reader);
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	}
	for (size_t i = 0; i < reader->count; i++)
		reader->positions[i].partition =
		    options->partitions != NULL ? options->partitions[i] : (uint32_t)i;
	*ret = &reader->reader;
	return 0;
}

void local_reader_close(struct bus_reader *base)
{
	struct local_reader *reader = (struct local_reader *)base;
	const struct bus_assignment *assignment = &base->assignment;

	reader_let_go(reader);
	for (size_t i = 0; reader->assigned && assignment->on_revoke != NULL
	    && i < reader->count; i++)
		assignment->on_revoke(assignment->context, base->topic,
		    reader->positions[i].partition, false);
	reader_free(reader);
}

int local_seek(struct bus_reader *base, uint32_t partition, uint64_t offset, struct error *error)
{
	struct local_reader *reader = (struct local_reader *)base;
	int code = reader->assigned ? 0 : reader_ready(reader, error);

	mark_set(reader->topic, 0);
	if (code < 0)
		return code;
	reader->idle = false;
	for (size_t i = 0; i < reader->count; i++) {
		if (reader->positions[i].partition == partition) {
			reader->positions[i].offset = offset;
			return 0;
		}
	}
	return error_set(error, ERR_USAGE, TEXT_bus_not_assigned, partition);
}

int local_commit(struct bus_reader *base, uint32_t partition, uint64_t next, struct error *error)
{
	struct local_reader *reader = (struct local_reader *)base;

	return group_put(reader->topic, reader->group, partition, next, error);
}
