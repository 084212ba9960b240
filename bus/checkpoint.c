/*
 * checkpoint.c - offsets, outbox, state and gaps as tables of one db file.
 *
 * Keys are big-endian: offset (topic, partition); outbox (sequence); gap (topic, partition, from,
 * to). The next sequence is kept beside, for a receipt that comes late must never delete a newer
 * row that took the number over.
 */
#include "bus/checkpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "db/db.h"

#define CHECKPOINT_VERSION 1
#define FILE_BYTES         (UINT64_C(16) << 30)
#define MEMORY_BYTES       (UINT64_C(4) << 30)
#define OUTBOX_HEAD        13 /* owner 4, topic 1, partition 4, length of the key 4 */
#define OUTBOX_ROW_MAX     (OUTBOX_HEAD + BUS_RECORD_MAX)

enum {
	TABLE_OFFSET, TABLE_OUTBOX, TABLE_STATE, TABLE_GAP, TABLE_META, TABLE_MEMORY, TABLE_ORDER,
	TABLE_COUNT
};

static const struct db_table_options tables[TABLE_COUNT] = {
	[TABLE_OFFSET] = {"offset", 0},
	[TABLE_OUTBOX] = {"outbox", 0},
	[TABLE_STATE] = {"state", 0},
	[TABLE_GAP] = {"gap", 0},
	[TABLE_META] = {"meta", 0},
	[TABLE_MEMORY] = {"memory", 0},
	[TABLE_ORDER] = {"order", 0},
};

static const struct str sequence_name = {"sequence", 8};
static const struct str site_name = {"site", 4};
static const struct str bus_name = {"bus", 3};

struct checkpoint {
	struct db *db;
	struct db_txn *txn;
	bool failed;         /* within the transaction: only checkpoint_abort is left */
	bool sequence_known; /* within the transaction */
	uint64_t sequence;   /* next one */
	struct buf row;
};

static int fail(struct checkpoint *checkpoint, int code)
{
	if (code < 0)
		checkpoint->failed = true;
	return code;
}

/* ---- life ---- */

static int open_file(struct checkpoint *checkpoint, const char *path, const char *name,
    enum db_sync sync, uint64_t max_bytes, struct error *error)
{
	char format[32];
	int len = snprintf(format, sizeof(format), "tocsin.checkpoint.%s", name);

	CHECK(len > 0 && (size_t)len < sizeof(format));
	struct db_options options = {
		.format = format,
		.version = CHECKPOINT_VERSION,
		.sync = sync,
		.max_bytes = max_bytes,
		.tables = tables,
		.table_count = TABLE_COUNT,
	};

	return db_open(&checkpoint->db, path, &options, error);
}

/* The names go at once, so that not even kill -9 leaves the file behind. */
static int open_temporary(struct checkpoint *checkpoint, const char *name, struct error *error)
{
	const char *folder = getenv("TMPDIR");
	char place[512], path[560];

	if (folder == NULL || folder[0] == '\0')
		folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(place, sizeof(place), "%s/tocsin-XXXXXX", folder);
	if (mkdtemp(place) == NULL)
		return error_system(error, errno, TEXT_base_open, place);
	snprintf(path, sizeof(path), "%s/checkpoint", place);
	int code = open_file(checkpoint, path, name, DB_SYNC_NONE, MEMORY_BYTES, error);

	unlink(path);
	snprintf(path, sizeof(path), "%s/checkpoint-lock", place);
	unlink(path);
	rmdir(place);
	return code;
}

int checkpoint_open(struct checkpoint **ret, const char *path, const char *name,
    struct error *error)
{
	struct checkpoint *checkpoint = calloc(1, sizeof(*checkpoint));
	int code;

