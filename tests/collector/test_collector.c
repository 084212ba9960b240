#include "collector/collector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/address.h"
#include "tests/collector/rig.h"

struct stand {
	struct rig rig;
	struct loop *loop;
	struct collector *collector;
	struct collector_listener listeners[2];
	struct collector_options options;
};

static int64_t now_ns;

static int64_t test_clock(void)
{
	return now_ns;
}

enum { UDP, TCP };

static void stand_prepare(struct stand *stand, uint64_t bus_queue)
{
	now_ns = RIG_TIME;
	rig_open(&stand->rig, bus_queue);
	assert_int_equal(loop_open(&stand->loop, NULL), 0);
	stand->listeners[UDP] = (struct collector_listener){"syslog-udp", "*:0"};
	stand->listeners[TCP] = (struct collector_listener){"syslog-tcp", "*:0"};
	stand->options = (struct collector_options){.bus = stand->rig.bus,
	    .loop = stand->loop,
	    .identity_path = stand->rig.identity,
	    .listeners = stand->listeners,
	    .listener_count = 2,
	    .udp_sockets = 2,
	    .udp_receive_buffer = 4u << 20,
	    .connections_max = 2000,
	    .connections_per_peer = 1500,
	    .idle_ns = 600 * NS_PER_S,
	    .frame_limit = 65536,
	    .frame_bytes = 32768,
	    .frame_delay_ns = 5 * NS_PER_MS,
	    .tick_ns = 5 * NS_PER_S,
	    .senders_max = 100,
	    .zone_s = 25200,
	    .agency = STR("langson"),
	    .clock = test_clock};
}

static void stand_start(struct stand *stand)
{
	struct error error = {0};

	if (collector_open(&stand->collector, &stand->options, &error) < 0)
		fail_msg("%s", error.text);
}

static void stand_open(struct stand *stand)
{
	stand_prepare(stand, 0);
	stand_start(stand);
}

static void stand_close(struct stand *stand)
{
	collector_close(stand->collector);
	loop_close(stand->loop);
	rig_close(&stand->rig);
}

static void assert_balance(struct stand *stand)
{
	struct source_row total;

	collector_total(stand->collector, &total);
	assert_true(total.received == total.durable + total.refused_busy + total.refused_large +
		total.refused_quota + total.refused_barred +
		collector_in_flight(stand->collector));
}

/* Steps with a clock that goes 10 ms a step. */
static void steps(struct stand *stand, unsigned count)
{
	while (count-- > 0) {
		now_ns += 10 * NS_PER_MS;
		assert_int_equal(collector_step(stand->collector, 0, NULL), 0);
		assert_balance(stand);
	}
	rig_read(&stand->rig);
}

/* Steps until so many events are there. The clock stands still, so that nothing becomes idle. */
static void wait_for(struct stand *stand, uint64_t want)
{
	int64_t end_ns = clock_monotonic_ns() + 20 * NS_PER_S;

	while (stand->rig.seen_count < want && clock_monotonic_ns() < end_ns) {
		now_ns += stand->options.frame_delay_ns;
		assert_int_equal(collector_step(stand->collector, NS_PER_MS, NULL), 0);
		rig_read(&stand->rig);
	}
	assert_int_equal(stand->rig.seen_count, want);
	assert_balance(stand);
}

static int dial(struct stand *stand, const char *host)
{
	struct error error = {0};
	char at[64];

	snprintf(at, sizeof(at), "%s:%u", host, collector_port(stand->collector, TCP));
	int fd = address_connect(at, &error);

	if (fd < 0)
		fail_msg("%s", error.text);
	return fd;
}

static void send_all(int fd, struct str bytes)
{
	assert_int_equal(send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL), (ssize_t)bytes.len);
}

