#include "collector/collector.h"

#include "base/check.h"
#include "base/clock.h"
#include "collector/agencies.h"
#include "collector/presence.h"
#include "collector/recall.h"
#include "collector/stream.h"
#include "collector/wire.h"

#include <poll.h>
#include <stdlib.h>

struct listener {
	const struct input_kind *kind;
	struct input *input;
};

struct collector {
	struct collector_options options;
	struct intake intake;
	struct listener listeners[COLLECTOR_LISTENERS_MAX];
	size_t listener_count;
	struct ledger_row *own;    /* of what the collector says itself */
	struct agencies *agencies; /* what intake->agencies points to */
	struct config *defaults; /* when the options bring no configuration */
	bool paused;
	int64_t tick_ns, second_ns; /* when the last ones were */
};

struct opening {
	struct listener *listener;
	struct intake *intake;
	const char *address;
};

static int opening_run(void *argument, struct error *error)
{
	struct opening *opening = argument;
	struct listener *listener = opening->listener;

	return listener->kind->open(&listener->input, opening->intake, opening->address, error);
}

static int listeners_open(struct collector *collector, struct error *error)
{
	const struct collector_options *options = &collector->options;

	for (size_t i = 0; i < options->listener_count; i++) {
		const struct collector_listener *wanted = &options->listeners[i];
		struct listener *listener = &collector->listeners[i];

		listener->kind = input_find(str_of(wanted->input));
		if (listener->kind == NULL)
			return error_set(error, ERR_DOCUMENT, TEXT_collector_input, wanted->input);
		struct opening opening = {listener, &collector->intake, wanted->address};
		int code = listener->kind->threads && options->apart != NULL
		    ? options->apart(options->apart_context, opening_run, &opening, error)
		    : opening_run(&opening, error);

		if (code < 0)
			return code;
		collector->listener_count++;
	}
	return 0;
}

static int agencies_load(
    const struct collector_options *o, struct agencies **ret, struct error *error)
{
	if (o->agencies_path != NULL)
		return agencies_read(ret, o->agencies_path, o->agency, error);
	*ret = agencies_none(o->agency);
	return *ret == NULL ? error_set(error, ERR_MEMORY, TEXT_base_memory) : 0;
}

int collector_reload(struct collector *collector, struct error *error)
{
	struct agencies *agencies = NULL;
	int code = agencies_load(&collector->options, &agencies, error);

	if (code == 0)
		code = door_reload(collector->intake.door, error);
	if (code < 0) {
		agencies_free(agencies);
		return code;
	}
	/* Names are looked up, so the old ones go last. */
	ledger_identify(collector->intake.ledger, agencies);
	collector->intake.agencies = agencies;
	agencies_free(collector->agencies);
	collector->agencies = agencies;
	return 0;
}

const struct agencies *collector_agencies(const struct collector *collector)
{
	return collector->agencies;
}

/* What cannot be read back now is told, and no reason not to begin. False: no memory. */
static bool repeats_begin(struct collector *collector, struct packer_options *packing)
{
	const struct collector_options *o = &collector->options;
	struct intake *intake = &collector->intake;
	struct error why = {0}, told = {0};
	int64_t most;

	if (intake->config == NULL)
		return false;
	most = config_number(intake->config, CONFIG_COLLECTOR_REPEATS);
	if (most == 0)
		return true;
	intake->messages = messages_new(packing->identity.collector, (size_t)most,
	    config_number(intake->config, CONFIG_COLLECTOR_REPEATS_AGE));
	packing->messages = intake->messages;
	if (intake->messages == NULL)
		return false;
	if (recall(intake->messages, o->bus, packing->identity.collector, &why) < 0 &&
	    o->tell != NULL) {
		error_set(&told, ERR_BUS, TEXT_collector_recall, why.text);
		o->tell(o->tell_context, &told);
	}
	return true;
}

