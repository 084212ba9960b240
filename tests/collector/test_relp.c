/* RELP from a socket's other end: what is answered, when, in which order, and what is refused. */
#include "tests/collector/peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "collector/relp.h"

#define OPEN "1 open 30 relp_version=0\ncommands=syslog\n"
#define OPEN_ANSWER "1 rsp 58 200 OK\nrelp_version=0\nrelp_software=tocsin\ncommands=syslog\n"
#define BYE "0 serverclose 0\n"

static void open_session(struct peer *peer)
{
	peer_open(peer, "relp", NULL, false);
	peer_say(peer, STR(OPEN));
	assert_string_equal(peer_hear(peer).ptr, OPEN_ANSWER);
}

static void answers_come_in_order_when_durable(void **state)
{
	struct peer peer;

	(void)state;
	open_session(&peer);
	peer_busy(&peer, true);
	peer_say(&peer, STR("2 syslog 9 <13>first\n3 syslog 10 <13>second\n4 syslog 5 <13>"));
	assert_string_equal(peer_hear(&peer).ptr, "");
	peer_say(&peer, STR("x\n5 syslog 0\n"));
	assert_string_equal(peer_hear(&peer).ptr, "");
	peer_busy(&peer, false);
	assert_string_equal(peer_hear(&peer).ptr,
	    "2 rsp 6 200 OK\n3 rsp 6 200 OK\n4 rsp 6 200 OK\n5 rsp 6 200 OK\n");
	assert_int_equal(peer_events(&peer), 3);
	assert_int_equal(rig_find(&peer.rig, "<13>second")->transport, TRANSPORT_RELP);
	assert_non_null(rig_find(&peer.rig, "<13>x"));
	peer_close(&peer);
}

static void what_was_refused_is_not_answered(void **state)
{
	struct peer peer;

	(void)state;
	open_session(&peer);
	peer_say(&peer, STR("2 syslog 3 one\n"));
	assert_string_equal(peer_hear(&peer).ptr, "2 rsp 6 200 OK\n");
	peer_know(&peer, PEER_BARRED);
	peer_say(&peer, STR("3 syslog 3 two\n"));
	assert_string_equal(peer_hear(&peer).ptr, "(closed)");
	peer_close(&peer);
}

/* Before anything is sent, and so nothing is lost; it is counted. */
static void who_may_not_is_told_why(void **state)
{
	struct peer peer;

	(void)state;
	peer_open_known(&peer, "relp", PEER_BARRED);
	peer_say(&peer, STR(OPEN));
	assert_string_equal(peer_hear(&peer).ptr,
	    "1 rsp 38 500 this sender may not use this input\n(closed)");
	assert_int_equal(peer_total(&peer).barred_connections, 1);
	assert_int_equal(peer_total(&peer).received, 0);
	peer_close(&peer);
}

static const struct {
	const char *name, *said, *heard;
	uint64_t bad;
} table[] = {
    {"close", OPEN "2 syslog 1 a\n3 close 0\n",
	OPEN_ANSWER "2 rsp 6 200 OK\n3 rsp 0\n" BYE "(closed)", 0},
    {"close of old senders", "1 close 0 \n", "1 rsp 0\n" BYE "(closed)", 0},
    {"version 1", "1 open 30 relp_version=1\ncommands=syslog\n",
	"1 rsp 58 200 OK\nrelp_version=1\nrelp_software=tocsin\ncommands=syslog\n", 0},
    {"two commands offered", "7 open 22 commands=starttls,syslog\n", "(closed)", 1},
    {"the same, whole", "7 open 24 commands=starttls,syslog\n",
	"7 rsp 58 200 OK\nrelp_version=0\nrelp_software=tocsin\ncommands=syslog\n", 0},
    {"no syslog offered", "1 open 14 relp_version=0\n",
	"1 rsp 37 500 the command syslog is not offered\n(closed)", 1},
    {"opened twice", OPEN "2 open 15 commands=syslog\n",
	OPEN_ANSWER "2 rsp 37 500 the command syslog is not offered\n(closed)", 1},
    {"not open", "1 syslog 1 a\n", "1 rsp 12 500 not open\n(closed)", 1},
    {"unknown", OPEN "2 starttls 0\n3 syslog 1 a\n",
	OPEN_ANSWER "2 rsp 19 500 no such command\n3 rsp 6 200 OK\n", 1},
    {"behind the data", OPEN "2 syslog 1 ab\n", OPEN_ANSWER "(closed)", 1},
    {"no number", "a open 1 a\n", "(closed)", 1},
    {"long number", "1234567890 open 1 a\n", "(closed)", 1},
    {"no command", "1  1 a\n", "(closed)", 1},
    {"long command", "1 abcdefghijklmnopqrstuvwxyzabcdefg 1 a\n", "(closed)", 1},
    {"negative", OPEN "2 syslog -1 a\n", OPEN_ANSWER "(closed)", 1},
    {"a gigabyte", OPEN "2 syslog 999999999 a", OPEN_ANSWER "(closed)", 1},
    {"HTTP", "GET / HTTP/1.1\r\n\r\n", "(closed)", 1},
    {"two spaces", "1 close 0  \n", "(closed)", 1},
    {"half", OPEN "2 syslog 10 ab", OPEN_ANSWER, 0},
};

