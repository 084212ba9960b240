/*
 * Linux audit records, raw from audit.log, through audispd or the kernel:
 * "type=SYSCALL msg=audit(1795317987.123:42): arch=c000003e exe="/bin/su" ...". Values that hold
 * spaces or quotes are hexadecimal (audit's untrusted strings); they are decoded, with spaces for
 * the NULs of proctitle. Behind 0x1D auditd adds names for numbers (ENRICHED), in upper case.
 */
#include "decoder/decoders.h"

#include "decoder/pattern.h"
#include "decoder/scan.h"
#include "decoder/timestamp.h"

static bool is_key_char(char c)
{
	return char_is_alpha(c) || char_is_digit(c) || c == '_' || c == '-';
}

static bool is_hex(char c)
{
	return char_is_digit(c) || (c >= 'A' && c <= 'F');
}

/* The keys whose values the kernel writes in hexadecimal when they are not plain. */
static bool is_untrusted(struct str key)
{
	static const struct str keys[] = {
	    STR_INIT("proctitle"),
	    STR_INIT("comm"),
	    STR_INIT("exe"),
	    STR_INIT("name"),
	    STR_INIT("cwd"),
	    STR_INIT("acct"),
	    STR_INIT("cmd"),
	    STR_INIT("path"),
	    STR_INIT("data"),
	    STR_INIT("key"),
	    STR_INIT("old"),
	    STR_INIT("new"),
	    STR_INIT("vm"),
	    STR_INIT("root"),
	    STR_INIT("dir"),
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (str_eq(keys[i], key))
			return true;
	}
	return key.len >= 2 && key.ptr[0] == 'a' &&
	       scan_all(str_slice(key, 1, key.len), char_is_digit);
}

static struct str decode_hex(struct record *record, struct str hex)
{
	char *out = arena_alloc(record->arena, hex.len / 2);

	if (out == NULL)
		return hex;
	for (size_t i = 0; i < hex.len / 2; i++) {
		int byte = char_hex(hex.ptr[2 * i]) * 16 + char_hex(hex.ptr[2 * i + 1]);
		out[i] = byte == 0 ? ' ' : (char)byte;
	}
	return str_from(out, hex.len / 2);
}

/* a0 to a3 of SYSCALL are numbers; only those of EXECVE are strings. */
static bool is_encoded(struct str key, struct str value, bool execve)
{
	bool argument = key.len == 2 && key.ptr[0] == 'a';

	return value.len >= 2 && value.len % 2 == 0 && scan_all(value, is_hex) &&
	       is_untrusted(key) && (!argument || execve) && !(argument && value.len < 4);
}

static struct str take_value(struct str *rest, bool *ret_quoted)
{
	char quote = scan_peek(*rest, 0);
	struct str value;

	*ret_quoted = false;
	if (quote == '"' || quote == '\'') {
		struct str at = *rest;
		scan_skip(&at, 1);
		if (scan_until(&at, str_from(&quote, 1), &value)) {
			*ret_quoted = true;
			*rest = at;
			return value;
		}
	}
	size_t n = 0;
	while (
	    n < rest->len && rest->ptr[n] != ' ' && rest->ptr[n] != '\x1D' && rest->ptr[n] != '\'')
		n++;
	value = str_slice(*rest, 0, n);
	scan_skip(rest, n);
	return value;
}

static void put_value(struct record *record, struct str key, struct str value, bool quoted)
{
	bool execve = str_eq(record_value(record, FIELD_TYPE), STR("EXECVE"));

	if (!quoted && is_encoded(key, value, execve))
		record_put_named(record, key, FIELD_STRING, decode_hex(record, value));
	else if (quoted)
		record_put_named(record, key, FIELD_STRING, value);
	else
		pattern_put(record, key, value);
}

