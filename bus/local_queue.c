/*
 * local_queue.c - publishing to the local bus: a bounded queue in memory and group commits.
 *
 * A record is accepted into the queue, committed with its neighbours in one synced transaction
 * under the topic's lock, and receipted after that. A full disk leaves the queue as it is; it is
 * tried again five times a second, and meanwhile nothing more is accepted.
 */
#include "bus/local.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"

#define COMMIT_NS    (5 * NS_PER_MS)
#define COMMIT_BYTES (UINT64_C(1) << 20)
#define QUEUE_BYTES  (UINT64_C(16) << 20)
#define RETRY_NS     (200 * NS_PER_MS)
#define RETAIN_EVERY (10 * NS_PER_S)
/* LMDB keeps at most 131,072 dirty pages in a transaction; this stays far below. */
#define TXN_BYTES    (UINT64_C(64) << 20)

/* ---- the queue ---- */

int local_publish(struct bus *base, enum bus_topic topic, uint32_t partition, struct str key,
    struct str value, uint64_t tag)
{
	struct local_bus *bus = (struct local_bus *)base;
	struct local_queue *queue = &bus->queues[topic];
	uint64_t most = bus->limits.queue_bytes == 0 ? QUEUE_BYTES : bus->limits.queue_bytes;
	struct local_record record = {clock_wall_ns(), key, value};
	size_t len = LOCAL_RECORD_HEAD + key.len + value.len;
	struct local_queued *queued;
	struct buf row;

	if (bus->broken != 0)
		return bus->broken;
	if (base->stats.full || base->pending + bus->receipt_count >= LOCAL_RECEIPTS
	    || (base->pending > 0 && base->stats.pending_bytes + len > most))
		return BUS_BUSY;
	queued = malloc(sizeof(*queued) + len);
	if (queued == NULL)
		return BUS_BUSY;
	*queued = (struct local_queued){.tag = tag, .partition = partition, .len = len};
	row = (struct buf){.ptr = queued->row, .capacity = len, .ceiling = len};
	local_record_put(&row, &record);
	CHECK(!row.failed && row.len == len && row.ptr == queued->row);
	if (queue->count == 0)
		queue->since_ns = clock_monotonic_ns();
	*queue->end = queued;
	queue->end = &queued->next;
	queue->count++;
	queue->bytes += len;
	base->pending++;
	base->stats.pending_bytes += len;
	return BUS_ACCEPTED;
}

static void queue_pop(struct local_bus *bus, struct local_queue *queue)
{
	struct local_queued *queued = queue->first;

	queue->first = queued->next;
	if (queue->first == NULL)
		queue->end = &queue->first;
	queue->count--;
	queue->bytes -= queued->len;
	bus->bus.pending--;
	bus->bus.stats.pending_bytes -= queued->len;
	free(queued);
}

void local_queue_free(struct local_queue *queue)
{
	while (queue->first != NULL) {
		struct local_queued *queued = queue->first;

		queue->first = queued->next;
		free(queued);
	}
	queue->end = &queue->first;
}

/* The first of the queue has an outcome. */
static void queue_receipt(struct local_bus *bus, enum bus_topic topic,
    enum receipt_status status, uint64_t offset)
{
	struct local_queued *queued = bus->queues[topic].first;
	size_t at = (bus->receipt_head + bus->receipt_count) % LOCAL_RECEIPTS;

	CHECK(bus->receipt_count < LOCAL_RECEIPTS);
	bus->receipts[at] = (struct bus_receipt){.tag = queued->tag, .status = status,
		.topic = topic, .partition = queued->partition, .offset = offset};
	bus->receipt_count++;
	queue_pop(bus, &bus->queues[topic]);
}

/* ---- a transaction ---- */

/* Bytes of pages that a row takes at most: what is large goes to pages of its own. */
static uint64_t row_cost(const struct local_queued *queued)
{
	return queued->len > 1900 ? (queued->len / 4096 + 2) * 4096 : 2 * (queued->len + 32);
}

static size_t batch_size(const struct local_queue *queue, uint64_t room)
{
	const struct local_queued *queued = queue->first;
	uint64_t bytes = 0;
	size_t count = 0;

	room = room < TXN_BYTES ? room : TXN_BYTES;
	while (queued != NULL && bytes + row_cost(queued) <= room) {
		bytes += row_cost(queued);
		count++;
		queued = queued->next;
	}
	return count;
}

