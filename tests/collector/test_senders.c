/* Who sends, as a whole collector sees it: agencies.yml, quotas, floods, tokens, reloads. */
#include "collector/presence.h"

#include "base/clock.h"
#include "base/file.h"
#include "net/address.h"
#include "tests/collector/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { UDP, TCP, HTTP, LISTENERS };

struct stand {
	struct rig rig;
	struct loop *loop;
	struct collector_options options;
	struct collector_listener listeners[LISTENERS];
	struct collector *collector;
	char agencies[128];
};

static int64_t now_ns;

static int64_t test_clock(void)
{
	return now_ns;
}

static void put_agencies(struct stand *stand, const char *yaml)
{
	assert_int_equal(file_replace(stand->agencies, str_of(yaml), 0600, NULL), 0);
}

static void stand_open(struct stand *stand, const char *yaml, uint64_t bus_queue, size_t queue)
{
	struct error error = {0};

	now_ns = RIG_TIME;
	rig_open(&stand->rig, bus_queue);
	snprintf(stand->agencies, sizeof(stand->agencies), "%s/agencies.yml", stand->rig.folder);
	put_agencies(stand, yaml);
	assert_int_equal(loop_open(&stand->loop, NULL), 0);
	stand->listeners[UDP] = (struct collector_listener){"syslog-udp", "127.0.0.1:0"};
	stand->listeners[TCP] = (struct collector_listener){"syslog-tcp", "127.0.0.1:0"};
	stand->listeners[HTTP] = (struct collector_listener){"http", "127.0.0.1:0"};
	stand->options = (struct collector_options){.bus = stand->rig.bus, .loop = stand->loop,
	    .identity_path = stand->rig.identity, .listeners = stand->listeners,
	    .listener_count = LISTENERS, .udp_sockets = 1, .udp_receive_buffer = 4u << 20,
	    .connections_max = 2000, .connections_per_peer = 1500, .idle_ns = 600 * NS_PER_S,
	    .frame_limit = 65536, .frame_bytes = 32768, .frame_delay_ns = 5 * NS_PER_MS,
	    .tick_ns = 5 * NS_PER_S, .queue_bytes = queue, .senders_max = 100,
	    .agency = STR("site"), .agencies_path = stand->agencies, .clock = test_clock};
	if (collector_open(&stand->collector, &stand->options, &error) < 0)
		fail_msg("%s", error.text);
}

static void stand_close(struct stand *stand)
{
	collector_close(stand->collector);
	loop_close(stand->loop);
	unlink(stand->agencies);
	rig_close(&stand->rig);
}

static void assert_balance(struct stand *stand)
{
	struct source_row t;

	collector_total(stand->collector, &t);
	assert_true(t.received == t.durable + t.refused_busy + t.refused_large + t.refused_quota +
		t.refused_barred + collector_in_flight(stand->collector));
}

static void steps(struct stand *stand, unsigned count)
{
	while (count-- > 0) {
		now_ns += 10 * NS_PER_MS;
		assert_int_equal(collector_step(stand->collector, 0, NULL), 0);
		assert_balance(stand);
	}
	rig_read(&stand->rig);
}

/* From 127.0.0.host to a listener. */
static int dial(struct stand *stand, int listener, unsigned host)
{
	int type = listener == UDP ? SOCK_DGRAM : SOCK_STREAM;
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = {htonl(0x7f000000u + host)}};
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {htonl(0x7f000001u)},
	    .sin_port = htons((uint16_t)collector_port(stand->collector, (size_t)listener))};

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

struct wanted {
	const char *sender, *input;
	struct source_row row;
	bool found;
};

static bool find_row(void *context, const struct source_row *row)
{
	struct wanted *wanted = context;

	if (str_eq(row->sender, str_of(wanted->sender)) && strcmp(row->input, wanted->input) == 0) {
		wanted->row = *row;
		wanted->found = true;
	}
	return true;
}

static struct source_row row_of(struct stand *stand, const char *sender, const char *input)
{
	struct wanted wanted = {.sender = sender, .input = input};

	collector_sources(stand->collector, find_row, &wanted);
	if (!wanted.found)
		fail_msg("no row of %s by %s", sender, input);
	return wanted.row;
}

/* 0: open, and nothing to read. */
static bool is_closed(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN);
}

static const char usual[] = "unknown: {inputs: [syslog-udp]}\n"
			    "agencies:\n"
			    "  - name: langson\n"
			    "    networks: 127.0.0.2\n"
			    "    systems:\n"
			    "      - {name: firewall, networks: 127.0.0.3, zone: '+07:00',\n"
			    "         decoder: kv,\n"
			    "         inputs: syslog-udp}\n"
			    "      - {name: portal, tokens: token-of-portal}\n"
			    "      - {name: closed, tokens: token-of-closed, inputs: syslog-tcp}\n";