static int collector_fill(struct collector *collector, struct error *error)
{
	const struct collector_options *o = &collector->options;
	int64_t now_ns = o->clock();
	struct packer_options packing = {.bus = o->bus,
	    .frame_bytes = o->frame_bytes,
	    .frame_delay_ns = o->frame_delay_ns,
	    .queue_bytes = o->queue_bytes,
	    .one_event_json = o->one_event_json};
	int code = identity_start(o->identity_path, now_ns, &packing.identity, error);

	if (code == 0)
		code = agencies_load(o, &collector->agencies, error);
	if (code < 0)
		return code;
	struct intake *intake = &collector->intake;

	collector->defaults = o->config == NULL ? config_new() : NULL;
	*intake = (struct intake){.options = o,
	    .config = o->config != NULL ? o->config : collector->defaults,
	    .loop = o->loop,
	    .agencies = collector->agencies,
	    .now_ns = now_ns,
	    .zone_s = o->zone_s};
	intake->ledger =
	    ledger_new(o->senders_max, bus_partitions(o->bus, TOPIC_EVENTS), collector->agencies);
	if (!repeats_begin(collector, &packing))
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	intake->packer = packer_new(&packing);
	intake->scratch = malloc(INTAKE_SCRATCH);
	if (intake->config == NULL || intake->ledger == NULL || intake->packer == NULL ||
	    intake->scratch == NULL ||
	    (collector->own = ledger_listener(intake->ledger, "tocsin", "collector")) == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	return listeners_open(collector, error);
}

int collector_open(
    struct collector **ret, const struct collector_options *options, struct error *error)
{
	struct collector *collector = calloc(1, sizeof(*collector));

	if (collector == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	CHECK(options->frame_limit <= FRAME_MAX / 2);
	CHECK(options->listener_count <= COLLECTOR_LISTENERS_MAX);
	collector->options = *options;
	if (collector->options.clock == NULL)
		collector->options.clock = clock_wall_ns;
	int code = collector_fill(collector, error);

	if (code < 0) {
		collector_close(collector);
		return code;
	}
	*ret = collector;
	return 0;
}

static void listeners_close(struct collector *collector)
{
	for (size_t i = 0; i < collector->listener_count; i++)
		collector->listeners[i].kind->close(collector->listeners[i].input);
	collector->listener_count = 0;
}

void collector_close(struct collector *collector)
{
	if (collector == NULL)
		return;
	listeners_close(collector);
	packer_free(collector->intake.packer);
	messages_free(collector->intake.messages);
	door_free(collector->intake.door);
	ledger_free(collector->intake.ledger);
	agencies_free(collector->agencies);
	free(collector->intake.scratch);
	config_free(collector->defaults);
	free(collector);
}

/*
 * What was refused because nobody could wait is told on the bus, so that silence is not mistaken.
 */
static void tell_refused(struct collector *collector)
{
	struct intake *intake = &collector->intake;

	for (size_t i = 0; i < ledger_count(intake->ledger); i++) {
		struct ledger_row *row = ledger_at(intake->ledger, i);
		struct frame_gap gap = {.reason = GAP_REFUSED,
		    .count = row->gap_refused,
		    .from = (uint64_t)row->gap_from_ns,
		    .to = (uint64_t)intake->now_ns,
		    .source = row->counts.sender};

		if (row->gap_refused == 0)
			continue;
		if (packer_is_behind(intake->packer) ||
		    !packer_gap(intake->packer, row->partition, &gap, intake->now_ns))
			return;
		row->gap_refused = 0;
	}
}

/* A clock that was set back makes what it times due at once, instead of an hour later. */
static int64_t time_left(int64_t since_ns, int64_t delay_ns, int64_t now_ns)
{
	int64_t passed_ns = now_ns - since_ns;

	return passed_ns < 0 || passed_ns >= delay_ns ? 0 : delay_ns - passed_ns;
}

static void collector_timers(struct collector *collector, int64_t now_ns)
{
	if (time_left(collector->second_ns, NS_PER_S, now_ns) == 0) {
		collector->second_ns = now_ns;
		for (size_t i = 0; i < collector->listener_count; i++)
			collector->listeners[i].kind->tick(collector->listeners[i].input);
		tell_refused(collector);
		streams_wake(&collector->intake);
		if (!packer_is_behind(collector->intake.packer))
			presence_tick(&collector->intake, collector->own);
	}
	if (time_left(collector->tick_ns, collector->options.tick_ns, now_ns) == 0 &&
	    !packer_is_behind(collector->intake.packer)) {
		collector->tick_ns = now_ns;
		packer_tick(collector->intake.packer, now_ns);
	}
}

/* Resume only when the queue has drained, or inputs would flap at its edge. */
static void collector_pressure(struct collector *collector)
{
	const struct packer *packer = collector->intake.packer;
	bool paused = collector->paused ? !packer_has_drained(packer) : packer_is_behind(packer);

	if (paused == collector->paused)
		return;
	collector->paused = paused;
	for (size_t i = 0; i < collector->listener_count; i++)
		collector->listeners[i].kind->pause(collector->listeners[i].input, paused);
}

static int64_t step_wait(const struct collector *collector, int64_t timeout_ns, int64_t now_ns)
{
	int64_t wait_ns = time_left(collector->second_ns, NS_PER_S, now_ns);

	if (timeout_ns >= 0 && timeout_ns < wait_ns)
		wait_ns = timeout_ns;
	if (collector->intake.wake_ns != 0) {
		int64_t left_ns = collector->intake.wake_ns - now_ns;

		wait_ns = left_ns < 0 ? 0 : left_ns < wait_ns ? left_ns : wait_ns;
	}
	return packer_due(collector->intake.packer, now_ns, wait_ns);
}

int collector_step(struct collector *collector, int64_t timeout_ns, struct error *error)
{
	struct packer *packer = collector->intake.packer;
	int64_t now_ns = intake_now(&collector->intake);
	int code =
	    loop_step(collector->options.loop, step_wait(collector, timeout_ns, now_ns), error);

	if (code < 0)
		return code;
	now_ns = intake_now(&collector->intake);
	collector_timers(collector, now_ns);
	code = packer_drive(packer, now_ns, false, error);
	if (collector->intake.wake_ns != 0 && now_ns >= collector->intake.wake_ns)
		streams_wake(&collector->intake);
	collector_pressure(collector);
	return code;
}

/* Everything is tried until the end, since a bus that is full or away may come back. */
static int drain(struct collector *collector, int64_t end_ns, struct error *error)
{
	struct packer *packer = collector->intake.packer;
	int code;

	for (;;) {
		struct error now = {0};

		code = packer_drive(packer, intake_now(&collector->intake), true, &now);
		if (code == 0)
			code = bus_flush(collector->options.bus, 10 * NS_PER_MS, &now);
		if (code == 0)
			code = packer_drive(packer, collector->intake.now_ns, true, &now);
		if (packer_in_flight(packer) == 0)
			return 0;
		if (clock_monotonic_ns() >= end_ns) {
			if (code < 0 && error != NULL)
				*error = now;
			return code;
		}
		if (code < 0)
			poll(NULL, 0, 10);
	}
}

int collector_stop(struct collector *collector, int64_t timeout_ns, struct error *error)
{
	int64_t end_ns = clock_monotonic_ns() + timeout_ns;

	intake_now(&collector->intake);
	for (size_t i = 0; i < collector->listener_count; i++)
		collector->listeners[i].kind->finish(collector->listeners[i].input);
	tell_refused(collector);
	int code = drain(collector, end_ns, error);

	/* Not before: an answer goes out when its events are durable. */
	listeners_close(collector);
	uint64_t left = packer_in_flight(collector->intake.packer);

	if (code == 0 && left > 0)
		code =
		    error_set(error, ERR_BUS, TEXT_collector_unreceipted, (unsigned long long)left);
	return code;
}

unsigned collector_port(const struct collector *collector, size_t listener)
{
	CHECK(listener < collector->listener_count);
	return collector->listeners[listener].kind->port(collector->listeners[listener].input);
}

bool collector_ended(const struct collector *collector)
{
	for (size_t i = 0; i < collector->listener_count; i++) {
		const struct listener *listener = &collector->listeners[i];

		if (listener->kind->ended == NULL || !listener->kind->ended(listener->input))
			return false;
	}
	return collector->listener_count > 0 && packer_in_flight(collector->intake.packer) == 0;
}

void collector_set_zone(struct collector *collector, int32_t zone_s)
{
	collector->intake.zone_s = zone_s;
}

void collector_sources(const struct collector *collector,
    bool (*visit)(void *context, const struct source_row *row), void *context)
{
	ledger_each(collector->intake.ledger, visit, context);
}

void collector_total(const struct collector *collector, struct source_row *ret)
{
	ledger_total(collector->intake.ledger, ret);
}

uint64_t collector_in_flight(const struct collector *collector)
{
	return packer_in_flight(collector->intake.packer);
}
