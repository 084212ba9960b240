/*
 * Memory that is called for before it is needed. An update reads, one after the other, a bucket of
 * the index, a window, and its marks: each tells where the next one is. So a group of updates goes
 * through these stages side by side, and none of them waits.
 */
#include "correlator/mark_state.h"

void window_foresee_name(const struct window_table *table, const struct window_name *name)
{
	window_index_prefetch_bucket(&table->index, &name->hash);
}

static void line_prefetch(const struct window_table *table, uint32_t number, uint32_t line)
{
	__builtin_prefetch((const char *)pool_at(&table->pool, number) + (size_t)line * POOL_LINE,
	    1);
}

/* Most likely the window, without having read it. */
static const struct window *ask_window(const struct window_ask *ask)
{
	uint32_t number = ask->table != NULL
	    ? window_index_guess(&ask->table->index, &ask->name.hash) : POOL_NONE;
	const struct window *window = number != POOL_NONE
	    ? pool_at(&ask->table->pool, number) : NULL;

	if (window != NULL)
		__builtin_prefetch(window, 1);
	return window;
}

/* Its neighbours in the order of touch, and of its marks those that a feed is going to look at. */
static void ask_marks(const struct window_ask *ask, const struct window *window)
{
	const struct window_table *table = ask->table;
	uint32_t capacity = window_capacity(window);

	line_prefetch(table, window->newer, 0);
	line_prefetch(table, window->older, 0);
	if (window->count + UINT64_C(1) >= ask->fires)
		line_prefetch(table, window->text, 0);
	if (capacity == 0)
		return;
	if (window_is_chained(window)) {
		line_prefetch(table, window->links, 0);
	} else if (ask->renews) {
		for (uint32_t i = 0; i < capacity && i < 4; i++)
			line_prefetch(table, window->block, i);
	} else {
		/* The one that comes, and the one that is first when the first has gone. */
		line_prefetch(table, window->block, (window->first + 1) % capacity);
		line_prefetch(table, window->block, (window->first + window->count) % capacity);
	}
}

static void group_foresee(const struct window_ask *asks, size_t count)
{
	const struct window *windows[WINDOW_GROUP];

	for (size_t i = 0; i < count; i++)
		windows[i] = ask_window(&asks[i]);
	for (size_t i = 0; i < count; i++)
		if (windows[i] != NULL)
			ask_marks(&asks[i], windows[i]);
	for (size_t i = 0; i < count; i++)
		if (windows[i] != NULL && asks[i].renews && window_is_chained(windows[i]))
			chain_prefetch(windows[i], asks[i].value);
}

void window_foresee(const struct window_ask *asks, size_t count)
{
	for (size_t at = 0; at < count; at += WINDOW_GROUP)
		group_foresee(asks + at, count - at < WINDOW_GROUP ? count - at : WINDOW_GROUP);
}

void window_foresee_end(const struct window_table *table, const struct window *window)
{
	const struct window *next = window != NULL ? window_newer(window) : NULL;

	if (window == NULL)
		return;
	/* The window itself was called for when the one before it went. */
	line_prefetch(table, window->text, 0);
	window_index_prefetch_bucket(&table->index, &window->name);
	if (window_is_chained(window))
		line_prefetch(table, window->links, 0);
	if (next != NULL)
		__builtin_prefetch(next, 1);
}
