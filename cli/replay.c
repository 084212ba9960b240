#include "cli/replay.h"

#include "base/clock.h"
#include "base/file.h"
#include "bus/checkpoint.h"
#include "cli/decoded.h"
#include "correlator/worker.h"
#include "event/frame.h"
#include "storage/store.h"

#include <stdlib.h>
#include <string.h>

#define FRAME_FULL   32768u
#define RETAIN_BYTES (1u << 30)
#define BATCH        1024
#define NAME_MOST    64

struct replay {
	struct replay_options options;
	struct bus *input, *stage,
	    *output; /* handles on one memory bus: who publishes, works, reads */
	struct checkpoint *checkpoint;
	struct worker *worker;
	struct store *store;
	struct bus_reader *reader;
	struct arena *arena;
	struct buf frame;
	uint32_t frame_events;
	uint64_t counter, previous, tag;
	int64_t now_ns;
	uint64_t collector;
	struct replay_totals totals;
};

static int open_buses(struct replay *replay, struct error *error)
{
	char name[64];
	struct bus_options options = {.backend = "memory", .path = name,
	    .partitions = {1, 1, 1}, .retain_bytes = RETAIN_BYTES};
	struct bus **handles[] = {&replay->input, &replay->stage, &replay->output};
	int code = 0;

	snprintf(name, sizeof(name), "replay-%p", (void *)replay);
	for (size_t i = 0; i < 3 && code == 0; i++)
		code = bus_open(handles[i], &options, error);
	return code;
}

static int open_worker(struct replay *replay, struct hash_key site, struct error *error)
{
	const struct replay_options *o = &replay->options;
	const struct config *c = o->context->config;
	struct worker_options options = {.bus = replay->stage, .checkpoint = replay->checkpoint,
	    .ruleset = o->ruleset, .site = site, .instances = 1, .batch = BATCH,
	    .lateness_ns = config_number(c, CONFIG_CORRELATE_LATENESS),
	    .skew_ns = config_number(c, CONFIG_CORRELATE_SKEW),
	    .idle_ns = INT64_MAX, .snapshot_ns = INT64_MAX,
	    .groups_max = (size_t)config_number(c, CONFIG_CORRELATE_GROUPS),
	    .memory_max = (size_t)config_number(c, CONFIG_CORRELATE_MEMORY),
	    .pending_max = (size_t)config_number(c, CONFIG_CORRELATE_PENDING),
	    .fold_default_ns = config_number(c, CONFIG_STORE_FOLD), .replay = str_of(o->name)};

	int code = context_logsources(o->context, &options.logsources, error);

	if (code < 0)
		return code;
	replay->options.ruleset = NULL;
	return worker_open(&replay->worker, &options, error);
}

static int open_store(struct replay *replay, struct hash_key site, struct error *error)
{
	const struct replay_options *o = &replay->options;
	const struct config *c = o->context->config;
	struct store_options options = {.path = o->store_path,
	    .bus = replay->output,
	    .site = site,
	    .batch = BATCH,
	    .day_bytes = (uint64_t)config_number(c, CONFIG_STORE_DAY_BYTES),
	    .retain_ns = INT64_MAX,
	    .fold_default_ns = config_number(c, CONFIG_STORE_FOLD),
	    .evidence_events = (size_t)config_number(c, CONFIG_STORE_EVIDENCE_EVENTS),
	    .quick = true,
	    .decode = decoded_fields};
	int code;

	if (o->store_path == NULL)
		return 0;
	code = file_make_folder(o->store_path, 0750, error);
	return code < 0 ? code : store_open(&replay->store, &options, replay->now_ns, error);
}

static int open_all(struct replay *replay, struct error *error)
{
	struct bus_reader_options reading = {.topic = TOPIC_ALERTS, .group = "replay"};
	struct hash_key site;
	int code = context_site_key(replay->options.context, &site, error);

	if (code == 0)
		code = open_buses(replay, error);
	if (code == 0)
		code = checkpoint_open(&replay->checkpoint, NULL, "correlate", error);
	if (code == 0)
		code = open_worker(replay, site, error);
	if (code == 0)
		code = open_store(replay, site, error);
	if (code == 0 && replay->options.told != NULL)
		code = bus_reader_open(&replay->reader, replay->output, &reading, error);
	return code;
}

int replay_open(struct replay **ret, const struct replay_options *options, struct error *error)
{
	struct replay *replay = calloc(1, sizeof(*replay));

	if (replay == NULL) {
		ruleset_free(options->ruleset);
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	}
	replay->options = *options;
	replay->now_ns = options->received_ns;
	replay->previous = FRAME_NO_COUNT;
	replay->collector = hash_sip64((struct hash_key){0}, str_of(options->name)) | 1;
	replay->frame = BUF(FRAME_MAX);
	replay->arena = arena_new(64u << 20);
	frame_begin(&replay->frame);
	int code = replay->arena == NULL ? error_set(error, ERR_MEMORY, TEXT_base_memory)
					 : open_all(replay, error);

	if (code < 0) {
		replay_close(replay);
		return code;
	}
	*ret = replay;
	return 0;
}

