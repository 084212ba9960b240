#include "decoder/host.h"

#include "decoder/scan.h"

static bool is_v4_char(char c)
{
	return char_is_digit(c) || c == '.';
}

static bool is_v6_char(char c)
{
	return char_hex(c) >= 0 || c == ':' || c == '.';
}

static size_t count_char(struct str s, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += s.ptr[i] == c;
	return n;
}

bool host_is_address(struct str word)
{
	if (word.len > 2 && word.ptr[0] == '[' && word.ptr[word.len - 1] == ']')
		word = str_slice(word, 1, word.len - 1);
	if (scan_all(word, is_v4_char))
		return count_char(word, '.') == 3;
	return scan_all(word, is_v6_char) && count_char(word, ':') >= 2;
}

bool host_is_level(struct str word)
{
	static const struct str levels[] = {
	    STR_INIT("emerg"),
	    STR_INIT("alert"),
	    STR_INIT("crit"),
	    STR_INIT("critical"),
	    STR_INIT("err"),
	    STR_INIT("error"),
	    STR_INIT("warn"),
	    STR_INIT("warning"),
	    STR_INIT("notice"),
	    STR_INIT("info"),
	    STR_INIT("debug"),
	    STR_INIT("verbose"),
	    STR_INIT("trace"),
	    STR_INIT("fatal"),
	    STR_INIT("severe"),
	};

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (str_eq_fold(levels[i], word))
			return true;
	}
	return false;
}

/* "auth.notice": AIX and some appliances write the priority in words before the host. */
static bool is_priority(struct str word)
{
	static const struct str facilities[] = {
	    STR_INIT("kern"),
	    STR_INIT("user"),
	    STR_INIT("mail"),
	    STR_INIT("daemon"),
	    STR_INIT("auth"),
	    STR_INIT("syslog"),
	    STR_INIT("lpr"),
	    STR_INIT("news"),
	    STR_INIT("uucp"),
	    STR_INIT("cron"),
	    STR_INIT("authpriv"),
	    STR_INIT("ftp"),
	    STR_INIT("local0"),
	    STR_INIT("local1"),
	    STR_INIT("local2"),
	    STR_INIT("local3"),
	    STR_INIT("local4"),
	    STR_INIT("local5"),
	    STR_INIT("local6"),
	    STR_INIT("local7"),
	};
	size_t dot = str_find_char(word, '.');

	if (dot == STR_NOT_FOUND || !host_is_level(str_slice(word, dot + 1, word.len)))
		return false;
	for (size_t i = 0; i < sizeof(facilities) / sizeof(facilities[0]); i++) {
		if (str_eq_fold(facilities[i], str_slice(word, 0, dot)))
			return true;
	}
	return false;
}

/* A word that ends with a colon is a tag, unless it is numbered as machines are ("web-01:"). */
static bool is_numbered(struct str name)
{
	return name.len > 2 && char_is_digit(name.ptr[name.len - 1]) &&
	       str_find_char(name, '-') != STR_NOT_FOUND &&
	       str_find_char(name, '_') == STR_NOT_FOUND &&
	       str_find_char(name, '%') == STR_NOT_FOUND &&
	       str_find_char(name, ':') == STR_NOT_FOUND &&
	       str_find_char(name, '[') == STR_NOT_FOUND &&
	       str_find_char(name, '/') == STR_NOT_FOUND;
}

/* "name:" as host: an address, a numbered name, or before a Cisco mnemonic. */
static bool is_host_before_colon(struct str name, struct str after)
{
	scan_spaces(&after);
	return host_is_address(name) || is_numbered(name) ||
	       (scan_peek(after, 0) == '%' && scan_peek(name, 0) != '%');
}

/* ("name,mac,version") of older UniFi access points. */
static struct str quoted_triple(struct str *rest)
{
	struct str at = *rest, inside;

	if (!scan_literal(&at, STR("(\"")) || !scan_until(&at, STR("\")"), &inside) ||
	    str_find_char(inside, ',') == STR_NOT_FOUND)
		return STR_NONE;
	*rest = at;
	return str_slice(inside, 0, str_find_char(inside, ','));
}

/*
 * "[name:event.id:level]:" (NetApp), "[192.0.2.1]" and "[Device: name 192.0.2.1]" (Radware); any
 * other bracket is no host.
 */
