#include "cli/command.h"
#include "cli/stage.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/heap.h"
#include "base/json.h"
#include "base/metrics.h"
#include "cli/privilege.h"
#include "cli/reload.h"
#include "cli/rule_counts.h"
#include "correlator/shelf.h"
#include "sigma/bundle.h"

#include <string.h>

struct correlate {
	struct context *context;
	struct bus *bus;
	struct checkpoint *checkpoint;
	struct worker *worker;
	struct reload *reload;
	struct buf bundle;       /* what the first rules are made of, until the worker has them */
	size_t refused;
	bool kept, kept_damaged; /* it began with rules that the checkpoint kept; could not */
};

static int correlate_step(void *self, int64_t timeout_ns, struct error *error)
{
	struct correlate *correlate = self;

	reload_step(correlate->reload, correlate->worker);
	return worker_step(correlate->worker, clock_wall_ns(), timeout_ns, error);
}

static void reload_measure(const struct correlate *correlate)
{
	struct reload_stats s;

	reload_stats(correlate->reload, &s);
	metrics_set(METRIC_RULES, ruleset_count(worker_ruleset(correlate->worker)));
	metrics_set(METRIC_RULE_SWITCHES, s.switches);
	metrics_set(METRIC_RULE_SWITCHES_FAILED, s.failed);
	metrics_set(METRIC_RULES_KEPT_DAMAGED, correlate->kept_damaged);
}

static void correlate_measure(void *self)
{
	struct correlate *correlate = self;
	struct worker_stats s;
	struct bus_stats bus;

	reload_measure(correlate);
	worker_stats(correlate->worker, &s);
	bus_stats(correlate->bus, &bus);
	metrics_set(METRIC_EVENTS_DECODED, s.events - s.undecoded);
	metrics_set(METRIC_EVENTS_UNDECODED, s.undecoded);
	metrics_set(METRIC_BUS_POLLED, bus.polled);
	metrics_set(METRIC_BUS_GAPS, bus.gap_records);
	metrics_set(METRIC_BUS_REPEATS, s.repeats);
	metrics_set(METRIC_BUS_RESENDS, s.resent);
	metrics_set(METRIC_BUS_PUBLISHED, bus.published);
	metrics_set(METRIC_FENCE_HITS, s.stale);
	metrics_set(METRIC_MATCHES, s.matches);
	metrics_set(METRIC_DETECTIONS_PUBLISHED, s.detections);
	metrics_set(METRIC_DUPLICATES, s.detection_repeats);
	metrics_set(METRIC_DETECTIONS_LATE, s.late);
	metrics_set(METRIC_WINDOW_GROUPS, s.groups);
	metrics_set(METRIC_WINDOW_EVICTIONS, s.evicted);
	metrics_set(METRIC_WINDOW_CUT, s.cut);
	metrics_set(METRIC_NUMBERLESS, s.numberless);
	metrics_set(METRIC_MEMORY_ROWS, s.remembered);
	metrics_set(METRIC_MEMORY_FORGOTTEN, s.forgotten);
	metrics_set(METRIC_ALERTS_EARLY, s.alerts_early);
	metrics_set(METRIC_ALERTS_SETTLED, s.alerts_settled + s.alerts_closed);
}

static void rules_status(const struct correlate *correlate, struct json *json)
{
	struct reload_stats s;
	char hash[HASH128_TEXT];

	reload_stats(correlate->reload, &s);
	json_pair_u64(json, "rules", ruleset_count(worker_ruleset(correlate->worker)));
	json_pair_u64(json, "rules_refused", s.switches > 0 ? s.refused : correlate->refused);
	json_pair(json, "rules_hash",
	    hash128_format(bundle_hash(worker_bundle(correlate->worker)), hash));
	json_pair_u64(json, "rule_switches", s.switches);
	json_pair_u64(json, "rule_switches_failed", s.failed);
	json_pair_u64(json, "reload_failed", s.failing);
	json_pair_u64(json, "rules_kept_damaged", correlate->kept_damaged);
}

