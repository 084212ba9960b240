#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "decoder/decoder.h"

static const char CLOUD[] =
    "- has: [eventVersion, awsRegion]\n"
    "  fields: {eventSource: [s3.example.com, iam.example.com]}\n"
    "  product: aws\n"
    "  service: cloudtrail\n"
    "- fields: {_path: conn}\n"
    "  product: zeek\n"
    "  service: conn\n"
    "- fields: {_path: dns}\n"
    "  product: zeek\n"
    "  service: dns\n"
    "  category: [dns, dns_query]\n"
    "- has: _path\n"
    "  product: zeek\n"
    "- fields: {program: nginx, kind: [1, 'true', 'null']}\n"
    "  category: webserver\n"
    "  service: nginx\n"
    "- from: source\n"
    "  split: '|'\n"
    "  parts: [product, category, '-', service]\n"
    "  none: '-'\n"
    "- from: dataset\n"
    "  parts: [service]\n"
    "- fields: {host: relay07}\n"
    "  product: relay\n"
    "- fields: {Computer: PC07}\n"
    "  product: own\n"
    "- fields: {deviceProduct: Gate}\n"
    "  product: gate\n"
    "- decoder: cef\n"
    "  category: firewall\n";

struct row {
	const char *line, *source;
};

/* product/categories/service, of events as decoded beside CLOUD. */
static const struct row rows[] = {
    {"{\"eventSource\":\"iam.example.com\",\"eventVersion\":\"1\",\"awsRegion\":\"x\"}",
	"aws//cloudtrail"},
    {"{\"eventSource\":\"iam.example.com\",\"awsRegion\":\"x\"}", "//"},
    {"{\"eventSource\":\"iam.example.co\",\"eventVersion\":\"1\",\"awsRegion\":\"x\"}", "//"},
    {"{\"_path\":\"conn\"}", "zeek//conn"},
    {"{\"_path\":\"dns\"}", "zeek/dns+dns_query/dns"},
    {"{\"_path\":\"DNS\"}", "zeek//"},
    {"{\"_path\":\"\"}", "zeek//"},
    {"{\"_path\":[\"files\",\"dns\"]}", "zeek/dns+dns_query/dns"},
    /* the first row that holds, wherever its field stands */
    {"{\"dataset\":\"x\",\"source\":\"a|b|c|d\",\"_path\":\"conn\"}", "zeek//conn"},
    {"{\"program\":\"nginx\",\"kind\":1}", "/webserver/nginx"},
    {"{\"program\":\"nginx\",\"kind\":true}", "/webserver/nginx"},
    {"{\"program\":\"nginx\",\"kind\":2}", "//"},
    {"{\"program\":\"nginx\"}", "//"},
    {"{\"program\":\"nginx\",\"kind\":\"null\"}", "/webserver/nginx"},
    {"{\"program\":\"nginx\",\"kind\":null}", "//"},
    {"{\"source\":\"linux|process_creation|x|-\"}", "linux/process_creation/"},
    {"{\"source\":\"-||x|sshd|more\"}", "//sshd"},
    {"{\"source\":\"linux\"}", "linux//"},
    {"{\"source\":\"\"}", "//"},
    {"{\"source\":null}", "//"},
    {"{\"dataset\":\"a|b\"}", "//a|b"},
    {"{\"Source\":\"linux\",\"sourc\":\"a\",\"sources\":\"b\"}", "//"},
    /* in place of what the decoders found */
    {"{\"Channel\":\"Security\",\"EventID\":4688}", "windows/process_creation/security"},
    {"{\"Channel\":\"Security\",\"EventID\":4688,\"dataset\":\"own\"}", "//own"},
    {"CEF:0|Example|Wall|1|7|drop|5|src=192.0.2.1", "/firewall/"},
    {"CEF:0|Example|Gate|1|7|drop|5|src=192.0.2.1", "gate//"},
    /* fields of headers, and such as decoders add, count as well */
    {"<38>Nov 22 06:27:00 relay07 agent: {\"a\":1}", "relay//"},
    {"<38>Nov 22 06:27:00 relay07 agent: {\"a\":1,\"_path\":\"dns\"}", "zeek/dns+dns_query/dns"},
    {"<38>Nov 22 06:27:00 relay07 agent: no format at all", "relay//"},
    {"{\"winlog\":{\"channel\":\"Security\",\"event_id\":1,\"computer_name\":\"PC07\"}}", "own//"},
    {"{\"hostname\":\"relay07\"}", "relay//"},
    {"CEF:0|Example|Wall|1|7|drop|5|dvchost=relay07", "relay//"},
    {"<38>Nov 22 06:27:00 web01 sshd[811]: Accepted password for an from 192.0.2.1 port 1 ssh2",
	"linux//sshd"},
};

