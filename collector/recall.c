#include "collector/recall.h"

#include "base/clock.h"
#include "bus/bus_spool.h"
#include "event/frame.h"

#define RECORDS 64
#define QUIET   20 /* polls of 100 ms without a record: there are none */

struct recall {
	struct messages *messages;
	uint64_t collector;
	struct arena *arena;                 /* of one record that is JSON */
	uint64_t ends[BUS_PARTITIONS_MAX];   /* where to stop; 0: it is reached */
};

static void look_at(const struct recall *recall, const struct event *event)
{
	if (event->at.collector == recall->collector && message_is_named(event->message))
		messages_recall(
		    recall->messages, event->sender, event->message, event->received_ns);
}

static void look(void *context, struct str value)
{
	const struct recall *recall = context;
	struct frame frame;
	struct event event;

	if (frame_read(value, &frame) == FRAME_OK) {
		while (frame.head.collector == recall->collector && frame_next(&frame, &event))
			look_at(recall, &event);
		return;
	}
	arena_reset(recall->arena);
	if (frame_read_json(recall->arena, value, &event))
		look_at(recall, &event);
}

/* Where each partition is to be read from. 0 or negative. */
static int begin(struct recall *recall, struct bus *bus, struct bus_reader *reader,
    uint32_t partitions, struct error *error)
{
	for (uint32_t p = 0; p < partitions; p++) {
		uint64_t first, next;
		int code = bus_range(bus, TOPIC_EVENTS, p, &first, &next, error);

		if (code == 0 && next - first > RECALL_RECORDS)
			first = next - RECALL_RECORDS;
		if (code == 0)
			code = bus_seek(reader, p, first, error);
		if (code < 0)
			return code;
		recall->ends[p] = next > first ? next : 0;
	}
	return 0;
}

static bool lacks(const struct recall *recall)
{
	for (uint32_t p = 0; p < BUS_PARTITIONS_MAX; p++)
		if (recall->ends[p] > 0)
			return true;
	return false;
}

static int read_ends(struct recall *recall, struct bus_reader *reader, struct error *error)
{
	int64_t until_ns = clock_monotonic_ns() + RECALL_NS;
	struct bus_record records[RECORDS];

	for (int quiet = 0; lacks(recall) && quiet < QUIET;) {
		int count = bus_poll(reader, records, RECORDS, 100 * NS_PER_MS, error);

		if (count < 0)
			return count;
		quiet = count == 0 ? quiet + 1 : 0;
		for (int i = 0; i < count; i++) {
			if (records[i].kind == BUS_RECORD)
				look(recall, records[i].value);
			if (records[i].next >= recall->ends[records[i].partition])
				recall->ends[records[i].partition] = 0;
		}
		if (clock_monotonic_ns() > until_ns)
			return error_set(error, ERR_BUS, TEXT_collector_recall_slow);
	}
	return 0;
}

static int read_bus(struct recall *recall, struct bus *bus, struct error *error)
{
	uint32_t all[BUS_PARTITIONS_MAX];
	struct bus_reader_options options = {.topic = TOPIC_EVENTS, .group = "tocsin-recall",
	    .partitions = all, .partition_count = bus_partitions(bus, TOPIC_EVENTS)};
	struct bus_reader *reader;

	for (uint32_t p = 0; p < options.partition_count; p++)
		all[p] = p;
	int code = bus_reader_open(&reader, bus, &options, error);

	if (code < 0)
		return code;
	code = begin(recall, bus, reader, (uint32_t)options.partition_count, error);
	if (code == 0)
		code = read_ends(recall, reader, error);
	bus_reader_close(reader);
	return code;
}

/* What waits in the spool is younger than what is on the bus. */
int recall(struct messages *messages, struct bus *bus, uint64_t collector, struct error *error)
{
	struct recall recall = {.messages = messages, .collector = collector,
	    .arena = arena_new(8 * FRAME_MAX)};

	if (recall.arena == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	int code = read_bus(&recall, bus, error);
	int spooled = bus_spool_each(bus, look, &recall, code < 0 ? NULL : error);

	arena_free(recall.arena);
	return code < 0 ? code : spooled;
}
