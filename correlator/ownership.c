/*
 * Partitions come and go. What a worker remembers of one is read from the checkpoint when it comes,
 * and dropped when it goes; the same happens to all of them when memory and checkpoint have parted
 * (the fence, a failed commit).
 */
#include "correlator/worker_state.h"

#include <stdio.h>

#include "base/check.h"
#include "correlator/snapshot.h"

struct correlate *worker_correlate_new(struct worker *worker, const struct ruleset *ruleset,
    uint32_t partition)
{
	uint32_t partitions = worker->partitions[TOPIC_DETECTIONS];
	struct correlate_options options = {.ruleset = ruleset, .site = &worker->site,
	    .partition = partition, .sources = worker->partitions[TOPIC_EVENTS],
	    /* A share of each partition: what is evicted must not depend on who owns how many. */
	    .groups_max = worker->options.groups_max / partitions + 1,
	    .pending_max = worker->options.pending_max / partitions + 1,
	    .checkpoint = worker->options.checkpoint,
	    .memory_max = worker->options.memory_max / partitions + 1,
	    .stats = &worker->stats};

	return correlate_new(&options);
}

struct rows {
	struct worker *worker;
	uint32_t owner;
	bool failed;
};

static bool row_visit(void *context, const struct outbox_row *row)
{
	struct rows *rows = context;
	struct worker *worker = rows->worker;

	if (row->owner != rows->owner)
		return true;
	if (!sender_add(worker->sender, row, true)) {
		rows->failed = true;
		return false;
	}
	if (!worker->has_sequence || row->sequence > worker->last_sequence)
		worker->last_sequence = row->sequence;
	worker->has_sequence = true;
	return true;
}

/* Rows that nobody may have published, or that have no receipt: they go again. */
static int rows_load(struct worker *worker, enum bus_topic topic, uint32_t partition,
    struct error *error)
{
	struct rows rows = {.worker = worker, .owner = letter_owner(topic, partition)};
	int code = checkpoint_outbox_each(worker->options.checkpoint, 0, row_visit, &rows, error);

	if (code == 0 && rows.failed)
		code = error_set(error, ERR_MEMORY, TEXT_base_memory);
	return code;
}

static int events_load(struct worker *worker, uint32_t partition, struct error *error)
{
	char name[32];

	snprintf(name, sizeof(name), "seen/%u", partition);
	detect_forget(worker->detect, partition);
	int code = checkpoint_state_get(worker->options.checkpoint, str_of(name), &worker->scratch,
	    NULL);

	if (code == ERR_MISSING)
		return 0;
	if (code == 0)
		code = detect_restore(worker->detect, partition, buf_str(&worker->scratch));
	if (code == ERR_VERSION || code == ERR_CORRUPT) {
		/* Only repeats go unrecognised then, and their alerts keep their ids. */
		detect_forget(worker->detect, partition);
		worker->stats.state_refused++;
		code = 0;
	}
	return code < 0 ? error_set(error, code, TEXT_base_memory) : 0;
}

/* From the snapshot, or anew when there is none that can be used. */
static int correlate_load(struct worker *worker, uint32_t partition, uint64_t *ret_offset,
    struct error *error)
{
	struct owned *owned = &worker->owned[TOPIC_DETECTIONS][partition];
	uint64_t dropped = 0;
	char name[32];

	snprintf(name, sizeof(name), "snapshot/%u", partition);
	*ret_offset = NOWHERE;
	owned->correlate = worker_correlate_new(worker, worker->ruleset, partition);
	if (owned->correlate == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	int code = checkpoint_state_get(worker->options.checkpoint, str_of(name), &worker->scratch,
	    NULL);

	if (code == ERR_MISSING)
		return 0;
	if (code == 0)
		code = snapshot_read(buf_str(&worker->scratch), owned->correlate, ret_offset,
		    &dropped);
	worker->stats.state_dropped += dropped;
	owned->other_rules = code == 0 && correlate_has_strangers(owned->correlate);
	if (code == 0 || code == ERR_MEMORY || code == ERR_IO)
		return code < 0 ? error_set(error, code, TEXT_base_memory) : 0;
	worker->stats.state_refused++;
	*ret_offset = NOWHERE;
	correlate_free(owned->correlate);
	owned->correlate = worker_correlate_new(worker, worker->ruleset, partition);
	return owned->correlate != NULL ? 0 : error_set(error, ERR_MEMORY, TEXT_base_memory);
}

static int detections_load(struct worker *worker, uint32_t partition, uint64_t *offset,
    struct error *error)
{
	struct owned *owned = &worker->owned[TOPIC_DETECTIONS][partition];
	uint64_t kept, end;
	int code = correlate_load(worker, partition, &kept, error);

