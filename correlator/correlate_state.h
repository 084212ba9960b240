/*
 * correlate_state.h - what a struct correlate holds; for correlate.c, settle.c and snapshot.c
 * alone.
 */
#ifndef TOCSIN_CORRELATOR_CORRELATE_STATE_H
#define TOCSIN_CORRELATOR_CORRELATE_STATE_H

#include "correlator/correlate.h"
#include "correlator/cohort.h"
#include "correlator/first_seen.h"
#include "correlator/repeat.h"
#include "correlator/watermark.h"
#include "sigma/decimal.h"

/* A detection for as long as it waits for the watermark. */
struct item {
	struct completion event; /* text points into text[] */
	uint64_t value;          /* keyed hash of the counted fields */
	decimal number;          /* the field as a number, where it is one */
	bool has_value, has_number;
	bool is_end;             /* of an inner window that time closed: behind all of its moment */
	uint32_t correlation, rule; /* rule indexes */
	uint32_t step;           /* the last that the rule is, in that correlation */
	int32_t rank;            /* among what one event is: the least goes first */
	struct str key;          /* group values */
	struct window_name name; /* of its window, in both machines */
	char text[];
};

/*
 * The ordered buffer in front of the settled machine: a heap by item_compare, and in front of it
 * those that the watermark has passed and whose windows have been called for. Within run_settle
 * alone there are such.
 */
struct pending {
	struct pending_place {
		int64_t time_ns;
		struct item *item;
	} *heap;
	size_t heap_count, heap_capacity;
	struct item *ready[WINDOW_GROUP];
	size_t ready_first, ready_end;
};

#define ONCE_NAMES 64u

/* The windows that an event is done with, though it matches more rules of their correlation. */
struct once {
	int64_t time_ns;
	struct coordinate at;
	struct window_name names[ONCE_NAMES];
	size_t count;
};

struct correlate {
	struct correlate_options options;
	struct window_table early, settled;
	struct window_table dockets; /* groups with alerts that are not settled */
	struct cohort_table early_cohorts, settled_cohorts; /* what goes by time */
	struct machine_once {
		struct once own;     /* by a rule that it matches */
		struct once chained; /* by an inner correlation that it made fire */
	} early_once, settled_once;
	struct watermark watermark;
	int64_t newest_ns;           /* of the detections taken; WATERMARK_NONE */
	/* Of the groups that went at the ceiling: how many were told of, and when last. */
	uint64_t evicted_told;
	int64_t evicted_told_ns;     /* event time; WATERMARK_NONE */
	struct repeat *repeats;      /* by source partition */
	struct pending pending;
	uint32_t *correlations;      /* rule indexes of all correlations */
	uint32_t correlation_count;
	struct first_seen_state *first_seen;
	bool *strange;               /* by rule: unknown to the snapshot that this came from */
};

/* One pass of one of the two machines. */
struct run {
	struct correlate *correlate;
	struct batch *batch;
	struct error *error; /* of what is not ERR_MEMORY */
	bool silent;
	bool settled;
};

/*
 * Order of settling: (time, coordinate), then what makes it total, whatever the order of the rules.
 * Inner correlations come before outer ones, and later steps before earlier ones, so that an event
 * that is two steps of a sequence does not cover the chain that it completes. What is a step behind
 * an inner correlation that its event makes fire goes before that, too.
 */
int item_compare(const struct item *a, const struct item *b);
struct item *item_new(const struct completion *event, struct str key);
/* Of a detection, by its groups, and by so many of its values besides. NULL without memory. */
struct item *item_of(const struct detection *detection, size_t values);
/* Its name, once it has correlation and key; only of what has windows, or several rules. */
void item_name(const struct correlate *correlate, struct item *item);
/* What its update is going to need of that table; of what has no windows, nothing. */
void item_ask(const struct item *item, const struct correlate *correlate,
    const struct window_table *table, struct window_ask *ret);

/* reading.c: one record of "detections". What it reads is what it says: nothing has changed yet. */
struct reading {
	enum message_kind kind;  /* MESSAGE_DAMAGED also when only the body is */
	struct str value;
	/* of a detection */
	const struct rule *rule; /* NULL: unknown */
	uint32_t partition;
	int64_t time_ns;
	struct repeat_key key;
	struct item *item;       /* NULL without memory or rule; who has the reading frees it */
};
void reading_read(struct reading *reading, const struct correlate *correlate, struct str value);

bool pending_put(struct correlate *correlate, struct item *item); /* takes it over when true */
/* The next, when it is due by then; else NULL. */
const struct item *pending_due(struct correlate *correlate, int64_t until_ns);
/* The one that is due, which is the caller's now. */
struct item *pending_take(struct correlate *correlate);
size_t pending_count(const struct correlate *correlate);
/* All of them, in no order. */
struct item *pending_at(const struct correlate *correlate, size_t index);
void pending_end(struct correlate *correlate);

/* Feeds one item to the machine of the run, and on to the correlations around it. */
int run_item(struct run *run, const struct item *item);
/*
 * What made a window, an alert and an event of the correlations around it. item: its completing
 * event, key and correlation. at_ns: when that was decided, which is its place in time for the
 * outer ones: the time of the event, or the end of the window. measured: what was compared, or
 * NULL.
 */
int run_complete(struct run *run, const struct item *item, int64_t at_ns, struct parts *parts,
    const decimal *measured);
/* The event is done with this window: no other rule that it matches has a part in it. */
void run_took(struct run *run, const struct item *item);
/* Lets the settled machine go on to the watermark. */
int run_settle(struct run *run);

/* correlate_cohort.c: an event of a correlation that goes by time; a group that is due. */
int cohort_step(struct run *run, const struct item *item, uint32_t step, struct parts *parts);
int cohort_end(struct run *run, struct cohort *group);

/* evicted.c: when the watermark has risen. */
int run_tell_evicted(struct run *run);

/* settle.c: what became of an alert. alert has its rule, groups and completing event. */
int docket_early(struct run *run, const struct rule *rule, struct str key, struct alert *alert);
int docket_settled(struct run *run, const struct rule *rule, struct str key, struct alert *alert);
/* Of a correlation that shows nothing early. */
int alert_settle(struct run *run, struct alert *alert);
/* Early alerts that can no longer be settled by one of their own are replaced by the last one. */
int docket_sweep(struct run *run, const struct rule *rule);

#endif
