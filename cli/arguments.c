#include "cli/command.h"

#include <string.h>

#define COMMAND(symbol) extern const struct command command_##symbol;
#include "cli/commands.def"
#undef COMMAND

static const struct command *const commands[] = {
#define COMMAND(symbol) &command_##symbol,
#include "cli/commands.def"
#undef COMMAND
};

const struct option_row command_common_options[] = {
    {'c', "config", "FILE", TEXT_cli_opt_config},
    {'o', "set", "KEY=VALUE", TEXT_cli_opt_set},
    {0, "lang", "vi|en", TEXT_cli_opt_lang},
    {'h', "help", NULL, TEXT_cli_opt_help},
    {0, NULL, NULL, TEXT_COUNT},
};

size_t command_count(void)
{
	return sizeof(commands) / sizeof(commands[0]);
}

const struct command *command_at(size_t index)
{
	return commands[index];
}

const struct command *command_find(struct str name)
{
	for (size_t i = 0; i < command_count(); i++) {
		if (str_eq(name, str_of(commands[i]->name)))
			return commands[i];
	}
	return NULL;
}

static const struct option_row *row_in(const struct option_row *rows, struct str name, char letter)
{
	for (; rows != NULL && rows->name != NULL; rows++) {
		if (letter != 0 ? rows->letter == letter : str_eq(name, str_of(rows->name)))
			return rows;
	}
	return NULL;
}

static const struct option_row *row_find(const struct command *command, struct str name,
    char letter)
{
	const struct option_row *row = row_in(command->options, name, letter);

	return row != NULL ? row : row_in(command_common_options, name, letter);
}

static int add_option(struct arguments *a, const struct option_row *row, const char *value,
    const char *as_written, struct error *error)
{
	if (row == NULL)
		return error_set(error, ERR_USAGE, TEXT_cli_option_unknown, as_written,
		    a->command->name);
	if (row->argument == NULL && value != NULL)
		return error_set(error, ERR_USAGE, TEXT_cli_option_no_value, row->name);
	if (row->argument != NULL && value == NULL)
		return error_set(error, ERR_USAGE, TEXT_cli_option_value, row->name, row->argument);
	if (a->option_count == ARGUMENTS_MAX)
		return error_set(error, ERR_USAGE, TEXT_cli_too_many);
	a->options[a->option_count].row = row;
	a->options[a->option_count++].value = value;
	return 0;
}

/* "--name", "--name=value", "--name value". */
static int parse_long(struct arguments *a, int argc, char **argv, int *at, struct error *error)
{
	struct str name = str_of(argv[*at] + 2);
	size_t equals = str_find_char(name, '=');
	const char *value = equals == STR_NOT_FOUND ? NULL : name.ptr + equals + 1;

	name = str_slice(name, 0, equals == STR_NOT_FOUND ? name.len : equals);
	const struct option_row *row = row_find(a->command, name, 0);
	const char *as_written = argv[*at];

	if (row != NULL && row->argument != NULL && value == NULL && *at + 1 < argc)
		value = argv[++*at];
	return add_option(a, row, value, as_written, error);
}

/* "-n", "-n5", "-n 5", "-ab". */
static int parse_short(struct arguments *a, int argc, char **argv, int *at, struct error *error)
{
	const char *text = argv[*at];

	for (const char *letter = text + 1; *letter != '\0'; letter++) {
		const struct option_row *row = row_find(a->command, STR_NONE, *letter);
		const char *value = NULL;

		if (row != NULL && row->argument != NULL) {
			value = letter[1] != '\0' ? letter + 1
				: *at + 1 < argc  ? argv[++*at]
						  : NULL;
			return add_option(a, row, value, text, error);
		}
		int code = add_option(a, row, value, text, error);

		if (code < 0)
			return code;
	}
	return 0;
}

int arguments_parse(struct arguments *a, const struct command *command, int argc, char **argv,
    struct error *error)
{
	bool words_only = false;
	int code = 0;

	memset(a, 0, sizeof(*a));
	a->command = command;
	for (int i = 0; i < argc && code == 0; i++) {
		const char *text = argv[i];

		if (!words_only && strcmp(text, "--") == 0)
			words_only = true;
		else if (!words_only && strncmp(text, "--", 2) == 0)
			code = parse_long(a, argc, argv, &i, error);
		else if (!words_only && text[0] == '-' && text[1] != '\0')
			code = parse_short(a, argc, argv, &i, error);
		else if (a->word_count < ARGUMENTS_MAX)
			a->words[a->word_count++] = text;
		else
			code = error_set(error, ERR_USAGE, TEXT_cli_too_many);
	}
	if (code == 0 && !arguments_has(a, "help"))
		code = arguments_at_most(a, command->words_max, error);
	return code;
}

int arguments_at_most(const struct arguments *a, size_t words, struct error *error)
{
	if (a->word_count <= words)
		return 0;
	return error_set(error, ERR_USAGE, TEXT_cli_word_extra, a->words[words], a->command->name);
}

const char *arguments_each(const struct arguments *a, const char *name, size_t index)
{
	for (size_t i = 0; i < a->option_count; i++) {
		if (strcmp(a->options[i].row->name, name) == 0 && index-- == 0)
			return a->options[i].value == NULL ? "" : a->options[i].value;
	}
	return NULL;
}

const char *arguments_get(const struct arguments *a, const char *name)
{
	const char *last = NULL;

	for (size_t i = 0;; i++) {
		const char *value = arguments_each(a, name, i);

		if (value == NULL)
			return last;
		last = value;
	}
}

bool arguments_has(const struct arguments *a, const char *name)
{
	return arguments_each(a, name, 0) != NULL;
}

const char *arguments_verb(const struct arguments *a, const char *fallback, struct error *error)
{
	if (a->word_count == 0)
		return fallback;
	for (const char *const *verb = a->command->verbs; *verb != NULL; verb++) {
		if (strcmp(*verb, a->words[0]) == 0)
			return *verb;
	}
	error_set(error, ERR_USAGE, TEXT_cli_verb_unknown, a->words[0], a->command->name);
	return NULL;
}
