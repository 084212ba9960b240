#include "cli/command.h"
#include "cli/gather.h"

#include "base/metrics.h"

static int metrics_run(struct context *context, const struct arguments *arguments)
{
	struct gathered found[GATHER_MAX];
	struct str texts[GATHER_MAX];
	struct buf out = BUF(16u << 20);
	struct error error = {0};
	size_t count, answered = 0;
	int code = gather(context, STR("metrics"), found, &count, &error);

	(void)arguments;
	for (size_t i = 0; i < count && code == 0; i++) {
		if (!found[i].failed)
			texts[answered++] = found[i].answer;
	}
	if (code == 0 && answered == 0)
		code = error_set(&error, ERR_MISSING, TEXT_cli_not_running,
		    context_run_path(context, NULL));
	if (code == 0) {
		metrics_join(&out, texts, answered, text_language());
		fwrite(out.ptr, 1, out.len, stdout);
	}
	buf_free(&out);
	return code < 0 ? context_fail(&error) : EXIT_OK;
}

const struct command command_metrics = {
    .name = "metrics",
    .synopsis = "",
    .summary = TEXT_cli_metrics,
    .description = TEXT_cli_metrics_about,
    .examples = (const struct example_row[]){
	{"tocsin metrics > /var/lib/prometheus/node-exporter/tocsin.prom",
	    TEXT_cli_metrics_example},
	{NULL, TEXT_COUNT}},
    .run = metrics_run,
};
