/*
 * http_bench.h - a collector with one port "http", and the other end of a connection to it.
 */
#ifndef TOCSIN_TESTS_COLLECTOR_HTTP_BENCH_H
#define TOCSIN_TESTS_COLLECTOR_HTTP_BENCH_H

#include "collector/collector.h"
#include "tests/collector/rig.h"

struct bench {
	struct rig rig;
	struct loop *loop;
	struct config *config;
	struct collector *collector;
	int client;
};

/* queue_bytes: what may wait for the bus; 0: the usual. */
void bench_open(struct bench *bench, size_t queue_bytes);
/* The same with an agencies.yml. */
void bench_open_for(struct bench *bench, size_t queue_bytes, const char *agencies);
void bench_close(struct bench *bench);
void bench_dial(struct bench *bench); /* another connection; the caller closes the last one */
void bench_say(struct bench *bench, struct str text);
/* What is answered within some rounds; "(closed)" at the end. */
const char *bench_hear(struct bench *bench);
unsigned bench_status(const char *answer);

/* One request and its answer: "status body" ("200 {...}"). headers: each ended by CR LF. */
const char *bench_ask(struct bench *bench, const char *method, const char *target,
    const char *headers, struct str body);

#endif
