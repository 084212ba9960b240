/*
 * A table of sources, open-addressed, at most half full, keyed by the process' secret because
 * collector ids come from outside. Deleting rebuilds the table: it happens only by partition or by
 * eighths. The one interval of a source in order lies in the source itself; more are on the heap.
 */
#include "event/seen.h"

#include "base/check.h"
#include "base/error.h"
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 64u
#define VERSION     1u

struct interval {
	uint64_t low, high; /* both seen; high < UINT64_MAX */
};

/* Intervals are sorted, and neither touch nor overlap. */
struct source {
	uint64_t collector, epoch;
	uint64_t expected; /* a tick said that this counter was put; 0: none */
	uint32_t partition;
	uint32_t count;    /* intervals; 0: a free slot of the table */
	uint32_t capacity; /* of many; 0: one is used */
	struct interval one;
	struct interval *many;
};

struct seen {
	struct source *slots;
	size_t slot_count, used;
	size_t total; /* capacity of all many */
	struct hash_key key;
	struct seen_stats stats;
};

struct seen *seen_new(void)
{
	struct seen *seen = calloc(1, sizeof(*seen));

	if (seen == NULL)
		return NULL;
	seen->slots = calloc(FIRST_SLOTS, sizeof(*seen->slots));
	if (seen->slots == NULL) {
		free(seen);
		return NULL;
	}
	seen->slot_count = FIRST_SLOTS;
	seen->key = hash_process_key();
	return seen;
}

void seen_free(struct seen *seen)
{
	if (seen == NULL)
		return;
	for (size_t i = 0; i < seen->slot_count; i++)
		free(seen->slots[i].many);
	free(seen->slots);
	free(seen);
}

/* Intervals. */

static struct interval *intervals(struct source *source)
{
	return source->capacity == 0 ? &source->one : source->many;
}

static uint64_t source_holes(const struct source *source)
{
	if (source->count == 0)
		return 0;
	const struct interval *at = source->capacity == 0 ? &source->one : source->many;

	return source->count - 1 + (source->expected > at[source->count - 1].high);
}

