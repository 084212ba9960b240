/*
 * bus_spool.c - the backend: publishing straight or into the log, receipts, and passing on what is
 * asked of the inner bus. See bus_spool.h for what it promises, spool.h for its parts.
 */
#include "bus/bus_spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "bus/spool.h"

#define BYTES_DEFAULT (UINT64_C(4) << 30)
#define AFTER_DEFAULT (2 * NS_PER_S)
#define WAIT_SLICE    (2 * NS_PER_MS)
#define LOCK_WAIT     (2 * NS_PER_S)
#define RECEIPTS      256

struct spool_reader {
	struct bus_reader reader;
	struct bus_reader *inner;
};

static struct bus_spool *spool_of(struct bus *bus)
{
	return (struct bus_spool *)bus;
}

static struct spool_direct *direct_at(struct bus_spool *spool, uint64_t number)
{
	return &spool->directs[number % SPOOL_RECEIPTS];
}

/* ---- receipts ---- */

void spool_ready(struct bus_spool *spool, const struct bus_receipt *receipt)
{
	CHECK(spool->ready_count < SPOOL_RECEIPTS);
	spool->ready[(spool->ready_head + spool->ready_count++) % SPOOL_RECEIPTS] = *receipt;
	spool->ready_unknown += receipt->status == RECEIPT_UNKNOWN;
	spool->bus.pending--;
}

static int ready_take(struct bus_spool *spool, struct bus_receipt *ret, size_t max)
{
	size_t count = 0;

	while (count < max && spool->ready_count > 0) {
		ret[count] = spool->ready[spool->ready_head];
		spool->ready_unknown -= ret[count++].status == RECEIPT_UNKNOWN;
		spool->ready_head = (spool->ready_head + 1) % SPOOL_RECEIPTS;
		spool->ready_count--;
	}
	return (int)count;
}

void spool_behind(struct bus_spool *spool)
{
	for (; spool->direct_first < spool->direct_next; spool->direct_first++) {
		const struct spool_direct *direct = direct_at(spool, spool->direct_first);
		struct bus_receipt unknown = {direct->tag, RECEIPT_UNKNOWN, direct->topic,
			direct->partition, UINT64_MAX};

		if (!direct->done)
			spool_ready(spool, &unknown);
	}
	spool->busy_ns = 0;
	if (spool->spooling)
		return;
	spool->spooling = true;
	spool->proved = false;
	spool->stats.outages++;
	spool->close_again_ns = clock_monotonic_ns() + NS_PER_S;
}

/* True: it was one that the caller has to send again. */
static bool direct_receipt(struct bus_spool *spool, const struct bus_receipt *receipt)
{
	uint64_t number = receipt->tag >> 1;
	struct spool_direct *direct = direct_at(spool, number);
	struct bus_receipt told = *receipt;

	/* given up meanwhile: it was sent again */
	if (number < spool->direct_first || number >= spool->direct_next || direct->done)
		return false;
	direct->done = true;
	told.tag = direct->tag;
	told.partition = direct->partition;
	spool_ready(spool, &told);
	while (spool->direct_first < spool->direct_next &&
	    direct_at(spool, spool->direct_first)->done)
		spool->direct_first++;
	return receipt->status == RECEIPT_UNKNOWN;
}

static void inner_take(struct bus_spool *spool, int64_t timeout_ns)
{
	struct bus_receipt receipts[RECEIPTS];
	bool unknown = false;
	int count = 0;

	do {
		if (spool->inner == NULL)
			break;
		count = bus_receipts(spool->inner, receipts, RECEIPTS, timeout_ns, NULL);
		for (int i = 0; i < count; i++) {
			if ((receipts[i].tag & 1) != 0)
				spool_drain_receipt(spool, &receipts[i]);
			else
				unknown |= direct_receipt(spool, &receipts[i]);
		}
		timeout_ns = 0;
	} while (count == RECEIPTS);
	if (unknown || count < 0)
		spool_behind(spool);
	if (spool->inner != NULL && count != 0)
		spool_inner_trouble(spool, count < 0, clock_monotonic_ns());
}

static void behind_check(struct bus_spool *spool, int64_t now_ns)
{
	int64_t after_ns = spool->options.after_ns;

	if (spool->spooling)
		return;
	if (spool->inner == NULL ||
	    (spool->busy_ns != 0 && now_ns - spool->busy_ns > after_ns) ||
	    (spool->direct_first < spool->direct_next &&
	    now_ns - direct_at(spool, spool->direct_first)->since_ns > after_ns))
		spool_behind(spool);
}

