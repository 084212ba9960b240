#include "town.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/civil.h"
#include "event/detection.h"
#include "correlator/shelf.h"
#include "event/frame.h"
#include "sigma/bundle.h"

#define COLLECTOR 0xc0ffee0123456789u
#define EPOCH     0x16b0f2a3c4d5e6f7u

static const struct hash_key site = {1, 2};
static unsigned towns;

static void must(int code, const struct error *error)
{
	if (code < 0)
		fprintf(stderr, "%s\n", error->text);
	CHECK(code >= 0);
}

static void refused(void *context, const struct error *error)
{
	(void)context;
	fprintf(stderr, "%u: %s\n", error->line, error->text);
	CHECK(error == NULL);
}

void town_bundle(struct buf *out, const char *text)
{
	bundle_begin(out, &(struct bundle_head){0});
	bundle_add(out, &(struct bundle_file){BUNDLE_RULES, STR("rules.yml"), str_of(text)});
	CHECK(!out->failed);
}

static struct ruleset *bundle_rules(struct str bundle)
{
	struct ruleset_options options = {.refused = refused};
	struct error error = {0};
	struct ruleset *ruleset;

	must(ruleset_load_bundle(&ruleset, bundle, &options, &error), &error);
	return ruleset;
}

struct ruleset *town_rules(const char *text)
{
	struct buf bundle = BUF(BUNDLE_MAX);

	town_bundle(&bundle, text);
	struct ruleset *ruleset = bundle_rules(buf_str(&bundle));

	buf_free(&bundle);
	return ruleset;
}

int town_reload(struct town *town, unsigned worker, struct error *error)
{
	struct buf bundle = BUF(BUNDLE_MAX);

	town_bundle(&bundle, town->options.rules);
	struct worker_rules rules = {.ruleset = town_rules(town->options.rules),
	    .bundle = town->options.keeps ? buf_str(&bundle) : STR_NONE};
	int code = worker_reload(town->workers[worker], &rules, error);

	for (unsigned turns = 0; code == WORKER_NOT_YET; turns++) {
		CHECK(turns < 200000);
		code = worker_step(town->workers[worker], town->now_ns, 0, error);
		if (code >= 0)
			code = worker_reload(town->workers[worker], &rules, error);
	}
	if (code < 0)
		ruleset_free(rules.ruleset);
	buf_free(&bundle);
	return code;
}

static struct bus *bus_of(struct town *town)
{
	struct bus_options options = {.backend = "memory", .path = town->name,
	    .memory_durable = true, .retain_bytes = town->options.retain_bytes,
	    .partitions = {town->options.events, town->options.detections, town->options.alerts}};
	struct error error = {0};
	struct bus *bus;

	must(bus_open(&bus, &options, &error), &error);
	snprintf(bus->identity, sizeof(bus->identity), "town-%u", town->bus_number);
	return bus;
}

void town_start(struct town *town, unsigned worker)
{
	const struct town_options *from = &town->options;
	struct worker_options options = {.checkpoint = town->checkpoint,
	    .ruleset = town_rules(from->rules), .site = site, .instance = worker,
	    .instances = from->workers, .batch = from->batch, .lateness_ns = from->lateness_ns,
	    .skew_ns = from->skew_ns, .idle_ns = 60 * SECOND, .snapshot_ns = from->snapshot_ns,
	    .groups_max = from->groups_max, .pending_max = from->pending_max,
	    .memory_max = from->memory_max, .fold_default_ns = 0, .replay = str_of(from->replay)};
	struct error error = {0};
	struct buf bundle = BUF(BUNDLE_MAX);

	if (from->keeps) {
		if (shelf_get(town->checkpoint, worker, &bundle, &error) < 0)
			town_bundle(&bundle, from->rules);
		error_clear(&error);
		ruleset_free(options.ruleset);
		options.ruleset = bundle_rules(buf_str(&bundle));
		options.bundle = buf_str(&bundle);
	}
	options.bus = bus_of(town);
	if (from->plan != NULL)
		must(bus_fault_open(&options.bus, options.bus, from->plan, from->plan_context),
		    &error);
	town->buses[worker] = options.bus;
	if (worker_open(&town->workers[worker], &options, &error) < 0) {
		town->workers[worker] = NULL;
		bus_close(town->buses[worker]);
		town->buses[worker] = NULL;
	}
	buf_free(&bundle);
}

