/*
 * bus_fault.c - a bus that fails as its plan says, in front of another that does not.
 *
 * The plan is asked once before each call with the name of the call ("publish", "receipts",
 * "flush", "poll", "seek", "commit", "range", "fetch", "committed", "reader_open") and how many of
 * that name came before. FAULT_ERROR makes any call fail with ERR_BUS. FAULT_BUSY answers BUS_BUSY,
 * or nothing from poll and receipts. The others are for publish: FAULT_LOSE_RECEIPT lets the record
 * go and says RECEIPT_UNKNOWN, FAULT_LOSE_RECORD says so and lets nothing go, FAULT_REPEAT sends it
 * twice. On any other call they mean nothing. The wrapper owns the inner bus and closes it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "bus/backend.h"

#define SLOTS 65536

enum call {
	CALL_PUBLISH, CALL_RECEIPTS, CALL_FLUSH, CALL_POLL, CALL_SEEK, CALL_COMMIT, CALL_RANGE,
	CALL_FETCH, CALL_COMMITTED, CALL_READER_OPEN, CALL_COUNT
};

static const char *const call_names[CALL_COUNT] = {
	[CALL_PUBLISH] = "publish", [CALL_RECEIPTS] = "receipts", [CALL_FLUSH] = "flush",
	[CALL_POLL] = "poll", [CALL_SEEK] = "seek", [CALL_COMMIT] = "commit",
	[CALL_RANGE] = "range", [CALL_FETCH] = "fetch", [CALL_COMMITTED] = "committed",
	[CALL_READER_OPEN] = "reader_open",
};

/* What became of a publish: the inner tag is the slot's number. */
struct fault_slot {
	bool taken, swallow, unknown;
	uint64_t tag;
};

struct bus_faulty {
	struct bus bus;
	struct bus *inner;
	fault_plan *plan;
	void *context;
	uint64_t calls[CALL_COUNT];
	struct fault_slot slots[SLOTS];
	size_t next_slot;
	struct bus_receipt *lost; /* ring of receipts for records that never went */
	size_t lost_head, lost_count;
};

struct faulty_reader {
	struct bus_reader reader;
	struct bus_reader *inner;
};

static struct bus_faulty *faulty(struct bus *bus)
{
	return (struct bus_faulty *)bus;
}

static struct bus_reader *inner_reader(struct bus_reader *reader)
{
	return ((struct faulty_reader *)reader)->inner;
}

static enum fault ask(struct bus *bus, enum call call)
{
	struct bus_faulty *fault = faulty(bus);

	return fault->plan(fault->context, call_names[call], fault->calls[call]++);
}

static int fails(enum call call, struct error *error)
{
	return error_set(error, ERR_BUS, TEXT_bus_fault, call_names[call]);
}

static void faulty_stats(struct bus *bus)
{
	struct bus_stats inner;

	bus_stats(faulty(bus)->inner, &inner);
	bus->pending = bus_pending(faulty(bus)->inner);
	bus->stats.commits = inner.commits;
	bus->stats.retries = inner.retries;
	bus->stats.roused = inner.roused;
	bus->stats.pending_bytes = inner.pending_bytes;
	bus->stats.full = inner.full;
	bus->stats.connected = inner.connected;
}

static void faulty_close(struct bus *bus)
{
	bus_close(faulty(bus)->inner);
	free(faulty(bus)->lost);
	free(bus);
}

/* ---- publishing ---- */

static bool slot_take(struct bus_faulty *fault, uint64_t tag, size_t *ret)
{
	for (size_t i = 0; i < SLOTS; i++) {
		size_t at = (fault->next_slot + i) % SLOTS;

		if (fault->slots[at].taken)
			continue;
		fault->slots[at] = (struct fault_slot){.taken = true, .tag = tag};
		fault->next_slot = at + 1;
		*ret = at;
		return true;
	}
	return false;
}