static void stats_fill(struct bus_spool *spool)
{
	struct bus_stats *stats = &spool->bus.stats;
	struct bus_stats inner = {0}, log;

	if (spool->inner != NULL)
		bus_stats(spool->inner, &inner);
	bus_stats(spool->log, &log);
	stats->commits = inner.commits + log.commits;
	stats->retries = inner.retries + log.retries;
	stats->roused = inner.roused;
	stats->pending_bytes = spool->spooling ? log.pending_bytes : inner.pending_bytes;
	stats->full = spool->spooling ? log.full : inner.full;
	stats->connected = inner.connected;
}

/* Everything that can be done without waiting. */
static int spool_drive(struct bus_spool *spool, int64_t inner_ns, int64_t log_ns,
    struct error *error)
{
	int64_t now_ns = clock_monotonic_ns();
	int code, drained = 0;

	spool_inner_step(spool, now_ns);
	inner_take(spool, inner_ns);
	now_ns = clock_monotonic_ns();
	behind_check(spool, now_ns);
	code = spool_log_take(spool, log_ns, error);
	/* a full disk gets room again by draining */
	if (spool->spooling && (code == 0 || code == ERR_FULL))
		drained = spool_drain_step(spool, now_ns, code == 0 ? error : NULL);
	stats_fill(spool);
	return code != 0 ? code : drained;
}

static int spool_receipts(struct bus *bus, struct bus_receipt *ret, size_t max, int64_t timeout_ns,
    struct error *error)
{
	struct bus_spool *spool = spool_of(bus);
	int64_t end_ns = clock_monotonic_ns() + timeout_ns, wait_ns = 0;
	bool wait_for_log = false;
	int code;

	for (;;) {
		code = spool_drive(spool, wait_for_log ? 0 : wait_ns, wait_for_log ? wait_ns : 0,
		    error);
		if (spool->ready_count > 0 && max > 0)
			return ready_take(spool, ret, max);
		wait_ns = end_ns - clock_monotonic_ns();
		if (code < 0 || wait_ns <= 0 || (bus->pending == 0 && !spool->spooling))
			return code;
		wait_ns = wait_ns < WAIT_SLICE ? wait_ns : WAIT_SLICE;
		wait_for_log = spool->logged_count > 0;
		if (!wait_for_log && (spool->inner == NULL || bus_pending(spool->inner) == 0))
			nanosleep(&(struct timespec){.tv_nsec = wait_ns}, NULL);
	}
}

static int spool_flush(struct bus *bus, int64_t timeout_ns, struct error *error)
{
	struct bus_spool *spool = spool_of(bus);
	int64_t end_ns = clock_monotonic_ns() + timeout_ns;
	int code;

	do {
		code = 0;
		if (spool->logged_count > 0)
			code = bus_flush(spool->log, 0, error);
		if (spool->inner != NULL && spool->direct_first < spool->direct_next)
			(void)bus_flush(spool->inner, WAIT_SLICE, NULL);
		if (code == 0)
			code = spool_drive(spool, 0, 0, error);
		if (code < 0 && code != ERR_FULL)
			return code;
		if (bus->pending > 0 && code < 0)
			nanosleep(&(struct timespec){.tv_nsec = WAIT_SLICE}, NULL);
	} while (bus->pending > 0 && clock_monotonic_ns() < end_ns);
	return bus->pending > 0 ? code : 0;
}

/* ---- publishing ---- */

static int publish_direct(struct bus_spool *spool, enum bus_topic topic, uint32_t partition,
    struct str key, struct str value, uint64_t tag)
{
	int64_t now_ns = clock_monotonic_ns();
	int code;

	if (spool->direct_next - spool->direct_first == SPOOL_RECEIPTS)
		return BUS_BUSY;
	code = bus_publish(spool->inner, topic,
	    partition % bus_partitions(spool->inner, topic), key, value, spool->direct_next << 1);
	if (code == BUS_BUSY && spool->busy_ns == 0)
		spool->busy_ns = now_ns;
	if (code == BUS_ACCEPTED) {
		*direct_at(spool, spool->direct_next++) =
		    (struct spool_direct){false, topic, partition, tag, now_ns};
		spool->bus.pending++;
		spool->busy_ns = 0;
	}
	if (code >= 0)
		return code;
	spool_behind(spool);
	return BUS_BUSY;
}