	if (code < 0 || owned->committed == NOWHERE)
		return code;
	owned->silent_until = owned->committed;
	owned->kept = kept;
	owned->snapshot_ns = kept != NOWHERE ? worker->now_ns : INT64_MIN;
	if (kept != NOWHERE && kept <= owned->committed) {
		*offset = kept;
		return 0;
	}
	/* No snapshot: all that the topic still has makes the state anew. */
	code = bus_range(worker->options.bus, TOPIC_DETECTIONS, partition, offset, &end, error);
	if (code == 0 && *offset > owned->committed)
		*offset = owned->committed;
	return code;
}

static int partition_load(struct worker *worker, enum bus_topic topic, uint32_t partition,
    uint64_t *offset, struct error *error)
{
	struct owned *owned = &worker->owned[topic][partition];

	correlate_free(owned->correlate);
	*owned = (struct owned){.owned = true, .committed = NOWHERE, .kept = NOWHERE,
	    .snapshot_ns = INT64_MIN};
	int code = checkpoint_offset(worker->options.checkpoint, topic, partition,
	    &owned->committed, error);

	*offset = owned->committed;
	if (code == 0)
		code = rows_load(worker, topic, partition, error);
	if (code == 0)
		code = topic == TOPIC_EVENTS ? events_load(worker, partition, error)
		    : detections_load(worker, partition, offset, error);
	owned->next = *offset;
	worker->announcement.ready = false;
	return code;
}

int worker_on_assign(void *context, enum bus_topic topic, uint32_t partition, uint64_t *offset)
{
	struct worker *worker = context;

	CHECK(topic < WORKER_TOPICS && partition < worker->partitions[topic]);
	return partition_load(worker, topic, partition, offset, NULL);
}

void worker_on_revoke(void *context, enum bus_topic topic, uint32_t partition, bool lost)
{
	struct worker *worker = context;
	struct owned *owned = &worker->owned[topic][partition];

	(void)lost; /* nothing is written on the way out, so there is nothing to leave out */
	if (topic == TOPIC_EVENTS && owned->owned)
		detect_forget(worker->detect, partition);
	correlate_free(owned->correlate);
	*owned = (struct owned){.owned = false};
	sender_drop(worker->sender, letter_owner(topic, partition));
	worker->announcement.ready = false;
}

void worker_disown(struct worker *worker)
{
	for (uint32_t topic = 0; topic < WORKER_TOPICS; topic++)
		for (uint32_t i = 0; worker->owned[topic] != NULL && i < worker->partitions[topic];
		    i++)
			correlate_free(worker->owned[topic][i].correlate);
}

/* Where a partition without a stored offset begins: the group's offset, else the earliest. */
static int offset_begin(struct worker *worker, enum bus_topic topic, uint32_t partition,
    uint64_t *offset, struct error *error)
{
	uint64_t end;
	int code =
	    bus_committed(worker->options.bus, WORKER_GROUP, topic, partition, offset, error);

	if (code == 0 && *offset == NOWHERE)
		code = bus_range(worker->options.bus, topic, partition, offset, &end, error);
	return code;
}

static int partition_start_over(struct worker *worker, enum bus_topic topic, uint32_t partition,
    struct error *error)
{
	struct owned *owned = &worker->owned[topic][partition];
	struct owned before = *owned;
	uint64_t offset;
	int code = partition_load(worker, topic, partition, &offset, error);

	/* What has been announced stays so; two workers at odds would go on telling each other. */
	owned->announced = before.announced;
	owned->announced_idle = before.announced_idle;
	owned->announced_ns = before.announced_ns;
	if (code == 0 && offset == NOWHERE)
		code = offset_begin(worker, topic, partition, &offset, error);
	if (code == 0)
		code = bus_seek(worker->readers[topic], partition, offset, error);
	return code;
}

int worker_start_over(struct worker *worker, struct error *error)
{
	int code = 0;

	sender_drop(worker->sender, UINT32_MAX);
	for (uint32_t topic = 0; topic < WORKER_TOPICS; topic++)
		for (uint32_t i = 0; code == 0 && i < worker->partitions[topic]; i++)
			if (worker->owned[topic][i].owned)
				code = partition_start_over(worker, (enum bus_topic)topic, i,
				    error);
	worker->reload = code < 0;
	return code;
}
