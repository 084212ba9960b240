#include "correlator/window.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "correlator/mark_state.h"

#define BYTES_LEAST ((size_t)8 << 20) /* of a table, however low its ceiling is */

_Static_assert(sizeof(struct window) == 64, "a window is a cache line");

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

/* ---- birth and death of a table ---- */

bool window_table_begin(struct window_table *table, uint32_t rules, size_t ceiling)
{
	*table = (struct window_table){.ceiling = ceiling > 0 ? ceiling : 1,
	    .key = hash_process_key()};
	pool_begin(&table->pool, table);
	if (window_index_begin(&table->index, &table->pool) &&
	    order_begin(&table->order, rules, &table->pool))
		return true;
	window_table_end(table);
	return false;
}

static struct window *window_at(const struct window_table *table, uint32_t number)
{
	return number != POOL_NONE ? pool_at(&table->pool, number) : NULL;
}

/* ---- group values, their length in front ---- */

static size_t text_size(size_t len)
{
	return sizeof(uint32_t) + len;
}

static uint32_t text_put(struct window_table *table, struct str text)
{
	uint32_t number = pool_take(&table->pool, text_size(text.len));
	uint32_t len = (uint32_t)text.len;

	if (number == POOL_NONE)
		return POOL_NONE;
	char *at = pool_at(&table->pool, number);

	memcpy(at, &len, sizeof(len));
	if (len > 0)
		memcpy(at + sizeof(len), text.ptr, len);
	return number;
}

struct str window_key(const struct window *window)
{
	const char *at = pool_at(&window_table_of(window)->pool, window->text);
	uint32_t len;

	memcpy(&len, at, sizeof(len));
	return str_from(at + sizeof(len), len);
}

static void text_drop(struct window_table *table, uint32_t number)
{
	uint32_t len;

	memcpy(&len, pool_at(&table->pool, number), sizeof(len));
	pool_give(&table->pool, number, text_size(len));
}

/* What it holds besides itself. */
static void window_empty(struct window_table *table, struct window *window)
{
	docket_free(window_docket(window));
	window_clear(table, window);
	text_drop(table, window->text);
}

void window_table_end(struct window_table *table)
{
	struct window *newer;

	for (uint32_t i = 0; table->order.lists != NULL && i < table->order.list_count; i++)
		for (struct window *window = window_oldest(table, i); window != NULL;
		     window = newer) {
			newer = window_newer(window);
			docket_free(window_docket(window));
			window_clear(table, window);
		}
	window_index_end(&table->index);
	order_end(&table->order);
	pool_end(&table->pool);
	*table = (struct window_table){0};
}

/* ---- finding ---- */

struct window_name window_name(const struct window_table *table, uint32_t correlation,
    struct str key)
{
	struct hash_key mixed = {table->key.k0 ^ correlation, table->key.k1};

	return (struct window_name){hash_sip128(mixed, key), correlation};
}

struct window *window_find(const struct window_table *table, uint32_t correlation, struct str key)
{
	struct window_name name = window_name(table, correlation, key);

	return window_at(table, window_index_find(&table->index, &name.hash));
}

/* ---- taking out ---- */

void window_remove(struct window_table *table, struct window *window)
{
	uint32_t number = pool_number(window);

	window_empty(table, window);
	window_index_drop(&table->index, &window->name, number);
	order_take(&table->order, number);
	pool_give(&table->pool, number, sizeof(*window));
	table->count--;
}

static void window_evict(struct window_table *table, struct window *window)
{
	window_remove(table, window);
	table->evicted++;
}

bool window_make_room(struct window_table *table, const struct window *keep, size_t bytes)
{
	size_t most = table->ceiling * WINDOW_BYTES;

	most = most > BYTES_LEAST ? most : BYTES_LEAST;
	while (table->pool.taken + bytes > most && table->count > 0) {
		struct window *oldest = window_at(table, order_oldest(&table->order));

		if (oldest == keep)
			return false;
		window_evict(table, oldest);
	}
	return true;
}

void window_expire(struct window_table *table, uint32_t correlation, int64_t before_ns)
{
	struct window *window;

	while ((window = window_oldest(table, correlation)) != NULL &&
	    window->latest_ns < before_ns) {
		window_foresee_end(table, window_newer(window));
		window_remove(table, window);
	}
}

/* ---- putting in ---- */

static uint32_t window_make(struct window_table *table, const struct window_name *name,
    struct str key)
{
	if (table->count >= table->ceiling)
		window_evict(table, window_at(table, order_oldest(&table->order)));
	(void)window_make_room(table, NULL, sizeof(struct window) + pool_size(text_size(key.len)));
	uint32_t number = pool_take(&table->pool, sizeof(struct window));
	uint32_t text = number != POOL_NONE ? text_put(table, key) : POOL_NONE;

	if (text == POOL_NONE) {
		if (number != POOL_NONE)
			pool_give(&table->pool, number, sizeof(struct window));
		return POOL_NONE;
	}
	struct window *window = window_at(table, number);

	*window = (struct window){.name = name->hash, .latest_ns = INT64_MIN, .text = text};
	if (window_index_put(&table->index, &name->hash, number)) {
		order_put(&table->order, name->correlation, number);
		table->count++;
		return number;
	}
	text_drop(table, text);
	pool_give(&table->pool, number, sizeof(struct window));
	return POOL_NONE;
}

struct window *window_get_named(struct window_table *table, const struct window_name *name,
    struct str key)
{
	uint32_t number = window_index_find(&table->index, &name->hash);

	CHECK(name->correlation < table->order.list_count);
	if (number != POOL_NONE)
		order_touch(&table->order, number);
	else
		number = window_make(table, name, key);
	return window_at(table, number);
}

struct window *window_get(struct window_table *table, uint32_t correlation, struct str key)
{
	struct window_name name = window_name(table, correlation, key);

	return window_get_named(table, &name, key);
}

/* ---- one window ---- */

uint32_t window_correlation(const struct window *window)
{
	return STAMP_LIST(window->stamp);
}

struct window *window_oldest(const struct window_table *table, uint32_t correlation)
{
	return window_at(table, table->order.lists[correlation].oldest);
}

struct window *window_newer(const struct window *window)
{
	return window_at(window_table_of(window), window->newer);
}

uint64_t window_touched(const struct window *window)
{
	return STAMP_TOUCHED(window->stamp);
}

struct docket *window_docket(const struct window *window)
{
	return window_capacity(window) == 0 ? window->docket : NULL;
}

void window_docket_set(struct window *window, struct docket *docket)
{
	CHECK(window_capacity(window) == 0 && window->docket == NULL);
	window->docket = docket;
}

/* ---- what it costs ---- */

struct window_bytes window_table_bytes(const struct window_table *table)
{
	size_t windows = table->count * sizeof(struct window);

	for (uint32_t i = 0; i < table->order.list_count; i++)
		for (const struct window *window = window_oldest(table, i); window != NULL;
		     window = window_newer(window))
			if (window_is_chained(window))
				windows += pool_size(chain_size(window_capacity(window)));
	return (struct window_bytes){.state = windows + window_index_bytes(&table->index),
	    .evidence = table->pool.taken - windows,
	    .held = table->pool.held + window_index_bytes(&table->index)};
}

size_t window_table_distance(const struct window_table *table)
{
	size_t most = 0;

	for (uint32_t i = 0; i < table->order.list_count; i++)
		for (const struct window *window = window_oldest(table, i); window != NULL;
		     window = window_newer(window)) {
			size_t distance = window_index_distance(&table->index, &window->name);

			most = distance > most ? distance : most;
		}
	return most;
}