static int datagram_socket(struct stand *stand, const char *host)
{
	struct sockaddr_storage to;
	socklen_t len = sizeof(to);
	/* A connection to the port of TCP gives the address in the right family. */
	int tcp = dial(stand, host);

	assert_int_equal(getpeername(tcp, (struct sockaddr *)&to, &len), 0);
	close(tcp);
	int fd = socket(to.ss_family, SOCK_DGRAM, 0);
	unsigned port = collector_port(stand->collector, UDP);
	uint16_t wire = (uint16_t)(port << 8 | port >> 8);

	/* The port stands at the same place in both families. */
	memcpy((char *)&to + 2, &wire, sizeof(wire));
	assert_int_equal(connect(fd, (struct sockaddr *)&to, len), 0);
	return fd;
}

/* A sender has a row for each input. */
static bool find_row(void *context, const struct source_row *row)
{
	struct source_row *want = context;
	struct source_row sum = *row;

	if (!str_eq(row->sender, want->sender))
		return true;
	sum.received += want->received;
	sum.bytes += want->bytes;
	sum.durable += want->durable;
	sum.refused_busy += want->refused_busy;
	sum.refused_connections += want->refused_connections;
	sum.truncated += want->truncated;
	sum.bad_frames += want->bad_frames;
	sum.with_nul += want->with_nul;
	sum.bad_utf8 += want->bad_utf8;
	*want = sum;
	return true;
}

static struct source_row row_of(struct stand *stand, const char *sender)
{
	struct source_row row = {.sender = str_of(sender)};

	collector_sources(stand->collector, find_row, &row);
	return row;
}

static const struct seen *must_see(struct stand *stand, const char *raw)
{
	const struct seen *seen = rig_find(&stand->rig, raw);

	if (seen == NULL)
		fail_msg("'%s' is not there", raw);
	return seen;
}

static bool is_closed(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN);
}

static void test_both_ways(void **state)
{
	static const char *const hosts[] = {"127.0.0.1", "[::1]"};
	struct stand stand;
	char raw[64], sender[16];

	(void)state;
	stand_open(&stand);
	for (unsigned i = 0; i < 2; i++) {
		int tcp = dial(&stand, hosts[i]), udp = datagram_socket(&stand, hosts[i]);
		int len = snprintf(raw, sizeof(raw), "<13>udp %u\n", i);

		send_all(udp, str_from(raw, (size_t)len));
		send_all(tcp, STR("<13>nul\0"));
		len = snprintf(raw, sizeof(raw), "<13>tcp %u\n9 <13>octet", i);
		send_all(tcp, str_from(raw, (size_t)len));
		wait_for(&stand, i * 5 + 4);
		/* A line without its end, and the end of the connection. */
		send_all(tcp, STR("<13>end"));
		close(tcp);
		close(udp);
		wait_for(&stand, i * 5 + 5);
		assert_string_equal(stand.rig.seen[i * 5 + 4].raw, "<13>end");
		snprintf(raw, sizeof(raw), "<13>udp %u", i);
		const struct seen *seen = must_see(&stand, raw);

		snprintf(sender, sizeof(sender), "%s", i == 0 ? "127.0.0.1" : "::1");
		assert_string_equal(seen->sender, sender);
		assert_int_equal(strncmp(seen->peer, hosts[i], strlen(hosts[i])), 0);
		assert_int_equal(seen->transport, TRANSPORT_UDP);
		assert_int_equal(seen->zone_s, 25200);
		assert_int_equal(seen->flags, 0);
		assert_true(seen->received_ns >= RIG_TIME && seen->received_ns <= now_ns);
		snprintf(raw, sizeof(raw), "<13>tcp %u", i);
		assert_int_equal(must_see(&stand, raw)->transport, TRANSPORT_TCP);
		assert_string_equal(must_see(&stand, raw)->sender, sender);
		assert_true(row_of(&stand, sender).durable >= 5);
	}
	must_see(&stand, "<13>octet");
	stand_close(&stand);
}

