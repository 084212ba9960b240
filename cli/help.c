#include "cli/help.h"

#include <string.h>

/* Also where there is no terminal: man pages of the same text are made elsewhere. */
#define HELP_COLUMNS 80

static size_t width_of(const struct option_row *row)
{
	return 8 + strlen(row->name) + (row->argument == NULL ? 0 : strlen(row->argument) + 1);
}

static void print_options(FILE *out, const struct option_row *rows)
{
	for (; rows != NULL && rows->name != NULL; rows++) {
		if (rows->letter != 0)
			fprintf(out, "  -%c, ", rows->letter);
		else
			fprintf(out, "      ");
		fprintf(out, "--%s%s%s", rows->name, rows->argument == NULL ? "" : " ",
		    rows->argument == NULL ? "" : rows->argument);
		for (size_t at = width_of(rows); at < 32; at++)
			fputc(' ', out);
		fprintf(out, "  ");
		print_wrapped(out, str_of(text(rows->help)), 34, HELP_COLUMNS);
	}
}

void help_overview(FILE *out)
{
	fprintf(out, "%s\n\n%s\n", text(TEXT_cli_tagline), text(TEXT_cli_help_examples));
	fprintf(out,
	    "  tocsin run\n  logger --server 127.0.0.1 --port 5514 --udp 'hello'\n"
	    "  tocsin alerts follow --level medium+\n\n%s\n",
	    text(TEXT_cli_help_commands));
	for (size_t i = 0; i < command_count(); i++)
		fprintf(out, "  %-11s %s\n", command_at(i)->name, text(command_at(i)->summary));
	fprintf(out, "\n%s\n", text(TEXT_cli_help_options));
	print_options(out, command_common_options);
	fprintf(out, "\n%s\n", text(TEXT_cli_help_more));
}

void help_command(FILE *out, const struct command *command)
{
	int indent = fprintf(out, "tocsin %s ", command->name);

	print_wrapped(out, str_of(command->synopsis), indent, HELP_COLUMNS);
	fprintf(out, "%s\n\n%s\n", text(command->summary), text(TEXT_cli_help_examples));
	for (const struct example_row *e = command->examples; e != NULL && e->line != NULL; e++)
		fprintf(out, "  %s\n      %s\n", e->line, text(e->what));
	fputc('\n', out);
	print_wrapped(out, str_of(text(command->description)), 0, HELP_COLUMNS);
	fprintf(out, "\n%s\n", text(TEXT_cli_help_options));
	print_options(out, command->options);
	print_options(out, command_common_options);
}

/* A dot or a quote at the start of a line, and a backslash anywhere, mean something to troff. */
static void man_text(FILE *out, const char *s)
{
	if (*s == '.' || *s == '\'')
		fputs("\\&", out);
	for (; *s != '\0'; s++) {
		if (*s == '\\')
			fputs("\\e", out);
		else if (*s == '-')
			fputs("\\-", out);
		else
			fputc(*s, out);
		if (*s == '\n' && (s[1] == '.' || s[1] == '\''))
			fputs("\\&", out);
	}
}

static void man_options(FILE *out, const struct option_row *rows)
{
	for (; rows != NULL && rows->name != NULL; rows++) {
		fputs(".TP\n", out);
		if (rows->letter != 0)
			fprintf(out, "\\fB\\-%c\\fR, ", rows->letter);
		fputs("\\fB\\-\\-", out);
		man_text(out, rows->name);
		fputs("\\fR", out);
		if (rows->argument != NULL)
			fprintf(out, " \\fI%s\\fR", rows->argument);
		fputc('\n', out);
		man_text(out, text(rows->help));
		fputc('\n', out);
	}
}

static void man_overview(FILE *out)
{
	fprintf(out, ".TH TOCSIN 1 \"\" \"Tocsin %s\"\n.SH NAME\ntocsin \\- ", TOCSIN_VERSION);
	man_text(out, text(TEXT_cli_tagline));
	fputs("\n.SH SYNOPSIS\n\\fBtocsin\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR...]\n.SH COMMANDS\n", out);
	for (size_t i = 0; i < command_count(); i++) {
		fprintf(out, ".TP\n\\fBtocsin\\-%s\\fR(1)\n", command_at(i)->name);
		man_text(out, text(command_at(i)->summary));
		fputc('\n', out);
	}
	fputs(".SH OPTIONS\n", out);
	man_options(out, command_common_options);
	fputs(".SH EXIT STATUS\n", out);
	man_text(out, text(TEXT_cli_exit_codes));
	fputc('\n', out);
}

void help_man(FILE *out, const struct command *command)
{
	if (command == NULL) {
		man_overview(out);
		return;
	}
	fprintf(out, ".TH TOCSIN\\-%s 1 \"\" \"Tocsin %s\"\n.SH NAME\ntocsin\\-%s \\- ",
	    command->name, TOCSIN_VERSION, command->name);
	man_text(out, text(command->summary));
	fprintf(out, "\n.SH SYNOPSIS\n\\fBtocsin %s\\fR ", command->name);
	man_text(out, command->synopsis);
	fputs("\n.SH EXAMPLES\n", out);
	for (const struct example_row *e = command->examples; e != NULL && e->line != NULL; e++) {
		fputs(".TP\n.B ", out);
		man_text(out, e->line);
		fputc('\n', out);
		man_text(out, text(e->what));
		fputc('\n', out);
	}
	fputs(".SH DESCRIPTION\n", out);
	man_text(out, text(command->description));
	fputs("\n.SH OPTIONS\n", out);
	man_options(out, command->options);
	man_options(out, command_common_options);
	fputs(".SH EXIT STATUS\n", out);
	man_text(out, text(TEXT_cli_exit_codes));
	fputs("\n.SH SEE ALSO\n\\fBtocsin\\fR(1)\n", out);
}

