/* Elasticsearch's clients from a socket's other end: the handshake, _bulk, every status. */
#include "tests/collector/http_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DOC	 "{\"message\":\"a\"}\n"
#define INDEX	 "{\"index\":{}}\n"
#define MALFORMED                                                                                  \
	"400 {\"error\":{\"root_cause\":[{\"type\":\"illegal_argument_exception\",\"reason\":"     \
	"\"Malformed action/metadata line, expected an action and its document\"}],\"type\":"      \
	"\"illegal_argument_exception\",\"reason\":\"Malformed action/metadata line, expected an " \
	"action and its document\"},\"status\":400}"
#define UNPARSED                                                                                   \
	"\"error\":{\"type\":\"document_parsing_exception\",\"reason\":\"failed to parse\"}"
#define ONE "200 {\"took\":1,\"errors\":false,\"items\":[{\"index\":{\"status\":201}}]}"

static const struct {
	const char *target, *body, *answer;
	size_t events;
} cases[] = {
    {"/_bulk", INDEX DOC, ONE, 1},
    {"/winlogbeat-8.19/_bulk?pipeline=x&refresh=false", INDEX DOC, ONE, 1},
    {"/filebeat/doc/_bulk", INDEX DOC, ONE, 1},
    {"/_bulk", "\r\n { \"index\" : { \"_index\" : \"a\" } } \r\n {\"a\":1} ", ONE, 1},
    {"/_bulk",
	"{\"create\":{\"_index\":\"x\"}}\n" DOC "{\"delete\":{\"_id\":\"1\"}}\n" INDEX DOC
	"{\"update\":{\"_id\":\"7\"}}\n{\"doc\":{\"b\":1}}\n",
	"200 {\"took\":1,\"errors\":false,\"items\":[{\"create\":{\"status\":201}},{\"delete\":{"
	"\"status\":404}},{\"index\":{\"status\":201}},{\"update\":{\"status\":200}}]}", 3},
    {"/_bulk", INDEX "no object\n" INDEX DOC,
	"200 {\"took\":1,\"errors\":true,\"items\":[{\"index\":{\"status\":400," UNPARSED
	"}},{\"index\":{\"status\":201}}]}", 1},
    {"/_bulk?filter_path=errors,items.*.status", INDEX "{\n",
	"200 {\"errors\":true,\"items\":[{\"index\":{\"status\":400}}]}", 0},
    {"/_bulk?filter_path=errors%2Citems.*.error%2Citems.*.status", INDEX "1\n" INDEX DOC,
	"200 {\"errors\":true,\"items\":[{\"index\":{\"status\":400," UNPARSED
	"}},{\"index\":{\"status\":201}}]}", 1},
    {"/_bulk?filter_path=items.create.status,items.*.error", INDEX DOC
	"{\"create\":{}}\n" DOC "{\"create\":{}}\n1\n" INDEX "1\n",
	"200 {\"items\":[{\"create\":{\"status\":201}},{\"create\":{\"status\":400," UNPARSED
	"}},{\"index\":{" UNPARSED "}}]}", 2},
    {"/_bulk?filter_path=took", INDEX DOC, "200 {\"took\":1,\"items\":[]}", 1},
    {"/_bulk", "", MALFORMED, 0},
    {"/_bulk", INDEX DOC INDEX, MALFORMED, 0},
    {"/_bulk", INDEX DOC "{\"other\":{}}\n" DOC, MALFORMED, 0},
    {"/_bulk", INDEX DOC DOC, MALFORMED, 0},
    {"/_bulk", "{\"index\":{},\"create\":{}}\n" DOC, MALFORMED, 0},
    {"/_bulk", "{\"index\":{}} x\n" DOC, MALFORMED, 0},
    {"/_bulk", "[]\n" DOC, MALFORMED, 0},
};

static void every_answer(void **state)
{
	struct bench bench;
	size_t events = 0;

	(void)state;
	bench_open(&bench, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_string_equal(bench_ask(&bench, i % 2 == 0 ? "POST" : "PUT", cases[i].target,
					"Content-Type: application/vnd.elasticsearch+x-ndjson;"
					"compatible-with=8\r\n",
					str_of(cases[i].body)), cases[i].answer);
		events += cases[i].events;
		rig_read(&bench.rig);
		assert_int_equal(bench.rig.seen_count, events);
	}
	bench_close(&bench);
}

