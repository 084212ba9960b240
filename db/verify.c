/*
 * verify.c - reads everything once, in a child.
 *
 * LMDB follows the page numbers and offsets that it finds; on a damaged file that may end in an
 * assertion, SIGSEGV or SIGBUS. The child dies of it in our stead. It answers through a shared
 * page.
 */
#include "db/private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Keys rise strictly and are as many as the table says: a page read twice or left out shows. */
static int verify_table(struct db_txn *txn, db_table table, struct error *error)
{
	struct db *db = txn->db;
	bool duplicates = (db->flags[table] & DB_DUPLICATES) != 0;
	struct db_cursor *cursor = NULL;
	struct str key, value, last_key = STR_NONE, last_value = STR_NONE;
	uint64_t entries = 0;
	int code = db_cursor_open(txn, table, &cursor, error), order;

	while (code == 0) {
		code = db_cursor_get(cursor, DB_NEXT, &key, &value, error);
		if (code != DB_FOUND)
			break;
		order = entries == 0 ? 1 : str_compare(key, last_key);
		if (order == 0 && duplicates)
			order = str_compare(value, last_value);
		if (order <= 0)
			code = error_set(error, ERR_CORRUPT, TEXT_db_order, db->path,
			    db->names[table]);
		last_key = key;
		last_value = value;
		entries++;
	}
	db_cursor_close(cursor);
	if (code < 0)
		return code;
	if (entries != db_count(txn, table))
		return error_set(error, ERR_CORRUPT, TEXT_db_order, db->path, db->names[table]);
	return 0;
}

static int verify_file(const char *path, const struct db_options *options, struct error *error)
{
	struct db_options reading = *options;
	struct db_shape shape;
	struct db_txn *txn = NULL;
	struct db *db = NULL;
	int code;

	reading.read_only = true;
	code = db_shape_read(path, options->sync != DB_SYNC_NONE, &shape, error);
	if (code == 0)
		code = db_open_alone(&db, path, &reading, &shape, error);
	if (code == 0)
		code = db_begin(db, false, &txn, error);
	for (db_table i = 0; code == 0 && i < options->table_count; i++)
		code = verify_table(txn, i, error);
	return code;
}

_Noreturn static void child(const char *path, const struct db_options *options,
    struct error *answer)
{
	static const int deadly[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
	struct rlimit none = {0, 0};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
		(void)signal(deadly[i], SIG_DFL);
	(void)setrlimit(RLIMIT_CORE, &none);
	if (null >= 0)
		(void)dup2(null, STDERR_FILENO); /* LMDB's assertions write there */
	answer->code = verify_file(path, options, answer);
	_exit(0);
}

static int wait_for(pid_t pid, int *status)
{
	while (waitpid(pid, status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return 0;
}

int db_verify(const char *path, const struct db_options *options, struct error *error)
{
	struct error *answer = mmap(NULL, sizeof(*answer), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int code, status = 0;
	pid_t pid;

	if (answer == MAP_FAILED)
		return error_system(error, errno, TEXT_db_open, path);
	error_clear(answer);
	pid = fork();
	if (pid == 0)
		child(path, options, answer);
	if (pid < 0 || wait_for(pid, &status) != 0) {
		code = error_system(error, errno, TEXT_db_open, path);
	} else if (WIFSIGNALED(status)) {
		code = error_set(error, ERR_CORRUPT, TEXT_db_crashed, path, WTERMSIG(status));
	} else if (WEXITSTATUS(status) != 0) {
		code = error_set(error, ERR_CORRUPT, TEXT_db_crashed, path, 0);
	} else {
		code = answer->code;
		if (code != 0 && error != NULL && error->code == 0)
			*error = *answer;
	}
	(void)munmap(answer, sizeof(*answer));
	return code;
}
