#include "cli/help.h"

static int help_run(struct context *context, const struct arguments *arguments)
{
	const struct command *command = NULL;
	struct error error = {0};

	(void)context;
	if (arguments->word_count > 0) {
		command = command_find(str_of(arguments->words[0]));
		if (command == NULL) {
			error_set(&error, ERR_USAGE, TEXT_cli_command_unknown, arguments->words[0]);
			return context_fail(&error);
		}
	}
	if (arguments_has(arguments, "man"))
		help_man(stdout, command);
	else if (arguments_has(arguments, "markdown"))
		help_markdown(stdout);
	else if (arguments_has(arguments, "bash"))
		help_bash(stdout);
	else if (command != NULL)
		help_command(stdout, command);
	else
		help_overview(stdout);
	return EXIT_OK;
}

const struct command command_help = {
    .name = "help",
    .synopsis = "[COMMAND] [--man | --markdown | --bash]",
    .summary = TEXT_cli_help,
    .description = TEXT_cli_help_about,
    .examples = (const struct example_row[]){
	{"tocsin help alerts", TEXT_cli_help_example},
	{"source <(tocsin help --bash)", TEXT_cli_help_example2},
	{NULL, TEXT_COUNT}},
    .options = (const struct option_row[]){
	{0, "man", NULL, TEXT_cli_opt_man},
	{0, "markdown", NULL, TEXT_cli_opt_markdown},
	{0, "bash", NULL, TEXT_cli_opt_bash},
	{0, NULL, NULL, TEXT_COUNT}},
    .words_max = 1,
    .run = help_run,
};
