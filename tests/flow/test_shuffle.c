/*
 * Not a test: the tool with which the scripts of this folder copy the events of one bus to a local
 * one, as they are, or in another order.
 *
 *   test_shuffle local FOLDER TO SEED BOUND_MS
 *   test_shuffle kafka PREFIX BOOTSTRAP TO SEED BOUND_MS
 *
 * BOUND_MS 0: frame by frame, verbatim. Else every event becomes a frame of its own, with the
 * coordinate that it had, and is moved within its partition by less than the bound (of receive
 * time). Prints how many events were copied. Ticks and gaps stay behind.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bus/bus.h"
#include "event/frame.h"
#include "event/seen.h"

struct item {
	uint32_t partition;
	uint64_t place;      /* sorts: receive time and chance; or order of arrival */
	uint64_t arrived;
	uint64_t previous;   /* counter of this collector before it on the partition */
	struct event event;  /* raw points into bytes */
	char *bytes;         /* of a frame; owned where not NULL */
	size_t len;
};

struct copy {
	struct bus *from, *to;
	struct item *items;
	size_t count, capacity;
	uint64_t events, state;
	int64_t bound_ns;
};

static void give_up(const char *what, const struct error *error)
{
	char text[1200];

	fprintf(stderr, "%s: %s\n", what,
	    error == NULL ? "" : error_format(error, text, sizeof(text)));
	exit(1);
}

/* xorshift64*: the same order for the same seed everywhere. */
static uint64_t chance(struct copy *copy)
{
	copy->state ^= copy->state >> 12;
	copy->state ^= copy->state << 25;
	copy->state ^= copy->state >> 27;
	return copy->state * UINT64_C(2685821657736338717);
}

static struct item *item_new(struct copy *copy, uint32_t partition)
{
	if (copy->count == copy->capacity) {
		copy->capacity = copy->capacity * 2 + 1024;
		copy->items = realloc(copy->items, copy->capacity * sizeof(*copy->items));
		if (copy->items == NULL)
			give_up("memory", NULL);
	}
	struct item *item = &copy->items[copy->count];

	*item = (struct item){.partition = partition, .arrived = copy->count, .place = copy->count};
	copy->count++;
	return item;
}

static void take_frame(struct copy *copy, uint32_t partition, struct str value)
{
	char *bytes = malloc(value.len);
	struct frame frame;
	struct event event;

	if (bytes == NULL)
		give_up("memory", NULL);
	memcpy(bytes, value.ptr, value.len);
	if (frame_read(str_from(bytes, value.len), &frame) != FRAME_OK ||
	    frame.head.type != FRAME_EVENTS) {
		free(bytes);
		return;
	}
	copy->events += frame.head.count;
	if (copy->bound_ns == 0) {
		struct item *item = item_new(copy, partition);

		item->bytes = bytes;
		item->len = value.len;
		return;
	}
	uint64_t previous = frame.head.previous;

	/* The bytes live as long as the program: the events point into them. */
	while (frame_next(&frame, &event)) {
		struct item *item = item_new(copy, partition);

		item->event = event;
		item->previous = previous;
		item->place = (uint64_t)event.received_ns +
		    chance(copy) % (uint64_t)copy->bound_ns;
		previous = event.at.counter;
	}
}

static void take_partition(struct copy *copy, struct seen *seen, uint32_t partition)
{
	struct error error = {0};
	uint64_t first, next;

	if (bus_range(copy->from, TOPIC_EVENTS, partition, &first, &next, &error) < 0)
		give_up("range", &error);
	struct bus_reader_options options = {.topic = TOPIC_EVENTS, .group = "shuffle",
	    .partitions = &partition, .partition_count = 1};
	struct bus_record records[256];
	struct bus_reader *reader;
	struct frame frame;

	if (bus_reader_open(&reader, copy->from, &options, &error) < 0)
		give_up("reader", &error);
	while (first < next) {
		int count = bus_poll(reader, records, 256, NS_PER_S, &error);

		if (count < 0)
			give_up("poll", &error);
		for (int i = 0; i < count; i++) {
			first = records[i].next;
			/* What was sent twice is one. */
			if (records[i].kind == BUS_RECORD &&
			    frame_read(records[i].value, &frame) == FRAME_OK &&
			    seen_frame(seen, partition, &frame.head) == SEEN_NEW)
				take_frame(copy, partition, records[i].value);
		}
	}
	bus_reader_close(reader);
}

