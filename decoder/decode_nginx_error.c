/*
 * nginx's error log: "2026/11/22 03:27:03 [error] 31#31: *5 text, client: 192.0.2.1, server: name,
 * request: "GET / HTTP/1.1", upstream: ..., host: ...". Behind a syslog header the stamp is there
 * too, so a header decoder may have taken it: the text then begins with the bracket.
 */
#include "decoder/decoders.h"

#include "decoder/host.h"
#include "decoder/pattern.h"
#include "decoder/scan.h"
#include "decoder/timestamp.h"

static struct str quoted_or_word(struct str rest)
{
	struct str value = STR_NONE;

	if (scan_char(&rest, '"'))
		scan_until(&rest, STR("\""), &value);
	else
		value = str_slice(rest, 0, str_find_char(rest, ','));
	return value;
}

static void put_detail(struct record *record, struct str text, struct str mark, struct str name)
{
	size_t at = str_find(text, mark);

	if (at != STR_NOT_FOUND)
		pattern_put(record, name, quoted_or_word(str_slice(text, at + mark.len, text.len)));
}

static enum decode_status decode(struct record *record, struct str text)
{
	struct str rest = text, level, pid;
	struct timestamp stamp;
	bool stamped = timestamp_take(&rest, &stamp);

	scan_spaces(&rest);
	if (!scan_char(&rest, '[') || !scan_until(&rest, STR("] "), &level) ||
	    !host_is_level(level))
		return DECODE_NO;
	if (!scan_until(&rest, STR("#"), &pid) || !scan_all(pid, char_is_digit) ||
	    !scan_until(&rest, STR(": "), &level))
		return DECODE_NO;
	if (stamped)
		timestamp_set(record, &stamp);
	pattern_put(record, STR("pid"), pid);
	put_detail(record, rest, STR(", client: "), STR("c-ip"));
	put_detail(record, rest, STR(", client: "), STR("src_ip"));
	put_detail(record, rest, STR(", server: "), STR("server"));
	put_detail(record, rest, STR(", request: "), STR("request"));
	put_detail(record, rest, STR(", host: "), STR("cs-host"));
	record->service = STR("nginx");
	record->message = rest;
	return DECODE_YES;
}

const struct decoder decode_nginx_error = {
    .name = "nginx_error",
    .stage = DECODER_PAYLOAD,
    .summary = "nginx's error log",
    .decode = decode,
};
