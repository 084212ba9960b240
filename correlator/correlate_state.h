/*
 * correlate_state.h - what a struct correlate holds; for correlate.c, settle.c and snapshot.c
 * alone.
 */
#ifndef TOCSIN_CORRELATOR_CORRELATE_STATE_H
#define TOCSIN_CORRELATOR_CORRELATE_STATE_H

#include "correlator/correlate.h"
#include "correlator/repeat.h"
#include "correlator/watermark.h"

/* A detection for as long as it waits for the watermark. */
struct item {
	struct completion event; /* text points into text[] */
	uint64_t value;          /* keyed hash of the counted fields */
	bool has_value;
	uint32_t correlation, rule; /* rule indexes */
	uint32_t step;           /* the last that the rule is, in that correlation */
	struct str key;          /* group values */
	char text[];
};

struct correlate {
	struct correlate_options options;
	struct window_table early, settled;
	struct window_table dockets; /* groups with alerts that are not settled */
	struct watermark watermark;
	struct repeat *repeats;      /* by source partition */
	struct item **pending;       /* heap by item_compare */
	size_t pending_count, pending_capacity;
	uint32_t *correlations;      /* rule indexes of all correlations */
	uint32_t correlation_count;
	bool *strange;               /* by rule: unknown to the snapshot that this came from */
};

/* One pass of one of the two machines. */
struct run {
	struct correlate *correlate;
	struct batch *batch;
	bool silent;
	bool settled;
};

/*
 * Order of settling: (time, coordinate), then what makes it total; later steps before earlier ones,
 * so that an event that is two steps of a sequence does not cover the chain that it completes.
 */
int item_compare(const struct item *a, const struct item *b);
struct item *item_new(const struct completion *event, struct str key);
bool pending_put(struct correlate *correlate, struct item *item); /* takes it over when true */
struct item *pending_take(struct correlate *correlate);

/* Feeds one item to the machine of the run, and on to the correlations around it. */
int run_item(struct run *run, const struct item *item);
/* Lets the settled machine go on to the watermark. */
int run_settle(struct run *run);

/* settle.c: what became of an alert. alert has its rule, groups and completing event. */
int docket_early(struct run *run, const struct rule *rule, struct str key, struct alert *alert);
int docket_settled(struct run *run, const struct rule *rule, struct str key, struct alert *alert);
/* Early alerts that can no longer be settled by one of their own are replaced by the last one. */
int docket_sweep(struct run *run, const struct rule *rule);

#endif