static int publish_spooled(struct bus_spool *spool, enum bus_topic topic, uint32_t partition,
    struct str key, struct str value, uint64_t tag)
{
	uint64_t depth = spool->bytes_in - spool->bytes_out;
	int code;

	if (depth + key.len + value.len > spool->options.bytes)
		return BUS_BUSY;
	if (spool->closing_ns != 0 && clock_monotonic_ns() < spool->closing_ns)
		return BUS_BUSY;
	if (spool->lost && !spool->head_known && topic == TOPIC_EVENTS)
		spool_loss_note(spool, value);
	code = spool_log_put(spool, topic, partition, key, value, &tag);
	spool->bus.pending += code == BUS_ACCEPTED;
	return code;
}

static int spool_publish(struct bus *bus, enum bus_topic topic, uint32_t partition,
    struct str key, struct str value, uint64_t tag)
{
	struct bus_spool *spool = spool_of(bus);
	int code;

	/* what must be sent again goes first */
	if (spool->ready_unknown > 0 || bus->pending + spool->ready_count >= SPOOL_RECEIPTS)
		return BUS_BUSY;
	behind_check(spool, clock_monotonic_ns());
	if (spool->ready_unknown > 0)
		return BUS_BUSY;
	code = spool->spooling ? publish_spooled(spool, topic, partition, key, value, tag)
	    : publish_direct(spool, topic, partition, key, value, tag);
	stats_fill(spool);
	return code;
}

/* ---- what is asked of the inner bus ---- */

static int absent(const struct bus_spool *spool, struct error *error)
{
	return error_set(error, ERR_BUS, TEXT_bus_spool_absent, spool->options.inner);
}