static void test_bytes_survive(void **state)
{
	static char lengthy[100000];
	struct stand stand;

	(void)state;
	stand_open(&stand);
	int tcp = dial(&stand, "127.0.0.1"), udp = datagram_socket(&stand, "127.0.0.1");

	send_all(tcp, STR("<13>first\n<13>a\0b\n<13>\xff\xfe\n<13>s\xc6\xa1n\n"));
	send_all(udp, STR("<13>u\0v\xff"));
	wait_for(&stand, 5);
	struct source_row row = row_of(&stand, "127.0.0.1");

	assert_int_equal(row.with_nul, 2);
	assert_int_equal(row.bad_utf8, 2);
	assert_int_equal(must_see(&stand, "<13>s\xc6\xa1n")->flags, 0);
	assert_int_equal(must_see(&stand, "<13>\xff\xfe")->flags, EVENT_BAD_UTF8);
	assert_int_equal(must_see(&stand, "<13>u")->flags, EVENT_BAD_UTF8 | EVENT_HAS_NUL);
	assert_int_equal(must_see(&stand, "<13>u")->raw_len, 8);
	assert_memory_equal(must_see(&stand, "<13>a")->raw, "<13>a\0b", 7);
	/* Longer than the limit: cut once, and the next one is whole. */
	memset(lengthy, 'x', sizeof(lengthy));
	memcpy(lengthy, "<13>", 4);
	send_all(tcp, str_from(lengthy, sizeof(lengthy)));
	send_all(tcp, STR("\n<13>next\n"));
	wait_for(&stand, 7);
	const struct seen *seen = &stand.rig.seen[5];

	assert_int_equal(seen->raw_len, 65536);
	assert_int_equal(seen->flags, EVENT_TRUNCATED);
	must_see(&stand, "<13>next");
	assert_int_equal(row_of(&stand, "127.0.0.1").truncated, 1);
	/* A count that cannot be ends that connection, and is counted; the others go on. */
	int bad = dial(&stand, "127.0.0.1");

	send_all(bad, STR("1000000000 <13>x"));
	steps(&stand, 3);
	assert_true(is_closed(bad));
	assert_int_equal(row_of(&stand, "127.0.0.1").bad_frames, 1);
	send_all(tcp, STR("<13>after\n"));
	wait_for(&stand, 8);
	close(bad);
	close(tcp);
	close(udp);
	stand_close(&stand);
}

static void test_thousand_connections(void **state)
{
	struct rlimit limit;
	static int fds[1000];
	struct stand stand;
	char raw[64];

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
	if (limit.rlim_cur < 2200 || setrlimit(RLIMIT_NOFILE, &limit) != 0) {
		fprintf(stderr, "# skipped: fewer than 2200 descriptors\n");
		skip();
	}
	stand_open(&stand);
	for (unsigned i = 0; i < 1000; i++) {
		fds[i] = dial(&stand, i % 2 == 0 ? "127.0.0.1" : "[::1]");
		if (i % 100 == 0)
			steps(&stand, 1);
	}
	for (unsigned i = 0; i < 3000; i++) {
		int len = snprintf(raw, sizeof(raw), "<13>event %u\n", i);

		send_all(fds[i % 1000], str_from(raw, (size_t)len));
	}
	wait_for(&stand, 3000);
	/* Order within a connection. */
	unsigned last[1000] = {0};

	for (size_t i = 0; i < 3000; i++) {
		unsigned number = (unsigned)strtoul(stand.rig.seen[i].raw + 10, NULL, 10);

		assert_true(number + 1 > last[number % 1000]);
		last[number % 1000] = number + 1;
	}
	for (unsigned i = 0; i < 1000; i++)
		close(fds[i]);
	steps(&stand, 5);
	stand_close(&stand);
}

static void test_ceilings(void **state)
{
	struct stand stand;
	int fds[8];

	(void)state;
	stand_prepare(&stand, 0);
	stand.options.connections_max = 5;
	stand.options.connections_per_peer = 3;
	stand_start(&stand);
	for (unsigned i = 0; i < 8; i++) {
		fds[i] = dial(&stand, i < 4 ? "127.0.0.1" : "[::1]");
		steps(&stand, 1);
		assert_true(is_closed(fds[i]) == (i == 3 || i > 5));
	}
	assert_int_equal(row_of(&stand, "127.0.0.1").refused_connections, 1);
	assert_int_equal(row_of(&stand, "::1").refused_connections, 2);
	/* A place that becomes free is given again. */
	close(fds[0]);
	steps(&stand, 2);
	close(fds[3]);
	fds[3] = dial(&stand, "127.0.0.1");
	send_all(fds[3], STR("<13>in\n"));
	wait_for(&stand, 1);
	for (unsigned i = 1; i < 8; i++)
		close(fds[i]);
	stand_close(&stand);
}

