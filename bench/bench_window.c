/*
 * Windows: updates of a million groups through the functions that correlate calls (window_get, the
 * type's feed, window_remove when it fires), one at a time, and in groups that window_foresee has
 * called for; and beside them a hash map with a deque a key, as one would write it first.
 */
#include "bench/bench.h"

#include <malloc.h>

#include "correlator/correlate.h"
#include "correlator/correlate_type.h"

#define KEYS      1000000u
#define UPDATES   2000000u /* of a stream, which is gone round and round */
#define WORK      200000u
#define KEY_BYTES 40u
#define ROUNDS    5u
#define NEEDED    10u
/* In updates, which are a nanosecond apart: six a group and timespan, when groups are alike. */
#define TIMESPAN  (6 * (int64_t)KEYS)
#define FILL      (size_t)(8 * KEYS) /* updates before what is measured */

struct update {
	char key[KEY_BYTES];
	uint32_t step;
	uint32_t unused;
	uint64_t value;
};

struct stream {
	struct update *updates;
	size_t next;
	int64_t now_ns;
};

static uint32_t key_uniform(void)
{
	return (uint32_t)(bench_random() % KEYS);
}

/* Exponent 1: the k-th key comes up as often as 1/k. By the inverse of its integral. */
static uint32_t key_zipf(void)
{
	double u = (double)(bench_random() >> 11) / 9007199254740992.0, key = 1.0, power = 1.0;

	/* KEYS^u, without libm: squares and square roots would do no better than bits of u. */
	for (double base = KEYS, bit = 1.0; bit > 1e-9; bit /= 2, base = power) {
		double low = 1.0, high = base;

		if (u >= bit) {
			u -= bit;
			key *= base;
		}
		for (int i = 0; i < 60; i++) {
			double middle = (low + high) / 2;

			*(middle * middle < base ? &low : &high) = middle;
		}
		power = low;
	}
	return key < KEYS ? (uint32_t)key - (key >= 1.0) : KEYS - 1;
}

static struct stream stream_make(uint32_t (*key_next)(void))
{
	struct stream stream = {.updates = calloc(UPDATES, sizeof(*stream.updates))};

	CHECK(stream.updates != NULL);
	for (size_t i = 0; i < UPDATES; i++) {
		struct update *update = &stream.updates[i];
		/* Popular keys are not to lie side by side. */
		uint32_t key = (uint32_t)((uint64_t)key_next() * 7368787u % KEYS);

		snprintf(update->key, KEY_BYTES, "203.0.113.%03u langson%07u.example.vn", key % 256,
		    key);
		update->value = bench_random() % 12 * UINT64_C(0x9e3779b97f4a7c15);
		update->step = (uint32_t)(bench_random() & 1);
	}
	return stream;
}

static const struct update *stream_next(struct stream *stream)
{
	const struct update *update = &stream->updates[stream->next];

	stream->next = stream->next + 1 < UPDATES ? stream->next + 1 : 0;
	stream->now_ns++;
	return update;
}

static struct str update_key(const struct update *update)
{
	return str_from(update->key, KEY_BYTES);
}

/* ---- ours ---- */

struct counting {
	struct window_table *table;
	struct stream *stream;
	struct correlation correlation;
	uint64_t fired;
};

static void window_update(struct counting *counting, struct window *window,
    const struct update *update, int64_t now_ns)
{
	struct mark mark = {.time_ns = now_ns, .at = {0xc0ffee, 7, (uint64_t)now_ns},
	    .position = {0, (uint64_t)now_ns / 100, (uint32_t)(now_ns % 100)},
	    .value = correlate_value(counting->correlation.type, update->value, update->step),
	    .rule = 1};
	enum feed_result result = correlate_type(counting->correlation.type)->feed(
	    window, &counting->correlation, &mark, update->step);

	CHECK(result != FEED_MEMORY);
	if (result == FEED_FIRE) {
		window_remove(counting->table, window);
		counting->fired++;
	}
}

static size_t update_singly(void *context)
{
	struct counting *counting = context;
	struct stream *stream = counting->stream;

	for (size_t i = 0; i < WORK; i++) {
		const struct update *update = stream_next(stream);
		struct window *window = window_get(counting->table, 0, update_key(update));

		CHECK(window != NULL);
		window_update(counting, window, update, stream->now_ns);
	}
	window_expire(counting->table, 0, stream->now_ns - TIMESPAN);
	return WORK;
}

