#include "cli/command.h"
#include "cli/privilege.h"
#include "cli/scrape.h"

static int metrics_print(struct context *context, struct error *error)
{
	struct buf out = BUF(16u << 20);
	int code = scrape_gather(context, &out) ? 0
	    : error_set(error, ERR_MISSING, TEXT_cli_not_running, context_run_path(context, NULL));

	if (code == 0)
		fwrite(out.ptr, 1, out.len, stdout);
	buf_free(&out);
	return code;
}

static int metrics_run(struct context *context, const struct arguments *arguments)
{
	struct str address = config_text(context->config, CONFIG_METRICS_LISTEN);
	struct error error = {0};
	int code;

	context->log.stage = STR("metrics");
	if (!arguments_has(arguments, "serve"))
		code = metrics_print(context, &error);
	else if (address.len == 0)
		code = error_set(&error, ERR_USAGE, TEXT_cli_metrics_nowhere);
	else if ((code = privilege_start(context, 0, &error)) == 0)
		code = scrape_serve(context, address.ptr, &error);
	return code < 0 ? context_fail(&error) : EXIT_OK;
}

const struct command command_metrics = {
    .name = "metrics",
    .synopsis = "[--serve]",
    .summary = TEXT_cli_metrics,
    .description = TEXT_cli_metrics_about,
    .examples = (const struct example_row[]){
	{"tocsin metrics > /var/lib/prometheus/node-exporter/tocsin.prom",
	    TEXT_cli_metrics_example},
	{"tocsin metrics --serve -o metrics.listen=127.0.0.1:9140", TEXT_cli_metrics_example2},
	{NULL, TEXT_COUNT}},
    .options = (const struct option_row[]){
	{0, "serve", NULL, TEXT_cli_opt_serve},
	{0, NULL, NULL, TEXT_COUNT}},
    .run = metrics_run,
};
