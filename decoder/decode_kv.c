/*
 * key=value: logfmt, FortiGate, SonicWall, Check Point and many more. Pairs are separated by a
 * space, comma, semicolon, tab or bar; which of them, the first pair shows. A value is quoted, with
 * '\"' as escape, or runs to the next separator that a key and '=' follow, so it may hold spaces.
 */
#include "decoder/decoders.h"

#include "decoder/alias.h"
#include "decoder/scan.h"
#include "decoder/timestamp.h"

#define KEY_MAX	  64
#define PAIRS_MIN 2 /* fewer is a sentence with an equals sign */

static bool is_key_char(char c)
{
	return char_is_alpha(c) || char_is_digit(c) || c == '_' || c == '.' || c == '-' || c == '@';
}

static bool is_separator(char c)
{
	return c == ' ' || c == ',' || c == ';' || c == '|' || c == '\t';
}

/* Length of a key that '=' follows at the front; 0 when none. */
static size_t key_length(struct str s)
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
		if (next >= s.len || key_length(str_slice(s, next, s.len)) > 0) {
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

static size_t put_pairs(struct record *record, struct str rest)
{
	char separator = '\0';
	size_t pairs = 0;

	while (rest.len > 0) {
		size_t n = key_length(rest);
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

static struct str value_of(const struct record *record, size_t first, struct str name)
{
	for (size_t i = first; i < record->field_count; i++) {
		if (str_eq(record->fields[i].name, name))
			return record->fields[i].value;
	}
	return STR_NONE;
}

/* FortiGate: date=2026-11-22 time=03:27:03 tz="+0700": the device's own time, so it goes first. */
static bool set_split_time(struct record *record, size_t first)
{
	struct str date = value_of(record, first, STR("date"));
	struct str time = value_of(record, first, STR("time"));
	struct str zone = value_of(record, first, STR("tz"));

	if (date.len != 10 || time.len < 5 || time.len > 18 || zone.len > 8)
		return false;
	return timestamp_set_text(record, arena_printf(record->arena, "%.*s %.*s%.*s",
					      STR_ARG(date), STR_ARG(time), STR_ARG(zone)));
}

/* What the product calls itself; type=traffic and the like name the service. */
static void set_source(struct record *record, size_t first)
{
	struct str type = value_of(record, first, STR("type"));

	if (value_of(record, first, STR("devid")).len == 0 ||
	    value_of(record, first, STR("logid")).len == 0)
		return;
	record->product = STR("fortigate");
	record->service = type;
	if (str_eq(type, STR("traffic")))
		record_category(record, STR("firewall"));
}

static enum decode_status decode(struct record *record, struct str text)
{
	size_t first = record->field_count;

	if (key_length(text) == 0 || !char_is_alpha(text.ptr[0]) ||
	    put_pairs(record, text) < PAIRS_MIN)
		return DECODE_NO;
	if (!set_split_time(record, first))
		alias_time_behind(record, first);
	alias_apply(record, first);
	set_source(record, first);
	record->message = text;
	return DECODE_YES;
}

const struct decoder decode_kv = {
    .name = "kv",
    .stage = DECODER_PAYLOAD,
    .summary = "key=value: logfmt, FortiGate, SonicWall, Check Point; quotes, any separator",
    .decode = decode,
};
