/*
 * The header of BSD syslog as it is really sent: PRI, time stamp, host and tag, each of which may
 * be missing or foreign. RFC 3164 describes practice and binds nobody; the forms are those of the
 * network devices and programs that were seen. See timestamp.h, host.h and tag.h for each part.
 */
#include "decoder/decoders.h"

#include "decoder/host.h"
#include "decoder/pri.h"
#include "decoder/scan.h"
#include "decoder/tag.h"
#include "decoder/timestamp.h"

#define CISCO_WORDS 4 /* most words before the stamp: sequence, host, sequence, task */

struct header {
	unsigned pri;
	bool has_pri, bad_pri;
	bool has_stamp;
	struct timestamp stamp;
	struct str host, sequence;
	struct tag tag;
};

/* "%LINK-3-UPDOWN:" */
static bool is_mnemonic(struct str at)
{
	size_t colon = str_find_char(at, ':');
	size_t dash = str_find_char(at, '-');

	return scan_peek(at, 0) == '%' && char_is_alpha(scan_peek(at, 1)) &&
	       colon != STR_NOT_FOUND && dash < colon && colon < 80 &&
	       scan_count(str_slice(at, 0, colon), char_is_digit) == 0;
}

static bool take_stamp(struct str *rest, struct header *header)
{
	if (!timestamp_take(rest, &header->stamp))
		return false;
	header->has_stamp = true;
	return true;
}

/*
 * One word with a colon that Cisco devices write before the stamp. False: none, or not of the kind.
 */
static bool take_cisco_word(struct str *rest, struct header *header)
{
	struct str at = *rest, word;
	size_t n = str_find_char(str_slice(at, 0, 160), ':');

	if (n == STR_NOT_FOUND)
		return false;
	word = str_slice(at, 0, n);
	scan_skip(&at, n + 1);
	if (scan_all(word, char_is_digit)) {
		header->sequence = word;
	} else if (word.len > 0 && scan_peek(word, 0) != '*') {
		/* IOS XR: "host RP/0/RSP0/CPU0"; the node is no part of the name */
		struct str name = scan_word(&word);
		struct str node = str_trim(word);
		if (node.len > 0 && str_find_char(node, '/') == STR_NOT_FOUND)
			return false;
		if (str_find_char(name, '/') == STR_NOT_FOUND)
			header->host = name;
	}
	scan_spaces(&at);
	*rest = at;
	return true;
}

/*
 * "29: name: *Apr 29 13:58:40.411: %SYS-5-CONFIG_I: ...": what stands before the stamp. Only taken
 * when a stamp or a mnemonic follows, or else any message with colons would lose its beginning.
 */
static bool take_cisco(struct str *rest, struct header *header)
{
	struct header tried = *header;
	struct str at = *rest;

	for (int words = 0; words < CISCO_WORDS; words++) {
		if (words > 0 && take_stamp(&at, &tried))
			break;
		if (words > 0 && is_mnemonic(at))
			break;
		if (words + 1 == CISCO_WORDS || !take_cisco_word(&at, &tried))
			return false;
	}
	*header = tried;
	*rest = at;
	return true;
}

static bool colon_then_mnemonic(struct str *rest)
{
	struct str at = *rest;

	scan_spaces(&at);
	if (!scan_char(&at, ':'))
		return false;
	scan_spaces(&at);
	*rest = at;
	return true;
}

static bool take_head(struct str *rest, struct header *header)
{
	struct str at = *rest;

	/* Meraki: a version as in RFC 5424, then an epoch stamp and no more of that format */
	if (header->has_pri && scan_char(&at, '1') && scan_char(&at, ' ') &&
	    take_stamp(&at, header) && header->stamp.form == TIMESTAMP_EPOCH) {
		*rest = at;
		return true;
	}
	header->has_stamp = false;
	if (take_stamp(rest, header))
		return true;
	return take_cisco(rest, header);
}

/* Host and tag behind the stamp; behind a Cisco stamp there is a colon and no host. */
static void take_names(struct str *rest, struct header *header)
{
	struct str before = *rest;
	bool cisco = header->host.len > 0 || header->sequence.len > 0;

	if (colon_then_mnemonic(rest) || cisco) {
		tag_take(rest, &header->tag);
		return;
	}
	scan_spaces(rest);
	if (before.len > 0 && before.ptr[0] == '\t') {
		scan_skip(rest, 1);
		return;
	}
	host_take(rest, &header->host);
	if (header->host.len > 0)
		colon_then_mnemonic(rest);
	tag_take(rest, &header->tag);
}

