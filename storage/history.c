#include "storage/history.h"

#include <stdlib.h>
#include <string.h>

#include "storage/words.h"

#define OPEN_MAX_FILES 4

struct past {
	struct day_name name;
	struct day_state state;
	struct db *db;
	bool damaged;
	uint64_t used; /* when, for closing the one that rested longest */
};

struct history {
	const char *folder;
	struct day_open how;
	struct past *files; /* oldest first */
	size_t count, open;
	uint64_t clock, damaged;
};

struct history *history_new(const char *folder, const struct day_open *how)
{
	struct history *history = calloc(1, sizeof(*history));

	if (history != NULL) {
		history->folder = folder;
		history->how = *how;
		history->how.write = history->how.make = false;
	}
	return history;
}

static void past_close(struct history *history, struct past *past)
{
	if (past->db == NULL)
		return;
	db_close(past->db);
	past->db = NULL;
	history->open--;
}

static void history_clear(struct history *history)
{
	for (size_t i = 0; i < history->count; i++)
		past_close(history, &history->files[i]);
	free(history->files);
	history->files = NULL;
	history->count = 0;
}

void history_free(struct history *history)
{
	if (history == NULL)
		return;
	history_clear(history);
	free(history);
}

static int compare_past(const void *a, const void *b)
{
	const struct past *x = a, *y = b;

	return x->state.first == y->state.first ? 0 : x->state.first < y->state.first ? -1 : 1;
}

static int read_catalogue(struct history *history, struct db_txn *txn, struct error *error)
{
	struct db_cursor *cursor;
	struct str key, row;
	int code = db_cursor_open(txn, TABLE_FILE, &cursor, error);
	uint64_t room = db_count(txn, TABLE_FILE);

	if (code != 0)
		return code;
	history->files = calloc(room + 1, sizeof(*history->files));
	if (history->files == NULL)
		code = error_set(error, ERR_MEMORY, TEXT_base_memory);
	while (code == 0 && history->count < room) {
		struct past *past = &history->files[history->count];

		code = db_cursor_get(cursor, DB_NEXT, &key, &row, error);
		if (code != DB_FOUND)
			break;
		if (!day_name_parse(key, &past->name) ||
		    !words_get(row, &past->state, sizeof(past->state)))
			code = day_damaged(error);
		else
			history->count++;
	}
	db_cursor_close(cursor);
	if (code >= 0)
		qsort(history->files, history->count, sizeof(*history->files), compare_past);
	return code < 0 ? code : 0;
}

/* What was verified, opened or found damaged before stays so. */
static void keep_known(struct history *history, struct past *before, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < history->count; j++) {
			struct past *past = &history->files[j];

			if (strcmp(before[i].name.text, past->name.text) != 0)
				continue;
			past->db = before[i].db;
			past->used = before[i].used;
			past->damaged = before[i].damaged;
			before[i].db = NULL;
		}
		past_close(history, &before[i]);
	}
	free(before);
}

int history_load(struct history *history, struct db *newest, struct error *error)
{
	struct past *before = history->files;
	size_t count = history->count;
	struct db_txn *txn;
	int code = db_begin(newest, false, &txn, error);

	if (code != 0)
		return code;
	history->files = NULL;
	history->count = 0;
	code = read_catalogue(history, txn, error);
	keep_known(history, before, count);
	db_abort(txn);
	return code;
}

static void make_room(struct history *history)
{
	struct past *rested = NULL;

	for (size_t i = 0; i < history->count; i++) {
		struct past *past = &history->files[i];

		if (past->db != NULL && (rested == NULL || past->used < rested->used))
			rested = past;
	}
	if (history->open >= OPEN_MAX_FILES && rested != NULL)
		past_close(history, rested);
}

/* False: this file cannot be asked. */
static bool past_open(struct history *history, struct past *past)
{
	struct arena *arena = arena_new(1u << 16);
	bool first = past->used == 0;

	past->used = ++history->clock;
	if (past->db != NULL || past->damaged || arena == NULL) {
		arena_free(arena);
		return past->db != NULL;
	}
	struct str path = day_path(arena, history->folder, past->name.text);

	make_room(history);
	if (path.ptr == NULL || (first && day_verify(path.ptr, &history->how, NULL) != 0) ||
	    day_open(&past->db, path.ptr, &history->how, NULL) != 0) {
		past->damaged = true;
		history->damaged++;
	} else {
		history->open++;
	}
	arena_free(arena);
	return past->db != NULL;
}