static void test_rows(void **state)
{
	struct stand stand;

	(void)state;
	stand_open(&stand, usual, 0, 0);
	int one = dial(&stand, UDP, 2), two = dial(&stand, TCP, 2), three = dial(&stand, UDP, 3);
	int four = dial(&stand, UDP, 4);

	steps(&stand, 3);
	say(one, "<13>one");
	say(two, "<13>two\n<13>two too\n");
	say(three, "<13>three");
	say(four, "<13>four");
	steps(&stand, 10);
	struct source_row row = row_of(&stand, "127.0.0.2", "syslog-udp");

	assert_true(str_eq(row.agency, STR("langson")) && row.system.len == 0 && row.known);
	assert_int_equal(row.durable, 1);
	assert_int_equal(row_of(&stand, "127.0.0.2", "syslog-tcp").durable, 2);
	/* In one partition, so that order is kept. */
	assert_int_equal(rig_find(&stand.rig, "<13>one")->partition,
	    rig_find(&stand.rig, "<13>two")->partition);
	row = row_of(&stand, "127.0.0.3", "syslog-udp");
	assert_true(str_eq(row.system, STR("firewall")) && row.known);
	assert_int_equal(rig_find(&stand.rig, "<13>three")->zone_s, 25200);
	assert_int_equal(rig_find(&stand.rig, "<13>one")->zone_s, 0);
	assert_string_equal(rig_find(&stand.rig, "<13>one")->who, "langson//");
	assert_string_equal(rig_find(&stand.rig, "<13>three")->who, "langson/firewall/kv");
	assert_string_equal(rig_find(&stand.rig, "<13>four")->who, "site//");
	assert_true(row.lag_ns >= 5 * NS_PER_MS && row.lag_ns <= 50 * NS_PER_MS);
	assert_true(row.lag_max_ns == row.lag_ns);
	row = row_of(&stand, "127.0.0.4", "syslog-udp");
	assert_true(str_eq(row.agency, STR("site")) && !row.known);
	close(one);
	close(two);
	close(three);
	close(four);
	stand_close(&stand);
}

/* Who may not use an input: datagrams are counted and told, connections closed at once. */
static void test_barred(void **state)
{
	struct stand stand;

	(void)state;
	stand_open(&stand, usual, 0, 0);
	int known = dial(&stand, TCP, 3), unknown = dial(&stand, TCP, 4);

	steps(&stand, 5);
	assert_true(is_closed(known) && is_closed(unknown));
	assert_int_equal(row_of(&stand, "127.0.0.3", "syslog-tcp").barred_connections, 1);
	close(known);
	close(unknown);
	put_agencies(&stand, "unknown: {inputs: none}\n");
	assert_int_equal(collector_reload(stand.collector, NULL), 0);
	int udp = dial(&stand, UDP, 4);

	say(udp, "<13>a");
	say(udp, "<13>b");
	steps(&stand, 150);
	assert_int_equal(stand.rig.seen_count, 0);
	assert_int_equal(row_of(&stand, "127.0.0.4", "syslog-udp").refused_barred, 2);
	assert_int_equal(stand.rig.gap_events[GAP_REFUSED], 2);
	close(udp);
	stand_close(&stand);
}

/* Connections live through a reload, under new names; who is barred then goes. */
static void test_reload(void **state)
{
	struct stand stand;
	struct error error = {0};

	(void)state;
	stand_open(&stand, usual, 0, 0);
	int tcp = dial(&stand, TCP, 2);

	say(tcp, "<13>before\n");
	steps(&stand, 5);
	put_agencies(&stand, "agencies: [{name: hue, networks: 127.0.0.0/24, zone: '+07:00'}]\n");
	assert_int_equal(collector_reload(stand.collector, NULL), 0);
	say(tcp, "<13>after\n");
	steps(&stand, 120);
	struct source_row row = row_of(&stand, "127.0.0.2", "syslog-tcp");

	assert_true(str_eq(row.agency, STR("hue")));
	assert_int_equal(row.durable, 2);
	assert_int_equal(rig_find(&stand.rig, "<13>after")->zone_s, 25200);
	/* A file that is wrong changes nothing. */
	put_agencies(&stand, "agencies: [{name: hue, networks: 127.0.0.0/24, inputs: nowhere}]\n");
	assert_int_equal(collector_reload(stand.collector, &error), ERR_DOCUMENT);
	assert_int_equal(error.line, 1);
	say(tcp, "<13>again\n");
	steps(&stand, 120);
	assert_int_equal(row_of(&stand, "127.0.0.2", "syslog-tcp").durable, 3);
	assert_false(is_closed(tcp));
	put_agencies(&stand, "agencies: [{name: hue, networks: 127.0.0.0/24, inputs: syslog-udp}]\n");
	assert_int_equal(collector_reload(stand.collector, NULL), 0);
	steps(&stand, 120);
	assert_true(is_closed(tcp));
	assert_int_equal(row_of(&stand, "127.0.0.2", "syslog-tcp").barred_connections, 1);
	close(tcp);
	stand_close(&stand);
}

