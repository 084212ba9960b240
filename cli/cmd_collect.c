#include "cli/command.h"
#include "cli/confined.h"
#include "cli/stage.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/metrics.h"
#include "bus/bus_spool.h"
#include "collector/agencies.h"
#include "collector/input.h"
#include "decoder/decoder.h"

#include <signal.h>
#include <unistd.h>

struct collect {
	struct context *context;
	struct bus *bus;
	struct loop *loop;
	struct collector *collector;
	struct confined *confined;
	int64_t zone_asked_ns;
	int64_t spool_told_ns; /* when it was told why the spool has no bus behind it */
	bool only_stdin; /* which ends, and the program with it */
};

/* Once a minute: the spool takes all, and nothing else would tell that a password is wrong. */
static void tell_spool(struct collect *collect, int64_t now_ns)
{
	const struct error *why = bus_spool_why(collect->bus);

	if (why == NULL || now_ns - collect->spool_told_ns < 60 * NS_PER_S)
		return;
	collect->spool_told_ns = now_ns;
	log_put(&collect->context->log, now_ns, LOG_LEVEL_WARNING, TEXT_cli_collect_spooling,
	    why->text);
}

static int collect_step(void *self, int64_t timeout_ns, struct error *error)
{
	struct collect *collect = self;
	int64_t now_ns = clock_wall_ns();

	/* A machine's zone changes twice a year; asking the system is too slow for each event. */
	if (config_number(collect->context->config, CONFIG_SITE_ZONE) == CONFIG_ZONE_AUTO &&
	    now_ns - collect->zone_asked_ns > 60 * NS_PER_S) {
		collect->zone_asked_ns = now_ns;
		collector_set_zone(collect->collector, clock_zone_s(now_ns));
	}
	tell_spool(collect, now_ns);
	/* The same end as by a signal. */
	if (collect->only_stdin && collector_ended(collect->collector))
		kill(getpid(), SIGTERM);
	return collector_step(collect->collector, timeout_ns, error);
}

/* A labelled metric is only ever added to; the ledger holds the sum. */
static void refused_set(struct str reason, uint64_t sum)
{
	metrics_add_by(METRIC_EVENTS_REFUSED, reason,
	    sum - metrics_get_by(METRIC_EVENTS_REFUSED, reason));
}

struct census {
	uint64_t senders, unknown, silent, loud;
};

/* Rows of listeners, of the others and the total stand in brackets. */
static bool count_row(void *context, const struct source_row *row)
{
	struct census *census = context;
	bool sender = !str_starts(row->sender, STR("("));

	census->senders += sender;
	census->unknown += sender && !row->known;
	census->silent += row->silent;
	census->loud += row->loud;
	return true;
}

static void measure_senders(const struct collector *collector)
{
	struct census census = {0};

	collector_sources(collector, count_row, &census);
	metrics_set(METRIC_SENDERS, census.senders);
	metrics_set(METRIC_SENDERS_UNKNOWN, census.unknown);
	metrics_set(METRIC_SENDERS_SILENT, census.silent);
	metrics_set(METRIC_SENDERS_LOUD, census.loud);
}

static uint64_t spool_age_ns(const struct bus_spool_stats *spool)
{
	int64_t age_ns = clock_wall_ns() - spool->oldest_ns;

	return spool->oldest_ns == 0 || age_ns < 0 ? 0 : (uint64_t)age_ns;
}

static void measure_spool(const struct bus *bus)
{
	struct bus_spool_stats spool;

	(void)bus_spool_stats(bus, &spool);
	metrics_set(METRIC_SPOOL_RECORDS, spool.records);
	metrics_set(METRIC_SPOOL_BYTES, spool.bytes);
	metrics_set(METRIC_SPOOL_OLDEST, spool_age_ns(&spool) / (uint64_t)NS_PER_S);
	metrics_set(METRIC_SPOOL_RATE, spool.drain_rate);
	metrics_set(METRIC_SPOOL_SPOOLED, spool.spooled);
	metrics_set(METRIC_SPOOL_DRAINED, spool.drained);
	metrics_set(METRIC_SPOOL_DROPPED, spool.dropped);
}

