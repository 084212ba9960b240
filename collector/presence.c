#include "collector/presence.h"

#include "base/clock.h"
#include "base/json.h"
#include "collector/agencies.h"

#include <stdio.h>

/* Weight of what is new in a moving average: a look, or a gap, in 64; in 8 while it is young. */
static double weight(const struct presence *presence)
{
	return presence->looks < 8 ? 1.0 / (presence->looks + 1) : presence->looks < 64 ? 1.0 / 8
											: 1.0 / 64;
}

static void learn(struct presence *presence, double rate, double gap_ns, bool came)
{
	double share = weight(presence);

	presence->rate += (rate - presence->rate) * share;
	if (came)
		presence->gap_ns += (gap_ns - presence->gap_ns) *
				    (presence->gap_ns == 0 ? 1 : 1.0 / 8);
}

static bool is_silent(const struct ledger_row *row, int64_t now_ns)
{
	const struct identity_of *identity = row->identity;
	double least_ns = row->presence.gap_ns * identity->silent_times;
	int64_t passed_ns = now_ns - row->counts.last_ns;

	return identity->silent_ns > 0 && row->counts.last_ns > 0 &&
	       passed_ns >= identity->silent_ns && (double)passed_ns >= least_ns;
}

static bool is_loud(const struct ledger_row *row, double rate)
{
	const struct presence *presence = &row->presence;

	return row->identity->loud_times > 0 && presence->looks >= PRESENCE_KNOWN &&
	       rate > PRESENCE_LOUD_LEAST && rate > presence->rate * row->identity->loud_times;
}

static enum presence_news silence(struct ledger_row *row, bool came, int64_t now_ns)
{
	struct source_row *counts = &row->counts;

	if (counts->silent && came) {
		counts->silent = false;
		return PRESENCE_BACK;
	}
	if (counts->silent || !is_silent(row, now_ns))
		return PRESENCE_USUAL;
	counts->silent = true;
	return PRESENCE_SILENT;
}

/* A loud minute is not what is usual, so nothing is learned from it. */
static enum presence_news loudness(struct ledger_row *row, bool loud)
{
	struct presence *presence = &row->presence;

	if (!loud) {
		bool was = row->counts.loud;

		presence->loud_looks = 0;
		row->counts.loud = false;
		return was ? PRESENCE_BACK : PRESENCE_USUAL;
	}
	if (++presence->loud_looks != PRESENCE_LOUD_LOOKS)
		return PRESENCE_USUAL;
	row->counts.loud = true;
	return PRESENCE_LOUD;
}

enum presence_news presence_look(struct ledger_row *row, int64_t now_ns)
{
	struct presence *presence = &row->presence;
	int64_t passed_ns = now_ns - presence->looked_ns;
	uint64_t count = row->counts.received - presence->seen;
	int64_t before_ns = presence->last_ns;

	/* The first look, or a clock that was set back. */
	if (presence->looked_ns == 0 || passed_ns <= 0) {
		presence->looked_ns = now_ns;
		presence->seen = row->counts.received;
		presence->last_ns = row->counts.last_ns;
		return PRESENCE_USUAL;
	}
	double rate = (double)count * (double)NS_PER_S / (double)passed_ns;
	double gap_ns = count == 0 ? 0 : (double)(row->counts.last_ns - before_ns) / (double)count;
	enum presence_news news = silence(row, count > 0, now_ns);
	bool loud = is_loud(row, rate);

	presence->looked_ns = now_ns;
	presence->seen = row->counts.received;
	presence->last_ns = row->counts.last_ns;
	if (news == PRESENCE_USUAL)
		news = loudness(row, loud);
	if (!loud) {
		learn(presence, rate, gap_ns, count > 0 && gap_ns > 0 && before_ns > 0);
		presence->looks++;
	}
	return news;
}

static void number(struct json *json, const char *key, double value)
{
	char text[32];

	snprintf(text, sizeof(text), "%.3f", value);
	json_pair(json, key, str_of(text));
}

static void tell(struct intake *intake, struct ledger_row *own, const struct ledger_row *row,
    enum presence_news news, double rate)
{
	static const struct str names[] = {[PRESENCE_USUAL] = STR_INIT(""),
	    [PRESENCE_SILENT] = STR_INIT("sender_silent"),
	    [PRESENCE_LOUD] = STR_INIT("sender_loud"), [PRESENCE_BACK] = STR_INIT("sender_usual")};
	struct buf text = BUF(4096);
	struct json json = json_begin(&text);

	json_open(&json, '{');
	json_pair(&json, "tocsin", STR("collector"));
	json_pair(&json, "event", names[news]);
	json_pair(&json, "sender", row->counts.sender);
	json_pair(&json, "input", str_of(row->counts.input));
	json_pair(&json, "agency", row->identity->agency);
	json_pair(&json, "system", row->identity->system);
	json_pair_i64(&json, "level", row->identity->level);
	json_pair(&json, "contacts", row->identity->contacts);
	json_pair_i64(&json, "silent_s", (intake->now_ns - row->counts.last_ns) / NS_PER_S);
	number(&json, "rate", rate);
	number(&json, "usual", row->presence.rate);
	json_close(&json, '}');
	if (!text.failed) {
		struct event event = {.received_ns = intake->now_ns,
		    .zone_s = intake->zone_s,
		    .sender = row->counts.sender,
		    .agency = row->identity->agency,
		    .system = row->identity->system,
		    .decoder = STR("tocsin"),
		    .raw = buf_str(&text)};

		/* In the sender's partition, behind what it last sent. */
		own->partition = row->partition;
		packer_add(intake->packer, own, &event, NULL);
	}
	buf_free(&text);
}

/* Each second the rows of one residue, so that each is looked at every ten seconds. */
void presence_tick(struct intake *intake, struct ledger_row *own)
{
	size_t parts = PRESENCE_LOOK_NS / NS_PER_S;
	size_t part = (size_t)((uint64_t)intake->now_ns / NS_PER_S) % parts;

	for (size_t i = part; i + 1 < ledger_count(intake->ledger); i += parts) {
		struct ledger_row *row = ledger_at(intake->ledger, i);
		int64_t looked_ns = row->presence.looked_ns;
		uint64_t seen = row->presence.seen;

		if (row->shared || row == own || row->counts.received == 0)
			continue;
		enum presence_news news = presence_look(row, intake->now_ns);

		if (news != PRESENCE_USUAL)
			tell(intake, own, row, news,
			    (double)(row->counts.received - seen) * (double)NS_PER_S /
				(double)(intake->now_ns - looked_ns));
	}
}