/* A request over a connection that stays; the status of its answer. */
static unsigned ask(struct stand *stand, int fd, const char *authorization)
{
	char text[1024], answer[1024] = "";
	unsigned status = 0;

	snprintf(text, sizeof(text),
	    "POST /events HTTP/1.1\r\nHost: a\r\n%s%s%sContent-Length: 3\r\n\r\nevt",
	    authorization == NULL ? "" : "Authorization: ",
	    authorization == NULL ? "" : authorization, authorization == NULL ? "" : "\r\n");
	say(fd, text);
	for (unsigned i = 0; i < 200 && status == 0; i++) {
		steps(stand, 1);
		if (recv(fd, answer, sizeof(answer) - 1, MSG_DONTWAIT) > 0)
			status = (unsigned)strtoul(answer + 9, NULL, 10);
	}
	return status;
}

/* A minute's wait for a quota is not a minute's silence. */
static void test_patience(void **state)
{
	struct stand stand;

	(void)state;
	stand_open(&stand, "unknown: {quota: {events: 1, burst: 1s}}\n", 0, 0);
	int tcp = dial(&stand, TCP, 2), goes = dial(&stand, TCP, 3);

	char lines[701 * 6 + 1];

	for (unsigned i = 0; i < 700; i++)
		snprintf(lines + i * 6, 7, "<13>x\n");
	say(tcp, lines);
	steps(&stand, 2);
	assert_int_equal(row_of(&stand, "127.0.0.2", "syslog-tcp").received, 700);
	say(tcp, "<13>later\n");
	/* One that goes while it waits. */
	for (unsigned i = 0; i < 10; i++)
		say(goes, "<13>y\n");
	steps(&stand, 2);
	close(goes);
	for (unsigned i = 0; i < 800; i++) {
		now_ns += NS_PER_S;
		steps(&stand, 1);
	}
	assert_false(is_closed(tcp));
	assert_non_null(rig_find(&stand.rig, "<13>later"));
	say(tcp, "<13>last\n");
	steps(&stand, 5);
	assert_non_null(rig_find(&stand.rig, "<13>last"));
	close(tcp);
	stand_close(&stand);
}

/* What is closed while connections wait. */
static void test_end_of_waiting(void **state)
{
	struct stand stand;

	(void)state;
	stand_open(&stand, "unknown: {quota: {events: 1, burst: 1s}}\n", 0, 0);
	int fds[8];

	for (unsigned i = 0; i < 8; i++) {
		fds[i] = dial(&stand, TCP, 2 + i);
		for (unsigned j = 0; j < 50; j++)
			say(fds[i], "<13>x\n");
	}
	steps(&stand, 3);
	put_agencies(&stand, "unknown: {inputs: none}\n");
	assert_int_equal(collector_reload(stand.collector, NULL), 0);
	steps(&stand, 250);
	for (unsigned i = 0; i < 8; i++) {
		assert_true(is_closed(fds[i]));
		close(fds[i]);
	}
	stand_close(&stand);
}

