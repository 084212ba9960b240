/*
 * PAN-OS: comma separated columns, "1,receive time,serial,TYPE,subtype,,generated time,...".
 * Traffic and threat records share their first columns. Newer versions end with the time to the
 * millisecond and with its zone: it is the device's own, and so goes before the header's.
 */
#include "decoder/decoders.h"

#include "decoder/pattern.h"
#include "decoder/scan.h"
#include "decoder/timestamp.h"

#define COLUMNS 512

struct column {
	size_t at;
	struct str name;
};

static const struct column every[] = {
    {2, STR_INIT("serial")},
    {3, STR_INIT("log_type")},
    {4, STR_INIT("subtype")},
};

static const struct column packets[] = {
    {7, STR_INIT("src_ip")},
    {8, STR_INIT("dst_ip")},
    {11, STR_INIT("rule")},
    {12, STR_INIT("User")},
    {13, STR_INIT("TargetUserName")},
    {14, STR_INIT("application")},
    {16, STR_INIT("src_zone")},
    {17, STR_INIT("dst_zone")},
    {18, STR_INIT("in")},
    {19, STR_INIT("out")},
    {24, STR_INIT("src_port")},
    {25, STR_INIT("dst_port")},
    {29, STR_INIT("protocol")},
    {30, STR_INIT("action")},
};

/* A quoted column may hold commas; "" is a quote in it. The quotes are left off. */
static struct str take_column(struct str *rest)
{
	struct str value;
	size_t n = 0;
	bool inside = false;

	for (; n < rest->len && (inside || rest->ptr[n] != ','); n++)
		inside ^= rest->ptr[n] == '"';
	value = str_slice(*rest, 0, n);
	scan_skip(rest, n + 1);
	if (value.len >= 2 && value.ptr[0] == '"')
		value = str_slice(value, 1, value.len - 1);
	return value;
}

static void put_columns(
    struct record *record, const struct column *columns, size_t count, size_t at, struct str value)
{
	for (size_t i = 0; i < count; i++) {
		if (columns[i].at == at)
			pattern_put(record, columns[i].name, value);
	}
}

static bool is_head(struct str text, struct str *ret_type)
{
	struct str rest = text, time, serial;
	struct timestamp stamp;
	struct str first = take_column(&rest);

	time = take_column(&rest);
	serial = take_column(&rest);
	*ret_type = take_column(&rest);
	return scan_all(first, char_is_digit) && time.len >= 19 && timestamp_parse(time, &stamp) &&
	       serial.len > 0 && scan_all(*ret_type, char_is_alpha) && rest.len > 0;
}

static void take_time(struct record *record, struct str value, bool *taken)
{
	struct timestamp stamp;

	if (value.len >= 19 && timestamp_parse(value, &stamp) && stamp.has_zone &&
	    stamp.form == TIMESTAMP_CIVIL)
		*taken = timestamp_set(record, &stamp) || *taken;
}

static enum decode_status decode(struct record *record, struct str text)
{
	struct str rest = text, type, generated = STR_NONE;
	bool packet, timed = false;

	if (text.len == 0 || !char_is_digit(text.ptr[0]) || !is_head(text, &type))
		return DECODE_NO;
	packet = str_eq(type, STR("TRAFFIC")) || str_eq(type, STR("THREAT"));
	for (size_t at = 0; at < COLUMNS && rest.len > 0; at++) {
		struct str value = take_column(&rest);
		put_columns(record, every, sizeof(every) / sizeof(every[0]), at, value);
		if (packet)
			put_columns(
			    record, packets, sizeof(packets) / sizeof(packets[0]), at, value);
		if (at == 6)
			generated = value;
		take_time(record, value, &timed);
	}
	if (!timed && (record->flags & RECORD_NO_TIME))
		timestamp_set_text(record, generated);
	else if (!timed)
		timestamp_refine_text(record, text);
	record->product = STR("paloalto");
	if (packet)
		record_category(record, STR("firewall"));
	record->message = text;
	return DECODE_YES;
}

const struct decoder decode_paloalto = {
    .name = "paloalto",
    .stage = DECODER_PAYLOAD,
    .summary = "Palo Alto Networks PAN-OS: traffic, threat and other records in columns",
    .decode = decode,
};
