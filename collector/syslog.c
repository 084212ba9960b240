#include "collector/syslog.h"

bool syslog_begin(struct stream *stream)
{
	struct framer *framer = stream_state(stream);

	*framer = framer_begin(stream_intake(stream)->options->frame_limit);
	return true;
}

bool syslog_take(struct stream *stream, struct str *bytes, bool end)
{
	struct framer *framer = stream_state(stream);
	struct str frame;
	bool cut;

	for (;;) {
		switch (framer_next(framer, bytes, end, &frame, &cut)) {
		case FRAMER_EVENT:
			stream_row(stream)->counts.frames++;
			stream_event(stream, frame, cut, NULL);
			break;
		case FRAMER_MORE:
			return true;
		case FRAMER_BAD:
			stream_row(stream)->counts.bad_frames++;
			return false;
		}
	}
}

/* ---- sequenceId ---- */

/* "<38>1 "; what is no RFC 5424 mostly goes here. */
static bool take_version(struct str *rest)
{
	size_t at = 1;

	if (rest->len < 8 || rest->ptr[0] != '<')
		return false;
	while (at < 5 && char_is_digit(rest->ptr[at]))
		at++;
	if (rest->ptr[at] != '>' || rest->ptr[at + 1] != '1' || rest->ptr[at + 2] != ' ')
		return false;
	*rest = str_slice(*rest, at + 3, rest->len);
	return true;
}

/* NAME="VALUE", in which \\ stands before what would end it. */
static bool take_param(struct str *rest, struct str *name, struct str *value)
{
	size_t quote = str_find(*rest, STR("=\""));
	size_t at = quote + 2;

	if (quote == STR_NOT_FOUND)
		return false;
	*name = str_slice(*rest, 0, quote);
	while (at < rest->len && rest->ptr[at] != '"')
		at += rest->ptr[at] == '\\' ? 2 : 1;
	if (at >= rest->len)
		return false;
	*value = str_slice(*rest, quote + 2, at);
	*rest = str_slice(*rest, at + 1, rest->len);
	return true;
}

/* To behind the ']' of an element that is not looked at; within a value it ends nothing. */
static bool skip_element(struct str *rest)
{
	bool quoted = false;

	for (size_t at = 0; at < rest->len; at++) {
		char c = rest->ptr[at];

		if (c == ']' && !quoted) {
			*rest = str_slice(*rest, at + 1, rest->len);
			return true;
		}
		at += c == '\\';
		quoted ^= c == '"';
	}
	return false;
}

/* *rest stands behind '[', and then behind ']'. False: that is no element. */
static bool take_element(struct str *rest, struct str *id, struct str *sequence)
{
	size_t end = 0;
	struct str name, value;

	while (end < rest->len && rest->ptr[end] != ' ' && rest->ptr[end] != ']')
		end++;
	*id = str_slice(*rest, 0, end);
	*sequence = STR_NONE;
	*rest = str_slice(*rest, end, rest->len);
	if (!str_eq(*id, STR("meta")))
		return skip_element(rest);
	while (rest->len > 0 && rest->ptr[0] == ' ') {
		*rest = str_slice(*rest, 1, rest->len);
		if (!take_param(rest, &name, &value))
			return false;
		if (str_eq(name, STR("sequenceId")))
			*sequence = value;
	}
	if (rest->len == 0 || rest->ptr[0] != ']')
		return false;
	*rest = str_slice(*rest, 1, rest->len);
	return true;
}

struct str syslog_sequence(struct str raw)
{
	struct str rest = raw, id, sequence;
	uint64_t number;

	if (!take_version(&rest))
		return STR_NONE;
	/* TIMESTAMP HOSTNAME APP-NAME PROCID MSGID */
	for (int field = 0; field < 5; field++) {
		size_t space = str_find_char(rest, ' ');

		if (space == STR_NOT_FOUND)
			return STR_NONE;
		rest = str_slice(rest, space + 1, rest.len);
	}
	while (rest.len > 0 && rest.ptr[0] == '[') {
		rest = str_slice(rest, 1, rest.len);
		if (!take_element(&rest, &id, &sequence))
			return STR_NONE;
		if (str_eq(id, STR("meta")))
			return str_to_u64(sequence, &number) ? sequence : STR_NONE;
	}
	return STR_NONE;
}