/* msg='op=... acct="root"' holds pairs of its own; the quote is simply stepped over. */
static void put_pairs(struct record *record, struct str rest)
{
	while (rest.len > 0) {
		struct str key = str_slice(rest, 0, scan_count(rest, is_key_char));
		bool quoted;

		scan_skip(&rest, key.len);
		if (key.len == 0 || !scan_char(&rest, '=')) {
			scan_skip(&rest, key.len == 0);
			continue;
		}
		if (str_eq(key, STR("msg")) && scan_peek(rest, 0) == '\'')
			continue;
		struct str value = take_value(&rest, &quoted);
		put_value(record, key, value, quoted);
	}
}

/* Kernel messages give the type as a number. */
static struct str type_name(struct str type)
{
	static const struct {
		struct str number, name;
	} types[] = {
	    {STR_INIT("1100"), STR_INIT("USER_AUTH")},
	    {STR_INIT("1112"), STR_INIT("USER_LOGIN")},
	    {STR_INIT("1300"), STR_INIT("SYSCALL")},
	    {STR_INIT("1302"), STR_INIT("PATH")},
	    {STR_INIT("1305"), STR_INIT("CONFIG_CHANGE")},
	    {STR_INIT("1306"), STR_INIT("SOCKADDR")},
	    {STR_INIT("1307"), STR_INIT("CWD")},
	    {STR_INIT("1309"), STR_INIT("EXECVE")},
	    {STR_INIT("1326"), STR_INIT("SECCOMP")},
	    {STR_INIT("1327"), STR_INIT("PROCTITLE")},
	    {STR_INIT("1400"), STR_INIT("AVC")},
	    {STR_INIT("1130"), STR_INIT("SERVICE_START")},
	    {STR_INIT("1131"), STR_INIT("SERVICE_STOP")},
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (str_eq(types[i].number, type))
			return types[i].name;
	}
	return type;
}

/* "audit(1795317987.123:42):"; the serial joins the records of one event. */
static bool take_stamp(struct record *record, struct str *rest)
{
	struct timestamp stamp;
	struct str serial;

	scan_literal(rest, STR("msg="));
	if (!scan_literal(rest, STR("audit(")) || !timestamp_take(rest, &stamp) ||
	    !scan_char(rest, ':') || !scan_until(rest, STR(")"), &serial))
		return false;
	scan_char(rest, ':');
	scan_spaces(rest);
	timestamp_set(record, &stamp);
	pattern_put(record, STR("audit.serial"), serial);
	return true;
}

static void put_user(struct record *record)
{
	const struct field *account = record_find(record, STR("acct"));

	if (account == NULL)
		account = record_find(record, STR("AUID"));
	if (account != NULL && account->value.len > 0)
		record_put(record, FIELD_USER, account->value);
	const struct field *result = record_find(record, STR("res"));
	if (result == NULL)
		result = record_find(record, STR("success"));
	if (result != NULL)
		record_put(record, FIELD_OUTCOME,
		    str_eq(result->value, STR("yes")) || str_eq(result->value, STR("success")) ||
			    str_eq(result->value, STR("1"))
			? STR("success")
			: STR("failure"));
}

static enum decode_status decode(struct record *record, struct str text)
{
	struct str rest = text, word;

	scan_literal(&rest, STR("audit: "));
	if (scan_literal(&rest, STR("node="))) {
		word = scan_word(&rest);
		scan_spaces(&rest);
		record_put(record, FIELD_HOST, word);
	}
	if (!scan_literal(&rest, STR("type=")))
		return DECODE_NO;
	word = scan_word(&rest);
	scan_spaces(&rest);
	record_put(record, FIELD_TYPE, type_name(word));
	if (!take_stamp(record, &rest))
		return DECODE_NO;
	put_pairs(record, rest);
	put_user(record);
	record->product = STR("linux");
	record->service = STR("auditd");
	record->message = text;
	return DECODE_YES;
}

const struct decoder decode_auditd = {
    .name = "auditd",
    .stage = DECODER_PAYLOAD,
    .summary = "Linux audit records: raw, of audispd, of the kernel; encoded values decoded",
    .decode = decode,
};