static bool anybody_lives(const struct town *town)
{
	for (unsigned i = 0; i < TOWN_WORKERS; i++)
		if (town->workers[i] != NULL)
			return true;
	return false;
}

static void checkpoint_make(struct town *town)
{
	struct error error = {0};

	checkpoint_close(town->checkpoint);
	town->checkpoint = NULL;
	must(checkpoint_open(&town->checkpoint, town->options.on_disk ? town->file : NULL,
	    "correlate", &error), &error);
}

void town_crash(struct town *town, unsigned worker)
{
	if (town->workers[worker] == NULL)
		return;
	if (town->options.at_death != NULL)
		town->options.at_death();
	worker_close(town->workers[worker]);
	bus_close(town->buses[worker]);
	town->workers[worker] = NULL;
	town->buses[worker] = NULL;
	if (town->options.on_disk && !anybody_lives(town))
		checkpoint_make(town);
}

void town_open(struct town *town, const struct town_options *options)
{
	const char *place = getenv("TMPDIR");

	*town = (struct town){.options = *options, .now_ns = TOWN_START};
	struct town_options *o = &town->options;

	o->events = o->events > 0 ? o->events : 2;
	o->detections = o->detections > 0 ? o->detections : 2;
	o->alerts = o->alerts > 0 ? o->alerts : 2;
	o->workers = o->workers > 0 ? o->workers : 1;
	o->lateness_ns = o->lateness_ns != 0 ? o->lateness_ns : 30 * SECOND;
	o->skew_ns = o->skew_ns != 0 ? o->skew_ns : 600 * SECOND;
	o->groups_max = o->groups_max > 0 ? o->groups_max : 100000;
	o->memory_max = o->memory_max > 0 ? o->memory_max : 100000;
	o->pending_max = o->pending_max > 0 ? o->pending_max : 100000;
	o->snapshot_ns = o->snapshot_ns > 0 ? o->snapshot_ns : 5 * SECOND;
	o->batch = o->batch > 0 ? o->batch : 64;
	o->retain_bytes = o->retain_bytes > 0 ? o->retain_bytes : (uint64_t)1 << 30;
	snprintf(town->name, sizeof(town->name), "town-%d-%u", (int)getpid(), towns++);
	snprintf(town->folder, sizeof(town->folder), "%.40s/townXXXXXX",
	    place != NULL ? place : "/tmp");
	CHECK(mkdtemp(town->folder) != NULL);
	snprintf(town->file, sizeof(town->file), "%s/correlate.mdb", town->folder);
	for (unsigned i = 0; i < BUS_PARTITIONS_MAX; i++)
		town->previous[i] = FRAME_NO_COUNT;
	town->bus = bus_of(town);
	checkpoint_make(town);
	for (unsigned i = 0; i < o->workers; i++)
		town_start(town, i);
}

void town_close(struct town *town)
{
	char lock[128];

	for (unsigned i = 0; i < TOWN_WORKERS; i++)
		town_crash(town, i);
	checkpoint_close(town->checkpoint);
	bus_close(town->bus);
	snprintf(lock, sizeof(lock), "%s-lock", town->file);
	unlink(lock);
	unlink(town->file);
	rmdir(town->folder);
	free(town->alerts);
}

