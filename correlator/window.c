#include "correlator/window.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

#define BUCKETS_FIRST 64

struct parts *parts_share(struct parts *parts)
{
	if (parts != NULL)
		parts->references++;
	return parts;
}

void parts_release(struct parts *parts)
{
	if (parts != NULL && --parts->references == 0)
		free(parts);
}

int mark_compare(const struct mark *a, const struct mark *b)
{
	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns ? -1 : 1;
	return coordinate_compare(a->at, b->at);
}

/* ---- the ring of marks ---- */

static struct mark *mark_at(const struct window *window, uint32_t index)
{
	/* first and index lie below capacity, which is a power of two */
	return &window->marks[(window->first + index) & (window->capacity - 1)];
}

static bool window_reserve(struct window *window, uint32_t count)
{
	uint32_t capacity = window->capacity == 0 ? 1 : window->capacity;

	if (count <= window->capacity)
		return true;
	while (capacity < count)
		capacity *= 2;
	struct mark *marks = calloc(capacity, sizeof(*marks));

	if (marks == NULL)
		return false;
	for (uint32_t i = 0; i < window->count; i++)
		marks[i] = *mark_at(window, i);
	free(window->marks);
	window->marks = marks;
	window->capacity = capacity;
	window->first = 0;
	return true;
}

struct mark window_mark(const struct window *window, uint32_t index)
{
	return *mark_at(window, index);
}

void window_mark_set(struct window *window, uint32_t index, const struct mark *mark)
{
	struct parts *parts = parts_share(mark->parts);

	parts_release(mark_at(window, index)->parts);
	*mark_at(window, index) = *mark;
	mark_at(window, index)->parts = parts;
}

bool window_append(struct window *window, const struct mark *mark)
{
	if (!window_reserve(window, window->count + 1))
		return false;
	*mark_at(window, window->count++) = *mark;
	parts_share(mark->parts);
	return true;
}

enum renew_result window_renew(struct window *window, const struct mark *mark)
{
	for (uint32_t i = 0; i < window->count; i++) {
		const struct mark *known = mark_at(window, i);

		if (known->value != mark->value)
			continue;
		if (mark_compare(known, mark) >= 0)
			return RENEW_LATE;
		window_drop(window, i);
		break;
	}
	return window_insert(window, mark) ? RENEW_DONE : RENEW_MEMORY;
}

bool window_insert(struct window *window, const struct mark *mark)
{
	if (!window_reserve(window, window->count + 1))
		return false;
	uint32_t at = window->count++;

	for (; at > 0 && mark_compare(mark_at(window, at - 1), mark) > 0; at--)
		*mark_at(window, at) = *mark_at(window, at - 1);
	*mark_at(window, at) = *mark;
	parts_share(mark->parts);
	if (window->count == 1 || mark->time_ns > window->latest_ns)
		window->latest_ns = mark->time_ns;
	return true;
}

void window_drop_first(struct window *window)
{
	parts_release(mark_at(window, 0)->parts);
	window->first = (window->first + 1) & (window->capacity - 1);
	window->count--;
}

void window_drop(struct window *window, uint32_t index)
{
	parts_release(mark_at(window, index)->parts);
	for (uint32_t i = index; i + 1 < window->count; i++)
		*mark_at(window, i) = *mark_at(window, i + 1);
	window->count--;
}

void window_drop_before(struct window *window, int64_t time_ns)
{
	while (window->count > 0 && mark_at(window, 0)->time_ns < time_ns)
		window_drop_first(window);
}

/* ---- the docket ---- */

struct docket *window_docket(const struct window *window)
{
	return window->docket;
}

void window_docket_set(struct window *window, struct docket *docket)
{
	CHECK(window->docket == NULL && window->count == 0);
	window->docket = docket;
}

static bool docket_reserve(struct docket *docket)
{
	if (docket->early_first + docket->early_count < docket->early_capacity)
		return true;
	if (docket->early_first > docket->early_capacity / 2) {
		memmove(docket->earlies, docket->earlies + docket->early_first,
		    docket->early_count * sizeof(*docket->earlies));
		docket->early_first = 0;
		return true;
	}
	uint32_t capacity = docket->early_capacity * 2 + 4;
	struct early *earlies = realloc(docket->earlies, capacity * sizeof(*earlies));

	if (earlies == NULL)
		return false;
	docket->earlies = earlies;
	docket->early_capacity = capacity;
	return true;
}

bool docket_push(struct docket *docket, struct early early)
{
	if (docket->early_count == EARLIES_MAX) {
		docket->untracked = true;
		return true;
	}
	if (!docket_reserve(docket))
		return false;
	docket->earlies[docket->early_first + docket->early_count++] = early;
	return true;
}

const struct early *docket_at(const struct docket *docket, uint32_t index)
{
	return &docket->earlies[docket->early_first + index];
}

/* In order, as nearly always, it is the first. */
void docket_take(struct docket *docket, uint32_t index)
{
	struct early *at = docket->earlies + docket->early_first + index;

	docket->early_count--;
	if (index == 0)
		docket->early_first++;
	else
		memmove(at, at + 1, (docket->early_count - index) * sizeof(*at));
}

void docket_free(struct docket *docket)
{
	if (docket == NULL)
		return;
	free(docket->earlies);
	free(docket->last);
	free(docket);
}

/* ---- the table ---- */

uint32_t window_correlation(const struct window *window)
{
	return window->correlation;
}

size_t window_key_len(const struct window *window)
{
	return window->key_len;
}

void window_key_put(const struct window *window, struct buf *out)
{
	buf_str_put(out, str_from(window->key, window->key_len));
}