	if (checkpoint == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	checkpoint->row = BUF(OUTBOX_ROW_MAX);
	if (path != NULL)
		code = open_file(checkpoint, path, name, DB_SYNC_NO_META, FILE_BYTES, error);
	else
		code = open_temporary(checkpoint, name, error);
	if (code < 0) {
		free(checkpoint);
		return code;
	}
	*ret = checkpoint;
	return 0;
}

void checkpoint_close(struct checkpoint *checkpoint)
{
	if (checkpoint == NULL)
		return;
	checkpoint_abort(checkpoint);
	db_close(checkpoint->db);
	buf_free(&checkpoint->row);
	free(checkpoint);
}

/* ---- the transaction ---- */

int checkpoint_begin(struct checkpoint *checkpoint, struct error *error)
{
	CHECK(checkpoint->txn == NULL);
	checkpoint->failed = checkpoint->sequence_known = false;
	return db_begin(checkpoint->db, true, &checkpoint->txn, error);
}

int checkpoint_commit(struct checkpoint *checkpoint, struct error *error)
{
	CHECK(checkpoint->txn != NULL && !checkpoint->failed);
	char bytes[8];
	int code = 0;

	if (checkpoint->sequence_known) {
		db_key_u64(bytes, checkpoint->sequence);
		code = db_put(checkpoint->txn, TABLE_META, sequence_name,
		    str_from(bytes, sizeof(bytes)), 0, error);
	}
	if (code < 0) {
		checkpoint_abort(checkpoint);
		return code;
	}
	struct db_txn *txn = checkpoint->txn;

	checkpoint->txn = NULL;
	return db_commit(txn, error);
}

void checkpoint_abort(struct checkpoint *checkpoint)
{
	db_abort(checkpoint->txn);
	checkpoint->txn = NULL;
}

/* The open transaction, else a read view of its own, which view_end ends. */
static int view_begin(struct checkpoint *checkpoint, struct db_txn **ret, struct error *error)
{
	if (checkpoint->txn == NULL)
		return db_begin(checkpoint->db, false, ret, error);
	*ret = checkpoint->txn;
	return 0;
}

static void view_end(struct checkpoint *checkpoint, struct db_txn *view)
{
	if (view != checkpoint->txn)
		db_abort(view);
}

/* ---- offsets and the fence ---- */

#define OFFSET_KEY 8

static struct str offset_key(char bytes[OFFSET_KEY], enum bus_topic topic, uint32_t partition)
{
	db_key_u32(bytes, (uint32_t)topic);
	db_key_u32(bytes + 4, partition);
	return str_from(bytes, OFFSET_KEY);
}

/* A number of 8 bytes; absent: UINT64_MAX. */
static int number_get(struct db_txn *txn, db_table table, struct str key, uint64_t *ret,
    struct error *error)
{
	struct str value;
	int code = db_get(txn, table, key, &value, error);

	if (code < 0)
		return code;
	if (code == DB_NOT_FOUND) {
		*ret = UINT64_MAX;
		return 0;
	}
	if (value.len != 8)
		return error_set(error, ERR_CORRUPT, TEXT_bus_checkpoint_row);
	*ret = db_key_get_u64(value.ptr);
	return 0;
}

int checkpoint_offset(struct checkpoint *checkpoint, enum bus_topic topic, uint32_t partition,
    uint64_t *ret, struct error *error)
{
	char key[OFFSET_KEY];
	struct db_txn *view;
	int code = view_begin(checkpoint, &view, error);

	if (code < 0)
		return code;
	code = number_get(view, TABLE_OFFSET, offset_key(key, topic, partition), ret, error);
	view_end(checkpoint, view);
	return code;
}

int checkpoint_advance(struct checkpoint *checkpoint, enum bus_topic topic, uint32_t partition,
    uint64_t expected, uint64_t next, struct error *error)
{
	CHECK(checkpoint->txn != NULL);
	char key[OFFSET_KEY], value[8];
	struct str at = offset_key(key, topic, partition);
	uint64_t stored;
	int code = number_get(checkpoint->txn, TABLE_OFFSET, at, &stored, error);

	if (code < 0)
		return fail(checkpoint, code);
	if (stored != expected)
		return fail(checkpoint, error_set(error, ERR_STALE, TEXT_bus_stale,
		    bus_topic_name(topic).ptr, partition, stored, expected));
	db_key_u64(value, next);
	return fail(checkpoint, db_put(checkpoint->txn, TABLE_OFFSET, at,
	    str_from(value, sizeof(value)), 0, error));
}

/* ---- outbox ---- */

static int sequence_load(struct checkpoint *checkpoint, struct error *error)
{
	if (checkpoint->sequence_known)
		return 0;
	int code = number_get(checkpoint->txn, TABLE_META, sequence_name, &checkpoint->sequence,
	    error);

	if (code < 0)
		return code;
	if (checkpoint->sequence == UINT64_MAX)
		checkpoint->sequence = 0;
	checkpoint->sequence_known = true;
	return 0;
}

int checkpoint_outbox_put(struct checkpoint *checkpoint, uint32_t owner, enum bus_topic topic,
    uint32_t partition, struct str key, struct str value, uint64_t *ret_sequence,
    struct error *error)
{
	CHECK(checkpoint->txn != NULL);
	struct buf *row = &checkpoint->row;
	char sequence[8];
	int code = sequence_load(checkpoint, error);

