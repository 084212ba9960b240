/*
 * The marks of one window, in the order of (time, coordinate).
 */
#include <string.h>

#include "base/check.h"
#include "correlator/mark_state.h"

#define WALKED_MAX 4u /* marks of a window that are compared in turn, not looked up by value */

_Static_assert(sizeof(struct place) == POOL_LINE, "a mark is a cache line");

int mark_compare(const struct mark *a, const struct mark *b)
{
	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns ? -1 : 1;
	return coordinate_compare(a->at, b->at);
}

/* ---- places ---- */

/* Few marks have parts, and those are shared: a place holds the number of a block that has the
 * pointer. */
static struct parts *parts_at(const struct window_table *table, uint32_t number)
{
	return number != POOL_NONE ? *(struct parts **)pool_at(&table->pool, number) : NULL;
}

bool place_fill(struct window *window, struct place *place, const struct mark *mark)
{
	struct window_table *table = window_table_of(window);
	uint32_t parts = POOL_NONE;

	CHECK(mark->rule < PLACE_USED);
	if (mark->parts != NULL) {
		parts = pool_take(&table->pool, sizeof(struct parts *));
		if (parts == POOL_NONE)
			return false;
		*(struct parts **)pool_at(&table->pool, parts) = parts_share(mark->parts);
		window->stamp |= STAMP_PARTS;
	}
	place->time_ns = mark->time_ns;
	place->at = mark->at;
	place->offset = mark->position.offset;
	place->value = mark->value;
	place->partition = mark->position.partition;
	place->index = mark->position.index;
	place->rule = mark->rule | (mark->used ? PLACE_USED : 0);
	place->parts = parts;
	return true;
}

void place_empty(const struct window *window, struct place *place)
{
	struct window_table *table = window_table_of(window);

	if ((window->stamp & STAMP_PARTS) == 0 || place->parts == POOL_NONE)
		return;
	parts_release(parts_at(table, place->parts));
	pool_give(&table->pool, place->parts, sizeof(struct parts *));
	place->parts = POOL_NONE;
}

struct mark place_mark(const struct window_table *table, const struct place *place)
{
	return (struct mark){.time_ns = place->time_ns, .at = place->at,
	    .position = {place->partition, place->offset, place->index}, .value = place->value,
	    .rule = place->rule & ~PLACE_USED, .used = (place->rule & PLACE_USED) != 0,
	    .parts = parts_at(table, place->parts)};
}

int place_compare(const struct place *place, const struct mark *mark)
{
	if (place->time_ns != mark->time_ns)
		return place->time_ns < mark->time_ns ? -1 : 1;
	return coordinate_compare(place->at, mark->at);
}

static uint32_t ring_at(const struct window *window, uint32_t index)
{
	uint32_t capacity = window_capacity(window), left = capacity - window->first;

	return index < left ? window->first + index : index - left;
}

/* In their order, to a block of their own. */
static void places_copy(struct place *to, const struct window *window)
{
	const struct place *from = window_places(window_table_of(window), window);

	if (window_is_chained(window)) {
		for (uint32_t at = chain_first(window); at != CHAIN_END;
		     at = chain_newer(window, at))
			*to++ = from[at - 1];
		return;
	}
	uint32_t capacity = window_capacity(window);
	uint32_t till_end = capacity - window->first;
	uint32_t first = window->count < till_end ? window->count : till_end;

	memcpy(to, from + window->first, first * sizeof(*to));
	memcpy(to + first, from, (window->count - first) * sizeof(*to));
}

static void places_give(struct window_table *table, struct window *window)
{
	uint32_t capacity = window_capacity(window);

	if (capacity == 0)
		return;
	if (window_is_chained(window))
		pool_give(&table->pool, window->links, chain_size(capacity));
	pool_give(&table->pool, window->block, capacity * sizeof(struct place));
	window->block = window->first = 0;
}

/* To a new block that has room for as many as step says. False without memory. */
static bool places_move(struct window *window, uint64_t step, bool chained)
{
	struct window_table *table = window_table_of(window);
	struct window wanted = {.stamp = step << STAMP_OWN_BIT};
	uint32_t capacity = window_capacity(&wanted);
	size_t size = (size_t)capacity * sizeof(struct place);
	uint32_t links = POOL_NONE, block = pool_take(&table->pool, size);

	if (block == POOL_NONE)
		return false;
	if (chained && (links = pool_take(&table->pool, chain_size(capacity))) == POOL_NONE) {
		pool_give(&table->pool, block, size);
		return false;
	}
	if (window->count > 0)
		places_copy(pool_at(&table->pool, block), window);
	places_give(table, window);
	window->stamp &= ~(STAMP_CAPACITY | STAMP_CHAINED);
	window->stamp |= wanted.stamp;
	window->block = block;
	window->first = 0;
	if (chained)
		chain_build(window, links);
	table->cursor.window = POOL_NONE;
	return true;
}

