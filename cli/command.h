/*
 * command.h - a subcommand: one file cmd_<symbol>.c with one const struct, one row in commands.def.
 *
 * The same struct feeds the parser, the help, the man page, shell completion and docs/COMMANDS.md.
 */
#ifndef TOCSIN_CLI_COMMAND_H
#define TOCSIN_CLI_COMMAND_H

#include "cli/context.h"

/* Exit codes of every command but status, which has those of monitoring plugins. */
enum {
	EXIT_OK = 0,
	EXIT_NO = 1,      /* the answer is no: rules are wrong, a test fails, nothing is found */
	EXIT_USAGE = 2,   /* the command line or a document is wrong */
	EXIT_WORLD = 3    /* files, sockets, bus, memory */
};

struct option_row {
	char letter;           /* 0: none */
	const char *name;      /* without the dashes */
	const char *argument;  /* what stands for its value in help; NULL: a flag */
	enum text_id help;
};

struct example_row {
	const char *line;
	enum text_id what;
};

struct arguments;

struct command {
	const char *name;
	const char *synopsis;            /* behind the name */
	enum text_id summary;            /* a line */
	enum text_id description;        /* paragraphs */
	const struct example_row *examples; /* ends with a NULL line */
	const struct option_row *options;   /* ends with a NULL name */
	const char *const *verbs;        /* words that may come first, NULL-ended; NULL: none */
	size_t words_max;                /* words that it takes, its verb included */
	int (*run)(struct context *context, const struct arguments *arguments);
};

size_t command_count(void);
const struct command *command_at(size_t index);
const struct command *command_find(struct str name);
/* Options that every command takes. */
extern const struct option_row command_common_options[];

#define ARGUMENTS_MAX 256

struct arguments {
	const struct command *command;
	size_t option_count;
	struct {
		const struct option_row *row;
		const char *value;
	} options[ARGUMENTS_MAX];
	const char *words[ARGUMENTS_MAX];
	size_t word_count;
};

/* argv without the command's name. ERR_USAGE names what is wrong. */
int arguments_parse(struct arguments *ret, const struct command *command, int argc, char **argv,
    struct error *error);
bool arguments_has(const struct arguments *arguments, const char *name);
/* The last value given; NULL when there is none. */
const char *arguments_get(const struct arguments *arguments, const char *name);
/* The index-th value of a repeatable option; NULL at the end. */
const char *arguments_each(const struct arguments *arguments, const char *name, size_t index);
/* ERR_USAGE when there are more words than that. */
int arguments_at_most(const struct arguments *arguments, size_t words, struct error *error);
/* The first word, checked against the verbs; fallback when there is none. NULL: wrong, told. */
const char *arguments_verb(const struct arguments *arguments, const char *fallback,
    struct error *error);

#endif
