/* Messages that come again under their name: remembered, bounded, read back after a death. */
#include "collector/messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "collector/packer.h"
#include "collector/syslog.h"
#include "tests/collector/peer.h"

#define HUE  STR("192.0.2.7")
#define VINH STR("192.0.2.8")

/* ---- the table ---- */

static void what_tells_messages_apart(void **state)
{
	struct messages *one = messages_new(0xc0ffee, 100, NS_PER_S);
	struct messages *two = messages_new(0xc0ffed, 100, NS_PER_S);
	struct hash128 hash = messages_hash(one, HUE, STR("7"), STR("text"));

	(void)state;
	assert_true(message_is_named(hash));
	assert_true(hash128_eq(hash, messages_hash(one, HUE, STR("7"), STR("text"))));
	assert_false(hash128_eq(hash, messages_hash(one, VINH, STR("7"), STR("text"))));
	assert_false(hash128_eq(hash, messages_hash(one, HUE, STR("8"), STR("text"))));
	assert_false(hash128_eq(hash, messages_hash(one, HUE, STR("7"), STR("texts"))));
	assert_false(hash128_eq(hash, messages_hash(two, HUE, STR("7"), STR("text"))));
	messages_free(one);
	messages_free(two);
}

static struct hash128 number(const struct messages *messages, struct str sender, unsigned n)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", n);
	return messages_hash(messages, sender, str_of(text), STR("text"));
}

/* It comes, for the first time or not, and becomes durable. */
static bool comes(struct messages *messages, struct str sender, unsigned n, int64_t now_ns)
{
	struct hash128 hash = number(messages, sender, n);
	bool repeat = messages_repeat(messages, sender, hash, now_ns, NULL);

	if (!repeat)
		messages_settle(messages, hash, true);
	return repeat;
}

static void known_for_a_time(void **state)
{
	struct messages *messages = messages_new(1, 1000, 10 * NS_PER_S);

	(void)state;
	assert_false(comes(messages, HUE, 1, RIG_TIME));
	assert_true(comes(messages, HUE, 1, RIG_TIME));
	assert_false(comes(messages, VINH, 1, RIG_TIME + 5 * NS_PER_S));
	assert_true(comes(messages, HUE, 1, RIG_TIME + 10 * NS_PER_S));
	assert_false(comes(messages, HUE, 1, RIG_TIME + 10 * NS_PER_S + 1));
	assert_true(comes(messages, HUE, 1, RIG_TIME + 11 * NS_PER_S));
	/* A clock that is set back makes nothing new. */
	assert_true(comes(messages, HUE, 1, RIG_TIME - 3600 * NS_PER_S));
	/* What is too old goes when others come. */
	for (unsigned n = 2; n < 10; n++)
		assert_false(comes(messages, VINH, n, RIG_TIME + 60 * NS_PER_S));
	assert_int_equal(messages_count(messages), 8);
	messages_free(messages);
}

static void bounded_and_fair(void **state)
{
	struct messages *messages = messages_new(1, 400, 3600 * NS_PER_S);

	(void)state;
	assert_false(comes(messages, VINH, 1, RIG_TIME));
	for (unsigned n = 0; n < 5000; n++) {
		assert_false(comes(messages, HUE, n, RIG_TIME + n));
		assert_true(n < 50 || comes(messages, HUE, n - 50, RIG_TIME + n));
	}
	assert_int_equal(messages_count(messages), 101);
	/* One who floods makes nobody else forgotten. */
	assert_true(comes(messages, VINH, 1, RIG_TIME + 5000));
	assert_true(comes(messages, HUE, 4900, RIG_TIME + 5000));
	assert_false(comes(messages, HUE, 4899, RIG_TIME + 5000));
	for (unsigned host = 0; host < 3000; host++) {
		char text[16];

		snprintf(text, sizeof(text), "host-%u", host);
		assert_false(comes(messages, str_of(text), 1, RIG_TIME + 6000));
		assert_true(messages_count(messages) <= 400);
	}
	assert_int_equal(messages_count(messages), 400);
	assert_false(comes(messages, VINH, 1, RIG_TIME + 7000));
	messages_free(messages);
}