struct window *window_oldest(const struct window_table *table, uint32_t correlation)
{
	return table->lists[correlation].oldest;
}

struct window *window_newer(const struct window *window)
{
	return window->newer;
}

uint64_t window_touched(const struct window *window)
{
	return window->touched;
}

bool window_table_begin(struct window_table *table, uint32_t rules, size_t ceiling)
{
	*table = (struct window_table){.ceiling = ceiling > 0 ? ceiling : 1, .list_count = rules,
	    .bucket_count = BUCKETS_FIRST, .key = hash_process_key()};
	table->buckets = calloc(BUCKETS_FIRST, sizeof(*table->buckets));
	table->lists = calloc(rules + 1, sizeof(*table->lists));
	if (table->buckets != NULL && table->lists != NULL)
		return true;
	window_table_end(table);
	return false;
}

static void window_free(struct window *window)
{
	for (uint32_t i = 0; i < window->count; i++)
		parts_release(mark_at(window, i)->parts);
	docket_free(window->docket);
	free(window->marks);
	free(window);
}

void window_table_end(struct window_table *table)
{
	for (uint32_t i = 0; table->lists != NULL && i < table->list_count; i++) {
		struct window *next;

		for (struct window *window = table->lists[i].oldest; window != NULL;
		     window = next) {
			next = window->newer;
			window_free(window);
		}
	}
	free(table->buckets);
	free(table->lists);
	*table = (struct window_table){0};
}

static uint64_t window_hash(const struct window_table *table, uint32_t correlation, struct str key)
{
	struct hash_key mixed = {table->key.k0 ^ correlation, table->key.k1};

	return hash_sip64(mixed, key);
}

static struct window **bucket_of(const struct window_table *table, uint64_t hash)
{
	return &table->buckets[hash & (table->bucket_count - 1)];
}

static struct window *window_look(const struct window_table *table, uint64_t hash,
    uint32_t correlation, struct str key)
{
	for (struct window *window = *bucket_of(table, hash); window != NULL;
	     window = window->chain)
		if (window->hash == hash && window->correlation == correlation &&
		    str_eq(str_from(window->key, window->key_len), key))
			return window;
	return NULL;
}

struct window *window_find(const struct window_table *table, uint32_t correlation, struct str key)
{
	return window_look(table, window_hash(table, correlation, key), correlation, key);
}

static void list_take(struct window_list *list, struct window *window)
{
	*(window->newer != NULL ? &window->newer->older : &list->newest) = window->older;
	*(window->older != NULL ? &window->older->newer : &list->oldest) = window->newer;
}

static void list_put(struct window_list *list, struct window *window)
{
	window->newer = NULL;
	window->older = list->newest;
	*(list->newest != NULL ? &list->newest->newer : &list->oldest) = window;
	list->newest = window;
}

void window_remove(struct window_table *table, struct window *window)
{
	struct window **at = bucket_of(table, window->hash);

	while (*at != window)
		at = &(*at)->chain;
	*at = window->chain;
	list_take(&table->lists[window->correlation], window);
	table->count--;
	window_free(window);
}

/* Without memory for more buckets the chains only get longer. */
static void window_table_grow(struct window_table *table)
{
	size_t old_count = table->bucket_count;
	struct window **old = table->buckets;
	struct window **buckets = calloc(old_count * 2, sizeof(*buckets));

	if (buckets == NULL)
		return;
	table->buckets = buckets;
	table->bucket_count = old_count * 2;
	for (size_t i = 0; i < old_count; i++) {
		struct window *next;

		for (struct window *window = old[i]; window != NULL; window = next) {
			struct window **bucket = bucket_of(table, window->hash);

			next = window->chain;
			window->chain = *bucket;
			*bucket = window;
		}
	}
	free(old);
}

static void window_evict(struct window_table *table)
{
	struct window *oldest = NULL;

	for (uint32_t i = 0; i < table->list_count; i++) {
		struct window *window = table->lists[i].oldest;

		if (window != NULL && (oldest == NULL || window->touched < oldest->touched))
			oldest = window;
	}
	if (oldest == NULL)
		return;
	window_remove(table, oldest);
	table->evicted++;
}

static struct window *window_make(struct window_table *table, uint64_t hash, uint32_t correlation,
    struct str key)
{
	struct window *window = calloc(1, sizeof(*window) + key.len);

	if (window == NULL)
		return NULL;
	window->hash = hash;
	window->correlation = correlation;
	window->latest_ns = INT64_MIN;
	window->key_len = (uint32_t)key.len;
	if (key.len > 0)
		memcpy(window->key, key.ptr, key.len);
	if (table->count >= table->ceiling)
		window_evict(table);
	if (table->count >= table->bucket_count)
		window_table_grow(table);
	struct window **bucket = bucket_of(table, hash);

	window->chain = *bucket;
	*bucket = window;
	table->count++;
	return window;
}

struct window *window_get(struct window_table *table, uint32_t correlation, struct str key)
{
	CHECK(correlation < table->list_count);
	uint64_t hash = window_hash(table, correlation, key);
	struct window_list *list = &table->lists[correlation];
	struct window *window = window_look(table, hash, correlation, key);

	if (window != NULL)
		list_take(list, window);
	else if ((window = window_make(table, hash, correlation, key)) == NULL)
		return NULL;
	list_put(list, window);
	window->touched = table->touches++;
	return window;
}

void window_expire(struct window_table *table, uint32_t correlation, int64_t before_ns)
{
	struct window *window;

	while ((window = table->lists[correlation].oldest) != NULL && window->latest_ns < before_ns)
		window_remove(table, window);
}
