/*
 * The longest run of plain ASCII characters at the top level of an expression, folded: whatever the
 * expression matches contains it, with or without case. Where the syntax is not understood the
 * answer is the empty text, which is always right.
 */
#include "sigma/regex.h"

#include <string.h>

struct reader {
	struct str pattern;
	size_t at;
	char *run, *best; /* room for the whole pattern each */
	size_t run_len, best_len;
	bool lost;        /* something was not understood */
};

static void run_end(struct reader *reader)
{
	if (reader->run_len > reader->best_len) {
		memcpy(reader->best, reader->run, reader->run_len);
		reader->best_len = reader->run_len;
	}
	reader->run_len = 0;
}

static char peek(const struct reader *reader, size_t ahead)
{
	size_t at = reader->at + ahead;

	return at < reader->pattern.len ? reader->pattern.ptr[at] : '\0';
}

/* Behind '\'. Letters that stand for one character of a kind, or for a place, end the run. */
static void escape_read(struct reader *reader)
{
	static const char kinds[] = "dDsSwWbBAzZGhHvVRnrtfea";
	char c = peek(reader, 0);

	reader->at++;
	if (char_is_alpha(c) || char_is_digit(c) || c == '\0' || (uint8_t)c >= 0x80) {
		run_end(reader);
		reader->lost |= c == '\0' || strchr(kinds, c) == NULL;
	} else {
		reader->run[reader->run_len++] = c;
	}
}

/* Behind '['. A ']' that comes first is a member. */
static void class_skip(struct reader *reader)
{
	if (peek(reader, 0) == '^')
		reader->at++;
	if (peek(reader, 0) == ']')
		reader->at++;
	while (reader->at < reader->pattern.len && peek(reader, 0) != ']') {
		/* A class of classes and \Q would need more care. */
		reader->lost |=
		    peek(reader, 0) == '[' || (peek(reader, 0) == '\\' && peek(reader, 1) == 'Q');
		reader->at += peek(reader, 0) == '\\' ? 2 : 1;
	}
	reader->at++;
}

/*
 * Behind '('. An extended expression ("(?x)") has blanks and comments, a verb has no text, and in a
 * comment ("(?#") brackets do not pair.
 */
static void group_skip(struct reader *reader)
{
	size_t depth = 1;

	reader->lost |=
	    peek(reader, 0) == '*' || (peek(reader, 0) == '?' && peek(reader, 1) == '#');
	for (size_t i = 1; peek(reader, 0) == '?' && peek(reader, i) != ':' &&
			   peek(reader, i) != ')' && peek(reader, i) != '\0';
	     i++)
		reader->lost |= peek(reader, i) == 'x';
	while (reader->at < reader->pattern.len && depth > 0) {
		char c = peek(reader, 0);

		reader->at += c == '\\' ? 2 : 1;
		if (c == '(')
			depth++;
		else if (c == ')')
			depth--;
		else if (c == '[')
			class_skip(reader);
		else if (c == '\\')
			reader->lost |= reader->at > reader->pattern.len ||
			    reader->pattern.ptr[reader->at - 1] == 'Q';
	}
	reader->lost |= depth > 0;
}

/* What a '?' or '*' or "{0,...}" stands behind may be absent. A '{' of another kind is a character. */
static void optional_read(struct reader *reader, char c)
{
	if (reader->run_len > 0)
		reader->run_len--;
	run_end(reader);
	while (c == '{' && (char_is_digit(peek(reader, 0)) || peek(reader, 0) == ','))
		reader->at++;
}

static void character_read(struct reader *reader, char c)
{
	switch (c) {
	case '\\':
		escape_read(reader);
		break;
	case '[':
		run_end(reader);
		class_skip(reader);
		break;
	case '(':
		run_end(reader);
		group_skip(reader);
		break;
	case '|':
		reader->lost = true;
		break;
	case '?':
	case '*':
	case '{':
		optional_read(reader, c);
		break;
	case '.':
	case '^':
	case '$':
	case '+':
	case ')':
	case '}':
		run_end(reader);
		break;
	default:
		if ((uint8_t)c >= 0x80)
			run_end(reader);
		else
			reader->run[reader->run_len++] = char_lower(c);
	}
}

struct str regex_literal(struct arena *arena, struct str pattern)
{
	struct reader reader = {.pattern = pattern, .run = arena_alloc(arena, pattern.len + 1),
	    .best = arena_alloc(arena, pattern.len + 1)};

	if (reader.run == NULL || reader.best == NULL)
		return STR_NONE;
	while (reader.at < pattern.len && !reader.lost) {
		char c = peek(&reader, 0);

		reader.at++;
		character_read(&reader, c);
	}
	run_end(&reader);
	return reader.lost ? STR("") : str_from(reader.best, reader.best_len);
}