void help_markdown(FILE *out)
{
	fprintf(out, "# %s\n\n%s\n", text(TEXT_cli_help_reference), text(TEXT_cli_generated));
	for (size_t i = 0; i < command_count(); i++) {
		const struct command *command = command_at(i);

		fprintf(
		    out, "\n## tocsin %s\n\n%s\n\n```\n", command->name, text(command->summary));
		for (const struct example_row *e = command->examples; e != NULL && e->line != NULL;
		     e++)
			fprintf(out, "%s\n", e->line);
		fprintf(out, "```\n\n%s\n\n```\ntocsin %s %s\n", text(command->description),
		    command->name, command->synopsis);
		print_options(out, command->options);
		fputs("```\n", out);
	}
	fprintf(out, "\n## %s\n\n```\n", text(TEXT_cli_help_options));
	print_options(out, command_common_options);
	fprintf(out, "```\n\n%s\n", text(TEXT_cli_exit_codes));
}

static void bash_words(FILE *out, const struct option_row *rows)
{
	for (; rows != NULL && rows->name != NULL; rows++)
		fprintf(out, " --%s", rows->name);
}

/* Letters mean different things to different commands, but those that all commands take. */
static void bash_pattern(FILE *out, const struct option_row *row, bool *first)
{
	fprintf(out, "%s--%s", *first ? "" : "|", row->name);
	if (row->letter != 0 && (row->letter == 'c' || row->letter == 'o'))
		fprintf(out, "|-%c", row->letter);
	*first = false;
}

static bool is_path(const char *argument)
{
	return strcmp(argument, "FILE") == 0 || strcmp(argument, "DIR") == 0;
}

/* Behind an option that takes a file, files; behind any other value, nothing that is known. */
static void bash_values(FILE *out, const struct option_row *rows, bool files, bool *first)
{
	for (; rows != NULL && rows->name != NULL; rows++) {
		if (rows->argument != NULL && is_path(rows->argument) == files)
			bash_pattern(out, rows, first);
	}
}

static void bash_cases(FILE *out, bool files, const char *action)
{
	bool first = true;

	fputs("\t", out);
	bash_values(out, command_common_options, files, &first);
	for (size_t i = 0; i < command_count(); i++)
		bash_values(out, command_at(i)->options, files, &first);
	fprintf(out, ") %s ;;\n", action);
}

static void bash_command(FILE *out, const struct command *command)
{
	fprintf(out, "\t%s)\n\t\twords=\"", command->name);
	bash_words(out, command->options);
	bash_words(out, command_common_options);
	fputs("\"\n", out);
	if (command->verbs != NULL) {
		fputs("\t\t[ $((at + 1)) -eq \"$COMP_CWORD\" ] && words+=\"", out);
		for (const char *const *verb = command->verbs; *verb != NULL; verb++)
			fprintf(out, " %s", *verb);
		fputs("\"\n", out);
	}
	fputs("\t\t;;\n", out);
}

void help_bash(FILE *out)
{
	/* The command is the first word that is neither an option nor the value of one. */
	fputs("_tocsin() {\n"
	      "\tlocal words= at=1 word=${COMP_WORDS[COMP_CWORD]}\n"
	      "\tCOMPREPLY=()\n"
	      "\twhile [ \"$at\" -lt \"$COMP_CWORD\" ]; do\n"
	      "\t\tcase ${COMP_WORDS[at]} in\n"
	      "\t\t-c|--config|-o|--set|--lang) at=$((at + 2)) ;;\n"
	      "\t\t-*) at=$((at + 1)) ;;\n"
	      "\t\t*) break ;;\n"
	      "\t\tesac\n"
	      "\tdone\n"
	      "\tcase ${COMP_WORDS[COMP_CWORD - 1]} in\n"
	      "\t--lang) COMPREPLY=($(compgen -W 'vi en' -- \"$word\")); return ;;\n",
	    out);
	bash_cases(out, true, "COMPREPLY=($(compgen -f -- \"$word\")); return");
	bash_cases(out, false, "return");
	fputs("\tesac\n\tif [ \"$at\" -ge \"$COMP_CWORD\" ]; then\n\t\twords=\"", out);
	for (size_t i = 0; i < command_count(); i++)
		fprintf(out, "%s ", command_at(i)->name);
	bash_words(out, command_common_options);
	fputs("\"\n\tfi\n\tcase ${COMP_WORDS[at]} in\n", out);
	for (size_t i = 0; i < command_count(); i++)
		bash_command(out, command_at(i));
	fputs("\tesac\n"
	      "\t[ \"${COMP_WORDS[at]}\" = help ] && [ $((at + 1)) -eq \"$COMP_CWORD\" ] &&\n"
	      "\t\twords+=\"",
	    out);
	for (size_t i = 0; i < command_count(); i++)
		fprintf(out, " %s", command_at(i)->name);
	fputs("\"\n"
	      "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
	      "}\ncomplete -o default -F _tocsin tocsin\n",
	    out);
}
