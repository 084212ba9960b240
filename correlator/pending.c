/*
 * The ordered buffer in front of the settled machine; its caller bounds it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "correlator/correlate_state.h"
#include "correlator/correlate_type.h"

#define KEY_MAX ((size_t)2 * DETECTION_VALUES * 65536u) /* groups and values */

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
		order = a->rank < b->rank ? -1 : a->rank > b->rank;
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

struct item *item_of(const struct detection *detection, size_t values)
{
	struct completion event = {.time_ns = detection->time_ns,
	    .received_ns = detection->received_ns, .at = detection->at,
	    .position = detection->position, .agency = detection->agency, .host = detection->host};
	struct buf key = BUF(KEY_MAX);

	for (size_t i = 0; i < detection->group_count; i++)
		group_key_put(&key, detection->groups[i]);
	for (size_t i = 0; i < values; i++)
		group_key_put(&key, detection->values[i]);
	struct item *item = key.failed ? NULL : item_new(&event, buf_str(&key));

	buf_free(&key);
	return item;
}

/* Of what goes by arrival alone there are windows. */
static const struct correlation *item_windows(const struct item *item,
    const struct correlate *correlate)
{
	const struct correlation *correlation =
	    ruleset_rule(correlate->options.ruleset, item->correlation)->correlation;

	return correlation != NULL && correlation->course == COURSE_ARRIVAL ? correlation : NULL;
}

/* Whether only steps before it are inner correlations: these may fire by the same event. */
static bool item_leads(const struct correlate *correlate, const struct correlation *correlation,
    const struct item *item)
{
	bool before = false, behind = false;

	if (correlation == NULL || correlation->type != CORRELATION_TEMPORAL_ORDERED)
		return false;
	for (size_t i = 0; i < correlation->rule_count; i++) {
		if (ruleset_rule(correlate->options.ruleset, correlation->rules[i])->kind !=
		    RULE_CORRELATION)
			continue;
		before |= i < item->step;
		behind |= i > item->step;
	}
	return before && !behind;
}

/* Of what leads, the outermost first: it must not come behind what the others make fire either. */
static int32_t item_rank(const struct correlate *correlate, const struct correlation *correlation,
    const struct item *item)
{
	if (correlation == NULL)
		return 0;
	int32_t depth = (int32_t)correlation->depth;

	return item_leads(correlate, correlation, item) ? -1 - depth : depth;
}

void item_name(const struct correlate *correlate, struct item *item)
{
	const struct correlation *correlation =
	    ruleset_rule(correlate->options.ruleset, item->correlation)->correlation;

	item->rank = item_rank(correlate, correlation, item);
	/* The tables of a process have one key. */
	if (correlation != NULL &&
	    (correlation->course == COURSE_ARRIVAL || correlation->rule_count > 1))
		item->name = window_name(&correlate->settled, item->correlation, item->key);
}

void item_ask(const struct item *item, const struct correlate *correlate,
    const struct window_table *table, struct window_ask *ret)
{
	const struct correlation *correlation = item_windows(item, correlate);

	ret->table = NULL;
	if (correlation != NULL)
		correlate_ask(correlation, item->value, item->step, table, &item->name, ret);
}

/* ---- the heap ---- */

/*
 * Four below each, which are one cache line: the first place is at 3, so that those below place n
 * are at 4n - 8. Times lie in the heap: only what is of one moment is read to be compared.
 */
#define HEAP_FIRST 3u
#define HEAP_BELOW 4u

static size_t heap_below(size_t at)
{
	return HEAP_BELOW * at - 8;
}

static size_t heap_above(size_t at)
{
	return at / HEAP_BELOW + 2;
}

static bool place_before(const struct pending_place *a, const struct pending_place *b)
{
	return a->time_ns != b->time_ns ? a->time_ns < b->time_ns
	    : item_compare(a->item, b->item) < 0;
}

