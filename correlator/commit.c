/*
 * The one transaction of a batch: fence and offsets, the outbox, what is remembered, snapshots.
 * What is in it has happened; nothing else has.
 */
#include "correlator/worker_state.h"

#include <stdio.h>

#include "correlator/shelf.h"
#include "correlator/snapshot.h"

/* The fence where nothing moves: what is written beside must not be of somebody who has gone. */
static int offset_check(struct worker *worker, enum bus_topic topic, uint32_t partition,
    struct error *error)
{
	uint64_t stored;
	int code = checkpoint_offset(worker->options.checkpoint, topic, partition, &stored, error);

	if (code == 0 && stored != worker->owned[topic][partition].committed)
		code = error_set(error, ERR_STALE, TEXT_bus_stale, bus_topic_name(topic).ptr,
		    partition, stored, worker->owned[topic][partition].committed);
	return code;
}

static int commit_offsets(struct worker *worker, enum bus_topic topic, bool all,
    struct error *error)
{
	int code = 0;

	for (uint32_t i = 0; code == 0 && i < worker->partitions[topic]; i++) {
		struct owned *owned = &worker->owned[topic][i];

		if (owned->moved)
			code = checkpoint_advance(worker->options.checkpoint, topic, i,
			    owned->committed, owned->next, error);
		else if (all && owned->owned)
			code = offset_check(worker, topic, i, error);
	}
	return code;
}

static int commit_outbox(struct worker *worker, struct error *error)
{
	int code = sender_settle(worker->sender, worker->options.checkpoint, error);

	for (struct letter *letter = worker->batch.first; code == 0 && letter != NULL;
	    letter = letter->next)
		code = checkpoint_outbox_put(worker->options.checkpoint, letter->owner,
		    letter->topic, letter->partition, letter->key, letter->value,
		    &letter->sequence, error);
	for (struct gap_note *gap = worker->gaps; code == 0 && gap != NULL; gap = gap->next)
		code = checkpoint_gap(worker->options.checkpoint, gap->topic, gap->partition,
		    gap->from, gap->to, error);
	return code;
}

static int state_put(struct worker *worker, const char *name, uint32_t partition,
    struct error *error)
{
	char text[32];

	if (worker->scratch.failed)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	snprintf(text, sizeof(text), "%s/%u", name, partition);
	return checkpoint_state_put(worker->options.checkpoint, str_of(text),
	    buf_str(&worker->scratch), error);
}

static int commit_seen(struct worker *worker, struct error *error)
{
	int code = 0;

	for (uint32_t i = 0; code == 0 && i < worker->partitions[TOPIC_EVENTS]; i++) {
		if (!worker->owned[TOPIC_EVENTS][i].moved)
			continue;
		buf_clear(&worker->scratch);
		detect_save(worker->detect, i, &worker->scratch);
		code = state_put(worker, "seen", i, error);
	}
	return code;
}

static bool snapshot_is_due(const struct worker *worker, const struct owned *owned)
{
	return owned->moved && (owned->kept == NOWHERE || owned->other_rules ||
	    worker->now_ns < owned->snapshot_ns ||
	    worker->now_ns - owned->snapshot_ns >= worker->options.snapshot_ns);
}

/* Not while the state is being rebuilt: what it stands for lies behind the stored offset then. */
static bool snapshot_is_possible(const struct owned *owned)
{
	return owned->owned && owned->correlate != NULL && owned->next != NOWHERE &&
	    (owned->moved || owned->next == owned->committed);
}

static int commit_snapshots(struct worker *worker, bool all, struct error *error)
{
	int code = 0;

	for (uint32_t i = 0; code == 0 && i < worker->partitions[TOPIC_DETECTIONS]; i++) {
		struct owned *owned = &worker->owned[TOPIC_DETECTIONS][i];

		if (!snapshot_is_possible(owned) || !(all || snapshot_is_due(worker, owned)))
			continue;
		buf_clear(&worker->scratch);
		snapshot_write(&worker->scratch, owned->correlate, owned->next);
		code = state_put(worker, "snapshot", i, error);
		owned->other_rules = false;
		owned->kept = owned->next;
		owned->snapshot_ns = worker->now_ns;
	}
	return code;
}

/* Before the outbox: what has to be told of it goes there. */
static int commit_memory(struct worker *worker, struct error *error)
{
	int code = 0;

	for (uint32_t i = 0; code == 0 && i < worker->partitions[TOPIC_DETECTIONS]; i++) {
		struct owned *owned = &worker->owned[TOPIC_DETECTIONS][i];

		if (owned->owned && owned->moved && owned->correlate != NULL)
			code = correlate_commit(owned->correlate, &worker->batch, error);
	}
	return code;
}