static void correlate_status(void *self, struct buf *out)
{
	struct correlate *correlate = self;
	struct json json = json_begin(out);
	struct worker_stats s;

	worker_stats(correlate->worker, &s);
	json_open(&json, '{');
	rules_status(correlate, &json);
	json_pair_u64(&json, "events", s.events);
	json_pair_u64(&json, "undecoded", s.undecoded);
	json_pair_u64(&json, "damaged", s.damaged);
	json_pair_u64(&json, "foreign", s.foreign);
	json_pair_u64(&json, "repeats", s.repeats);
	json_pair_u64(&json, "gaps", s.gaps);
	json_pair_u64(&json, "matches", s.matches);
	json_pair_u64(&json, "alerts", s.alerts_plain + s.alerts_early + s.alerts_closed);
	json_pair_u64(&json, "detections", s.detections);
	json_pair_u64(&json, "detection_repeats", s.detection_repeats);
	json_pair_u64(&json, "late", s.late);
	json_pair_u64(&json, "skewed", s.skewed);
	json_pair_u64(&json, "groups", s.groups);
	json_pair_u64(&json, "evicted", s.evicted);
	json_pair_u64(&json, "cut", s.cut);
	json_pair_u64(&json, "numberless", s.numberless);
	json_pair_u64(&json, "remembered", s.remembered);
	json_pair_u64(&json, "forgotten", s.forgotten);
	json_pair_u64(&json, "pending", s.pending);
	json_pair_u64(&json, "pending_dropped", s.pending_dropped);
	json_pair_u64(&json, "state_dropped", s.state_dropped);
	json_pair_u64(&json, "outbox", s.outbox);
	json_pair_u64(&json, "resent", s.resent);
	json_pair_u64(&json, "stale", s.stale);
	json_pair_i64(&json, "watermark_ns", s.watermark_ns);
	json_close(&json, '}');
}

static void told(void *argument, const struct error *error)
{
	struct correlate *correlate = argument;

	log_error(&correlate->context->log, clock_wall_ns(), error);
}

/* From the bundle; its refusals and those of reading it are told. */
static int load_bundle(struct correlate *correlate, size_t unread, struct ruleset **ret,
    struct error *error)
{
	struct ruleset_options options = {.refused = told, .context = correlate};
	int code = ruleset_load_bundle(ret, buf_str(&correlate->bundle), &options, error);

	if (code < 0)
		return code;
	correlate->refused = ruleset_refused(*ret) + unread;
	log_put(&correlate->context->log, clock_wall_ns(), LOG_LEVEL_INFO,
	    TEXT_cli_rules_loaded, ruleset_count(*ret), correlate->refused);
	return 0;
}

static int load_disk(struct correlate *correlate, struct ruleset **ret, struct error *error)
{
	struct ruleset_options options;
	size_t unread = 0;
	int code = context_rules_options(correlate->context, &options, error);

	options.refused = told;
	options.context = correlate;
	if (code == 0)
		code = bundle_gather(&correlate->bundle, &options, &unread, error);
	return code < 0 ? code : load_bundle(correlate, unread, ret, error);
}

/* The rules that were in force, so that what a death undid is matched by them; else the disk's. */
static int load(struct correlate *correlate, uint32_t instance, struct ruleset **ret,
    struct error *error)
{
	const struct log *log = &correlate->context->log;
	struct error damage = {0};
	char text[1200];
	int code = shelf_get(correlate->checkpoint, instance, &correlate->bundle, &damage);

	if (code == 0)
		code = load_bundle(correlate, 0, ret, &damage);
	if (code == 0) {
		correlate->kept = true;
		log_put(log, clock_wall_ns(), LOG_LEVEL_INFO, TEXT_cli_rules_kept,
		    ruleset_count(*ret));
		return 0;
	}
	if (code != ERR_MISSING && code != ERR_CORRUPT && code != ERR_VERSION) {
		if (error != NULL)
			*error = damage;
		return code;
	}
	correlate->kept_damaged = code != ERR_MISSING;
	if (correlate->kept_damaged)
		log_put(log, clock_wall_ns(), LOG_LEVEL_ERROR, TEXT_cli_rules_kept_damaged,
		    error_format(&damage, text, sizeof(text)));
	return load_disk(correlate, ret, error);
}

