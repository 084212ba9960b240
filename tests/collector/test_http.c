/* The port "http" from a socket's other end: what is answered, when, and what is refused. */
#include "collector/collector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "base/clock.h"
#include "net/address.h"
#include "tests/collector/rig.h"

struct bench {
	struct rig rig;
	struct loop *loop;
	struct config *config;
	struct collector *collector;
	int client;
};

static int64_t fixed_clock(void)
{
	return RIG_TIME;
}

static void dial(struct bench *bench)
{
	char address[64];

	snprintf(address, sizeof(address), "127.0.0.1:%u", collector_port(bench->collector, 0));
	bench->client = address_connect(address, NULL);
	assert_true(bench->client >= 0);
}

static void bench_open(struct bench *bench)
{
	static const struct collector_listener listener = {"http", "127.0.0.1:0"};

	*bench = (struct bench){.config = config_new()};
	assert_non_null(bench->config);
	assert_int_equal(config_set(bench->config, STR("http.body"), STR("100K"), NULL), 0);
	assert_int_equal(config_set(bench->config, STR("http.inflated"), STR("300K"), NULL), 0);
	rig_open(&bench->rig, 1u << 20);
	assert_int_equal(loop_open(&bench->loop, NULL), 0);
	struct collector_options options = {.bus = bench->rig.bus, .loop = bench->loop,
	    .config = bench->config, .identity_path = bench->rig.identity,
	    .listeners = &listener, .listener_count = 1, .connections_max = 16,
	    .connections_per_peer = 16, .idle_ns = 60 * NS_PER_S, .frame_limit = 1000,
	    .frame_bytes = 16384, .frame_delay_ns = 0, .tick_ns = NS_PER_S, .senders_max = 16,
	    .clock = fixed_clock};

	assert_int_equal(collector_open(&bench->collector, &options, NULL), 0);
	dial(bench);
}

static void bench_close(struct bench *bench)
{
	close(bench->client);
	collector_close(bench->collector);
	loop_close(bench->loop);
	rig_close(&bench->rig);
	config_free(bench->config);
}

static void say(struct bench *bench, struct str text)
{
	assert_int_equal(send(bench->client, text.ptr, text.len, MSG_NOSIGNAL), text.len);
}

/* What is answered within some rounds; "(closed)" at the end. */
static const char *hear(struct bench *bench)
{
	static char text[8192];
	size_t len = 0;
	ssize_t n = -1;

	for (int i = 0; i < 30; i++) {
		assert_true(collector_step(bench->collector, NS_PER_MS, NULL) >= 0);
		bus_flush(bench->rig.bus, NS_PER_S, NULL);
		while ((n = recv(bench->client, text + len, sizeof(text) - len - 16,
			    MSG_DONTWAIT)) > 0)
			len += (size_t)n;
		if (n == 0)
			break;
	}
	strcpy(text + len, n == 0 ? "(closed)" : "");
	return text;
}

static unsigned status_of(const char *answer)
{
	unsigned status = 0;

	return sscanf(answer, "HTTP/1.1 %u ", &status) == 1 ? status : 0;
}

#define POST "POST /events HTTP/1.1\r\nHost: a\r\n"
#define OK_2 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{\"events\":2}"

static void events_are_answered_when_durable(void **state)
{
	struct bench bench;

	(void)state;
	bench_open(&bench);
	bench.rig.fault = FAULT_BUSY;
	bench.rig.fault_call = "publish";
	say(&bench, STR(POST "Content-Length: 9\r\n\r\none\n{\"a\""));
	assert_string_equal(hear(&bench), "");
	say(&bench, STR("\n"));
	assert_string_equal(hear(&bench), "");
	bench.rig.fault = FAULT_NONE;
	assert_string_equal(hear(&bench), OK_2);
	rig_read(&bench.rig);
	assert_int_equal(rig_find(&bench.rig, "one")->transport, TRANSPORT_HTTP);
	assert_non_null(rig_find(&bench.rig, "{\"a\""));
	bench_close(&bench);
}

static void requests_behind_one_another(void **state)
{
	struct bench bench;
	static const char two[] = POST "Content-Length: 4\r\n\r\na\nb\n" POST
	    "Transfer-Encoding: chunked\r\n\r\n3\r\nc\r\n\r\n1\r\nd\r\n0\r\n\r\n"
	    "HEAD /nowhere HTTP/1.1\r\n\r\nGET /events HTTP/1.1\r\n\r\n" POST
	    "Connection: close\r\nContent-Length: 0\r\n\r\n" POST;

	(void)state;
	bench_open(&bench);
	say(&bench, str_of(two));
	assert_string_equal(hear(&bench), OK_2 OK_2
	    "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
	    "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n"
	    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n"
	    "Connection: close\r\n\r\n{\"events\":0}(closed)");
	rig_read(&bench.rig);
	assert_int_equal(bench.rig.seen_count, 4);
	bench_close(&bench);
}

