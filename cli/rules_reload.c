/*
 * `tocsin rules reload`: every worker is asked to load the rules beside those that run, and what
 * became of it is told when it has ended.
 */
#include "cli/reload.h"

#include "base/clock.h"
#include "cli/gather.h"

#include <jansson.h>
#include <string.h>
#include <time.h>

#define POLL_NS (100 * NS_PER_MS)

static uint64_t number_of(const json_t *answer, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(answer, key));
}

static const char *text_of(const json_t *answer, const char *key)
{
	const char *text = json_string_value(json_object_get(answer, key));

	return text == NULL ? "" : text;
}

static json_t *answer_read(const struct gathered *stage)
{
	return stage->failed ? NULL
			     : json_loadb(stage->answer.ptr, stage->answer.len, 0, NULL);
}

/* Asks until the reload of that number has ended. NULL: the worker does not answer any more. */
static json_t *answer_wait(struct context *context, struct gathered *stage, json_t *answer)
{
	const struct timespec pause = {0, POLL_NS};
	char request[64];

	snprintf(request, sizeof(request), "reload state %llu",
	    (unsigned long long)number_of(answer, "number"));
	while (answer != NULL && strcmp(text_of(answer, "state"), "loading") == 0) {
		json_decref(answer);
		nanosleep(&pause, NULL);
		gather_ask(context, stage, str_of(request));
		answer = answer_read(stage);
	}
	return answer;
}

static void print_line(struct str stage, const struct buf *words)
{
	printf("%.*s: ", STR_ARG(stage));
	print_escaped(stdout, buf_str(words));
	putchar('\n');
}

static void print_problems(const json_t *answer)
{
	const json_t *list = json_object_get(answer, "problems"), *one;
	size_t i, count = number_of(answer, "problems_count");

	json_array_foreach(list, i, one) {
		struct error error = {.line = (unsigned)number_of(one, "line"),
		    .column = (unsigned)number_of(one, "column")};
		char text[1200];

		snprintf(error.file, sizeof(error.file), "%s", text_of(one, "file"));
		snprintf(error.text, sizeof(error.text), "%s", text_of(one, "text"));
		fputs("  ", stdout);
		print_escaped(stdout, str_of(error_format(&error, text, sizeof(text))));
		putchar('\n');
	}
	if (count > json_array_size(list)) {
		fputs("  ", stdout);
		print_text(stdout, TEXT_cli_reload_more, count - json_array_size(list));
		putchar('\n');
	}
}

static void print_words(struct str stage, const json_t *answer)
{
	struct buf words = BUF(8192);
	const char *state = answer == NULL ? "" : text_of(answer, "state");
	size_t rules = number_of(answer, "rules");

	if (strcmp(state, "switched") == 0)
		put_text(&words, TEXT_cli_reload_switched, rules, number_of(answer, "refused"),
		    number_of(answer, "added"), number_of(answer, "removed"),
		    number_of(answer, "changed"), number_of(answer, "unchanged"),
		    number_of(answer, "windows_dropped"), number_of(answer, "examples_passed"));
	else if (strcmp(state, "unchanged") == 0)
		put_text(&words, TEXT_cli_reload_same, rules);
	else if (strcmp(state, "lost") == 0)
		put_text(&words, TEXT_cli_reload_lost);
	else if (answer != NULL)
		put_text(&words, TEXT_cli_reload_failed, text_of(answer, "reason"));
	else
		put_text(&words, TEXT_cli_no_answer);
	print_line(stage, &words);
	buf_free(&words);
	if (answer != NULL)
		print_problems(answer);
}

static void print_json(struct str stage, json_t *answer)
{
	if (answer == NULL)
		answer = json_pack("{s:s}", "state", "no answer");
	else
		json_incref(answer);
	json_object_set_new(answer, "stage", json_stringn(stage.ptr, stage.len));
	char *text = json_dumps(answer, JSON_COMPACT);

	if (text != NULL)
		puts(text);
	free(text);
	json_decref(answer);
}

static bool is_good(const json_t *answer)
{
	const char *state = answer == NULL ? "" : text_of(answer, "state");

	return strcmp(state, "switched") == 0 || strcmp(state, "unchanged") == 0;
}

static bool stage_reload(struct context *context, struct gathered *stage, bool json)
{
	json_t *answer = answer_wait(context, stage, answer_read(stage));
	bool good = is_good(answer);

	if (json)
		print_json(stage->stage, answer);
	else
		print_words(stage->stage, answer);
	json_decref(answer);
	return good;
}

int rules_reload(struct context *context, const struct arguments *arguments, struct error *error)
{
	struct str request =
	    arguments_has(arguments, "force") ? STR("reload force") : STR("reload");
	struct gathered found[GATHER_MAX];
	size_t count = 0, asked = 0, good = 0;
	int code = arguments_at_most(arguments, 1, error);

	if (code == 0)
		code = gather_list(context, found, &count, error);
	if (code < 0)
		return code;
	/* All at once, then one after the other. */
	for (size_t i = 0; i < count; i++)
		if (str_starts(found[i].stage, STR("correlate")))
			found[asked++] = found[i];
	for (size_t i = 0; i < asked; i++)
		gather_ask(context, &found[i], request);
	for (size_t i = 0; i < asked; i++)
		good += stage_reload(context, &found[i], arguments_has(arguments, "json"));
	if (asked == 0)
		return error_set(error, ERR_MISSING, TEXT_cli_not_running,
		    context_run_path(context, NULL));
	return good == asked ? EXIT_OK : EXIT_NO;
}
