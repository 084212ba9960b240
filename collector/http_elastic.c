/*
 * What clients of Elasticsearch ask before they send anything: who is there, its licence, whether
 * templates, policies and pipelines exist (they do) or may be made (they may). Nothing of it has an
 * effect; events come by _bulk.
 */
#include "collector/http_elastic.h"

#include "base/json.h"

static void product(struct exchange *exchange)
{
	exchange_header(exchange, "X-Elastic-Product", STR("Elasticsearch"));
}

void elastic_answer(struct exchange *exchange, unsigned status, struct str body)
{
	product(exchange);
	exchange_answer(exchange, status, "application/json", body);
}

void elastic_error(
    struct exchange *exchange, unsigned status, const char *type, const char *reason)
{
	if (status == 429)
		exchange_header(exchange, "Retry-After", STR("5"));
	elastic_answer(exchange, status,
	    arena_printf(exchange_arena(exchange),
		"{\"error\":{\"root_cause\":[{\"type\":\"%s\",\"reason\":\"%s\"}],\"type\":\"%s\","
		"\"reason\":\"%s\"},\"status\":%u}",
		type, reason, type, reason, status));
}

void elastic_barred(struct exchange *exchange, enum identified why)
{
	if (why == IDENTITY_BARRED) {
		elastic_error(exchange, 403, "security_exception", "action is not allowed");
		return;
	}
	exchange_header(
	    exchange, "WWW-Authenticate", STR("Basic realm=\"tocsin\", charset=\"UTF-8\""));
	elastic_error(exchange, 401, "security_exception",
	    why == IDENTITY_WANTED ? "missing authentication credentials"
				   : "unable to authenticate");
}

static void serve_root(struct exchange *exchange)
{
	const struct config *config = stream_intake(exchange_stream(exchange))->config;
	struct buf out = BUF(4096);
	struct json json = json_begin(&out);

	json_open(&json, '{');
	json_pair(&json, "name", STR("tocsin"));
	json_pair(&json, "cluster_name", STR("tocsin"));
	json_pair(&json, "cluster_uuid", STR("tocsinCollectorCluster"));
	json_name(&json, "version");
	json_open(&json, '{');
	json_pair(&json, "number", config_text(config, CONFIG_HTTP_ELASTIC_VERSION));
	json_pair(&json, "build_flavor", STR("default"));
	json_pair(&json, "build_type", STR("deb"));
	json_pair(&json, "lucene_version", STR("9.12.0"));
	json_pair(&json, "minimum_wire_compatibility_version", STR("7.17.0"));
	json_pair(&json, "minimum_index_compatibility_version", STR("7.0.0"));
	json_close(&json, '}');
	json_pair(&json, "tagline", STR("You Know, for Search"));
	json_close(&json, '}');
	elastic_answer(exchange, out.failed ? 500 : 200, buf_str(&out));
	buf_free(&out);
}

#define LICENSE                                                                                    \
	"{\"status\":\"active\",\"uid\":\"tocsin\",\"type\":\"basic\",\"mode\":\"basic\","         \
	"\"expiry_date_in_millis\":4000000000000}"

static void serve_license(struct exchange *exchange)
{
	elastic_answer(exchange, 200, STR("{\"license\":" LICENSE "}"));
}

static void serve_xpack(struct exchange *exchange)
{
	elastic_answer(exchange, 200, STR("{\"license\":" LICENSE ",\"features\":{}}"));
}

static void serve_health(struct exchange *exchange)
{
	elastic_answer(exchange, 200,
	    STR("{\"cluster_name\":\"tocsin\",\"status\":\"green\",\"timed_out\":false,"
		"\"number_of_nodes\":1,\"number_of_data_nodes\":1,\"active_shards\":0,"
		"\"unassigned_shards\":0}"));
}

static void serve_cat(struct exchange *exchange)
{
	product(exchange);
	exchange_answer(exchange, 200, "text/plain; charset=UTF-8",
	    str_starts(exchange_head(exchange)->path, STR("/_cat/health"))
		? STR("0 00:00:00 tocsin green 1 1 0 0 0 0 0 0 - 100.0%\n") : STR_NONE);
}

static void serve_nodes(struct exchange *exchange)
{
	elastic_answer(exchange, 200,
	    STR("{\"_nodes\":{\"total\":1,\"successful\":1,\"failed\":0},"
		"\"cluster_name\":\"tocsin\",\"nodes\":{}}"));
}

/* Whatever is asked for exists, whatever is to be made or removed is. */
static void serve_thing(struct exchange *exchange)
{
	struct str method = exchange_head(exchange)->method;
	bool asks = str_eq(method, STR("GET")) || str_eq(method, STR("HEAD"));

	elastic_answer(exchange, 200, asks ? STR("{}") : STR("{\"acknowledged\":true}"));
}

static void serve_unknown(struct exchange *exchange)
{
	elastic_error(exchange, 404, "resource_not_found_exception", "not served here");
}

static const struct http_route routes[] = {
    {"GET", "/", serve_root},
    {"HEAD", "/", serve_root},
    {"GET", "/_license*", serve_license},
    {"GET", "/_xpack*", serve_xpack},
    {"GET", "/_cluster/health*", serve_health},
    {"GET", "/_cat/*", serve_cat},
    {"GET", "/_nodes*", serve_nodes},
    {"*", "/_ilm/*", serve_thing},
    {"*", "/_index_template/*", serve_thing},
    {"*", "/_component_template/*", serve_thing},
    {"*", "/_template/*", serve_thing},
    {"*", "/_data_stream/*", serve_thing},
    {"*", "/_ingest/pipeline*", serve_thing},
    {"*", "/_alias*", serve_thing},
    {"*", "/_security/*", serve_thing},
    {"*", "/_cluster/*", serve_thing},
    {"*", "/_*", serve_unknown},
};

const struct http_api http_api_elastic = {
    .name = "elastic",
    .summary = "what clients of Elasticsearch ask before they send: /, _license, _ilm, templates",
    .routes = routes,
    .route_count = sizeof(routes) / sizeof(routes[0]),
    .barred = elastic_barred,
};