static void spool_fields(struct json *json, const struct bus *bus)
{
	struct bus_spool_stats spool;

	if (!bus_spool_stats(bus, &spool))
		return;
	json_pair_u64(json, "spooling", spool.spooling ? spool.outages : 0);
	json_pair_u64(json, "spool_records", spool.records);
	json_pair_u64(json, "spool_bytes", spool.bytes);
	json_pair_u64(json, "spool_age_ns", spool_age_ns(&spool));
	json_pair_u64(json, "spool_spooled", spool.spooled);
	json_pair_u64(json, "spool_drained", spool.drained);
	json_pair_u64(json, "spool_dropped", spool.dropped);
	json_pair_u64(json, "spool_drain_rate", spool.drain_rate);
}

static void collect_measure(void *self)
{
	struct collect *collect = self;
	struct source_row total;
	struct bus_stats bus;

	collector_total(collect->collector, &total);
	bus_stats(collect->bus, &bus);
	metrics_set(METRIC_EVENTS_RECEIVED, total.received);
	metrics_set(METRIC_EVENTS_PUBLISHED, total.durable);
	metrics_set(METRIC_KERNEL_DROPS, total.kernel_drops);
	refused_set(STR("busy"), total.refused_busy);
	refused_set(STR("too-large"), total.refused_large);
	refused_set(STR("quota"), total.refused_quota);
	refused_set(STR("barred"), total.refused_barred);
	refused_set(STR("connection"), total.refused_connections);
	refused_set(STR("barred-connection"), total.barred_connections);
	refused_set(STR("bad-frame"), total.bad_frames);
	refused_set(STR("tls"), total.tls_refused);
	refused_set(STR("proxy"), total.proxy_refused);
	metrics_set(METRIC_SENDER_WAITS, total.waits);
	metrics_set(METRIC_SENDER_REPEATS, total.repeats);
	metrics_set(METRIC_COLLECT_LAG_MS, (uint64_t)(total.lag_max_ns / NS_PER_MS));
	measure_senders(collect->collector);
	metrics_set(METRIC_BUS_PUBLISHED, bus.published);
	metrics_set(METRIC_BUS_PENDING_BYTES, bus.pending_bytes);
	measure_spool(collect->bus);
	confined_measure(collect->confined);
}

static void row_fields(struct json *json, const struct source_row *row)
{
	json_pair(json, "sender", row->sender);
	json_pair(json, "agency", row->agency);
	json_pair(json, "system", row->system);
	json_pair_i64(json, "level", row->level);
	json_pair_bool(json, "known", row->known);
	json_pair_bool(json, "silent", row->silent);
	json_pair_bool(json, "loud", row->loud);
	json_pair(json, "input", str_of(row->input));
	json_pair(json, "transport", transport_name(row->transport));
	json_pair_i64(json, "first_ns", row->first_ns);
	json_pair_i64(json, "last_ns", row->last_ns);
	json_pair_u64(json, "frames", row->frames);
	json_pair_u64(json, "received", row->received);
	json_pair_u64(json, "bytes", row->bytes);
	json_pair_u64(json, "published", row->published);
	json_pair_u64(json, "durable", row->durable);
	json_pair_u64(json, "refused_busy", row->refused_busy);
	json_pair_u64(json, "refused_large", row->refused_large);
	json_pair_u64(json, "refused_quota", row->refused_quota);
	json_pair_u64(json, "refused_barred", row->refused_barred);
	json_pair_u64(json, "refused_connections", row->refused_connections);
	json_pair_u64(json, "barred_connections", row->barred_connections);
	json_pair_u64(json, "waits", row->waits);
	json_pair_i64(json, "lag_ns", row->lag_ns);
	json_pair_i64(json, "lag_max_ns", row->lag_max_ns);
	json_pair_u64(json, "truncated", row->truncated);
	json_pair_u64(json, "bad_frames", row->bad_frames);
	json_pair_u64(json, "repeats", row->repeats);
	json_pair_u64(json, "with_nul", row->with_nul);
	json_pair_u64(json, "bad_utf8", row->bad_utf8);
	json_pair_u64(json, "tls_refused", row->tls_refused);
	json_pair_u64(json, "tls_truncated", row->tls_truncated);
	json_pair_u64(json, "proxy_refused", row->proxy_refused);
	json_pair_u64(json, "backlog", row->backlog);
	json_pair_u64(json, "tombstones", row->tombstones);
	json_pair_u64(json, "kernel_drops", row->kernel_drops);
}

