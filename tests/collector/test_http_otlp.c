/* OpenTelemetry's exporters from a socket's other end: both encodings, every answer. */
#include "tests/collector/http_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "collector/otlp_proto.h"

#define JSON  "Content-Type: application/json; charset=utf-8\r\n"
#define PROTO "Content-Type: application/x-protobuf\r\n"
#define BAD   "400 {\"code\":3,\"message\":\"no ExportLogsServiceRequest\"}"

/* Messages are written from the inside out. */
struct part {
	char bytes[2048];
	size_t len;
};

static void part_put(
    struct part *part, unsigned number, unsigned wire, const void *bytes, size_t len)
{
	part->bytes[part->len++] = (char)(number << 3 | wire);
	if (wire == 2) {
		assert_true(len < 128 || len < 16384);
		if (len >= 128)
			part->bytes[part->len++] = (char)(len | 0x80);
		part->bytes[part->len++] = (char)(len >= 128 ? len >> 7 : len);
	}
	memcpy(part->bytes + part->len, bytes, len);
	part->len += len;
}

static void part_text(struct part *part, unsigned number, const char *text)
{
	part_put(part, number, 2, text, strlen(text));
}

static void part_part(struct part *part, unsigned number, const struct part *inner)
{
	part_put(part, number, 2, inner->bytes, inner->len);
}

static struct part attribute(const char *key, unsigned number, unsigned wire, const void *bytes,
    size_t len)
{
	struct part value = {.len = 0}, pair = {.len = 0};

	part_put(&value, number, wire, bytes, len);
	part_text(&pair, 1, key);
	part_part(&pair, 2, &value);
	return pair;
}

static struct part request_of(const struct part *record, const char *service)
{
	struct part resource = {.len = 0}, scope = {.len = 0}, scopes = {.len = 0},
		    resources = {.len = 0}, request = {.len = 0};
	struct part name = attribute("service.name", 1, 2, service, strlen(service));

	part_part(&resource, 1, &name);
	part_text(&scope, 1, "lib");
	/* The records before what is common to them: the order is free. */
	part_part(&scopes, 2, record);
	part_part(&scopes, 1, &scope);
	part_text(&scopes, 3, "url");
	part_part(&resources, 2, &scopes);
	part_part(&resources, 1, &resource);
	part_part(&request, 1, &resources);
	return request;
}

static struct part full_record(void)
{
	struct part record = {.len = 0}, body = {.len = 0}, a, b;
	static const char minus[10] = "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01";

	part_put(&record, 1, 1, "\x00\xe4\x0b\x54\x02\x00\x00\x00", 8);
	part_put(&record, 2, 0, "\x09", 1);
	a = attribute("n", 3, 0, minus, sizeof(minus));
	part_part(&record, 6, &a);
	part_text(&body, 1, "Đăng nhập \"x\"");
	part_part(&record, 5, &body);
	b = attribute("d", 4, 1, "\0\0\0\0\0\0\xf8\x3f", 8);
	part_part(&record, 6, &b);
	part_put(&record, 8, 5, "\1\0\0\0", 4);
	part_put(&record, 9, 2, "\x01\xab", 2);
	part_put(&record, 15, 2, "new", 3);
	return record;
}

static const struct {
	const char *type, *body, *answer;
	size_t events;
} cases[] = {
    {JSON, "{}", "200 {}", 0},
    {JSON, "{\"resourceLogs\":[]}", "200 {}", 0},
    {JSON, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{},{}]}]},{}]}", "200 {}", 2},
    {JSON, "{\"resource_logs\":[{\"scope_logs\":[{\"log_records\":[{}]}]}]} \n", "200 {}", 1},
    {JSON, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[1,{}]}]}]}",
	"200 {\"partialSuccess\":{\"rejectedLogRecords\":\"1\",\"errorMessage\":"
	"\"not a log record\"}}", 1},
    {JSON, "", BAD, 0},
    {JSON, "[]", BAD, 0},
    {JSON, "{} {}", BAD, 0},
    {JSON, "{\"resourceLogs\":1}", BAD, 0},
    {JSON, "{\"resourceLogs\":[{]}", BAD, 0},
    {"", "{}", "415 {\"code\":3,\"message\":\"Content-Type is application/json or "
	       "application/x-protobuf\"}", 0},
    {PROTO, "", "200 ", 0},
    {PROTO, "\x0a\x03" "ab", "400 \x08\x03\x12\x1bno ExportLogsServiceRequest", 0},
    {PROTO, "\x0b", "400 \x08\x03\x12\x1bno ExportLogsServiceRequest", 0},
    {PROTO, "\x0a\x01\x12", "400 \x08\x03\x12\x1bno ExportLogsServiceRequest", 0},
    /* a record that is not well formed: {1:{2:{2:"\x2a\x05"}}} */
    {PROTO, "\x0a\x06\x12\x04\x12\x02\x2a\x05",
	"200 \x0a\x14\x08\x01\x12\x10not a log record", 0},
};

