/*
 * head.c - whose file this is, and how a new one is born.
 *
 * The head is one checksummed value in a table of its own. A file gets its name only when the head
 * and every table are on the disk, so that a half-made file never carries it; the folder is locked
 * meanwhile, and what a crash left under the temporary name is removed.
 */
#include "db/private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/check.h"

enum { HEAD_FORMAT = 32, HEAD_BYTES = 4 + 8 + 4 + HEAD_FORMAT + 8 };
#define HEAD_MAGIC "tocsindb"
#define HEAD_KEY   "head"

static struct str head_body(struct str head)
{
	return str_slice(head, DB_CRC_BYTES, head.len);
}

int db_head_write(MDB_txn *txn, const char *path, const struct db_options *options,
    struct error *error)
{
	char head[HEAD_BYTES] = {0};
	MDB_val key = {sizeof(HEAD_KEY) - 1, (void *)HEAD_KEY}, value = {HEAD_BYTES, head};
	MDB_dbi table;
	int code;

	CHECK(strlen(options->format) < HEAD_FORMAT);
	memcpy(head + 4, HEAD_MAGIC, 8);
	set_u32(head + 12, options->version);
	memcpy(head + 16, options->format, strlen(options->format));
	set_u64(head + 16 + HEAD_FORMAT, options->site);
	set_u32(head, db_checksum(STR(DB_HEAD_TABLE), STR(HEAD_KEY),
	    head_body(str_from(head, HEAD_BYTES))));
	code = mdb_dbi_open(txn, DB_HEAD_TABLE, MDB_CREATE, &table);
	if (code == 0)
		code = mdb_put(txn, table, &key, &value, 0);
	return code == 0 ? 0 : db_failure(NULL, path, code, error);
}

int db_head_check(MDB_txn *txn, MDB_dbi table, const char *path, const struct db_options *options,
    struct error *error)
{
	MDB_val key = {sizeof(HEAD_KEY) - 1, (void *)HEAD_KEY}, value;
	struct str head, format;
	const char *at;
	int code = mdb_get(txn, table, &key, &value);

	if (code == MDB_NOTFOUND || (code == 0 && value.mv_size < HEAD_BYTES))
		return error_set(error, ERR_FOREIGN, TEXT_db_foreign, path, options->format);
	if (code != 0)
		return db_failure(NULL, path, code, error);
	if (value.mv_size > 4096)
		return error_set(error, ERR_CORRUPT, TEXT_db_checksum, path, DB_HEAD_TABLE);
	head = str_from(value.mv_data, value.mv_size);
	at = head.ptr;
	if (memcmp(at + 4, HEAD_MAGIC, 8) != 0)
		return error_set(error, ERR_FOREIGN, TEXT_db_foreign, path, options->format);
	if (get_u32(at) != db_checksum(STR(DB_HEAD_TABLE), STR(HEAD_KEY), head_body(head)))
		return error_set(error, ERR_CORRUPT, TEXT_db_checksum, path, DB_HEAD_TABLE);
	format = str_from(at + 16, strnlen(at + 16, HEAD_FORMAT));
	if (!str_eq(format, str_of(options->format)))
		return error_set(error, ERR_FOREIGN, TEXT_db_foreign, path, options->format);
	if (get_u32(at + 12) != options->version)
		return error_set(error, ERR_VERSION, TEXT_db_version, path, get_u32(at + 12),
		    options->version);
	if (options->site != 0 && get_u64(at + 16 + HEAD_FORMAT) != options->site)
		return error_set(error, ERR_FOREIGN, TEXT_db_site, path);
	return 0;
}

static int make_tables(MDB_env *env, const char *path, const struct db_options *options,
    struct error *error)
{
	MDB_txn *txn = NULL;
	MDB_dbi table;
	int code = mdb_txn_begin(env, NULL, 0, &txn);

	if (code != 0)
		return db_failure(NULL, path, code, error);
	for (unsigned i = 0; i < options->table_count && code == 0; i++)
		code = mdb_dbi_open(txn, options->tables[i].name, MDB_CREATE
		    | (options->tables[i].flags & DB_DUPLICATES ? MDB_DUPSORT | MDB_DUPFIXED : 0u),
		    &table);
	if (code == 0) {
		code = db_head_write(txn, path, options, error);
		if (code != 0) {
			mdb_txn_abort(txn);
			return code;
		}
		code = mdb_txn_commit(txn);
	} else {
		mdb_txn_abort(txn);
	}
	return code == 0 ? 0 : db_failure(NULL, path, code, error);
}

static int make_content(const char *temporary, const struct db_options *options,
    struct error *error)
{
	MDB_env *env = NULL;
	int code = mdb_env_create(&env);

	if (code == 0)
		code = mdb_env_set_maxdbs(env, options->table_count + 1);
	if (code == 0)
		code = mdb_env_set_mapsize(env, (size_t)options->max_bytes);
	if (code == 0)
		code = mdb_env_open(env, temporary, MDB_NOSUBDIR | MDB_NOLOCK, 0640);
	if (code != 0)
		code = db_failure(NULL, temporary, code, error);
	else
		code = make_tables(env, temporary, options, error);
	if (env != NULL)
		mdb_env_close(env);
	return code;
}

static int make_room(const char *temporary, const struct db_options *options, struct error *error)
{
	int code = 0, fd = open(temporary, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return error_system(error, errno, TEXT_db_open, temporary);
	if (options->preallocate)
		code = posix_fallocate(fd, 0, (off_t)options->max_bytes);
	if (code == 0 && fsync(fd) != 0)
		code = errno;
	(void)close(fd);
	return code == 0 ? 0 : error_system(error, code, TEXT_db_write, temporary);
}

static int make_named(const char *path, const char *temporary, int folder,
    const struct db_options *options, struct error *error)
{
	int code;

	if (access(path, F_OK) == 0)
		return 0; /* another process was faster */
	(void)unlink(temporary);
	code = make_content(temporary, options, error);
	if (code == 0)
		code = make_room(temporary, options, error);
	if (code == 0 && (rename(temporary, path) != 0 || fsync(folder) != 0))
		code = error_system(error, errno, TEXT_db_write, path);
	if (code != 0)
		(void)unlink(temporary);
	return code;
}

/* The folder that holds path, open and locked against other makers; -1 with errno. */
static int folder_lock(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *name = slash == NULL ? strdup(".")
	    : strndup(path, slash == path ? 1 : (size_t)(slash - path));
	int fd;

	if (name == NULL)
		return -1;
	fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(name);
	while (fd >= 0 && flock(fd, LOCK_EX) != 0) {
		if (errno != EINTR) {
			(void)close(fd);
			return -1;
		}
	}
	return fd;
}

int db_make(const char *path, const struct db_options *options, struct error *error)
{
	char *temporary = NULL;
	int code, folder = folder_lock(path);

	if (folder < 0)
		return error_system(error, errno, TEXT_db_open, path);
	if (asprintf(&temporary, "%s.new", path) < 0) {
		temporary = NULL;
		code = error_set(error, ERR_MEMORY, TEXT_base_memory);
	} else {
		code = make_named(path, temporary, folder, options, error);
	}
	free(temporary);
	(void)close(folder);
	return code;
}