static void what_is_kept(void **state)
{
	struct bench bench;
	static char body[3000] = INDEX;
	static const char named[] = "{\"create\":{\"_id\":\"n1\"}}\r\n{\"a\": 1}";

	(void)state;
	bench_open(&bench, 0);
	bench_ask(&bench, "POST", "/_bulk", "", STR(INDEX " {\"a\" : 1} \n"));
	bench_ask(&bench, "POST", "/_bulk", "", str_of(named));
	memset(body + sizeof(INDEX) - 1, 'x', sizeof(body) - sizeof(INDEX));
	body[sizeof(INDEX) - 1] = '{';
	body[sizeof(body) - 2] = '}';
	assert_string_equal(bench_ask(&bench, "POST", "/_bulk", "", str_of(body)), ONE);
	rig_read(&bench.rig);
	assert_int_equal(bench.rig.seen_count, 3);
	assert_string_equal(rig_find(&bench.rig, "{\"a\" : 1}")->decoder, "");
	assert_string_equal(rig_find(&bench.rig, named)->decoder, "bulk");
	size_t cut = 0;

	for (size_t i = 0; i < 3; i++)
		cut += bench.rig.seen[i].raw_len == 1000 &&
		    (bench.rig.seen[i].flags & EVENT_TRUNCATED) != 0;
	assert_int_equal(cut, 1);
	bench_close(&bench);
}

#define MADE(id)                                                                                   \
	"201 {\"_index\":\"so-tttt\",\"_id\":" id ",\"_version\":1,\"result\":\"created\"," \
	"\"_shards\":{\"total\":1,\"successful\":1,\"failed\":0},\"_seq_no\":0," \
	"\"_primary_term\":1}"
#define UNMADE(type, reason)                                                                       \
	"400 {\"error\":{\"root_cause\":[{\"type\":\"" type "\",\"reason\":\"" reason "\"}]," \
	"\"type\":\"" type "\",\"reason\":\"" reason "\"},\"status\":400}"
#define UNNAMED	 UNMADE("illegal_argument_exception", "no index, or no id")
#define NO_JSON	 UNMADE("document_parsing_exception", "failed to parse")

static const struct {
	const char *method, *target, *body, *answer;
	const char *raw; /* NULL: no event */
} documents[] = {
    {"PUT", "/so-tttt/_doc/h%E1%BB%93+s%C6%A1%20%221%22?refresh=true", " {\"a\":\n1}\n",
	MADE("\"h\u1ed3+s\u01a1 \\\"1\\\"\""),
	"{\"index\":{\"_index\":\"so-tttt\",\"_id\":\"h\u1ed3+s\u01a1 \\\"1\\\"\"}}\n{\"a\":\n1}"},
    {"POST", "/so-tttt/_doc/7", "{\"a\":2}", MADE("\"7\""),
	"{\"index\":{\"_index\":\"so-tttt\",\"_id\":\"7\"}}\n{\"a\":2}"},
    {"PUT", "/so-tttt/_create/8", "{\"a\":3}", MADE("\"8\""),
	"{\"index\":{\"_index\":\"so-tttt\",\"_id\":\"8\"}}\n{\"a\":3}"},
    {"POST", "/so-tttt/_doc/7", "{\"a\":2}", MADE("\"7\""), NULL}, /* again */
    {"PUT", "/so-tttt/_doc/%zz", "{}", UNNAMED, NULL},
    {"PUT", "/so-tttt/_doc/a/b", "{}", UNNAMED, NULL},
    {"PUT", "/so-tttt/_create/", "{}", UNNAMED, NULL},
    {"POST", "/so-tttt/_doc", "", NO_JSON, NULL},
    {"POST", "/so-tttt/_doc", "[1]", NO_JSON, NULL},
    {"POST", "/so-tttt/_doc", "{} {}", NO_JSON, NULL},
    {"POST", "/so-tttt/_doc", "{\"a\":", NO_JSON, NULL},
};

static void single_documents(void **state)
{
	struct bench bench;
	size_t events = 0;

	(void)state;
	bench_open(&bench, 0);
	for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
		assert_string_equal(bench_ask(&bench, documents[i].method, documents[i].target, "",
					str_of(documents[i].body)), documents[i].answer);
		rig_read(&bench.rig);
		events += documents[i].raw != NULL;
		assert_int_equal(bench.rig.seen_count, events);
		if (documents[i].raw != NULL)
			assert_string_equal(
			    rig_find(&bench.rig, documents[i].raw)->decoder, "bulk");
	}
	/* One without a name is given one, and twice is two. */
	for (int i = 0; i < 2; i++) {
		const char *answer =
		    bench_ask(&bench, "POST", "/so-tttt/_doc", "", STR("{\"a\":4}"));

		assert_memory_equal(answer, "201 ", 4);
		assert_non_null(strstr(answer, "\"_id\":\""));
	}
	rig_read(&bench.rig);
	assert_int_equal(bench.rig.seen_count, events + 2);
	assert_string_equal(rig_find(&bench.rig, "{\"a\":4}")->decoder, "");
	bench_close(&bench);
}