	if (code < 0)
		return fail(checkpoint, code);
	buf_clear(row);
	buf_u32(row, owner);
	buf_u8(row, (uint8_t)topic);
	buf_u32(row, partition);
	buf_u32(row, (uint32_t)key.len);
	buf_str_put(row, key);
	buf_str_put(row, value);
	if (row->failed)
		return fail(checkpoint, error_set(error, ERR_MEMORY, TEXT_base_memory));
	db_key_u64(sequence, checkpoint->sequence);
	code = db_put(checkpoint->txn, TABLE_OUTBOX, str_from(sequence, sizeof(sequence)),
	    buf_str(row), DB_APPEND, error);
	if (code < 0)
		return fail(checkpoint, code);
	*ret_sequence = checkpoint->sequence++;
	return 0;
}

int checkpoint_outbox_delete(struct checkpoint *checkpoint, uint64_t sequence,
    struct error *error)
{
	CHECK(checkpoint->txn != NULL);
	char key[8];

	db_key_u64(key, sequence);
	/* One that is gone was receipted to a replacement of this worker. */
	int code = db_delete(checkpoint->txn, TABLE_OUTBOX, str_from(key, sizeof(key)), error);

	return code < 0 ? fail(checkpoint, code) : 0;
}

static bool outbox_row_parse(struct str key, struct str value, struct outbox_row *ret)
{
	if (key.len != 8 || value.len < OUTBOX_HEAD || (uint8_t)value.ptr[4] >= TOPIC_COUNT)
		return false;
	size_t key_len = get_u32(value.ptr + 9);

	if (key_len > value.len - OUTBOX_HEAD)
		return false;
	*ret = (struct outbox_row){
		.sequence = db_key_get_u64(key.ptr),
		.owner = get_u32(value.ptr),
		.topic = (enum bus_topic)(uint8_t)value.ptr[4],
		.partition = get_u32(value.ptr + 5),
		.key = str_slice(value, OUTBOX_HEAD, OUTBOX_HEAD + key_len),
		.value = str_slice(value, OUTBOX_HEAD + key_len, value.len),
	};
	return true;
}

static int outbox_walk(struct db_cursor *cursor, uint64_t from,
    bool (*visit)(void *context, const struct outbox_row *row), void *context,
    struct error *error)
{
	char first[8];
	struct str key = str_from(first, sizeof(first)), value;
	struct outbox_row row;

	db_key_u64(first, from);
	int code = db_cursor_get(cursor, DB_AT_OR_AFTER, &key, &value, error);

	while (code == DB_FOUND) {
		if (!outbox_row_parse(key, value, &row))
			return error_set(error, ERR_CORRUPT, TEXT_bus_checkpoint_row);
		if (!visit(context, &row))
			return 0;
		code = db_cursor_get(cursor, DB_NEXT, &key, &value, error);
	}
	return code < 0 ? code : 0;
}

int checkpoint_outbox_each(struct checkpoint *checkpoint, uint64_t from,
    bool (*visit)(void *context, const struct outbox_row *row), void *context,
    struct error *error)
{
	struct db_txn *view;
	struct db_cursor *cursor = NULL;
	int code = db_begin(checkpoint->db, false, &view, error);

