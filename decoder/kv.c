#include "decoder/kv.h"

#include "decoder/scan.h"

#define KEY_MAX 64

static bool is_key_char(char c)
{
	return char_is_alpha(c) || char_is_digit(c) || c == '_' || c == '.' || c == '-' || c == '@';
}

static bool is_separator(char c)
{
	return c == ' ' || c == ',' || c == ';' || c == '|' || c == '\t';
}

size_t kv_key(struct str s)
{
	size_t n = scan_count(str_slice(s, 0, KEY_MAX + 1), is_key_char);

	return n <= KEY_MAX && scan_peek(s, n) == '=' ? n : 0;
}

static size_t past_spaces(struct str s, size_t at)
{
	while (at < s.len && (s.ptr[at] == ' ' || s.ptr[at] == '\t'))
		at++;
	return at;
}

/*
 * The end of an unquoted value: before a separator that a pair follows. *separator is NUL until the
 * first value decides it. Only after a separator is a key looked for, so the cost is linear.
 */
static size_t value_end(struct str s, char *separator)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		if (*separator != '\0' ? c != *separator : !is_separator(c))
			continue;
		size_t next = past_spaces(s, i + 1);
		if (next >= s.len || kv_key(str_slice(s, next, s.len)) > 0) {
			*separator = c;
			return i;
		}
		if (next > i + 1)
			i = next - 1;
	}
	return s.len;
}

static bool take_quoted(struct str *rest, struct str *ret, bool *ret_escaped)
{
	char quote = rest->ptr[0];

	*ret_escaped = false;
	for (size_t i = 1; i < rest->len; i++) {
		if (rest->ptr[i] == '\\' && i + 1 < rest->len) {
			*ret_escaped = true;
			i++;
		} else if (rest->ptr[i] == quote) {
			*ret = str_slice(*rest, 1, i);
			scan_skip(rest, i + 1);
			return true;
		}
	}
	return false;
}

/* Only '\"' and '\\' are taken as escapes; other backslashes are of paths. */
static struct str unescape(struct record *record, struct str raw)
{
	char *out = arena_alloc(record->arena, raw.len);
	size_t n = 0;

	if (out == NULL)
		return raw;
	for (size_t i = 0; i < raw.len; i++) {
		char next = scan_peek(raw, i + 1);
		if (raw.ptr[i] == '\\' && i + 1 < raw.len && (next == '"' || next == '\\'))
			i++;
		out[n++] = raw.ptr[i];
	}
	return str_from(out, n);
}

static struct str take_value(struct record *record, struct str *rest, char *separator)
{
	struct str value;
	bool escaped;

	if (scan_peek(*rest, 0) == '"' && take_quoted(rest, &value, &escaped)) {
		if (*separator == '\0' && rest->len > 0 && is_separator(rest->ptr[0]))
			*separator = rest->ptr[0];
		return escaped ? unescape(record, value) : value;
	}
	value = str_slice(*rest, 0, value_end(*rest, separator));
	scan_skip(rest, value.len);
	return str_trim(value);
}

size_t kv_put(struct record *record, struct str rest)
{
	char separator = '\0';
	size_t pairs = 0;

	while (rest.len > 0) {
		size_t n = kv_key(rest);
		if (n == 0) {
			/* a flag or a stray word: to the next separator */
			scan_skip(&rest, 1);
			while (rest.len > 0 && !is_separator(rest.ptr[0]))
				scan_skip(&rest, 1);
		} else {
			struct str key = str_slice(rest, 0, n);
			scan_skip(&rest, n + 1);
			struct str value = take_value(record, &rest, &separator);
			record_put_named(record, key,
			    value.len <= 18 && scan_all(value, char_is_digit) ? FIELD_NUMBER
									      : FIELD_STRING,
			    value);
			pairs++;
		}
		while (rest.len > 0 && is_separator(rest.ptr[0]))
			scan_skip(&rest, 1);
	}
	return pairs;
}

size_t kv_begin(struct str text)
{
	for (size_t i = 1; i < text.len; i++) {
		if (is_separator(text.ptr[i - 1]) && kv_key(str_slice(text, i, text.len)) > 0)
			return i;
	}
	return STR_NOT_FOUND;
}
