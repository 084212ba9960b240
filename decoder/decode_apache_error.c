/*
 * Apache's error log: "[time] [module:level] [pid 1:tid 2] [client 192.0.2.1:5000] text", and the
 * older form without module and pid.
 */
#include "decoder/decoders.h"

#include "decoder/host.h"
#include "decoder/pattern.h"
#include "decoder/scan.h"
#include "decoder/timestamp.h"

static bool take_bracket(struct str *rest, struct str *ret)
{
	struct str at = *rest;

	if (!scan_char(&at, '[') || !scan_until(&at, STR("]"), ret))
		return false;
	scan_spaces(&at);
	*rest = at;
	return true;
}

static void put_client(struct record *record, struct str client)
{
	size_t colon = str_find_last(client, ':');

	if (!host_is_address(client) && colon != STR_NOT_FOUND) {
		pattern_put(record, STR("src_port"), str_slice(client, colon + 1, client.len));
		client = str_slice(client, 0, colon);
	}
	pattern_put(record, STR("c-ip"), client);
	pattern_put(record, STR("src_ip"), client);
}

static bool take_level(struct record *record, struct str *rest)
{
	struct str level;
	size_t colon;

	if (!take_bracket(rest, &level))
		return false;
	colon = str_find_char(level, ':');
	if (colon != STR_NOT_FOUND) {
		pattern_put(record, STR("module"), str_slice(level, 0, colon));
		level = str_slice(level, colon + 1, level.len);
	}
	if (!host_is_level(level) && !str_starts(level, STR("trace")))
		return false;
	pattern_put(record, STR("level"), level);
	return true;
}

static enum decode_status decode(struct record *record, struct str text)
{
	struct str rest = text, time, part, start;

	if (!take_bracket(&rest, &time))
		return DECODE_NO;
	/* in syslog the stamp may be missing: "[core:error] [pid ..." */
	if (!timestamp_set_text(record, time)) {
		if (str_find_char(time, ':') == STR_NOT_FOUND)
			return DECODE_NO;
		rest = text;
	}
	if (!take_level(record, &rest))
		return DECODE_NO;
	for (start = rest; take_bracket(&rest, &part); start = rest) {
		if (scan_literal(&part, STR("client ")))
			put_client(record, part);
		else if (!scan_literal(&part, STR("pid ")))
			break;
		else
			pattern_put(
			    record, STR("pid"), str_slice(part, 0, str_find_char(part, ':')));
	}
	record->service = STR("apache");
	record->message = start;
	return DECODE_YES;
}

const struct decoder decode_apache_error = {
    .name = "apache_error",
    .stage = DECODER_PAYLOAD,
    .summary = "Apache's error log, both forms",
    .decode = decode,
};
