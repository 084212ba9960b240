#include "correlator/evidence.h"

#include <stdlib.h>
#include <string.h>

static int part_compare(const void *left, const void *right)
{
	const struct part *a = left, *b = right;
	int order = a->time_ns < b->time_ns ? -1 : a->time_ns > b->time_ns;

	if (order == 0)
		order = coordinate_compare(a->at, b->at);
	if (order == 0)
		order = a->rule < b->rule ? -1 : a->rule > b->rule;
	return order;
}

static size_t part_count(const struct window *window, uint64_t *ret_cut)
{
	size_t count = 0;

	*ret_cut = 0;
	for (uint32_t i = 0; i < window->count; i++) {
		const struct parts *inner = window_mark(window, i).parts;

		count += inner != NULL ? inner->count : 1;
		*ret_cut += inner != NULL ? inner->cut : 0;
	}
	return count;
}

static size_t parts_gather(const struct window *window, struct part *list)
{
	size_t count = 0;

	for (uint32_t i = 0; i < window->count; i++) {
		struct mark mark = window_mark(window, i);

		if (mark.parts == NULL) {
			list[count++] = (struct part){mark.time_ns, mark.at, mark.position,
			    mark.rule};
			continue;
		}
		memcpy(&list[count], mark.parts->list, mark.parts->count * sizeof(*list));
		count += mark.parts->count;
	}
	return count;
}

static size_t parts_distinct(struct part *list, size_t count)
{
	size_t kept = 0;

	qsort(list, count, sizeof(*list), part_compare);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || part_compare(&list[kept - 1], &list[i]) != 0)
			list[kept++] = list[i];
	return kept;
}

size_t evidence_cut(struct part *list, size_t count, uint64_t *cut)
{
	count = parts_distinct(list, count);
	if (count <= ALERT_EVENTS)
		return count;
	*cut += count - ALERT_EVENTS;
	memmove(list, list + (count - ALERT_EVENTS), ALERT_EVENTS * sizeof(*list));
	return ALERT_EVENTS;
}

struct parts *evidence_of(struct part *list, size_t count, uint64_t cut)
{
	count = evidence_cut(list, count, &cut);
	struct parts *parts = malloc(sizeof(*parts) + count * sizeof(*list));

	if (parts == NULL)
		return NULL;
	*parts = (struct parts){.references = 1, .count = (uint32_t)count, .cut = cut};
	memcpy(parts->list, list, count * sizeof(*list));
	return parts;
}

struct parts *evidence_collect(const struct window *window, struct arena *arena)
{
	uint64_t cut;
	size_t count = part_count(window, &cut);
	struct part *list = arena_array(arena, count, sizeof(*list));

	return list != NULL ? evidence_of(list, parts_gather(window, list), cut) : NULL;
}