static int item_compare(const void *left, const void *right)
{
	const struct item *a = left, *b = right;

	if (a->partition != b->partition)
		return a->partition < b->partition ? -1 : 1;
	if (a->place != b->place)
		return a->place < b->place ? -1 : 1;
	return a->arrived < b->arrived ? -1 : a->arrived > b->arrived;
}

static void receipts(struct copy *copy)
{
	struct bus_receipt done[256];
	struct error error = {0};
	int count = bus_receipts(copy->to, done, 256, 20 * NS_PER_MS, &error);

	if (count < 0)
		give_up("receipts", &error);
	for (int i = 0; i < count; i++)
		if (done[i].status != RECEIPT_DURABLE)
			give_up("a record has not become durable", NULL);
}

static void put(struct copy *copy, const struct item *item)
{
	struct frame_head head = {.type = FRAME_EVENTS, .collector = item->event.at.collector,
	    .epoch = item->event.at.epoch, .first = item->event.at.counter,
	    .previous = item->previous, .count = 1, .made_ns = item->event.received_ns};
	struct str value = str_from(item->bytes, item->len);
	struct buf frame = BUF(FRAME_MAX);
	int code;

	if (item->bytes == NULL) {
		frame_begin(&frame);
		frame_add(&frame, &item->event);
		if (!frame_end(&frame, &head))
			give_up("frame", NULL);
		value = buf_str(&frame);
	}
	while ((code = bus_publish(copy->to, TOPIC_EVENTS, item->partition, STR_NONE, value, 0)) ==
	    BUS_BUSY)
		receipts(copy);
	if (code != BUS_ACCEPTED)
		give_up("publish", NULL);
	buf_free(&frame);
}

static void open_both(struct copy *copy, char **argv)
{
	bool kafka = strcmp(argv[1], "kafka") == 0;
	struct bus_setting broker = {STR("bootstrap.servers"), str_of(argv[3])};
	struct bus_options from = {.backend = argv[1], .path = argv[2], .partitions = {4, 4, 1},
	    .prefix = argv[2], .settings = &broker, .setting_count = kafka ? 1 : 0};
	struct error error = {0};

	if (bus_open(&copy->from, &from, &error) < 0)
		give_up("from", &error);
	struct bus_options to = {.backend = "local", .path = argv[kafka ? 4 : 3]};

	for (unsigned i = 0; i < TOPIC_COUNT; i++)
		to.partitions[i] = bus_partitions(copy->from, (enum bus_topic)i);
	if (bus_open(&copy->to, &to, &error) < 0)
		give_up("to", &error);
}

int main(int argc, char **argv)
{
	struct copy copy = {0};
	struct seen *seen = seen_new();
	struct error error = {0};
	int rest = argc > 1 && strcmp(argv[1], "kafka") == 0 ? 5 : 4;

	if (argc != rest + 2 || seen == NULL) {
		printf("1..0 # SKIP a tool of the scripts\n");
		return 0;
	}
	copy.state = strtoull(argv[rest], NULL, 10) * 2 + 1;
	copy.bound_ns = strtoll(argv[rest + 1], NULL, 10) * NS_PER_MS;
	open_both(&copy, argv);
	for (uint32_t p = 0; p < bus_partitions(copy.from, TOPIC_EVENTS); p++)
		take_partition(&copy, seen, p);
	if (copy.count > 0)
		qsort(copy.items, copy.count, sizeof(*copy.items), item_compare);
	for (size_t i = 0; i < copy.count; i++)
		put(&copy, &copy.items[i]);
	if (bus_flush(copy.to, 60 * NS_PER_S, &error) < 0 || bus_pending(copy.to) > 0)
		give_up("flush", &error);
	bus_close(copy.to);
	bus_close(copy.from);
	seen_free(seen);
	printf("%" PRIu64 "\n", copy.events);
	return 0;
}