static void told(void *context, bool durable)
{
	*(int *)context = durable ? 1 : -1;
}

/* Who sends again what is under way is answered as the first one is. */
static void under_way(void **state)
{
	(void)state;
	for (int durable = 0; durable < 2; durable++) {
		struct messages *messages = messages_new(1, 100, NS_PER_S);
		struct hash128 hash = number(messages, HUE, 1);
		int answers[3] = {0};

		assert_false(messages_repeat(messages, HUE, hash, RIG_TIME, NULL));
		for (int i = 0; i < 3; i++) {
			struct ticket *ticket = ticket_new(told, &answers[i]);

			for (int j = 0; j <= i; j++)
				assert_true(messages_repeat(
				    messages, HUE, hash, RIG_TIME + 100 * NS_PER_S, ticket));
			ticket_release(ticket, true);
			assert_int_equal(answers[i], 0);
		}
		messages_settle(messages, hash, durable == 1);
		for (int i = 0; i < 3; i++)
			assert_int_equal(answers[i], durable == 1 ? 1 : -1);
		/* Twice told is once. */
		messages_settle(messages, hash, false);
		assert_int_equal(messages_repeat(messages, HUE, hash, RIG_TIME, NULL), durable);
		messages_free(messages);
	}
}

/* Nothing that is under way is forgotten; what finds no room is not remembered. */
static void full_of_what_is_under_way(void **state)
{
	struct messages *messages = messages_new(1, 16, NS_PER_S);
	int answer = 0;

	(void)state;
	for (unsigned n = 0; n < 10; n++)
		assert_false(messages_repeat(
		    messages, HUE, number(messages, HUE, n), RIG_TIME + n * NS_PER_S, NULL));
	assert_int_equal(messages_count(messages), 4);
	struct ticket *ticket = ticket_new(told, &answer);

	assert_true(messages_repeat(
	    messages, HUE, number(messages, HUE, 0), RIG_TIME + 60 * NS_PER_S, ticket));
	assert_false(messages_repeat(messages, HUE, number(messages, HUE, 9), RIG_TIME, ticket));
	ticket_release(ticket, true);
	/* Who waits at the end is not told that it is durable. */
	messages_free(messages);
	assert_int_equal(answer, -1);
}

/* Out of the middle: the lists stay whole, and the bound stays the bound. */
static void some_are_refused(void **state)
{
	struct messages *messages = messages_new(1, 400, 3600 * NS_PER_S);

	(void)state;
	for (unsigned n = 0; n < 1000; n++) {
		struct hash128 hash = number(messages, HUE, n);

		assert_false(messages_repeat(messages, HUE, hash, RIG_TIME, NULL));
		if (n % 3 == 2)
			messages_settle(messages, number(messages, HUE, n - 1), false);
		if (n % 3 == 2)
			messages_settle(messages, number(messages, HUE, n - 2), true);
		if (n % 3 == 2)
			messages_settle(messages, hash, true);
	}
	assert_int_equal(messages_count(messages), 100);
	assert_true(comes(messages, HUE, 998, RIG_TIME));
	assert_false(comes(messages, HUE, 997, RIG_TIME));
	/* The last 100 are 999, 998, 996, ...: two of three. */
	assert_false(comes(messages, HUE, 846, RIG_TIME));
	messages_free(messages);
}

/* ---- the packer tells what became of them ---- */

struct packing {
	struct rig rig;
	struct ledger *ledger;
	struct ledger_row *row;
	struct messages *messages;
	struct packer *packer;
};

