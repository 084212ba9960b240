#include "decoder/tag.h"

#include "decoder/host.h"
#include "decoder/scan.h"

#define TAG_MAX 128 /* RFC 3164 says 32; programs with paths and containers are longer */

static bool is_tag_char(char c)
{
	return c != ' ' && c != '\t' && c != ':' && c != '[' && c != ']' && c != '{' && c != '"' &&
	       c != '<' && c != '=' && c != ',' && c != '|' && c != '\0';
}

static bool is_procid_char(char c)
{
	return c != ' ' && c != ']' && c != '[';
}

/* "app[pid]" with or without the colon. */
static bool take_bracketed(struct str *rest, struct str app, struct tag *ret)
{
	struct str at = *rest, procid;

	if (!scan_char(&at, '['))
		return false;
	procid = str_slice(at, 0, scan_count(at, is_procid_char));
	scan_skip(&at, procid.len);
	if (!scan_char(&at, ']') || procid.len > TAG_MAX)
		return false;
	scan_char(&at, ':');
	*rest = at;
	*ret = (struct tag){app, str_eq(procid, STR("-")) ? STR_NONE : procid, STR_NONE};
	return true;
}

/* "app:" but not "app::thing" and not the "x:y" of a message. */
static bool take_colon(struct str *rest, struct str app, struct tag *ret)
{
	struct str at = *rest;

	if (scan_literal(&at, STR(" -:")) || scan_literal(&at, STR(" : "))) {
		*rest = at;
	} else if (scan_char(&at, ':')) {
		char next = scan_peek(at, 0);
		if (next == ':' || next == '/' || next == '\\')
			return false;
		*rest = at;
	} else {
		return false;
	}
	*ret = (struct tag){app, STR_NONE, STR_NONE};
	return true;
}

/* "app procid msgid -" and "app procid msgid [sd...": what some devices leave of RFC 5424. */
static bool take_tail(struct str *rest, struct str app, struct tag *ret)
{
	struct str at = *rest, procid, msgid, sd;

	if (!scan_char(&at, ' '))
		return false;
	procid = scan_word(&at);
	if ((!str_eq(procid, STR("-")) && !scan_all(procid, char_is_digit)) || !scan_char(&at, ' '))
		return false;
	msgid = scan_word(&at);
	if (msgid.len == 0 || !scan_char(&at, ' '))
		return false;
	struct str after = at;
	sd = scan_word(&after);
	if (!str_eq(sd, STR("-")) && scan_peek(sd, 0) != '[')
		return false;
	bool nil = str_eq(sd, STR("-"));
	*rest = nil ? after : at;
	*ret = (struct tag){app, str_eq(procid, STR("-")) ? STR_NONE : procid,
	    str_eq(msgid, STR("-")) ? STR_NONE : msgid};
	return true;
}

static bool take_one(struct str *rest, struct tag *ret)
{
	struct str at = *rest;
	struct str app = str_slice(at, 0, scan_count(at, is_tag_char));

	if (app.len == 0 || app.len > TAG_MAX || str_eq(app, STR("-")))
		return false;
	if (str_eq(app, STR("CEF")) || str_eq(app, STR("LEEF")))
		return false;
	scan_skip(&at, app.len);
	if (!take_bracketed(&at, app, ret) && !take_colon(&at, app, ret) &&
	    !take_tail(&at, app, ret))
		return false;
	*rest = at;
	return true;
}

void tag_take(struct str *rest, struct tag *ret)
{
	struct str at = *rest, word = at;

	*ret = (struct tag){STR_NONE, STR_NONE, STR_NONE};
	word = scan_word(&word);
	if (host_is_level(word) || host_is_address(word)) {
		scan_skip(&at, word.len);
		scan_spaces(&at);
	}
	if (!take_one(&at, ret)) {
		at = *rest;
		if (!take_one(&at, ret))
			return;
	}
	scan_spaces(&at);
	*rest = at;
}

struct str tag_program(struct str app)
{
	size_t slash = str_find_last(app, '/');
	size_t paren = str_find_char(app, '(');

	if (paren != STR_NOT_FOUND && paren > 0)
		app = str_slice(app, 0, paren);
	if (slash != STR_NOT_FOUND && slash + 1 < app.len)
		app = str_slice(app, slash + 1, app.len);
	return app;
}

/*
 * The single digit that is the severity, between two dashes; from the right, as names have digits.
 */
static size_t severity_at(struct str text)
{
	for (size_t at = text.len; at >= 3; at--) {
		if (text.ptr[at - 1] == '-' && char_is_digit(text.ptr[at - 2]) &&
		    text.ptr[at - 2] <= '7' && text.ptr[at - 3] == '-')
			return at - 2;
	}
	return STR_NOT_FOUND;
}

bool tag_put_mnemonic(struct record *record, struct str text)
{
	size_t at = severity_at(text);

	if (at == STR_NOT_FOUND || at < 2 || !char_is_alpha(text.ptr[0]))
		return false;
	record_put_named(record, STR("cisco.facility"), FIELD_STRING, str_slice(text, 0, at - 1));
	record_put_named(record, STR("cisco.severity"), FIELD_NUMBER, str_slice(text, at, at + 1));
	record_put_named(
	    record, STR("cisco.mnemonic"), FIELD_STRING, str_slice(text, at + 2, text.len));
	return true;
}
