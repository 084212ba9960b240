/*
 * The kernel: packets that netfilter logs (iptables, nftables, ufw, firewalld) as the category
 * firewall, audit records by way of their own decoder; of other messages the uptime is taken off.
 */
#include "decoder/decoders.h"

#include "decoder/pattern.h"
#include "decoder/scan.h"

struct part {
	struct str mark, name;
};

static const struct part parts[] = {
    {STR_INIT("IN="), STR_INIT("in")},
    {STR_INIT("OUT="), STR_INIT("out")},
    {STR_INIT("SRC="), STR_INIT("src_ip")},
    {STR_INIT("DST="), STR_INIT("dst_ip")},
    {STR_INIT("SPT="), STR_INIT("src_port")},
    {STR_INIT("DPT="), STR_INIT("dst_port")},
    {STR_INIT("PROTO="), STR_INIT("protocol")},
    {STR_INIT("MAC="), STR_INIT("mac")},
    {STR_INIT("LEN="), STR_INIT("len")},
    {STR_INIT("TTL="), STR_INIT("ttl")},
    {STR_INIT("TYPE="), STR_INIT("icmp_type")},
};

/* A word of the prefix that a rule logs with, and the action that it stands for. */
static const struct {
	struct str word, action;
	bool blocked;
} actions[] = {
    {STR_INIT("BLOCK"), STR_INIT("block"), true},
    {STR_INIT("DROP"), STR_INIT("drop"), true},
    {STR_INIT("REJECT"), STR_INIT("reject"), true},
    {STR_INIT("DENY"), STR_INIT("deny"), true},
    {STR_INIT("DENIED"), STR_INIT("deny"), true},
    {STR_INIT("ALLOW"), STR_INIT("allow"), false},
    {STR_INIT("ACCEPT"), STR_INIT("accept"), false},
    {STR_INIT("AUDIT"), STR_INIT("audit"), false},
};

static bool contains_fold(struct str text, struct str word)
{
	for (size_t i = 0; i + word.len <= text.len; i++) {
		if (str_eq_fold(str_slice(text, i, i + word.len), word))
			return true;
	}
	return false;
}

static void put_action(struct record *record, struct str prefix)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (!contains_fold(prefix, actions[i].word))
			continue;
		record_put(record, FIELD_ACTION, actions[i].action);
		record_put(
		    record, FIELD_OUTCOME, actions[i].blocked ? STR("failure") : STR("success"));
		record_put(record, FIELD_BLOCKED, actions[i].blocked ? STR("true") : STR("false"));
		return;
	}
}

/* The first of each: behind an ICMP error stands the packet that it is about, in brackets. */
static void put_packet(struct record *record, struct str rest)
{
	bool seen[sizeof(parts) / sizeof(parts[0])] = {false};

	for (; rest.len > 0; scan_spaces(&rest)) {
		struct str word = scan_word(&rest);
		for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
			if (seen[i] || !scan_literal(&word, parts[i].mark))
				continue;
			seen[i] = true;
			pattern_put(record, parts[i].name, word);
			break;
		}
	}
}

static void skip_uptime(struct str *rest)
{
	struct str at = *rest, inside;

	scan_char(&at, ':');
	scan_spaces(&at);
	if (scan_char(&at, '[') && scan_until(&at, STR("]"), &inside) &&
	    str_find_char(inside, '.') != STR_NOT_FOUND &&
	    char_is_digit(scan_peek(str_trim(inside), 0))) {
		scan_spaces(&at);
		*rest = at;
	}
}

static enum decode_status decode(struct record *record, struct str text)
{
	struct str rest = text;
	size_t in;

	skip_uptime(&rest);
	if (str_starts(rest, STR("audit: type=")))
		return decode_auditd.decode(record, rest);
	record->message = rest;
	in = str_find(rest, STR("IN="));
	if (in == STR_NOT_FOUND || str_find(rest, STR(" SRC=")) == STR_NOT_FOUND ||
	    str_find(rest, STR(" DST=")) == STR_NOT_FOUND)
		return DECODE_YES;
	pattern_put(record, STR("prefix"), str_trim(str_slice(rest, 0, in)));
	put_action(record, str_slice(rest, 0, in));
	put_packet(record, str_slice(rest, in, rest.len));
	record->service = STR_NONE;
	record_category(record, STR("firewall"));
	return DECODE_YES;
}

const struct decoder decode_kernel = {
    .name = "kernel",
    .stage = DECODER_APPLICATION,
    .summary = "Linux kernel: packets logged by iptables, nftables and ufw; audit; the rest",
    .decode = decode,
};