static const char *source_text(const struct record *record, char out[256])
{
	int len = snprintf(out, 256, "%.*s/", STR_ARG(record->product));

	for (size_t i = 0; i < record->category_count; i++)
		len += snprintf(out + len, 256 - (size_t)len, "%s%.*s", i > 0 ? "+" : "",
		    STR_ARG(record->categories[i]));
	snprintf(out + len, 256 - (size_t)len, "/%.*s", STR_ARG(record->service));
	return out;
}

static void check_rows(const struct logsources *sources, const struct row *table, size_t count)
{
	struct decoding *decoding = decoding_new(sources);
	struct arena *arena = arena_new(1u << 20);
	char text[256];

	assert_non_null(decoding);
	for (size_t i = 0; i < count; i++) {
		struct event event = {.raw = str_of(table[i].line)};
		struct record record;

		/* the second time all names are known */
		for (int times = 0; times < 2; times++) {
			arena_reset(arena);
			decoding_run(decoding, &record, &event, arena);
			source_text(&record, text);
			if (strcmp(text, table[i].source) != 0)
				fail_msg("%s: %s", table[i].line, text);
		}
	}
	arena_free(arena);
	decoding_free(decoding);
}

static const struct row clouds[] = {
    {"{\"eventVersion\":\"1.08\",\"eventSource\":\"iam.amazonaws.com\",\"eventName\":\"x\","
     "\"awsRegion\":\"ap-southeast-1\"}", "aws//cloudtrail"},
    {"{\"published\":\"2026-11-22T03:04:05Z\",\"eventType\":\"user.session.start\","
     "\"actor\":{\"alternateId\":\"an@example.com\"}}", "okta//okta"},
    {"{\"time\":\"2026-11-22T03:04:05Z\",\"category\":\"SignInLogs\",\"operationName\":\"x\"}",
	"azure//signinlogs"},
    {"{\"time\":\"2026-11-22T03:04:05Z\",\"category\":\"AuditLogs\",\"operationName\":\"x\"}",
	"azure//auditlogs"},
    {"{\"time\":\"2026-11-22T03:04:05Z\",\"category\":\"UserRiskEvents\","
     "\"operationName\":\"x\"}", "azure//riskdetection"},
    {"{\"time\":\"2026-11-22T03:04:05Z\",\"category\":\"Administrative\","
     "\"operationName\":\"x\",\"resourceId\":\"/a\"}", "azure//activitylogs"},
    {"{\"category\":\"Administrative\"}", "//"},
    {"{\"Operation\":\"x\",\"RecordType\":1,\"UserId\":\"an\",\"Workload\":\"Exchange\"}",
	"m365//exchange"},
    {"{\"Operation\":\"x\",\"RecordType\":1,\"UserId\":\"an\","
     "\"Workload\":\"SecurityComplianceCenter\"}", "m365//threat_management"},
    {"{\"Operation\":\"x\",\"RecordType\":1,\"UserId\":\"an\",\"Workload\":\"SharePoint\"}",
	"m365//audit"},
    {"{\"protoPayload\":{\"@type\":\"type.googleapis.com/google.cloud.audit.AuditLog\","
     "\"serviceName\":\"iam.googleapis.com\"}}", "gcp//gcp.audit"},
    {"{\"protoPayload\":{\"@type\":\"type.googleapis.com/google.cloud.audit.AuditLog\","
     "\"serviceName\":\"admin.googleapis.com\"}}", "gcp//google_workspace.admin"},
    {"{\"protoPayload\":{\"serviceName\":\"login.googleapis.com\"}}",
	"gcp//google_workspace.login"},
    {"{\"action\":\"org.add_member\",\"actor\":\"an\",\"_document_id\":\"x\"}",
	"github//audit"},
    {"{\"auditType\":{\"category\":\"Users\",\"action\":\"x\"}}", "bitbucket//audit"},
    {"{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"verb\":\"create\"}",
	"kubernetes/application/audit"},
    {"{\"_path\":\"dns\",\"query\":\"example.com\"}", "zeek/dns/dns"},
    {"{\"_path\":\"smb_files\"}", "zeek//smb_files"},
    {"{\"Channel\":\"Security\",\"EventID\":4688}", "windows/process_creation/security"},
};

