/*
 * rule_counts.h - what a running worker has counted of each plain rule: its answer to the request
 * "rules" on the control socket, and what several answers are together.
 */
#ifndef TOCSIN_CLI_RULE_COUNTS_H
#define TOCSIN_CLI_RULE_COUNTS_H

#include "base/arena.h"
#include "correlator/worker.h"
#include "sigma/name_table.h"

/* A line of JSON for the worker, then one a rule. 0 or ERR_MEMORY. */
int rule_counts_write(const struct worker *worker, struct buf *out, struct error *error);

struct rule_count {
	struct str id, title, title_vi, level;
	uint64_t hits, candidates;
	uint64_t predicates; /* tested for its sake */
	int64_t last_ns;     /* when the event of its last hit was received; 0: none */
	bool always;         /* a candidate for every event of its log source */
};

/* Sums of all workers. All zero is empty; everything is in the arena. */
struct rule_counts {
	struct arena *arena;
	struct rule_count *rows;
	size_t count, capacity;
	struct name_table ids;
	uint64_t workers, events, predicates, hits;
};

/* Adds an answer. False when it cannot be understood, or without memory. */
bool rule_counts_add(struct rule_counts *counts, struct str answer);

#endif