/* As correlate takes the records of a poll: named, then foreseen, then made in order. */
static size_t update_in_groups(void *context)
{
	struct counting *counting = context;
	struct stream *stream = counting->stream;
	struct window_table *table = counting->table;
	struct window_name names[CORRELATE_GROUP];
	const struct update *updates[CORRELATE_GROUP];
	struct window_ask asks[CORRELATE_GROUP];

	for (size_t i = 0; i < WORK; i += CORRELATE_GROUP) {
		int64_t begin_ns = stream->now_ns;

		for (size_t n = 0; n < CORRELATE_GROUP; n++) {
			const struct update *update = updates[n] = stream_next(stream);

			names[n] = window_name(table, 0, update_key(update));
			window_foresee_name(table, &names[n]);
		}
		for (size_t n = 0; n < CORRELATE_GROUP; n++)
			correlate_ask(&counting->correlation, updates[n]->value, updates[n]->step,
			    table, &names[n], &asks[n]);
		window_foresee(asks, CORRELATE_GROUP);
		for (size_t n = 0; n < CORRELATE_GROUP; n++)
			window_update(counting, window_get_named(table, &names[n],
			    update_key(updates[n])), updates[n], begin_ns + 1 + (int64_t)n);
	}
	window_expire(table, 0, stream->now_ns - TIMESPAN);
	return WORK;
}

/* Resident bytes of the process, once what was freed has gone back. */
static size_t memory_used(void)
{
	size_t all = 0, resident = 0;

	malloc_trim(0);
	FILE *file = fopen("/proc/self/statm", "r");

	CHECK(file != NULL && fscanf(file, "%zu %zu", &all, &resident) == 2);
	fclose(file);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static void count_windows(const char *name, struct stream *stream, struct correlation correlation)
{
	static struct window_table table;
	struct counting counting = {&table, stream, correlation, 0};
	size_t before = memory_used();
	char full[96], extra[256];

	CHECK(window_table_begin(&table, 1, 2 * KEYS));
	for (size_t i = 0; i < FILL; i += WORK)
		update_in_groups(&counting);
	struct bench_figure singly =
	    bench_measure(update_singly, &counting, ROUNDS, BENCH_ROUND_NS);
	struct bench_figure groups =
	    bench_measure(update_in_groups, &counting, ROUNDS, BENCH_ROUND_NS);
	struct window_bytes bytes = window_table_bytes(&table);

	CHECK(counting.fired > 0 && table.evicted == 0);
	snprintf(extra, sizeof(extra), ",\"live\":%zu,\"state_bytes_per_key\":%.1f,"
	    "\"evidence_bytes_per_key\":%.1f,\"resident_bytes_per_key\":%.1f", table.count,
	    (double)bytes.state / (double)table.count, (double)bytes.evidence / (double)table.count,
	    (double)(memory_used() - before) / (double)table.count);
	snprintf(full, sizeof(full), "window %s", name);
	bench_print(full, singly, extra);
	snprintf(full, sizeof(full), "window %s, in groups", name);
	bench_print(full, groups, "");
	window_table_end(&table);
}

/* ---- as one would write it first: a map of malloc'd nodes, a ring of all events in each ---- */

struct naive_event {
	int64_t time_ns;
	uint64_t value;
};

struct naive_node {
	struct naive_node *chain;
	struct naive_event *events;
	size_t first, count, capacity;
	size_t key_len;
	char key[];
};

struct naive {
	struct naive_node **buckets;
	size_t bucket_count, count;
	struct stream *stream;
	struct correlation correlation;
};

static struct naive_node **naive_bucket(struct naive *naive, struct str key)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < key.len; i++)
		hash = (hash ^ (uint8_t)key.ptr[i]) * UINT64_C(0x100000001b3);
	return &naive->buckets[hash & (naive->bucket_count - 1)];
}

static void naive_grow(struct naive *naive)
{
	struct naive_node **old = naive->buckets, *next;
	size_t old_count = naive->bucket_count;

	naive->bucket_count = old_count > 0 ? old_count * 2 : 64;
	naive->buckets = calloc(naive->bucket_count, sizeof(struct naive_node *));
	CHECK(naive->buckets != NULL);
	for (size_t i = 0; i < old_count; i++) {
		for (struct naive_node *node = old[i]; node != NULL; node = next) {
			struct naive_node **bucket =
			    naive_bucket(naive, str_from(node->key, node->key_len));

			next = node->chain;
			node->chain = *bucket;
			*bucket = node;
		}
	}
	free(old);
}

static struct naive_node *naive_get(struct naive *naive, struct str key)
{
	if (naive->count >= naive->bucket_count)
		naive_grow(naive);
	struct naive_node **bucket = naive_bucket(naive, key), *node = *bucket;

