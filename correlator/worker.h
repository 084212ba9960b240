/*
 * worker.h - the stage "correlate": detect and correlate, driven one batch at a time.
 *
 * A step polls events and detections, decodes and matches (detect), feeds the windows
 * (correlate), and ends in one transaction of the checkpoint: offsets compared and advanced,
 * outbox, snapshot. Only then are the outbox rows published, and deleted in a later transaction
 * once the bus has given the receipt. Several workers share the partitions of both topics, on one
 * host through one checkpoint file (docs/ARCHITECTURE.md, "Exactly once").
 */
#ifndef TOCSIN_CORRELATOR_WORKER_H
#define TOCSIN_CORRELATOR_WORKER_H

#include "base/hash.h"
#include "bus/bus.h"
#include "bus/checkpoint.h"
#include "correlator/census.h"
#include "decoder/logsource.h"
#include "sigma/ruleset.h"

struct worker;
struct matcher;

struct worker_options {
	struct bus *bus;               /* used by this worker alone; outlives it */
	/* likewise; of the same site, else ERR_FOREIGN; what it has of another bus is dropped */
	struct checkpoint *checkpoint;
	struct ruleset *ruleset;       /* taken over by worker_open, also when it fails */
	/* what the ruleset was made of (bundle.h), to be kept in the checkpoint; empty: is not */
	struct str bundle;
	struct hash_key site;
	bool group;                    /* partitions come and go (kafka groups) */
	uint32_t instance,
	    instances; /* else: owns the partitions p with p % instances == instance */
	size_t batch;                  /* about so many events, or detections, a step */
	int64_t lateness_ns, skew_ns, idle_ns, snapshot_ns;
	size_t groups_max;             /* live window keys; the oldest goes first, counted */
	size_t pending_max;            /* detections that wait for the watermark */
	size_t memory_max; /* rows that a rule with first_seen remembers; then as above */
	int64_t fold_default_ns;
	const struct logsources *logsources; /* outlive it; NULL: none */
	struct str replay; /* name of a replay: event times alone, no clamp; empty live */
};

int worker_open(struct worker **ret, const struct worker_options *options, struct error *error);
void worker_close(struct worker *worker); /* accepts NULL; commits nothing */
/*
 * One batch. now_ns: wall clock; waits up to timeout_ns for something to do. Returns how many
 * records were read (0: idle), or a negative code: ERR_STALE has been dealt with and is not
 * returned; ERR_FULL and ERR_BUS are worth another step later.
 */
int worker_step(struct worker *worker, int64_t now_ns, int64_t timeout_ns, struct error *error);
/* Publishes what is in the outbox and waits for the receipts. For an orderly end, and replays. */
int worker_flush(struct worker *worker, int64_t timeout_ns, struct error *error);
/*
 * At the end of a replay: lets every watermark pass, so that all is settled. Then step until
 * idle.
 */
int worker_finish(struct worker *worker, struct error *error);

/* A rule set that was made ready beside the running one. */
struct worker_rules {
	struct ruleset *ruleset;
	struct str bundle;        /* borrowed; empty: not kept */
	struct matcher *matcher;  /* of the ruleset; NULL: made at the switch */
};

enum worker_switch { WORKER_SWITCHED, WORKER_NOT_YET };

/*
 * Puts other rules in force, between two batches: rules, offsets and a snapshot of every window are
 * one transaction. Windows of rules whose compiled form is the same go on, the others go
 * (state_dropped). WORKER_SWITCHED: ruleset and matcher were taken over, what was before is freed.
 * WORKER_NOT_YET: windows are being rebuilt, or the fence; call again after a step. Negative: the
 * running rules are in force as before.
 */
int worker_reload(struct worker *worker, const struct worker_rules *rules, struct error *error);
const struct ruleset *worker_ruleset(const struct worker *worker);
struct str worker_bundle(const struct worker *worker);
/* What is matched against the rules, to make a new matcher ready; it changes with each step. */
const struct matcher *worker_matcher(const struct worker *worker);

struct worker_stats {
	uint64_t events, ticks, gaps, repeats, foreign, undecoded, damaged;
	uint64_t matches, alerts_plain, detections, detection_repeats, late;
	uint64_t alerts_early, alerts_settled, alerts_replaced;
	uint64_t alerts_closed; /* settled, of correlations that show nothing early */
	uint64_t numberless;  /* detections whose field is no number, where one is added up */
	uint64_t cut;         /* events that a group had no room for */
	uint64_t skipped;     /* records of a version or type that this program does not know */
	uint64_t ungrouped;   /* matches that lack a group-by field of their correlation */
	uint64_t unknown;     /* detections for rules that are not loaded */
	uint64_t refused;     /* records that the bus will never take */
	uint64_t state_dropped; /* windows and detections of rules that have gone or changed */
	/* snapshots that could not be used; and all there was, when it belonged to another bus */
	uint64_t state_refused;
	uint64_t remembered, forgotten; /* rows of rules with first_seen; let go at the ceiling */
	uint64_t stale, outbox, resent, groups, evicted, pending, pending_dropped, skewed;
	int64_t watermark_ns; /* of the slowest partition; INT64_MIN before the first */
};
void worker_stats(const struct worker *worker, struct worker_stats *ret);
/* What decoding came to, by sender. */
const struct census *worker_census(const struct worker *worker);

#endif