static bool heap_reserve(struct pending *pending)
{
	if (pending->heap_count < pending->heap_capacity)
		return true;
	/* Whole lines, with what is left free in front. */
	size_t capacity = pending->heap_capacity > 0 ? pending->heap_capacity * 2 + HEAP_FIRST : 61;
	struct pending_place *heap = aligned_alloc(64, (capacity + HEAP_FIRST) * sizeof(*heap));

	if (heap == NULL)
		return false;
	if (pending->heap_count > 0)
		memcpy(heap + HEAP_FIRST, pending->heap + HEAP_FIRST,
		    pending->heap_count * sizeof(*heap));
	free(pending->heap);
	pending->heap = heap;
	pending->heap_capacity = capacity;
	return true;
}

bool pending_put(struct correlate *correlate, struct item *item)
{
	struct pending *pending = &correlate->pending;
	struct pending_place place = {item->event.time_ns, item};

	if (!heap_reserve(pending))
		return false;
	struct pending_place *heap = pending->heap;
	size_t at = HEAP_FIRST + pending->heap_count++;

	for (; at > HEAP_FIRST && place_before(&place, &heap[heap_above(at)]); at = heap_above(at))
		heap[at] = heap[heap_above(at)];
	heap[at] = place;
	return true;
}

/* Of the places from first to end that are there. */
static size_t heap_least(const struct pending_place *heap, size_t first, size_t end)
{
	size_t least = first;

	for (size_t at = first + 1; at < first + HEAP_BELOW && at < end; at++)
		if (place_before(&heap[at], &heap[least]))
			least = at;
	return least;
}

static struct item *heap_take(struct pending *pending)
{
	struct pending_place *heap = pending->heap;
	struct item *item = heap[HEAP_FIRST].item;
	size_t end = HEAP_FIRST + --pending->heap_count, at = HEAP_FIRST, below;
	struct pending_place last = heap[end];

	while ((below = heap_below(at)) < end) {
		below = heap_least(heap, below, end);
		if (!place_before(&heap[below], &last))
			break;
		heap[at] = heap[below];
		at = below;
	}
	heap[at] = last;
	return item;
}

/* ---- in order ---- */

/* The next group: all of it is known now, so all of its memory can be called for. */
static void ready_fill(struct correlate *correlate)
{
	struct pending *pending = &correlate->pending;
	struct window_ask asks[WINDOW_GROUP];
	int64_t watermark_ns = correlate->watermark.now_ns;
	size_t count = 0;

	while (count < WINDOW_GROUP && pending->heap_count > 0 &&
	    pending->heap[HEAP_FIRST].time_ns <= watermark_ns) {
		struct item *item = heap_take(pending);

		for (size_t line = 0; line < sizeof(*item); line += 64)
			__builtin_prefetch((const char *)item + line);
		pending->ready[count++] = item;
	}
	for (size_t i = 0; i < count; i++) {
		item_ask(pending->ready[i], correlate, &correlate->settled, &asks[i]);
		if (asks[i].table != NULL)
			window_foresee_name(asks[i].table, &asks[i].name);
	}
	window_foresee(asks, count);
	pending->ready_first = 0;
	pending->ready_end = count;
}

const struct item *pending_due(struct correlate *correlate, int64_t until_ns)
{
	struct pending *pending = &correlate->pending;

	if (pending->ready_first == pending->ready_end)
		ready_fill(correlate);
	if (pending->ready_first == pending->ready_end)
		return NULL;
	const struct item *item = pending->ready[pending->ready_first];

	return item->event.time_ns <= until_ns ? item : NULL;
}

struct item *pending_take(struct correlate *correlate)
{
	struct pending *pending = &correlate->pending;

	CHECK(pending->ready_first < pending->ready_end);
	return pending->ready[pending->ready_first++];
}

size_t pending_count(const struct correlate *correlate)
{
	const struct pending *pending = &correlate->pending;

	return pending->heap_count + pending->ready_end - pending->ready_first;
}

struct item *pending_at(const struct correlate *correlate, size_t index)
{
	const struct pending *pending = &correlate->pending;

	return index < pending->heap_count ? pending->heap[HEAP_FIRST + index].item
	    : pending->ready[pending->ready_first + index - pending->heap_count];
}

void pending_end(struct correlate *correlate)
{
	for (size_t i = 0; i < pending_count(correlate); i++)
		free(pending_at(correlate, i));
	free(correlate->pending.heap);
}
