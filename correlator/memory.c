#include "correlator/memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "correlator/memory_disk.h"

#define CACHE_MIN ((size_t)64)    /* rows kept in memory between commits: as many as the ceiling, */
#define CACHE_MAX ((size_t)16384) /* within these */

/* ---- the table ---- */

static size_t slot_of(const struct memory *memory, struct hash128 key)
{
	size_t at = (size_t)key.low & (memory->slot_count - 1);

	while (memory->slots[at] != NULL && !hash128_eq(memory->slots[at]->key, key))
		at = (at + 1) & (memory->slot_count - 1);
	return at;
}

/* Another table of that many slots; entries that nobody needs are dropped from it. */
static bool slots_make(struct memory *memory, size_t count, bool drop)
{
	struct memory_entry **before = memory->slots;
	size_t before_count = memory->slot_count;
	struct memory_entry **slots = calloc(count, sizeof(struct memory_entry *));

	if (slots == NULL)
		return false;
	memory->slots = slots;
	memory->slot_count = count;
	memory->count = 0;
	for (size_t i = 0; i < before_count; i++) {
		struct memory_entry *entry = before[i];

		if (entry == NULL)
			continue;
		if (drop && entry->pending == 0 && !entry->dirty) {
			free(entry);
			continue;
		}
		slots[slot_of(memory, entry->key)] = entry;
		memory->count++;
	}
	free(before);
	return true;
}

struct memory_entry *memory_known(const struct memory *memory, struct hash128 key)
{
	return memory->slots[slot_of(memory, key)];
}

static struct memory_entry *entry_add(struct memory *memory, uint32_t scope, struct hash128 key)
{
	if (memory->count * 2 >= memory->slot_count &&
	    !slots_make(memory, memory->slot_count * 2, false))
		return NULL;
	struct memory_entry *entry = calloc(1, sizeof(*entry));

	if (entry == NULL)
		return NULL;
	entry->key = key;
	entry->scope = scope;
	memory->slots[slot_of(memory, key)] = entry;
	memory->count++;
	return entry;
}

struct memory *memory_new(struct checkpoint *checkpoint, uint32_t partition, size_t ceiling)
{
	struct memory *memory = calloc(1, sizeof(*memory));

	if (memory == NULL)
		return NULL;
	memory->checkpoint = checkpoint;
	memory->partition = partition;
	memory->ceiling = ceiling > 0 ? ceiling : 1;
	if (!slots_make(memory, 64, false)) {
		memory_free(memory);
		return NULL;
	}
	return memory;
}

void memory_free(struct memory *memory)
{
	if (memory == NULL)
		return;
	for (size_t i = 0; i < memory->slot_count; i++)
		free(memory->slots[i]);
	free(memory->slots);
	free(memory->scopes);
	free(memory);
}

/* ---- asking ---- */

int memory_find(struct memory *memory, uint32_t scope, struct hash128 key,
    struct memory_entry **ret, struct error *error)
{
	int code = 0;

	*ret = memory_known(memory, key);
	if (*ret != NULL)
		return 0;
	struct memory_entry *entry = entry_add(memory, scope, key);

	if (entry == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	if (memory->checkpoint != NULL)
		code = memory_row_read(memory, key, &entry->row, &entry->there, error);
	entry->stored = entry->there;
	*ret = entry;
	return code;
}

void memory_touch(struct memory *memory, struct memory_entry *entry)
{
	entry->there = true;
	if (entry->dirty)
		return;
	entry->dirty = true;
	entry->next_dirty = memory->dirty;
	memory->dirty = entry;
}

int memory_scope(struct memory *memory, uint64_t name, int64_t within_ns, uint32_t *ret,
    struct error *error)
{
	int code = memory_scopes_read(memory, error);

	if (code < 0)
		return code;
	for (*ret = 0; *ret < memory->scope_count && memory->scopes[*ret].name != name; ++*ret)
		;
	if (*ret == memory->scope_count &&
	    memory_scope_add(memory, &(struct scope){.name = name, .due_ns = INT64_MAX}) == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	struct scope *scope = &memory->scopes[*ret];

	/* What stands in the order is looked at when its time has come, and goes by this. */
	if (scope->within_ns != within_ns) {
		scope->within_ns = within_ns;
		scope->dirty = true;
	}
	return 0;
}

/* ---- the transaction ---- */

static int dirty_write(struct memory *memory, struct error *error)
{
	int code = 0;

	while (code == 0 && memory->dirty != NULL) {
		struct memory_entry *entry = memory->dirty;

		memory->dirty = entry->next_dirty;
		entry->dirty = false;
		code = memory_row_write(memory, entry, error);
	}
	return code;
}

static size_t cache_max(const struct memory *memory)
{
	size_t some = memory->ceiling < CACHE_MAX ? memory->ceiling : CACHE_MAX;

	return some > CACHE_MIN ? some : CACHE_MIN;
}

int memory_commit(struct memory *memory, int64_t now_ns,
    int (*lost)(void *context, struct memory_loss *loss), void *context, struct error *error)
{
	int code = 0;

	if (memory->checkpoint == NULL)
		return 0;
	code = memory_scopes_read(memory, error);
	if (code == 0)
		code = dirty_write(memory, error);
	for (uint32_t i = 0; code == 0 && i < memory->scope_count; i++) {
		struct scope *scope = &memory->scopes[i];
		struct memory_loss loss = {i, scope->evicted, scope->told_ns};

		code = memory_trim(memory, scope, now_ns, error);
		if (code == 0 && scope->evicted > loss.evicted) {
			loss.evicted = scope->evicted;
			code = lost(context, &loss);
			scope->told_ns = loss.told_ns;
		}
		if (code == 0 && scope->dirty)
			code = memory_scope_write(memory, scope, error);
	}
	if (code == 0 && memory->count > cache_max(memory) && !slots_make(memory, 64, true))
		code = error_set(error, ERR_MEMORY, TEXT_base_memory);
	return code;
}

void memory_stats(const struct memory *memory, struct memory_stats *ret)
{
	*ret = (struct memory_stats){.expired = memory->expired, .damaged = memory->damaged};
	for (uint32_t i = 0; i < memory->scope_count; i++) {
		ret->rows += memory->scopes[i].rows;
		ret->evicted += memory->scopes[i].evicted;
	}
}
