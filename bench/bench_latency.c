/*
 * The reader of latency.py: asks the store again and again and prints "HOST NANOSECONDS" for each
 * alert when a query first returns it, until its standard input ends. Hosts of marks differ.
 *
 *     bench_latency STORE_PATH
 *
 * Without arguments it has nothing to measure and says so.
 */
#include <poll.h>
#include <time.h>

#include "bench/bench.h"
#include "base/hash.h"
#include "storage/query.h"

#define PAUSE_NS (2 * NS_PER_MS)
#define SEEN     65536u

struct reading {
	struct hash128 *seen;
	size_t count;
	int64_t newest_ns;
};

static bool is_seen(const struct reading *reading, struct hash128 id)
{
	for (size_t i = reading->count; i > 0; i--) {
		if (hash128_eq(reading->seen[i - 1], id))
			return true;
	}
	return false;
}

static bool visit(void *context, const struct query_alert *found)
{
	struct reading *reading = context;
	const struct alert *alert = &found->alert;

	if (is_seen(reading, alert->id) || reading->count == SEEN)
		return true;
	reading->seen[reading->count++] = alert->id;
	printf("%.*s %lld\n", STR_ARG(alert->host), (long long)clock_wall_ns());
	if (alert->time_ns > reading->newest_ns)
		reading->newest_ns = alert->time_ns;
	return true;
}

static bool is_over(void)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	char byte;

	return poll(&in, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

int main(int argc, char **argv)
{
	struct reading reading = {
	    .seen = calloc(SEEN, sizeof(*reading.seen)), .newest_ns = clock_wall_ns()};
	struct arena *arena = arena_new(256u << 20);
	struct query_filter filter = {.until_ns = INT64_MAX, .level_max = LEVEL_CRITICAL,
	    .limit = 1000, .rules = {STR("Mark of the bench")}, .rule_count = 1};
	struct timespec pause = {0, PAUSE_NS};
	struct query *query = NULL;
	struct error error = {0};
	uint64_t generation, last = UINT64_MAX;

	if (argc != 2) {
		bench_skip("latency reader", "it is run by bench/latency.py");
		return 0;
	}
	CHECK(reading.seen != NULL && arena != NULL);
	bench_must(query_open(&query, argv[1], &error), &error);
	while (!is_over()) {
		bench_must(query_generation(query, &generation, &error), &error);
		if (generation != last) {
			last = generation;
			/* Marks of one moment may come in any order. */
			filter.since_ns = reading.newest_ns - 5 * NS_PER_S;
			arena_reset(arena);
			int code = query_alerts(
			    query, &filter, arena, visit, &reading, NULL, &error);

			bench_must(code, &error);
			fflush(stdout);
		}
		nanosleep(&pause, NULL);
	}
	query_close(query);
	arena_free(arena);
	free(reading.seen);
	return 0;
}
