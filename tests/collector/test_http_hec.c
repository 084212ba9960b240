/* Splunk HEC from a socket's other end: every answer, what is kept, what is acknowledged. */
#include "tests/collector/http_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collector/http_acks.h"

#define EVENT "/services/collector/event"
#define OK	"200 {\"text\":\"Success\",\"code\":0}"

static const struct {
	const char *method, *target, *headers, *body, *answer;
	size_t events;
} cases[] = {
    {"POST", EVENT, "", "{\"event\":\"a\"}", OK, 1},
    {"POST", "/services/collector", "", "{\"event\":\"a\"}{\"event\":{\"b\":1}}", OK, 2},
    {"POST", EVENT "/1.0", "", " [{\"event\":1}, {\"event\":[]}]\n", OK, 2},
    {"POST", EVENT, "", "{\"event\":\"a\"}\r\n{\"event\":\"}{\\\"\"}\t{\"event\":true}", OK, 3},
    {"POST", EVENT, "", "", "400 {\"text\":\"No data\",\"code\":5}", 0},
    {"POST", EVENT, "", " \n", "400 {\"text\":\"No data\",\"code\":5}", 0},
    {"POST", EVENT, "", "[]", "400 {\"text\":\"No data\",\"code\":5}", 0},
    {"POST", EVENT, "", "{\"event\":\"a\"}{\"event\":",
	"400 {\"text\":\"Invalid data format\",\"code\":6,\"invalid-event-number\":1}", 1},
    {"POST", EVENT, "", "\"a\"",
	"400 {\"text\":\"Invalid data format\",\"code\":6,\"invalid-event-number\":0}", 0},
    {"POST", EVENT, "", "{\"event\":\"a\"}{\"host\":\"h\"}{\"event\":\"c\"}",
	"400 {\"text\":\"Event field is required\",\"code\":12,\"invalid-event-number\":1}", 2},
    {"POST", EVENT, "", "{\"event\":null}",
	"400 {\"text\":\"Event field is required\",\"code\":12,\"invalid-event-number\":0}", 0},
    {"POST", EVENT, "", "{\"event\":\"\"}",
	"400 {\"text\":\"Event field cannot be blank\",\"code\":13,\"invalid-event-number\":0}", 0},
    {"POST", EVENT, "", "{\"event\":{ }}",
	"400 {\"text\":\"Event field cannot be blank\",\"code\":13,\"invalid-event-number\":0}", 0},
    {"POST", "/services/collector/raw", "", "one\r\n\ntwo", OK, 2},
    {"POST", "/services/collector/raw/1.0?host=fw1", "", "one\n", OK, 1},
    {"POST", "/services/collector/raw", "", "\n", "400 {\"text\":\"No data\",\"code\":5}", 0},
    {"GET", "/services/collector/health", "", "",
	"200 {\"text\":\"HEC is healthy\",\"code\":17}", 0},
    {"GET", "/services/collector/health/1.0", "", "",
	"200 {\"text\":\"HEC is healthy\",\"code\":17}", 0},
    {"OPTIONS", EVENT "/1.0", "", "", "200 ", 0},
    {"GET", EVENT, "", "", "405 ", 0},
    {"POST", "/services/collector/ack", "", "{\"acks\":[0]}",
	"400 {\"text\":\"Data channel is missing\",\"code\":10}", 0},
    {"POST", "/services/collector/ack?channel=c", "", "",
	"400 {\"text\":\"No data\",\"code\":5}", 0},
    {"POST", "/services/collector/ack?channel=c", "", "{\"acks\":[\"x\"]}",
	"400 {\"text\":\"Invalid data format\",\"code\":6}", 0},
    {"POST", "/services/collector/ack?channel=c", "", "{\"acks\":3}",
	"400 {\"text\":\"Invalid data format\",\"code\":6}", 0},
    {"POST", "/services/collector/ack/1.0", "X-Splunk-Request-Channel: c\r\n", "{\"acks\":[0,7]}",
	"200 {\"acks\":{\"0\":false,\"7\":false}}", 0},
};

static void every_answer(void **state)
{
	struct bench bench;
	size_t events = 0;

	(void)state;
	bench_open(&bench, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_string_equal(bench_ask(&bench, cases[i].method, cases[i].target,
					cases[i].headers, str_of(cases[i].body)), cases[i].answer);
		events += cases[i].events;
		rig_read(&bench.rig);
		assert_int_equal(bench.rig.seen_count, events);
	}
	bench_close(&bench);
}