void town_anew(struct town *town, bool other)
{
	for (unsigned i = 0; i < TOWN_WORKERS; i++)
		town_crash(town, i);
	bus_close(town->bus);
	town->bus_number += other;
	snprintf(town->name, sizeof(town->name), "town-%d-%u", (int)getpid(), towns++);
	town->bus = bus_of(town);
	memset(town->alert_offsets, 0, sizeof(town->alert_offsets));
	for (unsigned i = 0; i < town->options.workers; i++)
		town_start(town, i);
}

/* ---- sending ---- */

static void drain(struct town *town)
{
	struct bus_receipt receipts[64];
	struct error error = {0};

	while (bus_receipts(town->bus, receipts, 64, 0, &error) > 0)
		;
}

static void put(struct town *town, uint32_t partition, const struct buf *frame)
{
	int code = bus_publish(town->bus, TOPIC_EVENTS, partition, STR_NONE, buf_str(frame), 0);

	if (code == BUS_BUSY) {
		drain(town);
		code = bus_publish(town->bus, TOPIC_EVENTS, partition, STR_NONE, buf_str(frame), 0);
	}
	CHECK(code == BUS_ACCEPTED);
}

static void send_event(struct town *town, uint64_t counter, uint32_t partition,
    const struct event *event)
{
	struct buf frame = BUF(FRAME_MAX);
	struct frame_head head = {.type = FRAME_EVENTS, .collector = COLLECTOR, .epoch = EPOCH,
	    .first = counter, .previous = town->previous[partition], .count = 1,
	    .made_ns = event->received_ns};

	frame_begin(&frame);
	frame_add(&frame, event);
	CHECK(frame_end(&frame, &head));
	put(town, partition, &frame);
	buf_free(&frame);
}

void town_send_line(struct town *town, const char *host, int64_t received_ns, int zone_s,
    const char *line)
{
	uint32_t partition = bus_partition_of(str_of(host), town->options.events);
	struct event event = {.received_ns = received_ns, .transport = TRANSPORT_UDP,
	    .sender = str_of(host), .zone_s = zone_s, .raw = str_of(line)};

	send_event(town, town->counter, partition, &event);
	town->previous[partition] = town->counter++;
}

void town_send_as(struct town *town, uint64_t counter, uint32_t partition, const char *host,
    int64_t at_ns, int64_t received_ns, const char *body)
{
	char line[4096], time[CIVIL_TEXT];
	struct event event = {.received_ns = received_ns, .transport = TRANSPORT_TCP,
	    .sender = str_of(host), .agency = STR("hue"), .peer = STR("192.0.2.7:40112")};

	civil_format(at_ns, 0, 6, time);
	snprintf(line, sizeof(line), "<38>1 %s %s town - - - %s", time, host, body);
	event.raw = str_of(line);
	send_event(town, counter, partition, &event);
}

void town_send(struct town *town, const char *host, int64_t at_ns, const char *body)
{
	uint32_t partition = bus_partition_of(str_of(host), town->options.events);

	town_send_as(town, town->counter, partition, host, at_ns, at_ns, body);
	town->previous[partition] = town->counter++;
}

void town_tick(struct town *town)
{
	for (uint32_t i = 0; i < town->options.events; i++) {
		struct buf frame = BUF(FRAME_MAX);
		struct frame_head head = {.type = FRAME_TICK,
		    .collector = COLLECTOR,
		    .epoch = EPOCH,
		    .first = town->counter,
		    .previous = town->previous[i],
		    .made_ns = town->now_ns};

		CHECK(frame_tick(&frame, &head));
		put(town, i, &frame);
		buf_free(&frame);
	}
}

/* ---- time ---- */

void town_run(struct town *town)
{
	unsigned quiet = 0;

	drain(town);
	for (unsigned turns = 0; quiet < 3; turns++) {
		bool busy = false;

		CHECK(turns < 200000);
		for (unsigned i = 0; i < TOWN_WORKERS; i++) {
			struct error error = {0};
			int count = 0;

			if (town->workers[i] == NULL && i < town->options.workers)
				town_start(town, i);
			else if (town->workers[i] != NULL)
				count = worker_step(town->workers[i], town->now_ns, 0, &error);
			if (count < 0)
				town_crash(town, i);
			busy |=
			    count != 0 || (i < town->options.workers && town->workers[i] == NULL);
		}
		/* An announcement is due once a second. */
		town->now_ns += busy ? 0 : SECOND;
		quiet = busy ? 0 : quiet + 1;
	}
}

