#include "collector/joiner.h"

#define LOOK 256u /* so much of a line tells whether it goes with the one before it */

struct rule_name {
	struct str name;
	enum join_rule rule;
};

static const struct rule_name names[] = {
    {STR_INIT("lines"), JOIN_LINES},
    {STR_INIT("indent"), JOIN_INDENT},
    {STR_INIT("java"), JOIN_JAVA},
    {STR_INIT("python"), JOIN_PYTHON},
};

bool joiner_parse(struct str text, struct joiner *ret)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (str_eq(text, names[i].name)) {
			ret->rule = names[i].rule;
			return true;
		}
	}
	if (!str_starts(text, STR("start:")) || text.len == 6)
		return false;
	ret->rule = JOIN_START;
	ret->pattern = str_slice(text, 6, text.len);
	return true;
}

static bool pattern_holds(struct str pattern, struct str line)
{
	size_t at = 0;

	for (size_t i = 0; i < pattern.len; i++, at++) {
		char c = pattern.ptr[i];

		if (at == line.len)
			return false;
		if (c == '\\' && i + 1 < pattern.len)
			c = pattern.ptr[++i];
		else if (c == '?' || (c == '#' && char_is_digit(line.ptr[at])))
			continue;
		else if (c == '#')
			return false;
		if (c != line.ptr[at])
			return false;
	}
	return true;
}

/* Where the lines seen so far have brought a Python traceback. */
enum trace { TRACE_NONE, TRACE_INSIDE, TRACE_OVER };

static bool is_indented(struct str line)
{
	return line.len > 0 && (line.ptr[0] == ' ' || line.ptr[0] == '\t');
}

static bool is_traceback(struct str line)
{
	return str_starts(line, STR("Traceback (most recent call last):"));
}

/*
 * Frames are indented, the exception behind them is not; one that was raised while another was
 * handled follows behind an empty line and a sentence.
 */
static bool python_continues(enum trace *trace, struct str line)
{
	if (is_traceback(line)) {
		*trace = TRACE_INSIDE;
		return true;
	}
	if (is_indented(line))
		return true;
	if (*trace == TRACE_INSIDE) {
		*trace = TRACE_OVER;
		return true;
	}
	return *trace == TRACE_OVER &&
	       (line.len == 0 || str_starts(line, STR("During handling of the above exception")) ||
		   str_starts(line, STR("The above exception was the direct cause")));
}

static bool continues(const struct joiner *joiner, enum trace *trace, struct str line)
{
	switch (joiner->rule) {
	case JOIN_LINES:
		break;
	case JOIN_INDENT:
		return is_indented(line);
	case JOIN_JAVA:
		return is_indented(line) || str_starts(line, STR("Caused by:")) ||
		       str_starts(line, STR("Suppressed:"));
	case JOIN_PYTHON:
		return python_continues(trace, line);
	case JOIN_START:
		return !pattern_holds(joiner->pattern, line);
	}
	return false;
}

/* The line at from; *ret_next: behind its end, or STR_NOT_FOUND while it has none. */
static struct str line_at(struct str bytes, size_t from, size_t *ret_next)
{
	struct str line = str_slice(bytes, from, bytes.len);
	size_t end = str_find_char(line, '\n');

	*ret_next = end == STR_NOT_FOUND ? STR_NOT_FOUND : from + end + 1;
	line = str_slice(line, 0, end == STR_NOT_FOUND ? line.len : end);
	if (end != STR_NOT_FOUND && line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

static struct joined none(size_t took, bool skip)
{
	return (struct joined){.took = took, .skip = skip};
}

static size_t pass_empty(struct str bytes, size_t at)
{
	for (;;) {
		size_t next;
		struct str line = line_at(bytes, at, &next);

		if (line.len > 0 || next == STR_NOT_FOUND)
			return at;
		at = next;
	}
}

/* The lines behind the first one that go with it. */
static struct joined join(
    const struct joiner *joiner, struct str bytes, size_t from, size_t next, enum join_end end)
{
	enum trace trace = TRACE_NONE;
	size_t lines = 1, first_next;
	struct str first = line_at(bytes, from, &first_next);
	struct joined result = {.event = first, .took = next};

	if (joiner->rule == JOIN_PYTHON)
		python_continues(&trace, first);
	for (;;) {
		size_t after;
		struct str line = line_at(bytes, next, &after);
		bool whole = after != STR_NOT_FOUND;

		if (!whole && end == JOIN_QUIET)
			return result;
		if (!whole && end == JOIN_CLOSED && line.len == 0)
			return result;
		if (!whole && end == JOIN_OPEN && line.len < LOOK)
			return none(from, false);
		if (!continues(joiner, &trace, line))
			return result;
		size_t len = (size_t)(line.ptr - bytes.ptr) + line.len - from;

		if (len > joiner->limit || lines == joiner->lines) {
			result.cut = true;
			return result;
		}
		if (!whole && end == JOIN_OPEN)
			return none(from, false);
		result.event = str_slice(bytes, from, from + len);
		result.took = whole ? after : bytes.len;
		if (!whole)
			return result;
		next = after;
		lines++;
	}
}

struct joined joiner_next(
    const struct joiner *joiner, struct str bytes, bool skip, enum join_end end)
{
	size_t at = 0, next;

	if (skip) {
		line_at(bytes, 0, &at);
		if (at == STR_NOT_FOUND)
			return none(bytes.len, end != JOIN_CLOSED);
	}
	at = pass_empty(bytes, at);
	struct str line = line_at(bytes, at, &next);
	bool whole = next != STR_NOT_FOUND;

	/* A CR at the end may be that of a line end which has not come yet. */
	if (line.len > joiner->limit &&
	    (whole || line.len > joiner->limit + 1 || line.ptr[joiner->limit] != '\r'))
		return (struct joined){.event = str_slice(line, 0, joiner->limit),
		    .cut = true,
		    .took = whole ? next : at + joiner->limit,
		    .skip = !whole};
	if (!whole && (end != JOIN_CLOSED || line.len == 0))
		return none(at, false);
	if (!whole)
		return (struct joined){
		    .event = str_slice(line, 0, joiner->limit), .took = bytes.len};
	if (joiner->rule == JOIN_LINES)
		return (struct joined){.event = line, .took = next};
	return join(joiner, bytes, at, next, end);
}