void replay_close(struct replay *replay)
{
	if (replay == NULL)
		return;
	bus_reader_close(replay->reader);
	store_close(replay->store);
	worker_close(replay->worker);
	ruleset_free(replay->options.ruleset);
	checkpoint_close(replay->checkpoint);
	bus_close(replay->output);
	bus_close(replay->stage);
	bus_close(replay->input);
	arena_free(replay->arena);
	buf_free(&replay->frame);
	free(replay);
}

static int tell_alerts(struct replay *replay, struct error *error)
{
	struct bus_record records[64];
	int count = replay->reader == NULL ? 0 : bus_poll(replay->reader, records, 64, 0, error);

	for (int i = 0; i < count; i++) {
		struct error ignored = {0};
		struct alert alert;

		arena_reset(replay->arena);
		if (records[i].kind != BUS_RECORD || !str_starts(records[i].value, STR("{")) ||
		    alert_read(replay->arena, records[i].value, &alert, &ignored) < 0)
			continue;
		replay->totals.alerts++;
		replay->options.told(replay->options.told_context, &alert);
	}
	return count;
}

/*
 * The stages in turn until none of them finds anything. Each round is a second of the replay's now.
 */
static int pump(struct replay *replay, struct error *error)
{
	int work = 1;

	while (work > 0) {
		work = worker_step(replay->worker, replay->now_ns, 0, error);
		replay->now_ns += NS_PER_S;
		int stored = work < 0 || replay->store == NULL
		    ? 0 : store_step(replay->store, replay->now_ns, 0, error);
		int told = work < 0 || stored < 0 ? 0 : tell_alerts(replay, error);

		if (work < 0 || stored < 0 || told < 0)
			return work < 0 ? work : stored < 0 ? stored : told;
		work += stored + told;
	}
	return 0;
}

static int send_frame(struct replay *replay, int64_t received_ns, struct error *error)
{
	struct frame_head head = {.type = FRAME_EVENTS, .collector = replay->collector, .epoch = 1,
	    .first = replay->counter, .previous = replay->previous, .count = replay->frame_events,
	    .made_ns = received_ns};
	struct bus_receipt receipt;
	int code = 0;

	if (replay->frame_events == 0)
		return 0;
	if (!frame_end(&replay->frame, &head))
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	replay->counter += replay->frame_events;
	replay->previous = replay->counter - 1;
	code = bus_publish(replay->input, TOPIC_EVENTS, 0, STR_NONE, buf_str(&replay->frame),
	    replay->tag++);
	frame_begin(&replay->frame);
	replay->frame_events = 0;
	if (code != BUS_ACCEPTED)
		return error_set(error, code < 0 ? code : ERR_BUS, TEXT_collector_publish);
	do {
		code = bus_receipts(replay->input, &receipt, 1, 0, error);
	} while (code > 0);
	return code < 0 ? code : pump(replay, error);
}

int replay_line(struct replay *replay, struct str line, bool cut, int64_t received_ns,
    struct error *error)
{
	struct event event = {.received_ns = received_ns, .transport = TRANSPORT_FILE,
	    .flags = EVENT_REPLAYED | (cut ? EVENT_TRUNCATED : 0),
	    .zone_s = replay->options.zone_s, .sender = STR("replay"), .raw = line};

	frame_add(&replay->frame, &event);
	replay->frame_events++;
	replay->totals.lines++;
	replay->totals.bytes += line.len;
	return replay->frame.len < FRAME_FULL ? 0 : send_frame(replay, received_ns, error);
}

int replay_finish(struct replay *replay, struct error *error)
{
	int code = send_frame(replay, replay->options.received_ns, error);

	if (code == 0)
		code = pump(replay, error);
	if (code == 0)
		code = worker_flush(replay->worker, NS_PER_S, error);
	if (code >= 0)
		code = worker_finish(replay->worker, error);
	if (code >= 0)
		code = pump(replay, error);
	if (code >= 0)
		code = worker_flush(replay->worker, NS_PER_S, error);
	if (code >= 0)
		code = pump(replay, error);
	for (int i = 0;
	     code >= 0 && replay->store != NULL && !store_is_idle(replay->store) && i < 1000; i++)
		code = store_step(replay->store, replay->now_ns, 0, error);
	return code < 0 ? code : 0;
}

void replay_totals(const struct replay *replay, struct replay_totals *ret)
{
	struct worker_stats stats;

	worker_stats(replay->worker, &stats);
	*ret = replay->totals;
	ret->undecoded = stats.undecoded;
	ret->matches = stats.matches;
	ret->late = stats.late;
	if (replay->reader == NULL)
		ret->alerts = stats.alerts_plain + stats.alerts_settled;
}

bool replay_name_is_good(struct str name)
{
	if (name.len == 0 || name.len > NAME_MOST || name.ptr[0] == '.')
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		if (!char_is_alpha(c) && !char_is_digit(c) && c != '-' && c != '_' && c != '.')
			return false;
	}
	return true;
}
