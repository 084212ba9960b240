/*
 * private.h - what the files of db/ share. Only db/ includes this, and only db/ includes lmdb.h.
 */
#ifndef TOCSIN_DB_PRIVATE_H
#define TOCSIN_DB_PRIVATE_H

#include <lmdb.h>
#include <sys/types.h>

#include "db/db.h"

enum { DB_TABLES_MAX = 260, DB_CRC_BYTES = 4, DB_KEY_MAX = 511 };

/* One LMDB environment; the handles of this process on the same file share it (fcntl locks). */
struct db_env {
	struct db_env *next;
	MDB_env *env;
	MDB_dbi head;
	dev_t device;
	ino_t inode;
	unsigned handles;
	bool writable;
	bool broken;        /* a sync failed: what the page cache holds is not to be trusted */
	size_t page_bytes;
	const char *map;    /* where LMDB mapped the file; NULL when not found out */
	uint64_t map_bytes;
	uint64_t file_bytes; /* as last looked at; the file only grows */
};

struct db {
	struct db_env *env;
	char *path;
	MDB_txn *parked;    /* a reset read transaction, to be renewed */
	bool read_only;
	unsigned table_count;
	MDB_dbi tables[DB_TABLES_MAX];
	unsigned flags[DB_TABLES_MAX];
	char names[DB_TABLES_MAX][32];
};

struct db_txn {
	struct db *db;
	MDB_txn *txn;
	bool write;
};

struct db_cursor {
	struct db_txn *txn;
	MDB_cursor *cursor;
	db_table table;
};

/* shape.c: what the file looks like before LMDB maps it. */
struct db_shape {
	dev_t device;
	ino_t inode;
	uint64_t file_bytes;
	/* last page in use; file_bytes may be less for pages never written */
	uint64_t needed_bytes;
	uint32_t page_bytes;
};
/* 0, ERR_MISSING, ERR_CORRUPT, ERR_FOREIGN, ERR_VERSION, ERR_IO. */
int db_shape_read(const char *path, bool synced, struct db_shape *ret, struct error *error);

/* head.c: format, version and site within the file. */
int db_head_write(MDB_txn *txn, const char *path, const struct db_options *options,
    struct error *error);
int db_head_check(MDB_txn *txn, MDB_dbi table, const char *path, const struct db_options *options,
    struct error *error);
/* head.c: makes a new file under a temporary name and renames it. 0 when it is there already. */
int db_make(const char *path, const struct db_options *options, struct error *error);

/* The LMDB code as one of ours, with its text. Marks the environment broken where need be. */
int db_failure(struct db_env *env, const char *path, int lmdb, struct error *error);
/* Whether the bytes lie within the file where they lie within the map. */
bool db_inside(struct db_env *env, const MDB_val *value);
/* Opens without sharing; for the child of db_verify. Freed with db_close as well. */
int db_open_alone(struct db **ret, const char *path, const struct db_options *options,
    const struct db_shape *shape, struct error *error);
uint32_t db_checksum(struct str table, struct str key, struct str value);

#define DB_HEAD_TABLE "tocsin.head"

#endif
