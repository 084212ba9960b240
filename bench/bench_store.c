/*
 * Storing: alerts from the bus into a day file through store_step, with index, folds, evidence and
 * syncs, as the stage store does. The local bus holds the events that are the evidence.
 */
#include "bench/lines.h"

#include "bus/bus.h"
#include "event/detection.h"
#include "event/frame.h"
#include "storage/store.h"

#define ALERTS	 4000u
#define IN_FRAME 50u

struct storing {
	struct bus *bus;
	struct store *store;
	struct lines lines;
	uint64_t counter; /* of alerts, in all rounds */
	bool folding;	  /* few entities: nearly all alerts fold */
	char bus_path[256], store_path[256];
};

static bool decode(void *context, const struct event *event, struct buf *ret_json)
{
	(void)context;
	buf_printf(ret_json, "{\"length\":%zu}", event->raw.len);
	return true;
}

static void publish(struct storing *s, enum bus_topic topic, struct str key, struct str value)
{
	struct bus_receipt receipts[256];
	struct error error = {0};
	int code;

	while ((code = bus_publish(s->bus, topic, 0, key, value, 0)) == BUS_BUSY)
		bench_must(bus_receipts(s->bus, receipts, 256, NS_PER_MS, &error), &error);
	CHECK(code == BUS_ACCEPTED);
}

static void flush(struct storing *s)
{
	struct bus_receipt receipts[256];
	struct error error = {0};
	int code;

	bench_must(bus_flush(s->bus, 10 * NS_PER_S, &error), &error);
	while ((code = bus_receipts(s->bus, receipts, 256, 0, &error)) > 0)
		continue;
	bench_must(code, &error);
}

/* The evidence: frames of events, published once. */
static void events_publish(struct storing *s)
{
	struct buf out = BUF(FRAME_MAX);

	for (size_t i = 0; i + IN_FRAME <= s->lines.count; i += IN_FRAME) {
		struct frame_head head = {.type = FRAME_EVENTS,
		    .collector = 0xb3c4,
		    .epoch = BENCH_NOW,
		    .first = i,
		    .previous = i == 0 ? FRAME_NO_COUNT : i - 1,
		    .count = IN_FRAME,
		    .made_ns = BENCH_NOW};

		frame_begin(&out);
		for (size_t k = i; k < i + IN_FRAME; k++)
			frame_add(&out, &s->lines.events[k]);
		CHECK(frame_end(&out, &head));
		publish(s, TOPIC_EVENTS, STR("192.0.2.7"), buf_str(&out));
	}
	buf_free(&out);
	flush(s);
}

static void alert_publish(struct storing *s, struct buf *json)
{
	static struct str tags[] = {STR_INIT("attack.credential_access"), STR_INIT("attack.t1110")};
	uint64_t n = s->counter++, which = n % (s->lines.count / IN_FRAME * IN_FRAME);
	char host[32], address[32], id[HASH128_TEXT];
	struct str entity, from;
	int64_t time = BENCH_NOW + (int64_t)n * NS_PER_MS;

	snprintf(host, sizeof(host), "hue-%02u", (unsigned)(n % 40));
	snprintf(address, sizeof(address), "203.0.113.%u", (unsigned)(n % 250));
	entity = str_of(host);
	if (!s->folding)
		snprintf(host, sizeof(host), "host-%llu", (unsigned long long)n),
		    entity = str_of(host);
	from = str_of(address);
	struct alert_pair groups[] = {{STR("host"), entity}};
	struct alert_pair matched[] = {{STR("app"), STR("sshd")}, {STR("action"), STR("failure")}};
	struct alert_pair fields[] = {{STR("app"), STR("sshd")}, {STR("user"), STR("root")},
	    {STR("src_ip"), from}, {STR("src_port"), STR("40112")}, {STR("action"), STR("failure")},
	    {STR("procid"), STR("8112")}, {STR("message"), s->lines.events[which].raw}};
	struct alert_event event = {{0xb3c4, BENCH_NOW, which},
	    {0, which / IN_FRAME, (uint32_t)(which % IN_FRAME)}, time, STR("bench-rule")};
	struct alert alert = {.status = ALERT_SETTLED,
	    .rule = {.id = STR("5f0a1b9c-6a0e-4a53-9a0e-000000000001"),
		.title = STR("Root login failed from outside"),
		.title_vi = STR("Đăng nhập root thất bại"),
		.author = STR("bench"),
		.status = STR("test"),
		.description = STR("A line of the bench."),
		.level = LEVEL_HIGH,
		.tags = tags,
		.tag_count = 2,
		.kind = STR("rule"),
		.hash = {7, 7}},
	    .time_ns = time,
	    .at = {0xb3c4, BENCH_NOW, n},
	    .received_ns = time,
	    .made_ns = time,
	    .first_ns = time,
	    .last_ns = time,
	    .count = 1,
	    .groups = groups,
	    .group_count = 1,
	    .fold_ns = 3600 * NS_PER_S,
	    .sender = STR("192.0.2.7"),
	    .host = entity,
	    .user = STR("root"),
	    .addresses = &from,
	    .address_count = 1,
	    .product = STR("linux"),
	    .service = STR("sshd"),
	    .matched = matched,
	    .matched_count = 2,
	    .fields = fields,
	    .field_count = 7,
	    .events = &event,
	    .event_count = 1};

	alert.id = alert_make_id((struct hash_key){1, 2}, &alert);
	buf_clear(json);
	alert_write(json, &alert);
	CHECK(!json->failed);
	publish(s, TOPIC_ALERTS, hash128_format(alert.id, id), buf_str(json));
}