static void offsets_write(struct worker *worker, struct buf *out)
{
	for (uint32_t topic = 0; topic < WORKER_TOPICS; topic++)
		for (uint32_t i = 0; i < worker->partitions[topic]; i++)
			if (worker->owned[topic][i].owned &&
			    worker->owned[topic][i].next != NOWHERE)
				buf_printf(out, " %s/%u/%lu",
				    bus_topic_name((enum bus_topic)topic).ptr, i,
				    worker->owned[topic][i].next);
}

/* Which rules are in force from which offsets on: a switch falls between two transactions. */
static int commit_rules(struct worker *worker, struct error *error)
{
	struct shelf_entry entry = {.instance = worker->options.instance,
	    .instances = worker->options.instances, .rules = ruleset_hash(worker->ruleset),
	    .bundle = str_from(worker->bundle, worker->bundle_len)};

	buf_clear(&worker->scratch);
	offsets_write(worker, &worker->scratch);
	if (worker->scratch.failed)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	entry.offsets = buf_str(&worker->scratch);
	return shelf_put(worker->options.checkpoint, &entry, error);
}

static int commit_all(struct worker *worker, bool snapshots, struct error *error)
{
	int code = checkpoint_begin(worker->options.checkpoint, error);

	if (code < 0)
		return code;
	code = commit_offsets(worker, TOPIC_EVENTS, snapshots, error);
	if (code == 0)
		code = commit_offsets(worker, TOPIC_DETECTIONS, snapshots, error);
	if (code == 0)
		code = commit_memory(worker, error);
	if (code == 0)
		code = commit_outbox(worker, error);
	if (code == 0)
		code = commit_seen(worker, error);
	if (code == 0)
		code = commit_snapshots(worker, snapshots, error);
	if (code == 0 && !worker->rules_told)
		code = commit_rules(worker, error);
	if (code < 0) {
		checkpoint_abort(worker->options.checkpoint);
		return code;
	}
	return checkpoint_commit(worker->options.checkpoint, error);
}

/* The rows are durable; from here on the sender has them. */
static int commit_hand_over(struct worker *worker, struct error *error)
{
	sender_forget(worker->sender);
	for (struct letter *letter = worker->batch.first; letter != NULL; letter = letter->next) {
		struct outbox_row row = {.sequence = letter->sequence, .owner = letter->owner,
		    .topic = letter->topic, .partition = letter->partition, .key = letter->key,
		    .value = letter->value};

		if (!sender_add(worker->sender, &row, false))
			return error_set(error, ERR_MEMORY, TEXT_base_memory);
		worker->last_sequence = letter->sequence;
		worker->has_sequence = true;
	}
	worker->batch.first = NULL;
	worker->batch.end = &worker->batch.first;
	worker->gaps = NULL;
	return 0;
}

/* Tells the bus what is not needed again: detections are, back to the last snapshot. */
static int commit_to_bus(struct worker *worker, struct error *error)
{
	int code = 0;

	for (uint32_t topic = 0; topic < WORKER_TOPICS; topic++) {
		for (uint32_t i = 0; code == 0 && i < worker->partitions[topic]; i++) {
			struct owned *owned = &worker->owned[topic][i];

			if (!owned->moved)
				continue;
			owned->moved = false;
			owned->committed = owned->next;
			uint64_t next = topic == TOPIC_EVENTS ? owned->next : owned->kept;

			if (next != NOWHERE)
				code = bus_commit(worker->readers[topic], i, next, error);
		}
	}
	return code;
}

static bool commit_is_needed(const struct worker *worker)
{
	if (worker->batch.first != NULL || worker->gaps != NULL || !worker->rules_told ||
	    sender_has_settled(worker->sender))
		return true;
	for (uint32_t topic = 0; topic < WORKER_TOPICS; topic++)
		for (uint32_t i = 0; i < worker->partitions[topic]; i++)
			if (worker->owned[topic][i].moved)
				return true;
	return false;
}

int worker_commit(struct worker *worker, bool snapshots, struct error *error)
{
	if (!snapshots && !commit_is_needed(worker))
		return 0;
	int code = commit_all(worker, snapshots, error);

	if (code == 0) {
		worker->rules_told = true;
		code = commit_hand_over(worker, error);
	}
	if (code == 0)
		code = commit_to_bus(worker, error);
	if (code < 0)
		worker->reload = true;
	return code;
}