static void commands(void **state)
{
	struct peer peer;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		peer_open(&peer, "relp", NULL, false);
		peer_say(&peer, str_of(table[i].said));
		const char *heard = peer_hear(&peer).ptr;

		if (strcmp(heard, table[i].heard) != 0)
			fail_msg("%s: %s", table[i].name, heard);
		assert_int_equal(peer_total(&peer).bad_frames, table[i].bad);
		peer_close(&peer);
	}
}

static void a_long_message_is_cut_and_the_rest_passed_over(void **state)
{
	struct peer peer;
	static char text[200100];

	(void)state;
	open_session(&peer);
	int len = snprintf(text, sizeof(text), "2 syslog 200000 ");

	memset(text + len, 'x', 200000);
	strcpy(text + len + 200000, "\n3 syslog 4 next\n");
	peer_say(&peer, str_of(text));
	assert_string_equal(peer_hear(&peer).ptr, "2 rsp 6 200 OK\n3 rsp 6 200 OK\n");
	assert_int_equal(peer_events(&peer), 2);
	assert_int_equal(peer_total(&peer).truncated, 1);
	assert_non_null(rig_find(&peer.rig, "next"));
	assert_int_equal(peer.rig.seen[0].raw_len + peer.rig.seen[1].raw_len, 1004);
	peer_close(&peer);
}

static void too_many_unanswered_are_not_read(void **state)
{
	struct peer peer;
	struct buf said = BUF(1u << 20);

	(void)state;
	open_session(&peer);
	peer_busy(&peer, true);
	for (unsigned i = 0; i < 9000; i++)
		buf_printf(&said, "%u syslog 6 %06u\n", i + 2, i);
	peer_say(&peer, buf_str(&said));
	assert_int_equal(peer_hear(&peer).len, 0);
	assert_int_equal(peer_total(&peer).received, 4096);
	peer_busy(&peer, false);
	struct str heard = peer_hear(&peer), line;
	unsigned number, wanted = 2;

	while (wanted < 9002 && heard.len > 0) {
		while (str_cut(&heard, '\n', &line))
			if (sscanf(line.ptr, "%u rsp 6 200 OK", &number) == 1)
				assert_int_equal(number, wanted++);
		heard = peer_hear(&peer);
	}
	assert_int_equal(wanted, 9002);
	assert_int_equal(peer_events(&peer), 9000);
	buf_free(&said);
	peer_close(&peer);
}

static void the_end_of_the_stage_answers_and_says_so(void **state)
{
	struct peer peer;

	(void)state;
	open_session(&peer);
	peer_say(&peer, STR("2 syslog 3 one\n"));
	assert_int_equal(collector_stop(peer.collector, NS_PER_S, NULL), 0);
	char text[256] = "";
	ssize_t n, len = 0;

	while ((n = recv(
		    peer.client, text + len, sizeof(text) - 1 - (size_t)len, MSG_DONTWAIT)) > 0)
		len += n;
	assert_int_equal(n, 0);
	assert_string_equal(text, "2 rsp 6 200 OK\n" BYE);
	peer_close(&peer);
}

/* What comes in any pieces is the same as what comes at once. */
static void pieces(void **state)
{
	static const char stream[] = OPEN "2 syslog 4 abcd\n3 close 0\n999999999 x 3 a\nb\n";

	(void)state;
	for (size_t cut = 0; cut < sizeof(stream); cut++) {
		struct relp relp = {.limit = 3};
		struct str rest = {stream, cut};
		struct relp_frame frame;
		char seen[200] = "";

		for (int part = 0; part < 2; part++) {
			while (relp_next(&relp, &rest, &frame) == RELP_FRAME)
				snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen),
				    "%u %.*s %.*s|", frame.txnr, STR_ARG(frame.command),
				    STR_ARG(frame.data));
			rest.len = (size_t)(stream + sizeof(stream) - 1 - rest.ptr);
		}
		assert_string_equal(seen, "1 open rel|2 syslog abc|3 close |999999999 x a\nb|");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(answers_come_in_order_when_durable),
	    cmocka_unit_test(what_was_refused_is_not_answered),
	    cmocka_unit_test(who_may_not_is_told_why),
	    cmocka_unit_test(commands),
	    cmocka_unit_test(a_long_message_is_cut_and_the_rest_passed_over),
	    cmocka_unit_test(too_many_unanswered_are_not_read),
	    cmocka_unit_test(the_end_of_the_stage_answers_and_says_so),
	    cmocka_unit_test(pieces),
	};

	return cmocka_run_group_tests_name("relp", tests, NULL, NULL);
}