static void test_tokens(void **state)
{
	static const struct {
		const char *authorization;
		unsigned status;
	} rows[] = {
	    {"Splunk token-of-portal", 200},
	    {"splunk  token-of-portal", 200},
	    {"Bearer token-of-portal", 200},
	    {"ApiKey token-of-portal", 200},
	    {"Basic eDp0b2tlbi1vZi1wb3J0YWw=", 200}, /* x:token-of-portal */
	    {"Basic eDp0b2tlbi1vZi1wb3J0YWw", 401}, /* without its padding */
	    {"Basic dG9rZW4tb2YtcG9ydGFs", 200}, /* the token alone */
	    {"Bearer token-of-portam", 401},
	    {"Bearer token-of-porta", 401},
	    {"Basic eDp0b2tlbi1vZi1wb3J0YQ==", 401},
	    {"Basic ****", 401},
	    {"Bearer token-of-closed", 403},
	    {"Digest username=x", 401}, /* no token, and the unknown may not */
	    {NULL, 401},
	};
	struct stand stand;
	uint64_t good = 0;

	(void)state;
	stand_open(&stand, usual, 0, 0);
	int fd = dial(&stand, HTTP, 4);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned status = ask(&stand, fd, rows[i].authorization);

		if (status != rows[i].status)
			fail_msg("%s: %u", rows[i].authorization, status);
		good += status == 200;
		assert_int_equal(stand.rig.seen_count, good);
	}
	close(fd);
	/* Known by its network, without a token; and by a token, as somebody else. */
	fd = dial(&stand, HTTP, 2);
	assert_int_equal(ask(&stand, fd, NULL), 200);
	assert_int_equal(ask(&stand, fd, "Bearer token-of-portal"), 200);
	assert_int_equal(ask(&stand, fd, NULL), 200);
	close(fd);
	steps(&stand, 5);
	struct source_row total;

	collector_total(stand.collector, &total);
	assert_int_equal(total.durable, good + 3);
	stand_close(&stand);
}

static uint64_t durable_of(struct stand *stand, const char *agency)
{
	uint64_t durable = 0;

	for (unsigned i = 2; i <= 4; i++) {
		char sender[16];

		snprintf(sender, sizeof(sender), "127.0.0.%u", i);
		struct wanted wanted = {.sender = sender, .input = "syslog-tcp"};

		collector_sources(stand->collector, find_row, &wanted);
		if (wanted.found && str_eq(wanted.row.agency, str_of(agency)))
			durable += wanted.row.durable;
	}
	return durable;
}

/* Datagrams over the quota are refused and counted; the neighbour does not notice. */
static void test_quota_datagrams(void **state)
{
	struct stand stand;

	(void)state;
	stand_open(&stand,
	    "agencies: [{name: a, networks: 127.0.0.2, quota: {events: 100, burst: 1s}}]\n", 0, 0);
	int flood = dial(&stand, UDP, 2), slow = dial(&stand, UDP, 3);

	for (unsigned i = 0; i < 500; i++) {
		say(flood, "<13>flood");
		say(flood, "<13>flood");
		if (i % 10 == 0)
			say(slow, "<13>slow");
		steps(&stand, 1);
	}
	steps(&stand, 100);
	struct source_row row = row_of(&stand, "127.0.0.2", "syslog-udp");

	assert_int_equal(row.received, 1000);
	assert_int_equal(row.durable + row.refused_quota, 1000);
	/* What was saved up, and five seconds. */
	assert_true(row.durable >= 550 && row.durable <= 602);
	row = row_of(&stand, "127.0.0.3", "syslog-udp");
	assert_int_equal(row.durable, 50);
	assert_int_equal(row.refused_quota, 0);
	row = row_of(&stand, "127.0.0.2", "syslog-udp");
	assert_int_equal(stand.rig.gap_events[GAP_REFUSED], row.refused_quota);
	close(flood);
	close(slow);
	stand_close(&stand);
}

/* Connections wait; nothing is lost, and two of one agency share what it has. */
static void test_quota_streams(void **state)
{
	struct stand stand;
	char lines[1001];

	(void)state;
	stand_open(&stand, "agencies: [{name: a, networks: [127.0.0.2, 127.0.0.3],\n"
			   "  quota: {events: 1000, burst: 100ms, shared: true}}]\n", 0, 0);
	int two = dial(&stand, TCP, 2), three = dial(&stand, TCP, 3), free = dial(&stand, TCP, 4);

	for (unsigned i = 0; i < 100; i++)
		snprintf(lines + 10 * i, 11, "<13>%05u\n", i);
	for (unsigned i = 0; i < 30; i++) {
		say(two, lines);
		say(three, lines);
		say(free, lines);
	}
	steps(&stand, 20);
	assert_int_equal(row_of(&stand, "127.0.0.4", "syslog-tcp").durable, 3000);
	/* What one read brings is taken, and paid for with time. */
	assert_true(durable_of(&stand, "a") <= 6000);
	uint64_t first = durable_of(&stand, "a");
	int64_t began_ns = now_ns;

	say(two, lines);
	say(three, lines);
	/* They wait, and the loop sleeps. */
	assert_int_equal(loop_step(stand.loop, 0, NULL), 0);
	steps(&stand, 50);
	assert_true(durable_of(&stand, "a") == first || first < 6000);
	for (unsigned i = 0; i < 2000 && durable_of(&stand, "a") < 6200; i++)
		steps(&stand, 1);
	assert_int_equal(durable_of(&stand, "a"), 6200);
	/* Six thousand at a thousand a second. */
	assert_true(now_ns - began_ns >= 4 * NS_PER_S);
	assert_true(row_of(&stand, "127.0.0.2", "syslog-tcp").waits > 0);
	assert_int_equal(row_of(&stand, "127.0.0.4", "syslog-tcp").waits, 0);
	assert_false(is_closed(two) || is_closed(three));
	close(two);
	close(three);
	close(free);
	stand_close(&stand);
}