static void packing_open(struct packing *packing, bool json)
{
	const struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(0xc0000207u)}};
	struct packer_options options = {.identity = {0xc0ffee, 1}, .frame_bytes = 16384,
	    .queue_bytes = 100000, .one_event_json = json};

	rig_open(&packing->rig, 0);
	packing->ledger = ledger_new(10, RIG_PARTITIONS, rig_nobody(STR("hue")));
	packing->row =
	    ledger_peer(packing->ledger, "test", (const struct sockaddr *)(const void *)&at);
	packing->messages = messages_new(1, 100, NS_PER_S);
	options.bus = packing->rig.bus;
	options.messages = packing->messages;
	packing->packer = packer_new(&options);
	assert_non_null(packing->packer);
}

static void packing_close(struct packing *packing)
{
	packer_free(packing->packer);
	messages_free(packing->messages);
	ledger_free(packing->ledger);
	rig_close(&packing->rig);
}

/* True: it is a repeat. */
static bool pack(struct packing *packing, unsigned n, size_t len, enum transport transport)
{
	static char raw[1100000];
	struct event event = {.received_ns = RIG_TIME, .transport = transport, .sender = HUE,
	    .raw = str_from(raw, len), .message = number(packing->messages, HUE, n)};

	memset(raw, 'x', len);
	if (messages_repeat(packing->messages, HUE, event.message, RIG_TIME, NULL))
		return true;
	packer_add(packing->packer, packing->row, &event, NULL);
	return false;
}

static void drive(struct packing *packing)
{
	for (int i = 0; i < 100 && packer_in_flight(packing->packer) > 0; i++) {
		assert_int_equal(packer_drive(packing->packer, RIG_TIME, true, NULL), 0);
		assert_int_equal(bus_flush(packing->rig.bus, NS_PER_S, NULL), 0);
	}
}

static void what_became_of_it(void **state)
{
	(void)state;
	for (int json = 0; json < 2; json++) {
		struct packing packing;

		packing_open(&packing, json == 1);
		assert_false(pack(&packing, 1, 100, TRANSPORT_TCP));
		drive(&packing);
		assert_true(pack(&packing, 1, 100, TRANSPORT_TCP));
		/* The bus will never take it. */
		for (int time = 0; time < 2; time++) {
			assert_false(pack(&packing, 2, 1050000, TRANSPORT_TCP));
			drive(&packing);
		}
		assert_int_equal(packing.row->counts.refused_large, 2);
		/* There is no room for a datagram. */
		for (unsigned n = 10; !packer_is_behind(packing.packer); n++)
			assert_false(pack(&packing, n, 20000, TRANSPORT_TCP));
		assert_false(pack(&packing, 3, 100, TRANSPORT_UDP));
		assert_int_equal(packing.row->counts.refused_busy, 1);
		drive(&packing);
		assert_false(pack(&packing, 3, 100, TRANSPORT_UDP));
		drive(&packing);
		assert_true(pack(&packing, 3, 100, TRANSPORT_UDP));
		packing_close(&packing);
	}
}

/* ---- sequenceId ---- */

static const struct {
	const char *raw, *sequence;
} lines[] = {
    {"<38>1 2026-11-22T13:27:00Z hue app 7 - [meta sequenceId=\"12\"] text", "12"},
    {"<38>1 - - - - - [meta sequenceId=\"1\"]", "1"},
    {"<0>1 t h a p m [origin ip=\"192.0.2.7\"][meta x=\"1\" sequenceId=\"7\" y=\"\"] text", "7"},
    {"<191>1 t h a p m [a b=\"\\\"]\\\\\"][meta sequenceId=\"2147483647\"]", "2147483647"},
    {"<38>1 t h a p m [a][b x=\"]\" y=\"[\\\"]\"][meta sequenceId=\"8\"]", "8"},
    {"<38>1 t h a p m [a b=\"\\\\\"][meta sequenceId=\"9\"]", "9"},
    {"<38>1 t h a p m [a b=\"\\\"][meta sequenceId=\"9\"]", ""},
    {"<38>1 t h a p m [a b=\"][meta sequenceId=9]", ""},
    {"<38>1 t h a p m - [meta sequenceId=\"12\"]", ""},
    {"<38>1 t h a p m [metadata sequenceId=\"12\"] text", ""},
    {"<38>1 t h a p m [x sequenceId=\"12\"] [meta sequenceId=\"3\"]", ""},
    {"<38>1 t h a p m [meta sequenceId=\"\"]", ""},
    {"<38>1 t h a p m [meta sequenceId=\"x\"]", ""},
    {"<38>1 t h a p m [meta sequenceId=12]", ""},
    {"<38>1 t h a p m [meta sequenceId=\"12\"", ""},
    {"<38>1 t h a p m [meta sequenceId=\"12\\", ""},
    {"<38>1 t h a p m [meta", ""},
    {"<38>1 t h a p m [", ""},
    {"<38>1 t h a p", ""},
    {"<38>1 ", ""},
    {"<38>1", ""},
    {"<38>2 t h a p m [meta sequenceId=\"12\"]", ""},
    {"<3800000>1 t h a p m [meta sequenceId=\"12\"]", ""},
    {"<38>Nov 22 13:27:00 hue app[7]: [meta sequenceId=\"12\"]", ""},
    {"", ""},
};

