#include "base/json_cut.h"

#include <string.h>

/* What may stand next. */
enum next {
	NEXT_VALUE,
	NEXT_ELEMENT, /* of an array that has just begun: a value, or its end */
	NEXT_FIRST,   /* of an object that has just begun: a key, or its end */
	NEXT_KEY,
	NEXT_AFTER    /* a comma or an end */
};

struct cut {
	const char *at, *end;
	uint64_t objects; /* a bit for each level: an object, not an array */
	unsigned depth;
	enum next next;
};

static const char *skip_space(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
		at++;
	return at;
}

void json_cut_space(struct str *rest)
{
	if (rest->len == 0)
		return;
	const char *at = skip_space(rest->ptr, rest->ptr + rest->len);

	*rest = str_slice(*rest, (size_t)(at - rest->ptr), rest->len);
}

/* at: the opening quote. The place behind the closing one; NULL: there is none. */
static const char *skip_string(const char *at, const char *end)
{
	for (const char *from = at + 1; from < end;) {
		const char *quote = memchr(from, '"', (size_t)(end - from)), *back = quote;

		if (quote == NULL)
			return NULL;
		while (back > from && back[-1] == '\\')
			back--;
		if ((quote - back) % 2 == 0)
			return quote + 1;
		from = quote + 1;
	}
	return NULL;
}

static const char *skip_word(const char *at, const char *end)
{
	static const struct str words[] = {STR_INIT("true"), STR_INIT("false"), STR_INIT("null")};
	struct str rest = str_from(at, (size_t)(end - at));

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (str_starts(rest, words[i]))
			return at + words[i].len;
	const char *begin = at;

	while (at < end && (char_is_digit(*at) || *at == '-' || *at == '+' || *at == '.' ||
			       *at == 'e' || *at == 'E'))
		at++;
	return at == begin || *begin == 'e' || *begin == 'E' || *begin == '.' ? NULL : at;
}

static bool cut_open(struct cut *cut, bool object)
{
	if (cut->depth == JSON_CUT_DEPTH)
		return false;
	cut->objects = cut->objects << 1 | object;
	cut->depth++;
	cut->next = object ? NEXT_FIRST : NEXT_ELEMENT;
	cut->at++;
	return true;
}

static bool cut_close(struct cut *cut, char c)
{
	if (cut->depth == 0 || ((cut->objects & 1) != 0) != (c == '}'))
		return false;
	cut->objects >>= 1;
	cut->depth--;
	cut->next = NEXT_AFTER;
	cut->at++;
	return true;
}

static bool cut_value(struct cut *cut)
{
	char c = *cut->at;

	if (c == '{' || c == '[')
		return cut_open(cut, c == '{');
	if (c == ']' && cut->next == NEXT_ELEMENT)
		return cut_close(cut, c);
	cut->at = c == '"' ? skip_string(cut->at, cut->end) : skip_word(cut->at, cut->end);
	cut->next = NEXT_AFTER;
	return cut->at != NULL;
}

static bool cut_key(struct cut *cut)
{
	if (*cut->at == '}' && cut->next == NEXT_FIRST)
		return cut_close(cut, '}');
	if (*cut->at != '"')
		return false;
	cut->at = skip_string(cut->at, cut->end);
	if (cut->at == NULL)
		return false;
	cut->at = skip_space(cut->at, cut->end);
	if (cut->at == cut->end || *cut->at != ':')
		return false;
	cut->at++;
	cut->next = NEXT_VALUE;
	return true;
}

static bool cut_after(struct cut *cut)
{
	if (*cut->at != ',')
		return (*cut->at == '}' || *cut->at == ']') && cut_close(cut, *cut->at);
	cut->at++;
	cut->next = (cut->objects & 1) != 0 ? NEXT_KEY : NEXT_VALUE;
	return true;
}

static bool cut_step(struct cut *cut)
{
	switch (cut->next) {
	case NEXT_AFTER:
		return cut_after(cut);
	case NEXT_KEY:
	case NEXT_FIRST:
		return cut_key(cut);
	case NEXT_VALUE:
	case NEXT_ELEMENT:
		break;
	}
	return cut_value(cut);
}

static bool is_key(const struct cut *cut, struct str key)
{
	return (size_t)(cut->end - cut->at) >= key.len + 2 && cut->at[0] == '"' &&
	    cut->at[key.len + 1] == '"' && memcmp(cut->at + 1, key.ptr, key.len) == 0;
}

/* key: NULL, or of the outermost object, whose value is looked for. */
static inline __attribute__((always_inline)) bool cut_run(
    struct str *rest, struct str *ret, const struct str *key, struct str *value)
{
	struct str text = *rest;
	struct cut cut = {.next = NEXT_VALUE};
	bool wanted = false, inside = false;

	json_cut_space(&text);
	cut.at = text.ptr;
	cut.end = text.len > 0 ? text.ptr + text.len : text.ptr;
	do {
		cut.at = skip_space(cut.at, cut.end);
		if (cut.at == cut.end)
			return false;
		if (key != NULL && cut.depth == 1 && (cut.objects & 1) != 0) {
			if (cut.next == NEXT_KEY || cut.next == NEXT_FIRST)
				wanted = is_key(&cut, *key);
			inside = wanted && cut.next == NEXT_VALUE;
			if (inside)
				*value = str_from(cut.at, 0);
		}
		if (!cut_step(&cut))
			return false;
		if (key != NULL && inside && cut.depth == 1) {
			value->len = (size_t)(cut.at - value->ptr);
			inside = wanted = false;
		}
	} while (cut.depth > 0 || cut.next != NEXT_AFTER);
	size_t len = (size_t)(cut.at - text.ptr);

	*ret = str_slice(text, 0, len);
	*rest = str_slice(text, len, text.len);
	return true;
}

bool json_cut(struct str *rest, struct str *ret)
{
	return cut_run(rest, ret, NULL, NULL);
}

bool json_cut_with(struct str *rest, struct str *ret, struct str key, struct str *value)
{
	*value = STR_NONE;
	return cut_run(rest, ret, &key, value);
}

/* Steps over the bracket or the comma; false at the end. */
static bool step_in(struct str *inside, char open)
{
	if (inside->len == 0 || (inside->ptr[0] != open && inside->ptr[0] != ','))
		return false;
	*inside = str_slice(*inside, 1, inside->len);
	return true;
}

bool json_cut_element(struct str *inside, struct str *value)
{
	bool there = step_in(inside, '[') && json_cut(inside, value);

	json_cut_space(inside);
	if (!there)
		*inside = STR_NONE;
	return there;
}

bool json_cut_member(struct str *inside, struct str *key, struct str *value)
{
	bool there = step_in(inside, '{') && json_cut(inside, key) && json_cut_string(*key, key);

	json_cut_space(inside);
	if (there && inside->len > 0)
		*inside = str_slice(*inside, 1, inside->len);
	there = there && json_cut(inside, value);
	json_cut_space(inside);
	if (!there)
		*inside = STR_NONE;
	return there;
}

struct str json_cut_get(struct str object, struct str key)
{
	struct str name, value, found = STR_NONE;

	while (json_cut_member(&object, &name, &value))
		if (str_eq(name, key))
			found = value;
	return found;
}

bool json_cut_string(struct str value, struct str *ret)
{
	if (value.len < 2 || value.ptr[0] != '"')
		return false;
	*ret = str_slice(value, 1, value.len - 1);
	return true;
}
