#include "cli/command.h"
#include "cli/decoded.h"
#include "cli/privilege.h"
#include "cli/stage.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/metrics.h"
#include "storage/store.h"

struct storing {
	struct bus *bus;
	struct store *store;
};

static int storing_step(void *self, int64_t timeout_ns, struct error *error)
{
	struct storing *storing = self;

	return store_step(storing->store, clock_wall_ns(), timeout_ns, error);
}

static void storing_measure(void *self)
{
	struct storing *storing = self;
	struct store_stats s;
	struct bus_stats bus;

	store_stats(storing->store, &s);
	bus_stats(storing->bus, &bus);
	metrics_set(METRIC_BUS_POLLED, bus.polled);
	metrics_set(METRIC_BUS_GAPS, bus.gap_records);
	metrics_set(METRIC_FENCE_HITS, s.stale);
	metrics_set(METRIC_DUPLICATES, s.repeats);
	metrics_set(METRIC_ALERTS_SETTLED, s.settled);
	metrics_set(METRIC_ALERTS_REPLACED, s.replaced);
	metrics_set(METRIC_ALERTS_FOLDED, s.folded);
	metrics_set(METRIC_ALERTS_SUPPRESSED, s.suppressed);
	metrics_set(METRIC_STORE_COMMITS, s.commits);
	metrics_set(METRIC_EVIDENCE_KEPT, s.evidence_kept);
	metrics_set(METRIC_EVIDENCE_MISSING, s.evidence_missing);
}

static void storing_status(void *self, struct buf *out)
{
	struct storing *storing = self;
	struct json json = json_begin(out);
	struct store_stats s;

	store_stats(storing->store, &s);
	json_open(&json, '{');
	json_pair_u64(&json, "alerts", s.alerts);
	json_pair_u64(&json, "repeats", s.repeats);
	json_pair_u64(&json, "settled", s.settled);
	json_pair_u64(&json, "replaced", s.replaced);
	json_pair_u64(&json, "folded", s.folded);
	json_pair_u64(&json, "suppressed", s.suppressed);
	json_pair_u64(&json, "damaged", s.damaged);
	json_pair_u64(&json, "unknown", s.unknown);
	json_pair_u64(&json, "stale", s.stale);
	json_pair_u64(&json, "gaps", s.gaps);
	json_pair_u64(&json, "evidence_kept", s.evidence_kept);
	json_pair_u64(&json, "evidence_missing", s.evidence_missing);
	json_pair_u64(&json, "evidence_waiting", s.evidence_waiting);
	json_pair_u64(&json, "files", s.files);
	json_pair_i64(&json, "last_alert_ns", s.last_alert_ns);
	json_close(&json, '}');
}

static int storing_open(struct storing *storing, struct context *context, struct error *error)
{
	const struct config *c = context->config;
	struct store_options options = {
	    .path = context_store_path(context),
	    .batch = (size_t)config_number(c, CONFIG_STORE_BATCH),
	    .day_bytes = (uint64_t)config_number(c, CONFIG_STORE_DAY_BYTES),
	    .retain_ns = config_number(c, CONFIG_STORE_RETAIN_AGE),
	    .fold_default_ns = config_number(c, CONFIG_STORE_FOLD),
	    .evidence_events = (size_t)config_number(c, CONFIG_STORE_EVIDENCE_EVENTS),
	    .decode = decoded_fields,
	};
	int code = context_site_key(context, &options.site, error);

	if (code == 0)
		code = file_make_folder(options.path, 0750, error);
	if (code == 0)
		code = context_bus(context, &storing->bus, error);
	options.bus = storing->bus;
	return code < 0 ? code : store_open(&storing->store, &options, clock_wall_ns(), error);
}

static int storing_run(struct context *context, const struct arguments *arguments)
{
	struct storing storing = {0};
	struct stage stage = {.name = "store", .step = storing_step, .measure = storing_measure,
	    .status = storing_status, .self = &storing};
	struct error error = {0};

	(void)arguments;
	stage_signals();
	context->log.stage = str_of(stage.name);
	int code = privilege_start(context, 0, &error);

	if (code == 0)
		code = storing_open(&storing, context, &error);
	if (code == 0)
		code = stage_run(context, &stage, NULL, &error);
	store_close(storing.store);
	bus_close(storing.bus);
	if (code < 0)
		log_error(&context->log, clock_wall_ns(), &error);
	return code < 0 ? context_code(&error) : EXIT_OK;
}

const struct command command_store = {
    .name = "store",
    .synopsis = "[-c FILE]",
    .summary = TEXT_cli_store,
    .description = TEXT_cli_store_about,
    .examples = (const struct example_row[]){
	{"tocsin store -c /etc/tocsin.yml", TEXT_cli_store_example}, {NULL, TEXT_COUNT}},
    .run = storing_run,
};