/* The example knows what it says it knows. */
static void the_cloud_is_known(void **state)
{
	(void)state;
	struct logsources *sources = NULL;
	struct error error = {0};

	if (logsources_load(&sources, "deploy/logsources.yml", &error) < 0)
		fail_msg("%s", error.text);
	check_rows(sources, clouds, sizeof(clouds) / sizeof(clouds[0]));
	logsources_free(sources);
}

static void rows_tell_where_an_event_belongs(void **state)
{
	(void)state;
	struct logsources *sources = NULL;
	struct error error = {0};

	assert_int_equal(
	    logsources_parse(&sources, str_of(CLOUD), "sources.yml", &error), 0);
	assert_int_equal(logsources_count(sources), 11);
	check_rows(sources, rows, sizeof(rows) / sizeof(rows[0]));
	logsources_free(sources);
}

static void without_log_sources_the_decoders_decide(void **state)
{
	(void)state;
	static const struct row plain[] = {{"{\"_path\":\"conn\"}", "//"},
	    {"{\"Channel\":\"Security\",\"EventID\":4688}", "windows/process_creation/security"}};
	struct logsources *sources = NULL;
	struct error error = {0};

	check_rows(NULL, plain, 2);
	assert_int_equal(logsources_parse(&sources, STR(""), "empty.yml", &error), 0);
	assert_int_equal(logsources_count(sources), 0);
	check_rows(sources, plain, 2);
	logsources_free(sources);
}

struct mistake {
	const char *yaml;
	unsigned line, column;
	enum text_id id;
};

static const struct mistake mistakes[] = {
    {"a: b\n", 1, 1, TEXT_decoder_logsource_list},
    {"- {has: a, product: b}\n---\n- {has: a, product: b}\n", 3, 1,
	TEXT_decoder_logsource_list},
    {"- a\n", 1, 3, TEXT_decoder_logsource_row},
    {"- has: a\n  produkt: b\n", 2, 3, TEXT_decoder_logsource_key},
    {"- product: b\n", 1, 3, TEXT_decoder_logsource_when},
    {"- has: a\n", 1, 3, TEXT_decoder_logsource_what},
    {"- {from: a, product: b, parts: [product]}\n", 1, 3, TEXT_decoder_logsource_what},
    {"- {from: a}\n", 1, 3, TEXT_decoder_logsource_what},
    {"- {from: a, parts: [product, service]}\n", 1, 3, TEXT_decoder_logsource_what},
    {"- {has: a, product: b, parts: [product]}\n", 1, 3, TEXT_decoder_logsource_what},
    {"- {has: a, product: b, split: x}\n", 1, 3, TEXT_decoder_logsource_what},
    {"- has: a\n  product: [b]\n", 2, 12, TEXT_decoder_logsource_text},
    {"- has: a\n  product: ~\n", 2, 12, TEXT_decoder_logsource_text},
    {"- has: {a: b}\n", 1, 8, TEXT_decoder_logsource_text},
    {"- has: []\n", 1, 8, TEXT_decoder_logsource_text},
    {"- fields: [a]\n", 1, 11, TEXT_decoder_logsource_fields},
    {"- fields: {}\n", 1, 11, TEXT_decoder_logsource_fields},
    {"- fields: {a: {b: c}}\n", 1, 15, TEXT_decoder_logsource_text},
    {"- fields:\n    a: x\n    b: [y, ~]\n", 3, 12, TEXT_decoder_logsource_text},
    {"- has: [a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q]\n", 1, 8, TEXT_decoder_logsource_demands},
    {"- category: [a,b,c,d,e]\n", 1, 13, TEXT_decoder_logsource_categories},
    {"- split: '||'\n", 1, 10, TEXT_decoder_logsource_split},
    {"- split: ''\n", 1, 10, TEXT_decoder_logsource_split},
    {"- parts: [product, level]\n", 1, 10, TEXT_decoder_logsource_parts},
    {"- parts: ['-','-','-','-','-','-','-','-','-']\n", 1, 10,
	TEXT_decoder_logsource_parts},
};

