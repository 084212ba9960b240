/*
 * correlate.h - one partition of "detections": from detections to the alerts of correlations.
 *
 * Each correlation is one state machine that is fed twice. The early one gets detections as they
 * arrive and shows at once what later events cannot undo; the settled one gets them from an
 * ordered buffer, by (time, coordinate), when the watermark passes. In order both fire on the
 * same event, so the two alerts have one id and only the mark changes; otherwise the settled
 * alert names the early one that it replaces (docs/wire.md, section 4). The settled alerts are a
 * pure function of the partition's records: nothing here looks at a clock.
 *
 * Bounded: windows (groups_max), waiting detections (pending_max), unsettled alerts a group.
 */
#ifndef TOCSIN_CORRELATOR_CORRELATE_H
#define TOCSIN_CORRELATOR_CORRELATE_H

#include "correlator/alert_build.h"
#include "correlator/worker.h"

struct correlate;
struct correlate_group;

struct correlate_options {
	const struct ruleset *ruleset;
	const struct alert_site *site;
	uint32_t partition;
	uint32_t sources;           /* partitions of "events" */
	size_t groups_max, pending_max; /* of this partition */
	struct checkpoint *checkpoint;  /* where first_seen.h remembers; NULL: in memory alone */
	size_t memory_max;              /* rows of a rule there */
	struct worker_stats *stats;
};

/* NULL without memory. ruleset, site and stats outlive it. */
struct correlate *correlate_new(const struct correlate_options *options);
void correlate_free(struct correlate *correlate); /* accepts NULL */

/*
 * One record of the partition. Alerts go to batch; silent: nothing does (the state is being
 * rebuilt). 0 or ERR_MEMORY; then the state is no longer to be trusted.
 */
int correlate_record(struct correlate *correlate, struct str value, struct batch *batch,
    bool silent, struct error *error);
/*
 * The same for records that are known ahead, of one partition or of several: what they say is read,
 * and the memory that it will need called for, before the first is taken; then each is, in its
 * turn. Taken so they do exactly what they do one by one.
 */
#define CORRELATE_GROUP 32u
struct correlate_given {
	struct correlate *correlate; /* NULL: not to be taken */
	struct str value;            /* held until it is taken */
};
struct correlate_group *correlate_group_new(void);      /* NULL without memory */
void correlate_group_free(struct correlate_group *group); /* accepts NULL */
/* Reads at most CORRELATE_GROUP. What was read before and not taken is forgotten. */
void correlate_group_read(struct correlate_group *group, const struct correlate_given *given,
    size_t count);
/* As correlate_record, the one that was given there, once. */
int correlate_take(struct correlate_group *group, size_t index, struct batch *batch, bool silent,
    struct error *error);
void correlate_group_clear(struct correlate_group *group);
/*
 * Within the transaction that the records are part of: what is remembered beside the snapshot.
 * Alerts of its own go to batch. After a failure, as above.
 */
int correlate_commit(struct correlate *correlate, struct batch *batch, struct error *error);
/* WATERMARK_NONE before all sources were heard. */
int64_t correlate_watermark(const struct correlate *correlate);
/* Correlations that the snapshot it came from did not know, or knew otherwise. */
bool correlate_has_strangers(const struct correlate *correlate);
/* Fills groups, evicted, pending, remembered and forgotten of *ret by adding. */
void correlate_count(const struct correlate *correlate, struct worker_stats *ret);

#endif