/* The first interval that ends at or after counter; count when none does. */
static uint32_t interval_find(struct source *source, uint64_t counter)
{
	const struct interval *at = intervals(source);
	uint32_t low = 0, high = source->count;

	if (high > 0 && at[high - 1].high < counter)
		return high;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (at[middle].high < counter)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Room for one more. ERR_MEMORY leaves all as it was. */
static int source_grow(struct seen *seen, struct source *source)
{
	uint32_t want = source->capacity == 0 ? 4 : source->capacity * 2;

	if (source->count < (source->capacity == 0 ? 1 : source->capacity))
		return 0;
	struct interval *grown = realloc(source->many, want * sizeof(*grown));

	if (grown == NULL)
		return ERR_MEMORY;
	if (source->capacity == 0)
		grown[0] = source->one;
	seen->total += want - source->capacity;
	source->many = grown;
	source->capacity = want;
	return 0;
}

/* At a ceiling the lowest two become one. */
static void source_squeeze(struct seen *seen, struct source *source)
{
	struct interval *at = intervals(source);

	at[1].low = at[0].low;
	source->count--;
	memmove(at, at + 1, source->count * sizeof(*at));
	seen->stats.given_up++;
}

static bool source_is_full(const struct seen *seen, const struct source *source)
{
	return source->count >= SEEN_INTERVALS ||
	       (source->count >= (source->capacity == 0 ? 1 : source->capacity) &&
		   seen->total + (source->capacity == 0 ? 4 : source->capacity) >
		       SEEN_INTERVALS_TOTAL);
}

static int interval_insert(struct seen *seen, struct source *source, uint32_t index,
    struct interval interval)
{
	if (source_is_full(seen, source)) {
		struct interval *at = intervals(source);

		/* Among the lowest two itself: it joins the other. */
		if (index <= 1) {
			if (index == 0)
				at[0].low = interval.low;
			else
				at[0].high = interval.high;
			seen->stats.given_up++;
			return 0;
		}
		source_squeeze(seen, source);
		index--;
	}
	int status = source_grow(seen, source);

	if (status != 0)
		return status;
	struct interval *at = intervals(source);

	memmove(at + index + 1, at + index, (source->count - index) * sizeof(*at));
	at[index] = interval;
	source->count++;
	return 0;
}

/* Adds an interval, joined with all that it touches. */
static int interval_add(struct seen *seen, struct source *source, struct interval interval)
{
	uint32_t from = interval_find(source, interval.low == 0 ? 0 : interval.low - 1);
	struct interval *at = intervals(source);
	uint32_t to = from;

	while (to < source->count && at[to].low <= interval.high + 1)
		to++;
	if (from == to)
		return interval_insert(seen, source, from, interval);
	if (interval.low < at[from].low)
		at[from].low = interval.low;
	if (at[to - 1].high > interval.high)
		interval.high = at[to - 1].high;
	at[from].high = interval.high;
	memmove(at + from + 1, at + to, (source->count - to) * sizeof(*at));
	source->count -= to - from - 1;
	return 0;
}

/* The table. */

/* The slot of the source, or the free one where it belongs. */
static struct source *slot_of(const struct seen *seen, uint64_t collector, uint64_t epoch,
    uint32_t partition)
{
	const uint64_t words[3] = {collector, epoch, partition};
	size_t mask = seen->slot_count - 1;
	size_t at = (size_t)hash_sip64(seen->key, str_from(words, sizeof(words))) & mask;

	for (;; at = (at + 1) & mask) {
		struct source *slot = &seen->slots[at];

		if (slot->count == 0 || (slot->collector == collector && slot->epoch == epoch &&
					    slot->partition == partition))
			return slot;
	}
}

static void source_drop(struct seen *seen, struct source *source)
{
	seen->stats.holes -= source_holes(source);
	seen->total -= source->capacity;
	free(source->many);
	*source = (struct source){0};
	seen->used--;
}

/* Moves all sources into a table of slot_count slots; also closes the gaps that dropping left. */
static int table_rebuild(struct seen *seen, size_t slot_count)
{
	struct source *old = seen->slots;
	size_t old_count = seen->slot_count;
	struct source *slots = calloc(slot_count, sizeof(*slots));

	if (slots == NULL)
		return ERR_MEMORY;
	seen->slots = slots;
	seen->slot_count = slot_count;
	for (size_t i = 0; i < old_count; i++) {
		if (old[i].count > 0)
			*slot_of(seen, old[i].collector, old[i].epoch, old[i].partition) = old[i];
	}
	free(old);
	return 0;
}

/*
 * After sources were dropped, others may lie behind a gap in their probe sequence. Without memory
 * for another table they are moved up in place, until nothing moves.
 */
static void table_mend(struct seen *seen)
{
	if (table_rebuild(seen, seen->slot_count) == 0)
		return;
	for (size_t moved = 1; moved > 0;) {
		moved = 0;
		for (size_t i = 0; i < seen->slot_count; i++) {
			struct source *at = &seen->slots[i];

			if (at->count == 0)
				continue;
			struct source own = *at;

			at->count = 0;
			struct source *to = slot_of(seen, own.collector, own.epoch, own.partition);

			moved += to != at;
			*at = (struct source){0};
			*to = own;
		}
	}
}

static int epoch_order(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Small ones are partitions of a topic that others write, and never old. */
static uint64_t epoch_age(const struct source *source)
{
	return source->epoch <= UINT32_MAX ? UINT64_MAX : source->epoch;
}

/* Forgets the eighth with the oldest epochs, so that the scan is paid once in thousands. */
static int table_evict(struct seen *seen)
{
	size_t count = 0, quota = seen->used / 8;
	uint64_t *epochs = malloc(seen->used * sizeof(*epochs));

	if (epochs == NULL)
		return ERR_MEMORY;
	for (size_t i = 0; i < seen->slot_count; i++) {
		if (seen->slots[i].count > 0)
			epochs[count++] = epoch_age(&seen->slots[i]);
	}
	CHECK(count == seen->used);
	qsort(epochs, count, sizeof(*epochs), epoch_order);
	uint64_t limit = epochs[quota - 1];

	free(epochs);
	for (size_t i = 0; i < seen->slot_count && quota > 0; i++) {
		struct source *source = &seen->slots[i];

		if (source->count == 0 || epoch_age(source) > limit)
			continue;
		seen->stats.given_up += source_holes(source);
		seen->stats.evicted++;
		source_drop(seen, source);
		quota--;
	}
	table_mend(seen);
	return 0;
}

static int table_make_room(struct seen *seen)
{
	if (seen->used >= SEEN_SOURCES)
		return table_evict(seen);
	if ((seen->used + 1) * 2 > seen->slot_count)
		return table_rebuild(seen, seen->slot_count * 2);
	return 0;
}

static int source_add(struct seen *seen, struct source source)
{
	int status = table_make_room(seen);

	if (status != 0)
		return status;
	*slot_of(seen, source.collector, source.epoch, source.partition) = source;
	seen->used++;
	return 0;
}

static struct interval head_interval(const struct frame_head *head)
{
	uint64_t low = head->previous == FRAME_NO_COUNT ? 0 : head->previous + 1;

	return (struct interval){low < head->first ? low : head->first,
	    head->first + head->count - 1};
}

static int frame_note(struct seen *seen, struct source *source, const struct frame_head *head)
{
	uint32_t at = interval_find(source, head->first);

	if (at < source->count && intervals(source)[at].low <= head->first) {
		seen->stats.repeats++;
		return SEEN_REPEAT;
	}
	uint64_t holes = source_holes(source);
	int status = interval_add(seen, source, head_interval(head));

	seen->stats.holes += source_holes(source) - holes;
	return status == 0 ? SEEN_NEW : status;
}

static int tick_note(struct seen *seen, struct source *source, const struct frame_head *head)
{
	uint64_t holes = source_holes(source);

	if (source->count > 0 && head->previous != FRAME_NO_COUNT &&
	    head->previous > source->expected)
		source->expected = head->previous;
	seen->stats.holes += source_holes(source) - holes;
	return SEEN_NEW;
}

int seen_frame(struct seen *seen, uint32_t partition, const struct frame_head *head)
{
	struct source *source = slot_of(seen, head->collector, head->epoch, partition);

	if (head->type != FRAME_EVENTS)
		return tick_note(seen, source, head);
	if (source->count > 0)
		return frame_note(seen, source, head);
	return source_add(seen, (struct source){.collector = head->collector, .epoch = head->epoch,
	    .partition = partition, .count = 1, .one = head_interval(head)});
}

void seen_forget(struct seen *seen, uint32_t partition)
{
	size_t before = seen->used;

	for (size_t i = 0; i < seen->slot_count; i++) {
		if (seen->slots[i].count > 0 && seen->slots[i].partition == partition)
			source_drop(seen, &seen->slots[i]);
	}
	if (seen->used < before)
		table_mend(seen);
}

struct seen_stats seen_stats(const struct seen *seen)
{
	struct seen_stats stats = seen->stats;

	stats.sources = seen->used;
	for (size_t i = 0; i < seen->slot_count; i++)
		stats.intervals += seen->slots[i].count;
	return stats;
}

/* The checkpoint: version, then each source; intervals as distances from the end of the last. */

void seen_save(const struct seen *seen, uint32_t partition, struct buf *out)
{
	buf_u8(out, VERSION);
	for (size_t i = 0; i < seen->slot_count; i++) {
		struct source *source = &seen->slots[i];
		uint64_t end = 0;

		if (source->count == 0 || source->partition != partition)
			continue;
		buf_u64(out, source->collector);
		buf_u64(out, source->epoch);
		buf_u64(out, source->expected);
		buf_varint(out, source->count);
		for (uint32_t k = 0; k < source->count; k++) {
			const struct interval *at = &intervals(source)[k];

			buf_varint(out, at->low - end);
			buf_varint(out, at->high - at->low);
			end = at->high;
		}
	}
}

static bool interval_take(struct str *rest, bool is_first, uint64_t end, struct interval *ret)
{
	uint64_t from, size, low, high;

	if (!take_varint(rest, &from) || !take_varint(rest, &size) ||
	    (!is_first && from < 2) || __builtin_add_overflow(end, from, &low) ||
	    __builtin_add_overflow(low, size, &high) || high == UINT64_MAX)
		return false;
	*ret = (struct interval){low, high};
	return true;
}

/* Adds one source; what it has noted in *source stays there when the record breaks off. */
static int intervals_restore(struct seen *seen, struct source *source, struct str *rest,
    uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		struct interval interval;

		if (!interval_take(rest, i == 0, i == 0 ? 0 : intervals(source)[i - 1].high,
			&interval))
			return ERR_CORRUPT;
		if (i == 0) {
			source->one = interval;
		} else if (source_grow(seen, source) != 0) {
			return ERR_MEMORY;
		} else {
			source->many[i] = interval;
		}
		source->count++;
	}
	return 0;
}

static int source_restore(struct seen *seen, uint32_t partition, struct str *rest)
{
	struct source source = {.partition = partition};
	struct str fixed;
	uint64_t count;

	if (!take_bytes(rest, 24, &fixed) || !take_varint(rest, &count) || count == 0 ||
	    count > SEEN_INTERVALS || count > rest->len)
		return ERR_CORRUPT;
	source.collector = get_u64(fixed.ptr);
	source.epoch = get_u64(fixed.ptr + 8);
	source.expected = get_u64(fixed.ptr + 16);
	if (slot_of(seen, source.collector, source.epoch, partition)->count > 0)
		return ERR_CORRUPT;
	int status = intervals_restore(seen, &source, rest, count);

	if (status == 0)
		status = source_add(seen, source);
	if (status != 0) {
		seen->total -= source.capacity;
		free(source.many);
		return status;
	}
	seen->stats.holes += source_holes(&source);
	return 0;
}

int seen_restore(struct seen *seen, uint32_t partition, struct str saved)
{
	struct str version, rest = saved;
	int status = 0;

	seen_forget(seen, partition);
	if (!take_bytes(&rest, 1, &version))
		return ERR_CORRUPT;
	if ((uint8_t)*version.ptr != VERSION)
		return ERR_VERSION;
	while (status == 0 && rest.len > 0)
		status = source_restore(seen, partition, &rest);
	if (status != 0)
		seen_forget(seen, partition);
	return status;
}