static void take_names_unstamped(struct str *rest, struct header *header)
{
	struct str at = *rest, word = at;

	word = scan_word(&word);
	if (str_ends(word, STR(":")) || scan_peek(word, 0) == '[') {
		host_take(&at, &header->host);
		if (header->host.len > 0)
			*rest = at;
	}
	tag_take(rest, &header->tag);
}

static void put_text(struct record *record, enum field_id id, struct str value)
{
	if (value.len > 0)
		record_put(record, id, value);
}

/* Sigma's services of product cisco, by the facility of the mnemonic. */
static struct str cisco_service(struct str facility)
{
	static const struct {
		struct str facility, service;
	} services[] = {
	    {STR_INIT("AAA"), STR_INIT("aaa")},
	    {STR_INIT("SEC_LOGIN"), STR_INIT("aaa")},
	    {STR_INIT("PARSER"), STR_INIT("aaa")},
	    {STR_INIT("AUTHMGR"), STR_INIT("aaa")},
	    {STR_INIT("BGP"), STR_INIT("bgp")},
	    {STR_INIT("BGP_SESSION"), STR_INIT("bgp")},
	    {STR_INIT("LDP"), STR_INIT("ldp")},
	};

	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		if (str_eq(services[i].facility, facility))
			return services[i].service;
	}
	return STR("syslog");
}

/*
 * Where the header names no host, two Cisco products name it in the message: the call manager as
 * "Node ID:name" or "[Node ID=name]", Viptela in "%Viptela-name-process-6-INFO-1400002".
 */
static struct str cisco_host(const struct record *record)
{
	const struct field *facility = record_find(record, STR("cisco.facility"));
	struct str rest = record->message, skipped, name;

	if (facility != NULL && str_starts(facility->value, STR("Viptela-"))) {
		size_t process = str_find_last(facility->value, '-');
		return str_slice(facility->value, 8, process);
	}
	if (!scan_until(&rest, STR("Node ID"), &skipped) ||
	    (!scan_char(&rest, ':') && !scan_char(&rest, '=')))
		return STR_NONE;
	name = scan_word(&rest);
	return str_slice(name, 0, str_find_char(name, ']'));
}

static void put_cisco(struct record *record, const struct header *header)
{
	struct str mnemonic = header->tag.app;

	if (header->sequence.len > 0)
		record_put_named(record, STR("cisco.sequence"), FIELD_NUMBER, header->sequence);
	if (!is_mnemonic(record->message) && scan_peek(mnemonic, 0) != '%')
		return;
	if (scan_peek(mnemonic, 0) != '%')
		mnemonic = str_slice(record->message, 0, str_find_char(record->message, ':'));
	if (tag_put_mnemonic(record, str_trim(str_slice(mnemonic, 1, mnemonic.len)))) {
		record->product = STR("cisco");
		const struct field *facility = record_find(record, STR("cisco.facility"));
		record->service = cisco_service(facility != NULL ? facility->value : STR_NONE);
		if (header->host.len == 0)
			put_text(record, FIELD_HOST, cisco_host(record));
	}
}

static void put(struct record *record, const struct header *header, struct str message)
{
	pri_put(record, header->pri);
	if (header->bad_pri)
		record->flags |= RECORD_BAD_PRI;
	if (header->has_stamp)
		timestamp_set(record, &header->stamp);
	else
		record->flags |= RECORD_NO_TIME;
	put_text(record, FIELD_HOST, header->host);
	put_text(record, FIELD_APP, header->tag.app);
	put_text(record, FIELD_PROCID, header->tag.procid);
	put_text(record, FIELD_MSGID, header->tag.msgid);
	record->message = message;
	put_cisco(record, header);
}

static enum decode_status decode(struct record *record, struct str text)
{
	struct header header = {.pri = PRI_DEFAULT};
	struct str rest = pri_skip_junk(text);
	bool cisco_mnemonic;

	header.has_pri = pri_take(&rest, &header.pri, &header.bad_pri);
	if (!header.has_pri && scan_peek(rest, 0) == '{')
		return DECODE_NO;
	scan_spaces(&rest);
	cisco_mnemonic = scan_peek(rest, 0) == ':';
	if (cisco_mnemonic)
		colon_then_mnemonic(&rest);
	if (take_head(&rest, &header))
		take_names(&rest, &header);
	else if (!header.has_pri)
		return DECODE_NO;
	else
		take_names_unstamped(&rest, &header);
	put(record, &header, rest);
	return DECODE_YES;
}

const struct decoder decode_rfc3164 = {
    .name = "rfc3164",
    .stage = DECODER_HEADER,
    .summary =
	"BSD syslog (RFC 3164) as devices send it: stamps of all forms, Cisco, missing parts",
    .decode = decode,
};
