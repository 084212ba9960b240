/* The port "http" from a socket's other end: what is answered, when, and what is refused. */
#include "tests/collector/http_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#define POST "POST /events HTTP/1.1\r\nHost: a\r\n"
#define OK_2 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{\"events\":2}"

static void events_are_answered_when_durable(void **state)
{
	struct bench bench;

	(void)state;
	bench_open(&bench, 0);
	bench.rig.fault = FAULT_BUSY;
	bench.rig.fault_call = "publish";
	bench_say(&bench, STR(POST "Content-Length: 9\r\n\r\none\n{\"a\""));
	assert_string_equal(bench_hear(&bench), "");
	bench_say(&bench, STR("\n"));
	assert_string_equal(bench_hear(&bench), "");
	bench.rig.fault = FAULT_NONE;
	assert_string_equal(bench_hear(&bench), OK_2);
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
	bench_open(&bench, 0);
	bench_say(&bench, str_of(two));
	assert_string_equal(bench_hear(&bench), OK_2 OK_2
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
	bench_open(&bench, 0);
	bench.rig.fault = FAULT_BUSY;
	bench.rig.fault_call = "publish";
	bench_say(&bench, STR(POST "Content-Length: 3\r\n\r\none"));
	bench_hear(&bench);
	struct linger hard = {1, 0};

	setsockopt(bench.client, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(bench.client);
	bench_dial(&bench);
	bench_say(&bench, STR(POST "Content-Length: 30\r\n\r\nhalf of it"));
	bench_hear(&bench);
	bench.rig.fault = FAULT_NONE;
	bench_hear(&bench);
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
	bench_say(bench, str_from(all, (size_t)head + n));
}

static void what_is_packed_is_bounded(void **state)
{
	static char bomb[400000];
	struct bench bench;

	(void)state;
	bench_open(&bench, 0);
	say_packed(&bench, "x\ny\n", 4);
	assert_string_equal(bench_hear(&bench), OK_2);
	memset(bomb, 'x', sizeof(bomb));
	say_packed(&bench, bomb, 300 * 1024);
	assert_int_equal(bench_status(bench_hear(&bench)), 200);
	say_packed(&bench, bomb, 300 * 1024 + 1);
	assert_int_equal(bench_status(bench_hear(&bench)), 413);
	close(bench.client);
	bench_dial(&bench);
	bench_say(&bench, STR(POST "Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd"));
	assert_int_equal(bench_status(bench_hear(&bench)), 400);
	close(bench.client);
	bench_dial(&bench);
	bench_say(&bench, STR(POST "Content-Encoding: br\r\nContent-Length: 4\r\n\r\nabcd"));
	assert_int_equal(bench_status(bench_hear(&bench)), 415);
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
	bench_open(&bench, 0);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		bench_say(&bench, str_of(refused[i].text));
		const char *answer = bench_hear(&bench);

		assert_int_equal(bench_status(answer), refused[i].status);
		if (refused[i].status != 0)
			assert_non_null(strstr(answer, "(closed)"));
		close(bench.client);
		bench_dial(&bench);
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
	bench_open(&bench, 0);
	bench_say(&bench, STR(POST "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n"));
	assert_string_equal(bench_hear(&bench), "HTTP/1.1 100 Continue\r\n\r\n");
	bench_say(&bench, STR("x\ny\n"));
	assert_string_equal(bench_hear(&bench), OK_2);
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
