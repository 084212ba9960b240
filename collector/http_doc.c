/*
 * Elasticsearch's way of sending one document: POST /index/_doc, and PUT or POST to
 * /index/_doc/id or /index/_create/id. It is kept as one of _bulk is: as it came, and where it is
 * named behind the action that would name it there, so that the same document twice is one event.
 */
#include "collector/http_elastic.h"

#include "base/hash.h"
#include "base/json.h"
#include "base/json_cut.h"

#define NAME_MAX_BYTES 512u /* of index and id, as Elasticsearch has it for ids */

struct document {
	struct str index, id; /* id empty: it has none */
};

/* What stands between two parts of the path; false: not well formed, or too long. */
static bool part_read(struct exchange *exchange, struct str part, struct str *ret)
{
	char *room = arena_alloc(exchange_arena(exchange), part.len + 1);

	return part.len > 0 && part.len <= 3 * NAME_MAX_BYTES && room != NULL &&
	    http_unescape(part, false, room, ret) && ret->len <= NAME_MAX_BYTES;
}

/* "/index/_doc", "/index/_doc/id", "/index/_create/id". */
static bool path_read(struct exchange *exchange, struct document *ret)
{
	struct str path = exchange_head(exchange)->path, index, verb;

	path = str_slice(path, 1, path.len);
	if (!str_cut(&path, '/', &index) || !str_cut(&path, '/', &verb) ||
	    !part_read(exchange, index, &ret->index) ||
	    str_find_char(path, '/') != STR_NOT_FOUND)
		return false;
	ret->id = STR_NONE;
	return path.len == 0 ? !str_eq(verb, STR("_create"))
			     : part_read(exchange, path, &ret->id);
}

static void names_put(struct json *json, const struct document *document)
{
	json_pair(json, "_index", document->index);
	if (document->id.len > 0)
		json_pair(json, "_id", document->id);
}

/* The action and the document, as in _bulk; empty: no memory. */
static struct str named_raw(
    struct exchange *exchange, const struct document *document, struct str body)
{
	struct buf out = BUF(4 * NAME_MAX_BYTES * 6 + body.len + 64);
	struct json json = json_begin(&out);

	json_open(&json, '{');
	json_name(&json, "index");
	json_open(&json, '{');
	names_put(&json, document);
	json_close(&json, '}');
	json_close(&json, '}');
	buf_char(&out, '\n');
	buf_str_put(&out, body);
	struct str raw =
	    out.failed ? STR_NONE : arena_dup(exchange_arena(exchange), buf_str(&out));

	buf_free(&out);
	return raw;
}

static void done(struct exchange *exchange, bool durable)
{
	const struct document *document = exchange_kept(exchange);
	struct buf out = BUF(8 * NAME_MAX_BYTES * 6);
	struct json json = json_begin(&out);

	if (!durable) {
		elastic_error(exchange, 429, "es_rejected_execution_exception", "queue full");
		return;
	}
	json_open(&json, '{');
	names_put(&json, document);
	json_pair_i64(&json, "_version", 1);
	json_pair(&json, "result", STR("created"));
	json_name(&json, "_shards");
	json_open(&json, '{');
	json_pair_i64(&json, "total", 1);
	json_pair_i64(&json, "successful", 1);
	json_pair_i64(&json, "failed", 0);
	json_close(&json, '}');
	json_pair_i64(&json, "_seq_no", 0);
	json_pair_i64(&json, "_primary_term", 1);
	json_close(&json, '}');
	elastic_answer(exchange, out.failed ? 500 : 201, buf_str(&out));
	buf_free(&out);
}

/* A document without an id gets one, which nobody can ask for. */
static bool id_make(struct exchange *exchange, struct document *document, struct str body)
{
	char *text = arena_alloc(exchange_arena(exchange), HASH128_TEXT);

	if (text == NULL)
		return false;
	document->id =
	    str_slice(hash128_format(hash_sip128(hash_process_key(), body), text), 0, 20);
	return true;
}

static void refuse(struct exchange *exchange, const char *type, const char *reason)
{
	exchange_bad(exchange);
	elastic_error(exchange, 400, type, reason);
}

static void serve(struct exchange *exchange)
{
	struct document *document = arena_zalloc(exchange_arena(exchange), sizeof(*document));
	struct str rest = str_trim(exchange_body(exchange)), body, raw;

	if (document == NULL || exchange_is_busy(exchange)) {
		elastic_error(exchange, 429, "es_rejected_execution_exception", "queue full");
		return;
	}
	if (!path_read(exchange, document)) {
		refuse(exchange, "illegal_argument_exception", "no index, or no id");
		return;
	}
	if (!json_cut(&rest, &body) || rest.len > 0 || body.ptr[0] != '{') {
		refuse(exchange, "document_parsing_exception", "failed to parse");
		return;
	}
	exchange_keep(exchange, document);
	raw = document->id.len > 0 ? named_raw(exchange, document, body) : body;
	if (raw.len == 0 || (document->id.len == 0 && !id_make(exchange, document, body))) {
		elastic_error(exchange, 429, "es_rejected_execution_exception", "no memory");
		return;
	}
	if (raw.ptr != body.ptr)
		exchange_event_named(exchange, raw, STR("bulk"), document->id);
	else
		exchange_event(exchange, raw);
	exchange_settle(exchange, done);
}

static const struct http_route routes[] = {
    {"POST", "/*/_doc", serve},
    {"POST", "/*/_doc/*", serve},
    {"PUT", "/*/_doc/*", serve},
    {"POST", "/*/_create/*", serve},
    {"PUT", "/*/_create/*", serve},
};

const struct http_api http_api_doc = {
    .name = "doc",
    .summary = "Elasticsearch _doc and _create: one document a request",
    .routes = routes,
    .route_count = sizeof(routes) / sizeof(routes[0]),
    .barred = elastic_barred,
};
