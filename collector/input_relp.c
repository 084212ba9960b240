/*
 * RELP, as rsyslog's omrelp speaks it. A message is answered when its event is durable, in the
 * order of the messages; those that arrived together share a ticket. What the bus refused is not
 * answered at all, and the connection is closed: senders forget a message that is answered with an
 * error, and send again what was not answered. Who may not use this input is told so in the answer
 * to "open", and keeps what it has.
 */
#include "collector/answers.h"
#include "collector/relp.h"

#include <stdio.h>

#define WINDOW	     4096u /* messages that are not answered yet; then it is not read on */
#define SYSLOG	     0     /* the note: their numbers, 4 bytes each */
#define TEXT_ALREADY 1     /* the note: what is to be written */
#define FAREWELL     2     /* that, and then nothing more */

struct state {
	struct relp relp;
	struct answers answers;
	struct answer *batch; /* of the messages that have arrived together, while in take */
	size_t owed;
	bool open;
};

/* rsp: code and text; data follows behind a LF. */
static void put_response(struct buf *out, uint32_t txnr, struct str text)
{
	buf_printf(out, "%u rsp %zu ", txnr, text.len);
	buf_str_put(out, text);
	buf_char(out, '\n');
}

static void relp_give(struct stream *stream, const struct answer *answer)
{
	struct state *state = stream_state(stream);
	struct buf out = BUF(WINDOW * 32);

	if (!answer->durable) {
		stream_finish(stream);
		return;
	}
	if (answer->number != SYSLOG)
		buf_str_put(&out, buf_str(&answer->note));
	for (size_t at = 0; answer->number == SYSLOG && at < answer->note.len; at += 4) {
		put_response(&out, get_u32(answer->note.ptr + at), STR("200 OK"));
		state->owed--;
	}
	if (out.failed || !stream_write(stream, buf_str(&out)) || answer->number == FAREWELL)
		stream_finish(stream);
	buf_free(&out);
	if (state->owed <= WINDOW / 2)
		stream_hold(stream, false);
}

static void batch_end(struct state *state)
{
	struct answer *batch = state->batch;

	state->batch = NULL;
	if (batch != NULL)
		answer_settle(batch);
}

/* Something to say behind what is owed already. */
static bool say(struct state *state, int kind, struct str text)
{
	batch_end(state);
	struct answer *answer = answer_new(&state->answers, 1024);

	if (answer == NULL)
		return false;
	answer->number = (uint64_t)kind;
	buf_str_put(&answer->note, text);
	answer_settle(answer);
	return true;
}

static bool respond(struct state *state, uint32_t txnr, int kind, struct str text)
{
	struct buf out = BUF(512);

	put_response(&out, txnr, text);
	bool good = say(state, kind, buf_str(&out));

	buf_free(&out);
	return good;
}

/* ---- the commands ---- */

/* The offers are lines "name=value"; what we do not know of them is passed over. */
static bool offer_has(struct str offers, struct str name, struct str wanted)
{
	struct str line, value;

	while (str_cut(&offers, '\n', &line)) {
		size_t at = str_find_char(line, '=');

		if (at == STR_NOT_FOUND || !str_eq(str_slice(line, 0, at), name))
			continue;
		line = str_slice(line, at + 1, line.len);
		while (str_cut(&line, ',', &value))
			if (str_eq(str_trim(value), wanted))
				return true;
	}
	return false;
}

static bool serve_open(struct stream *stream, const struct relp_frame *frame)
{
	struct state *state = stream_state(stream);

	if (state->open || !offer_has(frame->data, STR("commands"), STR("syslog"))) {
		stream_row(stream)->counts.bad_frames++;
		respond(state, frame->txnr, FAREWELL, STR("500 the command syslog is not offered"));
		return false;
	}
	if (!stream_identify(stream, NULL)) {
		respond(state, frame->txnr, FAREWELL,
		    STR("500 this sender may not use this input"));
		return false;
	}
	state->open = true;
	/* Version 1 differs in nothing that is used here. */
	return respond(state, frame->txnr, TEXT_ALREADY,
	    offer_has(frame->data, STR("relp_version"), STR("1"))
		? STR("200 OK\nrelp_version=1\nrelp_software=tocsin\ncommands=syslog")
		: STR("200 OK\nrelp_version=0\nrelp_software=tocsin\ncommands=syslog"));
}

