#include "cli/command.h"

static int config_run(struct context *context, const struct arguments *arguments)
{
	struct buf out = BUF(4u << 20);

	(void)context;
	if (arguments_has(arguments, "markdown"))
		config_write_markdown(&out, text_language());
	else if (arguments_has(arguments, "defaults"))
		config_write_defaults(&out, text_language());
	else
		buf_printf(&out, "%s\n", text(TEXT_cli_config_good));
	fwrite(out.ptr, 1, out.len, stdout);
	buf_free(&out);
	return EXIT_OK;
}

const struct command command_config = {
    .name = "config",
    .synopsis = "[-c FILE] | --defaults | --markdown",
    .summary = TEXT_cli_config,
    .description = TEXT_cli_config_about,
    .examples = (const struct example_row[]){
	{"tocsin config --defaults > /etc/tocsin.yml", TEXT_cli_config_example},
	{"tocsin config -c /etc/tocsin.yml", TEXT_cli_config_example2},
	{NULL, TEXT_COUNT}},
    .options = (const struct option_row[]){
	{'d', "defaults", NULL, TEXT_cli_opt_defaults},
	{0, "markdown", NULL, TEXT_cli_opt_markdown},
	{0, NULL, NULL, TEXT_COUNT}},
    .run = config_run,
};
