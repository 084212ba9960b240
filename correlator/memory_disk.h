/*
 * memory_disk.h - a memory's rows in the checkpoint; private to memory*.c.
 */
#ifndef TOCSIN_CORRELATOR_MEMORY_DISK_H
#define TOCSIN_CORRELATOR_MEMORY_DISK_H

#include "correlator/memory.h"

struct scope {
	uint64_t name;
	int64_t within_ns;
	uint64_t rows, evicted;
	int64_t told_ns;
	int64_t due_ns; /* no row of it may go before; not stored */
	bool dirty;
};

struct memory {
	struct checkpoint *checkpoint;
	uint32_t partition;
	size_t ceiling; /* rows a scope */
	struct memory_entry **slots;
	size_t slot_count, count;
	struct memory_entry *dirty;
	struct scope *scopes;
	uint32_t scope_count;
	bool scopes_known;
	uint64_t expired, damaged;
};

/* The entry in memory, or NULL. */
struct memory_entry *memory_known(const struct memory *memory, struct hash128 key);
/* NULL without memory. Moves the scopes. */
struct scope *memory_scope_add(struct memory *memory, const struct scope *scope);

int memory_scopes_read(struct memory *memory, struct error *error);
int memory_scope_write(struct memory *memory, struct scope *scope, struct error *error);
int memory_row_read(struct memory *memory, struct hash128 key, struct memory_row *ret,
    bool *ret_there, struct error *error);
/* And, when it is new, when it may go. */
int memory_row_write(struct memory *memory, struct memory_entry *entry, struct error *error);
/* Lets go what is beyond the ceiling, and some of what has not been seen for long enough. */
int memory_trim(struct memory *memory, struct scope *scope, int64_t now_ns, struct error *error);

#endif
