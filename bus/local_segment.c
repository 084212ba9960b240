/*
 * local_segment.c - one file of a topic's chain.
 *
 * Append-only: rows are put with DB_APPEND under ever-growing offsets and never deleted, so that
 * the free list stays as short as the last transaction's copied leaves. The file is made at its
 * full size: a full disk shows when a segment is begun, not at a commit.
 */
#include "bus/local_segment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "bus/local_record.h"
#include "bus/local_topic.h"

#define SEGMENT_VERSION 1
#define SEGMENT_LEAST   (UINT64_C(4) << 20)
#define SEGMENT_DEFAULT (UINT64_C(256) << 20)
#define PAGE            4096
#define HEAD_FIXED      (LOCAL_IDENTITY + 8 + 8 + 4) /* identity, sequence, birth, partitions */

static const struct str head_key = {"head", 4};

char *segment_path(const struct local_topic *topic, uint64_t sequence)
{
	char *path;

	if (asprintf(&path, "%s/%020llu.mdb", topic->path, (unsigned long long)sequence) < 0)
		return NULL;
	return path;
}

/* Pages that a transaction needs beside the records: copied leaves, the free list. */
static uint64_t segment_margin(const struct local_topic *topic)
{
	return (64 + 4 * (uint64_t)topic->partitions) * PAGE;
}

uint64_t segment_bytes(const struct local_topic *topic)
{
	uint64_t wanted = topic->limits->segment_bytes == 0 ? SEGMENT_DEFAULT
	    : topic->limits->segment_bytes;
	uint64_t least = SEGMENT_LEAST + 2 * segment_margin(topic);

	return (wanted < least ? least : wanted) / PAGE * PAGE;
}

static struct db_options segment_options(const struct local_topic *topic, bool make)
{
	return (struct db_options){
		.format = "tocsin.bus",
		.version = SEGMENT_VERSION,
		.sync = DB_SYNC_FULL,
		.must_exist = !make,
		.preallocate = true,
		.sequential = true,
		.max_bytes = segment_bytes(topic),
		.tables = topic->tables,
		.table_count = topic->partitions + 1,
		.max_readers = 512,
	};
}

int segment_verify(struct local_topic *topic, uint64_t sequence)
{
	struct db_options options = segment_options(topic, false);
	char *path = segment_path(topic, sequence);
	int code = path == NULL ? ERR_MEMORY : db_verify(path, &options, NULL);

	free(path);
	return code;
}

static int segment_open(struct local_topic *topic, struct local_segment *segment, bool make,
    struct error *error)
{
	struct db_options options = segment_options(topic, make);
	char *path = segment_path(topic, segment->sequence);
	int code;

	if (path == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	code = db_open(&segment->db, path, &options, error);
	free(path);
	return code;
}

static bool head_parse(const struct local_topic *topic, struct local_segment *segment,
    struct str row)
{
	if (row.len != HEAD_FIXED + 8 * (size_t)topic->partitions
	    || memcmp(row.ptr, topic->identity, LOCAL_IDENTITY) != 0
	    || get_u64(row.ptr + LOCAL_IDENTITY) != segment->sequence
	    || get_u32(row.ptr + LOCAL_IDENTITY + 16) != topic->partitions)
		return false;
	segment->birth_ns = (int64_t)get_u64(row.ptr + LOCAL_IDENTITY + 8);
	for (uint32_t i = 0; i < topic->partitions; i++)
		segment->base[i] = get_u64(row.ptr + HEAD_FIXED + 8 * i);
	return true;
}

static int head_read(const struct local_topic *topic, struct local_segment *segment,
    struct error *error)
{
	struct db_txn *txn;
	struct str row;
	int code;