static void every_answer(void **state)
{
	struct bench bench;
	size_t events = 0;

	(void)state;
	bench_open(&bench, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *answer = bench_ask(
		    &bench, "POST", "/v1/logs", cases[i].type, str_of(cases[i].body));

		assert_string_equal(answer, cases[i].answer);
		events += cases[i].events;
		rig_read(&bench.rig);
		assert_int_equal(bench.rig.seen_count, events);
	}
	bench_close(&bench);
}

static void the_answer_is_of_the_same_type(void **state)
{
	struct bench bench;

	(void)state;
	bench_open(&bench, 0);
	bench_say(&bench, STR("POST /v1/logs HTTP/1.1\r\n" PROTO "Content-Length: 0\r\n\r\n"));
	assert_non_null(strstr(bench_hear(&bench), "\r\nContent-Type: application/x-protobuf\r\n"));
	bench_say(&bench, STR("POST /v1/logs HTTP/1.1\r\n" JSON "Content-Length: 2\r\n\r\n{}"));
	assert_non_null(strstr(bench_hear(&bench), "\r\nContent-Type: application/json\r\n"));
	bench_close(&bench);
}

static void what_is_common_is_carried_into_each(void **state)
{
	struct bench bench;
	struct part record = full_record(), request = request_of(&record, "portal");

	(void)state;
	bench_open(&bench, 0);
	bench_ask(&bench, "POST", "/v1/logs", JSON,
	    STR("{\"resourceLogs\":[{\"resource\":{\"attributes\": [1]},\"schemaUrl\":\"u\","
		"\"scopeLogs\":[{\"scope\":{\"name\":\"s\"},\"logRecords\":[{\"a\" : 1},"
		"{\"b\":2}]},"
		"{\"logRecords\":[{\"c\":3}]}]}]}"));
	assert_string_equal(bench_ask(&bench, "POST", "/v1/logs", PROTO,
				str_from(request.bytes, request.len)), "200 ");
	rig_read(&bench.rig);
	assert_int_equal(bench.rig.seen_count, 4);
#define COMMON ",\"resource\":{\"attributes\": [1]},\"resourceSchemaUrl\":\"u\"}"
	assert_non_null(
	    rig_find(&bench.rig, "{\"logRecord\":{\"a\" : 1},\"scope\":{\"name\":\"s\"}" COMMON));
	assert_non_null(
	    rig_find(&bench.rig, "{\"logRecord\":{\"b\":2},\"scope\":{\"name\":\"s\"}" COMMON));
	const struct seen *seen = rig_find(&bench.rig, "{\"logRecord\":{\"c\":3}" COMMON);

	assert_non_null(seen);
	assert_string_equal(seen->decoder, "otlp");
	assert_non_null(rig_find(&bench.rig,
	    "{\"logRecord\":{\"timeUnixNano\":\"10000000000\",\"severityNumber\":9,\"attributes\":["
	    "{\"key\":\"n\",\"value\":{\"intValue\":\"-2\"}},"
	    "{\"key\":\"d\",\"value\":{\"doubleValue\":1.5}}],"
	    "\"body\":{\"stringValue\":\"Đăng nhập \\\"x\\\"\"},\"flags\":1,"
	    "\"traceId\":\"01ab\","
	    "\"#15\":\"bmV3\"},\"scope\":{\"name\":\"lib\"},\"scopeSchemaUrl\":\"url\","
	    "\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":"
	    "{\"stringValue\":\"portal\"}}]}}"));
	bench_close(&bench);
}

