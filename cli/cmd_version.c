#include "cli/command.h"

static int version_run(struct context *context, const struct arguments *arguments)
{
	(void)context;
	(void)arguments;
	printf("tocsin %s\n", TOCSIN_VERSION);
	return EXIT_OK;
}

const struct command command_version = {
    .name = "version",
    .synopsis = "",
    .summary = TEXT_cli_version,
    .description = TEXT_cli_version,
    .examples = (const struct example_row[]){
	{"tocsin version", TEXT_cli_version}, {NULL, TEXT_COUNT}},
    .run = version_run,
};
