/*
 * The bus, published and read: frames of 32 KB and one event a record, group commits of several
 * sizes on the local bus (durable: every commit is synced), and a real broker when
 * TOCSIN_TEST_KAFKA names one. CPU time is that of all threads of this process; the wall clock,
 * which a disk decides, is told beside it.
 */
#include "bench/lines.h"

#include "bus/bus.h"
#include "event/frame.h"

#define FRAME_BYTES 32768
#define PARTITION   0u

struct passing {
	struct bus *bus;
	struct bus_reader *reader;
	struct buf *records;    /* frames, or single events */
	size_t count, events;   /* records, and events in them together */
	size_t repeat;          /* how often all of them are sent in a round */
	uint64_t received, read, wanted;
};

static struct frame_head head_of(uint64_t first, uint32_t count)
{
	return (struct frame_head){.type = FRAME_EVENTS, .collector = 1, .epoch = 2, .first = first,
	    .previous = FRAME_NO_COUNT, .count = count, .made_ns = BENCH_NOW};
}

/* Records of at least so many bytes each; 1: an event a record. */
static void records_make(struct passing *p, const struct lines *lines, size_t bytes)
{
	uint32_t count = 0;

	p->records = calloc(lines->count, sizeof(*p->records));
	CHECK(p->records != NULL);
	for (size_t i = 0; i < lines->count; i++) {
		struct buf *out = &p->records[p->count];

		if (count == 0) {
			*out = BUF(FRAME_MAX);
			frame_begin(out);
		}
		frame_add(out, &lines->events[i]);
		count++;
		if (out->len >= bytes || i + 1 == lines->count) {
			struct frame_head head = head_of(p->events, count);

			CHECK(frame_end(out, &head));
			p->events += count;
			p->count++;
			count = 0;
		}
	}
}

static void take_receipts(struct passing *p, int64_t timeout_ns)
{
	struct bus_receipt receipts[256];
	struct error error = {0};
	int count = bus_receipts(p->bus, receipts, 256, timeout_ns, &error);

	bench_must(count, &error);
	for (int i = 0; i < count; i++) {
		CHECK(receipts[i].status == RECEIPT_DURABLE);
		p->received++;
	}
}

static size_t publish_all(void *context)
{
	struct passing *p = context;
	uint64_t want = p->received + p->repeat * p->count;

	for (size_t i = 0; i < p->repeat * p->count; i++) {
		struct str value = buf_str(&p->records[i % p->count]);
		int code;

		while ((code = bus_publish(p->bus, TOPIC_EVENTS, PARTITION, STR("192.0.2.7"),
			    value, i)) == BUS_BUSY)
			take_receipts(p, NS_PER_MS);
		CHECK(code == BUS_ACCEPTED);
		take_receipts(p, 0);
	}
	while (p->received < want) {
		bench_must(bus_flush(p->bus, NS_PER_S, NULL), &(struct error){.text = "bus_flush"});
		take_receipts(p, NS_PER_MS);
	}
	return p->repeat * p->events;
}

static size_t read_some(void *context)
{
	struct passing *p = context;
	struct bus_record records[64];
	struct error error = {0};
	size_t events = 0, silent = 0;

	/* A poll may bring more than this round's share: the next one has the less to do. */
	p->wanted += p->repeat * p->events;
	while (p->read + events < p->wanted && silent < 50) {
		int count = bus_poll(p->reader, records, 64, 200 * NS_PER_MS, &error);

		bench_must(count, &error);
		silent = count == 0 ? silent + 1 : 0;
		for (int i = 0; i < count; i++) {
			struct frame frame;

			CHECK(records[i].kind == BUS_RECORD);
			CHECK(frame_read(records[i].value, &frame) == FRAME_OK);
			events += frame.head.count;
		}
	}
	p->read += events;
	CHECK(p->read >= p->wanted);
	return events;
}

static void publish_and_read(const char *name, const struct bus_options *options,
    const struct lines *lines, size_t bytes, size_t repeat)
{
	struct passing p = {.repeat = repeat};
	struct error error = {0};
	const uint32_t partition = PARTITION;
	char full[96], extra[96];
	const size_t rounds = 5;

	records_make(&p, lines, bytes);
	bench_must(bus_open(&p.bus, options, &error), &error);
	struct bus_reader_options reading = {.topic = TOPIC_EVENTS, .group = "bench",
	    .partitions = &partition, .partition_count = 1};
	bench_must(bus_reader_open(&p.reader, p.bus, &reading, &error), &error);
	int64_t begin = clock_monotonic_ns();
	struct bench_figure figure = bench_measure(publish_all, &p, rounds, 1);
	double seconds = (double)(clock_monotonic_ns() - begin) / 1e9;
	struct bus_stats stats;

	bus_stats(p.bus, &stats);
	snprintf(extra, sizeof(extra), ",\"events_per_second\":%.0f,\"commits\":%llu",
	    (double)((rounds + 1) * repeat * p.events) / seconds,
	    (unsigned long long)stats.commits);
	snprintf(full, sizeof(full), "bus %s publish", name);
	bench_print(full, figure, extra);
	snprintf(full, sizeof(full), "bus %s read", name);
	bench_print(full, bench_measure(read_some, &p, rounds, 1), "");
	bus_reader_close(p.reader);
	bus_close(p.bus);
	for (size_t i = 0; i < p.count; i++)
		buf_free(&p.records[i]);
	free(p.records);
}

static void local(const struct lines *lines, const char *name, size_t bytes, uint64_t commit_bytes,
    size_t repeat)
{
	char path[256];

	bench_folder(path);
	struct bus_options options = {.backend = "local", .path = path, .partitions = {1, 1, 1},
	    .commit_ns = 5 * NS_PER_MS, .commit_bytes = commit_bytes, .queue_bytes = 16u << 20,
	    .retain_bytes = 4ull << 30};
	publish_and_read(name, &options, lines, bytes, repeat);
	bench_forget(path);
}

static void kafka(const struct lines *lines, const char *name, size_t bytes, size_t repeat)
{
	char prefix[64], full[96];
	const char *servers = getenv("TOCSIN_TEST_KAFKA");

	if (servers == NULL || servers[0] == '\0') {
		snprintf(full, sizeof(full), "bus %s", name);
		bench_skip(full, "no broker: TOCSIN_TEST_KAFKA is not set");
		return;
	}
	struct bus_setting settings[] = {{STR("bootstrap.servers"), str_of(servers)}};

	snprintf(prefix, sizeof(prefix), "bench-%d-%zu.", (int)getpid(), bytes);
	struct bus_options options = {.backend = "kafka", .prefix = prefix, .partitions = {1, 1, 1},
	    .settings = settings, .setting_count = 1, .queue_bytes = 16u << 20};
	publish_and_read(name, &options, lines, bytes, repeat);
}

int main(void)
{
	struct lines lines = lines_make(line_fortigate, LINES_COUNT);

	local(&lines, "local, frames of 32 KB, commits of 1 MB", FRAME_BYTES, 1u << 20, 64);
	local(&lines, "local, frames of 32 KB, commits of 256 KB", FRAME_BYTES, 256u << 10, 32);
	local(&lines, "local, frames of 32 KB, a commit each", FRAME_BYTES, 4096, 8);
	local(&lines, "local, an event a record, commits of 1 MB", 1, 1u << 20, 8);
	kafka(&lines, "kafka, frames of 32 KB", FRAME_BYTES, 64);
	kafka(&lines, "kafka, an event a record", 1, 16);
	lines_free(&lines);
	return 0;
}