static void sequence_ids(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		/* From memory of its own, so that a byte behind it is noticed. */
		char *copy = strdup(lines[i].raw);
		struct str raw = {copy, strlen(copy)};
		struct str found;

		if (raw.len > 0)
			copy = realloc(copy, raw.len);
		raw.ptr = copy;
		found = syslog_sequence(raw);
		if (!str_eq(found, str_of(lines[i].sequence)))
			fail_msg("%s: %.*s", lines[i].raw, STR_ARG(found));
		free(copy);
	}
}

/* ---- whole inputs, and the death of a collector ---- */

#define NUMBERED(n) "<38>1 2026-11-22T13:27:00Z hue app 7 - [meta sequenceId=\"" n "\"] text\n"
#define FRAME(n)                                                                                   \
	"7" n " syslog 72 <38>1 2026-11-22T13:27:00.123456Z hue app 7 - "                          \
	"[meta sequenceId=\"" n "\"] text\n"
#define POST(n)                                                                                    \
	"POST /_bulk HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n"                             \
	"{\"create\":{\"_id\":\"hue-" n "\"}}\n{\"message\":\"Nguy\xe1\xbb\x85n\"}\n"
#define ENTRY(n)                                                                                   \
	"\x93\xa1t\x91\x92\xce\x6b\x02\x8b\x34\x81\xa1\x61" n "\x81\xa5" "chunk\xa2" "id"

static const struct kind {
	const char *input;
	struct str first, other; /* named messages, and what stands before them */
	struct str before, heard;
} kinds[] = {
    {"syslog-tcp", STR_INIT(NUMBERED("1")), STR_INIT(NUMBERED("2")), STR_INIT(""), STR_INIT("")},
    {"relp", STR_INIT(FRAME("1")), STR_INIT(FRAME("2")),
	STR_INIT("1 open 30 relp_version=1\ncommands=syslog\n"), STR_INIT("rsp 6 200 OK")},
    {"http", STR_INIT(POST("1")), STR_INIT(POST("2")), STR_INIT(""), STR_INIT("\"status\":201")},
    {"forward", STR_INIT(ENTRY("\x01")), STR_INIT(ENTRY("\x02")), STR_INIT(""),
	STR_INIT("\x81\xd9\x03" "ack\xd9\x02id")},
};

static bool answered(struct peer *peer, const struct kind *kind)
{
	struct str heard = peer_hear(peer);

	return kind->heard.len == 0 || str_find(heard, kind->heard) != STR_NOT_FOUND;
}

static void begins(struct peer *peer, const struct kind *kind)
{
	peer_say(peer, kind->before);
	peer_hear(peer);
}

