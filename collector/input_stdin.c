/*
 * Standard input, read to its end once: for what a program prints, and for files by hand. Nothing
 * of it can be read again, so the program ends when the bus has all of it, and says if not.
 */
#include "collector/input.h"

#include "collector/joiner.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define READ_BYTES (256u << 10)

struct input {
	struct intake *intake;
	struct ledger_row *row;
	struct joiner joiner;
	struct watch *watch;
	int bell;        /* eventfd, for a file, which is always ready; else -1 */
	struct buf held; /* not yet an event */
	bool skip, ended;
};

static void stdin_take(struct input *input)
{
	enum join_end end = input->ended ? JOIN_CLOSED : JOIN_OPEN;
	struct str bytes = buf_str(&input->held);
	struct joined joined = {.skip = input->skip};
	size_t at = 0;

	do {
		joined = joiner_next(
		    &input->joiner, str_slice(bytes, at, bytes.len), joined.skip, end);
		at += joined.took;
		input->row->counts.frames += joined.event.ptr != NULL;
		if (joined.event.ptr != NULL)
			intake_event(input->intake, input->row, "stdin", TRANSPORT_FILE, STR("-"),
			    joined.event, joined.cut, NULL);
	} while (joined.took > 0 && at < bytes.len);
	input->skip = joined.skip;
	if (at > 0)
		memmove(input->held.ptr, input->held.ptr + at, bytes.len - at);
	input->held.len -= at;
}

static void stdin_ready(void *context, unsigned ready)
{
	struct input *input = context;
	char *room = buf_room(&input->held, READ_BYTES);

	(void)ready;
	if (room == NULL || input->ended)
		return;
	intake_now(input->intake);
	ssize_t got = read(STDIN_FILENO, room, READ_BYTES);

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (got < 0)
		input->row->counts.bad_frames++;
	input->held.len += got > 0 ? (size_t)got : 0;
	input->ended = got <= 0;
	stdin_take(input);
	if (input->ended)
		watch_set(input->watch, 0, NULL);
}

static void stdin_close(struct input *input)
{
	if (input == NULL)
		return;
	watch_remove(input->watch);
	if (input->bell >= 0)
		close(input->bell);
	buf_free(&input->held);
	free(input);
}

static int stdin_watch(struct input *input, struct error *error)
{
	struct loop *loop = input->intake->loop;

	if (watch_add(&input->watch, loop, STDIN_FILENO, WATCH_READ, stdin_ready, input, error) ==
	    0)
		return 0;
	error_clear(error);
	input->bell = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
	if (input->bell < 0)
		return error_system(error, errno, TEXT_base_open, "eventfd");
	return watch_add(
	    &input->watch, loop, input->bell, WATCH_READ, stdin_ready, input, error);
}

static int stdin_rule(struct input *input, struct error *error)
{
	const struct config *config = input->intake->config;

	input->joiner = (struct joiner){.limit = input->intake->options->frame_limit,
	    .lines = (size_t)config_number(config, CONFIG_FILE_MULTILINE_LINES)};
	for (size_t i = 0; i < config_count(config, CONFIG_FILE_MULTILINE); i++) {
		struct str rule = config_item(config, CONFIG_FILE_MULTILINE, i);

		if (str_eq(config_name(config, CONFIG_FILE_MULTILINE, i), STR("-")) &&
		    !joiner_parse(rule, &input->joiner))
			return error_set(
			    error, ERR_DOCUMENT, TEXT_collector_multiline, STR_ARG(rule));
	}
	return 0;
}

static int stdin_open(
    struct input **ret, struct intake *intake, const char *address, struct error *error)
{
	struct input *input = calloc(1, sizeof(*input));
	struct str sender = config_text(intake->config, CONFIG_FILE_SENDER);
	char host[64] = "localhost";

	(void)address;
	if (input == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	*input = (struct input){.intake = intake, .bell = -1, .held = BUF(16u << 20)};
	if (sender.len == 0 && gethostname(host, sizeof(host) - 1) == 0)
		sender = str_of(host);
	input->row = ledger_local(intake->ledger, "stdin", sender);
	int code = input->row == NULL ? error_set(error, ERR_MEMORY, TEXT_base_memory)
				      : stdin_rule(input, error);

	if (code == 0)
		code = stdin_watch(input, error);
	if (code < 0)
		stdin_close(input);
	else
		*ret = input;
	return code;
}

static void stdin_pause(struct input *input, bool paused)
{
	watch_set(input->watch, paused || input->ended ? 0 : WATCH_READ, NULL);
}

/* What came in part is an event: nobody will bring the rest. */
static void stdin_finish(struct input *input)
{
	input->ended = true;
	stdin_take(input);
	watch_set(input->watch, 0, NULL);
}

static void stdin_tick(struct input *input)
{
	(void)input;
}

static unsigned stdin_port(const struct input *input)
{
	(void)input;
	return 0;
}

static bool stdin_ended(const struct input *input)
{
	return input->ended;
}

const struct input_kind input_stdin = {
    .name = "stdin",
    .listen = CONFIG_STDIN_READ,
    .summary = "standard input, to its end",
    .open = stdin_open,
    .close = stdin_close,
    .pause = stdin_pause,
    .finish = stdin_finish,
    .tick = stdin_tick,
    .port = stdin_port,
    .ended = stdin_ended,
};
