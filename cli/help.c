#include "cli/help.h"

#include <string.h>

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
		fprintf(out, "  %s\n", text(rows->help));
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
	fprintf(out, "tocsin %s %s\n%s\n\n%s\n", command->name, command->synopsis,
	    text(command->summary), text(TEXT_cli_help_examples));
	for (const struct example_row *e = command->examples; e != NULL && e->line != NULL; e++)
		fprintf(out, "  %s\n      %s\n", e->line, text(e->what));
	fprintf(out, "\n%s\n\n%s\n", text(command->description), text(TEXT_cli_help_options));
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

void help_bash(FILE *out)
{
	fputs(
	    "_tocsin() {\n\tlocal words=\n\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n\t\twords=\"", out);
	for (size_t i = 0; i < command_count(); i++)
		fprintf(out, "%s%s", i == 0 ? "" : " ", command_at(i)->name);
	fputs("\"\n\telse\n\t\tcase \"${COMP_WORDS[1]}\" in\n", out);
	for (size_t i = 0; i < command_count(); i++) {
		const struct command *command = command_at(i);

		fprintf(out, "\t\t%s) words=\"", command->name);
		for (const char *const *verb = command->verbs; verb != NULL && *verb != NULL;
		     verb++)
			fprintf(out, "%s ", *verb);
		bash_words(out, command->options);
		bash_words(out, command_common_options);
		fputs("\" ;;\n", out);
	}
	fputs("\t\tesac\n\tfi\n\tCOMPREPLY=($(compgen -W \"$words\" -- "
	      "\"${COMP_WORDS[COMP_CWORD]}\"))\n"
	      "}\ncomplete -o default -F _tocsin tocsin\n",
	    out);
}
