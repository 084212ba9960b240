/*
 * Access logs of Apache and nginx: common, combined and vhost_combined, with Sigma's names of the
 * category webserver: host:port client ident user [time] "METHOD target VERSION" status bytes
 * "referrer" "agent". A name that the server did not know is '-' and gives no field.
 */
#include "decoder/decoders.h"

#include "decoder/pattern.h"
#include "decoder/host.h"
#include "decoder/scan.h"
#include "decoder/timestamp.h"

static void put(struct record *record, enum field_id id, struct str value)
{
	if (value.len > 0 && !str_eq(value, STR("-")))
		pattern_put(record, field_name(id), value);
}

/* Behind the opening quote; '\"' and nginx's \x22 are escapes. The raw text is kept. */
static bool take_quoted(struct str *rest, struct str *ret)
{
	if (!scan_char(rest, '"'))
		return false;
	for (size_t i = 0; i < rest->len; i++) {
		if (rest->ptr[i] == '\\') {
			i++;
		} else if (rest->ptr[i] == '"') {
			*ret = str_slice(*rest, 0, i);
			scan_skip(rest, i + 1);
			scan_char(rest, ' ');
			return true;
		}
	}
	return false;
}

/* "GET /a?b=c HTTP/1.1"; a scanner may send any bytes in its place. */
static void put_request(struct record *record, struct str request)
{
	struct str rest = request, method = scan_word(&rest);
	size_t last;

	scan_char(&rest, ' ');
	last = str_find_last(rest, ' ');
	if (method.len == 0 || method.len > 20 || !scan_all(method, char_is_alpha)) {
		put(record, FIELD_CS_URI, request);
		return;
	}
	struct str target = str_slice(rest, 0, last == STR_NOT_FOUND ? rest.len : last);
	size_t query = str_find_char(target, '?');
	put(record, FIELD_CS_METHOD, method);
	put(record, FIELD_CS_URI, target);
	put(record, FIELD_CS_URI_STEM, str_slice(target, 0, query));
	if (query != STR_NOT_FOUND)
		put(record, FIELD_CS_URI_QUERY, str_slice(target, query + 1, target.len));
	if (last != STR_NOT_FOUND)
		put(record, FIELD_CS_VERSION, str_slice(rest, last + 1, rest.len));
}

static bool take_time(struct record *record, struct str *rest)
{
	struct timestamp stamp;

	if (!scan_char(rest, '[') || !timestamp_take(rest, &stamp) ||
	    !scan_literal(rest, STR("] ")))
		return false;
	timestamp_set(record, &stamp);
	return true;
}

/* The client, with the virtual host before it where the format has one. */
static bool take_client(struct record *record, struct str *rest)
{
	struct str first = scan_word(rest), second, user;

	if (first.len == 0 || !scan_char(rest, ' '))
		return false;
	second = scan_word(rest);
	if (!scan_char(rest, ' '))
		return false;
	if (host_is_address(second)) {
		size_t colon = str_find_last(first, ':');
		put(record, FIELD_CS_HOST, str_slice(first, 0, colon));
		first = second;
		second = scan_word(rest);
		if (!scan_char(rest, ' '))
			return false;
	}
	if (!scan_until(rest, STR(" ["), &user) || user.len > 256)
		return false;
	*rest = (struct str){rest->ptr - 1, rest->len + 1};
	put(record, FIELD_C_IP, first);
	if (host_is_address(first))
		put(record, FIELD_SRC_IP, first);
	put(record, FIELD_CS_USERNAME, user);
	return true;
}

static enum decode_status decode(struct record *record, struct str text)
{
	struct str rest = text, request, status, bytes, quoted;

	if (!take_client(record, &rest) || !take_time(record, &rest) ||
	    !take_quoted(&rest, &request))
		return DECODE_NO;
	status = scan_word(&rest);
	scan_char(&rest, ' ');
	bytes = scan_word(&rest);
	scan_char(&rest, ' ');
	if (status.len != 3 || !scan_all(status, char_is_digit))
		return DECODE_NO;
	put_request(record, request);
	put(record, FIELD_SC_STATUS, status);
	put(record, FIELD_SC_BYTES, bytes);
	if (take_quoted(&rest, &quoted))
		put(record, FIELD_CS_REFERER, quoted);
	if (take_quoted(&rest, &quoted)) {
		put(record, FIELD_CS_USER_AGENT, quoted);
		put(record, FIELD_C_USERAGENT, quoted);
	}
	record_category(record, STR("webserver"));
	if (record->product.len == 0)
		record->service = str_starts(record_value(record, FIELD_APP), STR("nginx"))
				      ? STR("nginx")
				      : STR("apache");
	record->message = text;
	return DECODE_YES;
}

const struct decoder decode_web_access = {
    .name = "web_access",
    .stage = DECODER_PAYLOAD,
    .summary = "access logs of Apache and nginx: common, combined, with virtual host",
    .decode = decode,
};