	if (code < 0)
		return code;
	code = db_cursor_open(view, TABLE_OUTBOX, &cursor, error);
	if (code >= 0)
		code = outbox_walk(cursor, from, visit, context, error);
	db_cursor_close(cursor);
	db_abort(view);
	return code;
}

/* ---- state ---- */

int checkpoint_state_put(struct checkpoint *checkpoint, struct str name, struct str value,
    struct error *error)
{
	CHECK(checkpoint->txn != NULL);
	return fail(checkpoint, db_put(checkpoint->txn, TABLE_STATE, name, value, 0, error));
}

int checkpoint_state_delete(struct checkpoint *checkpoint, struct str name, struct error *error)
{
	CHECK(checkpoint->txn != NULL);
	int code = db_delete(checkpoint->txn, TABLE_STATE, name, error);

	return code < 0 ? fail(checkpoint, code) : 0;
}

int checkpoint_state_get(struct checkpoint *checkpoint, struct str name, struct buf *out,
    struct error *error)
{
	struct db_txn *view;
	struct str value;
	int code = view_begin(checkpoint, &view, error);

	if (code < 0)
		return code;
	buf_clear(out);
	code = db_get(view, TABLE_STATE, name, &value, error);
	if (code == DB_FOUND) {
		buf_str_put(out, value);
		if (out->failed)
			code = error_set(error, ERR_MEMORY, TEXT_base_memory);
	}
	view_end(checkpoint, view);
	if (code == DB_NOT_FOUND)
		return error_set(error, ERR_MISSING, TEXT_bus_state_missing, STR_ARG(name));
	return code;
}

static int state_each(struct db_cursor *cursor, struct str prefix,
    bool (*visit)(void *context, struct str name, struct str value), void *context,
    struct error *error)
{
	struct str name = prefix, value;
	struct error own = {0};
	int code = db_cursor_get(cursor, DB_AT_OR_AFTER, &name, &value, &own);

	/* A damaged row has its name. */
	while ((code == DB_FOUND || (code == ERR_CORRUPT && name.len > 0)) &&
	    str_starts(name, prefix) &&
	    visit(context, name, code == DB_FOUND ? value : STR_NONE)) {
		error_clear(&own);
		code = db_cursor_get(cursor, DB_NEXT, &name, &value, &own);
	}
	if (code >= 0 || (code == ERR_CORRUPT && name.len > 0))
		return 0;
	if (error != NULL)
		*error = own;
	return code;
}

int checkpoint_state_each(struct checkpoint *checkpoint, struct str prefix,
    bool (*visit)(void *context, struct str name, struct str value), void *context,
    struct error *error)
{
	struct db_cursor *cursor;
	struct db_txn *view;
	int code = view_begin(checkpoint, &view, error);

	if (code < 0)
		return code;
	code = db_cursor_open(view, TABLE_STATE, &cursor, error);
	if (code == 0) {
		code = state_each(cursor, prefix, visit, context, error);
		db_cursor_close(cursor);
	}
	view_end(checkpoint, view);
	return code;
}

/* ---- rows ---- */

static db_table row_table(enum checkpoint_table table)
{
	return table == CHECKPOINT_MEMORY ? TABLE_MEMORY : TABLE_ORDER;
}

static int row_copy(struct str key, struct str value, struct checkpoint_row *ret,
    struct error *error)
{
	if (key.len > sizeof(ret->key) || value.len > sizeof(ret->value))
		return error_set(error, ERR_CORRUPT, TEXT_bus_checkpoint_row);
	ret->key_len = key.len;
	ret->value_len = value.len;
	memcpy(ret->key, key.ptr, key.len);
	if (value.len > 0)
		memcpy(ret->value, value.ptr, value.len);
	return CHECKPOINT_ROW;
}

/* Past what is damaged: the cursor stands on it, and goes on behind it. */
static int row_find_whole(struct db_cursor *cursor, struct str from, struct str prefix,
    struct checkpoint_row *ret, struct error *error)
{
	struct error own = {0};
	struct str key = from, value;
	int code = db_cursor_get(cursor, DB_AT_OR_AFTER, &key, &value, &own);