static int correlate_reload(void *self, struct error *error)
{
	struct correlate *correlate = self;

	(void)error;
	reload_begin(correlate->reload, correlate->worker, false);
	return 1;
}

static bool write_sender(void *context, const struct census_row *row)
{
	struct json json = json_begin(context);

	json_open(&json, '{');
	json_pair(&json, "sender", row->sender);
	json_pair(&json, "transport", transport_name(row->transport));
	json_pair_u64(&json, "decoded", row->decoded);
	json_pair_u64(&json, "undecoded", row->undecoded);
	json_pair_u64(&json, "untimed", row->untimed);
	json_pair_u64(&json, "skewed", row->skewed);
	if (row->decoded > row->untimed) {
		json_pair_i64(&json, "skew_ns", row->skew_ns);
		json_pair_i64(&json, "skew_least_ns", row->skew_least_ns);
		json_pair_i64(&json, "skew_most_ns", row->skew_most_ns);
	}
	json_close(&json, '}');
	buf_char(context, '\n');
	return true;
}

/* "rules", "senders", "reload", "reload force", "reload state NUMBER" */
static int correlate_answer(void *self, struct str request, struct buf *out, struct error *error)
{
	struct correlate *correlate = self;
	bool force = str_eq(request, STR("reload force"));
	uint64_t number;

	if (str_eq(request, STR("rules")))
		return rule_counts_write(correlate->worker, out, error);
	if (str_eq(request, STR("senders"))) {
		census_each(worker_census(correlate->worker), write_sender, out);
		return 0;
	}
	if (force || str_eq(request, STR("reload")))
		number = reload_begin(correlate->reload, correlate->worker, force);
	else if (!str_starts(request, STR("reload state ")) ||
	    !str_to_u64(str_slice(request, 13, request.len), &number))
		return 1;
	reload_answer(correlate->reload, number, out);
	return 0;
}

/*
 * Which worker this is: --instance I/N, else what the configuration says for Kafka, else the only.
 */
static int instance_of(struct context *context, const struct arguments *arguments, uint32_t *i,
    uint32_t *n, struct error *error)
{
	const char *text = arguments_get(arguments, "instance");
	bool kafka = config_number(context->config, CONFIG_BUS_BACKEND) == 1;
	struct str rest = str_of(text), head;
	uint64_t a = 0, b = 1;

	if (text == NULL) {
		*i =
		    kafka ? (uint32_t)config_number(context->config, CONFIG_BUS_KAFKA_INSTANCE) : 0;
		*n = kafka ? (uint32_t)config_number(context->config, CONFIG_BUS_KAFKA_INSTANCES)
			   : 1;
		return 0;
	}
	if (!str_cut(&rest, '/', &head) || !str_to_u64(head, &a) || !str_to_u64(rest, &b) ||
	    b == 0 || a >= b || b > 256)
		return error_set(error, ERR_USAGE, TEXT_cli_instance, text);
	*i = (uint32_t)a;
	*n = (uint32_t)b;
	return 0;
}

