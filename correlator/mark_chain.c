/*
 * Chains: the marks of a window in order, and by their values, while their places stay where they
 * are. What is renewed costs the same however many there are.
 */
#include <string.h>

#include "base/check.h"
#include "correlator/mark_state.h"

/*
 * Four numbers a place, and in front four that close the ring of links: there NEWER is the first
 * mark and OLDER the last. They are bytes as long as places can be told by bytes, so that the
 * links of a usual window are one cache line.
 */
enum link {
	NEWER,
	OLDER,
	NEXT,   /* same bucket; in spare places the next of those, the first of which is in front */
	BUCKET, /* the first place of a bucket; as many buckets as places */
	LINKS
};

struct links {
	uint8_t *narrow;
	uint32_t *wide; /* one of the two is NULL */
};

static bool is_narrow(uint32_t capacity)
{
	return capacity <= UINT8_MAX;
}

size_t chain_size(uint32_t capacity)
{
	return ((size_t)capacity + 1) * LINKS *
	    (is_narrow(capacity) ? sizeof(uint8_t) : sizeof(uint32_t));
}

static struct links links_of(const struct window *window)
{
	void *at = pool_at(&window_table_of(window)->pool, window->links);

	return is_narrow(window_capacity(window)) ? (struct links){.narrow = at}
	    : (struct links){.wide = at};
}

static uint32_t link_get(struct links links, uint32_t at, enum link link)
{
	return links.narrow != NULL ? links.narrow[(size_t)at * LINKS + link]
	    : links.wide[(size_t)at * LINKS + link];
}

static void link_set(struct links links, uint32_t at, enum link link, uint32_t to)
{
	if (links.narrow != NULL)
		links.narrow[(size_t)at * LINKS + link] = (uint8_t)to;
	else
		links.wide[(size_t)at * LINKS + link] = to;
}

/* The name is a keyed hash: nobody can choose what falls into one bucket. */
static uint32_t bucket_of(const struct window *window, uint64_t value)
{
	uint64_t hash = (value + window->name.low) * UINT64_C(0x9e3779b97f4a7c15) >> 32;

	return 1 + (uint32_t)(hash * window_capacity(window) >> 32);
}

static struct place *place_at(const struct window *window, uint32_t at)
{
	return window_places(window_table_of(window), window) + at - 1;
}

uint32_t chain_first(const struct window *window)
{
	return link_get(links_of(window), 0, NEWER);
}

uint32_t chain_last(const struct window *window)
{
	return link_get(links_of(window), 0, OLDER);
}

uint32_t chain_newer(const struct window *window, uint32_t at)
{
	return link_get(links_of(window), at, NEWER);
}

uint32_t chain_older(const struct window *window, uint32_t at)
{
	return link_get(links_of(window), at, OLDER);
}

uint32_t chain_spare(const struct window *window)
{
	return link_get(links_of(window), 0, NEXT);
}

uint32_t chain_find(const struct window *window, uint64_t value)
{
	struct links links = links_of(window);
	uint32_t at = link_get(links, bucket_of(window, value), BUCKET);

	while (at != CHAIN_END && place_at(window, at)->value != value)
		at = link_get(links, at, NEXT);
	return at;
}

void chain_prefetch(const struct window *window, uint64_t value)
{
	struct links links = links_of(window);
	uint32_t at = link_get(links, bucket_of(window, value), BUCKET);
	uint32_t first = link_get(links, 0, NEWER);
	uint32_t second = link_get(links, first, NEWER);

	if (at == CHAIN_END)
		at = link_get(links, 0, NEXT);
	if (at != CHAIN_END)
		__builtin_prefetch(place_at(window, at), 1);
	if (first != CHAIN_END)
		__builtin_prefetch(place_at(window, first), 1);
	if (second != CHAIN_END)
		__builtin_prefetch(place_at(window, second), 1);
}

static void links_put(const struct window *window, struct links links, uint32_t older, uint32_t at)
{
	uint32_t bucket = bucket_of(window, place_at(window, at)->value);
	uint32_t newer = link_get(links, older, NEWER);

	link_set(links, at, OLDER, older);
	link_set(links, at, NEWER, newer);
	link_set(links, newer, OLDER, at);
	link_set(links, older, NEWER, at);
	link_set(links, at, NEXT, link_get(links, bucket, BUCKET));
	link_set(links, bucket, BUCKET, at);
}

void chain_link(struct window *window, uint32_t older)
{
	struct links links = links_of(window);
	uint32_t at = link_get(links, 0, NEXT);

	link_set(links, 0, NEXT, link_get(links, at, NEXT));
	links_put(window, links, older, at);
}

/* Out of its bucket. */
static void bucket_drop(const struct window *window, struct links links, uint32_t at)
{
	uint32_t before = bucket_of(window, place_at(window, at)->value);
	enum link link = BUCKET;

	for (uint32_t next; (next = link_get(links, before, link)) != at; before = next)
		link = NEXT;
	link_set(links, before, link, link_get(links, at, NEXT));
}

void chain_unlink(struct window *window, uint32_t at)
{
	struct links links = links_of(window);
	uint32_t newer = link_get(links, at, NEWER), older = link_get(links, at, OLDER);

	bucket_drop(window, links, at);
	link_set(links, older, NEWER, newer);
	link_set(links, newer, OLDER, older);
	link_set(links, at, NEXT, link_get(links, 0, NEXT));
	link_set(links, 0, NEXT, at);
}

void chain_build(struct window *window, uint32_t links_number)
{
	uint32_t capacity = window_capacity(window);

	window->links = links_number;
	window->stamp |= STAMP_CHAINED;
	struct links links = links_of(window);

	memset(pool_at(&window_table_of(window)->pool, links_number), 0, chain_size(capacity));
	for (uint32_t at = 1; at <= window->count; at++)
		links_put(window, links, at - 1, at);
	for (uint32_t at = capacity; at > window->count; at--) {
		link_set(links, at, NEXT, link_get(links, 0, NEXT));
		link_set(links, 0, NEXT, at);
	}
}