/* Silence, a frame that never ends, and one byte now and then: all end at the deadline. */
static void test_idle(void **state)
{
	struct stand stand;

	(void)state;
	stand_prepare(&stand, 0);
	stand.options.idle_ns = 10 * NS_PER_S;
	stand_start(&stand);
	int silent = dial(&stand, "127.0.0.1"), half = dial(&stand, "127.0.0.1");
	int slow = dial(&stand, "127.0.0.1"), busy = dial(&stand, "127.0.0.1");

	send_all(half, STR("<13>half"));
	for (unsigned i = 0; i < 15; i++) {
		if (i < 11)
			send_all(slow, STR("s"));
		send_all(busy, STR("<13>busy\n"));
		now_ns += NS_PER_S;
		steps(&stand, 2);
		if (i == 5)
			assert_false(is_closed(silent) || is_closed(half) || is_closed(slow));
	}
	assert_true(is_closed(silent) && is_closed(half) && is_closed(slow));
	assert_false(is_closed(busy));
	must_see(&stand, "<13>half");
	assert_int_equal(strncmp("sssssssss", must_see(&stand, "sssssssssss")->raw, 9), 0);
	close(silent);
	close(half);
	close(slow);
	close(busy);
	stand_close(&stand);
}

/* F20: without descriptors new connections wait, the loop does not spin, and senders go on. */
static void test_no_descriptors(void **state)
{
	struct rlimit before, tight;
	int hoard[300], waiting;
	size_t count = 0;
	struct stand stand;

	(void)state;
	stand_open(&stand);
	int old = dial(&stand, "127.0.0.1");

	steps(&stand, 2);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	tight = before;
	tight.rlim_cur = 200;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	waiting = dial(&stand, "127.0.0.1");
	while (count < 300 && (hoard[count] = dup(old)) >= 0)
		count++;
	assert_true(count < 300);
	send_all(waiting, STR("<13>waits\n"));
	for (unsigned i = 0; i < 5; i++) {
		send_all(old, STR("<13>goes on\n"));
		wait_for(&stand, i + 1);
	}
	now_ns += 100 * NS_PER_MS;
	steps(&stand, 2);
	assert_int_equal(loop_step(stand.loop, 0, NULL), 0);
	while (count > 0)
		close(hoard[--count]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	now_ns += 2 * NS_PER_S;
	wait_for(&stand, 6);
	must_see(&stand, "<13>waits");
	close(waiting);
	close(old);
	stand_close(&stand);
}

/*
 * The bus takes nothing: TCP senders block and lose nothing, datagrams wait in the kernel, and
 * those that find no place there are counted.
 */
static void test_busy(void **state)
{
	static char lines[65536];
	struct stand stand;
	uint64_t sent = 0, datagrams = 0;
	size_t at = 0;

	(void)state;
	stand_prepare(&stand, 0);
	stand.options.queue_bytes = 1u << 20;
	stand.options.udp_receive_buffer = 128u << 10;
	stand_start(&stand);
	stand.rig.fault_call = "publish";
	stand.rig.fault = FAULT_BUSY;
	int tcp = dial(&stand, "127.0.0.1"), udp = datagram_socket(&stand, "127.0.0.1");
	struct str chunk = {lines, sizeof(lines)};

	memset(lines, 'x', sizeof(lines));
	for (size_t i = 255; i < sizeof(lines); i += 256)
		lines[i] = '\n';
	unsigned full = 0;

	while (full < 50) {
		ssize_t n = send(tcp, chunk.ptr + at, chunk.len - at, MSG_DONTWAIT | MSG_NOSIGNAL);

		full = n < 0 ? full + 1 : 0;
		at = n < 0 ? at : (at + (size_t)n) % chunk.len;
		sent += n < 0 ? 0 : (uint64_t)n;
		assert_true(sent < 100u << 20);
		steps(&stand, 1);
	}
	struct source_row row = row_of(&stand, "127.0.0.1");

	assert_true(sent > 1u << 20 && row.bytes < 4u << 20);
	assert_int_equal(row.refused_busy, 0);
	assert_int_equal(row.durable, 0);
	/* The flood over TCP waits with a quarter of the queue left to those who send less. */
	assert_true(row.waits > 0);
	for (; datagrams < 40; datagrams++) {
		send_all(udp, (struct str){lines, 20000});
		steps(&stand, 1);
	}
	now_ns += 2 * NS_PER_S;
	steps(&stand, 3);
	struct source_row total;

	collector_total(stand.collector, &total);
	uint64_t drops = total.kernel_drops;

	assert_true(drops >= 10 && drops <= 30);
	assert_int_equal(total.refused_busy, 0);
	assert_int_equal(loop_step(stand.loop, 0, NULL), 0);
	stand.rig.fault = FAULT_NONE;
	/* What waited there comes as well. */
	wait_for(&stand, sent / 256 + datagrams - drops);
	now_ns += 2 * NS_PER_S;
	steps(&stand, 3);
	assert_int_equal(stand.rig.gap_events[GAP_KERNEL_DROP], drops);
	assert_int_equal(stand.rig.gap_events[GAP_REFUSED], 0);
	close(tcp);
	close(udp);
	steps(&stand, 3);
	row = row_of(&stand, "127.0.0.1");
	assert_true(row.durable == (sent + 255) / 256 + datagrams - drops);
	stand_close(&stand);
}

/* A receive buffer that is much too small: what was sent = what came + what the kernel dropped. */
static void test_kernel_drops(void **state)
{
	struct stand stand;
	struct source_row total;

	(void)state;
	stand_prepare(&stand, 0);
	stand.options.udp_receive_buffer = 4096;
	stand_start(&stand);
	int udp = datagram_socket(&stand, "127.0.0.1");

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 2000; i++)
			send_all(
			    udp, STR("<13>a datagram of a burst that is too fast for the buffer"));
		/* The drops at the end of a burst come with no datagram; the tick finds them. */
		now_ns += 2 * NS_PER_S;
		steps(&stand, 3);
		collector_total(stand.collector, &total);
		assert_true(total.kernel_drops > 0);
		assert_int_equal(total.received + total.kernel_drops, (round + 1) * 2000);
	}
	now_ns += 2 * NS_PER_S;
	steps(&stand, 3);
	assert_int_equal(stand.rig.gap_events[GAP_KERNEL_DROP], total.kernel_drops);
	assert_int_equal(strncmp(stand.rig.gap_source, "(syslog-udp", 11), 0);
	close(udp);
	stand_close(&stand);
}