void town_finish(struct town *town)
{
	town_run(town);
	for (unsigned i = 0; i < TOWN_WORKERS; i++)
		if (town->workers[i] != NULL)
			CHECK(worker_finish(town->workers[i], NULL) == 0);
	town_run(town);
}

void town_settle(struct town *town)
{
	town_run(town);
	for (unsigned i = 0; i < 3; i++) {
		town->now_ns += 100000 * SECOND;
		town_tick(town);
		town_run(town);
	}
}

/* ---- looking ---- */

static struct town_alert *alert_of(struct town *town, struct hash128 id)
{
	for (size_t i = 0; i < town->alert_count; i++)
		if (hash128_eq(town->alerts[i].id, id))
			return &town->alerts[i];
	if (town->alert_count == town->alert_capacity) {
		town->alert_capacity = town->alert_capacity * 2 + 64;
		town->alerts = realloc(town->alerts, town->alert_capacity * sizeof(*town->alerts));
		CHECK(town->alerts != NULL);
	}
	struct town_alert *alert = &town->alerts[town->alert_count++];

	*alert = (struct town_alert){.id = id};
	return alert;
}

static void alert_note(struct town *town, const struct alert *from)
{
	struct town_alert *to = alert_of(town, from->id);
	size_t used = 0;

	if (from->replaces.high != 0 || from->replaces.low != 0) {
		alert_of(town, from->replaces)->replaced_by = from->id;
		to = alert_of(town, from->id);
	}
	if (to->told++ == 0 || from->status > to->status)
		to->status = from->status;
	to->count = from->count;
	to->time_ns = from->time_ns;
	used = (size_t)snprintf(to->text, sizeof(to->text), "%.*s", STR_ARG(from->rule.id)) + 1;
	size_t group = used;

	for (size_t i = 0; i < from->group_count && used < sizeof(to->text) - 1; i++)
		used += (size_t)snprintf(to->text + used, sizeof(to->text) - used, "%s%.*s",
		    i > 0 ? "," : "", STR_ARG(from->groups[i].value));
	to->rule.len = from->rule.id.len;
	to->group.len = used > group ? used - group : 0;
}

/* Evidence must lead back: the frame at that position holds the event of that coordinate. */
static void evidence_check(struct town *town, const struct alert_event *evidence)
{
	struct buf bytes = BUF(BUS_RECORD_MAX);
	struct error error = {0};
	struct event event = {0};
	struct frame frame;

	must(bus_fetch(town->bus, TOPIC_EVENTS, evidence->position.partition,
	    evidence->position.offset, &bytes, &error), &error);
	if (frame_read(buf_str(&bytes), &frame) == FRAME_OK) {
		for (uint32_t i = 0; i <= evidence->position.index; i++)
			CHECK(frame_next(&frame, &event));
		CHECK(coordinate_compare(event.at, evidence->at) == 0);
	}
	buf_free(&bytes);
}

static void alert_check(struct town *town, const struct alert *alert)
{
	CHECK(alert->count == alert->event_count + alert->events_cut);
	CHECK(alert->first_ns <= alert->last_ns);
	for (size_t i = 0; i < alert->event_count && town->options.retain_bytes >= 1 << 30; i++) {
		CHECK(i == 0 || alert->events[i - 1].time_ns <= alert->events[i].time_ns);
		CHECK(alert->window_ns == 0 || alert->events[i].rule.len > 0);
		evidence_check(town, &alert->events[i]);
	}
}