struct batch {
	uint64_t first[BUS_PARTITIONS_MAX], next[BUS_PARTITIONS_MAX];
	bool known[BUS_PARTITIONS_MAX];
};

static int batch_put(struct local_segment *segment, struct db_txn *txn, struct batch *batch,
    const struct local_queue *queue, size_t count, struct error *error)
{
	const struct local_queued *queued = queue->first;
	char key[8];
	int code = 0;

	for (size_t i = 0; i < count && code == 0; i++, queued = queued->next) {
		uint32_t p = queued->partition;

		if (!batch->known[p]) {
			code = segment_next(segment, txn, p, &batch->first[p], error);
			if (code != 0)
				return code;
			batch->next[p] = batch->first[p];
			batch->known[p] = true;
		}
		db_key_u64(key, batch->next[p]++);
		code = db_put(txn, TABLE_PARTITION + p, str_from(key, sizeof(key)),
		    str_from(queued->row, queued->len), DB_APPEND, error);
		if (code == DB_EXISTS) /* the tree is damaged: on to a new file */
			code = error_set(error, ERR_CORRUPT, TEXT_bus_segment, db_path(segment->db),
			    (unsigned long long)segment->sequence);
	}
	return code;
}

static int batch_commit(struct local_bus *bus, enum bus_topic topic,
    struct local_segment *segment, size_t count, struct error *error)
{
	struct local_queue *queue = &bus->queues[topic];
	struct batch batch = {0};
	struct db_txn *txn;
	int code = db_begin(segment->db, true, &txn, error);

	if (code != 0)
		return code;
	code = batch_put(segment, txn, &batch, queue, count, error);
	if (code != 0) {
		db_abort(txn);
		return code;
	}
	code = db_commit(txn, error);
	if (code != 0)
		return code;
	while (count-- > 0)
		queue_receipt(bus, topic, RECEIPT_DURABLE, batch.first[queue->first->partition]++);
	bus->bus.stats.commits++;
	topic_wake(bus->topics[topic]);
	return 0;
}

/* The segment to write to: the last file, if it is whole. NULL: one must be begun. */
static int writable(struct local_topic *topic, struct local_segment **ret, struct error *error)
{
	int code = 0;

	*ret = NULL;
	if (topic->count == 0)
		return 0;
	struct local_segment *last = topic->segments[topic->count - 1];

	code = segment_load(topic, last, error);
	if (code == 0 && last->state == SEGMENT_GOOD)
		*ret = last;
	return code;
}

/*
 * One transaction, or one new segment where the last takes no more. *fresh: it was begun just now.
 */
static int commit_step(struct local_bus *bus, enum bus_topic t, bool *fresh, struct error *error)
{
	struct local_topic *topic = bus->topics[t];
	struct local_segment *segment = NULL;
	struct error why;
	size_t count = 0;
	int code;

	error_clear(&why);
	code = writable(topic, &segment, &why);
	if (code == 0 && segment != NULL) {
		count = batch_size(&bus->queues[t], segment_room(topic, segment));
		if (count > 0)
			code = batch_commit(bus, t, segment, count, &why);
	}
	if (code == 0 && count > 0) {
		*fresh = false;
		return 0;
	}
	if (!*fresh && (code == 0 || code == ERR_FULL || code == ERR_CORRUPT)) {
		*fresh = true;
		error_clear(&why);
		/* first what must go: the disk may have no room for one more than the limit */
		(void)topic_retain(topic, clock_wall_ns(), segment_bytes(topic), NULL);
		code = topic_roll(topic, clock_wall_ns(), &why);
	} else if (code == 0) {
		/* larger than an empty segment */
		queue_receipt(bus, t, RECEIPT_REFUSED, UINT64_MAX);
	}
	if (code != 0 && error != NULL && error->code == 0)
		*error = why;
	return code;
}

static void retain_sometimes(struct local_topic *topic, int64_t now_ns)
{
	if (topic->retained_ns != 0 && now_ns - topic->retained_ns < RETAIN_EVERY)
		return;
	topic->retained_ns = now_ns;
	/* what cannot be dropped now is met again; it does not stop those who publish */
	(void)topic_expire(topic, clock_wall_ns(), NULL);
	(void)topic_retain(topic, clock_wall_ns(), 0, NULL);
}

