/*
 * Lumberjack version 2, as Beats speak it to Logstash. Documents are handed on verbatim. An ACK
 * tells the last sequence of which everything before is durable, within its window; while the bus
 * is slow, the last one is told again every few seconds, or Beats would give up. What the bus
 * refused is not acknowledged, and the connection is closed: Beats send it again. The protocol has
 * no names for events, so what comes again is an event again.
 */
#include "collector/answers.h"
#include "collector/inflate.h"
#include "collector/lumberjack.h"

#include "base/clock.h"

#define WINDOW_MAX   65536u /* events in a window, and events that are not answered yet */
#define FINAL	     (UINT64_C(1) << 32) /* of its window; the sequence stands below */
#define KEEPALIVE_NS (5 * NS_PER_S)
#define FRAME_NS     (60 * NS_PER_S) /* a frame that has begun is whole by then */
#define RATIO	     250u            /* what packed bytes grow to, beyond the first */
#define GROWS_ALWAYS (1u << 20)

struct shared {
	uint64_t bytes; /* of frames that have come in part */
};

struct state {
	struct answers answers;
	struct answer *batch; /* of the events that have arrived together, while in take */
	uint32_t left;        /* events that the window still has */
	uint32_t acked;       /* last told of the window that is answered now */
	uint64_t owed;
	int64_t told_ns;      /* something was written, or nothing was owed */
	struct buf frame;     /* that has come in part */
	size_t whole;         /* its length; 0: none */
	int64_t begun_ns;
};

static int64_t number_of(const struct stream *stream, enum config_key key)
{
	return config_number(stream_intake(stream)->config, key);
}

static bool tell(struct stream *stream)
{
	struct state *state = stream_state(stream);
	char bytes[LUMBERJACK_ACK];

	state->told_ns = stream_intake(stream)->now_ns;
	return stream_write(stream, lumberjack_ack(state->acked, bytes));
}

/* The note counts the events, 4 bytes each would be too many: it is one number. */
static void lumberjack_give(struct stream *stream, const struct answer *answer)
{
	struct state *state = stream_state(stream);

	state->owed -= get_u32(answer->note.ptr);
	state->acked = (uint32_t)answer->number;
	if (!answer->durable || !tell(stream)) {
		stream_finish(stream);
		return;
	}
	if ((answer->number & FINAL) != 0)
		state->acked = 0;
	if (state->owed <= WINDOW_MAX / 2)
		stream_hold(stream, false);
}

static void batch_end(struct state *state)
{
	struct answer *batch = state->batch;

	state->batch = NULL;
	if (batch != NULL)
		answer_settle(batch);
}

static bool batch_begin(struct stream *stream)
{
	struct state *state = stream_state(stream);

	if (state->batch != NULL)
		return true;
	if (state->answers.count == 0)
		state->told_ns = stream_intake(stream)->now_ns;
	state->batch = answer_new(&state->answers, 4);
	if (state->batch == NULL)
		return false;
	buf_u32(&state->batch->note, 0);
	return !state->batch->note.failed;
}

static bool serve_event(struct stream *stream, const struct lumberjack_frame *frame)
{
	struct state *state = stream_state(stream);
	size_t limit = stream_intake(stream)->options->frame_limit;
	char *count;

	if (state->left == 0 || !batch_begin(stream))
		return false;
	count = state->batch->note.ptr;
	set_u32(count, get_u32(count) + 1);
	state->owed++;
	if (frame->data.len > 0)
		stream_event(stream, str_slice(frame->data, 0, limit), frame->data.len > limit,
		    state->batch->ticket);
	state->batch->number = frame->number;
	if (--state->left > 0)
		return true;
	state->batch->number |= FINAL;
	batch_end(state);
	return true;
}

/* Packed frames are events and nothing else. */
static bool serve_frames(struct stream *stream, struct str frames)
{
	struct lumberjack_frame frame;
	size_t whole;

	while (frames.len > 0) {
		if (lumberjack_next(&frames, frames.len, &frame, &whole) != LUMBERJACK_FRAME ||
		    frame.kind != 'J' || !serve_event(stream, &frame))
			return false;
	}
	return true;
}

static bool serve_packed(struct stream *stream, struct str packed)
{
	uint64_t most = (uint64_t)number_of(stream, CONFIG_LUMBERJACK_INFLATED);
	uint64_t grown = GROWS_ALWAYS + (uint64_t)packed.len * RATIO;
	struct buf frames = BUF((size_t)(grown < most ? grown : most));
	bool good = inflate_all(&frames, packed) == INFLATE_DONE &&
	    serve_frames(stream, buf_str(&frames));

	buf_free(&frames);
	return good;
}

static bool lumberjack_serve(struct stream *stream, const struct lumberjack_frame *frame)
{
	struct state *state = stream_state(stream);

	stream_row(stream)->counts.frames++;
	stream_progress(stream);
	switch (frame->kind) {
	case 'J':
		return serve_event(stream, frame);
	case 'C':
		return serve_packed(stream, frame->data);
	default:
		break;
	}
	/* One window ends before the next begins. */
	if (state->left > 0 || frame->number > WINDOW_MAX)
		return false;
	state->left = frame->number;
	return true;
}