static void mistakes_are_told_with_their_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		struct logsources *sources = NULL;
		struct error error = {0};
		int code =
		    logsources_parse(&sources, str_of(mistakes[i].yaml), "own.yml", &error);

		if (code != ERR_DOCUMENT || error.id != mistakes[i].id ||
		    error.line != mistakes[i].line || error.column != mistakes[i].column)
			fail_msg("%s: %d %u:%u %s", mistakes[i].yaml, code, error.line,
			    error.column, error.text);
		assert_string_equal(error.file, "own.yml");
		assert_null(sources);
	}
}

static void a_file_is_read_and_a_missing_one_told(void **state)
{
	(void)state;
	char path[] = "/tmp/tocsin-logsource-XXXXXX";
	int fd = mkstemp(path);
	struct logsources *sources = NULL;
	struct error error = {0};

	assert_true(fd >= 0);
	assert_int_equal(write(fd, CLOUD, sizeof(CLOUD) - 1), sizeof(CLOUD) - 1);
	close(fd);
	assert_int_equal(logsources_load(&sources, path, &error), 0);
	check_rows(sources, rows, sizeof(rows) / sizeof(rows[0]));
	logsources_free(sources);
	unlink(path);
	assert_int_equal(logsources_load(&sources, path, &error), ERR_MISSING);
}

/* Many rows, each led to by one value; an event that repeats them all comes to an end. */
static void many_rows_and_many_fields(void **state)
{
	(void)state;
	static char yaml[1 << 18], line[1 << 17];
	size_t at = 0;
	struct logsources *sources = NULL;
	struct error error = {0};
	struct row row[] = {{"{\"n\":\"v4095\"}", "p//s4095"}, {"{\"n\":\"v7\"}", "p//s7"},
	    {line, "p//s11"}};

	for (int i = 0; i < 4096; i++)
		at += (size_t)snprintf(yaml + at, sizeof(yaml) - at,
		    "- {fields: {n: v%d}, product: p, service: s%d}\n", i, i);
	assert_int_equal(logsources_parse(&sources, str_of(yaml), "many.yml", &error), 0);
	at = (size_t)snprintf(line, sizeof(line), "{\"n\":[");
	for (int i = 0; i < 1000; i++)
		at += (size_t)snprintf(line + at, sizeof(line) - at, "\"v%d\",", 1010 - i);
	snprintf(line + at, sizeof(line) - at, "\"\"]}");
	check_rows(sources, row, 3);
	logsources_free(sources);
	strcat(yaml, "- {has: x, product: y}\n");
	assert_int_equal(
	    logsources_parse(&sources, str_of(yaml), "many.yml", &error), ERR_DOCUMENT);
	assert_int_equal(error.id, TEXT_decoder_logsource_rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rows_tell_where_an_event_belongs),
	    cmocka_unit_test(the_cloud_is_known),
	    cmocka_unit_test(without_log_sources_the_decoders_decide),
	    cmocka_unit_test(mistakes_are_told_with_their_place),
	    cmocka_unit_test(a_file_is_read_and_a_missing_one_told),
	    cmocka_unit_test(many_rows_and_many_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