/* More senders than the ledger has rows: they share a row, and keep their names on the bus. */
static void test_many_senders(void **state)
{
	struct stand stand;

	(void)state;
	stand_prepare(&stand, 0);
	stand.options.senders_max = 1;
	stand.options.connections_per_peer = 1;
	stand_start(&stand);
	int first = dial(&stand, "127.0.0.1");

	send_all(first, STR("<13>first\n"));
	wait_for(&stand, 1);
	int second = dial(&stand, "[::1]"), third = dial(&stand, "[::1]");

	send_all(second, STR("<13>second\n"));
	send_all(third, STR("<13>third\n"));
	wait_for(&stand, 3);
	assert_string_equal(must_see(&stand, "<13>second")->sender, "::1");
	assert_int_equal(row_of(&stand, "(others)").durable, 2);
	close(first);
	close(second);
	close(third);
	stand_close(&stand);
}

static void test_ticks(void **state)
{
	struct stand stand;

	(void)state;
	stand_open(&stand);
	steps(&stand, 2);
	assert_int_equal(stand.rig.ticks, RIG_PARTITIONS);
	now_ns += 5 * NS_PER_S;
	steps(&stand, 2);
	assert_int_equal(stand.rig.ticks, 2 * RIG_PARTITIONS);
	/* The clock is set back: ticks go on at once. */
	now_ns -= 3600 * NS_PER_S;
	steps(&stand, 2);
	assert_int_equal(stand.rig.ticks, 3 * RIG_PARTITIONS);
	collector_set_zone(stand.collector, -3600);
	int tcp = dial(&stand, "127.0.0.1");

	send_all(tcp, STR("<13>zone\n"));
	wait_for(&stand, 1);
	assert_int_equal(stand.rig.seen[0].zone_s, -3600);
	close(tcp);
	stand_close(&stand);
}

