#include "correlator/tally.h"

#include <stdlib.h>

#include "correlator/correlate_state.h"
#include "correlator/correlate_type.h"

#define EVIDENCE_MAX  (2u * ALERT_EVENTS) /* before it is cut to what is named */
#define DISTINCT_MAX  (TALLY_VALUES - 1)  /* one more than any condition asks for at least */

struct tally *tally_new(int64_t first_ns)
{
	struct tally *tally = calloc(1, sizeof(*tally));

	if (tally != NULL)
		tally->first_ns = first_ns;
	return tally;
}

void tally_free(struct tally *tally)
{
	if (tally == NULL)
		return;
	for (uint32_t i = 0; i < tally->event_count; i++)
		parts_release(tally_event(tally, i)->parts);
	free(tally->last);
	free(tally->evidence);
	free(tally->values);
	free(tally->distinct);
	free(tally->events);
	free(tally);
}

size_t tally_bytes(const struct tally *tally)
{
	return sizeof(*tally) + tally->evidence_capacity * sizeof(*tally->evidence) +
	    tally->value_capacity * sizeof(*tally->values) +
	    (tally->distinct != NULL ? (tally->distinct_mask + 1) * sizeof(*tally->distinct) : 0) +
	    tally->event_capacity * sizeof(*tally->events);
}

/* ---- distinct values ---- */

static void distinct_place(uint64_t *table, uint32_t mask, uint64_t value)
{
	uint32_t at = (uint32_t)value & mask; /* a keyed hash already */

	while (table[at] != 0 && table[at] != value)
		at = (at + 1) & mask;
	table[at] = value;
}

static bool distinct_grow(struct tally *tally)
{
	uint32_t mask = tally->distinct == NULL ? 7 : tally->distinct_mask * 2 + 1;
	uint64_t *table = calloc(mask + 1u, sizeof(*table));

	if (table == NULL)
		return false;
	for (uint32_t i = 0; tally->distinct != NULL && i <= tally->distinct_mask; i++)
		if (tally->distinct[i] != 0)
			distinct_place(table, mask, tally->distinct[i]);
	free(tally->distinct);
	tally->distinct = table;
	tally->distinct_mask = mask;
	return true;
}

static bool distinct_has(const struct tally *tally, uint64_t value)
{
	uint32_t at = (uint32_t)value & tally->distinct_mask;

	while (tally->distinct[at] != 0 && tally->distinct[at] != value)
		at = (at + 1) & tally->distinct_mask;
	return tally->distinct[at] == value;
}

bool tally_put_distinct(struct tally *tally, uint64_t value)
{
	value |= value == 0;
	if ((tally->distinct == NULL || tally->distinct_count * 2 > tally->distinct_mask) &&
	    !distinct_grow(tally))
		return false;
	if (distinct_has(tally, value) || tally->distinct_count > DISTINCT_MAX)
		return true;
	distinct_place(tally->distinct, tally->distinct_mask, value);
	tally->distinct_count++;
	return true;
}

/* ---- values, evidence, events ---- */

static bool room(void *array, uint32_t count, uint32_t *capacity, size_t size)
{
	uint32_t wanted = *capacity * 2 + 4;
	void **at = array;

	if (count < *capacity)
		return true;
	void *grown = realloc(*at, wanted * size);

	if (grown == NULL)
		return false;
	*at = grown;
	*capacity = wanted;
	return true;
}

bool tally_put_value(struct tally *tally, decimal value)
{
	if (!room(&tally->values, tally->value_count, &tally->value_capacity,
	        sizeof(*tally->values)))
		return false;
	tally->values[tally->value_count++] = value;
	return true;
}

