#include "rig.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"

static size_t damaged_count;

static bool decode(void *context, const struct event *event, struct buf *ret_json)
{
	(void)context;
	buf_printf(ret_json, "{\"length\":%zu}", event->raw.len);
	return true;
}

void rig_open(struct rig *rig, uint32_t events, uint32_t detections, uint32_t alerts)
{
	const char *base = getenv("TMPDIR");
	struct bus_options options = {
	    .backend = "memory", .partitions = {events, detections, alerts}};

	memset(rig, 0, sizeof(*rig));
	snprintf(
	    rig->path, sizeof(rig->path), "%s/tocsin-storage-XXXXXX", base != NULL ? base : "/tmp");
	assert_non_null(mkdtemp(rig->path));
	assert_int_equal(bus_open(&rig->bus, &options, NULL), 0);
	rig->now_ns = RIG_NOW + 3600 * RIG_S;
	rig->arena = arena_new(256u << 20);
	assert_non_null(rig->arena);
	rig->options = (struct store_options){
	    .path = rig->path,
	    .bus = rig->bus,
	    .site = {1, 2},
	    .batch = 100,
	    .day_bytes = 64u << 20,
	    .retain_ns = 90 * 86400 * RIG_S,
	    .fold_default_ns = 0,
	    .evidence_events = 16,
	    .quick = true,
	    .decode = decode,
	};
	assert_int_equal(query_open(&rig->query, rig->path, NULL), 0);
}

void rig_remove(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	char name[600];

	while (folder != NULL && (entry = readdir(folder)) != NULL) {
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (entry->d_name[0] != '.')
			unlink(name);
	}
	if (folder != NULL)
		closedir(folder);
	rmdir(path);
}

void rig_close(struct rig *rig)
{
	rig_store_close(rig);
	query_close(rig->query);
	bus_close(rig->bus);
	arena_free(rig->arena);
	rig_remove(rig->path);
}

void rig_store_open(struct rig *rig)
{
	struct error error = {0};

	if (store_open(&rig->store, &rig->options, rig->now_ns, &error) != 0)
		fail_msg("store_open: %s", error.text);
}

void rig_store_close(struct rig *rig)
{
	store_close(rig->store);
	rig->store = NULL;
}

struct alert rig_alert(
    struct rig *rig, const char *rule, const char *host, int64_t time_ns, uint64_t counter)
{
	struct alert alert = {
	    .status = ALERT_SETTLED,
	    .rule = {.id = str_of(rule),
		.title = str_of(rule),
		.level = LEVEL_HIGH,
		.kind = STR("rule"),
		.hash = {7, 7}},
	    .time_ns = time_ns,
	    .at = {0xc0ffee, 1, counter},
	    .received_ns = time_ns,
	    .made_ns = time_ns,
	    .first_ns = time_ns,
	    .last_ns = time_ns,
	    .count = 1,
	    .fold_ns = counter % 2 == 0 ? rig->options.fold_default_ns : -1,
	    .host = str_of(host),
	    .group_count = 1,
	};
	struct alert_event *event = arena_zalloc(rig->arena, sizeof(*event));

	alert.groups = arena_zalloc(rig->arena, sizeof(*alert.groups));
	alert.groups[0] = (struct alert_pair){STR("host"), str_of(host)};
	*event = (struct alert_event){alert.at, {0, 0, 0}, time_ns, str_of(rule)};
	alert.events = event;
	alert.event_count = 1;
	alert.id = alert_make_id(rig->options.site, &alert);
	return alert;
}

static void must_publish(
    struct rig *rig, enum bus_topic topic, uint32_t partition, struct str key, struct str value)
{
	struct bus_receipt receipts[64];

	while (bus_publish(rig->bus, topic, partition, key, value, 0) == BUS_BUSY)
		assert_true(bus_receipts(rig->bus, receipts, 64, 0, NULL) >= 0);
	assert_int_equal(bus_flush(rig->bus, RIG_S, NULL), 0);
	while (bus_receipts(rig->bus, receipts, 64, 0, NULL) > 0)
		continue;
}

void rig_publish(struct rig *rig, const struct alert *alert)
{
	struct buf json = BUF(1u << 20);
	char id[HASH128_TEXT];
	struct str key = hash128_format(alert->id, id);

	alert_write(&json, alert);
	assert_false(json.failed);
	must_publish(rig, TOPIC_ALERTS,
	    bus_partition_of(key, bus_partitions(rig->bus, TOPIC_ALERTS)), key, buf_str(&json));
	buf_free(&json);
}

void rig_publish_raw(struct rig *rig, enum bus_topic topic, uint32_t partition, struct str value)
{
	must_publish(rig, topic, partition, STR("k"), value);
}

void rig_progress(struct rig *rig, enum bus_topic topic, int64_t time_ns)
{
	struct progress progress[PROGRESS_MAX];
	uint32_t count = bus_partitions(rig->bus, topic);
	struct buf value = BUF(1u << 20);

	for (uint32_t i = 0; i < count; i++)
		progress[i] = (struct progress){.topic = (uint8_t)topic,
		    .partition = i,
		    .partitions = count,
		    .time_ns = time_ns};
	progress_write(&value, progress, count);
	for (uint32_t p = 0; p < bus_partitions(rig->bus, TOPIC_ALERTS); p++)
		must_publish(rig, TOPIC_ALERTS, p, STR("p"), buf_str(&value));
	buf_free(&value);
}

void rig_settle(struct rig *rig)
{
	struct error error = {0};

	for (int i = 0; i < 100000; i++) {
		int code = store_step(rig->store, rig->now_ns, 0, &error);

		if (code < 0)
			fail_msg("store_step: %d %s", code, error.text);
		if (store_is_idle(rig->store))
			return;
	}
	fail_msg("the store does not come to rest");
}

struct store_stats rig_stats(struct rig *rig)
{
	struct store_stats stats;

	store_stats(rig->store, &stats);
	return stats;
}

struct listing {
	struct query_alert *to;
	size_t count, max;
};

static bool take(void *context, const struct query_alert *alert)
{
	struct listing *listing = context;

	assert_true(listing->count < listing->max);
	listing->to[listing->count++] = *alert;
	return true;
}

static void damaged(void *context, const struct error *error)
{
	(void)context;
	assert_true(error->code < 0 && error->text[0] != '\0' && error->file[0] != '\0');
	damaged_count++;
}

size_t rig_list(
    struct rig *rig, const struct query_filter *filter, struct query_alert *ret, size_t max)
{
	struct listing listing = {ret, 0, max};
	struct error error = {0};

	damaged_count = 0;
	if (query_alerts(rig->query, filter, rig->arena, take, &listing, damaged, &error) != 0)
		fail_msg("query_alerts: %s", error.text);
	return listing.count;
}

size_t rig_damaged(const struct rig *rig)
{
	(void)rig;
	return damaged_count;
}

struct query_filter rig_filter(void)
{
	return (struct query_filter){.since_ns = INT64_MIN,
	    .until_ns = INT64_MAX,
	    .level_min = LEVEL_INFORMATIONAL,
	    .level_max = LEVEL_CRITICAL,
	    .limit = 10000};
}

uint32_t rig_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*state >> 33);
}
