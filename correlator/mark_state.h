/*
 * mark_state.h - how a table keeps the marks of a window; for window.c, mark.c and mark_chain.c
 * alone.
 *
 * They lie in one block, a cache line each. Most windows are rings: the places follow one another
 * from first on. A window that tells its marks apart by their values (window_renew) has chains
 * beside the block: its places are in any order, and are found by their links and by their value.
 */
#ifndef TOCSIN_CORRELATOR_MARK_STATE_H
#define TOCSIN_CORRELATOR_MARK_STATE_H

#include "correlator/window.h"

struct place {
	int64_t time_ns;
	struct coordinate at;
	uint64_t offset, value;
	uint32_t partition, index;
	uint32_t rule;          /* and mark.used */
	uint32_t parts;         /* block that holds the pointer; POOL_NONE */
};

#define PLACE_USED (UINT32_C(1) << 31)
#define LATE_MAX   512u  /* marks that a late one is carried past */

/* What of window->stamp is the table's: how many places there are, and two flags. */
#define STAMP_CAPACITY (UINT64_C(63) << STAMP_OWN_BIT)
#define STAMP_CHAINED  (UINT64_C(64) << STAMP_OWN_BIT)
#define STAMP_PARTS    (UINT64_C(128) << STAMP_OWN_BIT) /* some mark has parts */

/* 0, 1, 4, 12, and then twice as many each time. */
static inline uint32_t window_capacity(const struct window *window)
{
	uint32_t step = (uint32_t)((window->stamp & STAMP_CAPACITY) >> STAMP_OWN_BIT);

	return step >= 3 ? UINT32_C(12) << (step - 3) : step == 2 ? 4 : step;
}

static inline struct window_table *window_table_of(const struct window *window)
{
	return pool_owner(window);
}

static inline struct place *window_places(const struct window_table *table,
    const struct window *window)
{
	return pool_at(&table->pool, window->block);
}

static inline bool window_is_chained(const struct window *window)
{
	return (window->stamp & STAMP_CHAINED) != 0;
}

/* ---- places ---- */

/* False without memory: then nothing has changed. The place held nothing. */
bool place_fill(struct window *window, struct place *place, const struct mark *mark);
void place_empty(const struct window *window, struct place *place);
struct mark place_mark(const struct window_table *table, const struct place *place);
int place_compare(const struct place *place, const struct mark *mark); /* as mark_compare */

/* ---- chains: of windows that are chained, by place ---- */

#define CHAIN_END 0u /* places are counted from 1 on */

/* Of places that are in order, from the first on. links: a block of that size. */
size_t chain_size(uint32_t capacity);
void chain_build(struct window *window, uint32_t links);
uint32_t chain_first(const struct window *window);
uint32_t chain_last(const struct window *window);
uint32_t chain_newer(const struct window *window, uint32_t at);
uint32_t chain_older(const struct window *window, uint32_t at);
uint32_t chain_find(const struct window *window, uint64_t value);
void chain_prefetch(const struct window *window, uint64_t value);
/* A place that nothing is in; CHAIN_END when all are full. */
uint32_t chain_spare(const struct window *window);
/* The spare place, filled, behind older. */
void chain_link(struct window *window, uint32_t older);
void chain_unlink(struct window *window, uint32_t at);

/* mark.c: all marks go. window.c: bytes fit under the ceiling, or what is oldest has gone. */
void window_clear(struct window_table *table, struct window *window);
/* window_ahead.c: what is read of the window when it goes, soon. NULL: nothing. */
void window_foresee_end(const struct window_table *table, const struct window *window);
bool window_make_room(struct window_table *table, const struct window *keep, size_t bytes);

#endif