static void what_is_too_long_to_be_carried_is_left_out(void **state)
{
	struct bench bench;
	static char body[2048];
	static const char begin[] = "{\"resourceLogs\":[{\"resource\":{\"a\":\"";
	static const char end[] = "\"},\"scopeLogs\":[{\"scope\":{},\"logRecords\":[{}]}]}]}";

	(void)state;
	bench_open(&bench, 0);
	memset(body, 'x', sizeof(body) - 1);
	memcpy(body, begin, sizeof(begin) - 1);
	memcpy(body + sizeof(body) - sizeof(end), end, sizeof(end));
	assert_string_equal(bench_ask(&bench, "POST", "/v1/logs", JSON, str_of(body)), "200 {}");
	memcpy(body + 1020 - sizeof(end), end, sizeof(end));
	assert_string_equal(bench_ask(&bench, "POST", "/v1/logs", JSON, str_of(body)), "200 {}");
	memcpy(body + 900 - sizeof(end), end, sizeof(end));
	assert_string_equal(bench_ask(&bench, "POST", "/v1/logs", JSON, str_of(body)), "200 {}");
	rig_read(&bench.rig);
	assert_int_equal(bench.rig.seen_count, 3);
	const struct seen *seen = rig_find(&bench.rig, "{\"logRecord\":{},\"scope\":{}}");

	assert_non_null(seen);
	assert_int_equal(seen->flags & EVENT_TRUNCATED, EVENT_TRUNCATED);
	size_t whole = 0;

	for (size_t i = 0; i < 3; i++)
		whole += (bench.rig.seen[i].flags & EVENT_TRUNCATED) == 0;
	assert_int_equal(whole, 2);
	bench_close(&bench);
}

static void who_may_not_is_told(void **state)
{
	struct bench bench;

	(void)state;
	bench_open_for(&bench, 0,
	    "unknown: {inputs: none}\n"
	    "agencies:\n  - name: ubnd\n    tokens: [right-0123456789abcdef]\n");
	assert_string_equal(bench_ask(&bench, "POST", "/v1/logs", JSON, STR("{}")),
	    "401 {\"code\":16,\"message\":\"token is required\"}");
	assert_string_equal(bench_ask(&bench, "POST", "/v1/logs",
				JSON "Authorization: Bearer wrong\r\n", STR("{}")),
	    "401 {\"code\":16,\"message\":\"invalid token\"}");
	assert_string_equal(bench_ask(&bench, "POST", "/v1/logs",
				JSON "Authorization: Bearer right-0123456789abcdef\r\n", STR("{}")),
	    "200 {}");
	bench_close(&bench);
}

static void a_bus_that_is_behind(void **state)
{
	struct bench bench;
	static char body[1200];

	(void)state;
	bench_open(&bench, 900);
	bench_hear(&bench);
	bench.rig.fault = FAULT_BUSY;
	bench.rig.fault_call = "publish";
	memset(body, 'x', sizeof(body));
	memcpy(body + sizeof(body) - 1, "\n", 1);
	assert_string_equal(
	    bench_ask(&bench, "POST", "/events", "", str_from(body, sizeof(body))), "");
	int first = bench.client;

	bench_dial(&bench);
	bench_say(&bench, STR("POST /v1/logs HTTP/1.1\r\n" JSON "Content-Length: 2\r\n\r\n{}"));
	const char *answer = bench_hear(&bench);

	assert_int_equal(bench_status(answer), 503);
	assert_non_null(strstr(answer, "\r\nRetry-After: 5\r\n"));
	assert_non_null(strstr(answer, "\r\n\r\n{\"code\":14,\"message\":\"queue full\"}"));
	assert_string_equal(bench_ask(&bench, "POST", "/events", "", STR("x\n")),
	    "503 {\"error\":\"refused\"}");
	close(first);
	bench.rig.fault = FAULT_NONE;
	bench_close(&bench);
}

static void how_deep_it_goes_is_bounded(void **state)
{
	struct part inner = {.len = 0}, next;
	struct buf out = BUF(65536);

	(void)state;
	part_text(&inner, 1, "x");
	for (int i = 0; i < 40; i++) {
		bool good;

		/* AnyValue {5: ArrayValue {1: AnyValue}} */
		next = (struct part){.len = 0};
		part_part(&next, 1, &inner);
		inner = (struct part){.len = 0};
		part_part(&inner, 5, &next);
		next = (struct part){.len = 0};
		part_part(&next, 5, &inner);
		buf_clear(&out);
		good = otlp_proto_json(&out, OTLP_RECORD, str_from(next.bytes, next.len));
		assert_int_equal(good, i < 15);
	}
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_answer),
	    cmocka_unit_test(the_answer_is_of_the_same_type),
	    cmocka_unit_test(what_is_common_is_carried_into_each),
	    cmocka_unit_test(what_is_too_long_to_be_carried_is_left_out),
	    cmocka_unit_test(who_may_not_is_told),
	    cmocka_unit_test(a_bus_that_is_behind),
	    cmocka_unit_test(how_deep_it_goes_is_bounded),
	};

	return cmocka_run_group_tests_name("http_otlp", tests, NULL, NULL);
}
