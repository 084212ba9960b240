/*
 * bench.h - measuring, for the programs of this folder: CPU time of the process, a warm-up and
 * several rounds, the median and the spread as one JSON line.
 *
 * A round's function does its work once and returns how many events that were; it aborts when the
 * work goes wrong, for a figure of broken work is worse than none.
 */
#ifndef TOCSIN_BENCH_BENCH_H
#define TOCSIN_BENCH_BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "event/event.h"

#define BENCH_ROUNDS   9
#define BENCH_ROUND_NS (120 * NS_PER_MS) /* a round repeats its work until so much CPU is spent */
#define BENCH_NOW      INT64_C(1795329600000000000)

typedef size_t bench_work(void *context);

struct bench_figure {
	double median, least, most; /* ns of CPU an event */
	size_t events;              /* of one round */
};

static inline int bench_by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* CPU time an event of each round; the first is a warm-up and does not count. */
static inline struct bench_figure bench_measure(
    bench_work *work, void *context, size_t rounds, int64_t round_ns)
{
	double cost[64];
	struct bench_figure figure = {0};

	CHECK(rounds > 0 && rounds < 64);
	for (size_t i = 0; i <= rounds; i++) {
		int64_t begin = clock_cpu_ns(), spent = 0;
		size_t events = 0;

		do {
			events += work(context);
			spent = clock_cpu_ns() - begin;
		} while (spent < round_ns);
		CHECK(events > 0);
		figure.events = events;
		cost[i == 0 ? 0 : i - 1] = (double)spent / (double)events;
	}
	qsort(cost, rounds, sizeof(cost[0]), bench_by_size);
	figure.median = cost[rounds / 2];
	figure.least = cost[0];
	figure.most = cost[rounds - 1];
	return figure;
}

/* extra: more members of the object, with a comma in front, or "". */
static inline void bench_print(const char *name, struct bench_figure figure, const char *extra)
{
	printf("{\"bench\":\"%s\",\"events_per_cpu_second\":%.0f,\"ns_per_event\":%.1f,"
	       "\"least\":%.1f,\"most\":%.1f%s}\n",
	    name, 1e9 / figure.median, figure.median, figure.least, figure.most, extra);
	fflush(stdout);
}

static inline void bench_run(const char *name, bench_work *work, void *context)
{
	bench_print(name, bench_measure(work, context, BENCH_ROUNDS, BENCH_ROUND_NS), "");
}

static inline void bench_skip(const char *name, const char *why)
{
	printf("{\"bench\":\"%s\",\"skipped\":\"%s\"}\n", name, why);
	fflush(stdout);
}

static inline void bench_must(int code, const struct error *error)
{
	if (code < 0) {
		fprintf(stderr, "bench: %s\n", error->text);
		exit(1);
	}
}

/* The same numbers in every run (xorshift64). */
static inline uint64_t bench_random(void)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static inline struct event bench_event(struct str raw, uint64_t counter)
{
	return (struct event){.at = {0xb3c4, BENCH_NOW, counter}, .received_ns = BENCH_NOW,
	    .transport = TRANSPORT_TCP, .peer = STR("192.0.2.7:40112"), .sender = STR("192.0.2.7"),
	    .raw = raw};
}

/* A fresh folder, for bench_forget. It lies on the disk that TMPDIR names. */
static inline void bench_folder(char path[256])
{
	const char *base = getenv("TMPDIR");

	snprintf(path, 256, "%s/tocsin-bench-XXXXXX", base != NULL ? base : "/tmp");
	CHECK(mkdtemp(path) != NULL);
}

static inline void bench_forget(const char *path)
{
	char command[300];

	snprintf(command, sizeof(command), "rm -rf '%s'", path);
	CHECK(system(command) == 0);
}

#endif
