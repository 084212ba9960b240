#include "correlator/memory_disk.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "correlator/watermark.h"

/*
 * Keys: of a row its hash (16 bytes); of a scope 'S', partition, name (13); of the order partition,
 * scope, time, hash (36). Numbers big-endian, times with their sign turned, so that bytes are in
 * order. Values are little-endian: of a row first, last, coordinate (40); of a scope within, rows,
 * evicted, told (32); of the order a dot.
 */
#define ROW_KEY	     16
#define ROW_VALUE    40
#define SCOPE_KEY    13
#define SCOPE_VALUE  32
#define ORDER_PREFIX 12
#define ORDER_KEY    36

#define TRIM_MAX  256  /* rows that may go by their time, a commit and scope */
#define EVICT_MAX 4096 /* rows that are looked at for one that has to go */

static void big_u32(char *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (char)(value >> (24 - 8 * i));
}

static void big_u64(char *at, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		at[i] = (char)(value >> (56 - 8 * i));
}

static uint64_t big_get(const char *at)
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++)
		value = value << 8 | (uint8_t)at[i];
	return value;
}

#define SIGN_BIT (UINT64_C(1) << 63)

static struct str row_key(char out[ROW_KEY], struct hash128 key)
{
	big_u64(out, key.high);
	big_u64(out + 8, key.low);
	return str_from(out, ROW_KEY);
}

static struct str scope_key(char out[SCOPE_KEY], uint32_t partition, uint64_t name)
{
	out[0] = 'S';
	big_u32(out + 1, partition);
	big_u64(out + 5, name);
	return str_from(out, SCOPE_KEY);
}

static struct str order_key(char out[ORDER_KEY], const struct memory *memory, uint64_t scope,
    int64_t time_ns, struct hash128 key)
{
	big_u32(out, memory->partition);
	big_u64(out + 4, scope);
	big_u64(out + 12, (uint64_t)time_ns ^ SIGN_BIT);
	row_key(out + 20, key);
	return str_from(out, ORDER_KEY);
}

static int64_t order_time(const struct checkpoint_row *row)
{
	return (int64_t)(big_get(row->key + 12) ^ SIGN_BIT);
}

static struct hash128 order_hash(const struct checkpoint_row *row)
{
	return (struct hash128){big_get(row->key + 20), big_get(row->key + 28)};
}

/* ---- scopes ---- */

struct scope *memory_scope_add(struct memory *memory, const struct scope *scope)
{
	struct scope *grown =
	    realloc(memory->scopes, (memory->scope_count + 1) * sizeof(*grown));

	if (grown == NULL)
		return NULL;
	memory->scopes = grown;
	grown[memory->scope_count] = *scope;
	return &grown[memory->scope_count++];
}

static int scope_take(struct memory *memory, const struct checkpoint_row *row, struct error *error)
{
	if (row->key_len != SCOPE_KEY || row->value_len != SCOPE_VALUE)
		return error_set(error, ERR_CORRUPT, TEXT_bus_checkpoint_row);
	struct scope scope = {.name = big_get(row->key + 5),
	    .within_ns = (int64_t)get_u64(row->value), .rows = get_u64(row->value + 8),
	    .evicted = get_u64(row->value + 16), .told_ns = (int64_t)get_u64(row->value + 24),
	    .due_ns = INT64_MIN};

	return memory_scope_add(memory, &scope) != NULL
	    ? 0 : error_set(error, ERR_MEMORY, TEXT_base_memory);
}

/* Those of rules that are gone too: their rows are let go when their time has come. */
int memory_scopes_read(struct memory *memory, struct error *error)
{
	char first[SCOPE_KEY], at[SCOPE_KEY + 1];
	struct str prefix = str_slice(scope_key(first, memory->partition, 0), 0, 5);
	struct checkpoint_row row = {0};
	size_t len = SCOPE_KEY;
	int code = 0;

	if (memory->scopes_known || memory->checkpoint == NULL)
		return 0;
	memcpy(at, first, sizeof(first));
	for (;;) {
		code = checkpoint_row_next(memory->checkpoint, CHECKPOINT_MEMORY, str_from(at, len),
		    prefix, &row, error);
		if (code != CHECKPOINT_ROW)
			break;
		code = scope_take(memory, &row, error);
		if (code < 0)
			return code;
		memcpy(at, row.key, SCOPE_KEY);
		at[SCOPE_KEY] = '\0'; /* the least key behind it */
		len = SCOPE_KEY + 1;
	}
	memory->scopes_known = code >= 0;
	return code < 0 ? code : 0;
}

int memory_scope_write(struct memory *memory, struct scope *scope, struct error *error)
{
	char key[SCOPE_KEY], value[SCOPE_VALUE];

	set_u64(value, (uint64_t)scope->within_ns);
	set_u64(value + 8, scope->rows);
	set_u64(value + 16, scope->evicted);
	set_u64(value + 24, (uint64_t)scope->told_ns);
	scope->dirty = false;
	return checkpoint_row_put(memory->checkpoint, CHECKPOINT_MEMORY,
	    scope_key(key, memory->partition, scope->name), str_from(value, sizeof(value)), error);
}

/* ---- rows ---- */

