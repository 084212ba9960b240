/*
 * detect.h - from records of "events" to alerts of plain rules and to detections.
 *
 * Stateless but for what it remembers of a partition: which frames it has seen, and how far time
 * has come. Every match of a rule that alerts is an alert; every match that some correlation
 * refers to is a detection, sent to the partition of its correlation and group values.
 */
#ifndef TOCSIN_CORRELATOR_DETECT_H
#define TOCSIN_CORRELATOR_DETECT_H

#include "correlator/alert_build.h"
#include "correlator/census.h"
#include "correlator/matcher.h"
#include "correlator/watermark.h"
#include "correlator/worker.h"

struct detect;

struct detect_options {
	const struct ruleset *ruleset;
	const struct logsources *logsources; /* NULL: none */
	const struct alert_site *site;
	struct str identity;   /* of the bus */
	uint32_t partitions;   /* of "events" */
	int64_t skew_ns;       /* < 0: none (replays) */
	struct worker_stats *stats;
};

/* NULL without memory. ruleset, logsources, site, identity and stats outlive it. */
struct detect *detect_new(const struct detect_options *options);
void detect_free(struct detect *detect); /* accepts NULL */
/*
 * The rules from here on, and their matcher, which is taken over; gives the one before back. What
 * it remembers stays.
 */
struct matcher *detect_swap(struct detect *detect, const struct ruleset *ruleset,
    struct matcher *matcher);
const struct matcher *detect_matcher(const struct detect *detect);
const struct census *detect_census(const struct detect *detect);

/* One record that is no gap. 0 or ERR_MEMORY. *ret_tick: it carried time on. */
int detect_record(struct detect *detect, const struct bus_record *record, struct batch *batch,
    bool *ret_tick, struct error *error);

const struct watermark_source *detect_source(const struct detect *detect, uint32_t partition);
/* What it remembers of a partition, as bytes for the checkpoint; and back: 0 or negative. */
void detect_save(const struct detect *detect, uint32_t partition, struct buf *out);
int detect_restore(struct detect *detect, uint32_t partition, struct str saved);
void detect_forget(struct detect *detect, uint32_t partition);

#endif
