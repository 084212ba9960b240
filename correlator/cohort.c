#include "correlator/cohort.h"

#include <stdlib.h>
#include <string.h>

#include "correlator/pattern.h"
#include "correlator/tally.h"

#define BUCKETS_FIRST 64u

bool cohort_table_begin(struct cohort_table *table, size_t ceiling)
{
	*table = (struct cohort_table){.ceiling = ceiling > 0 ? ceiling : 1,
	    .bucket_count = BUCKETS_FIRST, .key = hash_process_key()};
	table->buckets = calloc(BUCKETS_FIRST, sizeof(*table->buckets));
	return table->buckets != NULL;
}

static void cohort_free(struct cohort *cohort)
{
	tally_free(cohort->tally);
	pattern_free(cohort->pattern);
	free(cohort);
}

void cohort_table_end(struct cohort_table *table)
{
	struct cohort *newer;

	for (struct cohort *cohort = table->oldest; cohort != NULL; cohort = newer) {
		newer = cohort->newer;
		cohort_free(cohort);
	}
	free(table->buckets);
	free(table->heap);
	*table = (struct cohort_table){0};
}

/* ---- which is due next ---- */

static int cohort_compare(const struct cohort *a, const struct cohort *b)
{
	if (a->due_ns != b->due_ns)
		return a->due_ns < b->due_ns ? -1 : 1;
	if (a->depth != b->depth)
		return a->depth < b->depth ? -1 : 1;
	if (a->correlation != b->correlation)
		return a->correlation < b->correlation ? -1 : 1;
	return str_compare(cohort_key(a), cohort_key(b));
}

static void heap_set(struct cohort_table *table, size_t place, struct cohort *cohort)
{
	table->heap[place] = cohort;
	cohort->place = (uint32_t)place;
}

static void heap_sift(struct cohort_table *table, struct cohort *cohort)
{
	size_t at = cohort->place;

	for (; at > 0 && cohort_compare(cohort, table->heap[(at - 1) / 2]) < 0; at = (at - 1) / 2)
		heap_set(table, at, table->heap[(at - 1) / 2]);
	for (size_t child; (child = 2 * at + 1) < table->count; at = child) {
		if (child + 1 < table->count &&
		    cohort_compare(table->heap[child + 1], table->heap[child]) < 0)
			child++;
		if (cohort_compare(cohort, table->heap[child]) <= 0)
			break;
		heap_set(table, at, table->heap[child]);
	}
	heap_set(table, at, cohort);
}

static bool heap_reserve(struct cohort_table *table)
{
	size_t capacity = table->heap_capacity * 2 + 64;

	if (table->count < table->heap_capacity)
		return true;
	struct cohort **heap = realloc(table->heap, capacity * sizeof(struct cohort *));

	if (heap == NULL)
		return false;
	table->heap = heap;
	table->heap_capacity = capacity;
	return true;
}

/* After the count went down. */
static void heap_take(struct cohort_table *table, const struct cohort *cohort)
{
	struct cohort *last = table->heap[table->count];

	if (last == cohort)
		return;
	heap_set(table, cohort->place, last);
	heap_sift(table, last);
}

void cohort_set_due(struct cohort_table *table, struct cohort *cohort, int64_t due_ns)
{
	if (cohort->due_ns == due_ns)
		return;
	cohort->due_ns = due_ns;
	heap_sift(table, cohort);
}

struct cohort *cohort_due(const struct cohort_table *table, int64_t now_ns)
{
	return table->count > 0 && table->heap[0]->due_ns <= now_ns ? table->heap[0] : NULL;
}

/* ---- the table ---- */

static struct cohort **bucket_of(const struct cohort_table *table, uint64_t hash)
{
	return &table->buckets[hash & (table->bucket_count - 1)];
}

static void list_take(struct cohort_table *table, struct cohort *cohort)
{
	*(cohort->newer != NULL ? &cohort->newer->older : &table->newest) = cohort->older;
	*(cohort->older != NULL ? &cohort->older->newer : &table->oldest) = cohort->newer;
}

static void list_put(struct cohort_table *table, struct cohort *cohort)
{
	cohort->newer = NULL;
	cohort->older = table->newest;
	*(table->newest != NULL ? &table->newest->newer : &table->oldest) = cohort;
	table->newest = cohort;
}

void cohort_remove(struct cohort_table *table, struct cohort *cohort)
{
	struct cohort **at = bucket_of(table, cohort->hash);

	while (*at != cohort)
		at = &(*at)->chain;
	*at = cohort->chain;
	list_take(table, cohort);
	table->count--;
	table->bytes -= cohort->bytes;
	heap_take(table, cohort);
	cohort_free(cohort);
}

/* Without memory for more buckets the chains only get longer. */
static void table_grow(struct cohort_table *table)
{
	size_t count = table->bucket_count * 2;
	struct cohort **buckets = calloc(count, sizeof(struct cohort *));

	if (buckets == NULL)
		return;
	free(table->buckets);
	table->buckets = buckets;
	table->bucket_count = count;
	for (struct cohort *cohort = table->oldest; cohort != NULL; cohort = cohort->newer) {
		struct cohort **bucket = bucket_of(table, cohort->hash);

		cohort->chain = *bucket;
		*bucket = cohort;
	}
}

static void table_evict(struct cohort_table *table)
{
	cohort_remove(table, table->oldest);
	table->evicted++;
}

static struct cohort *cohort_make(struct cohort_table *table, uint64_t hash, struct str key)
{
	struct cohort *cohort = heap_reserve(table) ? calloc(1, sizeof(*cohort) + key.len) : NULL;

	if (cohort == NULL)
		return NULL;
	cohort->hash = hash;
	cohort->due_ns = INT64_MAX;
	cohort->key_len = (uint32_t)key.len;
	if (key.len > 0)
		memcpy(cohort->key, key.ptr, key.len);
	if (table->count >= table->ceiling)
		table_evict(table);
	if (table->count >= table->bucket_count)
		table_grow(table);
	return cohort;
}

struct cohort *cohort_get(struct cohort_table *table, uint32_t correlation, uint32_t depth,
    struct str key)
{
	struct hash_key mixed = {table->key.k0 ^ correlation, table->key.k1};
	uint64_t hash = hash_sip64(mixed, key);
	struct cohort *cohort = *bucket_of(table, hash);

	while (cohort != NULL && (cohort->hash != hash || cohort->correlation != correlation ||
	    !str_eq(cohort_key(cohort), key)))
		cohort = cohort->chain;
	if (cohort != NULL) {
		list_take(table, cohort);
		list_put(table, cohort);
		return cohort;
	}
	if ((cohort = cohort_make(table, hash, key)) == NULL)
		return NULL;
	cohort->correlation = correlation;
	cohort->depth = depth;
	cohort->chain = *bucket_of(table, hash);
	*bucket_of(table, hash) = cohort;
	list_put(table, cohort);
	heap_set(table, table->count++, cohort);
	heap_sift(table, cohort);
	return cohort;
}

void cohort_weigh(struct cohort_table *table, struct cohort *cohort, size_t bytes)
{
	table->bytes += bytes - cohort->bytes;
	cohort->bytes = bytes;
	while (table->bytes / COHORT_BYTES > table->ceiling && table->oldest != cohort)
		table_evict(table);
}
