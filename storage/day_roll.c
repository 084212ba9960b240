/*
 * day_roll.c - the next day file.
 *
 * Seal first, then make: a writer that waits for the old file finds the seal and knows that it is
 * stale, wherever the roll was interrupted; whoever comes next finishes it from what the sealed
 * file holds, which no longer changes.
 */
#include "storage/day.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "storage/words.h"

#define NEW_NAME  "new.part"
#define LOCK_NAME "roll.lock"

struct roll {
	const char *folder;
	const struct day_name *last;
	struct day_name next;
	struct arena *arena;
	struct day_open how;
	struct error *error;
};

static int seal(struct db *db, struct day_state *ret, struct error *error)
{
	struct db_txn *txn;
	int code = db_begin(db, true, &txn, error);

	if (code != 0)
		return code;
	code = day_state_get(txn, ret, error);
	if (code != 0 || ret->sealed != 0) {
		db_abort(txn);
		return code;
	}
	ret->sealed = 1;
	code = day_state_put(txn, ret, error);
	if (code == 0)
		return db_commit(txn, error);
	db_abort(txn);
	return code;
}

static int copy_table(struct db_txn *from, struct db_txn *to, db_table table, struct error *error)
{
	struct db_cursor *cursor;
	struct str key, value;
	int code = db_cursor_open(from, table, &cursor, error);

	while (code == 0) {
		code = db_cursor_get(cursor, DB_NEXT, &key, &value, error);
		if (code == DB_FOUND)
			code = db_put(to, table, key, value, 0, error);
	}
	db_cursor_close(cursor);
	return code == DB_NOT_FOUND ? 0 : code;
}

/* What goes on: see day.h. An alert that replaced one that has not come yet is remembered too. */
static int carry(
    const struct roll *roll, struct db_txn *from, struct db_txn *to, const struct day_state *old)
{
	static const db_table carried[] = {
	    TABLE_META, TABLE_FILE, TABLE_PEND, TABLE_FOLD, TABLE_DUE, TABLE_WANT, TABLE_GAP};
	struct words words;
	int code = 0;

	for (size_t i = 0; code == 0 && i < sizeof(carried) / sizeof(*carried); i++)
		code = copy_table(from, to, carried[i], roll->error);
	if (code == 0)
		code = db_put(to, TABLE_FILE, str_of(roll->last->text),
		    words_put(&words, old, sizeof(*old)), 0, roll->error);
	return code;
}

static struct day_state state_after(const struct day_state *old)
{
	struct day_state state = old != NULL ? *old
					     : (struct day_state){.next = 1,
						   .next_want = 1,
						   .next_gap = 1,
						   .generation = 1,
						   .watermark = {INT64_MIN, INT64_MIN}};

	state.first = state.next;
	state.sealed = 0;
	state.min_ns = state.known_min = INT64_MAX;
	state.max_ns = state.known_max = state.newest_ns = INT64_MIN;
	state.alerts = state.birth_bytes = 0;
	return state;
}

static int fill(
    const struct roll *roll, struct db *old_db, const struct day_state *old, struct db *db)
{
	struct db_txn *from = NULL, *to = NULL;
	struct day_state state = state_after(old);
	struct words words;
	int code = db_begin(db, true, &to, roll->error);

	if (code == 0 && old_db != NULL)
		code = db_begin(old_db, false, &from, roll->error);
	if (code == 0 && from != NULL)
		code = carry(roll, from, to, old);
	db_abort(from);
	if (code == 0 && old_db == NULL)
		code = db_put(to, TABLE_META, STR("key"),
		    words_put(&words, &roll->how.key, sizeof(roll->how.key)), 0, roll->error);
	if (code == 0)
		code = day_state_put(to, &state, roll->error);
	if (code == 0)
		return db_commit(to, roll->error);
	db_abort(to);
	return code;
}

/* Under the folder's lock: the file is whole before it gets its name. */
static int make(const struct roll *roll, struct db *old_db, const struct day_state *old)
{
	struct str part = day_path(roll->arena, roll->folder, NEW_NAME);
	struct str path = day_path(roll->arena, roll->folder, roll->next.text);
	struct str lock = day_path(roll->arena, roll->folder, NEW_NAME "-lock");
	struct day_open how = roll->how;
	struct db *db = NULL;

	if (arena_failed(roll->arena))
		return error_set(roll->error, ERR_MEMORY, TEXT_base_memory);
	how.write = how.make = true;
	how.quick = false;
	int code = db_remove(part.ptr, roll->error);

	if (code == 0)
		code = day_open(&db, part.ptr, &how, roll->error);
	if (code == 0)
		code = fill(roll, old_db, old, db);
	db_close(db);
	if (code == 0 && rename(part.ptr, path.ptr) != 0)
		code = error_system(roll->error, errno, TEXT_base_write, path.ptr);
	if (code == 0)
		code = file_sync_folder(path.ptr, roll->error);
	if (code != 0)
		(void)db_remove(part.ptr, NULL);
	(void)unlink(lock.ptr);
	return code;
}

static int lock_folder(const struct roll *roll, int *ret)
{
	struct str path = day_path(roll->arena, roll->folder, LOCK_NAME);

	if (path.ptr == NULL)
		return error_set(roll->error, ERR_MEMORY, TEXT_base_memory);
	*ret = open(path.ptr, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (*ret < 0)
		return error_system(roll->error, errno, TEXT_base_open, path.ptr);
	while (flock(*ret, LOCK_EX) != 0)
		if (errno != EINTR)
			return error_system(roll->error, errno, TEXT_base_open, path.ptr);
	return 0;
}

static int still_newest(const struct roll *roll)
{
	struct day_name *names;
	size_t count;
	int code = day_list(roll->arena, roll->folder, &names, &count, roll->error);

	if (code != 0)
		return code;
	if (roll->last == NULL)
		return count == 0 ? 0 : ERR_STALE;
	return count > 0 && strcmp(names[count - 1].text, roll->last->text) == 0 ? 0 : ERR_STALE;
}

static struct day_name name_after(const struct day_name *last, int64_t now_ns)
{
	int64_t day = now_ns / (86400 * NS_PER_S);

	if (last == NULL || day > last->day)
		return day_name_make(day, 0);
	return day_name_make(last->day, last->number + 1);
}

int day_roll(struct db **db, const char *folder, const struct day_name *last, int64_t now_ns,
    const struct day_open *how, struct day_name *ret_name, struct error *error)
{
	struct roll roll = {
	    folder, last, name_after(last, now_ns), arena_new(8u << 20), *how, error};
	struct day_state old;
	int lock = -1, code;

	if (roll.arena == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	code = lock_folder(&roll, &lock);
	if (code == 0)
		code = still_newest(&roll);
	if (code == 0 && *db != NULL)
		code = seal(*db, &old, error);
	if (code == 0)
		code = make(&roll, *db, *db != NULL ? &old : NULL);
	if (code == 0) {
		db_close(*db);
		*db = NULL;
		*ret_name = roll.next;
		code = day_open(db, day_path(roll.arena, folder, roll.next.text).ptr, how, error);
	}
	if (lock >= 0)
		close(lock);
	arena_free(roll.arena);
	return code;
}
