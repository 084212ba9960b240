#include "collector/input.h"

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

void intake_event(struct intake *intake, struct ledger_row *row, const char *input,
    enum transport transport, struct str peer, struct str raw, bool cut,
    struct ticket *ticket)
{
	struct event event = {
	    .received_ns = intake->now_ns,
	    .transport = transport,
	    .zone_s = intake->zone_s,
	    .peer = peer,
	    .sender = row->shared ? address_host(peer) : row->counts.sender,
	    .agency = row->counts.agency,
	    .raw = raw,
	    .flags = (cut ? EVENT_TRUNCATED : 0u) | text_flags(raw),
	};

	row->counts.input = input;
	packer_add(intake->packer, row, &event, ticket);
}
