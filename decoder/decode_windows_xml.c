/*
 * Windows' own XML of an event, <Event xmlns="..."><System>...<EventData>..., as NXLog, Windows
 * Event Collector, Splunk, the OpenTelemetry collector, Fluent Bit and Sysmon for Linux send it.
 * Elements become fields of their names, attributes of System fields such as Provider_Name, <Data
 * Name="x"> the field x; the Windows decoder follows. Only what such events hold is read: no
 * document types and no entities of one's own, so nothing grows.
 */
#include "decoder/decoders.h"

#include <string.h>

#include "base/utf8.h"
#include "decoder/scan.h"
#include "decoder/timestamp.h"

enum part { PART_NONE, PART_SYSTEM, PART_DATA, PART_USER, PART_RENDERING };

struct walk {
	struct record *record;
	enum part part;
	unsigned depth;        /* elements that are open: 1 is Event */
	struct str name;       /* of the field that the open element makes; empty: none */
	struct str text;       /* in it */
	bool is_leaf;          /* nothing was opened in the open element */
};

/* ---- text ---- */

/* The character that &name; stands for: 1 to 4 bytes; 0 when it is none. */
static size_t entity(struct str name, char out[4])
{
	static const struct {
		struct str name;
		char c;
	} known[] = {{STR_INIT("lt"), '<'}, {STR_INIT("gt"), '>'}, {STR_INIT("amp"), '&'},
	    {STR_INIT("quot"), '"'}, {STR_INIT("apos"), '\''}};
	bool hex = scan_peek(name, 1) == 'x';
	uint32_t code = 0;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (str_eq(known[i].name, name)) {
			out[0] = known[i].c;
			return 1;
		}
	}
	if (scan_peek(name, 0) != '#' || name.len > 9 || name.len < 2u + hex)
		return 0;
	for (size_t i = 1 + hex; i < name.len; i++) {
		int digit = char_hex(name.ptr[i]);

		if (digit < 0 || digit >= (hex ? 16 : 10))
			return 0;
		code = code * (hex ? 16 : 10) + (uint32_t)digit;
	}
	/* Nothing else is a character (RFC 3629, 3). */
	return code == 0 || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)
	    ? 0 : utf8_encode(code, out);
}

/* What stands for no character stays as it is written. */
static struct str unescape(struct record *record, struct str text)
{
	size_t n = 0;
	char *out = str_find_char(text, '&') == STR_NOT_FOUND ? NULL
	    : arena_alloc(record->arena, text.len);

	if (out == NULL)
		return text;
	while (text.len > 0) {
		size_t end = text.ptr[0] == '&'
		    ? str_find_char(str_slice(text, 0, 12), ';') : STR_NOT_FOUND;
		char bytes[4];
		size_t len = end == STR_NOT_FOUND ? 0 : entity(str_slice(text, 1, end), bytes);

		if (len > 0) {
			memcpy(out + n, bytes, len);
			n += len;
			scan_skip(&text, end + 1);
		} else {
			out[n++] = text.ptr[0];
			scan_skip(&text, 1);
		}
	}
	return str_from(out, n);
}

static void put(struct record *record, struct str name, struct str value)
{
	record_put_named(record, name, FIELD_STRING, unescape(record, value));
}

/* ---- tags ---- */

static bool is_name_char(char c)
{
	return char_is_alpha(c) || char_is_digit(c) || c == '_' || c == '-' || c == '.' ||
	    c == ':' || (unsigned char)c >= 0x80;
}

static void skip_white(struct str *text)
{
	while (text->len > 0 && (text->ptr[0] == ' ' || text->ptr[0] == '\t' ||
	    text->ptr[0] == '\r' || text->ptr[0] == '\n'))
		scan_skip(text, 1);
}

/* name="value", or with single quotes. */
static bool take_attribute(struct str *rest, struct str *ret_name, struct str *ret_value)
{
	skip_white(rest);
	*ret_name = str_slice(*rest, 0, scan_count(*rest, is_name_char));
	scan_skip(rest, ret_name->len);
	skip_white(rest);
	if (ret_name->len == 0 || !scan_char(rest, '='))
		return false;
	skip_white(rest);
	char quote = scan_peek(*rest, 0);

	if (quote != '"' && quote != '\'')
		return false;
	scan_skip(rest, 1);
	return scan_until(rest, str_from(&quote, 1), ret_value);
}

/* The end of a tag is no '>' within quotes. False when it is not there. */
static bool take_tag(struct str *rest, struct str *ret)
{
	char quote = 0;

	for (size_t i = 0; i < rest->len; i++) {
		char c = rest->ptr[i];

		if (quote != 0) {
			quote = c == quote ? 0 : quote;
		} else if (c == '"' || c == '\'') {
			quote = c;
		} else if (c == '>') {
			*ret = str_slice(*rest, 0, i);
			scan_skip(rest, i + 1);
			return true;
		}
	}
	return false;
}

/* "Provider_Name" of the element Provider and its attribute Name. */
static struct str joined(struct record *record, struct str element, struct str attribute)
{
	struct str name = arena_join(record->arena, element, '_', attribute);