	while (code == ERR_CORRUPT && key.len > 0 && str_starts(key, prefix)) {
		error_clear(&own);
		code = db_cursor_get(cursor, DB_NEXT, &key, &value, &own);
	}
	if (code >= 0 || key.len > 0)
		return code != DB_FOUND || !str_starts(key, prefix)
		    ? CHECKPOINT_NO_ROW : row_copy(key, value, ret, error);
	if (error != NULL)
		*error = own;
	return code;
}

int checkpoint_row_next(struct checkpoint *checkpoint, enum checkpoint_table table,
    struct str from, struct str prefix, struct checkpoint_row *ret, struct error *error)
{
	struct db_cursor *cursor = NULL;
	struct db_txn *view;
	int code = view_begin(checkpoint, &view, error);

	if (code < 0)
		return code;
	code = db_cursor_open(view, row_table(table), &cursor, error);
	if (code >= 0)
		code = row_find_whole(cursor, from, prefix, ret, error);
	db_cursor_close(cursor);
	view_end(checkpoint, view);
	return code;
}

int checkpoint_row_get(struct checkpoint *checkpoint, enum checkpoint_table table, struct str key,
    struct checkpoint_row *ret, struct error *error)
{
	struct db_txn *view;
	struct str value;
	int code = view_begin(checkpoint, &view, error);

	if (code < 0)
		return code;
	code = db_get(view, row_table(table), key, &value, error);
	if (code == DB_FOUND)
		code = row_copy(key, value, ret, error);
	else if (code == DB_NOT_FOUND)
		code = CHECKPOINT_NO_ROW;
	view_end(checkpoint, view);
	return code;
}

int checkpoint_row_put(struct checkpoint *checkpoint, enum checkpoint_table table, struct str key,
    struct str value, struct error *error)
{
	CHECK(checkpoint->txn != NULL && key.len <= 64 && value.len <= CHECKPOINT_ROW_MAX);
	return fail(checkpoint, db_put(checkpoint->txn, row_table(table), key, value, 0, error));
}

int checkpoint_row_delete(struct checkpoint *checkpoint, enum checkpoint_table table,
    struct str key, struct error *error)
{
	CHECK(checkpoint->txn != NULL);
	int code = db_delete(checkpoint->txn, row_table(table), key, error);

	return code < 0 ? fail(checkpoint, code) : 0;
}

/* ---- gaps ---- */

int checkpoint_gap(struct checkpoint *checkpoint, enum bus_topic topic, uint32_t partition,
    uint64_t from, uint64_t to, struct error *error)
{
	CHECK(checkpoint->txn != NULL);
	char key[OFFSET_KEY + 16];

	offset_key(key, topic, partition);
	db_key_u64(key + OFFSET_KEY, from);
	db_key_u64(key + OFFSET_KEY + 8, to);
	return fail(checkpoint, db_put(checkpoint->txn, TABLE_GAP, str_from(key, sizeof(key)),
	    STR("."), 0, error));
}

int checkpoint_gaps(struct checkpoint *checkpoint, uint64_t *ret, struct error *error)
{
	struct db_txn *view;
	int code = view_begin(checkpoint, &view, error);

	if (code < 0)
		return code;
	*ret = db_count(view, TABLE_GAP);
	view_end(checkpoint, view);
	return 0;
}

/* ---- whose it is ---- */

struct bond {
	uint64_t site; /* UINT64_MAX: nobody's yet */
	bool has_bus, same_bus;
};

static int bond_read(struct checkpoint *checkpoint, struct str bus, struct bond *ret,
    struct error *error)
{
	struct db_txn *view;
	struct str value;
	int code = view_begin(checkpoint, &view, error);

