#include "collector/input.h"

#include "base/utf8.h"

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

void intake_event(struct intake *intake, struct ledger_row *row, const char *input,
    enum transport transport, struct str peer, struct str raw, bool cut)
{
	struct event event = {
	    .received_ns = intake->now_ns,
	    .transport = transport,
	    .zone_s = intake->zone_s,
	    .peer = peer,
	    .sender = row->counts.sender,
	    .agency = row->counts.agency,
	    .raw = raw,
	    .flags = (cut ? EVENT_TRUNCATED : 0u) |
		(str_find_char(raw, '\0') != STR_NOT_FOUND ? EVENT_HAS_NUL : 0u) |
		(utf8_is_valid(raw) ? 0u : EVENT_BAD_UTF8),
	};

	row->counts.input = input;
	packer_add(intake->packer, row, &event);
}