	while (node != NULL && !str_eq(str_from(node->key, node->key_len), key))
		node = node->chain;
	if (node != NULL)
		return node;
	node = calloc(1, sizeof(*node) + key.len);
	CHECK(node != NULL);
	node->key_len = key.len;
	memcpy(node->key, key.ptr, key.len);
	node->chain = *bucket;
	*bucket = node;
	naive->count++;
	return node;
}

static struct naive_event *naive_at(struct naive_node *node, size_t index)
{
	return &node->events[(node->first + index) & (node->capacity - 1)];
}

static void naive_push(struct naive_node *node, struct naive_event event)
{
	if (node->count == node->capacity) {
		size_t capacity = node->capacity > 0 ? node->capacity * 2 : 4;
		struct naive_event *events = calloc(capacity, sizeof(*events));

		CHECK(events != NULL);
		for (size_t i = 0; i < node->count; i++)
			events[i] = *naive_at(node, i);
		free(node->events);
		node->events = events;
		node->first = 0;
		node->capacity = capacity;
	}
	*naive_at(node, node->count++) = event;
}

static size_t naive_distinct(struct naive_node *node)
{
	size_t distinct = 0, earlier;

	for (size_t i = 0; i < node->count; i++) {
		for (earlier = 0; earlier < i; earlier++)
			if (naive_at(node, earlier)->value == naive_at(node, i)->value)
				break;
		distinct += earlier == i;
	}
	return distinct;
}

static size_t naive_update(void *context)
{
	struct naive *naive = context;
	enum correlation_type type = naive->correlation.type;

	for (size_t i = 0; i < WORK; i++) {
		const struct update *update = stream_next(naive->stream);
		struct naive_node *node = naive_get(naive, update_key(update));
		int64_t now_ns = naive->stream->now_ns;

		naive_push(node, (struct naive_event){now_ns,
		    type == CORRELATION_TEMPORAL ? update->step : update->value});
		while (naive_at(node, 0)->time_ns < now_ns - TIMESPAN) {
			node->first++;
			node->count--;
		}
		size_t count =
		    type == CORRELATION_EVENT_COUNT ? node->count : naive_distinct(node);

		if (count >= naive->correlation.condition.min)
			node->count = 0;
	}
	return WORK;
}

static void naive_free(struct naive *naive)
{
	struct naive_node *next;

	for (size_t i = 0; i < naive->bucket_count; i++) {
		for (struct naive_node *node = naive->buckets[i]; node != NULL; node = next) {
			next = node->chain;
			free(node->events);
			free(node);
		}
	}
	free(naive->buckets);
}

static void count_naively(const char *name, struct stream *stream, struct correlation correlation)
{
	struct naive naive = {.stream = stream, .correlation = correlation};
	size_t before = memory_used();
	char full[96], extra[128];

	for (size_t i = 0; i < FILL; i += WORK)
		naive_update(&naive);
	struct bench_figure figure = bench_measure(naive_update, &naive, ROUNDS, BENCH_ROUND_NS);

	snprintf(extra, sizeof(extra), ",\"live\":%zu,\"resident_bytes_per_key\":%.1f", naive.count,
	    (double)(memory_used() - before) / (double)naive.count);
	snprintf(full, sizeof(full), "naive window %s", name);
	bench_print(full, figure, extra);
	naive_free(&naive);
}

static const char *chosen = ""; /* a word of the rows that are wanted */

static void count_both(const char *kind, struct stream *stream, struct correlation correlation)
{
	if (strstr(kind, chosen) == NULL)
		return;
	correlation.timespan_ns = TIMESPAN;
	count_windows(kind, stream, correlation);
	count_naively(kind, stream, correlation);
}

/* bench_window [WORD]: the rows that have it in their names. */
int main(int argc, char **argv)
{
	struct stream uniform = stream_make(key_uniform), zipf = stream_make(key_zipf);
	const struct correlation events = {.type = CORRELATION_EVENT_COUNT,
	    .condition = {.min = NEEDED}};
	const struct correlation values = {.type = CORRELATION_VALUE_COUNT,
	    .condition = {.min = 8}};
	const struct correlation temporal = {.type = CORRELATION_TEMPORAL, .rule_count = 2,
	    .condition = {.min = 2}};

	if (argc > 1)
		chosen = argv[1];
	count_both("event_count 10, uniform", &uniform, events);
	count_both("event_count 10, Zipf", &zipf, events);
	count_both("value_count 8, uniform", &uniform, values);
	count_both("value_count 8, Zipf", &zipf, values);
	count_both("temporal of 2, uniform", &uniform, temporal);
	count_both("temporal of 2, Zipf", &zipf, temporal);
	free(uniform.updates);
	free(zipf.updates);
	return 0;
}
