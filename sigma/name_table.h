/*
 * name_table.h - numbers by name. Texts are borrowed.
 */
#ifndef TOCSIN_SIGMA_NAME_TABLE_H
#define TOCSIN_SIGMA_NAME_TABLE_H

#include "base/arena.h"

/* Open addressing by content hash; power of two, at most half full. All zero is empty. */
struct name_table {
	struct str *keys; /* ptr NULL: free */
	uint32_t *values;
	size_t size, count;
};

/* NULL when it is not there. */
uint32_t *name_table_find(const struct name_table *names, struct str key);
/* Adds or replaces. False without memory. */
bool name_table_put(struct arena *arena, struct name_table *names, struct str key, uint32_t value);

#endif