static int spool_reader_open(struct bus_reader **ret, struct bus *bus,
    const struct bus_reader_options *options, struct error *error)
{
	struct bus_spool *spool = spool_of(bus);
	struct spool_reader *reader;
	int code;

	if (spool->inner == NULL)
		return absent(spool, error);
	reader = calloc(1, sizeof(*reader));
	if (reader == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	code = bus_reader_open(&reader->inner, spool->inner, options, error);
	if (code < 0) {
		free(reader);
		return code;
	}
	spool->readers++;
	*ret = &reader->reader;
	return 0;
}

static struct bus_reader *inner_reader(struct bus_reader *reader)
{
	return ((struct spool_reader *)reader)->inner;
}

static void spool_reader_close(struct bus_reader *reader)
{
	spool_of(reader->bus)->readers--;
	bus_reader_close(inner_reader(reader));
	free(reader);
}

static int spool_poll(struct bus_reader *reader, struct bus_record *ret, size_t max,
    int64_t timeout_ns, struct error *error)
{
	return bus_poll(inner_reader(reader), ret, max, timeout_ns, error);
}

static int spool_seek(struct bus_reader *reader, uint32_t partition, uint64_t offset,
    struct error *error)
{
	return bus_seek(inner_reader(reader), partition, offset, error);
}

static int spool_commit(struct bus_reader *reader, uint32_t partition, uint64_t next,
    struct error *error)
{
	return bus_commit(inner_reader(reader), partition, next, error);
}

static int spool_range(struct bus *bus, enum bus_topic topic, uint32_t partition,
    uint64_t *ret_first, uint64_t *ret_next, struct error *error)
{
	struct bus_spool *spool = spool_of(bus);

	if (spool->inner == NULL)
		return absent(spool, error);
	return bus_range(spool->inner, topic, partition, ret_first, ret_next, error);
}

static int spool_fetch(struct bus *bus, enum bus_topic topic, uint32_t partition, uint64_t offset,
    struct buf *out, struct error *error)
{
	struct bus_spool *spool = spool_of(bus);

	if (spool->inner == NULL)
		return absent(spool, error);
	return bus_fetch(spool->inner, topic, partition, offset, out, error);
}

static int spool_committed(struct bus *bus, const char *group, enum bus_topic topic,
    uint32_t partition, uint64_t *ret, struct error *error)
{
	struct bus_spool *spool = spool_of(bus);

	if (spool->inner == NULL)
		return absent(spool, error);
	return bus_committed(spool->inner, group, topic, partition, ret, error);
}

/* ---- life ---- */

static void spool_close(struct bus *bus)
{
	struct bus_spool *spool = spool_of(bus);

	spool_inner_close(spool);
	spool_log_close(spool);
	if (spool->lock >= 0)
		(void)close(spool->lock);
	free(spool->directs);
	free(spool->ready);
	free(spool->logged);
	free(spool->drains);
	free(spool->losses);
	free(spool);
}

static bool rings_make(struct bus_spool *spool)
{
	spool->directs = calloc(SPOOL_RECEIPTS, sizeof(*spool->directs));
	spool->ready = calloc(SPOOL_RECEIPTS, sizeof(*spool->ready));
	spool->logged = calloc(SPOOL_RECEIPTS, sizeof(*spool->logged));
	spool->drains = calloc(SPOOL_DRAINS, sizeof(*spool->drains));
	spool->losses = calloc(BUS_PARTITIONS_MAX, sizeof(*spool->losses));
	return spool->directs != NULL && spool->ready != NULL && spool->logged != NULL &&
	    spool->drains != NULL && spool->losses != NULL;
}

/* A child of one that was killed (local_mark.c) may hold the lock for a moment longer. */
static bool lock_take(int lock)
{
	int64_t end_ns = clock_monotonic_ns() + LOCK_WAIT;

	while (flock(lock, LOCK_EX | LOCK_NB) != 0) {
		if (clock_monotonic_ns() > end_ns)
			return false;
		nanosleep(&(struct timespec){.tv_nsec = WAIT_SLICE}, NULL);
	}
	return true;
}

static int folder_take(struct bus_spool *spool, struct error *error)
{
	char *path = NULL;
	int code = file_make_folder(spool->options.path, 0750, error);

	if (code != 0)
		return code;
	if (asprintf(&path, "%s/lock", spool->options.path) < 0)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	spool->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (spool->lock < 0)
		code = error_system(error, errno, TEXT_base_open, path);
	else if (!lock_take(spool->lock))
		code = error_set(error, ERR_USAGE, TEXT_bus_spool_taken, spool->options.path);
	free(path);
	return code;
}

static int spool_open(struct bus **ret, const struct bus_options *options, struct error *error)
{
	struct bus_spool *spool = calloc(1, sizeof(*spool));
	int code;

	if (spool == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	CHECK(options->spool != NULL);
	spool->options = *options->spool;
	spool->inner_options = *options;
	spool->inner_options.backend = spool->options.inner;
	spool->lock = -1;
	if (spool->options.bytes == 0)
		spool->options.bytes = BYTES_DEFAULT;
	if (spool->options.after_ns == 0)
		spool->options.after_ns = AFTER_DEFAULT;
	code = rings_make(spool) ? 0 : error_set(error, ERR_MEMORY, TEXT_base_memory);
	if (code == 0)
		code = folder_take(spool, error);
	if (code == 0)
		code = spool_log_open(spool, error);
	if (code == 0)
		code = spool_inner_open(spool, error);
	if (code < 0) {
		spool_close(&spool->bus);
		return code;
	}
	*ret = &spool->bus;
	return 0;
}

const struct bus_backend bus_spool = {
	.name = "spool",
	.open = spool_open,
	.close = spool_close,
	.publish = spool_publish,
	.receipts = spool_receipts,
	.flush = spool_flush,
	.reader_open = spool_reader_open,
	.reader_close = spool_reader_close,
	.poll = spool_poll,
	.seek = spool_seek,
	.commit = spool_commit,
	.range = spool_range,
	.fetch = spool_fetch,
	.committed = spool_committed,
};

bool bus_spool_stats(const struct bus *bus, struct bus_spool_stats *ret)
{
	const struct bus_spool *spool = (const struct bus_spool *)bus;

	*ret = (struct bus_spool_stats){0};
	if (bus->backend != &bus_spool)
		return false;
	*ret = spool->stats;
	ret->spooling = spool->spooling;
	ret->connected = spool->inner != NULL;
	ret->records = spool->log_next - spool->position + spool->logged_count;
	ret->bytes = spool->bytes_in - spool->bytes_out;
	ret->oldest_ns = spool->oldest_ns;
	return true;
}

const struct error *bus_spool_why(const struct bus *bus)
{
	const struct bus_spool *spool = (const struct bus_spool *)bus;

	return bus->backend == &bus_spool && spool->inner == NULL && spool->why.code < 0
		   ? &spool->why
		   : NULL;
}

int bus_spool_each(struct bus *bus, void (*visit)(void *context, struct str value), void *context,
    struct error *error)
{
	return bus->backend == &bus_spool ? spool_log_each(spool_of(bus), visit, context, error)
					  : 0;
}
