#include "decoder/json_scan.h"

#include "decoder/scan.h"

#include <string.h>

/*
 * One pass, by recursive descent, bounded by depth. Everything that knows bytes is here, behind one
 * function, so that a scanner that finds structure in blocks can take its place.
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

static bool four_hex(const char *at, const char *end, unsigned *ret)
{
	unsigned value = 0;

	if (end - at < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		int digit = char_hex(at[i]);
		if (digit < 0)
			return false;
		value = value * 16 + (unsigned)digit;
	}
	*ret = value;
	return true;
}

static char *put_utf8(char *out, unsigned c)
{
	if (c < 0x80) {
		*out++ = (char)c;
	} else if (c < 0x800) {
		*out++ = (char)(0xC0 | c >> 6);
		*out++ = (char)(0x80 | (c & 0x3F));
	} else if (c < 0x10000) {
		*out++ = (char)(0xE0 | c >> 12);
		*out++ = (char)(0x80 | (c >> 6 & 0x3F));
		*out++ = (char)(0x80 | (c & 0x3F));
	} else {
		*out++ = (char)(0xF0 | c >> 18);
		*out++ = (char)(0x80 | (c >> 12 & 0x3F));
		*out++ = (char)(0x80 | (c >> 6 & 0x3F));
		*out++ = (char)(0x80 | (c & 0x3F));
	}
	return out;
}

/* The code point behind "\u", with its second half if it has one; *at is left behind the digits. */
static bool unescape_unicode(const char **at, const char *end, unsigned *ret)
{
	unsigned low, c;

	if (!four_hex(*at, end, &c))
		return false;
	*at += 4;
	if (c >= 0xD800 && c <= 0xDBFF && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u' &&
	    four_hex(*at + 2, end, &low) && low >= 0xDC00 && low <= 0xDFFF) {
		*at += 6;
		c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
	} else if (c >= 0xD800 && c <= 0xDFFF) {
		c = 0xFFFD;
	}
	*ret = c;
	return true;
}

/* 0 when c is no escape of one letter. */
static char plain_escape(char c)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *found = c != '\0' ? strchr(from, c) : NULL;

	return found == NULL ? '\0' : to[found - from];
}

/* No escape is longer than what it stands for, so the raw length is room enough. */
static bool unescape(struct scanner *s, struct str raw, struct str *ret)
{
	const char *at = raw.ptr, *end = raw.ptr + raw.len;
	char *start = arena_alloc(s->arena, raw.len), *out = start;
	unsigned c;

	if (start == NULL)
		return false;
	while (at < end) {
		if (*at != '\\') {
			*out++ = *at++;
			continue;
		}
		at++;
		if (*at == 'u') {
			at++;
			if (!unescape_unicode(&at, end, &c))
				return false;
			out = put_utf8(out, c);
		} else {
			char plain = plain_escape(*at++);
			if (plain == '\0')
				return false;
			*out++ = plain;
		}
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
