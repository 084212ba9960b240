/*
 * RFC 5424. What the grammar forbids but senders do is taken as far as it can be understood:
 * another form of stamp, structured data without quotes or without the nil value, an empty element.
 * Such an event is flagged and its structured data kept as it came.
 *
 * A parameter becomes a field named SD-ID "." PARAM-NAME ("exampleSDID@32473.iut"), the raw
 * structured data the field "sd".
 */
#include "decoder/decoders.h"

#include "decoder/pri.h"
#include "decoder/scan.h"
#include "decoder/timestamp.h"

static struct str take_word(struct str *rest)
{
	struct str word = scan_word(rest);

	scan_char(rest, ' ');
	return word;
}

static void put_word(struct record *record, enum field_id id, struct str word)
{
	if (word.len > 0 && !str_eq(word, STR("-")))
		record_put(record, id, word);
}

/* 6.3.3: only '"', '\' and ']' are escaped; another backslash is a backslash. */
static struct str unescape(struct record *record, struct str raw)
{
	char *out;
	size_t n = 0;

	if (str_find_char(raw, '\\') == STR_NOT_FOUND)
		return raw;
	out = arena_alloc(record->arena, raw.len);
	if (out == NULL)
		return raw;
	for (size_t i = 0; i < raw.len; i++) {
		char next = scan_peek(raw, i + 1);
		if (raw.ptr[i] == '\\' && i + 1 < raw.len &&
		    (next == '"' || next == '\\' || next == ']'))
			i++;
		out[n++] = raw.ptr[i];
	}
	return str_from(out, n);
}

static void put_param(struct record *record, struct str id, struct str name, struct str value)
{
	char *joined;

	if (name.len == 0)
		return;
	joined = arena_alloc(record->arena, id.len + 1 + name.len);
	if (joined == NULL)
		return;
	__builtin_memcpy(joined, id.ptr, id.len);
	joined[id.len] = '.';
	__builtin_memcpy(joined + id.len + 1, name.ptr, name.len);
	record_put_named(
	    record, str_from(joined, id.len + 1 + name.len), FIELD_STRING, unescape(record, value));
}

/* The value behind the opening quote; false when no quote closes it. */
static bool take_quoted(struct str *rest, struct str *ret)
{
	for (size_t i = 0; i < rest->len; i++) {
		if (rest->ptr[i] == '\\') {
			i++;
		} else if (rest->ptr[i] == '"') {
			*ret = str_slice(*rest, 0, i);
			scan_skip(rest, i + 1);
			return true;
		}
	}
	return false;
}

static bool is_bare_char(char c)
{
	return c != ' ' && c != ']' && c != '"';
}

static bool is_name_char(char c)
{
	return c != ' ' && c != '=' && c != ']' && c != '"' && c != '\0';
}

static struct str take_run(struct str *rest, bool (*is)(char))
{
	struct str run = str_slice(*rest, 0, scan_count(*rest, is));

	scan_skip(rest, run.len);
	return run;
}

static bool take_param(struct record *record, struct str id, struct str *rest)
{
	struct str name = take_run(rest, is_name_char), value;

	if (name.len == 0 || !scan_char(rest, '='))
		return false;
	if (scan_peek(*rest, 0) == ' ') {
		scan_spaces(rest);
		record->flags |= RECORD_BAD_SD;
	}
	if (scan_char(rest, '"')) {
		if (!take_quoted(rest, &value))
			return false;
	} else {
		value = take_run(rest, is_bare_char);
		record->flags |= RECORD_BAD_SD;
	}
	put_param(record, id, name, value);
	return true;
}

/* One "[id name="value" ...]"; false when it does not hold together. */
static bool take_element(struct record *record, struct str *rest)
{
	struct str id;

	if (!scan_char(rest, '['))
		return false;
	id = take_run(rest, is_name_char);
	if (id.len == 0)
		record->flags |= RECORD_BAD_SD;
	while (!scan_char(rest, ']')) {
		if (scan_peek(*rest, 0) != ' ')
			return false;
		scan_spaces(rest);
		if (scan_peek(*rest, 0) == ']')
			continue;
		if (!take_param(record, id, rest))
			return false;
	}
	return true;
}

/* A parameter list without an id, or a message that begins with a bracket. */
static bool begins_message(struct str rest)
{
	struct str at = rest;

	scan_skip(&at, 1);
	take_run(&at, is_name_char);
	return scan_peek(at, 0) == '=' || at.len == 0;
}