static uint64_t window_step(const struct window *window)
{
	return (window->stamp & STAMP_CAPACITY) >> STAMP_OWN_BIT;
}

static bool chain_begin(struct window *window)
{
	return window_is_chained(window) || places_move(window, window_step(window), true);
}

/*
 * Room for one more. At the ceiling what was touched longest ago makes it; a window that has all of
 * it to itself loses its first mark. False without memory.
 */
static bool place_reserve(struct window *window)
{
	struct window_table *table = window_table_of(window);
	uint32_t capacity = window_capacity(window);

	if (window->count < capacity)
		return true;
	/* The links are less than a quarter of it. */
	size_t more = ((size_t)capacity * 2 + 4) * sizeof(struct place) * 5 / 4;

	if (window_make_room(table, window, more) || capacity == 0)
		return places_move(window, window_step(window) + 1, window_is_chained(window));
	window_drop_first(window);
	table->evicted++;
	return true;
}

/* ---- by index ---- */

/* Of a chain, from the nearest of the first, the last, and the one that was asked for before. */
static uint32_t chain_at(const struct window *window, uint32_t index)
{
	struct window_cursor *cursor = &window_table_of(window)->cursor;
	uint32_t number = pool_number(window), from = 0, at = chain_first(window);

	if (window->count - 1 - index < index) {
		from = window->count - 1;
		at = chain_last(window);
	}
	if (cursor->window == number &&
	    (index > cursor->index ? index - cursor->index : cursor->index - index) <
	    (index > from ? index - from : from - index)) {
		from = cursor->index;
		at = cursor->at;
	}
	for (; from < index; from++)
		at = chain_newer(window, at);
	for (; from > index; from--)
		at = chain_older(window, at);
	*cursor = (struct window_cursor){number, index, at};
	return at;
}

static struct place *place_of(const struct window *window, uint32_t index)
{
	struct place *places = window_places(window_table_of(window), window);

	CHECK(index < window->count);
	return window_is_chained(window) ? &places[chain_at(window, index) - 1]
	    : &places[ring_at(window, index)];
}

struct mark window_mark(const struct window *window, uint32_t index)
{
	return place_mark(window_table_of(window), place_of(window, index));
}

bool window_mark_set(struct window *window, uint32_t index, const struct mark *mark)
{
	struct place *place = place_of(window, index), was = *place;

	CHECK(!window_is_chained(window));
	if (!place_fill(window, place, mark))
		return false;
	place_empty(window, &was);
	if (index == 0)
		window->first_ns = mark->time_ns;
	return true;
}

/* ---- putting in ---- */

/* How many there are before its place; *ret_late: it would be carried past too many. */
static uint32_t ring_place(const struct window *window, const struct mark *mark, bool *ret_late)
{
	const struct place *places = window_places(window_table_of(window), window);
	uint32_t at = window->count;

	*ret_late = false;
	while (at > 0 && place_compare(&places[ring_at(window, at - 1)], mark) > 0) {
		if (window->count - at == LATE_MAX) {
			*ret_late = true;
			break;
		}
		at--;
	}
	return at;
}

static bool ring_put(struct window *window, uint32_t before, const struct mark *mark)
{
	struct place *places = window_places(window_table_of(window), window);
	uint32_t behind = window->count;

	/* Behind all others there is a free place; what is filled there is carried from it. */
	if (!place_fill(window, &places[ring_at(window, behind)], mark))
		return false;
	window->count++;
	if (before < behind) {
		struct place place = places[ring_at(window, behind)];

		for (uint32_t at = behind; at > before; at--)
			places[ring_at(window, at)] = places[ring_at(window, at - 1)];
		places[ring_at(window, before)] = place;
	}
	if (before == 0)
		window->first_ns = mark->time_ns;
	return true;
}

static uint32_t chain_place(const struct window *window, const struct mark *mark, bool *ret_late)
{
	const struct place *places = window_places(window_table_of(window), window);
	uint32_t older = chain_last(window);

	*ret_late = false;
	for (uint32_t passed = 0; older != CHAIN_END && place_compare(&places[older - 1], mark) > 0;
	     passed++) {
		if (passed == LATE_MAX) {
			*ret_late = true;
			break;
		}
		older = chain_older(window, older);
	}
	return older;
}

static bool chain_put(struct window *window, uint32_t older, const struct mark *mark)
{
	struct window_table *table = window_table_of(window);

	if (!place_fill(window, &window_places(table, window)[chain_spare(window) - 1], mark))
		return false;
	chain_link(window, older);
	window->count++;
	table->cursor.window = POOL_NONE;
	if (older == CHAIN_END)
		window->first_ns = mark->time_ns;
	return true;
}

