/* What protocols wrap around events: taken apart when the event says so, and only then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/decoder/decoded.h"

static void check(const char *decoder, struct str raw, const char *expect)
{
	struct event event = {.received_ns = decoded_time(DECODED_RECEIVED),
	    .peer = STR("192.0.2.7:5"), .transport = TRANSPORT_HTTP, .decoder = str_of(decoder), .raw = raw};

	decoded_check_event(&event, expect);
}

static void hec(void **state)
{
	(void)state;
	check("hec",
	    STR("{\"time\":1795328820.25,\"host\":\"fw1\",\"source\":\"udp:514\","
	        "\"sourcetype\":\"st\","
		"\"index\":\"main\",\"event\":\"\\u0110\\u0103ng nh\\u1eadp \\\"x\\\"\","
		"\"fields\":{\"srcip\":\"192.0.2.9\",\"a\":{\"b\":1}}}"),
	    "host=fw1\nsource=udp:514\nsourcetype=st\nindex=main\nsrc_ip=192.0.2.9\na.b=1\n"
	    "message=Đăng nhập \"x\"\n.message=Đăng nhập \"x\"\n"
	    ".time=2026-11-22T06:27:00.250Z\n"
	    ".flags=");
	check("hec", STR("{\"time\":\"1795328820\",\"event\":{\"src\":\"192.0.2.9\","
	    "\"n\":{\"m\":2}}}"),
	    "src_ip=192.0.2.9\nn.m=2\nhost=192.0.2.7\n.time=2026-11-22T06:27:00.000Z\n"
	    ".decoders=hec/json");
	check("hec",
	    STR("{\"event\":\"<38>Nov 22 06:00:00 web01 sshd[811]: Failed password for root from "
		"203.0.113.7 port 40112 ssh2\"}"),
	    "host=web01\nsrc_ip=203.0.113.7\n.source=linux//sshd\n.decoders=hec/rfc3164/sshd\n"
	    ".time=2026-11-22T06:00:00.000Z");
	check("hec",
	    STR("{\"host\":\"h1\",\"sourcetype\":\"asa\"}\n<13>Nov 22 06:00:00 app: \xff text"),
	    "host=h1\nsourcetype=asa\napp=app\n.decoders=hec/rfc3164");
	/* An envelope that was cut is still a line. */
	check("hec", STR("{\"time\":1,\"event\":\"abc"),
	    ".message={\"time\":1,\"event\":\"abc\n-source");
	check("hec", STR("{\"time\":1}"), "time=1\n.decoders=json");
	check("", STR("{\"host\":\"x\",\"event\":\"text\"}"), "event=text\n.decoders=json");
}

static void bulk(void **state)
{
	(void)state;
	check("bulk",
	    STR("{\"create\":{\"_index\":\"logs\",\"_id\":\"n-1\"}}\r\n"
		"{\"@timestamp\":\"2026-11-22T05:00:00Z\",\"source\":{\"ip\":\"192.0.2.9\"}}"),
	    "_index=logs\n_id=n-1\nsrc_ip=192.0.2.9\n.time=2026-11-22T05:00:00.000Z\n"
	    ".decoders=bulk/json");
	check("bulk", STR("{\"update\":{\"_id\":\"7\"}}\n{\"doc\":{\"user\":\"an\"},"
	    "\"doc_as_upsert\":true}"),
	    "_id=7\nUser=an\n-doc_as_upsert\n.decoders=bulk/json");
	check("bulk", STR("{\"a\":1}"), "a=1\n-_id\n.decoders=json");
}

#define RESOURCE                                                                                   \
	"\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":"      \
	"\"sshd\"}},{\"key\":\"host.name\",\"value\":{\"stringValue\":\"web01\"}}]}"

static void otlp(void **state)
{
	(void)state;
	check("otlp",
	    STR("{\"logRecord\":{\"timeUnixNano\":\"1795328820250000000\",\"severityNumber\":17,"
		"\"severityText\":\"Error\",\"traceId\":\"01ab\",\"attributes\":["
		"{\"key\":\"n\",\"value\":{\"intValue\":\"-2\"}},{\"key\":\"srcip\",\"value\":"
		"{\"stringValue\":\"192.0.2.9\"}},{\"key\":\"l\","
		"\"value\":{\"arrayValue\":{\"values\":["
		"{\"boolValue\":true},{\"doubleValue\":1.5}]}}},{\"key\":\"m\",\"value\":"
		"{\"kvlistValue\":{\"values\":[{\"key\":\"k\","
		"\"value\":{\"stringValue\":\"v\"}}]}}}],"
		"\"body\":{\"stringValue\":\"Failed password for root from 203.0.113.7 port 40112 "
		"ssh2\"}},\"scope\":{\"name\":\"lib\"}," RESOURCE "}"),
	    "severity=3\nlog.level=Error\ntrace.id=01ab\nn=-2\nsrc_ip=192.0.2.9\nl=true\nl=1.5\n"
	    "m.k=v\nscope.name=lib\nresource.service.name=sshd\nresource.host.name=web01\n"
	    "host=web01\napp=sshd\nsrc_ip=203.0.113.7\n.source=linux//sshd\n"
	    ".decoders=otlp/sshd\n.time=2026-11-22T06:27:00.250Z");
	check("otlp",
	    STR("{\"logRecord\":{\"observedTimeUnixNano\":1795328820000000000,"
	        "\"timeUnixNano\":\"0\","
		"\"body\":{\"kvlistValue\":{\"values\":[{\"key\":\"user\","
		"\"value\":{\"stringValue\":"
		"\"an\"}}]}}}}"),
	    "user=an\nUser=an\n-message\n.time=2026-11-22T06:27:00.000Z\n.decoders=otlp");
	check("otlp",
	    STR("{\"logRecord\":{\"body\":{\"stringValue\":\"{\\\"user\\\":\\\"an\\\"}\"}}}"),
	    "User=an\n.decoders=otlp/json\n.flags=no_time");
	check("otlp", STR("{\"logRecord\":{\"body\":{\"intValue\":\"5\"}}}"),
	    "body=5\n.decoders=otlp");
	check("otlp", STR("{\"logRecord\":1}"), "logRecord=1\n.decoders=json");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hec), cmocka_unit_test(bulk), cmocka_unit_test(otlp)};

	return cmocka_run_group_tests_name("envelope", tests, NULL, NULL);
}