static void what_is_kept(void **state)
{
	struct bench bench;
	static const char line[] = "<13>Nov 22 03:04:05 fw1 a\xff\x01 b";

	(void)state;
	bench_open(&bench, 0);
	bench_ask(&bench, "POST", EVENT, "", STR(" { \"time\" : 1.5, \"event\":\"\\u0041\"} "));
	bench_ask(&bench, "POST",
	    "/services/collector/raw?sourcetype=a%22b&host=t%E1%BB%89nh+1", "", str_of(line));
	bench_ask(&bench, "POST", "/services/collector/raw?channel=0", "", STR("plain"));
	rig_read(&bench.rig);
	const struct seen *seen = rig_find(&bench.rig, "{ \"time\" : 1.5, \"event\":\"\\u0041\"}");

	assert_non_null(seen);
	assert_string_equal(seen->decoder, "hec");
	seen = rig_find(&bench.rig, "{\"host\":\"tỉnh 1\",\"sourcetype\":\"a\\\"b\"}\n"
				    "<13>Nov 22 03:04:05 fw1 a\xff\x01 b");
	assert_non_null(seen);
	assert_string_equal(seen->decoder, "hec");
	assert_string_equal(rig_find(&bench.rig, "plain")->decoder, "");
	bench_close(&bench);
}

static void what_is_too_long_is_cut(void **state)
{
	struct bench bench;
	static char body[3000];
	size_t flagged = 0;

	(void)state;
	bench_open(&bench, 0);
	memset(body, 'x', sizeof(body));
	memcpy(body, "{\"event\":\"", 10);
	memcpy(body + sizeof(body) - 2, "\"}", 2);
	assert_string_equal(bench_ask(&bench, "POST", EVENT, "", str_from(body, sizeof(body))), OK);
	assert_string_equal(bench_ask(&bench, "POST", "/services/collector/raw?host=h", "",
				str_from(body, sizeof(body))), OK);
	rig_read(&bench.rig);
	assert_int_equal(bench.rig.seen_count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(bench.rig.seen[i].raw_len, 1000);
		flagged += (bench.rig.seen[i].flags & EVENT_TRUNCATED) != 0;
	}
	assert_int_equal(flagged, 2);
	bench_close(&bench);
}

#define ACK "/services/collector/ack?channel=c1"

static void acks_are_true_once(void **state)
{
	struct bench bench;

	(void)state;
	bench_open(&bench, 0);
	assert_string_equal(
	    bench_ask(&bench, "POST", EVENT "?channel=c1", "", STR("{\"event\":1}")),
	    "200 {\"text\":\"Success\",\"code\":0,\"ackId\":0}");
	assert_string_equal(bench_ask(&bench, "POST", EVENT, "X-Splunk-Request-Channel: c1\r\n",
				STR("{\"event\":1}")),
	    "200 {\"text\":\"Success\",\"code\":0,\"ackId\":1}");
	assert_string_equal(
	    bench_ask(&bench, "POST", EVENT "?channel=c2", "", STR("{\"event\":1}")),
	    "200 {\"text\":\"Success\",\"code\":0,\"ackId\":0}");
	assert_string_equal(bench_ask(&bench, "POST", ACK, "", STR("{\"acks\":[1,2]}")),
	    "200 {\"acks\":{\"1\":true,\"2\":false}}");
	assert_string_equal(bench_ask(&bench, "POST", ACK, "", STR("{\"acks\":[0,1]}")),
	    "200 {\"acks\":{\"0\":true,\"1\":false}}");
	/* A channel is its token's. */
	assert_string_equal(bench_ask(&bench, "POST", ACK "&x", "Authorization: Splunk other\r\n",
				STR("{\"acks\":[0]}")), "200 {\"acks\":{\"0\":false}}");
	config_set(bench.config, STR("http.hec.ack"), STR("off"), NULL);
	assert_string_equal(bench_ask(&bench, "POST", ACK, "", STR("{\"acks\":[0]}")),
	    "400 {\"text\":\"Ack is disabled\",\"code\":14}");
	assert_string_equal(
	    bench_ask(&bench, "POST", EVENT "?channel=c1", "", STR("{\"event\":1}")), OK);
	config_set(bench.config, STR("http.hec.ack"), STR("required"), NULL);
	assert_string_equal(bench_ask(&bench, "POST", EVENT, "", STR("{\"event\":1}")),
	    "400 {\"text\":\"Data channel is missing\",\"code\":10}");
	static char channel[400];

	memset(channel, 'c', sizeof(channel) - 1);
	memcpy(channel, EVENT "?channel=", sizeof(EVENT "?channel=") - 1);
	assert_string_equal(bench_ask(&bench, "POST", channel, "", STR("{\"event\":1}")),
	    "400 {\"text\":\"Invalid data channel\",\"code\":11}");
	bench_close(&bench);
}