static void who_is_gone_leaves_nothing_behind(void **state)
{
	struct bench bench;

	(void)state;
	bench_open(&bench);
	bench.rig.fault = FAULT_BUSY;
	bench.rig.fault_call = "publish";
	say(&bench, STR(POST "Content-Length: 3\r\n\r\none"));
	hear(&bench);
	struct linger hard = {1, 0};

	setsockopt(bench.client, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(bench.client);
	dial(&bench);
	say(&bench, STR(POST "Content-Length: 30\r\n\r\nhalf of it"));
	hear(&bench);
	bench.rig.fault = FAULT_NONE;
	hear(&bench);
	rig_read(&bench.rig);
	assert_int_equal(bench.rig.seen_count, 1);
	bench_close(&bench);
}

static size_t pack(char *out, size_t size, const char *text, size_t len)
{
	z_stream stream = {.next_in = (unsigned char *)(uintptr_t)text, .avail_in = (unsigned)len,
	    .next_out = (unsigned char *)out, .avail_out = (unsigned)size};

	assert_int_equal(
	    deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	deflateEnd(&stream);
	return size - stream.avail_out;
}

static void say_packed(struct bench *bench, const char *text, size_t len)
{
	static char packed[65536], all[66000];
	size_t n = pack(packed, sizeof(packed), text, len);
	int head = snprintf(all, sizeof(all),
	    POST "Content-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n", n);

	memcpy(all + head, packed, n);
	say(bench, str_from(all, (size_t)head + n));
}

static void what_is_packed_is_bounded(void **state)
{
	static char bomb[400000];
	struct bench bench;

	(void)state;
	bench_open(&bench);
	say_packed(&bench, "x\ny\n", 4);
	assert_string_equal(hear(&bench), OK_2);
	memset(bomb, 'x', sizeof(bomb));
	say_packed(&bench, bomb, 300 * 1024);
	assert_int_equal(status_of(hear(&bench)), 200);
	say_packed(&bench, bomb, 300 * 1024 + 1);
	assert_int_equal(status_of(hear(&bench)), 413);
	close(bench.client);
	dial(&bench);
	say(&bench, STR(POST "Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd"));
	assert_int_equal(status_of(hear(&bench)), 400);
	close(bench.client);
	dial(&bench);
	say(&bench, STR(POST "Content-Encoding: br\r\nContent-Length: 4\r\n\r\nabcd"));
	assert_int_equal(status_of(hear(&bench)), 415);
	bench_close(&bench);
}

static const struct {
	const char *text;
	unsigned status;
} refused[] = {
    {POST "Content-Length: 102401\r\n\r\n", 413},
    {POST "Transfer-Encoding: chunked\r\n\r\n19001\r\n", 0}, /* until it comes */
    {POST "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400},
    {POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
    {"\x16\x03\x01\r\n\r\n", 400},
    {"GET / HTTP/3\r\n\r\n", 505},
};

static void what_is_refused_closes(void **state)
{
	struct bench bench;
	struct source_row total;

	(void)state;
	bench_open(&bench);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		say(&bench, str_of(refused[i].text));
		const char *answer = hear(&bench);

		assert_int_equal(status_of(answer), refused[i].status);
		if (refused[i].status != 0)
			assert_non_null(strstr(answer, "(closed)"));
		close(bench.client);
		dial(&bench);
	}
	collector_total(bench.collector, &total);
	assert_int_equal(total.bad_frames, 5);
	assert_int_equal(total.received, 0);
	bench_close(&bench);
}

static void who_asks_whether_to_go_on_is_told(void **state)
{
	struct bench bench;

	(void)state;
	bench_open(&bench);
	say(&bench, STR(POST "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n"));
	assert_string_equal(hear(&bench), "HTTP/1.1 100 Continue\r\n\r\n");
	say(&bench, STR("x\ny\n"));
	assert_string_equal(hear(&bench), OK_2);
	bench_close(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(events_are_answered_when_durable),
	    cmocka_unit_test(requests_behind_one_another),
	    cmocka_unit_test(who_is_gone_leaves_nothing_behind),
	    cmocka_unit_test(what_is_packed_is_bounded),
	    cmocka_unit_test(what_is_refused_closes),
	    cmocka_unit_test(who_asks_whether_to_go_on_is_told),
	};

	return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