	return name.ptr != NULL ? name : attribute;
}

/* ---- elements ---- */

static enum part part_of(struct str element)
{
	static const struct {
		struct str name;
		enum part part;
	} parts[] = {{STR_INIT("System"), PART_SYSTEM}, {STR_INIT("EventData"), PART_DATA},
	    {STR_INIT("UserData"), PART_USER}, {STR_INIT("RenderingInfo"), PART_RENDERING}};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (str_eq(parts[i].name, element))
			return parts[i].part;
	}
	return PART_NONE;
}

static void put_attributes(struct walk *walk, struct str element, struct str rest)
{
	struct record *record = walk->record;
	struct str name, value;

	while (take_attribute(&rest, &name, &value)) {
		if (walk->part == PART_DATA && str_eq(name, STR("Name"))) {
			walk->name = unescape(record, value);
		} else if (walk->part == PART_SYSTEM && value.len > 0) {
			put(record, joined(record, element, name), value);
			if (str_eq(name, STR("SystemTime")))
				timestamp_set_text(record, value);
		}
	}
}

/* Whether what stands in an element of that depth is a field. */
static bool makes_field(const struct walk *walk, struct str element)
{
	switch (walk->part) {
	case PART_SYSTEM:
		return walk->depth == 3;
	case PART_DATA:
		return walk->depth >= 3;
	case PART_USER:
		return walk->depth >= 4;
	case PART_RENDERING:
		return walk->depth == 3 && str_eq(element, STR("Message"));
	case PART_NONE:
		break;
	}
	return false;
}

static void element_open(struct walk *walk, struct str tag)
{
	struct str element = str_slice(tag, 0, scan_count(tag, is_name_char));
	size_t colon = str_find_char(element, ':');

	scan_skip(&tag, element.len);
	if (colon != STR_NOT_FOUND)
		element = str_slice(element, colon + 1, element.len);
	walk->depth++;
	walk->text = STR_NONE;
	walk->is_leaf = true;
	if (walk->depth == 2)
		walk->part = part_of(element);
	walk->name = makes_field(walk, element) ? element : STR_NONE;
	if (walk->name.len > 0)
		put_attributes(walk, element, tag);
}

/* An element of System that only has attributes is no field of its own. */
static void element_close(struct walk *walk)
{
	if (walk->is_leaf && walk->name.len > 0 &&
	    (walk->text.len > 0 || walk->part == PART_DATA || walk->part == PART_USER))
		put(walk->record, walk->name, walk->text);
	walk->is_leaf = false;
	walk->name = walk->text = STR_NONE;
	if (walk->depth <= 2)
		walk->part = PART_NONE;
	if (walk->depth > 0)
		walk->depth--;
}

/* CDATA (its text holds no entities), a comment, an instruction: behind '<'. */
static bool take_special(struct walk *walk, struct str *rest)
{
	struct str inside;

	if (scan_literal(rest, STR("![CDATA["))) {
		if (scan_until(rest, STR("]]>"), &inside) && walk->is_leaf &&
		    walk->name.len > 0) {
			record_put_named(walk->record, walk->name, FIELD_STRING, inside);
			walk->name = STR_NONE;
		}
		return true;
	}
	if (scan_literal(rest, STR("!--"))) {
		(void)scan_until(rest, STR("-->"), &inside);
		return true;
	}
	if (scan_peek(*rest, 0) != '?' && scan_peek(*rest, 0) != '!')
		return false;
	(void)take_tag(rest, &inside);
	return true;
}

/* What is cut off in the middle gives what it says until then. */
static void read_elements(struct walk *walk, struct str rest)
{
	struct str text, tag;

	while (scan_until(&rest, STR("<"), &text)) {
		if (walk->is_leaf && text.len > 0)
			walk->text = text;
		if (take_special(walk, &rest))
			continue;
		if (!take_tag(&rest, &tag))
			return;
		if (scan_peek(tag, 0) == '/') {
			element_close(walk);
			continue;
		}
		bool empty = str_ends(tag, STR("/"));

		element_open(walk, str_slice(tag, 0, tag.len - empty));
		if (empty)
			element_close(walk);
	}
}

static enum decode_status decode(struct record *record, struct str text)
{
	struct walk walk = {.record = record};
	struct str rest = text, skipped;

	if (scan_literal(&rest, STR("<?xml"))) {
		if (!scan_until(&rest, STR("?>"), &skipped))
			return DECODE_NO;
		skip_white(&rest);
	}
	if (!str_starts(rest, STR("<Event")) || is_name_char(scan_peek(rest, 6)) ||
	    str_find(rest, STR("<EventID")) == STR_NOT_FOUND)
		return DECODE_NO;
	read_elements(&walk, rest);
	const struct field *message = record_find(record, STR("Message"));

	record->message = message != NULL ? message->value : text;
	return DECODE_YES;
}

const struct decoder decode_windows_xml = {
    .name = "windows_xml",
    .stage = DECODER_PAYLOAD,
    .lead = STR_INIT("<"),
    .summary = "Windows events in their XML, also of Sysmon for Linux",
    .decode = decode,
};