static int publish_inner(struct bus *bus, const struct fault_slot *shape, enum bus_topic topic,
    uint32_t partition, struct str key, struct str value)
{
	struct bus_faulty *fault = faulty(bus);
	size_t at;

	if (!slot_take(fault, shape->tag, &at))
		return BUS_BUSY;
	fault->slots[at].unknown = shape->unknown;
	fault->slots[at].swallow = shape->swallow;
	int code = bus_publish(fault->inner, topic, partition, key, value, at);

	if (code != BUS_ACCEPTED)
		fault->slots[at].taken = false;
	faulty_stats(bus);
	return code;
}

static int publish_nothing(struct bus_faulty *fault, enum bus_topic topic, uint32_t partition,
    uint64_t tag)
{
	if (fault->lost_count == SLOTS)
		return BUS_BUSY;
	fault->lost[(fault->lost_head + fault->lost_count++) % SLOTS] = (struct bus_receipt){
		tag, RECEIPT_UNKNOWN, topic, partition, UINT64_MAX};
	return BUS_ACCEPTED;
}

static int faulty_publish(struct bus *bus, enum bus_topic topic, uint32_t partition,
    struct str key, struct str value, uint64_t tag)
{
	struct fault_slot shape = {.tag = tag};
	int code;

	switch (ask(bus, CALL_PUBLISH)) {
	case FAULT_ERROR:
		return ERR_BUS;
	case FAULT_BUSY:
		return BUS_BUSY;
	case FAULT_LOSE_RECORD:
		return publish_nothing(faulty(bus), topic, partition, tag);
	case FAULT_LOSE_RECEIPT:
		shape.unknown = true;
		break;
	case FAULT_REPEAT:
		shape.swallow = true;
		code = publish_inner(bus, &shape, topic, partition, key, value);
		if (code != BUS_ACCEPTED)
			return code;
		shape.swallow = false;
		break;
	case FAULT_NONE:
		break;
	}
	return publish_inner(bus, &shape, topic, partition, key, value);
}

/* Receipts of repetitions are dropped, the others get their caller's tag back. */
static int receipts_translate(struct bus_faulty *fault, struct bus_receipt *ret, int count)
{
	int kept = 0;

	for (int i = 0; i < count; i++) {
		struct fault_slot *slot = &fault->slots[ret[i].tag];

		CHECK(ret[i].tag < SLOTS && slot->taken);
		slot->taken = false;
		if (slot->swallow)
			continue;
		ret[kept] = ret[i];
		ret[kept].tag = slot->tag;
		if (slot->unknown) {
			ret[kept].status = RECEIPT_UNKNOWN;
			ret[kept].offset = UINT64_MAX;
		}
		kept++;
	}
	return kept;
}

static int faulty_receipts(struct bus *bus, struct bus_receipt *ret, size_t max, int64_t timeout_ns,
    struct error *error)
{
	struct bus_faulty *fault = faulty(bus);
	enum fault what = ask(bus, CALL_RECEIPTS);
	int count = 0;

	if (what == FAULT_ERROR)
		return fails(CALL_RECEIPTS, error);
	if (what == FAULT_BUSY)
		return 0;
	while ((size_t)count < max && fault->lost_count > 0) {
		ret[count++] = fault->lost[fault->lost_head];
		fault->lost_head = (fault->lost_head + 1) % SLOTS;
		fault->lost_count--;
	}
	int more = bus_receipts(fault->inner, ret + count, max - (size_t)count,
	    count > 0 ? 0 : timeout_ns, error);

	faulty_stats(bus);
	if (more < 0)
		return count > 0 ? count : more;
	return count + receipts_translate(fault, ret + count, more);
}

static int faulty_flush(struct bus *bus, int64_t timeout_ns, struct error *error)
{
	if (ask(bus, CALL_FLUSH) == FAULT_ERROR)
		return fails(CALL_FLUSH, error);
	int code = bus_flush(faulty(bus)->inner, timeout_ns, error);

	faulty_stats(bus);
	return code;
}

/* ---- reading ---- */

