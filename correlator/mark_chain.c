/*
 * Chains: the marks of a window in order, and by their values, while their places stay where they
 * are. What is renewed costs the same however many there are.
 */
#include <string.h>

#include "base/check.h"
#include "correlator/mark_state.h"

/* One a place, and in front one that closes the ring of links: its newer is the first mark. */
struct link {
	uint32_t newer, older;
	uint32_t next;     /* same bucket; in spare places the next of those, from links[0] on */
	uint32_t bucket;   /* the first place of a bucket; as many buckets as places */
};

size_t chain_size(uint32_t capacity)
{
	return ((size_t)capacity + 1) * sizeof(struct link);
}

static struct link *window_links(const struct window *window)
{
	return pool_at(&window_table_of(window)->pool, window->links);
}

static uint32_t *bucket_of(const struct window *window, struct link *links, uint64_t value)
{
	/* The name is a keyed hash: nobody can choose what falls into one bucket. */
	uint64_t hash = (value + window->name.low) * UINT64_C(0x9e3779b97f4a7c15) >> 32;

	return &links[1 + (hash * window_capacity(window) >> 32)].bucket;
}

static struct place *place_at(const struct window *window, uint32_t at)
{
	return window_places(window_table_of(window), window) + at - 1;
}

uint32_t chain_first(const struct window *window)
{
	return window_links(window)[0].newer;
}

uint32_t chain_last(const struct window *window)
{
	return window_links(window)[0].older;
}

uint32_t chain_newer(const struct window *window, uint32_t at)
{
	return window_links(window)[at].newer;
}

uint32_t chain_older(const struct window *window, uint32_t at)
{
	return window_links(window)[at].older;
}

uint32_t chain_spare(const struct window *window)
{
	return window_links(window)[0].next;
}

uint32_t chain_find(const struct window *window, uint64_t value)
{
	struct link *links = window_links(window);
	uint32_t at = *bucket_of(window, links, value);

	while (at != CHAIN_END && place_at(window, at)->value != value)
		at = links[at].next;
	return at;
}

static void links_put(const struct window *window, struct link *links, uint32_t older, uint32_t at)
{
	uint32_t *bucket = bucket_of(window, links, place_at(window, at)->value);

	links[at].older = older;
	links[at].newer = links[older].newer;
	links[links[older].newer].older = at;
	links[older].newer = at;
	links[at].next = *bucket;
	*bucket = at;
}

void chain_link(struct window *window, uint32_t older)
{
	struct link *links = window_links(window);
	uint32_t at = links[0].next;

	links[0].next = links[at].next;
	links_put(window, links, older, at);
}

void chain_unlink(struct window *window, uint32_t at)
{
	struct link *links = window_links(window);
	uint32_t *next = bucket_of(window, links, place_at(window, at)->value);

	while (*next != at)
		next = &links[*next].next;
	*next = links[at].next;
	links[links[at].older].newer = links[at].newer;
	links[links[at].newer].older = links[at].older;
	links[at].next = links[0].next;
	links[0].next = at;
}

void chain_build(struct window *window, uint32_t links_number, uint32_t capacity)
{
	struct link *links = pool_at(&window_table_of(window)->pool, links_number);

	memset(links, 0, chain_size(capacity));
	for (uint32_t at = 1; at <= window->count; at++)
		links_put(window, links, at - 1, at);
	for (uint32_t at = capacity; at > window->count; at--) {
		links[at].next = links[0].next;
		links[0].next = at;
	}
	window->links = links_number;
	window->stamp |= STAMP_CHAINED;
}
