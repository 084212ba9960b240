#include "collector/input.h"

#include "collector/agencies.h"
#include "collector/syslog.h"

#include "base/utf8.h"
#include "net/address.h"

#include <string.h>

#define INPUT(symbol, name, summary) extern const struct input_kind input_##symbol;
#include "collector/inputs.def"
#undef INPUT

static const struct input_kind *const kinds[] = {
#define INPUT(symbol, name, summary) &input_##symbol,
#include "collector/inputs.def"
#undef INPUT
};

size_t input_count(void)
{
	return sizeof(kinds) / sizeof(kinds[0]);
}

const struct input_kind *input_at(size_t index)
{
	return kinds[index];
}

const struct input_kind *input_find(struct str name)
{
	for (size_t i = 0; i < input_count(); i++) {
		if (str_eq(name, str_of(kinds[i]->name)))
			return kinds[i];
	}
	return NULL;
}

int64_t intake_now(struct intake *intake)
{
	intake->now_ns = intake->options->clock();
	return intake->now_ns;
}

/* Nearly all text is ASCII without NUL: eight bytes at a time tell that, and where it ends. */
static size_t plain_prefix(struct str s)
{
	const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
	size_t at = 0;

	for (; at + 8 <= s.len; at += 8) {
		uint64_t word;

		memcpy(&word, s.ptr + at, sizeof(word));
		/* A byte above 0x7f, or a borrow out of a byte that is 0. */
		if (((word | (word - ones)) & highs) != 0)
			break;
	}
	return at;
}

static uint32_t text_flags(struct str raw)
{
	size_t plain = plain_prefix(raw);
	struct str rest = str_slice(raw, plain, raw.len);

	return (str_find_char(rest, '\0') != STR_NOT_FOUND ? EVENT_HAS_NUL : 0u) |
	       (utf8_is_valid(rest) ? 0u : EVENT_BAD_UTF8);
}

/* Received and not taken; counted, told on the bus, and nobody gets an answer for it. */
static void refuse(struct intake *intake, struct ledger_row *row, size_t bytes, uint64_t *reason)
{
	struct source_row *counts = &row->counts;

	if (counts->received++ == 0)
		counts->first_ns = intake->now_ns;
	counts->last_ns = intake->now_ns;
	counts->bytes += bytes;
	++*reason;
	if (row->gap_refused++ == 0)
		row->gap_from_ns = intake->now_ns;
}

bool intake_admits(struct intake *intake, struct ledger_row *row, size_t bytes)
{
	if (row->barred)
		refuse(intake, row, bytes, &row->counts.refused_barred);
	else if (quota_wait(ledger_bucket(row), &row->identity->quota, intake->now_ns) > 0)
		refuse(intake, row, bytes, &row->counts.refused_quota);
	else
		return true;
	return false;
}

static bool is_refused(struct intake *intake, struct ledger_row *row, const char *input,
    enum transport transport, size_t bytes)
{
	/* The row of the unknown others is of every input. */
	if (row->shared && !row->identity->known)
		row->barred = !identity_allows(row->identity, input);
	if (transport == TRANSPORT_UDP)
		return !intake_admits(intake, row, bytes);
	if (row->barred)
		refuse(intake, row, bytes, &row->counts.refused_barred);
	return row->barred;
}

/* What the protocol names it; empty: it does not. */
static struct str name_of(const struct intake *intake, const struct event *event)
{
	switch (event->transport) {
	case TRANSPORT_UDP:
	case TRANSPORT_TCP:
	case TRANSPORT_TLS:
	case TRANSPORT_UNIX:
	case TRANSPORT_RELP:
		return syslog_sequence(event->raw);
	case TRANSPORT_UNKNOWN:
	case TRANSPORT_HTTP:
	case TRANSPORT_LUMBERJACK:
	case TRANSPORT_FORWARD:
	case TRANSPORT_GELF:
	case TRANSPORT_FILE:
	case TRANSPORT_KAFKA:
	case TRANSPORT_COUNT:
		break;
	}
	return intake->name;
}

/* It was here before: who waits for it, waits for that. Of a message that is cut nobody knows. */
static bool is_repeat(struct intake *intake, struct event *event, struct ticket *ticket)
{
	struct str name = STR_NONE;

	if (intake->messages != NULL && (event->flags & EVENT_TRUNCATED) == 0)
		name = name_of(intake, event);
	if (name.len == 0)
		return false;
	event->message = messages_hash(intake->messages, event->sender, name, event->raw);
	return messages_repeat(
	    intake->messages, event->sender, event->message, intake->now_ns, ticket);
}

/* Whose it is. */
static void stamp(const struct intake *intake, const struct identity_of *identity,
    struct event *event)
{
	event->zone_s = identity->zone_is_set ? identity->zone_s : intake->zone_s;
	event->agency = identity->agency;
	event->system = identity->system;
	event->decoder = intake->decoder.len > 0 ? intake->decoder : identity->decoder;
}

void intake_kept(struct intake *intake, struct ledger_row *row, const char *input,
    struct lane *lane, struct event *event, struct ticket *ticket)
{
	row->counts.input = input;
	row->counts.transport = event->transport;
	if (is_refused(intake, row, input, event->transport, event->raw.len)) {
		ticket_hold(ticket);
		ticket_release(ticket, false);
		return;
	}
	stamp(intake, row->identity, event);
	quota_take(ledger_bucket(row), &row->identity->quota, event->raw.len, intake->now_ns);
	packer_add_kept(intake->packer, lane, row, event, intake->now_ns, ticket);
}

void intake_event(struct intake *intake, struct ledger_row *row, const char *input,
    enum transport transport, struct str peer, struct str raw, bool cut,
    struct ticket *ticket)
{
	const struct identity_of *identity = row->identity;

	row->counts.input = input;
	row->counts.transport = transport;
	if (is_refused(intake, row, input, transport, raw.len)) {
		ticket_hold(ticket);
		ticket_release(ticket, false);
		return;
	}
	struct event event = {
	    .received_ns = intake->now_ns,
	    .transport = transport,
	    .peer = peer,
	    .sender = row->shared ? address_host(peer) : row->counts.sender,
	    .raw = raw,
	    .flags = (cut ? EVENT_TRUNCATED : 0u) | text_flags(raw),
	};

	stamp(intake, identity, &event);
	quota_take(ledger_bucket(row), &identity->quota, raw.len, intake->now_ns);
	if (is_repeat(intake, &event, ticket))
		row->counts.repeats++;
	else
		packer_add(intake->packer, row, &event, ticket);
}
