#include "storage/store_file.h"

#include <stdlib.h>

#include "base/clock.h"
#include "storage/fold.h"
#include "storage/words.h"

#define LIST_BYTES (8u << 20)

static struct str offset_key(char out[10], uint32_t partition)
{
	memcpy(out, "offset", 6);
	db_key_u32(out + 6, partition);
	return str_from(out, 10);
}

int store_offset_get(struct db_txn *txn, uint32_t partition, uint64_t *ret, struct error *error)
{
	char key[10];
	struct str row;
	int code = db_get(txn, TABLE_META, offset_key(key, partition), &row, error);

	*ret = UINT64_MAX;
	if (code == DB_FOUND && !words_get(row, ret, 8))
		return day_damaged(error);
	return code < 0 ? code : 0;
}

int store_offset_put(struct db_txn *txn, uint32_t partition, uint64_t next, struct error *error)
{
	struct words words;
	char key[10];

	return db_put(
	    txn, TABLE_META, offset_key(key, partition), words_put(&words, &next, 8), 0, error);
}

void store_file_close(struct store *store)
{
	db_close(store->db);
	store->db = NULL;
}

/* Offsets of another bus mean nothing on this one. What it says again is recognised by its id. */
static int forget_bus(struct store *store, uint64_t identity, struct error *error)
{
	struct day_state state;
	struct words words;
	struct db_txn *txn;
	char key[10];
	int code = db_begin(store->db, true, &txn, error);

	if (code != 0)
		return code;
	code = day_state_get(txn, &state, error);
	for (uint32_t p = 0; code >= 0 && p < BUS_PARTITIONS_MAX; p++)
		code = db_delete(txn, TABLE_META, offset_key(key, p), error);
	if (code >= 0)
		code = fold_progress_forget(txn, error);
	state.watermark[FOLD_PLAIN] = state.watermark[FOLD_CORRELATION] = INT64_MIN;
	if (code == 0)
		code = day_state_put(txn, &state, error);
	if (code == 0)
		code =
		    db_put(txn, TABLE_META, STR("bus"), words_put(&words, &identity, 8), 0, error);
	if (code == 0)
		return db_commit(txn, error);
	db_abort(txn);
	return code;
}

static int bus_check(struct store *store, struct error *error)
{
	/* not a secret, and the same in every process: no key of ours */
	const struct hash_key key = {0, 0};
	uint64_t identity = hash_sip64(key, bus_identity(store->options.bus)), stored = 0;
	struct day_state state;
	struct db_txn *txn;
	struct str row;
	int code = db_begin(store->db, false, &txn, error);

	if (code != 0)
		return code;
	code = day_state_get(txn, &state, error);
	if (code == 0)
		code = db_get(txn, TABLE_META, STR("bus"), &row, error);
	if (code == DB_FOUND && !words_get(row, &stored, 8))
		code = day_damaged(error);
	db_abort(txn);
	if (code < 0)
		return code;
	/* a sealed file hands over to the next one first */
	return stored == identity || state.sealed != 0 ? 0 : forget_bus(store, identity, error);
}

static int load(struct store *store, bool *ret_sealed, struct error *error)
{
	struct day_state state;
	struct db_txn *txn;
	struct hash_key key;
	struct str row;
	int code = bus_check(store, error);

	if (code == 0)
		code = db_begin(store->db, false, &txn, error);
	if (code != 0)
		return code;
	code = day_state_get(txn, &state, error);
	for (uint32_t p = 0; code == 0 && p < store->partitions; p++)
		code = store_offset_get(txn, p, &store->next[p], error);
	if (code == 0)
		code = db_get(txn, TABLE_META, STR("key"), &row, error);
	if (code == DB_FOUND && !words_get(row, &key, sizeof(key)))
		code = day_damaged(error);
	db_abort(txn);
	if (code != 0)
		return code < 0 ? code : day_damaged(error);
	store->index_key = key;
	*ret_sealed = state.sealed != 0;
	return history_load(store->history, store->db, error);
}

/* Read whole in a child first: LMDB may die of a damaged file, and the store must not. */
static int open_newest(
    struct store *store, struct arena *arena, const struct day_name *name, struct error *error)
{
	struct str path = day_path(arena, store->path, name->text);
	int code;

