#include "correlator/worker.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "correlator/snapshot.h"
#include "correlator/worker_state.h"

#define ARENA_CEILING ((size_t)1 << 30)
#define ARENA_ENOUGH  ((size_t)32 << 20) /* made by a batch; the rest waits for the next */
#define WAITING_MAX   16384u             /* rows without a receipt before reading pauses */
#define FRAME_EVENTS_GUESS 32u           /* of the first frames */
#define SLICE_NS      (5 * NS_PER_MS)    /* longest wait for one of several things */

/* ---- birth and death ---- */

static bool worker_allocate(struct worker *worker)
{
	const struct worker_options *options = &worker->options;
	struct detect_options detect = {.ruleset = worker->ruleset, .site = &worker->site,
	    .identity = bus_identity(options->bus), .partitions = worker->partitions[TOPIC_EVENTS],
	    .skew_ns = worker->site.replay.len > 0 ? -1 : options->skew_ns,
	    .logsources = options->logsources, .stats = &worker->stats};

	for (uint32_t topic = 0; topic < WORKER_TOPICS; topic++) {
		worker->owned[topic] =
		    calloc(worker->partitions[topic], sizeof(*worker->owned[topic]));
		if (worker->owned[topic] == NULL)
			return false;
	}
	worker->records = calloc(options->batch, sizeof(*worker->records));
	worker->group = correlate_group_new();
	worker->arena = arena_new(ARENA_CEILING);
	worker->sender = sender_new(options->bus, &worker->stats);
	worker->detect = detect_new(&detect);
	return worker->records != NULL && worker->group != NULL && worker->arena != NULL &&
	    worker->sender != NULL && worker->detect != NULL;
}

static int reader_open(struct worker *worker, enum bus_topic topic, struct error *error)
{
	const struct worker_options *options = &worker->options;
	uint32_t partitions[BUS_PARTITIONS_MAX];
	struct bus_reader_options reader = {.topic = topic, .group = WORKER_GROUP,
	    .partitions = options->group ? NULL : partitions,
	    .assignment = {worker_on_assign, worker_on_revoke, worker}};

	for (uint32_t i = 0; i < worker->partitions[topic]; i++)
		if (options->instances == 0 || i % options->instances == options->instance)
			partitions[reader.partition_count++] = i;
	if (!options->group && reader.partition_count == 0)
		return 0; /* more workers than partitions */
	return bus_reader_open(&worker->readers[topic], options->bus, &reader, error);
}

/* Offsets of another bus, and ids under another key, are not this worker's to go on from. */
static int checkpoint_is_ours(struct worker *worker, struct error *error)
{
	bool is_new = false;
	int code = checkpoint_bind(worker->options.checkpoint,
	    (hash_sip64(worker->options.site, STR("tocsin.site")) | 1) & ~(UINT64_C(1) << 63),
	    bus_identity(worker->options.bus), &is_new, error);

	worker->stats.state_refused += is_new;
	return code;
}

static int worker_start(struct worker *worker, struct error *error)
{
	int code = checkpoint_is_ours(worker, error);

	if (code < 0)
		return code;
	if (!worker_keep_bundle(worker, worker->options.bundle))
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	for (uint32_t i = 0; i < TOPIC_COUNT; i++)
		worker->batch.partitions[i] = worker->partitions[i] =
		    bus_partitions(worker->options.bus, (enum bus_topic)i);
	if (!worker_allocate(worker))
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	batch_begin(&worker->batch, worker->arena, 0);
	for (uint32_t topic = 0; code == 0 && topic < WORKER_TOPICS; topic++)
		code = reader_open(worker, (enum bus_topic)topic, error);
	return code;
}

int worker_open(struct worker **ret, const struct worker_options *options, struct error *error)
{
	struct worker *worker = calloc(1, sizeof(*worker));

	if (worker == NULL) {
		ruleset_free(options->ruleset);
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	}
	worker->options = *options;
	if (worker->options.batch == 0)
		worker->options.batch = 512;
	worker->frame_events = FRAME_EVENTS_GUESS;
	worker->ruleset = options->ruleset;
	worker->scratch = BUF(SNAPSHOT_MAX);
	struct str replay = str_slice(options->replay, 0, sizeof(worker->replay));

	if (replay.len > 0)
		memcpy(worker->replay, replay.ptr, replay.len);
	worker->site = (struct alert_site){.key = options->site,
	    .replay = str_from(worker->replay, replay.len),
	    .fold_default_ns = options->fold_default_ns};
	worker->announced_ns = INT64_MIN / 2;
	int code = worker_start(worker, error);

	if (code < 0) {
		worker_close(worker);
		return code;
	}
	*ret = worker;
	return 0;
}