static void on_other_connections(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct kind *kind = &kinds[i];
		struct peer peer;

		peer_open(&peer, kind->input, NULL, false);
		for (int time = 0; time < 3; time++) {
			begins(&peer, kind);
			peer_say(&peer, kind->first);
			if (!answered(&peer, kind))
				fail_msg("%s: no answer", kind->input);
			close(peer.client);
			peer_dial(&peer);
		}
		begins(&peer, kind);
		peer_say(&peer, kind->other);
		assert_true(answered(&peer, kind));
		assert_int_equal(peer_events(&peer), 2);
		assert_int_equal(peer_total(&peer).repeats, 2);
		assert_int_equal(peer_total(&peer).received, 2);
		assert_int_equal(peer_total(&peer).durable, 2);
		peer_close(&peer);
	}
}

/* Durable, and killed before it could be answered: the sender sends it again. */
static void through_a_death(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct kind *kind = &kinds[i];
		struct peer peer;

		peer_open(&peer, kind->input, NULL, false);
		begins(&peer, kind);
		peer_deaf(&peer);
		peer_say(&peer, kind->first);
		assert_true(kind->heard.len == 0 || !answered(&peer, kind));
		peer_hear(&peer);
		assert_int_equal(peer_events(&peer), 1);
		peer_restart(&peer);
		begins(&peer, kind);
		peer_say(&peer, kind->first);
		assert_true(answered(&peer, kind));
		peer_say(&peer, kind->other);
		assert_true(answered(&peer, kind));
		assert_int_equal(peer_events(&peer), 2);
		assert_int_equal(peer_total(&peer).repeats, 1);
		peer_close(&peer);
	}
}

/* The first one is not on the bus: the second one is no repeat of it. */
static void what_was_refused_is_not_known(void **state)
{
	static const char first[] = ENTRY("\x01");
	struct peer peer;

	(void)state;
	peer_open(&peer, "forward", NULL, false);
	peer_busy(&peer, true);
	peer_say(&peer, str_from(first, sizeof(first) - 1));
	assert_int_equal(peer_hear(&peer).len, 0);
	peer_restart(&peer);
	peer_say(&peer, str_from(first, sizeof(first) - 1));
	assert_true(peer_hear(&peer).len > 0);
	assert_int_equal(peer_events(&peer), 1);
	assert_int_equal(peer_total(&peer).repeats, 0);
	peer_close(&peer);
}

/* What was cut off may be what tells them apart. */
static void cut_ones_have_no_name(void **state)
{
	static char line[1600];
	struct peer peer;

	(void)state;
	peer_open(&peer, "syslog-tcp", NULL, false);
	for (int i = 0; i < 2; i++) {
		memset(line, 'a' + i, sizeof(line));
		memset(line, 'x', 1200);
		memcpy(line, NUMBERED("1"), sizeof(NUMBERED("1")) - 2);
		line[sizeof(line) - 1] = '\n';
		peer_say(&peer, str_from(line, sizeof(line)));
	}
	peer_hear(&peer);
	assert_int_equal(peer_events(&peer), 2);
	assert_int_equal(peer_total(&peer).truncated, 2);
	peer_close(&peer);
}

static void not_wanted(void **state)
{
	static const char *const settings[] = {"collector.repeats", "0", NULL};
	struct peer peer;

	(void)state;
	peer_open(&peer, "syslog-tcp", settings, false);
	peer_say(&peer, STR(NUMBERED("1") NUMBERED("1")));
	peer_hear(&peer);
	assert_int_equal(peer_events(&peer), 2);
	assert_int_equal(peer_total(&peer).repeats, 0);
	peer_close(&peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_tells_messages_apart),
	    cmocka_unit_test(known_for_a_time),
	    cmocka_unit_test(bounded_and_fair),
	    cmocka_unit_test(under_way),
	    cmocka_unit_test(full_of_what_is_under_way),
	    cmocka_unit_test(some_are_refused),
	    cmocka_unit_test(what_became_of_it),
	    cmocka_unit_test(sequence_ids),
	    cmocka_unit_test(on_other_connections),
	    cmocka_unit_test(through_a_death),
	    cmocka_unit_test(what_was_refused_is_not_known),
	    cmocka_unit_test(cut_ones_have_no_name),
	    cmocka_unit_test(not_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
