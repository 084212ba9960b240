/*
 * help.h - the same tables as help on a terminal, man pages, Markdown, and shell completion.
 */
#ifndef TOCSIN_CLI_HELP_H
#define TOCSIN_CLI_HELP_H

#include "cli/command.h"

void help_overview(FILE *out);
/* Examples first. */
void help_command(FILE *out, const struct command *command);
/* troff, section 1: tocsin-NAME(1); NULL: tocsin(1). */
void help_man(FILE *out, const struct command *command);
void help_markdown(FILE *out);
void help_bash(FILE *out);

#endif