	if (segment->base == NULL)
		segment->base = calloc(topic->partitions, sizeof(*segment->base));
	if (segment->base == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	code = db_begin(segment->db, false, &txn, error);
	if (code != 0)
		return code;
	code = db_get(txn, TABLE_HEAD, head_key, &row, error);
	if (code == DB_NOT_FOUND) {
		segment->state = SEGMENT_UNBORN;
		code = 0;
	} else if (code == DB_FOUND) {
		segment->state = head_parse(topic, segment, row) ? SEGMENT_GOOD : SEGMENT_BAD;
	}
	db_abort(txn);
	return code;
}

static int head_write(const struct local_topic *topic, struct local_segment *segment,
    const uint64_t *base, int64_t now_ns, struct error *error)
{
	struct buf row = BUF(HEAD_FIXED + 8 * BUS_PARTITIONS_MAX);
	struct db_txn *txn = NULL;
	int code;

	buf_put(&row, topic->identity, LOCAL_IDENTITY);
	buf_u64(&row, segment->sequence);
	buf_u64(&row, (uint64_t)now_ns);
	buf_u32(&row, topic->partitions);
	for (uint32_t i = 0; i < topic->partitions; i++)
		buf_u64(&row, base[i]);
	code = row.failed ? error_set(error, ERR_MEMORY, TEXT_base_memory)
	    : db_begin(segment->db, true, &txn, error);
	if (code == 0)
		code = db_put(txn, TABLE_HEAD, head_key, buf_str(&row), 0, error);
	if (code == 0)
		code = db_commit(txn, error);
	else
		db_abort(txn);
	buf_free(&row);
	return code;
}

int segment_load(struct local_topic *topic, struct local_segment *segment, struct error *error)
{
	struct error why;
	int code = 0;

	segment->used_at = ++topic->clock;
	mark_set(topic, segment->sequence);
	if (segment->db == NULL && mark_is_damaged(topic, segment->sequence))
		segment->state = SEGMENT_BAD;
	if (segment->state == SEGMENT_BAD || (segment->state == SEGMENT_GOOD
	    && segment->db != NULL))
		return 0;
	error_clear(&why);
	if (segment->db == NULL)
		code = segment_open(topic, segment, false, &why);
	if (code == 0 && segment->state != SEGMENT_GOOD)
		code = head_read(topic, segment, &why);
	if (code == ERR_CORRUPT || code == ERR_FOREIGN) {
		/* the caller tells it as a gap; the file stays for whoever wants to look into it */
		segment->state = SEGMENT_BAD;
		code = 0;
	}
	if (code != 0 && error != NULL && error->code == 0)
		*error = why;
	return code;
}

int segment_make(struct local_topic *topic, struct local_segment *segment, const uint64_t *base,
    int64_t now_ns, struct error *error)
{
	int code = 0;

	mark_set(topic, segment->sequence);
	if (segment->db == NULL)
		code = segment_open(topic, segment, true, error);
	if (code == 0)
		code = head_write(topic, segment, base, now_ns, error);
	if (code == 0)
		code = head_read(topic, segment, error);
	CHECK(code != 0 || segment->state == SEGMENT_GOOD);
	return code;
}

void segment_free(struct local_segment *segment)
{
	db_close(segment->db);
	free(segment->base);
	free(segment);
}

void segment_leave(struct local_segment *segment)
{
	if (--segment->held == 0 && segment->gone)
		segment_free(segment);
}

int segment_next(struct local_segment *segment, struct db_txn *txn, uint32_t partition,
    uint64_t *ret, struct error *error)
{
	struct db_cursor *cursor;
	struct str key, value;
	struct error why;
	int code = db_cursor_open(txn, TABLE_PARTITION + partition, &cursor, error);

	if (code != 0)
		return code;
	error_clear(&why);
	code = db_cursor_get(cursor, DB_LAST, &key, &value, &why);
	*ret = segment->base[partition];
	if (code == DB_FOUND && key.len == 8)
		*ret = db_key_get_u64(key.ptr) + 1;
	db_cursor_close(cursor);
	if (code < 0 && error != NULL && error->code == 0)
		*error = why;
	return code < 0 ? code : 0;
}

uint64_t segment_room(const struct local_topic *topic, struct local_segment *segment)
{
	uint64_t most = db_max_bytes(segment->db), limit = segment_bytes(topic), used;

	used = db_used_bytes(segment->db) + segment_margin(topic);
	most = most < limit ? most : limit;
	return used >= most ? 0 : most - used;
}