void worker_close(struct worker *worker)
{
	if (worker == NULL)
		return;
	for (uint32_t topic = 0; topic < WORKER_TOPICS; topic++)
		bus_reader_close(worker->readers[topic]);
	worker_disown(worker);
	for (uint32_t topic = 0; topic < WORKER_TOPICS; topic++)
		free(worker->owned[topic]);
	sender_free(worker->sender);
	detect_free(worker->detect);
	arena_free(worker->arena);
	correlate_group_free(worker->group);
	free(worker->records);
	free(worker->bundle);
	buf_free(&worker->scratch);
	ruleset_free(worker->ruleset);
	free(worker);
}

/* ---- one record ---- */

/* The log was made anew and its offsets begin again: whoever remembers positions must forget. */
static bool gap_is_anew(const struct bus_record *record)
{
	return record->next < record->offset;
}

static bool anew_post(struct worker *worker, const struct bus_record *record)
{
	struct progress progress = {.topic = TOPIC_EVENTS, .partition = record->partition,
	    .partitions = worker->partitions[TOPIC_EVENTS], .offset = record->next, .anew = true,
	    .time_ns = watermark_source_time(detect_source(worker->detect, record->partition),
	    worker->options.lateness_ns)};

	buf_clear(&worker->scratch);
	progress_write(&worker->scratch, &progress, 1);
	return !worker->scratch.failed && batch_post_all(&worker->batch,
	    letter_owner(TOPIC_EVENTS, record->partition), TOPIC_DETECTIONS,
	    buf_str(&worker->scratch));
}