static bool serve_syslog(struct stream *stream, const struct relp_frame *frame)
{
	struct state *state = stream_state(stream);

	if (state->batch == NULL)
		state->batch = answer_new(&state->answers, WINDOW * 4);
	if (state->batch == NULL)
		return false;
	buf_u32(&state->batch->note, frame->txnr);
	state->owed++;
	stream_row(stream)->counts.frames++;
	/* An empty message is answered, and is no event. */
	if (str_trim(frame->data).len > 0)
		stream_event(stream, frame->data, frame->cut, state->batch->ticket);
	else
		stream_progress(stream);
	return !state->batch->note.failed;
}

static bool serve_close(struct stream *stream, const struct relp_frame *frame)
{
	char text[64];

	snprintf(text, sizeof(text), "%u rsp 0\n0 serverclose 0\n", frame->txnr);
	say(stream_state(stream), FAREWELL, str_of(text));
	return false;
}

static bool relp_serve(struct stream *stream, const struct relp_frame *frame)
{
	static const struct {
		struct str command;
		bool before_open;
		bool (*serve)(struct stream *stream, const struct relp_frame *frame);
	} commands[] = {
	    {STR_INIT("syslog"), false, serve_syslog},
	    {STR_INIT("open"), true, serve_open},
	    {STR_INIT("close"), true, serve_close},
	};
	struct state *state = stream_state(stream);

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (str_eq(frame->command, commands[i].command) &&
		    (state->open || commands[i].before_open))
			return commands[i].serve(stream, frame);
	}
	stream_row(stream)->counts.bad_frames++;
	respond(state, frame->txnr, state->open ? TEXT_ALREADY : FAREWELL,
	    state->open ? STR("500 no such command") : STR("500 not open"));
	return state->open;
}

static bool relp_begin(struct stream *stream)
{
	struct state *state = stream_state(stream);

	state->relp.limit = stream_intake(stream)->options->frame_limit;
	answers_begin(&state->answers, stream, relp_give);
	return true;
}

/* Until there are no more, or too many are owed: *full. */
static bool take_frames(struct stream *stream, struct str *bytes, bool *full)
{
	struct state *state = stream_state(stream);
	struct relp_frame frame;

	*full = false;
	while (state->owed < WINDOW) {
		switch (relp_next(&state->relp, bytes, &frame)) {
		case RELP_FRAME:
			if (!relp_serve(stream, &frame))
				return false;
			break;
		case RELP_MORE:
			return true;
		case RELP_BAD:
			stream_row(stream)->counts.bad_frames++;
			return false;
		}
	}
	*full = true;
	return true;
}

static bool relp_take(struct stream *stream, struct str *bytes, bool end)
{
	struct state *state = stream_state(stream);
	bool goes_on, full;

	do {
		goes_on = take_frames(stream, bytes, &full);
		batch_end(state);
	} while (goes_on && full && state->owed < WINDOW);
	if (goes_on && full)
		stream_hold(stream, true);
	/* We go, or it has gone; what is not answered by then it sends again elsewhere. */
	if (goes_on && end)
		say(state, FAREWELL, STR("0 serverclose 0\n"));
	return goes_on;
}

static bool relp_owes(const struct stream *stream)
{
	return ((const struct state *)stream_state_of(stream))->answers.count > 0;
}

static void relp_end(struct stream *stream)
{
	struct state *state = stream_state(stream);

	answers_end(&state->answers);
}

static const struct stream_kind kind = {
    .name = "relp",
    .transport = TRANSPORT_RELP,
    .state_bytes = sizeof(struct state),
    .partial_max = INTAKE_SCRATCH / 2,
    .identifies = true,
    .begin = relp_begin,
    .take = relp_take,
    .owes = relp_owes,
    .end = relp_end,
};

static int relp_open(
    struct input **ret, struct intake *intake, const char *address, struct error *error)
{
	return streams_open(ret, &kind, intake, address, error);
}

const struct input_kind input_relp = {
    .name = "relp",
    .summary = "RELP (rsyslog's omrelp)",
    .listen = CONFIG_RELP_LISTEN,
    .open = relp_open,
    .close = streams_close,
    .pause = streams_pause,
    .finish = streams_finish,
    .tick = streams_tick,
    .port = streams_port,
};