static void collect_status(void *self, struct buf *out)
{
	struct collect *collect = self;
	struct json json = json_begin(out);
	struct source_row total;

	collector_total(collect->collector, &total);
	json_open(&json, '{');
	row_fields(&json, &total);
	json_pair_u64(&json, "in_flight", collector_in_flight(collect->collector));
	spool_fields(&json, collect->bus);
	confined_status(collect->confined, &json);
	json_close(&json, '}');
}

static bool write_row(void *argument, const struct source_row *row)
{
	struct json json = json_begin(argument);

	json_open(&json, '{');
	row_fields(&json, row);
	json_close(&json, '}');
	buf_char(argument, '\n');
	return true;
}

static int collect_answer(void *self, struct str request, struct buf *out, struct error *error)
{
	struct collect *collect = self;
	struct source_row total;

	(void)error;
	if (!str_eq(request, STR("sources")))
		return 1;
	collector_sources(collect->collector, write_row, out);
	collector_total(collect->collector, &total);
	write_row(out, &total);
	return 0;
}

/* Of all inputs, as the configuration has them. NULL without memory. */
static struct collector_listener *listeners_of(
    const struct context *context, bool only_stdin, size_t *ret_count)
{
	struct collector_listener *listeners =
	    arena_array(context->arena, COLLECTOR_LISTENERS_MAX, sizeof(*listeners));
	size_t count = 0;

	if (only_stdin && listeners != NULL)
		listeners[count++] = (struct collector_listener){"stdin", "-"};
	for (size_t i = 0; listeners != NULL && !only_stdin && i < input_count(); i++) {
		const struct input_kind *kind = input_at(i);

		for (size_t j = 0; j < config_count(context->config, kind->listen); j++, count++)
			if (count < COLLECTOR_LISTENERS_MAX)
				listeners[count] = (struct collector_listener){kind->name,
				    config_item(context->config, kind->listen, j).ptr};
	}
	*ret_count = count; /* also of those that found no room */
	return listeners;
}

/* What agencies.yml says and hardly means. */
static void log_doubts(struct collect *collect)
{
	const struct agencies *agencies = collector_agencies(collect->collector);
	struct log *log = &collect->context->log;
	const char *overlap;

	for (size_t i = 0; (overlap = agencies_overlap(agencies, i)) != NULL; i++)
		log_put(log, clock_wall_ns(), LOG_LEVEL_WARNING, TEXT_cli_agencies_doubt, overlap);
	for (size_t i = 0; i < agencies_count(agencies); i++) {
		const struct identity_of *who = agencies_at(agencies, i);

		if (who->decoder.len > 0 && decoder_find(who->decoder) == NULL)
			log_put(log, clock_wall_ns(), LOG_LEVEL_WARNING,
			    TEXT_cli_agencies_decoder, STR_ARG(who->decoder), STR_ARG(who->agency));
	}
}

/* agencies.yml; connections stay. */
static int collect_reload(void *self, struct error *error)
{
	struct collect *collect = self;
	int code = collector_reload(collect->collector, error);

	if (code == 0)
		log_doubts(collect);
	return code;
}

/* What the inputs tell of strangers. */
static void collect_tell(void *context, const struct error *error)
{
	const struct collect *collect = context;

	log_put(&collect->context->log, clock_wall_ns(), LOG_LEVEL_WARNING, TEXT_cli_collect_told,
	    error->text);
}