/* ---- reading ---- */

static void frame_drop(struct stream *stream)
{
	struct shared *shared = stream_shared(stream);
	struct state *state = stream_state(stream);

	shared->bytes -= state->frame.len;
	buf_free(&state->frame);
	state->frame = BUF(0);
	state->whole = 0;
}

/* Into memory of its own, as far as it has come. */
static bool frame_fill(struct stream *stream, struct str *bytes)
{
	struct shared *shared = stream_shared(stream);
	struct state *state = stream_state(stream);
	struct str part = str_slice(*bytes, 0, state->whole - state->frame.len);

	if (shared->bytes + part.len > (uint64_t)number_of(stream, CONFIG_LUMBERJACK_MEMORY)) {
		stream_row(stream)->counts.refused_connections++;
		return false;
	}
	buf_str_put(&state->frame, part);
	if (state->frame.failed)
		return false;
	shared->bytes += part.len;
	*bytes = str_slice(*bytes, part.len, bytes->len);
	return true;
}

static bool take_kept(struct stream *stream, struct str *bytes, bool *more)
{
	struct state *state = stream_state(stream);
	struct lumberjack_frame frame;
	size_t whole;

	if (!frame_fill(stream, bytes))
		return false;
	*more = state->frame.len == state->whole;
	if (!*more)
		return true;
	struct str rest = buf_str(&state->frame);
	bool good =
	    lumberjack_next(&rest, state->whole, &frame, &whole) == LUMBERJACK_FRAME &&
	    lumberjack_serve(stream, &frame);

	stream_row(stream)->counts.bad_frames += !good;
	frame_drop(stream);
	return good;
}

static bool take_next(struct stream *stream, struct str *bytes, bool *more)
{
	struct state *state = stream_state(stream);
	size_t data_max = (size_t)number_of(stream, CONFIG_LUMBERJACK_FRAME);
	struct lumberjack_frame frame;

	switch (lumberjack_next(bytes, data_max, &frame, &state->whole)) {
	case LUMBERJACK_FRAME:
		state->whole = 0;
		if (lumberjack_serve(stream, &frame))
			return true;
		break;
	case LUMBERJACK_MORE:
		state->frame = BUF(state->whole);
		state->begun_ns = stream_intake(stream)->now_ns;
		*more = state->whole > 0;
		return true;
	case LUMBERJACK_BAD:
		break;
	}
	stream_row(stream)->counts.bad_frames++;
	return false;
}

/* A frame that is not whole at the end is none. */
static bool lumberjack_take(struct stream *stream, struct str *bytes, bool end)
{
	struct state *state = stream_state(stream);
	bool more = true, goes_on = true;

	(void)end;
	while (goes_on && more && state->owed < WINDOW_MAX)
		goes_on = state->whole > 0 ? take_kept(stream, bytes, &more)
					   : take_next(stream, bytes, &more);
	batch_end(state);
	if (goes_on && state->owed >= WINDOW_MAX)
		stream_hold(stream, true);
	return goes_on;
}

static void lumberjack_tick(struct stream *stream)
{
	struct state *state = stream_state(stream);
	int64_t now_ns = stream_intake(stream)->now_ns;

	if (state->answers.count > 0 && now_ns - state->told_ns >= KEEPALIVE_NS)
		tell(stream);
	if (state->whole > 0 && now_ns - state->begun_ns > FRAME_NS) {
		stream_row(stream)->counts.bad_frames++;
		frame_drop(stream);
		stream_finish(stream);
	}
}

static bool lumberjack_begin(struct stream *stream)
{
	struct state *state = stream_state(stream);

	answers_begin(&state->answers, stream, lumberjack_give);
	return true;
}

static bool lumberjack_owes(const struct stream *stream)
{
	return ((const struct state *)stream_state_of(stream))->answers.count > 0;
}

static void lumberjack_end(struct stream *stream)
{
	struct state *state = stream_state(stream);

	answers_end(&state->answers);
	frame_drop(stream);
}

static const struct stream_kind kind = {
    .name = "lumberjack",
    .transport = TRANSPORT_LUMBERJACK,
    .state_bytes = sizeof(struct state),
    .shared_bytes = sizeof(struct shared),
    .partial_max = INTAKE_SCRATCH / 2,
    .patience_ns = FRAME_NS,
    .begin = lumberjack_begin,
    .take = lumberjack_take,
    .tick = lumberjack_tick,
    .owes = lumberjack_owes,
    .end = lumberjack_end,
};

static int lumberjack_open(
    struct input **ret, struct intake *intake, const char *address, struct error *error)
{
	return streams_open(ret, &kind, intake, address, error);
}

const struct input_kind input_lumberjack = {
    .name = "lumberjack",
    .summary = "Lumberjack 2 (Beats)",
    .listen = CONFIG_LUMBERJACK_LISTEN,
    .open = lumberjack_open,
    .close = streams_close,
    .pause = streams_pause,
    .finish = streams_finish,
    .tick = streams_tick,
    .port = streams_port,
};