	if (code < 0)
		return code;
	code = number_get(view, TABLE_META, site_name, &ret->site, error);
	if (code == 0)
		code = db_get(view, TABLE_META, bus_name, &value, error);
	ret->has_bus = code == DB_FOUND;
	ret->same_bus = code == DB_FOUND && str_eq(value, bus);
	view_end(checkpoint, view);
	return code < 0 ? code : 0;
}

/* Every offset that is dropped shows as a gap. */
static int offset_drop(struct checkpoint *checkpoint, struct str key, struct str value,
    struct error *error)
{
	if (key.len != OFFSET_KEY || value.len != 8)
		return 0;
	return checkpoint_gap(checkpoint, (enum bus_topic)db_key_get_u32(key.ptr),
	    db_key_get_u32(key.ptr + 4), db_key_get_u64(value.ptr), 0, error);
}

static bool row_stays(db_table table, struct str key, struct str value)
{
	struct outbox_row row;

	return table == TABLE_OUTBOX && outbox_row_parse(key, value, &row) &&
	    row.topic == TOPIC_ALERTS;
}

/* The first row from key on that must go; key and value are copied, for the tree will change. */
static int row_find(struct checkpoint *checkpoint, db_table table, struct buf *key, char value[8],
    size_t *ret_len, struct error *error)
{
	struct db_cursor *cursor;
	struct str at = buf_str(key), row;
	int code = db_cursor_open(checkpoint->txn, table, &cursor, error);

	if (code < 0)
		return code;
	code = db_cursor_get(cursor, at.len > 0 ? DB_AT_OR_AFTER : DB_FIRST, &at, &row, error);
	while (code == DB_FOUND && row_stays(table, at, row))
		code = db_cursor_get(cursor, DB_NEXT, &at, &row, error);
	if (code == DB_FOUND) {
		*ret_len = row.len;
		memcpy(value, row.ptr, row.len < 8 ? row.len : 8);
		buf_clear(key);
		buf_str_put(key, at);
	}
	db_cursor_close(cursor);
	return code;
}

static int table_empty(struct checkpoint *checkpoint, db_table table, struct error *error)
{
	struct buf key = BUF(512);
	char value[8] = {0};
	size_t len = 0;
	int code;

	for (;;) {
		code = row_find(checkpoint, table, &key, value, &len, error);
		if (code != DB_FOUND)
			break;
		code = table == TABLE_OFFSET
		    ? offset_drop(checkpoint, buf_str(&key), str_from(value, len), error) : 0;
		if (code == 0)
			code = db_delete(checkpoint->txn, table, buf_str(&key), error);
		if (code < 0)
			break;
	}
	buf_free(&key);
	return code < 0 ? code : 0;
}

static int bond_write(struct checkpoint *checkpoint, uint64_t site, struct str bus, bool is_new,
    struct error *error)
{
	static const db_table tables_emptied[] = {TABLE_OFFSET, TABLE_OUTBOX, TABLE_STATE};
	char bytes[8];
	int code = 0;

	for (size_t i = 0; is_new && code == 0 && i < 3; i++)
		code = table_empty(checkpoint, tables_emptied[i], error);
	db_key_u64(bytes, site);
	if (code == 0)
		code = db_put(checkpoint->txn, TABLE_META, site_name, str_from(bytes, 8), 0, error);
	if (code == 0)
		code = db_put(checkpoint->txn, TABLE_META, bus_name, bus, 0, error);
	return code;
}

int checkpoint_bind(struct checkpoint *checkpoint, uint64_t site, struct str bus, bool *ret_new,
    struct error *error)
{
	struct bond bond;
	int code = bond_read(checkpoint, bus, &bond, error);

	CHECK(checkpoint->txn == NULL && site != 0 && site != UINT64_MAX);
	*ret_new = false;
	if (code == 0 && bond.site != UINT64_MAX && bond.site != site)
		return error_set(error, ERR_FOREIGN, TEXT_db_site, db_path(checkpoint->db));
	if (code < 0 || (bond.site == site && bond.same_bus))
		return code;
	code = checkpoint_begin(checkpoint, error);
	if (code < 0)
		return code;
	/* another worker may have been faster */
	code = bond_read(checkpoint, bus, &bond, error);
	*ret_new = code == 0 && bond.has_bus && !bond.same_bus;
	if (code == 0)
		code = bond_write(checkpoint, site, bus, *ret_new, error);
	if (code == 0)
		return checkpoint_commit(checkpoint, error);
	checkpoint_abort(checkpoint);
	return code;
}
