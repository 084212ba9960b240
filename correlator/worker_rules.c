/*
 * The switch to other rules: all that is needed is made beside what runs, put in its place, and
 * recorded in one transaction with a snapshot of every window. When that fails, what ran before is
 * put back; memory and checkpoint are never of different rules.
 */
#include "correlator/worker_state.h"

#include <stdlib.h>
#include <string.h>

#include "correlator/snapshot.h"

struct change {
	struct ruleset *ruleset;
	struct matcher *matcher;
	struct correlate *correlates[BUS_PARTITIONS_MAX]; /* of the partitions that are owned */
	char *bundle;
	size_t bundle_len;
	uint64_t dropped;
};

bool worker_keep_bundle(struct worker *worker, struct str bundle)
{
	char *copy = malloc(bundle.len + 1);

	if (copy == NULL)
		return false;
	if (bundle.len > 0)
		memcpy(copy, bundle.ptr, bundle.len);
	free(worker->bundle);
	worker->bundle = copy;
	worker->bundle_len = bundle.len;
	return true;
}

const struct ruleset *worker_ruleset(const struct worker *worker)
{
	return worker->ruleset;
}

struct str worker_bundle(const struct worker *worker)
{
	return str_from(worker->bundle, worker->bundle_len);
}

const struct matcher *worker_matcher(const struct worker *worker)
{
	return detect_matcher(worker->detect);
}

/* The state of a partition under other rules. NULL without memory. */
static struct correlate *correlate_under(struct worker *worker, const struct ruleset *ruleset,
    uint32_t partition, uint64_t *dropped)
{
	struct owned *owned = &worker->owned[TOPIC_DETECTIONS][partition];
	struct correlate *correlate = worker_correlate_new(worker, ruleset, partition);
	uint64_t offset;

	buf_clear(&worker->scratch);
	snapshot_write(&worker->scratch, owned->correlate, owned->next);
	if (correlate == NULL || worker->scratch.failed || snapshot_read(buf_str(&worker->scratch),
	    correlate, &offset, dropped) < 0) {
		correlate_free(correlate);
		return NULL;
	}
	return correlate;
}

static void change_end(struct change *change)
{
	for (uint32_t i = 0; i < BUS_PARTITIONS_MAX; i++)
		correlate_free(change->correlates[i]);
	free(change->bundle);
}

/* Whatever takes memory; nothing of the worker has changed yet. */
static bool change_make(struct worker *worker, struct change *change,
    const struct worker_rules *rules)
{
	*change = (struct change){.ruleset = rules->ruleset, .matcher = rules->matcher,
	    .bundle = malloc(rules->bundle.len + 1), .bundle_len = rules->bundle.len};
	if (change->bundle == NULL)
		return false;
	if (rules->bundle.len > 0)
		memcpy(change->bundle, rules->bundle.ptr, rules->bundle.len);
	for (uint32_t i = 0; i < worker->partitions[TOPIC_DETECTIONS]; i++) {
		uint64_t dropped = 0;

		if (worker->owned[TOPIC_DETECTIONS][i].correlate == NULL)
			continue;
		change->correlates[i] = correlate_under(worker, rules->ruleset, i, &dropped);
		if (change->correlates[i] == NULL)
			return false;
		change->dropped += dropped;
	}
	if (change->matcher == NULL)
		change->matcher = matcher_new(rules->ruleset);
	return change->matcher != NULL;
}

/* Twice is not at all. */
static void change_swap(struct worker *worker, struct change *change)
{
	struct ruleset *ruleset = worker->ruleset;
	char *bundle = worker->bundle;
	size_t bundle_len = worker->bundle_len;

	for (uint32_t i = 0; i < worker->partitions[TOPIC_DETECTIONS]; i++) {
		struct owned *owned = &worker->owned[TOPIC_DETECTIONS][i];
		struct correlate *correlate = owned->correlate;

		owned->correlate = change->correlates[i];
		change->correlates[i] = correlate;
	}
	matcher_carry(change->matcher, detect_matcher(worker->detect));
	change->matcher = detect_swap(worker->detect, change->ruleset, change->matcher);
	worker->ruleset = change->ruleset;
	worker->bundle = change->bundle;
	worker->bundle_len = change->bundle_len;
	change->ruleset = ruleset;
	change->bundle = bundle;
	change->bundle_len = bundle_len;
}

/*
 * A snapshot cannot be taken before the windows stand where the stored offset does; without one a
 * death would rebuild them from before the switch.
 */
static bool is_rebuilding(const struct worker *worker)
{
	for (uint32_t i = 0; i < worker->partitions[TOPIC_DETECTIONS]; i++) {
		const struct owned *owned = &worker->owned[TOPIC_DETECTIONS][i];

		if (owned->owned && owned->committed != NOWHERE && owned->next != owned->committed)
			return true;
	}
	return false;
}

/* The transaction. 0, or the code for which nothing of it is there. */
static int switch_commit(struct worker *worker, struct error *error)
{
	worker->gaps = NULL;
	batch_begin(&worker->batch, worker->arena, worker->now_ns);
	worker->rules_told = false;
	int code = worker_commit(worker, true, error);

	if (!worker->rules_told)
		return code;
	/* It is recorded; what the bus says to it comes again at the next step. */
	error_clear(error);
	return 0;
}

static int switch_to(struct worker *worker, const struct worker_rules *rules, struct error *error)
{
	struct change change;

	if (!change_make(worker, &change, rules)) {
		change_end(&change);
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	}
	change_swap(worker, &change);
	int code = switch_commit(worker, error);

	if (code < 0)
		change_swap(worker, &change);
	else
		worker->stats.state_dropped += change.dropped;
	if (code == 0 || rules->matcher == NULL)
		matcher_free(change.matcher);
	if (code == 0)
		ruleset_free(change.ruleset);
	change_end(&change);
	return code;
}

int worker_reload(struct worker *worker, const struct worker_rules *rules, struct error *error)
{
	struct error own;

	if (error == NULL)
		error = &own;
	error_clear(error);
	int code = worker->reload ? worker_start_over(worker, error) : 0;

	if (code == 0 && is_rebuilding(worker))
		return WORKER_NOT_YET;
	if (code == 0)
		code = switch_to(worker, rules, error);
	if (code != ERR_STALE)
		return code < 0 ? code : WORKER_SWITCHED;
	/* The fence: from the checkpoint again, and then the switch. */
	worker->stats.stale++;
	worker->reload = true;
	error_clear(error);
	return WORKER_NOT_YET;
}