/* Stopping takes what the kernel holds, unfinished lines too, and a new run has a new epoch. */
static void test_stop_and_restart(void **state)
{
	struct stand stand;

	(void)state;
	stand_open(&stand);
	int tcp = dial(&stand, "127.0.0.1"), udp = datagram_socket(&stand, "127.0.0.1");

	steps(&stand, 2);
	send_all(tcp, STR("<13>one\n<13>two"));
	send_all(udp, STR("<13>three"));
	assert_int_equal(collector_stop(stand.collector, 10 * NS_PER_S, NULL), 0);
	rig_read(&stand.rig);
	assert_int_equal(stand.rig.seen_count, 3);
	assert_int_equal(collector_in_flight(stand.collector), 0);
	assert_balance(&stand);
	struct coordinate at = stand.rig.seen[0].at;

	collector_close(stand.collector);
	close(tcp);
	close(udp);
	rig_restart(&stand.rig);
	now_ns -= 3600 * NS_PER_S;
	stand_start(&stand);
	tcp = dial(&stand, "127.0.0.1");
	send_all(tcp, STR("<13>four\n"));
	wait_for(&stand, 4);
	struct coordinate again = must_see(&stand, "<13>four")->at;

	assert_true(again.collector == at.collector && again.epoch > at.epoch);
	assert_int_equal(again.counter, 0);
	close(tcp);
	stand_close(&stand);
}

static void test_stop_with_bus_down(void **state)
{
	static const enum fault faults[] = {FAULT_ERROR, FAULT_BUSY};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct error error = {0};
		struct stand stand;

		stand_open(&stand);
		int tcp = dial(&stand, "127.0.0.1");

		steps(&stand, 1);
		send_all(tcp, STR("<13>one\n"));
		stand.rig.fault_call = "publish";
		stand.rig.fault = faults[i];
		assert_int_equal(collector_stop(stand.collector, 50 * NS_PER_MS, &error), ERR_BUS);
		assert_true(error.text[0] != '\0');
		assert_int_equal(collector_in_flight(stand.collector), 1);
		assert_balance(&stand);
		close(tcp);
		stand_close(&stand);
	}
}

static void test_refused_to_open(void **state)
{
	struct stand stand;
	struct error error = {0};
	char taken[64];

	(void)state;
	stand_open(&stand);
	struct collector *second = NULL;
	struct collector_options options = stand.options;
	struct collector_listener listener = {"syslog-udp", taken};

	options.listeners = &listener;
	options.listener_count = 1;
	/* Another of our own kind would share the port, and take a part of the events. */
	snprintf(taken, sizeof(taken), "*:%u", collector_port(stand.collector, UDP));
	assert_int_equal(collector_open(&second, &options, &error), ERR_IO);
	listener.input = "syslog-tcp";
	snprintf(taken, sizeof(taken), "*:%u", collector_port(stand.collector, TCP));
	assert_int_equal(collector_open(&second, &options, NULL), ERR_IO);
	listener.input = "telepathy";
	assert_int_equal(collector_open(&second, &options, NULL), ERR_DOCUMENT);
	assert_null(second);
	stand_close(&stand);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_both_ways),
	    cmocka_unit_test(test_bytes_survive),
	    cmocka_unit_test(test_thousand_connections),
	    cmocka_unit_test(test_ceilings),
	    cmocka_unit_test(test_idle),
	    cmocka_unit_test(test_no_descriptors),
	    cmocka_unit_test(test_busy),
	    cmocka_unit_test(test_kernel_drops),
	    cmocka_unit_test(test_many_senders),
	    cmocka_unit_test(test_ticks),
	    cmocka_unit_test(test_stop_and_restart),
	    cmocka_unit_test(test_stop_with_bus_down),
	    cmocka_unit_test(test_refused_to_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
