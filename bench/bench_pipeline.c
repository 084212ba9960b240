/* bench: bus
 * Fills a bus for pipeline.py, as a collector would: frames of 32 KB, forty senders spread over the
 * partitions, counters that ascend.
 *
 *   bench_pipeline FILE|syslog EVENTS PARTITIONS local FOLDER
 *   bench_pipeline FILE|syslog EVENTS PARTITIONS kafka PREFIX BOOTSTRAP
 *
 * FILE holds an event a line, and is gone through again and again; syslog is what lines.h makes,
 * and `bench_pipeline syslog EVENTS` prints it. Without arguments it has nothing to fill.
 */
#include "bench/lines.h"

#include "bus/bus.h"
#include "event/frame.h"

#define FRAME_BYTES  32768u
#define SENDERS      40u
#define SYSLOG_LINES 20000u
#define FILE_BYTES   (512u << 20)
/* On a day that no line names: all events count at the time of receipt, in order, none is late. */
#define RECEIVED_NS  (clock_wall_ns() + 3 * 86400 * NS_PER_S)

struct opened {
	struct buf frame;
	uint32_t count;
	uint64_t first, previous;
};

struct filling {
	struct bus *bus;
	struct opened *open; /* one a partition */
	uint32_t partitions;
	uint64_t counter, accepted, durable;
	int64_t now_ns;
};

static struct lines lines_of(const char *path)
{
	struct lines lines = {.arena = arena_new(FILE_BYTES)};
	FILE *in = fopen(path, "r");
	char *text = NULL;
	size_t room = 0, most = 100000;
	ssize_t len;

	CHECK(in != NULL && lines.arena != NULL);
	lines.events = arena_array(lines.arena, most, sizeof(*lines.events));
	while (lines.count < most && (len = getline(&text, &room, in)) > 0) {
		struct str line = str_trim(str_from(text, (size_t)len));

		if (line.len > 0)
			lines.events[lines.count++].raw = arena_dup(lines.arena, line);
	}
	CHECK(!arena_failed(lines.arena) && lines.count > 0);
	free(text);
	fclose(in);
	return lines;
}

static void take_receipts(struct filling *f, int64_t timeout_ns)
{
	struct bus_receipt receipts[256];
	struct error error = {0};
	int count = bus_receipts(f->bus, receipts, 256, timeout_ns, &error);

	bench_must(count, &error);
	for (int i = 0; i < count; i++)
		CHECK(receipts[i].status == RECEIPT_DURABLE);
	f->durable += (uint64_t)count;
}

static void frame_send(struct filling *f, uint32_t partition)
{
	struct opened *open = &f->open[partition];
	struct frame_head head = {.type = FRAME_EVENTS, .collector = 0xb3c4, .epoch = BENCH_NOW,
	    .first = open->first, .previous = open->previous, .count = open->count,
	    .made_ns = f->now_ns};
	int code;

	if (open->count == 0)
		return;
	CHECK(frame_end(&open->frame, &head));
	while ((code = bus_publish(f->bus, TOPIC_EVENTS, partition, STR_NONE,
	    buf_str(&open->frame), f->accepted)) == BUS_BUSY)
		take_receipts(f, NS_PER_MS);
	CHECK(code == BUS_ACCEPTED);
	f->accepted++;
	open->previous = open->first + open->count - 1;
	open->count = 0;
}

/* Counters of one frame follow one another, so each frame is filled before the next is begun. */
static void fill(struct filling *f, const struct lines *lines, size_t count)
{
	uint32_t partition = 0;

	for (size_t i = 0; i < count; i++) {
		struct opened *open = &f->open[partition];
		struct event event = bench_event(lines->events[i % lines->count].raw, f->counter);
		char sender[32];

		snprintf(sender, sizeof(sender), "192.0.2.%u", (unsigned)(i / 64 % SENDERS));
		event.sender = str_of(sender);
		event.received_ns = f->now_ns += 1000;
		if (open->count == 0) {
			frame_begin(&open->frame);
			open->first = f->counter;
		}
		frame_add(&open->frame, &event);
		open->count++;
		f->counter++;
		if (open->frame.len >= FRAME_BYTES || i + 1 == count) {
			frame_send(f, partition);
			partition = (partition + 1) % f->partitions;
			take_receipts(f, 0);
		}
	}
	while (f->durable < f->accepted) {
		bench_must(bus_flush(f->bus, NS_PER_S, NULL), &(struct error){.text = "bus_flush"});
		take_receipts(f, NS_PER_MS);
	}
}

static void fill_bus(const struct lines *lines, size_t count, uint32_t partitions, char **to)
{
	struct bus_setting setting = {STR("bootstrap.servers"), STR_NONE};
	bool kafka = strcmp(to[0], "kafka") == 0;
	struct bus_options options = {.backend = to[0], .path = kafka ? NULL : to[1],
	    .partitions = {partitions, partitions, 1}, .segment_bytes = 64u << 20,
	    .retain_bytes = UINT64_C(64) << 30, .commit_ns = 5 * NS_PER_MS,
	    .commit_bytes = 1u << 20, .queue_bytes = 16u << 20};
	struct filling f = {.partitions = partitions,
	    .open = calloc(partitions, sizeof(*f.open)), .now_ns = RECEIVED_NS};
	struct error error = {0};

	CHECK(f.open != NULL);
	if (kafka) {
		setting.value = str_of(to[2]);
		options.prefix = to[1];
		options.settings = &setting;
		options.setting_count = 1;
	}
	for (uint32_t i = 0; i < partitions; i++)
		f.open[i] = (struct opened){.frame = BUF(FRAME_MAX), .previous = FRAME_NO_COUNT};
	bench_must(bus_open(&f.bus, &options, &error), &error);
	fill(&f, lines, count);
	bus_close(f.bus);
	for (uint32_t i = 0; i < partitions; i++)
		buf_free(&f.open[i].frame);
	free(f.open);
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		bench_skip("pipeline", "it is run by bench/pipeline.py");
		return 0;
	}
	size_t count = (size_t)strtoul(argv[2], NULL, 10);
	struct lines lines = strcmp(argv[1], "syslog") == 0 ? lines_make(line_mixed, SYSLOG_LINES)
	    : lines_of(argv[1]);

	if (argc < 6) {
		for (size_t i = 0; i < count; i++)
			printf("%.*s\n", STR_ARG(lines.events[i % lines.count].raw));
	} else {
		fill_bus(&lines, count, (uint32_t)strtoul(argv[3], NULL, 10), argv + 4);
	}
	lines_free(&lines);
	return 0;
}
