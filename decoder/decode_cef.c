/*
 * ArcSight's Common Event Format: "CEF:0|vendor|product|version|class|name|severity|key=value ...".
 * In the head '\|' and '\\' are escapes, in values '\=', '\\', '\n' and '\r'. A value runs to the
 * next " key=", so it may hold spaces. "cs1Label=reason cs1=text" also gives reason=text.
 */
#include "decoder/decoders.h"

#include "decoder/alias.h"
#include "decoder/scan.h"

#define HEAD 6

static bool is_key_char(char c)
{
	return char_is_alpha(c) || char_is_digit(c) || c == '_' || c == '.' || c == '-' ||
	       c == '[' || c == ']';
}

static char escape_of(char c)
{
	return c == 'n' ? '\n' : c == 'r' ? '\r' : c == '=' || c == '\\' || c == '|' ? c : '\0';
}

/* A backslash before any other character stays: Windows paths are sent unescaped. */
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
		char plain = raw.ptr[i] == '\\' ? escape_of(scan_peek(raw, i + 1)) : '\0';
		out[n++] = plain != '\0' ? plain : raw.ptr[i];
		i += plain != '\0';
	}
	return str_from(out, n);
}

/* Up to a '|' without a backslash before it. */
static bool take_head(struct str *rest, struct str *ret)
{
	for (size_t i = 0; i < rest->len; i++) {
		if (rest->ptr[i] == '\\') {
			i++;
		} else if (rest->ptr[i] == '|') {
			*ret = str_slice(*rest, 0, i);
			scan_skip(rest, i + 1);
			return true;
		}
	}
	return false;
}

/* Where the next " key=" begins, or the end. Looks back from each '=', so the cost is linear. */
static size_t next_key(struct str rest)
{
	size_t word = 0;
	bool key = false, escaped = false;

	for (size_t i = 0; i < rest.len; i++) {
		char c = rest.ptr[i];
		if (c == '=' && key && i > word && !escaped)
			return word - 1;
		escaped = c == '\\' && !escaped;
		if (c == ' ' || c == '\t') {
			word = i + 1;
			key = true;
		} else if (!is_key_char(c)) {
			key = false;
		}
	}
	return rest.len;
}

static void put_extension(struct record *record, struct str rest)
{
	for (rest = str_trim(rest); rest.len > 0; rest = str_trim(rest)) {
		struct str key = str_slice(rest, 0, scan_count(rest, is_key_char));
		scan_skip(&rest, key.len);
		if (!scan_char(&rest, '=')) {
			scan_skip(&rest, next_key(rest));
			continue;
		}
		struct str value = str_slice(rest, 0, next_key(rest));
		scan_skip(&rest, value.len);
		if (key.len > 0)
			record_put_named(
			    record, key, FIELD_STRING, unescape(record, str_trim(value)));
	}
}

static const struct field *find_from(const struct record *record, size_t first, struct str name)
{
	for (size_t i = first; i < record->field_count; i++) {
		if (str_eq(record->fields[i].name, name))
			return &record->fields[i];
	}
	return NULL;
}

/* cs1Label names cs1, and so on for cn, cfp, c6a, flexString, deviceCustomDate. */
static void put_labelled(struct record *record, size_t first)
{
	size_t end = record->field_count;

	for (size_t i = first; i < end; i++) {
		struct field label = record->fields[i];
		if (label.value.len == 0 || !str_ends(label.name, STR("Label")))
			continue;
		const struct field *custom =
		    find_from(record, first, str_slice(label.name, 0, label.name.len - 5));
		if (custom != NULL && custom->value.len > 0)
			record_put_named(record, label.value, FIELD_STRING, custom->value);
	}
}

static enum decode_status decode(struct record *record, struct str text, struct notes *notes)
{
	static const struct str names[HEAD] = {STR_INIT("deviceVendor"), STR_INIT("deviceProduct"),
	    STR_INIT("deviceVersion"), STR_INIT("deviceEventClassId"), STR_INIT("name"),
	    STR_INIT("deviceSeverity")};
	struct str rest = text, version, part;
	size_t first = record->field_count;

	if (!scan_literal(&rest, STR("CEF:")))
		return DECODE_NO;
	scan_spaces(&rest);
	if (!take_head(&rest, &version) || !scan_all(version, char_is_digit))
		return DECODE_NO;
	record_put_named(record, STR("cefVersion"), FIELD_NUMBER, version);
	for (size_t i = 0; i < HEAD; i++) {
		if (!take_head(&rest, &part))
			return DECODE_NO;
		record_put_named(record, names[i], FIELD_STRING, unescape(record, part));
	}
	put_extension(record, rest);
	put_labelled(record, first);
	alias_time_behind(record, notes, first);
	alias_apply(record, notes, first);
	record->message = text;
	return DECODE_YES;
}

const struct decoder decode_cef = {
    .name = "cef",
    .stage = DECODER_PAYLOAD,
    .summary = "Common Event Format (ArcSight), with or without a syslog header",
    .decode_noted = decode,
};