int memory_row_read(struct memory *memory, struct hash128 key, struct memory_row *ret,
    bool *ret_there, struct error *error)
{
	char bytes[ROW_KEY];
	struct checkpoint_row row;
	struct error own = {0};
	int code = checkpoint_row_get(
	    memory->checkpoint, CHECKPOINT_MEMORY, row_key(bytes, key), &row, &own);

	/* A damaged row is forgotten: what it said is told once more, and no worker stops. */
	*ret_there = code == CHECKPOINT_ROW && row.value_len == ROW_VALUE;
	memory->damaged += code == ERR_CORRUPT;
	if (code < 0 && code != ERR_CORRUPT && error != NULL)
		*error = own;
	if (!*ret_there)
		return code < 0 && code != ERR_CORRUPT ? code : 0;
	*ret = (struct memory_row){(int64_t)get_u64(row.value), (int64_t)get_u64(row.value + 8),
	    {get_u64(row.value + 16), get_u64(row.value + 24), get_u64(row.value + 32)}};
	return 0;
}

static int order_put(struct memory *memory, struct scope *scope, int64_t time_ns,
    struct hash128 key, struct error *error)
{
	char bytes[ORDER_KEY];

	if (time_ns < scope->due_ns)
		scope->due_ns = time_ns;
	return checkpoint_row_put(memory->checkpoint, CHECKPOINT_ORDER,
	    order_key(bytes, memory, scope->name, time_ns, key), STR("."), error);
}

int memory_row_write(struct memory *memory, struct memory_entry *entry, struct error *error)
{
	struct scope *scope = &memory->scopes[entry->scope];
	const struct memory_row *row = &entry->row;
	char key[ROW_KEY], value[ROW_VALUE];
	int code;

	set_u64(value, (uint64_t)row->first_ns);
	set_u64(value + 8, (uint64_t)row->last_ns);
	set_u64(value + 16, row->at.collector);
	set_u64(value + 24, row->at.epoch);
	set_u64(value + 32, row->at.counter);
	code = checkpoint_row_put(memory->checkpoint, CHECKPOINT_MEMORY, row_key(key, entry->key),
	    str_from(value, sizeof(value)), error);
	if (code < 0 || entry->stored)
		return code;
	entry->stored = true;
	scope->rows++;
	scope->dirty = true;
	return order_put(
	    memory, scope, watermark_plus(row->last_ns, scope->within_ns), entry->key, error);
}

static int row_drop(struct memory *memory, struct scope *scope, struct hash128 key,
    struct error *error)
{
	struct memory_entry *entry = memory_known(memory, key);
	char bytes[ROW_KEY];

	if (entry != NULL)
		entry->there = entry->stored = false;
	scope->rows -= scope->rows > 0;
	scope->dirty = true;
	return checkpoint_row_delete(
	    memory->checkpoint, CHECKPOINT_MEMORY, row_key(bytes, key), error);
}

/* ---- letting go ---- */

/* The row that the order has first, CHECKPOINT_NO_ROW, or negative. */
static int order_first(struct memory *memory, const struct scope *scope,
    struct checkpoint_row *ret, struct error *error)
{
	char bytes[ORDER_KEY];
	struct str from = order_key(bytes, memory, scope->name, INT64_MIN, (struct hash128){0, 0});
	int code = checkpoint_row_next(memory->checkpoint, CHECKPOINT_ORDER, from,
	    str_slice(from, 0, ORDER_PREFIX), ret, error);

	if (code == CHECKPOINT_ROW && ret->key_len != ORDER_KEY)
		return error_set(error, ERR_CORRUPT, TEXT_bus_checkpoint_row);
	return code;
}

/*
 * Takes the first out of the order. When it was seen since, it goes back to where it belongs now
 * (*ret_gone false), unless it has to go in any case.
 */
static int order_take(struct memory *memory, struct scope *scope,
    const struct checkpoint_row *first, bool must, bool *ret_gone, struct error *error)
{
	struct hash128 key = order_hash(first);
	struct memory_row row = {0};
	bool there = false;
	int code = checkpoint_row_delete(memory->checkpoint, CHECKPOINT_ORDER,
	    str_from(first->key, first->key_len), error);

	if (code == 0)
		code = memory_row_read(memory, key, &row, &there, error);
	int64_t time_ns = watermark_plus(row.last_ns, scope->within_ns);

	*ret_gone = there && (must || time_ns <= order_time(first));
	if (code < 0 || !there)
		return code;
	return *ret_gone ? row_drop(memory, scope, key, error)
			 : order_put(memory, scope, time_ns, key, error);
}

static int evict_one(struct memory *memory, struct scope *scope, struct error *error)
{
	struct checkpoint_row first;
	bool gone = false;
	int code = 0;

	for (int tries = 0; code == 0 && !gone && tries < EVICT_MAX; tries++) {
		code = order_first(memory, scope, &first, error);
		if (code == CHECKPOINT_NO_ROW) {
			scope->rows = 0;
			return 0;
		}
		if (code == CHECKPOINT_ROW)
			code = order_take(
			    memory, scope, &first, tries + 1 == EVICT_MAX, &gone, error);
	}
	scope->evicted += gone;
	return code;
}

static int expire(struct memory *memory, struct scope *scope, int64_t now_ns, struct error *error)
{
	struct checkpoint_row first;
	bool gone;
	int code = 0;

	for (int i = 0; i < TRIM_MAX && scope->due_ns < now_ns; i++) {
		code = order_first(memory, scope, &first, error);
		if (code != CHECKPOINT_ROW) {
			scope->due_ns = INT64_MAX;
			break;
		}
		scope->due_ns = order_time(&first);
		if (scope->due_ns >= now_ns)
			break;
		code = order_take(memory, scope, &first, false, &gone, error);
		if (code < 0)
			break;
		memory->expired += gone;
	}
	return code < 0 ? code : 0;
}

int memory_trim(struct memory *memory, struct scope *scope, int64_t now_ns, struct error *error)
{
	int code = expire(memory, scope, now_ns, error);

	while (code == 0 && scope->rows > memory->ceiling)
		code = evict_one(memory, scope, error);
	return code;
}
