/*
 * The ordered buffer in front of the settled machine: a binary heap of detections, bounded by its
 * caller.
 */
#include <stdlib.h>
#include <string.h>

#include "correlator/correlate_state.h"

static int number_compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

int item_compare(const struct item *a, const struct item *b)
{
	if (a->event.time_ns != b->event.time_ns)
		return a->event.time_ns < b->event.time_ns ? -1 : 1;
	int order = coordinate_compare(a->event.at, b->event.at);

	if (order == 0)
		order = number_compare(a->correlation, b->correlation);
	if (order == 0)
		order = number_compare(b->step, a->step);
	return order;
}

static char *text_take(char *at, struct str *s)
{
	if (s->len > 0)
		memcpy(at, s->ptr, s->len);
	s->ptr = at;
	return at + s->len;
}

struct item *item_new(const struct completion *event, struct str key)
{
	struct item *item =
	    calloc(1, sizeof(*item) + key.len + event->agency.len + event->host.len);

	if (item == NULL)
		return NULL;
	item->event = *event;
	item->key = key;
	char *at = text_take(item->text, &item->key);

	at = text_take(at, &item->event.agency);
	text_take(at, &item->event.host);
	return item;
}

void item_name(const struct correlate *correlate, struct item *item)
{
	const struct rule *rule = ruleset_rule(correlate->options.ruleset, item->correlation);

	/* The tables of a process have one key. */
	if (rule->correlation != NULL && rule->correlation->course == COURSE_ARRIVAL)
		item->name = window_name(&correlate->settled, item->correlation, item->key);
}

static void pending_swap(struct correlate *correlate, size_t a, size_t b)
{
	struct item *item = correlate->pending[a];

	correlate->pending[a] = correlate->pending[b];
	correlate->pending[b] = item;
}

static bool pending_before(const struct correlate *correlate, size_t a, size_t b)
{
	return item_compare(correlate->pending[a], correlate->pending[b]) < 0;
}

bool pending_put(struct correlate *correlate, struct item *item)
{
	if (correlate->pending_count == correlate->pending_capacity) {
		size_t capacity = correlate->pending_capacity * 2 + 64;
		struct item **pending = realloc(correlate->pending, capacity * sizeof(*pending));

		if (pending == NULL)
			return false;
		correlate->pending = pending;
		correlate->pending_capacity = capacity;
	}
	size_t at = correlate->pending_count++;

	correlate->pending[at] = item;
	for (; at > 0 && pending_before(correlate, at, (at - 1) / 2); at = (at - 1) / 2)
		pending_swap(correlate, at, (at - 1) / 2);
	return true;
}

struct item *pending_take(struct correlate *correlate)
{
	struct item *item = correlate->pending[0];
	size_t count = --correlate->pending_count;
	size_t at = 0;

	correlate->pending[0] = correlate->pending[count];
	for (;;) {
		size_t least = at, left = 2 * at + 1;

		if (left < count && pending_before(correlate, left, least))
			least = left;
		if (left + 1 < count && pending_before(correlate, left + 1, least))
			least = left + 1;
		if (least == at)
			return item;
		pending_swap(correlate, at, least);
		at = least;
	}
}

/* The heap has just compared these: they are near. The first is next, one of two after it. */
void pending_prefetch(const struct correlate *correlate)
{
	const struct window_table *table = &correlate->settled;

	if (correlate->pending_count > 0)
		window_prefetch(table, &correlate->pending[0]->name);
	for (size_t i = 1; i < 3 && i < correlate->pending_count; i++)
		window_prefetch_index(table, &correlate->pending[i]->name);
}