static int value_compare(const void *left, const void *right)
{
	const decimal *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

void tally_sort(struct tally *tally)
{
	if (tally->value_count > 0)
		qsort(tally->values, tally->value_count, sizeof(*tally->values), value_compare);
}

bool tally_put_evidence(struct tally *tally, const struct part *part)
{
	if (tally->evidence_count == EVIDENCE_MAX)
		tally->evidence_count = (uint32_t)evidence_cut(tally->evidence,
		    tally->evidence_count, &tally->evidence_cut);
	if (!room(&tally->evidence, tally->evidence_count, &tally->evidence_capacity,
	        sizeof(*tally->evidence)))
		return false;
	tally->evidence[tally->evidence_count++] = *part;
	return true;
}

struct sighting *tally_event(const struct tally *tally, uint32_t index)
{
	return &tally->events[(tally->event_first + index) & (tally->event_capacity - 1)];
}

static bool events_grow(struct tally *tally)
{
	uint32_t capacity = tally->event_capacity == 0 ? 4 : tally->event_capacity * 2;
	struct sighting *events = calloc(capacity, sizeof(*events));

	if (events == NULL)
		return false;
	for (uint32_t i = 0; i < tally->event_count; i++)
		events[i] = *tally_event(tally, i);
	free(tally->events);
	tally->events = events;
	tally->event_first = 0;
	tally->event_capacity = capacity;
	return true;
}

static void event_drop_first(struct tally *tally)
{
	struct sighting *first = tally_event(tally, 0);

	tally->sum -= first->number;
	sighting_clear(first);
	tally->event_first = (tally->event_first + 1) & (tally->event_capacity - 1);
	tally->event_count--;
}

bool tally_put_event(struct tally *tally, const struct sighting *sighting)
{
	if (tally->event_count == tally->event_capacity && !events_grow(tally))
		return false;
	sighting_set(tally_event(tally, tally->event_count++), sighting);
	tally->sum += sighting->number;
	return true;
}

/* ---- adding ---- */

static bool last_set(struct tally *tally, const struct item *item)
{
	struct item *last = item_new(&item->event, item->key);

	if (last == NULL)
		return false;
	free(tally->last);
	tally->last = last;
	return true;
}

static bool evidence_add(struct tally *tally, const struct sighting *sighting)
{
	const struct parts *inner = sighting->parts;

	if (inner == NULL)
		return tally_put_evidence(tally, &sighting->part);
	tally->evidence_cut += inner->cut;
	for (uint32_t i = 0; i < inner->count; i++)
		if (!tally_put_evidence(tally, &inner->list[i]))
			return false;
	return true;
}

enum tally_result tally_add(struct tally *tally, const struct correlation *correlation,
    const struct item *item, const struct sighting *sighting)
{
	const struct correlate_type *type = correlate_type(correlation->type);

	tally->count++;
	tally->sum += sighting->number;
	if (!last_set(tally, item) || !evidence_add(tally, sighting) ||
	    (type->keeps_distinct && !tally_put_distinct(tally, item->value)) ||
	    (type->keeps_values && !tally_put_value(tally, sighting->number)))
		return TALLY_MEMORY;
	return tally->value_count == TALLY_VALUES ? TALLY_FULL : TALLY_OPEN;
}

bool tally_slide(struct tally *tally, const struct correlation *correlation,
    const struct item *item, const struct sighting *sighting, bool *ret_cut)
{
	int64_t before_ns = watermark_minus(item->event.time_ns, correlation->timespan_ns);

	while (tally->event_count > 0 && tally_event(tally, 0)->part.time_ns < before_ns)
		event_drop_first(tally);
	*ret_cut = tally->event_count == TALLY_VALUES;
	if (*ret_cut)
		event_drop_first(tally);
	tally->count = tally->event_count + 1u;
	return tally_put_event(tally, sighting);
}

/* ---- at the end ---- */

static bool bound_holds(const struct correlation_bound *bound, decimal over, decimal below)
{
	decimal wanted = bound->value * below;

	switch (bound->kind) {
	case BOUND_GT:
		return over > wanted;
	case BOUND_GTE:
		return over >= wanted;
	case BOUND_LT:
		return over < wanted;
	case BOUND_LTE:
		return over <= wanted;
	case BOUND_EQ:
		return over == wanted;
	case BOUND_NEQ:
		return over != wanted;
	}
	return false;
}

bool tally_holds(struct tally *tally, const struct correlation *correlation, decimal *ret)
{
	decimal below = 1;
	decimal over = correlate_type(correlation->type)->measure(tally, correlation, &below);

	*ret = over / below;
	for (size_t i = 0; i < correlation->condition.bound_count; i++)
		if (!bound_holds(&correlation->condition.bounds[i], over, below))
			return false;
	return true;
}

struct parts *tally_collect(const struct tally *tally)
{
	struct sighting *list;

	if (tally->event_count == 0)
		return evidence_of(tally->evidence, tally->evidence_count, tally->evidence_cut);
	list = calloc(tally->event_count, sizeof(*list));
	for (uint32_t i = 0; list != NULL && i < tally->event_count; i++)
		list[i] = *tally_event(tally, i);
	struct parts *ret = list != NULL ? sightings_collect(list, tally->event_count) : NULL;

	free(list);
	return ret;
}
