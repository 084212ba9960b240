/*
 * window_order.h - the windows of each correlation in the order of their last touch, and which of
 * all was touched longest ago. A touch costs the same however many windows and rules there are.
 */
#ifndef TOCSIN_CORRELATOR_WINDOW_ORDER_H
#define TOCSIN_CORRELATOR_WINDOW_ORDER_H

#include "correlator/pool.h"

struct window;

struct window_order {
	struct window_list {
		uint32_t newest, oldest;
		uint64_t touched;  /* of the oldest */
		uint32_t place;    /* in the heap, from 1 on; 0: the list is empty */
	} *lists;
	uint32_t *heap;            /* lists that are not empty, by touched; from 1 on */
	uint32_t list_count, heap_count;
	uint64_t touches;
	const struct pool *pool; /* of the windows */
};

#define ORDER_LISTS_MAX (UINT32_C(1) << 20)

bool order_begin(struct window_order *order, uint32_t lists, const struct pool *pool);
void order_end(struct window_order *order);
/* A new window of that list, touched now. */
void order_put(struct window_order *order, uint32_t list, uint32_t number);
void order_touch(struct window_order *order, uint32_t number);
void order_take(struct window_order *order, uint32_t number);
/* Touched longest ago of all; POOL_NONE without one. */
uint32_t order_oldest(const struct window_order *order);

/*
 * The stamp of a window: when it was touched, what only its table knows, its list. The count of
 * touches has 36 bits; at its end, after days, all of them are halved.
 */
#define STAMP_TOUCH_BIT      28
#define STAMP_OWN_BIT        20
#define STAMP_LIST(stamp)    ((uint32_t)(stamp) & (ORDER_LISTS_MAX - 1))
#define STAMP_TOUCHED(stamp) ((stamp) >> STAMP_TOUCH_BIT)
#define STAMP_TOUCHES_MAX    (UINT64_MAX >> STAMP_TOUCH_BIT)
#define STAMP_REST           ((UINT64_C(1) << STAMP_TOUCH_BIT) - 1)

#endif