static int faulty_reader_open(struct bus_reader **ret, struct bus *bus,
    const struct bus_reader_options *options, struct error *error)
{
	struct faulty_reader *reader = calloc(1, sizeof(*reader));
	int code;

	if (reader == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	if (ask(bus, CALL_READER_OPEN) == FAULT_ERROR)
		code = fails(CALL_READER_OPEN, error);
	else
		code = bus_reader_open(&reader->inner, faulty(bus)->inner, options, error);
	if (code < 0)
		free(reader);
	else
		*ret = &reader->reader;
	return code;
}

static void faulty_reader_close(struct bus_reader *reader)
{
	bus_reader_close(inner_reader(reader));
	free(reader);
}

static int faulty_poll(struct bus_reader *reader, struct bus_record *ret, size_t max,
    int64_t timeout_ns, struct error *error)
{
	switch (ask(reader->bus, CALL_POLL)) {
	case FAULT_ERROR:
		return fails(CALL_POLL, error);
	case FAULT_BUSY:
		return 0;
	case FAULT_NONE:
	case FAULT_LOSE_RECEIPT:
	case FAULT_LOSE_RECORD:
	case FAULT_REPEAT:
		break;
	}
	return bus_poll(inner_reader(reader), ret, max, timeout_ns, error);
}

static int faulty_seek(struct bus_reader *reader, uint32_t partition, uint64_t offset,
    struct error *error)
{
	if (ask(reader->bus, CALL_SEEK) == FAULT_ERROR)
		return fails(CALL_SEEK, error);
	return bus_seek(inner_reader(reader), partition, offset, error);
}

static int faulty_commit(struct bus_reader *reader, uint32_t partition, uint64_t next,
    struct error *error)
{
	if (ask(reader->bus, CALL_COMMIT) == FAULT_ERROR)
		return fails(CALL_COMMIT, error);
	return bus_commit(inner_reader(reader), partition, next, error);
}

/* ---- looking ---- */

static int faulty_range(struct bus *bus, enum bus_topic topic, uint32_t partition,
    uint64_t *ret_first, uint64_t *ret_next, struct error *error)
{
	if (ask(bus, CALL_RANGE) == FAULT_ERROR)
		return fails(CALL_RANGE, error);
	return bus_range(faulty(bus)->inner, topic, partition, ret_first, ret_next, error);
}

static int faulty_fetch(struct bus *bus, enum bus_topic topic, uint32_t partition, uint64_t offset,
    struct buf *out, struct error *error)
{
	if (ask(bus, CALL_FETCH) == FAULT_ERROR)
		return fails(CALL_FETCH, error);
	return bus_fetch(faulty(bus)->inner, topic, partition, offset, out, error);
}

static int faulty_committed(struct bus *bus, const char *group, enum bus_topic topic,
    uint32_t partition, uint64_t *ret, struct error *error)
{
	if (ask(bus, CALL_COMMITTED) == FAULT_ERROR)
		return fails(CALL_COMMITTED, error);
	return bus_committed(faulty(bus)->inner, group, topic, partition, ret, error);
}

static const struct bus_backend bus_fault = {
	.name = "fault",
	.close = faulty_close,
	.publish = faulty_publish,
	.receipts = faulty_receipts,
	.flush = faulty_flush,
	.reader_open = faulty_reader_open,
	.reader_close = faulty_reader_close,
	.poll = faulty_poll,
	.seek = faulty_seek,
	.commit = faulty_commit,
	.range = faulty_range,
	.fetch = faulty_fetch,
	.committed = faulty_committed,
};

int bus_fault_open(struct bus **ret, struct bus *inner, fault_plan *plan, void *context)
{
	struct bus_faulty *fault = calloc(1, sizeof(*fault));
	struct bus_receipt *lost = calloc(SLOTS, sizeof(*lost));

	if (fault == NULL || lost == NULL) {
		free(fault);
		free(lost);
		return ERR_MEMORY;
	}
	fault->bus.backend = &bus_fault;
	memcpy(fault->bus.partitions, inner->partitions, sizeof(fault->bus.partitions));
	memcpy(fault->bus.identity, inner->identity, sizeof(fault->bus.identity));
	fault->inner = inner;
	fault->plan = plan;
	fault->context = context;
	fault->lost = lost;
	*ret = &fault->bus;
	return 0;
}