/* Time has passed: what waited for it can fold. */
static void progress_publish(struct storing *s)
{
	struct buf out = BUF(65536);

	for (uint8_t topic = TOPIC_EVENTS; topic <= TOPIC_DETECTIONS; topic++) {
		struct progress progress = {.topic = topic,
		    .partition = 0,
		    .partitions = 1,
		    .time_ns = BENCH_NOW + (int64_t)s->counter * NS_PER_MS + NS_PER_S};

		buf_clear(&out);
		progress_write(&out, &progress, 1);
		publish(s, TOPIC_ALERTS, STR("progress"), buf_str(&out));
	}
	buf_free(&out);
}

/* What was published is no part of the cost: only the steps of the store are measured. */
static void store_all(struct storing *s)
{
	struct error error = {0};
	struct store_stats stats;
	int read = 1;

	while (read > 0 || !store_is_idle(s->store)) {
		read = store_step(s->store, BENCH_NOW + NS_PER_S, 0, &error);
		bench_must(read, &error);
	}
	store_stats(s->store, &stats);
	CHECK(stats.alerts + stats.folded + stats.repeats >= s->counter);
	CHECK(stats.damaged == 0 && stats.repeats == 0 && stats.evidence_missing == 0);
}

static struct bench_figure measure(struct storing *s, double *ret_seconds)
{
	double cost[5], seconds = 0;
	struct buf json = BUF(1u << 20);

	for (size_t round = 0; round < 6; round++) {
		for (unsigned i = 0; i < ALERTS; i++)
			alert_publish(s, &json);
		progress_publish(s);
		flush(s);
		int64_t begin = clock_cpu_ns(), wall = clock_monotonic_ns();

		store_all(s);
		if (round > 0) {
			cost[round - 1] = (double)(clock_cpu_ns() - begin) / ALERTS;
			seconds += (double)(clock_monotonic_ns() - wall) / 1e9;
		}
	}
	buf_free(&json);
	qsort(cost, 5, sizeof(cost[0]), bench_by_size);
	*ret_seconds = seconds / 5;
	return (struct bench_figure){.median = cost[2], .least = cost[0], .most = cost[4]};
}

static void storing_run(const char *name, bool folding)
{
	struct storing s = {.lines = lines_make(line_sshd, LINES_COUNT), .folding = folding};
	struct error error = {0};
	struct store_stats stats;
	char extra[160];
	double seconds;

	bench_folder(s.bus_path);
	bench_folder(s.store_path);
	struct bus_options bus = {.backend = "local",
	    .path = s.bus_path,
	    .partitions = {1, 1, 1},
	    .queue_bytes = 16u << 20};
	bench_must(bus_open(&s.bus, &bus, &error), &error);
	events_publish(&s);
	struct store_options options = {.path = s.store_path,
	    .bus = s.bus,
	    .site = {1, 2},
	    .batch = 1024,
	    .day_bytes = UINT64_C(4) << 30,
	    .retain_ns = 400 * 86400 * NS_PER_S,
	    .fold_default_ns = 3600 * NS_PER_S,
	    .evidence_events = 64,
	    .decode = decode};
	bench_must(store_open(&s.store, &options, BENCH_NOW, &error), &error);
	struct bench_figure figure = measure(&s, &seconds);

	store_stats(s.store, &stats);
	snprintf(extra, sizeof(extra),
	    ",\"events_per_second\":%.0f,\"folded\":%llu,\"evidence_kept\":%llu", ALERTS / seconds,
	    (unsigned long long)stats.folded, (unsigned long long)stats.evidence_kept);
	bench_print(name, figure, extra);
	store_close(s.store);
	bus_close(s.bus);
	lines_free(&s.lines);
	bench_forget(s.store_path);
	bench_forget(s.bus_path);
}

int main(void)
{
	storing_run("store alerts, each of its own", false);
	storing_run("store alerts, nearly all fold", true);
	return 0;
}
