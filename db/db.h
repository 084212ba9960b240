/*
 * db.h - LMDB behind one door.
 *
 * A file is one environment (MDB_NOSUBDIR) with a head: magic, format name and version, site
 * fingerprint. db_open refuses what it does not know, what is truncated (the length is compared
 * with the page count in both meta pages before LMDB maps it) and what is foreign. Every value
 * carries a CRC32C over table, key and value: a flipped bit is ERR_CORRUPT, never wrong data. The
 * map is reserved at max_bytes from the start (address space, not memory). MDB_WRITEMAP is never
 * used: a full disk is ERR_FULL.
 *
 * A table is append-friendly: big-endian keys, DB_APPEND for ever-growing ones. Keys: 1..511 bytes.
 * No deletes through cursors of duplicate tables (LMDB 0.9.24). Handles of one process on one file
 * share what is behind them; a handle is used by one thread at a time. Open after fork, not before.
 */
#ifndef TOCSIN_DB_DB_H
#define TOCSIN_DB_DB_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

struct db;
struct db_txn;
struct db_cursor;
typedef unsigned db_table; /* index into db_options.tables */

enum db_sync { DB_SYNC_FULL, DB_SYNC_NO_META, DB_SYNC_NONE };

enum db_table_flag {
	DB_DUPLICATES = 1u << 0 /* sorted values of a fixed size a key; no checksum: 8..16 bytes */
};

struct db_table_options {
	const char *name;
	unsigned flags;
};

struct db_options {
	const char *format;   /* "tocsin.bus", "tocsin.alerts", ...: at most 31 bytes */
	uint32_t version;
	uint64_t site;        /* fingerprint; another one in the file is ERR_FOREIGN; 0: any */
	enum db_sync sync;
	bool read_only;
	bool must_exist;
	/* make room for max_bytes at birth: ENOSPC comes now, not at a commit */
	bool preallocate;
	bool sequential;      /* read mostly in key order: keep the kernel's read-ahead */
	uint64_t max_bytes;   /* most bytes of the file; then ERR_FULL, as on a full disk */
	const struct db_table_options *tables;
	unsigned table_count;
	unsigned max_readers; /* 0: 126 */
};

/*
 * Returns 0, ERR_MISSING, ERR_FOREIGN, ERR_VERSION, ERR_CORRUPT (truncated too), ERR_FULL, ERR_IO.
 */
int db_open(struct db **ret, const char *path, const struct db_options *options,
    struct error *error);
void db_close(struct db *db); /* accepts NULL; no transaction may be open */
/*
 * Deletes the file and its lock file; who has it open keeps what is there. Missing is no failure.
 */
int db_remove(const char *path, struct error *error);
const char *db_path(const struct db *db);
/* Bytes in use (last page), and of the file. */
uint64_t db_used_bytes(struct db *db);
uint64_t db_max_bytes(const struct db *db);

/*
 * Reads every table and every checksum in a child process, so that a damaged file that makes LMDB
 * abort or fault costs a child. 0, ERR_CORRUPT, or the code of db_open.
 */
int db_verify(const char *path, const struct db_options *options, struct error *error);

/*
 * Write transactions wait for those of others. A failed sync (ERR_IO) leaves the handle broken: it
 * reads on, but refuses to write with ERR_IO until every handle on the file is closed and reopened.
 */
int db_begin(struct db *db, bool write, struct db_txn **ret, struct error *error);
/* Frees the transaction in every case. ERR_FULL: nothing of it is there, all before it is. */
int db_commit(struct db_txn *txn, struct error *error);
void db_abort(struct db_txn *txn); /* accepts NULL */

enum { DB_FOUND = 0, DB_NOT_FOUND = 1, DB_EXISTS = 2 };
enum db_put_flag { DB_APPEND = 1u << 0, DB_NO_OVERWRITE = 1u << 1 };

/*
 * *ret points into the map until the transaction ends or writes. DB_FOUND, DB_NOT_FOUND, negative.
 */
int db_get(struct db_txn *txn, db_table table, struct str key, struct str *ret,
    struct error *error);
/*
 * 0, DB_EXISTS (with DB_NO_OVERWRITE), negative; ERR_FULL at max_bytes: abort, roll to a new file.
 */
int db_put(struct db_txn *txn, db_table table, struct str key, struct str value, unsigned flags,
    struct error *error);
/* DB_FOUND, DB_NOT_FOUND, negative. For a duplicate table all values of the key go. */
int db_delete(struct db_txn *txn, db_table table, struct str key, struct error *error);
uint64_t db_count(struct db_txn *txn, db_table table);

/* Cursors, valid within the transaction. */
enum db_seek {
	DB_FIRST, DB_LAST, DB_NEXT, DB_PREVIOUS,
	DB_AT_OR_AFTER,  /* key >= the given one */
	DB_EXACT,
	DB_NEXT_DUPLICATE, DB_PREVIOUS_DUPLICATE, DB_LAST_DUPLICATE, DB_NEXT_KEY
};
int db_cursor_open(struct db_txn *txn, db_table table, struct db_cursor **ret,
    struct error *error);
void db_cursor_close(struct db_cursor *cursor); /* accepts NULL */
/*
 * key: in for DB_AT_OR_AFTER and DB_EXACT, out always. DB_FOUND, DB_NOT_FOUND, negative. After
 * ERR_CORRUPT with a key the cursor stands on the damaged row, and DB_NEXT may go on behind it.
 */
int db_cursor_get(struct db_cursor *cursor, enum db_seek seek, struct str *key, struct str *value,
    struct error *error);
/* Values of the current key of a duplicate table. */
uint64_t db_cursor_count(struct db_cursor *cursor);

/* Big-endian keys keep their order as bytes. */
void db_key_u32(void *at, uint32_t value);
void db_key_u64(void *at, uint64_t value);
uint32_t db_key_get_u32(const void *at);
uint64_t db_key_get_u64(const void *at);

#endif
