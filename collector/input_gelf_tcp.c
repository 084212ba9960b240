/*
 * GELF over TCP: documents that end in NUL, never packed, handed on verbatim. The protocol has no
 * answer.
 */
#include "collector/stream.h"

struct state {
	bool passing; /* over what is left of a document that was cut */
};

static void give(struct stream *stream, struct str document, bool cut)
{
	struct str text = str_trim(document);

	stream_row(stream)->counts.frames++;
	if (text.len > 0)
		stream_event(stream, text, cut, NULL);
}

/* A document of which there is more than an event can hold is cut, and the rest passed over. */
static bool gelf_take(struct stream *stream, struct str *bytes, bool end)
{
	struct state *state = stream_state(stream);
	size_t limit = stream_intake(stream)->options->frame_limit;

	for (;;) {
		size_t at = str_find_char(*bytes, '\0');
		bool whole = at != STR_NOT_FOUND || end;
		struct str document = str_slice(*bytes, 0, at);

		if (!whole && !state->passing && document.len <= limit)
			return true;
		if (!state->passing)
			give(stream, str_slice(document, 0, limit), document.len > limit);
		state->passing = !whole;
		*bytes = str_slice(*bytes, at == STR_NOT_FOUND ? bytes->len : at + 1, bytes->len);
		if (at == STR_NOT_FOUND)
			return true;
	}
}

static const struct stream_kind kind = {
    .name = "gelf-tcp",
    .transport = TRANSPORT_GELF,
    .state_bytes = sizeof(struct state),
    .partial_max = INTAKE_SCRATCH / 2,
    .take = gelf_take,
};

static int gelf_open(
    struct input **ret, struct intake *intake, const char *address, struct error *error)
{
	return streams_open(ret, &kind, intake, address, error);
}

const struct input_kind input_gelf_tcp = {
    .name = "gelf-tcp",
    .summary = "GELF over TCP",
    .listen = CONFIG_GELF_TCP_LISTEN,
    .open = gelf_open,
    .close = streams_close,
    .pause = streams_pause,
    .finish = streams_finish,
    .tick = streams_tick,
    .port = streams_port,
};
