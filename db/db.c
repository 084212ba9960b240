/*
 * db.c - files: opening, sharing, closing.
 *
 * LMDB keeps its readers in a lock file under fcntl locks, which belong to the process: closing one
 * of two environments on a file would drop the locks of the other. So the handles of a process on
 * one file (device and inode) share one environment, kept in a list under a mutex.
 */
#include "db/private.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/check.h"
#include "base/file.h"
#include "base/hash.h"

static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;
static struct db_env *shared;

uint32_t db_checksum(struct str table, struct str key, struct str value)
{
	uint32_t crc = hash_crc32c(0, table.ptr, table.len);

	/* the length keeps "ab" + "c" apart from "a" + "bc" */
	crc = hash_crc32c(crc, &key.len, sizeof(key.len));
	crc = hash_crc32c(crc, key.ptr, key.len);
	return hash_crc32c(crc, value.ptr, value.len);
}

static bool disk_is_full(const char *path)
{
	struct statvfs fs;

	return statvfs(path, &fs) == 0
	    && (uint64_t)fs.f_bavail * (uint64_t)fs.f_frsize < UINT64_C(1) << 20;
}

int db_failure(struct db_env *env, const char *path, int lmdb, struct error *error)
{
	switch (lmdb) {
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
		return error_set(error, ERR_FULL, TEXT_db_full, path,
		    (unsigned long long)(env == NULL ? 0 : env->map_bytes));
	case MDB_PAGE_NOTFOUND:
	case MDB_CORRUPTED:
	case MDB_CURSOR_FULL:
	case MDB_INCOMPATIBLE:
	case MDB_INVALID:
	case MDB_BAD_DBI:
	case MDB_BAD_TXN: /* what any call says after one that met damage */
		return error_set(error, ERR_CORRUPT, TEXT_db_damaged, path, mdb_strerror(lmdb));
	case MDB_VERSION_MISMATCH:
		return error_set(error, ERR_VERSION, TEXT_db_version, path, 0u, 1u);
	case ENOSPC:
	case EDQUOT:
		return error_set(error, ERR_FULL, TEXT_db_disk_full, path);
	case EIO:
		/* LMDB calls a short write EIO */
		if (disk_is_full(path))
			return error_set(error, ERR_FULL, TEXT_db_disk_full, path);
		break;
	default:
		break;
	}
	if (lmdb < 0)
		return error_set(error, ERR_IO, TEXT_db_read, path, mdb_strerror(lmdb));
	return error_system(error, lmdb, TEXT_db_write, path);
}

bool db_inside(struct db_env *env, const MDB_val *value)
{
	uintptr_t at = (uintptr_t)value->mv_data, map = (uintptr_t)env->map;
	struct stat st;
	int fd;

	if (env->map == NULL || at < map || at - map >= env->map_bytes)
		return true; /* a page of a write transaction, in memory */
	if (value->mv_size <= env->file_bytes && at - map <= env->file_bytes - value->mv_size)
		return true;
	if (mdb_env_get_fd(env->env, &fd) != 0 || fstat(fd, &st) != 0)
		return false;
	env->file_bytes = (uint64_t)st.st_size;
	return value->mv_size <= env->file_bytes && at - map <= env->file_bytes - value->mv_size;
}

/*
 * Where the map begins: the head lies within a page that starts with its own number. A wrong answer
 * is only one that bounds nothing.
 */
static void env_locate(struct db_env *env, MDB_txn *txn)
{
	MDB_val key = {4, (void *)"head"}, value;
	uintptr_t page;

	if (env->map != NULL || mdb_get(txn, env->head, &key, &value) != 0)
		return;
	page = (uintptr_t)value.mv_data & ~(uintptr_t)(env->page_bytes - 1);
	env->map = (const char *)page - get_u64((const void *)page) * env->page_bytes;
	if ((uintptr_t)env->map > page)
		env->map = NULL;
}

static int env_start(struct db_env *env, const char *path, const struct db_options *options,
    struct error *error)
{
	static const unsigned sync_flags[] = {
		[DB_SYNC_FULL] = 0, [DB_SYNC_NO_META] = MDB_NOMETASYNC, [DB_SYNC_NONE] = MDB_NOSYNC,
	};
	unsigned flags = MDB_NOSUBDIR | MDB_NOTLS | sync_flags[options->sync]
	    | (options->sequential ? 0u : MDB_NORDAHEAD) | (env->writable ? 0u : MDB_RDONLY);
	MDB_envinfo info;
	int dead, code = mdb_env_create(&env->env);

