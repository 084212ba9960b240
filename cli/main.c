#include "cli/help.h"

#include "base/clock.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PROCESS_ARENA (256u << 20)

/*
 * --lang anywhere, then the environment as gettext reads it; a file may still say otherwise. What
 * --lang names wrongly is told once the options are read.
 */
static void choose_language(int argc, char **argv, bool *fixed)
{
	static const char *const names[] = {"TOCSIN_LANG", "LC_ALL", "LC_MESSAGES", "LANG"};
	enum language language;

	*fixed = true;
	for (int i = 1; i < argc; i++) {
		struct str word = str_of(argv[i]);

		if (str_starts(word, STR("--lang=")))
			word = str_slice(word, 7, word.len);
		else if (str_eq(word, STR("--lang")) && i + 1 < argc)
			word = str_of(argv[i + 1]);
		else
			continue;
		if (text_language_of(word, &language)) {
			text_choose(language);
			return;
		}
	}
	*fixed = false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = getenv(names[i]);

		if (value == NULL || value[0] == '\0')
			continue;
		if (text_language_of(str_of(value), &language))
			text_choose(language);
		*fixed = i == 0;
		return;
	}
}

static const char *config_path_of(const struct arguments *arguments)
{
	const char *path = arguments_get(arguments, "config");

	if (path == NULL)
		path = getenv("TOCSIN_CONFIG");
	if (path == NULL && access("/etc/tocsin.yml", R_OK) == 0)
		path = "/etc/tocsin.yml";
	return path;
}

static int load_config(struct context *context, const struct arguments *arguments,
    struct error *error)
{
	size_t count = 0;
	int code = 0;

	context->config = config_new();
	context->config_path = config_path_of(arguments);
	while (arguments_each(arguments, "set", count) != NULL)
		count++;
	context->set = arena_array(context->arena, count + 1, sizeof(*context->set));
	if (context->config == NULL || context->set == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	if (context->config_path != NULL)
		code = config_load(context->config, context->config_path, error);
	for (size_t i = 0; i < count && code == 0; i++) {
		struct str value = str_of(arguments_each(arguments, "set", i)), key;

		context->set[i] = arena_cstr(context->arena, value);
		if (!str_cut(&value, '=', &key) || value.ptr == NULL)
			return error_set(error, ERR_USAGE, TEXT_cli_set_form, context->set[i]);
		code = config_set(context->config, key, value, error);
	}
	return code;
}

static int check_language(const struct arguments *arguments, struct error *error)
{
	const char *name = arguments_get(arguments, "lang");
	enum language language;

	if (name == NULL || text_language_of(str_of(name), &language))
		return 0;
	return error_set(error, ERR_USAGE, TEXT_cli_bad_language, name);
}

/*
 * What was printed may still lie in a buffer, and a full disk shows itself only now. That a reader
 * of the pipe has seen enough is no failure.
 */
static int finish_output(int code)
{
	struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
	struct error error = {0};

	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	if (poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0)
		return code;
	error_set(&error, ERR_IO, TEXT_cli_output);
	return context_fail(&error);
}

static int terminal_columns(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		return 0;
	return size.ws_col < 40 ? 0 : size.ws_col;
}

static void setup(struct context *context, bool language_fixed)
{
	int64_t language = config_number(context->config, CONFIG_LANGUAGE);

	if (!language_fixed && language != 0)
		text_choose(language == 1 ? LANGUAGE_VIETNAMESE : LANGUAGE_ENGLISH);
	context->zone_s = clock_zone_s(clock_wall_ns());
	const char *plain = getenv("NO_COLOR");

	context->color = isatty(STDOUT_FILENO) && (plain == NULL || plain[0] == '\0');
	context->columns = terminal_columns();
	context->log = (struct log){.fd = STDERR_FILENO,
	    .level = (enum log_level)config_number(context->config, CONFIG_LOG_LEVEL),
	    .format = (enum log_format)config_number(context->config, CONFIG_LOG_FORMAT),
	    .zone_s = context->zone_s};
}

static int run_command(const struct command *command, int argc, char **argv, bool language_fixed)
{
	static struct arguments arguments;
	static char program[4096];
	struct context context = {.program = program};
	struct error error = {0};
	ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
	int code = arguments_parse(&arguments, command, argc, argv, &error);

	program[len > 0 ? len : 0] = '\0';
	if (code == 0)
		code = check_language(&arguments, &error);
	if (code == 0 && arguments_has(&arguments, "help")) {
		help_command(stdout, command);
		return finish_output(EXIT_OK);
	}
	context.arena = arena_new(PROCESS_ARENA);
	if (code == 0 && context.arena == NULL)
		code = error_set(&error, ERR_MEMORY, TEXT_base_memory);
	if (code == 0)
		code = load_config(&context, &arguments, &error);
	if (code == 0) {
		setup(&context, language_fixed);
		code = command->run(&context, &arguments);
	} else {
		code = context_fail(&error);
	}
	logsources_free(context.logsources);
	config_free(context.config);
	arena_free(context.arena);
	return finish_output(code);
}

/*
 * "tocsin -c FILE alerts": options that every command takes may come before its name. They are moved
 * behind it. Returns the index of the name in argv, argc when there is none.
 */
static int move_options(int argc, char **argv)
{
	int at = 1;

	while (at < argc && argv[at][0] == '-') {
		bool takes_value = strcmp(argv[at], "-c") == 0 ||
				   strcmp(argv[at], "--config") == 0 ||
				   strcmp(argv[at], "-o") == 0 || strcmp(argv[at], "--set") == 0 ||
				   strcmp(argv[at], "--lang") == 0;

		if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0 ||
		    strcmp(argv[at], "--version") == 0)
			break;
		at += takes_value && at + 1 < argc ? 2 : 1;
	}
	if (at >= argc)
		return argc;
	char *name = argv[at];

	memmove(&argv[2], &argv[1], (size_t)(at - 1) * sizeof(*argv));
	argv[1] = name;
	return 1;
}

int main(int argc, char **argv)
{
	struct error error = {0};
	bool fixed;

	signal(SIGPIPE, SIG_IGN);
	choose_language(argc, argv, &fixed);
	bool named = move_options(argc, argv) < argc;

	if (argc < 2) {
		help_overview(stderr);
		return EXIT_USAGE;
	}
	if (!named) {
		error_set(&error, ERR_USAGE, TEXT_cli_command_missing);
		return context_fail(&error);
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		help_overview(stdout);
		return finish_output(EXIT_OK);
	}
	const char *name = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
	const struct command *command = command_find(str_of(name));

	if (command == NULL) {
		error_set(&error, ERR_USAGE, TEXT_cli_command_unknown, argv[1]);
		return context_fail(&error);
	}
	return run_command(command, argc - 2, argv + 2, fixed);
}
