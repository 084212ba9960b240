#include "correlator/window_order.h"

#include <stdlib.h>

#include "base/check.h"
#include "correlator/window.h"

bool order_begin(struct window_order *order, uint32_t lists, const struct pool *pool)
{
	*order = (struct window_order){.list_count = lists, .pool = pool};
	if (lists > ORDER_LISTS_MAX)
		return false;
	order->lists = calloc((size_t)lists + 1, sizeof(*order->lists));
	order->heap = calloc((size_t)lists + 1, sizeof(*order->heap));
	return order->lists != NULL && order->heap != NULL;
}

void order_end(struct window_order *order)
{
	free(order->lists);
	free(order->heap);
	*order = (struct window_order){.pool = order->pool};
}

static struct window *window_at(const struct window_order *order, uint32_t number)
{
	return pool_at(order->pool, number);
}

/* ---- which list has the oldest: a heap ---- */

static uint64_t heap_key(const struct window_order *order, uint32_t place)
{
	return order->lists[order->heap[place]].touched;
}

static void heap_set(struct window_order *order, uint32_t place, uint32_t list)
{
	order->heap[place] = list;
	order->lists[list].place = place;
}

static void heap_swap(struct window_order *order, uint32_t a, uint32_t b)
{
	uint32_t list = order->heap[a];

	heap_set(order, a, order->heap[b]);
	heap_set(order, b, list);
}

static void heap_mend(struct window_order *order, uint32_t place)
{
	while (place > 1 && heap_key(order, place) < heap_key(order, place / 2)) {
		heap_swap(order, place, place / 2);
		place /= 2;
	}
	for (;;) {
		uint32_t least = place, left = 2 * place;

		if (left <= order->heap_count && heap_key(order, left) < heap_key(order, least))
			least = left;
		if (left < order->heap_count &&
		    heap_key(order, left + 1) < heap_key(order, least))
			least = left + 1;
		if (least == place)
			return;
		heap_swap(order, place, least);
		place = least;
	}
}

/* The list has another oldest window, or the same with another stamp, or none. */
static void heap_tell(struct window_order *order, struct window_list *list)
{
	uint32_t place = list->place;

	if (list->oldest != POOL_NONE) {
		list->touched = STAMP_TOUCHED(window_at(order, list->oldest)->stamp);
		if (place == 0)
			heap_set(order, place = ++order->heap_count,
			    (uint32_t)(list - order->lists));
		heap_mend(order, place);
		return;
	}
	list->place = 0;
	uint32_t last = order->heap[order->heap_count--];

	if (place <= order->heap_count) {
		heap_set(order, place, last);
		heap_mend(order, place);
	}
}

/* ---- lists ---- */

static void list_take(struct window_order *order, struct window_list *list,
    const struct window *window)
{
	if (window->newer != POOL_NONE)
		window_at(order, window->newer)->older = window->older;
	else
		list->newest = window->older;
	if (window->older != POOL_NONE)
		window_at(order, window->older)->newer = window->newer;
	else
		list->oldest = window->newer;
}

static void list_put(struct window_order *order, struct window_list *list, struct window *window,
    uint32_t number)
{
	window->newer = POOL_NONE;
	window->older = list->newest;
	if (list->newest != POOL_NONE)
		window_at(order, list->newest)->newer = number;
	else
		list->oldest = number;
	list->newest = number;
}

/* The count of touches is at its end, after years: what is told apart from now on is coarser. */
static void stamps_halve(struct window_order *order)
{
	for (uint32_t i = 0; i < order->list_count; i++) {
		struct window_list *list = &order->lists[i];

		struct window *window;

		list->touched /= 2;
		for (uint32_t at = list->oldest; at != POOL_NONE; at = window->newer) {
			window = window_at(order, at);
			window->stamp = STAMP_TOUCHED(window->stamp) / 2 << STAMP_TOUCH_BIT |
			    (window->stamp & STAMP_REST);
		}
	}
	order->touches /= 2;
}

static void window_stamp(struct window_order *order, struct window *window)
{
	if (order->touches == STAMP_TOUCHES_MAX)
		stamps_halve(order);
	window->stamp = order->touches++ << STAMP_TOUCH_BIT | (window->stamp & STAMP_REST);
}

void order_put(struct window_order *order, uint32_t list, uint32_t number)
{
	struct window *window = window_at(order, number);

	CHECK(list < order->list_count);
	window->stamp = list;
	window_stamp(order, window);
	list_put(order, &order->lists[list], window, number);
	if (order->lists[list].oldest == number)
		heap_tell(order, &order->lists[list]);
}

void order_touch(struct window_order *order, uint32_t number)
{
	struct window *window = window_at(order, number);
	struct window_list *list = &order->lists[STAMP_LIST(window->stamp)];
	bool was_oldest = list->oldest == number;

	window_stamp(order, window);
	if (list->newest != number) {
		list_take(order, list, window);
		list_put(order, list, window, number);
	}
	if (was_oldest)
		heap_tell(order, list);
}

void order_take(struct window_order *order, uint32_t number)
{
	struct window *window = window_at(order, number);
	struct window_list *list = &order->lists[STAMP_LIST(window->stamp)];
	bool was_oldest = list->oldest == number;

	list_take(order, list, window);
	if (was_oldest)
		heap_tell(order, list);
}

uint32_t order_oldest(const struct window_order *order)
{
	return order->heap_count > 0 ? order->lists[order->heap[1]].oldest : POOL_NONE;
}
