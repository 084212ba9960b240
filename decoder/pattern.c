#include "decoder/pattern.h"

#include "decoder/scan.h"

struct hole {
	struct str name, value;
};

static size_t find_last(struct str text, struct str needle)
{
	for (size_t at = text.len; at + 1 > needle.len; at--) {
		if (str_eq(str_slice(text, at - needle.len, at), needle))
			return at - needle.len;
	}
	return STR_NOT_FOUND;
}

/* The end of a hole in text, before literal (empty: the pattern ends, or another hole follows). */
static size_t hole_end(struct str text, char mode, struct str literal)
{
	size_t space = str_find_char(text, ' ');
	size_t word = space == STR_NOT_FOUND ? text.len : space;

	if (literal.len == 0)
		return mode == '\0' ? word : text.len;
	if (mode == '*')
		return find_last(text, literal);
	size_t at = str_find(text, literal);
	if (mode == '\0' && at != STR_NOT_FOUND && at > word)
		return STR_NOT_FOUND;
	return at;
}

static struct str take_literal(struct str *pattern)
{
	size_t n = str_find_char(*pattern, '{');
	struct str literal = str_slice(*pattern, 0, n == STR_NOT_FOUND ? pattern->len : n);

	scan_skip(pattern, literal.len);
	return literal;
}

/* "{Name*}" off the pattern; its mode is the mark, or NUL. */
static struct str take_hole(struct str *pattern, char *ret_mode)
{
	struct str name = STR_NONE;
	char last;

	scan_skip(pattern, 1);
	scan_until(pattern, STR("}"), &name);
	last = scan_peek(name, name.len - 1);
	*ret_mode = last == '*' || last == '~' ? last : '\0';
	return *ret_mode == '\0' ? name : str_slice(name, 0, name.len - 1);
}

static bool pattern_match(
    struct str pattern, struct str text, struct hole *holes, size_t *ret_count)
{
	size_t count = 0;
	char mode;

	if (!scan_literal(&text, take_literal(&pattern)))
		return false;
	while (pattern.len > 0 && count < PATTERN_HOLES) {
		struct str name = take_hole(&pattern, &mode);
		struct str literal = take_literal(&pattern);
		size_t end = hole_end(text, mode, literal);

		if (end == STR_NOT_FOUND)
			return false;
		holes[count++] = (struct hole){name, str_slice(text, 0, end)};
		scan_skip(&text, end + literal.len);
	}
	*ret_count = count;
	return true;
}

void pattern_put(struct record *record, struct str name, struct str value)
{
	if (value.len == 0 || str_eq(name, STR("_")))
		return;
	bool number = value.len <= 18 && scan_all(value, char_is_digit);
	record_put_named(record, name, number ? FIELD_NUMBER : FIELD_STRING, value);
}

bool pattern_apply(struct record *record, const struct pattern *rows, size_t count, struct str text)
{
	struct hole holes[PATTERN_HOLES];
	size_t found = 0;

	for (size_t i = 0; i < count; i++) {
		if (!pattern_match(rows[i].text, text, holes, &found))
			continue;
		for (size_t h = 0; h < found; h++)
			pattern_put(record, holes[h].name, holes[h].value);
		if (rows[i].action.len > 0)
			record_put(record, FIELD_ACTION, rows[i].action);
		if (rows[i].outcome.len > 0)
			record_put(record, FIELD_OUTCOME, rows[i].outcome);
		return true;
	}
	return false;
}