	if (code == 0)
		code = mdb_env_set_maxdbs(env->env, DB_TABLES_MAX + 1);
	if (code == 0)
		code = mdb_env_set_maxreaders(env->env,
		    options->max_readers == 0 ? 126 : options->max_readers);
	if (code == 0)
		code = mdb_env_set_mapsize(env->env, (size_t)options->max_bytes);
	if (code == 0)
		code = mdb_env_open(env->env, path, flags, 0640);
	if (code == 0)
		code = mdb_reader_check(env->env, &dead);
	if (code == 0)
		code = mdb_env_info(env->env, &info);
	if (code != 0)
		return db_failure(NULL, path, code, error);
	env->map_bytes = info.me_mapsize;
	return 0;
}

static void env_free(struct db_env *env)
{
	if (env->env != NULL)
		mdb_env_close(env->env);
	free(env);
}

/*
 * LMDB makes a file that is not there, so one that retention removed since its pages were looked at
 * comes back as an empty one: nobody's, with no transaction in it. It goes again.
 */
static int env_check_same(struct db_env *env, const char *path, struct error *error)
{
	MDB_envinfo info;
	struct stat st;
	int fd;

	if (mdb_env_get_fd(env->env, &fd) != 0 || fstat(fd, &st) != 0
	    || mdb_env_info(env->env, &info) != 0)
		return error_system(error, EIO, TEXT_db_open, path);
	if (st.st_ino == env->inode && st.st_dev == env->device)
		return 0;
	if (info.me_last_txnid == 0)
		(void)db_remove(path, NULL);
	return error_set(error, ERR_MISSING, TEXT_db_missing, path);
}