static void take_sd(struct record *record, struct str *rest)
{
	struct record before = *record;
	struct str start = *rest;

	if (scan_char(rest, '-') && (rest->len == 0 || scan_peek(*rest, 0) == ' '))
		return;
	*rest = start;
	while (scan_peek(*rest, 0) == '[' && !begins_message(*rest)) {
		struct str element = *rest;
		if (!take_element(record, rest)) {
			*rest = element;
			break;
		}
		before = *record;
	}
	before.flags = record->flags;
	*record = before;
	if (rest->len == start.len || (rest->len > 0 && scan_peek(*rest, 0) != ' '))
		record->flags |= RECORD_BAD_SD;
	if (rest->len < start.len)
		record_put_named(
		    record, STR("sd"), FIELD_STRING, str_slice(start, 0, start.len - rest->len));
}

/* VERSION is "1" to "999" (6.2.2); a stamp or the nil value must follow, or this is RFC 3164. */
static bool take_version(struct str *rest, struct str *ret)
{
	struct str at = *rest, next;
	size_t n = scan_count(at, char_is_digit);

	if (n == 0 || n > 3 || at.ptr[0] == '0' || scan_peek(at, n) != ' ')
		return false;
	*ret = str_slice(at, 0, n);
	scan_skip(&at, n + 1);
	next = scan_word(&(struct str){at.ptr, at.len});
	size_t digits = scan_count(next, char_is_digit);
	bool date = digits == 4 && (scan_peek(next, 4) == '-' || scan_peek(next, 4) == '/');
	if (!str_eq(next, STR("-")) && !date)
		return false;
	*rest = at;
	return true;
}

static void take_time(struct record *record, struct str *rest)
{
	struct timestamp stamp;

	if (timestamp_take(rest, &stamp)) {
		timestamp_set(record, &stamp);
		scan_char(rest, ' ');
		return;
	}
	take_word(rest);
	record->flags |= RECORD_NO_TIME;
}

/* Some devices leave out all that stands between the host and a payload in a format of its own. */
static bool is_payload(struct str rest)
{
	return str_starts(rest, STR("CEF:")) || str_starts(rest, STR("LEEF:")) ||
	       scan_peek(rest, 0) == '{';
}

static void take_names(struct record *record, struct str *rest)
{
	put_word(record, FIELD_APP, take_word(rest));
	put_word(record, FIELD_PROCID, take_word(rest));
	put_word(record, FIELD_MSGID, take_word(rest));
	if (rest->len > 0)
		take_sd(record, rest);
}

/*
 * Where the header has the nil value, the structured data may know: origin's ip (7.2.2), and what
 * forwarders that keep the first host and time for themselves write.
 */
static void put_from_sd(struct record *record, size_t first)
{
	bool host = record_get(record, FIELD_HOST) != NULL;
	size_t end = record->field_count;

	for (size_t i = first; i < end; i++) {
		struct str name = record->fields[i].name, value = record->fields[i].value;

		if (!host && (str_eq(name, STR("origin.ip")) || str_ends(name, STR(".host")) ||
				 str_ends(name, STR(".h")))) {
			record_put(record, FIELD_HOST, value);
			host = true;
		}
		if ((record->flags & RECORD_NO_TIME) &&
		    (str_ends(name, STR(".time")) || str_ends(name, STR(".t"))))
			timestamp_set_text(record, value);
	}
}

static enum decode_status decode(struct record *record, struct str text)
{
	struct str rest = pri_skip_junk(text), version;
	size_t first = record->field_count;
	unsigned pri;
	bool bad;

	if (!pri_take(&rest, &pri, &bad) || !take_version(&rest, &version))
		return DECODE_NO;
	if (bad)
		record->flags |= RECORD_BAD_PRI;
	pri_put(record, pri);
	take_time(record, &rest);
	put_word(record, FIELD_HOST, take_word(&rest));
	if (!is_payload(rest))
		take_names(record, &rest);
	put_from_sd(record, first);
	scan_char(&rest, ' ');
	scan_literal(&rest, STR("\xEF\xBB\xBF"));
	record->message = rest;
	return DECODE_YES;
}

const struct decoder decode_rfc5424 = {
    .name = "rfc5424",
    .stage = DECODER_HEADER,
    .summary = "syslog protocol (RFC 5424), structured data as fields; best effort on broken parts",
    .decode = decode,
};
