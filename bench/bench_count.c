/* bench: bus
 *
 * Counts for bench/senders.py what has come into a topic of events: in our frames, or a record an
 * event, whoever wrote it; by the numbers that bench_send gave them, so that an event that is
 * missing and one that came twice are told apart.
 *
 *     bench_count SERVERS PREFIX MOST [SILENT_MS]
 *
 * Reads until so many different ones are there, or nothing more comes for so long; then prints one
 * JSON object: events, different, repeats, records, gaps (events that gap frames tell as lost).
 */
#include "bench/bench.h"

#include "bus/bus.h"
#include "event/frame.h"

struct counts {
	uint8_t *seen; /* a bit a number */
	uint64_t most, events, different, repeats, records, gaps, strange;
};

/* The number between two '#'. */
static bool number_of(struct str raw, uint64_t *ret)
{
	for (;;) {
		size_t at = str_find_char(raw, '#');

		if (at == STR_NOT_FOUND)
			return false;
		raw = str_slice(raw, at + 1, raw.len);
		if (raw.len > 10 && raw.ptr[10] == '#' &&
		    str_to_u64(str_slice(raw, 0, 10), ret))
			return true;
	}
}

static void count_event(struct counts *c, struct str raw)
{
	uint64_t number;

	if (!number_of(raw, &number) || number >= c->most) {
		c->strange++;
		return;
	}
	c->events++;
	uint8_t bit = (uint8_t)(1u << (number & 7));

	c->repeats += (c->seen[number >> 3] & bit) != 0;
	c->different += (c->seen[number >> 3] & bit) == 0;
	c->seen[number >> 3] |= bit;
}

static void count_record(struct counts *c, struct str value)
{
	struct frame frame;
	struct frame_gap gap;
	struct event event;

	c->records++;
	if (frame_read(value, &frame) != FRAME_OK) {
		count_event(c, value);
		return;
	}
	if (frame_read_gap(&frame, &gap))
		c->gaps += gap.count;
	while (frame.head.type == FRAME_EVENTS && frame_next(&frame, &event))
		count_event(c, event.raw);
}

static void read_all(struct bus_reader *reader, struct counts *c, int64_t silent_ns)
{
	int64_t last = clock_monotonic_ns();
	struct bus_record records[256];
	struct error error = {0};

	while (c->different < c->most && clock_monotonic_ns() - last < silent_ns) {
		uint64_t before = c->different;
		int count = bus_poll(reader, records, 256, 100 * NS_PER_MS, &error);

		bench_must(count, &error);
		for (int i = 0; i < count; i++)
			count_record(c, records[i].value);
		if (c->different > before)
			last = clock_monotonic_ns();
	}
}

int main(int argc, char **argv)
{
	struct counts c = {0};
	struct error error = {0};
	struct bus *bus;
	struct bus_reader *reader;

	if (argc < 4) {
		fprintf(stderr, "bench_count: SERVERS PREFIX MOST [SILENT_MS]\n");
		return 2;
	}
	struct bus_setting settings[] = {{STR("bootstrap.servers"), str_of(argv[1])}};
	struct bus_options options = {.backend = "kafka", .prefix = argv[2],
	    .partitions = {1, 1, 1}, .settings = settings, .setting_count = 1};

	c.most = strtoull(argv[3], NULL, 10);
	c.seen = calloc(c.most / 8 + 1, 1);
	CHECK(c.seen != NULL);
	bench_must(bus_open(&bus, &options, &error), &error);
	uint32_t partitions[BUS_PARTITIONS_MAX];

	for (uint32_t p = 0; p < BUS_PARTITIONS_MAX; p++)
		partitions[p] = p;
	struct bus_reader_options reading = {.topic = TOPIC_EVENTS, .group = "bench",
	    .partitions = partitions, .partition_count = bus_partitions(bus, TOPIC_EVENTS)};

	bench_must(bus_reader_open(&reader, bus, &reading, &error), &error);
	read_all(reader, &c, (argc > 4 ? strtoll(argv[4], NULL, 10) : 3000) * NS_PER_MS);
	printf("{\"events\":%llu,\"different\":%llu,\"repeats\":%llu,\"records\":%llu,"
	       "\"gaps\":%llu,\"strange\":%llu}\n", (unsigned long long)c.events,
	    (unsigned long long)c.different, (unsigned long long)c.repeats,
	    (unsigned long long)c.records, (unsigned long long)c.gaps,
	    (unsigned long long)c.strange);
	bus_reader_close(reader);
	bus_close(bus);
	free(c.seen);
	return 0;
}