	if (path.ptr == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	code = day_verify(path.ptr, &store->how, error);
	if (code == 0)
		code = day_open(&store->db, path.ptr, &store->how, error);
	store->name = *name;
	return code;
}

static int roll(
    struct store *store, const struct day_name *last, int64_t now_ns, struct error *error)
{
	bool sealed;
	int code =
	    day_roll(&store->db, store->path, last, now_ns, &store->how, &store->name, error);

	return code == 0 ? load(store, &sealed, error) : code;
}

static int open_or_make(
    struct store *store, struct arena *arena, int64_t now_ns, struct error *error)
{
	struct day_name *names;
	bool sealed = false;
	size_t count;
	int code = day_list(arena, store->path, &names, &count, error);

	if (code != 0)
		return code;
	if (count == 0)
		return roll(store, NULL, now_ns, error);
	/* a stale store whose file is still the newest need not read all of it again */
	if (store->db == NULL || strcmp(store->name.text, names[count - 1].text) != 0) {
		store_file_close(store);
		code = open_newest(store, arena, &names[count - 1], error);
	}
	if (code == 0)
		code = load(store, &sealed, error);
	return code == 0 && sealed ? roll(store, &names[count - 1], now_ns, error) : code;
}

int store_file_open(struct store *store, int64_t now_ns, struct error *error)
{
	int code = ERR_STALE;

	/* stale: somebody else has made the next file at this moment */
	for (int attempt = 0; attempt < 8 && code == ERR_STALE; attempt++) {
		struct arena *arena = arena_new(LIST_BYTES);

		code = arena == NULL ? error_set(error, ERR_MEMORY, TEXT_base_memory)
				     : open_or_make(store, arena, now_ns, error);
		arena_free(arena);
	}
	if (code == ERR_STALE)
		code = error_set(error, ERR_STALE, TEXT_storage_stale, store->path);
	if (code != 0)
		store_file_close(store);
	return code;
}

static int birth_of(struct store *store, uint64_t *ret, struct error *error)
{
	struct day_state state;
	struct db_txn *txn;
	int code = db_begin(store->db, false, &txn, error);

	if (code != 0)
		return code;
	code = day_state_get(txn, &state, error);
	*ret = state.birth_bytes;
	db_abort(txn);
	return code;
}

int store_file_roll(struct store *store, int64_t now_ns, struct error *error)
{
	uint64_t used = db_used_bytes(store->db), birth = 0;
	struct day_name last = store->name;
	int code = 0;

	if (now_ns / (86400 * NS_PER_S) <= last.day) {
		if (used < store->options.day_bytes)
			return 0;
		/* what is carried on alone must not be a reason to roll again */
		code = birth_of(store, &birth, error);
		if (code != 0 || used < birth * 2)
			return code;
	}
	return roll(store, &last, now_ns, error);
}

static int forget(struct store *store, struct str name, struct error *error)
{
	struct db_txn *txn;
	int code = db_begin(store->db, true, &txn, error);

	if (code != 0)
		return code;
	code = db_delete(txn, TABLE_FILE, name, error);
	if (code >= 0)
		return db_commit(txn, error);
	db_abort(txn);
	return code;
}

int store_file_retain(struct store *store, int64_t now_ns, struct error *error)
{
	struct arena *arena = arena_new(1u << 16);
	const char *name;
	int64_t limit;
	int code = arena == NULL ? error_set(error, ERR_MEMORY, TEXT_base_memory) : 0;

	if (__builtin_sub_overflow(now_ns, store->options.retain_ns, &limit))
		limit = INT64_MIN;
	while (code == 0 && store->options.retain_ns > 0 &&
	       (name = history_older_than(store->history, limit)) != NULL) {
		char copy[DAY_NAME];
		struct str path;

		memcpy(copy, name, sizeof(copy));
		path = day_path(arena, store->path, copy);
		history_forget(store->history, copy);
		code = path.ptr == NULL ? error_set(error, ERR_MEMORY, TEXT_base_memory)
					: db_remove(path.ptr, error);
		if (code == 0)
			code = forget(store, str_of(copy), error);
	}
	arena_free(arena);
	return code;
}
