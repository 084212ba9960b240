/*
 * conformance.h - what every backend of the bus promises, as one suite of tests.
 *
 * A house says how its backend is opened; conformance_run runs the suite in it.
 */
#ifndef TOCSIN_TESTS_BUS_CONFORMANCE_H
#define TOCSIN_TESTS_BUS_CONFORMANCE_H

#include "bus/bus.h"

enum house_can {
	HOUSE_KILL = 1u << 0,    /* its records survive the death of the process */
	HOUSE_RETAIN = 1u << 1,  /* retain_bytes is obeyed within the test */
	HOUSE_TWICE = 1u << 2,   /* two handles of one process may have it open at once */
	HOUSE_FORGETS = 1u << 3  /* commits are not kept for a reader with partitions of its own */
};

struct house {
	const char *name;
	unsigned can;
	/* Options of a bus that nobody has used; borrowed until the next call. */
	void (*fresh)(struct bus_options *ret);
	/* NULL: bus_open. */
	int (*open)(struct bus **ret, const struct bus_options *options, struct error *error);
};

/* Returns the number of failed tests. */
int conformance_run(const struct house *house);

/* ---- shared with the tests of single backends ---- */

struct bus *open_bus(const struct house *house, const struct bus_options *options);
void publish(struct bus *bus, enum bus_topic topic, uint32_t partition, struct str key,
    struct str value, uint64_t tag);
/* Drives until nothing is pending; every receipt must be durable. Returns how many came. */
size_t drain(struct bus *bus);
/* One topic, partitions [0, count) statically. */
struct bus_reader *open_reader(struct bus *bus, const char *group, enum bus_topic topic,
    uint32_t count);
/* Polls until wanted records or gaps came, at most a minute. Returns how many came. */
size_t read_some(struct bus_reader *reader, size_t wanted,
    void (*visit)(void *context, const struct bus_record *record), void *context);

#endif