static struct str bracketed(struct str *rest)
{
	size_t close = str_find_char(*rest, ']');
	struct str inside = str_slice(*rest, 1, close == STR_NOT_FOUND ? 0 : close);
	size_t colon = str_find_char(inside, ':');

	if (host_is_address(inside)) {
		scan_skip(rest, close + 1);
		return inside;
	}
	if (scan_literal(&inside, STR("Device: "))) {
		scan_skip(rest, close + 1);
		return scan_word(&inside);
	}
	if (colon == STR_NOT_FOUND || str_find_char(inside, ' ') != STR_NOT_FOUND ||
	    scan_peek(*rest, close + 1) != ':')
		return STR_NONE;
	scan_skip(rest, 1 + colon + 1);
	return str_slice(inside, 0, colon);
}

static bool is_payload(struct str at)
{
	char c = scan_peek(at, 0);

	return c == '%' || c == '{' || c == '<' || c == '"' || c == '(' || c == '/' || c == '@' ||
	       c == '\t' || str_starts(at, STR("CEF:")) || str_starts(at, STR("LEEF:")) ||
	       str_starts(at, STR("last message repeated "));
}

/*
 * The word as a host: "slot1/name" (chassis) is name, "name,mac,version" (access points) is name.
 */
static struct str trimmed(struct str word)
{
	size_t comma = str_find_char(word, ',');
	size_t slash = str_find_char(word, '/');

	if (comma != STR_NOT_FOUND && comma > 0)
		word = str_slice(word, 0, comma);
	if (str_starts(word, STR("slot")) && slash != STR_NOT_FOUND)
		word = str_slice(word, slash + 1, word.len);
	return word;
}

static bool is_word_end(char c)
{
	return c == ' ' || c == '\t';
}

/* Length of the first word; a comma that opens key=value fields ends it too. */
static size_t word_length(struct str at)
{
	size_t n = 0, comma = STR_NOT_FOUND;

	for (; n < at.len && !is_word_end(at.ptr[n]); n++) {
		if (at.ptr[n] == ',' && comma == STR_NOT_FOUND)
			comma = n;
		if (at.ptr[n] == '=')
			return comma == STR_NOT_FOUND ? 0 : comma;
	}
	return n;
}

static struct str plain_word(struct str *rest)
{
	size_t n = word_length(*rest);
	struct str word = str_slice(*rest, 0, n), after = *rest;

	scan_skip(&after, n);
	if (n == 0 || host_is_level(word) || str_eq(word, STR("-")))
		return STR_NONE;
	if (str_find_char(word, '[') != STR_NOT_FOUND || str_find_char(word, '(') != STR_NOT_FOUND)
		return STR_NONE;
	if (word.ptr[n - 1] == ':' && !host_is_address(word)) {
		struct str name = str_slice(word, 0, n - 1);
		bool host =
		    str_find_char(name, ',') != STR_NOT_FOUND || is_host_before_colon(name, after);
		if (!host)
			return STR_NONE;
		word = name;
	} else if (scan_count(after, char_is_space) > 0 && scan_peek(str_trim(after), 0) == '-' &&
		   scan_peek(str_trim(after), 1) == ':') {
		return STR_NONE; /* "program -: text" */
	}
	*rest = after;
	return trimmed(word);
}

void host_take(struct str *rest, struct str *ret)
{
	struct str word = *rest;

	word = scan_word(&word);
	if (is_priority(word)) {
		scan_skip(rest, word.len);
		scan_spaces(rest);
	}
	if (scan_literal(rest, STR("Message forwarded from "))) {
		word = scan_word(rest);
		*ret = str_slice(word, 0, word.len - str_ends(word, STR(":")));
	} else if (is_payload(*rest)) {
		*ret = quoted_triple(rest);
	} else if (scan_peek(*rest, 0) == '[') {
		*ret = bracketed(rest);
	} else {
		*ret = plain_word(rest);
		scan_char(rest, ',');
	}
	scan_spaces(rest);
}

struct str host_of_peer(struct str peer)
{
	size_t close = str_find_char(peer, ']');
	size_t colon = str_find_last(peer, ':');

	if (scan_peek(peer, 0) == '[' && close != STR_NOT_FOUND)
		return str_slice(peer, 1, close);
	if (colon != STR_NOT_FOUND && host_is_address(str_slice(peer, 0, colon)))
		return str_slice(peer, 0, colon);
	return peer;
}