static int commit_topic(struct local_bus *bus, enum bus_topic t, struct error *error)
{
	struct local_topic *topic = bus->topics[t];
	bool fresh = false;
	int code = topic_lock(topic, error);

	if (code != 0)
		return code;
	code = topic_refresh(topic, error);
	while (code == 0 && bus->queues[t].count > 0)
		code = commit_step(bus, t, &fresh, error);
	if (code == 0)
		retain_sometimes(topic, clock_monotonic_ns());
	mark_set(topic, 0);
	topic_unlock(topic);
	return code;
}

/* ---- driving ---- */

static int64_t queue_due(const struct local_bus *bus, const struct local_queue *queue)
{
	uint64_t bytes = bus->limits.commit_bytes == 0 ? COMMIT_BYTES : bus->limits.commit_bytes;
	int64_t delay = bus->limits.commit_ns == 0 ? COMMIT_NS : bus->limits.commit_ns;

	if (queue->count == 0)
		return INT64_MAX;
	if (bus->bus.stats.full)
		return bus->retry_ns;
	return queue->bytes >= bytes ? 0 : queue->since_ns + delay;
}

static void note_failure(struct local_bus *bus, int code)
{
	if (code == ERR_FULL) {
		bus->bus.stats.full = true;
		bus->bus.stats.retries++;
		bus->retry_ns = clock_monotonic_ns() + RETRY_NS;
	} else if (code != ERR_MEMORY) {
		bus->broken = code;
	}
}

/* Commits what is due at now_ns, or everything. ERR_FULL until there is room. */
static int drive(struct local_bus *bus, bool all, int64_t now_ns, struct error *error)
{
	int code = bus->broken;

	if (code != 0)
		return error_set(error, code, TEXT_bus_broken);
	if (bus->bus.stats.full && now_ns < bus->retry_ns)
		return error_set(error, ERR_FULL, TEXT_bus_full, bus->limits.path);
	for (unsigned t = 0; t < TOPIC_COUNT && code == 0; t++) {
		if (bus->queues[t].count == 0 || (!all && queue_due(bus, &bus->queues[t]) > now_ns))
			continue;
		code = commit_topic(bus, (enum bus_topic)t, error);
		if (code == 0)
			bus->bus.stats.full = false;
		else
			note_failure(bus, code);
	}
	return code;
}

static int64_t next_due(const struct local_bus *bus)
{
	int64_t due = INT64_MAX, at;

	for (unsigned t = 0; t < TOPIC_COUNT; t++) {
		at = queue_due(bus, &bus->queues[t]);
		due = at < due ? at : due;
	}
	return due;
}

static void sleep_until(int64_t until_ns)
{
	struct timespec at = {until_ns / NS_PER_S, until_ns % NS_PER_S};

	(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

static int receipts_take(struct local_bus *bus, struct bus_receipt *ret, size_t max)
{
	size_t count = 0;

	while (count < max && bus->receipt_count > 0) {
		ret[count++] = bus->receipts[bus->receipt_head];
		bus->receipt_head = (bus->receipt_head + 1) % LOCAL_RECEIPTS;
		bus->receipt_count--;
	}
	return (int)count;
}

int local_receipts(struct bus *base, struct bus_receipt *ret, size_t max, int64_t timeout_ns,
    struct error *error)
{
	struct local_bus *bus = (struct local_bus *)base;
	int64_t now = clock_monotonic_ns(), deadline = now + timeout_ns, due;
	struct error why;
	int code;

	for (;;) {
		error_clear(&why);
		code = drive(bus, false, now, &why);
		/* a failure is met again at the next call */
		if (bus->receipt_count > 0)
			return receipts_take(bus, ret, max);
		if ((code != 0 && code != ERR_FULL) || base->pending == 0 || now >= deadline)
			break;
		due = next_due(bus);
		sleep_until(due < deadline ? due : deadline);
		now = clock_monotonic_ns();
	}
	if (code != 0 && error != NULL && error->code == 0)
		*error = why;
	return code;
}

int local_flush(struct bus *base, int64_t timeout_ns, struct error *error)
{
	struct local_bus *bus = (struct local_bus *)base;
	int64_t now = clock_monotonic_ns(), deadline = now + timeout_ns, due;
	struct error why;
	int code;

	for (;;) {
		error_clear(&why);
		code = drive(bus, true, now, &why);
		if (code == 0 || code != ERR_FULL || now >= deadline)
			break;
		due = next_due(bus);
		sleep_until(due < deadline ? due : deadline);
		now = clock_monotonic_ns();
	}
	if (code != 0 && error != NULL && error->code == 0)
		*error = why;
	return code;
}