static int env_new(struct db_env **ret, const char *path, const struct db_options *options,
    const struct db_shape *shape, struct error *error)
{
	struct db_env *env = calloc(1, sizeof(*env));
	int code;

	if (env == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	env->device = shape->device;
	env->inode = shape->inode;
	env->file_bytes = shape->file_bytes;
	env->page_bytes = shape->page_bytes;
	env->writable = access(path, W_OK) == 0;
	code = env_start(env, path, options, error);
	if (code == 0)
		code = env_check_same(env, path, error);
	if (code != 0) {
		env_free(env);
		return code;
	}
	*ret = env;
	return 0;
}

static int tables_open(struct db *db, MDB_txn *txn, const struct db_options *options, bool create,
    struct error *error)
{
	int code = mdb_dbi_open(txn, DB_HEAD_TABLE, 0, &db->env->head);

	if (code == MDB_NOTFOUND)
		return error_set(error, ERR_FOREIGN, TEXT_db_foreign, db->path, options->format);
	if (code != 0)
		return db_failure(db->env, db->path, code, error);
	code = db_head_check(txn, db->env->head, db->path, options, error);
	if (code != 0)
		return code;
	env_locate(db->env, txn);
	for (unsigned i = 0; i < options->table_count; i++) {
		const struct db_table_options *table = &options->tables[i];
		bool duplicates = (table->flags & DB_DUPLICATES) != 0;

		code = mdb_dbi_open(txn, table->name, (create ? MDB_CREATE : 0u)
		    | (duplicates ? MDB_DUPSORT | MDB_DUPFIXED : 0u), &db->tables[i]);
		if (code == MDB_NOTFOUND)
			return DB_NOT_FOUND;
		if (code != 0)
			return db_failure(db->env, db->path, code, error);
		db->flags[i] = table->flags;
		CHECK(strlen(table->name) < sizeof(db->names[i]));
		memcpy(db->names[i], table->name, strlen(table->name) + 1);
	}
	db->table_count = options->table_count;
	return 0;
}

/* A table that a later release brought is made; handles of tables live only after a commit. */
static int db_connect(struct db *db, const struct db_options *options, struct error *error)
{
	MDB_txn *txn = NULL;
	int code = DB_NOT_FOUND;

	for (int create = 0; create <= 1 && code == DB_NOT_FOUND; create++) {
		if (create == 1 && db->read_only)
			return error_set(error, ERR_FOREIGN, TEXT_db_foreign, db->path,
			    options->format);
		code = mdb_txn_begin(db->env->env, NULL, create ? 0 : MDB_RDONLY, &txn);
		if (code != 0)
			return db_failure(db->env, db->path, code, error);
		code = tables_open(db, txn, options, create == 1, error);
		if (code != 0) {
			mdb_txn_abort(txn);
		} else {
			code = mdb_txn_commit(txn);
			if (code != 0)
				code = db_failure(db->env, db->path, code, error);
		}
	}
	return code;
}

static struct db_env *shared_find(const struct db_shape *shape)
{
	for (struct db_env *env = shared; env != NULL; env = env->next)
		if (env->device == shape->device && env->inode == shape->inode)
			return env;
	return NULL;
}

static void env_release(struct db_env *env)
{
	struct db_env **at = &shared;

	CHECK(env->handles > 0);
	if (--env->handles > 0)
		return;
	while (*at != NULL && *at != env)
		at = &(*at)->next;
	if (*at == env)
		*at = env->next;
	env_free(env);
}

static void db_free(struct db *db)
{
	free(db->path);
	free(db);
}

static int db_new(struct db **ret, const char *path, const struct db_options *options,
    struct error *error)
{
	struct db *db = calloc(1, sizeof(*db));

	CHECK(options->table_count <= DB_TABLES_MAX);
	if (db != NULL)
		db->path = strdup(path);
	if (db == NULL || db->path == NULL) {
		free(db);
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	}
	db->read_only = options->read_only;
	*ret = db;
	return 0;
}

/* Takes the environment over; gives it back when it fails. */
static int db_attach(struct db **ret, struct db_env *env, const char *path,
    const struct db_options *options, struct error *error)
{
	struct db *db = NULL;
	int code = db_new(&db, path, options, error);

	env->handles++;
	if (code == 0) {
		db->env = env;
		db->read_only = db->read_only || !env->writable;
		code = db_connect(db, options, error);
	}
	if (code == 0) {
		*ret = db;
		return 0;
	}
	if (db != NULL)
		db_free(db);
	env_release(env);
	return code;
}

int db_open_alone(struct db **ret, const char *path, const struct db_options *options,
    const struct db_shape *shape, struct error *error)
{
	struct db_env *env = NULL;
	int code = env_new(&env, path, options, shape, error);

	return code != 0 ? code : db_attach(ret, env, path, options, error);
}

static int open_shared(struct db **ret, const char *path, const struct db_options *options,
    const struct db_shape *shape, struct error *error)
{
	struct db_env *env;
	int code;

	(void)pthread_mutex_lock(&shared_lock);
	env = shared_find(shape);
	code = env != NULL ? 0 : env_new(&env, path, options, shape, error);
	if (code == 0 && env->handles == 0) {
		env->next = shared;
		shared = env;
	}
	if (code == 0)
		code = db_attach(ret, env, path, options, error);
	(void)pthread_mutex_unlock(&shared_lock);
	return code;
}

/*
 * Pages at the end that were taken and given back within one transaction are never written, so that
 * a sound file may be a little short. Who is short must stand a full reading first.
 */
static int open_short(const char *path, const struct db_options *options,
    const struct db_shape *shape, struct error *error)
{
	if (shape->needed_bytes - shape->file_bytes > 64 * (uint64_t)shape->page_bytes
	    || db_verify(path, options, NULL) != 0)
		return error_set(error, ERR_CORRUPT, TEXT_db_truncated, path,
		    (unsigned long long)shape->file_bytes, (unsigned long long)shape->needed_bytes);
	return 0;
}

int db_open(struct db **ret, const char *path, const struct db_options *options,
    struct error *error)
{
	struct db_shape shape;
	bool synced = options->sync != DB_SYNC_NONE;
	struct error first;
	int code;

	*ret = NULL;
	error_clear(&first);
	code = db_shape_read(path, synced, &shape, &first);
	if (code == ERR_MISSING && !options->must_exist && !options->read_only) {
		code = db_make(path, options, error);
		if (code == 0)
			code = db_shape_read(path, synced, &shape, error);
	} else if (code != 0 && error != NULL && error->code == 0) {
		*error = first;
	}
	if (code == 0 && shape.file_bytes < shape.needed_bytes)
		code = open_short(path, options, &shape, error);
	return code != 0 ? code : open_shared(ret, path, options, &shape, error);
}

void db_close(struct db *db)
{
	if (db == NULL)
		return;
	(void)pthread_mutex_lock(&shared_lock);
	if (db->parked != NULL)
		mdb_txn_abort(db->parked);
	env_release(db->env);
	(void)pthread_mutex_unlock(&shared_lock);
	db_free(db);
}

int db_remove(const char *path, struct error *error)
{
	char *lock = NULL;
	int code = 0;

	if (asprintf(&lock, "%s-lock", path) < 0)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	/* the lock file last: without it a reader would find the file unguarded */
	if ((unlink(path) != 0 && errno != ENOENT) || (unlink(lock) != 0 && errno != ENOENT))
		code = error_system(error, errno, TEXT_db_write, path);
	free(lock);
	return code;
}

const char *db_path(const struct db *db)
{
	return db->path;
}

uint64_t db_used_bytes(struct db *db)
{
	MDB_envinfo info;

	if (mdb_env_info(db->env->env, &info) != 0)
		return 0;
	return (info.me_last_pgno + 1) * (uint64_t)db->env->page_bytes;
}

uint64_t db_max_bytes(const struct db *db)
{
	return db->env->map_bytes;
}