/* A damaged row is the same as none: what an older file cannot tell is not a reason to stop. */
static int past_get(struct history *history, struct past *past, db_table table, struct str key,
    struct arena *arena, struct str *ret)
{
	struct db_txn *txn;
	struct str row;

	if (!past_open(history, past) || db_begin(past->db, false, &txn, NULL) != 0)
		return DB_NOT_FOUND;
	int code = db_get(txn, table, key, &row, NULL);

	if (code == DB_FOUND)
		*ret = arena_dup(arena, row);
	db_abort(txn);
	return code == DB_FOUND && ret->ptr != NULL ? DB_FOUND : DB_NOT_FOUND;
}

struct asked {
	db_table table;
	struct str key;
	uint64_t sequence; /* only files that reach back no further than this; 0: all */
	int64_t time_ns;   /* only files that know this time; INT64_MIN: all */
};

static bool may_know(const struct past *past, const struct asked *asked)
{
	if (asked->time_ns == INT64_MIN)
		return true;
	return past->state.known_min <= asked->time_ns && asked->time_ns <= past->state.known_max;
}

/* Newest first, to the file that holds the sequence. */
static int ask(struct history *history, const struct asked *asked, void *ret, size_t size)
{
	struct arena *arena = NULL;
	int code = DB_NOT_FOUND;

	for (size_t i = history->count; i-- > 0 && code == DB_NOT_FOUND;) {
		struct past *past = &history->files[i];
		struct str row = STR_NONE;

		if (asked->sequence >= past->state.next)
			break;
		if (!may_know(past, asked))
			continue;
		if (arena == NULL && (arena = arena_new(1u << 16)) == NULL)
			return ERR_MEMORY;
		if (past_get(history, past, asked->table, asked->key, arena, &row) == DB_FOUND &&
		    words_get(row, ret, size))
			code = DB_FOUND;
		if (asked->sequence >= past->state.first)
			break;
	}
	arena_free(arena);
	return code;
}

int history_known(
    struct history *history, struct hash128 id, int64_t time_ns, uint64_t *ret, struct error *error)
{
	char key[16];
	struct asked asked = {TABLE_UID, day_key(key, id), 0, time_ns};
	int code = ask(history, &asked, ret, sizeof(*ret));

	return code < 0 ? error_set(error, code, TEXT_base_memory) : code;
}

int history_gone(struct history *history, struct hash128 id, int64_t time_ns, struct hash128 *ret,
    struct error *error)
{
	char key[16];
	struct asked asked = {TABLE_GONE, day_key(key, id), 0, time_ns};
	int code = ask(history, &asked, ret, sizeof(*ret));

	return code < 0 ? error_set(error, code, TEXT_base_memory) : code;
}

int history_mark(struct history *history, uint64_t sequence, struct mark *ret, struct error *error)
{
	char key[8];
	struct asked asked = {TABLE_MARK, day_key_sequence(key, sequence), sequence, INT64_MIN};
	int code = ask(history, &asked, ret, sizeof(*ret));

	return code < 0 ? error_set(error, code, TEXT_base_memory) : code;
}

int history_row(struct history *history, uint64_t sequence, db_table table, struct arena *arena,
    struct str *ret, struct error *error)
{
	char key[8];

	(void)error;
	for (size_t i = history->count; i-- > 0;) {
		struct past *past = &history->files[i];

		if (past->state.first <= sequence && sequence < past->state.next)
			return past_get(
			    history, past, table, day_key_sequence(key, sequence), arena, ret);
	}
	return DB_NOT_FOUND;
}

const char *history_older_than(struct history *history, int64_t time_ns)
{
	/* oldest first without a gap: a file may hold marks of documents in those before it */
	return history->count > 0 && history->files[0].state.newest_ns < time_ns
		   ? history->files[0].name.text
		   : NULL;
}

void history_forget(struct history *history, const char *name)
{
	for (size_t i = 0; i < history->count; i++) {
		if (strcmp(history->files[i].name.text, name) != 0)
			continue;
		past_close(history, &history->files[i]);
		memmove(&history->files[i], &history->files[i + 1],
		    (history->count - i - 1) * sizeof(*history->files));
		history->count--;
		return;
	}
}

size_t history_count(const struct history *history)
{
	return history->count;
}

uint64_t history_damaged(const struct history *history)
{
	return history->damaged;
}