static int correlate_open(struct correlate *correlate, const struct arguments *arguments,
    struct error *error)
{
	struct context *context = correlate->context;
	const struct config *c = context->config;
	struct worker_options options = {
	    .batch = (size_t)config_number(c, CONFIG_CORRELATE_BATCH),
	    .lateness_ns = config_number(c, CONFIG_CORRELATE_LATENESS),
	    .skew_ns = config_number(c, CONFIG_CORRELATE_SKEW),
	    .idle_ns = config_number(c, CONFIG_CORRELATE_IDLE),
	    .snapshot_ns = config_number(c, CONFIG_CORRELATE_SNAPSHOT),
	    .groups_max = (size_t)config_number(c, CONFIG_CORRELATE_GROUPS),
	    .memory_max = (size_t)config_number(c, CONFIG_CORRELATE_MEMORY),
	    .pending_max = (size_t)config_number(c, CONFIG_CORRELATE_PENDING),
	    .fold_default_ns = config_number(c, CONFIG_STORE_FOLD),
	    .group = config_number(c, CONFIG_BUS_BACKEND) == 1 &&
		config_number(c, CONFIG_BUS_KAFKA_ASSIGN) == 0,
	};
	int code = instance_of(context, arguments, &options.instance, &options.instances, error);

	if (code == 0)
		code = context_site_key(context, &options.site, error);
	if (code == 0)
		code = context_bus(context, &correlate->bus, error);
	if (code == 0)
		code = checkpoint_open(&correlate->checkpoint,
		    context_data_path(context, "correlate.mdb"), "correlate", error);
	if (code == 0)
		code = context_logsources(context, &options.logsources, error);
	if (code == 0)
		code = load(correlate, options.instance, &options.ruleset, error);
	if (code < 0)
		return code;
	options.bus = correlate->bus;
	options.checkpoint = correlate->checkpoint;
	options.bundle = buf_str(&correlate->bundle);
	return worker_open(&correlate->worker, &options, error);
}

/* What lies on the disk by now comes as any other reload does. */
static int correlate_begin(struct correlate *correlate, struct error *error)
{
	buf_free(&correlate->bundle);
	correlate->reload = reload_new(correlate->context);
	if (correlate->reload == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	if (correlate->kept)
		reload_begin(correlate->reload, correlate->worker, false);
	return 0;
}

static int correlate_run(struct context *context, const struct arguments *arguments)
{
	struct correlate correlate = {.context = context, .bundle = BUF(BUNDLE_MAX)};
	const char *text = arguments_get(arguments, "instance");
	char name[64] = "correlate";
	struct stage stage = {.name = name, .step = correlate_step, .measure = correlate_measure,
	    .status = correlate_status, .answer = correlate_answer,
	    .reload = correlate_reload, .self = &correlate};
	struct error error = {0}, ending = {0};

	heap_keep();
	stage_signals();
	if (text != NULL)
		snprintf(name, sizeof(name), "correlate-%.*s", (int)strcspn(text, "/"), text);
	context->log.stage = str_of(name);
	int code = privilege_start(context, 0, &error);

	if (code == 0)
		code = correlate_open(&correlate, arguments, &error);
	if (code == 0)
		code = correlate_begin(&correlate, &error);
	if (code == 0)
		code = stage_run(context, &stage, NULL, &error);
	reload_close(correlate.reload);
	if (correlate.worker != NULL && worker_flush(correlate.worker, 5 * NS_PER_S, &ending) < 0)
		log_error(&context->log, clock_wall_ns(), &ending);
	worker_close(correlate.worker);
	checkpoint_close(correlate.checkpoint);
	bus_close(correlate.bus);
	if (code < 0)
		log_error(&context->log, clock_wall_ns(), &error);
	return code < 0 ? context_code(&error) : EXIT_OK;
}

const struct command command_correlate = {
    .name = "correlate",
    .synopsis = "[-c FILE] [--instance I/N]",
    .summary = TEXT_cli_correlate,
    .description = TEXT_cli_correlate_about,
    .examples = (const struct example_row[]){
	{"tocsin correlate -c /etc/tocsin.yml", TEXT_cli_correlate_example},
	{"tocsin correlate -c /etc/tocsin.yml --instance 0/2", TEXT_cli_correlate_example2},
	{NULL, TEXT_COUNT}},
    .options = (const struct option_row[]){
	{0, "instance", "I/N", TEXT_cli_opt_instance}, {0, NULL, NULL, TEXT_COUNT}},
    .run = correlate_run,
};
