/*
 * txn.c - transactions, values with their checksums, cursors.
 *
 * A value of a plain table is stored behind four bytes of CRC32C over (table, key, value), which
 * ties it to its place: a page that LMDB took for another does not pass either.
 */
#include "db/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

static int txn_start(struct db *db, bool write, MDB_txn **ret)
{
	if (!write && db->parked != NULL) {
		*ret = db->parked;
		db->parked = NULL;
		return mdb_txn_renew(*ret);
	}
	return mdb_txn_begin(db->env->env, NULL, write ? 0 : MDB_RDONLY, ret);
}

int db_begin(struct db *db, bool write, struct db_txn **ret, struct error *error)
{
	struct db_txn *txn;
	int code;

	*ret = NULL;
	if (write && db->read_only)
		return error_set(error, ERR_IO, TEXT_db_read_only, db->path);
	if (write && __atomic_load_n(&db->env->broken, __ATOMIC_RELAXED))
		return error_set(error, ERR_IO, TEXT_db_broken, db->path);
	txn = calloc(1, sizeof(*txn));
	if (txn == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	txn->db = db;
	txn->write = write;
	code = txn_start(db, write, &txn->txn);
	if (code == 0) {
		*ret = txn;
		return 0;
	}
	if (txn->txn != NULL && !write)
		mdb_txn_abort(txn->txn);
	free(txn);
	return db_failure(db->env, db->path, code, error);
}

void db_abort(struct db_txn *txn)
{
	if (txn == NULL)
		return;
	if (txn->write || txn->db->parked != NULL) {
		mdb_txn_abort(txn->txn);
	} else {
		mdb_txn_reset(txn->txn);
		txn->db->parked = txn->txn;
	}
	free(txn);
}

int db_commit(struct db_txn *txn, struct error *error)
{
	struct db *db = txn->db;
	int failure, code;

	if (!txn->write) {
		db_abort(txn);
		return 0;
	}
	failure = mdb_txn_commit(txn->txn);
	free(txn);
	if (failure == 0)
		return 0;
	code = db_failure(db->env, db->path, failure, error);
	/*
	 * After a failed sync the kernel may have dropped the pages and call them clean: a second
	 * sync would succeed over a hole. Only what is read anew from the disk may be built upon.
	 */
	if (code == ERR_IO)
		__atomic_store_n(&db->env->broken, true, __ATOMIC_RELAXED);
	return code;
}

static struct str table_name(const struct db *db, db_table table)
{
	return str_of(db->names[table]);
}

static int value_take(struct db *db, db_table table, struct str key, const MDB_val *stored,
    struct str *ret, struct error *error)
{
	const char *at = stored->mv_data;
	struct str value;

	if ((db->flags[table] & DB_DUPLICATES) != 0) {
		*ret = str_from(at, stored->mv_size);
		return db_inside(db->env, stored) ? DB_FOUND
		    : error_set(error, ERR_CORRUPT, TEXT_db_checksum, db->path, db->names[table]);
	}
	if (stored->mv_size < DB_CRC_BYTES || !db_inside(db->env, stored))
		return error_set(error, ERR_CORRUPT, TEXT_db_checksum, db->path, db->names[table]);
	value = str_from(at + DB_CRC_BYTES, stored->mv_size - DB_CRC_BYTES);
	if (get_u32(at) != db_checksum(table_name(db, table), key, value))
		return error_set(error, ERR_CORRUPT, TEXT_db_checksum, db->path, db->names[table]);
	*ret = value;
	return DB_FOUND;
}

static MDB_val key_of(struct str key)
{
	CHECK(key.len > 0 && key.len <= DB_KEY_MAX);
	return (MDB_val){key.len, (void *)(uintptr_t)key.ptr};
}

int db_get(struct db_txn *txn, db_table table, struct str key, struct str *ret, struct error *error)
{
	struct db *db = txn->db;
	MDB_val wanted = key_of(key), stored;
	int code;

	CHECK(table < db->table_count);
	*ret = STR_NONE;
	code = mdb_get(txn->txn, db->tables[table], &wanted, &stored);
	if (code == MDB_NOTFOUND)
		return DB_NOT_FOUND;
	if (code != 0)
		return db_failure(db->env, db->path, code, error);
	return value_take(db, table, key, &stored, ret, error);
}

static unsigned put_flags(unsigned flags)
{
	return (flags & DB_APPEND ? MDB_APPEND : 0u)
	    | (flags & DB_NO_OVERWRITE ? MDB_NOOVERWRITE : 0u);
}

static int put_plain(struct db_txn *txn, db_table table, struct str key, struct str value,
    unsigned flags)
{
	MDB_val at = key_of(key), room = {value.len + DB_CRC_BYTES, NULL};
	int code = mdb_put(txn->txn, txn->db->tables[table], &at, &room,
	    put_flags(flags) | MDB_RESERVE);

	if (code != 0)
		return code;
	set_u32(room.mv_data, db_checksum(table_name(txn->db, table), key, value));
	if (value.len > 0)
		memcpy((char *)room.mv_data + DB_CRC_BYTES, value.ptr, value.len);
	return 0;
}

static int put_duplicate(struct db_txn *txn, db_table table, struct str key, struct str value,
    unsigned flags)
{
	MDB_val at = key_of(key), stored = {value.len, (void *)(uintptr_t)value.ptr};

	CHECK(value.len >= 8 && value.len <= 16);
	return mdb_put(txn->txn, txn->db->tables[table], &at, &stored,
	    (flags & DB_APPEND ? MDB_APPENDDUP : 0u)
	    | (flags & DB_NO_OVERWRITE ? MDB_NODUPDATA : 0u));
}

int db_put(struct db_txn *txn, db_table table, struct str key, struct str value, unsigned flags,
    struct error *error)
{
	struct db *db = txn->db;
	int code;

	CHECK(txn->write && table < db->table_count);
	code = (db->flags[table] & DB_DUPLICATES) != 0
	    ? put_duplicate(txn, table, key, value, flags)
	    : put_plain(txn, table, key, value, flags);
	if (code == MDB_KEYEXIST)
		return DB_EXISTS;
	return code == 0 ? 0 : db_failure(db->env, db->path, code, error);
}

int db_delete(struct db_txn *txn, db_table table, struct str key, struct error *error)
{
	struct db *db = txn->db;
	MDB_val at = key_of(key);
	int code;

	CHECK(txn->write && table < db->table_count);
	code = mdb_del(txn->txn, db->tables[table], &at, NULL);
	if (code == MDB_NOTFOUND)
		return DB_NOT_FOUND;
	return code == 0 ? DB_FOUND : db_failure(db->env, db->path, code, error);
}

uint64_t db_count(struct db_txn *txn, db_table table)
{
	MDB_stat stat;

	CHECK(table < txn->db->table_count);
	return mdb_stat(txn->txn, txn->db->tables[table], &stat) == 0 ? stat.ms_entries : 0;
}

int db_cursor_open(struct db_txn *txn, db_table table, struct db_cursor **ret, struct error *error)
{
	struct db_cursor *cursor = calloc(1, sizeof(*cursor));
	int code;

	CHECK(table < txn->db->table_count);
	*ret = NULL;
	if (cursor == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	cursor->txn = txn;
	cursor->table = table;
	code = mdb_cursor_open(txn->txn, txn->db->tables[table], &cursor->cursor);
	if (code != 0) {
		free(cursor);
		return db_failure(txn->db->env, txn->db->path, code, error);
	}
	*ret = cursor;
	return 0;
}

void db_cursor_close(struct db_cursor *cursor)
{
	if (cursor == NULL)
		return;
	mdb_cursor_close(cursor->cursor);
	free(cursor);
}

int db_cursor_get(struct db_cursor *cursor, enum db_seek seek, struct str *key, struct str *value,
    struct error *error)
{
	static const MDB_cursor_op operations[] = {
		[DB_FIRST] = MDB_FIRST, [DB_LAST] = MDB_LAST, [DB_NEXT] = MDB_NEXT,
		[DB_PREVIOUS] = MDB_PREV, [DB_AT_OR_AFTER] = MDB_SET_RANGE,
		[DB_EXACT] = MDB_SET_KEY,
		[DB_NEXT_DUPLICATE] = MDB_NEXT_DUP, [DB_PREVIOUS_DUPLICATE] = MDB_PREV_DUP,
		[DB_LAST_DUPLICATE] = MDB_LAST_DUP, [DB_NEXT_KEY] = MDB_NEXT_NODUP,
	};
	struct db *db = cursor->txn->db;
	MDB_val at = {0, NULL}, stored = {0, NULL};
	int code;

	if (seek == DB_AT_OR_AFTER || seek == DB_EXACT)
		at = key_of(*key);
	*key = *value = STR_NONE;
	code = mdb_cursor_get(cursor->cursor, &at, &stored, operations[seek]);
	/* LMDB leaves the key out where it stays the same */
	if (code == 0 && (seek == DB_LAST_DUPLICATE || seek == DB_NEXT_DUPLICATE
	    || seek == DB_PREVIOUS_DUPLICATE))
		code = mdb_cursor_get(cursor->cursor, &at, &stored, MDB_GET_CURRENT);
	if (code == MDB_NOTFOUND)
		return DB_NOT_FOUND;
	if (code != 0)
		return db_failure(db->env, db->path, code, error);
	if (at.mv_size == 0 || at.mv_size > DB_KEY_MAX || !db_inside(db->env, &at))
		return error_set(error, ERR_CORRUPT, TEXT_db_order, db->path,
		    db->names[cursor->table]);
	*key = str_from(at.mv_data, at.mv_size);
	return value_take(db, cursor->table, *key, &stored, value, error);
}

uint64_t db_cursor_count(struct db_cursor *cursor)
{
	size_t count = 0;

	return mdb_cursor_count(cursor->cursor, &count) == 0 ? count : 0;
}

void
db_key_u32(void *at, uint32_t value)
{
	uint8_t *bytes = at;

	for (int i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

void
db_key_u64(void *at, uint64_t value)
{
	db_key_u32(at, (uint32_t)(value >> 32));
	db_key_u32((char *)at + 4, (uint32_t)value);
}

uint32_t
db_key_get_u32(const void *at)
{
	const uint8_t *bytes = at;

	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8
	    | bytes[3];
}

uint64_t
db_key_get_u64(const void *at)
{
	return (uint64_t)db_key_get_u32(at) << 32 | db_key_get_u32((const char *)at + 4);
}
