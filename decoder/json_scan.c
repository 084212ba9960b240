#include "decoder/json_scan.h"

#include "decoder/json_unescape.h"
#include "decoder/scan.h"

#include <string.h>

/*
 * One pass, by recursive descent, bounded by depth: what is meant, in the plainest way.
 * json_fields.c does the same quickly, and is held against this one.
 */

struct scanner {
	const char *at, *end;
	unsigned depth;
	struct arena *arena;
	json_scan_fn *give;
	void *context;
};

static bool scan_value(struct scanner *s, struct str name);

static void space(struct scanner *s)
{
	while (
	    s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
		s->at++;
}

static bool take(struct scanner *s, char c)
{
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

/* No escape is shorter than what it stands for, so the raw length is room enough. */
static bool unescape(struct scanner *s, struct str raw, struct str *ret)
{
	const char *at = raw.ptr, *end = raw.ptr + raw.len;
	char *start = arena_alloc(s->arena, raw.len), *out = start, bytes[4];
	size_t len, taken;

	if (start == NULL)
		return false;
	while (at < end) {
		if (*at != '\\') {
			*out++ = *at++;
			continue;
		}
		if ((taken = json_unescape_one(bytes, at, end, &len)) == 0)
			return false;
		memcpy(out, bytes, len);
		out += len;
		at += taken;
	}
	*ret = str_from(start, (size_t)(out - start));
	return true;
}

/* Behind the opening quote. */
static bool scan_string(struct scanner *s, struct str *ret)
{
	const char *start = s->at;
	bool escaped = false;

	while (s->at < s->end && *s->at != '"') {
		if (*s->at == '\\') {
			escaped = true;
			s->at++;
			if (s->at == s->end)
				return false;
		}
		s->at++;
	}
	*ret = str_from(start, (size_t)(s->at - start));
	if (!take(s, '"'))
		return false;
	return !escaped || unescape(s, *ret, ret);
}

static bool digits(struct scanner *s)
{
	const char *start = s->at;

	while (s->at < s->end && char_is_digit(*s->at))
		s->at++;
	return s->at > start;
}

static bool scan_number(struct scanner *s, struct str name)
{
	const char *start = s->at;

	take(s, '-');
	if (!digits(s))
		return false;
	if (take(s, '.') && !digits(s))
		return false;
	if (take(s, 'e') || take(s, 'E')) {
		if (!take(s, '+'))
			take(s, '-');
		if (!digits(s))
			return false;
	}
	s->give(s->context, name, FIELD_NUMBER, str_from(start, (size_t)(s->at - start)));
	return true;
}

static bool scan_constant(struct scanner *s, struct str name, struct str word, enum field_kind kind)
{
	if (!str_starts(str_from(s->at, (size_t)(s->end - s->at)), word))
		return false;
	s->give(s->context, name, kind, str_from(s->at, word.len));
	s->at += word.len;
	return true;
}

static bool join(struct scanner *s, struct str outer, struct str key, struct str *ret)
{
	char *name;

	*ret = key;
	if (outer.ptr == NULL)
		return true;
	name = arena_alloc(s->arena, outer.len + 1 + key.len);
	if (name == NULL)
		return false;
	memcpy(name, outer.ptr, outer.len);
	name[outer.len] = '.';
	if (key.len > 0)
		memcpy(name + outer.len + 1, key.ptr, key.len);
	*ret = str_from(name, outer.len + 1 + key.len);
	return true;
}

static bool scan_member(struct scanner *s, struct str outer)
{
	struct str key, name;

	space(s);
	if (!take(s, '"') || !scan_string(s, &key))
		return false;
	space(s);
	return take(s, ':') && join(s, outer, key, &name) && scan_value(s, name);
}

/* Behind the opening bracket, up to and with the closing one. */
static bool scan_list(
    struct scanner *s, struct str name, char close, bool (*scan_item)(struct scanner *, struct str))
{
	bool more = true;

	if (s->depth == 0)
		return false;
	s->depth--;
	space(s);
	if (take(s, close)) {
		s->depth++;
		return true;
	}
	while (more) {
		if (!scan_item(s, name))
			return false;
		space(s);
		more = take(s, ',');
	}
	s->depth++;
	return take(s, close);
}

static bool scan_value(struct scanner *s, struct str name)
{
	struct str value;

	space(s);
	if (s->at == s->end)
		return false;
	switch (*s->at) {
	case '"':
		s->at++;
		if (!scan_string(s, &value))
			return false;
		s->give(s->context, name, FIELD_STRING, value);
		return true;
	case '{':
		s->at++;
		return scan_list(s, name, '}', scan_member);
	case '[':
		s->at++;
		return scan_list(s, name, ']', scan_value);
	case 't':
		return scan_constant(s, name, STR("true"), FIELD_BOOL);
	case 'f':
		return scan_constant(s, name, STR("false"), FIELD_BOOL);
	case 'n':
		return scan_constant(s, name, STR("null"), FIELD_NULL);
	default:
		return scan_number(s, name);
	}
}

bool json_scan(
    struct str text, unsigned depth, struct arena *arena, json_scan_fn *give, void *context)
{
	struct scanner s = {.at = text.ptr,
	    .end = text.len > 0 ? text.ptr + text.len : text.ptr,
	    .depth = depth,
	    .arena = arena,
	    .give = give,
	    .context = context};

	space(&s);
	if (!take(&s, '{') || !scan_list(&s, STR_NONE, '}', scan_member))
		return false;
	space(&s);
	return s.at == s.end;
}
