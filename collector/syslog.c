#include "collector/syslog.h"

#define HEADER_MAX 512u /* the longest that RFC 5424 allows (section 6), and some */

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
	const char *at = rest->ptr;

	if (rest->len < 8 || at[0] != '<')
		return false;
	size_t end = at[2] == '>' ? 2 : at[3] == '>' ? 3 : 4;

	if (at[end] != '>' || at[end + 1] != '1' || at[end + 2] != ' ')
		return false;
	*rest = (struct str){at + end + 3, rest->len - end - 3};
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

/* The place behind a value whose opening quote stands before it; STR_NOT_FOUND: it has no end. */
static size_t value_end(struct str s, size_t at)
{
	for (;;) {
		size_t step = str_find_char(str_slice(s, at, s.len), '"'), slashes = 0;

		if (step == STR_NOT_FOUND)
			return STR_NOT_FOUND;
		while (slashes < step && s.ptr[at + step - 1 - slashes] == '\\')
			slashes++;
		at += step + 1;
		if (slashes % 2 == 0)
			return at;
	}
}

/* To behind the ']' of an element that is not looked at; within a value it ends nothing. */
static bool skip_element(struct str *rest)
{
	size_t at = 0;

	for (;;) {
		struct str s = str_slice(*rest, at, rest->len);
		size_t end = str_find_char(s, ']');

		if (end == STR_NOT_FOUND)
			return false;
		size_t quote = str_find_char(str_slice(s, 0, end), '"');

		if (quote == STR_NOT_FOUND) {
			*rest = str_slice(s, end + 1, s.len);
			return true;
		}
		size_t behind = value_end(s, quote + 1);

		if (behind == STR_NOT_FOUND)
			return false;
		at += behind;
	}
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

/*
 * The first '[' begins the structured data, behind TIMESTAMP HOSTNAME APP-NAME PROCID MSGID: most
 * lines have none, or none there, and are done with at one look. Only a field that holds a '[' (it
 * may, and none does) would hide it.
 */
static bool take_fields(struct str *rest)
{
	size_t at = str_find_char(str_slice(*rest, 0, HEADER_MAX), '[');
	unsigned spaces = 0;

	if (at == STR_NOT_FOUND || at == 0 || rest->ptr[at - 1] != ' ')
		return false;
	for (size_t i = 0; i < at; i++)
		spaces += rest->ptr[i] == ' ';
	*rest = str_slice(*rest, at, rest->len);
	return spaces == 5;
}

struct str syslog_sequence(struct str raw)
{
	struct str rest = raw, id, sequence;
	uint64_t number;

	if (!take_version(&rest) || !take_fields(&rest))
		return STR_NONE;
	while (rest.len > 0 && rest.ptr[0] == '[') {
		rest = str_slice(rest, 1, rest.len);
		if (!take_element(&rest, &id, &sequence))
			return STR_NONE;
		if (str_eq(id, STR("meta")))
			return str_to_u64(sequence, &number) ? sequence : STR_NONE;
	}
	return STR_NONE;
}