static void record_note(struct town *town, struct str value)
{
	struct arena *arena = arena_new(16 << 20);
	struct error error = {0};
	struct alert alert;

	if (message_kind(value) == MESSAGE_UNKNOWN) {
		must(alert_read(arena, value, &alert, &error), &error);
		alert_note(town, &alert);
		if (!str_eq(alert.rule.kind, STR("gap")) && !str_eq(alert.rule.kind, STR("memory")))
			alert_check(town, &alert);
	}
	arena_free(arena);
}

void town_collect(struct town *town)
{
	struct buf value = BUF(BUS_RECORD_MAX);
	struct error error = {0};
	uint64_t first, next;

	for (uint32_t i = 0; i < town->options.alerts; i++) {
		must(bus_range(town->bus, TOPIC_ALERTS, i, &first, &next, &error), &error);
		if (town->alert_offsets[i] < first)
			town->alert_offsets[i] = first; /* retention, in the test of it */
		for (; town->alert_offsets[i] < next; town->alert_offsets[i]++) {
			buf_clear(&value);
			must(bus_fetch(town->bus, TOPIC_ALERTS, i, town->alert_offsets[i], &value,
			    &error), &error);
			record_note(town, buf_str(&value));
		}
	}
	buf_free(&value);
	for (size_t i = 0; i < town->alert_count; i++) {
		struct town_alert *alert = &town->alerts[i];

		alert->rule.ptr = alert->text;
		alert->group.ptr = alert->text + alert->rule.len + 1;
	}
}

static bool is_replaced(const struct town_alert *alert)
{
	return alert->replaced_by.high != 0 || alert->replaced_by.low != 0;
}

size_t town_count_group(struct town *town, const char *rule, const char *group,
    enum alert_status status)
{
	size_t count = 0;

	town_collect(town);
	for (size_t i = 0; i < town->alert_count; i++) {
		const struct town_alert *alert = &town->alerts[i];

		if (str_eq(alert->rule, str_of(rule)) && alert->status == status &&
		    !is_replaced(alert) && (group == NULL || str_eq(alert->group, str_of(group))))
			count++;
	}
	return count;
}

size_t town_count(struct town *town, const char *rule, enum alert_status status)
{
	return town_count_group(town, rule, NULL, status);
}

size_t town_unsettled(struct town *town)
{
	size_t count = 0;

	town_collect(town);
	for (size_t i = 0; i < town->alert_count; i++)
		count += town->alerts[i].status == ALERT_EARLY && !is_replaced(&town->alerts[i]);
	return count;
}

static int id_compare(const void *left, const void *right)
{
	const struct hash128 *a = left, *b = right;

	if (a->high != b->high)
		return a->high < b->high ? -1 : 1;
	return a->low < b->low ? -1 : a->low > b->low;
}

uint64_t town_settled(struct town *town, size_t *ret_count)
{
	town_collect(town);
	struct hash128 *ids = calloc(town->alert_count + 1, sizeof(*ids));
	size_t count = 0;

	CHECK(ids != NULL);
	for (size_t i = 0; i < town->alert_count; i++)
		if (town->alerts[i].status == ALERT_SETTLED)
			ids[count++] = town->alerts[i].id;
	qsort(ids, count, sizeof(*ids), id_compare);
	uint64_t hash = hash_sip64(site, str_from(ids, count * sizeof(*ids)));

	free(ids);
	if (ret_count != NULL)
		*ret_count = count;
	return hash;
}

struct worker_stats town_stats(struct town *town)
{
	struct worker_stats sum = {0};

	for (unsigned i = 0; i < TOWN_WORKERS; i++) {
		struct worker_stats one;

		if (town->workers[i] == NULL)
			continue;
		worker_stats(town->workers[i], &one);
		uint64_t *to = (uint64_t *)&sum;
		const uint64_t *from = (const uint64_t *)&one;

		for (size_t j = 0; j < sizeof(sum) / sizeof(*to) - 1; j++)
			to[j] += from[j];
		sum.watermark_ns = one.watermark_ns;
	}
	return sum;
}