bool window_append(struct window *window, const struct mark *mark)
{
	if (!place_reserve(window))
		return false;
	return window_is_chained(window) ? chain_put(window, chain_last(window), mark)
	    : ring_put(window, window->count, mark);
}

bool window_insert(struct window *window, const struct mark *mark)
{
	bool chained, late = false, done;

	if (!place_reserve(window))
		return false;
	chained = window_is_chained(window);
	/* In order, as nearly always, no other mark is read. */
	if (window->count == 0 || mark->time_ns > window->latest_ns) {
		done = window_append(window, mark);
	} else {
		uint32_t place = chained ? chain_place(window, mark, &late)
		    : ring_place(window, mark, &late);

		if (late) {
			window_table_of(window)->marks_late++;
			return true;
		}
		done = chained ? chain_put(window, place, mark) : ring_put(window, place, mark);
	}
	if (done && (window->count == 1 || mark->time_ns > window->latest_ns))
		window->latest_ns = mark->time_ns;
	return done;
}

/* ---- taking out ---- */

static void ring_drop(struct window *window, uint32_t index)
{
	struct place *places = window_places(window_table_of(window), window);

	if ((window->stamp & STAMP_PARTS) != 0)
		place_empty(window, &places[ring_at(window, index)]);
	window->count--;
	if (index == 0) {
		window->first = ring_at(window, 1);
		return;
	}
	for (uint32_t at = index; at < window->count; at++)
		places[ring_at(window, at)] = places[ring_at(window, at + 1)];
}

static void chain_drop(struct window *window, uint32_t at)
{
	struct window_table *table = window_table_of(window);

	chain_unlink(window, at);
	place_empty(window, &window_places(table, window)[at - 1]);
	window->count--;
	table->cursor.window = POOL_NONE;
}

static void first_changed(struct window *window)
{
	const struct place *places = window_places(window_table_of(window), window);

	if (window->count > 0)
		window->first_ns = places[window_is_chained(window) ? chain_first(window) - 1
		    : window->first].time_ns;
}

void window_drop(struct window *window, uint32_t index)
{
	CHECK(index < window->count);
	if (window_is_chained(window))
		chain_drop(window, chain_at(window, index));
	else
		ring_drop(window, index);
	if (index == 0)
		first_changed(window);
}

void window_drop_first(struct window *window)
{
	window_drop(window, 0);
}

void window_drop_before(struct window *window, int64_t time_ns)
{
	while (window->count > 0 && window->first_ns < time_ns)
		window_drop_first(window);
}

void window_clear(struct window_table *table, struct window *window)
{
	struct place *places;

	if (window_capacity(window) == 0)
		return;
	places = window_places(table, window);
	if ((window->stamp & STAMP_PARTS) != 0 && window_is_chained(window))
		for (uint32_t at = chain_first(window); at != CHAIN_END;
		     at = chain_newer(window, at))
			place_empty(window, &places[at - 1]);
	else if ((window->stamp & STAMP_PARTS) != 0)
		for (uint32_t i = 0; i < window->count; i++)
			place_empty(window, &places[ring_at(window, i)]);
	places_give(table, window);
	window->count = 0;
	window->stamp &= ~(STAMP_CAPACITY | STAMP_CHAINED | STAMP_PARTS);
	table->cursor.window = POOL_NONE;
}

/* ---- distinct values ---- */

static enum renew_result chain_renew(struct window *window, const struct mark *mark)
{
	uint32_t known = chain_find(window, mark->value);

	if (known == CHAIN_END)
		return RENEW_DONE;
	const struct place *place = &window_places(window_table_of(window), window)[known - 1];

	if (place_compare(place, mark) >= 0)
		return RENEW_LATE;
	bool was_first = chain_first(window) == known;

	chain_drop(window, known);
	if (was_first)
		first_changed(window);
	return RENEW_DONE;
}

static enum renew_result ring_renew(struct window *window, const struct mark *mark)
{
	for (uint32_t i = 0; i < window->count; i++) {
		const struct place *place = place_of(window, i);

		if (place->value != mark->value)
			continue;
		if (place_compare(place, mark) >= 0)
			return RENEW_LATE;
		window_drop(window, i);
		break;
	}
	return RENEW_DONE;
}

enum renew_result window_renew(struct window *window, const struct mark *mark)
{
	/* Few marks are compared in turn; from there on they are found by their values. */
	if (window->count >= WALKED_MAX && !chain_begin(window))
		return RENEW_MEMORY;
	enum renew_result result = window_is_chained(window) ? chain_renew(window, mark)
	    : ring_renew(window, mark);

	if (result == RENEW_DONE && !window_insert(window, mark))
		return RENEW_MEMORY;
	return result;
}