static void the_table_of_acks_is_bounded(void **state)
{
	struct acks *acks = acks_new();
	size_t kept = 0;
	char name[32];

	(void)state;
	for (uint64_t id = 0; id < 3 * ACKS_WINDOW; id++)
		assert_int_equal(acks_give(acks, STR("t"), STR("c")), id);
	assert_true(acks_take(acks, STR("t"), STR("c"), 3 * ACKS_WINDOW - 1));
	assert_false(acks_take(acks, STR("t"), STR("c"), 3 * ACKS_WINDOW - 1));
	assert_true(acks_take(acks, STR("t"), STR("c"), 2 * ACKS_WINDOW));
	assert_false(acks_take(acks, STR("t"), STR("c"), 2 * ACKS_WINDOW));
	assert_true(acks_take(acks, STR("t"), STR("c"), 0));
	assert_false(acks_take(acks, STR("t"), STR("c"), 3 * ACKS_WINDOW));
	for (size_t i = 0; i < 4 * ACKS_CHANNELS; i++) {
		snprintf(name, sizeof(name), "c%zu", i);
		acks_give(acks, STR("t"), str_of(name));
	}
	for (size_t i = 0; i < 4 * ACKS_CHANNELS; i++) {
		snprintf(name, sizeof(name), "c%zu", i);
		kept += acks_take(acks, STR("t"), str_of(name), 0);
	}
	assert_int_equal(kept, ACKS_CHANNELS);
	assert_true(acks_take(acks, STR("t"), str_of(name), 0) == false);
	acks_free(acks);
}

static void a_bus_that_is_behind(void **state)
{
	struct bench bench;
	static char body[1000];
	char answer[256];

	(void)state;
	bench_open(&bench, sizeof(body));
	bench_hear(&bench); /* until the first ticks are gone */
	bench.rig.fault = FAULT_BUSY;
	bench.rig.fault_call = "publish";
	int first = bench.client;

	memset(body, 'x', sizeof(body));
	memcpy(body, "{\"event\":\"", 10);
	memcpy(body + sizeof(body) - 2, "\"}", 2);

	/* It waits for the bus, and fills the queue. */
	assert_string_equal(bench_ask(&bench, "POST", EVENT, "", str_from(body, sizeof(body))), "");
	bench_dial(&bench);
	assert_string_equal(bench_ask(&bench, "POST", EVENT, "", STR("{\"event\":\"second\"}")),
	    "503 {\"text\":\"Server is busy\",\"code\":9}");
	assert_string_equal(bench_ask(&bench, "GET", "/services/collector/health", "", STR_NONE),
	    "503 {\"text\":\"HEC is unhealthy, queues are full\",\"code\":18}");
	bench_say(&bench,
	    STR("POST " EVENT " HTTP/1.1\r\nContent-Length: 11\r\n\r\n{\"event\":1}"));
	snprintf(answer, sizeof(answer), "%s", bench_hear(&bench));
	assert_non_null(strstr(answer, "\r\nRetry-After: 5\r\n"));
	bench.rig.fault = FAULT_NONE;
	close(bench.client);
	bench.client = first;
	assert_int_equal(bench_status(bench_hear(&bench)), 200);
	rig_read(&bench.rig);
	assert_int_equal(bench.rig.seen_count, 1);
	bench_close(&bench);
}

static const struct {
	const char *authorization, *answer;
} tokens[] = {
    {"", "401 {\"text\":\"Token is required\",\"code\":2}"},
    {"Authorization: Digest x\r\n", "401 {\"text\":\"Invalid authorization\",\"code\":3}"},
    {"Authorization: Splunk wrong\r\n", "403 {\"text\":\"Invalid token\",\"code\":4}"},
    {"Authorization: Splunk only-syslog-0123456789\r\n",
	"403 {\"text\":\"Token disabled\",\"code\":1}"},
    {"Authorization: Splunk right-0123456789abcdef\r\n", OK},
    {"authorization: SPLUNK right-0123456789abcdef\r\n", OK},
    {"Authorization: Basic eDpyaWdodC0wMTIzNDU2Nzg5YWJjZGVm\r\n", OK},
};

static const char agencies[] =
    "unknown: {inputs: []}\n"
    "agencies:\n"
    "  - name: so-tttt\n"
    "    tokens: [right-0123456789abcdef]\n"
    "  - name: ubnd\n"
    "    tokens: [only-syslog-0123456789]\n"
    "    inputs: [syslog-tcp]\n";

static void who_may_send(void **state)
{
	struct bench bench;

	(void)state;
	bench_open_for(&bench, 0, agencies);
	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
		assert_string_equal(bench_ask(&bench, "POST", EVENT, tokens[i].authorization,
					STR("{\"event\":1}")), tokens[i].answer);
		assert_string_equal(
		    bench_ask(&bench, "GET", "/services/collector/health",
			tokens[i].authorization, STR_NONE),
		    "200 {\"text\":\"HEC is healthy\",\"code\":17}");
	}
	rig_read(&bench.rig);
	assert_int_equal(bench.rig.seen_count, 3);
	bench_close(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_answer),
	    cmocka_unit_test(what_is_kept),
	    cmocka_unit_test(what_is_too_long_is_cut),
	    cmocka_unit_test(acks_are_true_once),
	    cmocka_unit_test(the_table_of_acks_is_bounded),
	    cmocka_unit_test(a_bus_that_is_behind),
	    cmocka_unit_test(who_may_send),
	};

	return cmocka_run_group_tests_name("http_hec", tests, NULL, NULL);
}