/*
 * The bus takes a little at a time. A flood of datagrams fills what there is of the queue; the slow
 * sender beside it loses nothing, and the ledger balances to the event (C11).
 */
static void test_flood(void **state)
{
	static char big[8000];
	struct stand stand;
	uint64_t flood_sent = 0, slow_sent = 0;

	(void)state;
	memset(big, 'x', sizeof(big));
	stand_open(&stand, "", 0, 1u << 20);
	stand.rig.fault_call = "publish";
	stand.rig.fault = FAULT_BUSY;
	int flood = dial(&stand, UDP, 2), slow = dial(&stand, UDP, 3);

	for (unsigned i = 0; i < 1500; i++) {
		/* Twice of what the bus takes: it takes every other round. */
		stand.rig.fault = i % 40 == 0 ? FAULT_NONE : FAULT_BUSY;
		for (unsigned j = 0; j < 4; j++, flood_sent++)
			assert_int_equal(send(flood, big, sizeof(big), 0), sizeof(big));
		if (i % 5 == 0) {
			say(slow, "<13>slow");
			slow_sent++;
		}
		steps(&stand, 1);
	}
	stand.rig.fault = FAULT_NONE;
	steps(&stand, 400);
	struct source_row loud = row_of(&stand, "127.0.0.2", "syslog-udp");
	struct source_row quiet = row_of(&stand, "127.0.0.3", "syslog-udp");

	assert_int_equal(collector_in_flight(stand.collector), 0);
	assert_int_equal(quiet.durable, slow_sent);
	assert_int_equal(quiet.refused_busy, 0);
	assert_int_equal(loud.received, flood_sent);
	assert_int_equal(loud.durable + loud.refused_busy, flood_sent);
	assert_true(loud.refused_busy > flood_sent / 10);
	assert_true(loud.durable > flood_sent / 10);
	assert_int_equal(stand.rig.gap_events[GAP_REFUSED], loud.refused_busy);
	assert_int_equal(stand.rig.seen_count, loud.durable + quiet.durable);
	/* Not behind the whole flood. */
	assert_true(quiet.lag_max_ns <= 2 * NS_PER_S);
	close(flood);
	close(slow);
	stand_close(&stand);
}

/* Silence is told on the bus, of the sender's agency, in its partition, and counted. */
static void test_told(void **state)
{
	struct stand stand;

	(void)state;
	stand_open(&stand, "agencies: [{name: a, networks: 127.0.0.2, silent: 5m, level: 2}]\n", 0, 0);
	int udp = dial(&stand, UDP, 2);

	for (unsigned i = 0; i < 60; i++) {
		say(udp, "<13>here");
		now_ns += NS_PER_S;
		steps(&stand, 1);
	}
	size_t before = stand.rig.seen_count;

	assert_int_equal(before, 60);
	for (unsigned i = 0; i < 320; i++) {
		now_ns += NS_PER_S;
		steps(&stand, 1);
	}
	assert_int_equal(stand.rig.seen_count, before + 1);
	const struct seen *told = &stand.rig.seen[before];

	assert_non_null(strstr(told->raw, "{\"tocsin\":\"collector\",\"event\":\"sender_silent\","
					  "\"sender\":\"127.0.0.2\",\"input\":\"syslog-udp\","
					  "\"agency\":\"a\""));
	assert_string_equal(told->sender, "127.0.0.2");
	assert_string_equal(told->who, "a//tocsin");
	assert_true(row_of(&stand, "127.0.0.2", "syslog-udp").silent);
	assert_int_equal(row_of(&stand, "127.0.0.2", "syslog-udp").received, 60);
	assert_int_equal(row_of(&stand, "(tocsin collector)", "tocsin").durable, 1);
	close(udp);
	stand_close(&stand);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_barred),
	    cmocka_unit_test(test_reload),
	    cmocka_unit_test(test_patience),
	    cmocka_unit_test(test_end_of_waiting),
	    cmocka_unit_test(test_tokens),
	    cmocka_unit_test(test_quota_datagrams),
	    cmocka_unit_test(test_quota_streams),
	    cmocka_unit_test(test_flood),
	    cmocka_unit_test(test_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