static int take_gap(struct worker *worker, const struct bus_record *record, struct error *error)
{
	struct gap_note *note = arena_alloc(worker->arena, sizeof(*note));
	const struct watermark_source *source;
	int64_t time_ns = worker->now_ns;
	struct alert alert;

	if (note == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	*note = (struct gap_note){worker->gaps, record->topic, record->partition, record->offset,
	    record->next};
	worker->gaps = note;
	worker->stats.gaps++;
	if (worker->site.replay.len > 0 && record->topic == TOPIC_EVENTS) {
		source = detect_source(worker->detect, record->partition);
		time_ns = source->latest_ns != WATERMARK_NONE ? source->latest_ns : 0;
	}
	alert_of_gap(&alert, &worker->site, worker->arena, bus_identity(worker->options.bus),
	    record, time_ns);
	bool done = alert_post(&alert, &worker->site, &worker->batch,
	    letter_owner(record->topic, record->partition));

	if (done && record->topic == TOPIC_EVENTS && gap_is_anew(record))
		done = anew_post(worker, record);
	return done ? 0 : error_set(error, ERR_MEMORY, TEXT_base_memory);
}

static int take_event(struct worker *worker, const struct bus_record *record, struct error *error)
{
	return detect_record(worker->detect, record, &worker->batch, &worker->tick, error);
}

/* Detections are read in groups: what the records from that one on say. */
static void group_read(struct worker *worker, int from, int count)
{
	struct correlate_given given[CORRELATE_GROUP];
	size_t size = 0;

	for (int i = from; i < count && size < CORRELATE_GROUP; i++) {
		const struct bus_record *record = &worker->records[i];
		const struct owned *owned = &worker->owned[TOPIC_DETECTIONS][record->partition];
		bool taken = owned->owned && record->kind != BUS_GAP;

		given[size++] = (struct correlate_given){
		    taken ? owned->correlate : NULL, record->value};
	}
	correlate_group_read(worker->group, given, size);
}

static int take_detection(struct worker *worker, const struct bus_record *record,
    struct error *error)
{
	struct owned *owned = &worker->owned[TOPIC_DETECTIONS][record->partition];

	return correlate_take(worker->group, (size_t)(record - worker->records) % CORRELATE_GROUP,
	    &worker->batch, record->offset < owned->silent_until, error);
}

static int take_record(struct worker *worker, const struct bus_record *record, struct error *error)
{
	struct owned *owned = &worker->owned[record->topic][record->partition];
	int code = 0;

	if (!owned->owned)
		return 0;
	if (record->kind == BUS_GAP) {
		/* What only the rebuilding misses has been counted in its time. */
		if (record->next > owned->silent_until || gap_is_anew(record)) {
			owned->silent_until = 0;
			/* The snapshot's offset is of the log that was. */
			if (gap_is_anew(record))
				owned->kept = NOWHERE;
			code = take_gap(worker, record, error);
		}
	} else if (record->topic == TOPIC_EVENTS) {
		code = take_event(worker, record, error);
	} else {
		code = take_detection(worker, record, error);
	}
	owned->next = record->next;
	if (record->next > owned->silent_until || owned->silent_until == 0)
		owned->moved = true;
	return code;
}

/* ---- one topic ---- */

/* What the batch had no room for is read again. */
static int give_back(struct worker *worker, enum bus_topic topic, int from, int count,
    struct error *error)
{
	bool done[BUS_PARTITIONS_MAX] = {false};
	int code = 0;

	for (int i = from; code == 0 && i < count; i++) {
		const struct bus_record *record = &worker->records[i];

		if (done[record->partition])
			continue;
		done[record->partition] = true;
		code = bus_seek(worker->readers[topic], record->partition, record->offset, error);
	}
	return code;
}

/*
 * A frame holds as many events as a collector liked, but the option counts events: so that what a
 * batch holds in memory, and how long the next one waits for it, does not hang on the frames.
 */
static size_t poll_most(const struct worker *worker, enum bus_topic topic)
{
	size_t most = worker->options.batch;

	if (topic == TOPIC_EVENTS)
		most /= worker->frame_events;
	return most > 0 ? most : 1;
}

static void frames_reckon(struct worker *worker, uint64_t events, int records)
{
	if (events == 0 || records == 0)
		return; /* ticks say nothing of frames */
	worker->frame_events = (worker->frame_events * 3 + events / (uint64_t)records) / 4;
	if (worker->frame_events == 0)
		worker->frame_events = 1;
}

/* How many records were taken, or negative. */
static int take_topic(struct worker *worker, enum bus_topic topic, int64_t timeout_ns,
    struct error *error)
{
	if (worker->readers[topic] == NULL || arena_used(worker->arena) > ARENA_ENOUGH)
		return 0;
	uint64_t before = worker->stats.events;
	int count = bus_poll(worker->readers[topic], worker->records, poll_most(worker, topic),
	    timeout_ns, error);
	int taken = 0, code = 0;

	if (count < 0)
		return count;
	while (code == 0 && taken < count && arena_used(worker->arena) <= ARENA_ENOUGH) {
		if (topic == TOPIC_DETECTIONS && taken % (int)CORRELATE_GROUP == 0)
			group_read(worker, taken, count);
		code = take_record(worker, &worker->records[taken++], error);
	}
	correlate_group_clear(worker->group);
	if (code == 0 && taken < count)
		code = give_back(worker, topic, taken, count, error);
	frames_reckon(worker, worker->stats.events - before, taken);
	return code < 0 ? code : taken;
}

static int take_all(struct worker *worker, int64_t timeout_ns, struct error *error)
{
	bool waits = sender_waiting(worker->sender) > 0 || worker->announcement.ready;
	int64_t slice_ns = waits ? 0 : timeout_ns < SLICE_NS ? timeout_ns : SLICE_NS;
	int detections = take_topic(worker, TOPIC_DETECTIONS, 0, error);

	if (detections < 0)
		return detections;
	int events = take_topic(worker, TOPIC_EVENTS, detections > 0 ? 0 : slice_ns, error);

	return events < 0 ? events : events + detections;
}

/* ---- the step ---- */

static int send_on(struct worker *worker, int64_t timeout_ns, struct error *error)
{
	int code = sender_publish(worker->sender, error);

	if (code == 0)
		code = sender_receipts(worker->sender, timeout_ns, error);
	return code < 0 ? code : 0;
}

static int step_batch(struct worker *worker, int64_t timeout_ns, struct error *error)
{
	worker->gaps = NULL;
	batch_begin(&worker->batch, worker->arena, worker->now_ns);
	int count = take_all(worker, timeout_ns, error);

	if (count < 0) {
		worker->reload = true;
		return count;
	}
	int code = worker_commit(worker, false, error);

	return code < 0 ? code : count;
}

static int step_work(struct worker *worker, int64_t timeout_ns, struct error *error)
{
	int code = worker->reload ? worker_start_over(worker, error) : 0;

	if (code == 0)
		code = send_on(worker, 0, error);
	if (code < 0)
		return code;
	if (sender_waiting(worker->sender) > WAITING_MAX) {
		code = send_on(worker, timeout_ns, error);
		return code < 0 ? code : 1;
	}
	int count = step_batch(worker, timeout_ns, error);

	if (count < 0)
		return count;
	/* With nothing under way, waiting for events (above) is all the waiting there is. */
	bool waits = count == 0 && (sender_waiting(worker->sender) > 0 ||
	    bus_pending(worker->options.bus) > 0);

	code = send_on(worker, !waits ? 0 : timeout_ns < SLICE_NS ? timeout_ns : SLICE_NS, error);
	if (code == 0)
		code = worker_announce(worker, false, error);
	if (code == 0 && worker->busy)
		code = send_on(worker, 0, error);
	return code < 0 ? code : count;
}

int worker_step(struct worker *worker, int64_t now_ns, int64_t timeout_ns, struct error *error)
{
	struct error own;

	if (error == NULL)
		error = &own;
	error_clear(error);
	worker->now_ns = now_ns;
	worker->busy = false;
	int count = step_work(worker, timeout_ns, error);

	if (count == ERR_STALE) {
		/* The fence: somebody else has gone on from where this worker thought to be. */
		worker->stats.stale++;
		error_clear(error);
		count = worker_start_over(worker, error);
		return count < 0 ? count : 1;
	}
	if (count == 0 && (worker->busy || worker->announcement.ready ||
	    sender_waiting(worker->sender) > 0 || sender_has_settled(worker->sender)))
		return 1;
	return count;
}

int worker_flush(struct worker *worker, int64_t timeout_ns, struct error *error)
{
	int64_t deadline_ns = clock_monotonic_ns() + timeout_ns;
	int code = worker->reload ? worker_start_over(worker, error) : 0;
	int64_t left_ns;

	while (code == 0 && sender_waiting(worker->sender) > 0 &&
	    (left_ns = deadline_ns - clock_monotonic_ns()) > 0)
		code = send_on(worker, left_ns < SLICE_NS ? left_ns : SLICE_NS, error);
	if (code == 0) {
		worker->gaps = NULL;
		batch_begin(&worker->batch, worker->arena, worker->now_ns);
		code = worker_commit(worker, false, error);
	}
	if (code == 0)
		code = worker_announce(worker, true, error);
	if (code == 0)
		code = bus_flush(worker->options.bus, timeout_ns, error);
	return code;
}

int worker_finish(struct worker *worker, struct error *error)
{
	(void)error;
	worker->finishing = true;
	return 0;
}

/* ---- counting ---- */

const struct census *worker_census(const struct worker *worker)
{
	return detect_census(worker->detect);
}

void worker_stats(const struct worker *worker, struct worker_stats *ret)
{
	int64_t slowest_ns = INT64_MAX;

	*ret = worker->stats;
	ret->groups = ret->evicted = ret->pending = ret->remembered = ret->forgotten = 0;
	ret->outbox = sender_waiting(worker->sender);
	for (uint32_t i = 0; i < worker->partitions[TOPIC_DETECTIONS]; i++) {
		const struct correlate *correlate = worker->owned[TOPIC_DETECTIONS][i].correlate;

		if (correlate == NULL)
			continue;
		correlate_count(correlate, ret);
		if (correlate_watermark(correlate) < slowest_ns)
			slowest_ns = correlate_watermark(correlate);
	}
	ret->watermark_ns = slowest_ns == INT64_MAX ? WATERMARK_NONE : slowest_ns;
}