static void a_bus_that_is_behind(void **state)
{
	struct bench bench;
	static char body[1200];
	char all[2048];

	(void)state;
	bench_open(&bench, 1000);
	bench_hear(&bench);
	bench.rig.fault = FAULT_BUSY;
	bench.rig.fault_call = "publish";
	memset(body, 'x', sizeof(body) - 1);
	memcpy(body, INDEX "{", sizeof(INDEX));
	body[sizeof(body) - 2] = '}';
	int first = bench.client;

	assert_string_equal(bench_ask(&bench, "POST", "/_bulk", "", str_of(body)), "");
	bench_dial(&bench);
	assert_string_equal(bench_ask(&bench, "POST", "/_bulk", "", STR(INDEX DOC)),
	    "429 {\"error\":{\"root_cause\":[{\"type\":\"es_rejected_execution_exception\","
	    "\"reason\":\"queue full\"}],\"type\":\"es_rejected_execution_exception\",\"reason\":"
	    "\"queue full\"},\"status\":429}");
	bench_say(&bench, STR("POST /_bulk HTTP/1.1\r\nContent-Length: 1\r\n\r\n "));
	snprintf(all, sizeof(all), "%s", bench_hear(&bench));
	assert_non_null(strstr(all, "\r\nRetry-After: 5\r\n"));
	assert_non_null(strstr(all, "\r\nX-Elastic-Product: Elasticsearch\r\n"));
	bench.rig.fault = FAULT_NONE;
	close(bench.client);
	bench.client = first;
	assert_int_equal(bench_status(bench_hear(&bench)), 200);
	bench_close(&bench);
}

static const struct {
	const char *method, *target, *part; /* of the answer */
} handshake[] = {
    {"GET", "/", "200 {\"name\":\"tocsin\",\"cluster_name\":\"tocsin\","},
    {"GET", "/", "\"version\":{\"number\":\"8.19.0\",\"build_flavor\":\"default\""},
    {"GET", "/", "\"tagline\":\"You Know, for Search\"}"},
    {"HEAD", "/", "200 "},
    {"GET", "/_license?human=false", "200 {\"license\":{\"status\":\"active\",\"uid\":\"tocsin\","},
    {"GET", "/_xpack", "200 {\"license\":"},
    {"GET", "/_cluster/health", "\"status\":\"green\""},
    {"GET", "/_cat/health", "200 0 00:00:00 tocsin green"},
    {"GET", "/_cat/health?v", "tocsin green"},
    {"GET", "/_nodes/http", "\"nodes\":{}"},
    {"GET", "/_ilm/policy/winlogbeat", "200 {}"},
    {"PUT", "/_ilm/policy/winlogbeat", "200 {\"acknowledged\":true}"},
    {"HEAD", "/_index_template/winlogbeat-8.19", "200 "},
    {"PUT", "/_index_template/winlogbeat-8.19", "200 {\"acknowledged\":true}"},
    {"HEAD", "/_template/filebeat", "200 "},
    {"GET", "/_data_stream/winlogbeat", "200 {}"},
    {"PUT", "/_data_stream/winlogbeat", "200 {\"acknowledged\":true}"},
    {"GET", "/_ingest/pipeline/winlogbeat-8.19-routing", "200 {}"},
    {"PUT", "/_component_template/x", "200 {\"acknowledged\":true}"},
    {"GET", "/_alias/x", "200 {}"},
    {"POST", "/_search", "404 {\"error\":{\"root_cause\":[{\"type\":\"resource_not_found"},
};

static void what_is_asked_before(void **state)
{
	struct bench bench;

	(void)state;
	bench_open(&bench, 0);
	for (size_t i = 0; i < sizeof(handshake) / sizeof(handshake[0]); i++) {
		char head[256];
		int len = snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: a\r\n\r\n",
		    handshake[i].method, handshake[i].target);

		assert_non_null(strstr(bench_ask(&bench, handshake[i].method,
					   handshake[i].target, "", STR_NONE), handshake[i].part));
		bench_say(&bench, str_from(head, (size_t)len));
		assert_non_null(
		    strstr(bench_hear(&bench), "\r\nX-Elastic-Product: Elasticsearch\r\n"));
	}
	bench_close(&bench);
}

static void who_may_send(void **state)
{
	struct bench bench;

	(void)state;
	bench_open_for(&bench, 0,
	    "unknown: {inputs: none}\n"
	    "agencies:\n  - name: ubnd\n    tokens: [right-0123456789abcdef]\n");
	assert_string_equal(bench_ask(&bench, "GET", "/", "", STR_NONE),
	    "401 {\"error\":{\"root_cause\":[{\"type\":\"security_exception\",\"reason\":\"missing "
	    "authentication credentials\"}],\"type\":\"security_exception\",\"reason\":\"missing "
	    "authentication credentials\"},\"status\":401}");
	assert_int_equal(atoi(bench_ask(&bench, "POST", "/_bulk",
			     "Authorization: ApiKey wrong\r\n", STR(INDEX DOC))), 401);
	assert_string_equal(bench_ask(&bench, "POST", "/_bulk",
				"Authorization: ApiKey right-0123456789abcdef\r\n", STR(INDEX DOC)),
	    ONE);
	bench_close(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_answer),
	    cmocka_unit_test(what_is_kept),
	    cmocka_unit_test(single_documents),
	    cmocka_unit_test(a_bus_that_is_behind),
	    cmocka_unit_test(what_is_asked_before),
	    cmocka_unit_test(who_may_send),
	};

	return cmocka_run_group_tests_name("http_bulk", tests, NULL, NULL);
}