static int collect_open(struct collect *collect, struct error *error)
{
	struct context *context = collect->context;
	const struct config *c = context->config;
	int64_t zone = config_number(c, CONFIG_SITE_ZONE);
	size_t count;
	struct collector_listener *listeners = listeners_of(context, collect->only_stdin, &count);
	struct str agencies = config_text(c, CONFIG_COLLECTOR_AGENCIES);

	if (listeners == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	if (count > COLLECTOR_LISTENERS_MAX)
		return error_set(error, ERR_DOCUMENT, TEXT_collector_listeners, count,
		    COLLECTOR_LISTENERS_MAX);
	struct collector_options options = {
	    .bus = collect->bus,
	    .loop = collect->loop,
	    .config = c,
	    .identity_path = context_collect_path(context, "collector.id"),
	    .listeners = listeners,
	    .listener_count = count,
	    .udp_sockets = (unsigned)config_number(c, CONFIG_SYSLOG_UDP_SOCKETS),
	    .udp_receive_buffer = (size_t)config_number(c, CONFIG_SYSLOG_UDP_RECEIVE_BUFFER),
	    .connections_max = (size_t)config_number(c, CONFIG_SYSLOG_TCP_CONNECTIONS),
	    .connections_per_peer =
		(size_t)config_number(c, CONFIG_SYSLOG_TCP_CONNECTIONS_PER_PEER),
	    .idle_ns = config_number(c, CONFIG_SYSLOG_TCP_IDLE),
	    .frame_limit = (size_t)config_number(c, CONFIG_COLLECTOR_FRAME_LIMIT),
	    .frame_bytes = (size_t)config_number(c, CONFIG_COLLECTOR_FRAME_BYTES),
	    .frame_delay_ns = config_number(c, CONFIG_COLLECTOR_FRAME_DELAY),
	    .tick_ns = config_number(c, CONFIG_COLLECTOR_TICK),
	    .senders_max = (size_t)config_number(c, CONFIG_COLLECTOR_SENDERS),
	    .zone_s = zone == CONFIG_ZONE_AUTO ? clock_zone_s(clock_wall_ns()) : (int32_t)zone,
	    .agency = config_text(c, CONFIG_SITE_AGENCY),
	    .agencies_path = agencies.len > 0 ? agencies.ptr : NULL,
	    .tell = collect_tell,
	    .tell_context = collect,
	    .apart = confined_thread,
	    .apart_context = collect->confined,
	    .one_event_json = config_number(c, CONFIG_BUS_FORMAT) == 1,
	};
	int code = collector_open(&collect->collector, &options, error);

	if (code == 0)
		log_doubts(collect);
	return code;
}

static int collect_ready(void *self, struct error *error)
{
	struct collect *collect = self;

	return confined_enter(collect->confined, error);
}

static int collect_run(struct context *context, const struct arguments *arguments)
{
	struct collect collect = {.context = context};
	struct stage stage = {.name = "collect", .ready = collect_ready, .step = collect_step,
	    .measure = collect_measure, .status = collect_status, .answer = collect_answer,
	    .reload = collect_reload, .self = &collect};
	struct error error = {0}, ending = {0};

	collect.only_stdin = arguments_has(arguments, "stdin");
	stage_signals();
	context->log.stage = str_of(stage.name);
	int code = confined_open(&collect.confined, context, &error);

	/* one process has the spool, and whoever feeds standard input can wait */
	if (code == 0)
		code = confined_bus(collect.confined, !collect.only_stdin, &collect.bus, &error);
	if (code == 0)
		code = loop_open(&collect.loop, &error);
	if (code == 0)
		code = collect_open(&collect, &error);
	if (code == 0)
		code = stage_run(context, &stage, collect.loop, &error);
	if (collect.collector != NULL &&
	    collector_stop(collect.collector, 5 * NS_PER_S, &ending) < 0)
		log_error(&context->log, clock_wall_ns(), &ending);
	collector_close(collect.collector);
	loop_close(collect.loop);
	bus_close(collect.bus);
	confined_free(collect.confined);
	if (code < 0)
		log_error(&context->log, clock_wall_ns(), &error);
	/* What standard input brought, nobody can bring again. */
	if (code == 0 && collect.only_stdin && ending.code < 0)
		return context_code(&ending);
	return code < 0 ? context_code(&error) : EXIT_OK;
}

const struct command command_collect = {
    .name = "collect",
    .synopsis = "[-c FILE] [--stdin]",
    .summary = TEXT_cli_collect,
    .description = TEXT_cli_collect_about,
    .examples = (const struct example_row[]){
	{"tocsin collect -c /etc/tocsin.yml", TEXT_cli_collect_example},
	{"zcat old.gz | tocsin collect --stdin", TEXT_cli_collect_stdin}, {NULL, TEXT_COUNT}},
    .options = (const struct option_row[]){
	{0, "stdin", NULL, TEXT_cli_opt_stdin}, {0, NULL, NULL, TEXT_COUNT}},
    .run = collect_run,
};
