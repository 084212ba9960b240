/*
 * OTLP/HTTP: OpenTelemetry's logs, in JSON or protobuf; the answer is of the same type.
 *
 * What is common to many records of a request is carried into each, so that an event needs no
 * other: {"logRecord":{...},"scope":{...},"scopeSchemaUrl":"...","resource":{...},
 * "resourceSchemaUrl":"..."}, for the decoder "otlp". In JSON every part is as it came; protobuf is
 * written as the JSON that OTLP has for it. Where an event would pass the frame limit, or a request
 * all that it may grow to, the common parts are left out and the event is flagged as cut.
 */
#include "collector/http.h"

#include "base/json_cut.h"
#include "base/utf8.h"
#include "collector/otlp_proto.h"

/* Of google.rpc.Code. */
enum rpc { RPC_INVALID = 3, RPC_DENIED = 7, RPC_UNAVAILABLE = 14, RPC_UNAUTHENTICATED = 16 };

struct otlp {
	struct exchange *exchange;
	bool json;
	struct str resource, scope;   /* with their schema urls; ",\"resource\":{...}" */
	bool resource_cut, scope_cut; /* too long to be carried: left out */
	struct buf resource_text, scope_text, event;
	uint64_t budget;              /* for what is carried along */
	uint64_t rejected;            /* records that are none */
};

/* What is wanted when it is answered. */
struct outcome {
	bool json, bad;
	uint64_t rejected;
};

/* ---- answers ---- */

static const char *type_of(bool json)
{
	return json ? "application/json" : "application/x-protobuf";
}

/* google.rpc.Status {1: code, 2: message} */
static void answer_status(
    struct exchange *exchange, bool json, unsigned status, enum rpc code, struct str message)
{
	struct buf out = BUF(4096);

	if (status == 503)
		exchange_header(exchange, "Retry-After", STR("5"));
	if (status == 401)
		exchange_header(exchange, "WWW-Authenticate", STR("Bearer realm=\"tocsin\""));
	if (json) {
		buf_printf(&out, "{\"code\":%d,\"message\":\"%.*s\"}", (int)code, STR_ARG(message));
	} else {
		buf_u8(&out, 0x08);
		buf_varint(&out, (uint64_t)code);
		buf_u8(&out, 0x12);
		buf_varint(&out, message.len);
		buf_str_put(&out, message);
	}
	exchange_answer(exchange, status, type_of(json), buf_str(&out));
	buf_free(&out);
}

#define REJECTED "not a log record"

/* ExportLogsServiceResponse {1: partial_success {1: rejected_log_records, 2: error_message}} */
static void answer_partial(struct exchange *exchange, const struct outcome *outcome)
{
	struct buf out = BUF(4096), part = BUF(4096);

	if (outcome->json) {
		buf_printf(&out,
		    "{\"partialSuccess\":{\"rejectedLogRecords\":\"%llu\","
		    "\"errorMessage\":\"%s\"}}",
		    (unsigned long long)outcome->rejected, REJECTED);
	} else {
		buf_u8(&part, 0x08);
		buf_varint(&part, outcome->rejected);
		buf_u8(&part, 0x12);
		buf_varint(&part, sizeof(REJECTED) - 1);
		buf_str_put(&part, STR(REJECTED));
		buf_u8(&out, 0x0a);
		buf_varint(&out, part.len);
		buf_str_put(&out, buf_str(&part));
	}
	exchange_answer(exchange, 200, type_of(outcome->json), buf_str(&out));
	buf_free(&part);
	buf_free(&out);
}

static void done(struct exchange *exchange, bool durable)
{
	const struct outcome *outcome = exchange_kept(exchange);

	if (!durable)
		answer_status(exchange, outcome->json, 503, RPC_UNAVAILABLE, STR("queue full"));
	else if (outcome->bad)
		answer_status(
		    exchange, outcome->json, 400, RPC_INVALID, STR("no ExportLogsServiceRequest"));
	else if (outcome->rejected > 0)
		answer_partial(exchange, outcome);
	else
		exchange_answer(exchange, 200, type_of(outcome->json),
		    outcome->json ? STR("{}") : STR_NONE);
}

/* ---- events ---- */

/* A common part behind the record, if there is room. False: left out. */
static bool carry(struct otlp *otlp, struct str part, size_t limit)
{
	if (part.len == 0)
		return true;
	if (otlp->event.len + part.len + 1 > limit || part.len > otlp->budget)
		return false;
	otlp->budget -= part.len;
	buf_str_put(&otlp->event, part);
	return true;
}

/* otlp->event holds {"logRecord":{...} */
static void record_end(struct otlp *otlp)
{
	size_t limit = stream_intake(exchange_stream(otlp->exchange))->options->frame_limit;
	bool scope = carry(otlp, otlp->scope, limit);
	bool resource = carry(otlp, otlp->resource, limit);

	buf_char(&otlp->event, '}');
	exchange_event_as(otlp->exchange, buf_str(&otlp->event),
	    !scope || !resource || otlp->scope_cut || otlp->resource_cut || otlp->event.failed,
	    STR("otlp"));
}

static void reject(struct otlp *otlp)
{
	otlp->rejected++;
	exchange_bad(otlp->exchange);
}

static void record_begin(struct otlp *otlp)
{
	buf_clear(&otlp->event);
	buf_str_put(&otlp->event, STR("{\"logRecord\":"));
}

/* ,"resource":value,"resourceSchemaUrl":url into out; *cut: there is no room for it. */
static struct str common(
    struct buf *out, const char *name, struct str value, struct str url, bool *cut)
{
	buf_clear(out);
	if (value.len > 0) {
		buf_printf(out, ",\"%s\":", name);
		buf_str_put(out, value);
	}
	if (url.len > 2) {
		buf_printf(out, ",\"%sSchemaUrl\":", name);
		buf_str_put(out, url);
	}
	*cut = out->failed;
	return out->failed ? STR_NONE : buf_str(out);
}

/* ---- JSON ---- */

/* Every reader of protobuf's JSON takes both names. */
static struct str get(struct str object, struct str name, struct str proto_name)
{
	struct str value = json_cut_get(object, name);

	return value.len > 0 ? value : json_cut_get(object, proto_name);
}

static bool is_object(struct str value)
{
	return value.len > 0 && value.ptr[0] == '{';
}

static void json_scope(struct otlp *otlp, struct str scope_logs)
{
	struct str records = get(scope_logs, STR("logRecords"), STR("log_records")), record;

	otlp->scope = common(&otlp->scope_text, "scope", json_cut_get(scope_logs, STR("scope")),
	    get(scope_logs, STR("schemaUrl"), STR("schema_url")), &otlp->scope_cut);
	while (json_cut_element(&records, &record)) {
		if (!is_object(record)) {
			reject(otlp);
			continue;
		}
		record_begin(otlp);
		buf_str_put(&otlp->event, record);
		record_end(otlp);
	}
}

static void json_resource(struct otlp *otlp, struct str resource_logs)
{
	struct str scopes = get(resource_logs, STR("scopeLogs"), STR("scope_logs")), scope;

	otlp->resource = common(&otlp->resource_text, "resource",
	    json_cut_get(resource_logs, STR("resource")),
	    get(resource_logs, STR("schemaUrl"), STR("schema_url")), &otlp->resource_cut);
	while (json_cut_element(&scopes, &scope))
		json_scope(otlp, scope);
}

static bool read_json(struct otlp *otlp, struct str body)
{
	struct str request, all, resource;

	if (!json_cut(&body, &request) || !is_object(request))
		return false;
	json_cut_space(&body);
	if (body.len > 0)
		return false;
	all = get(request, STR("resourceLogs"), STR("resource_logs"));
	if (all.len > 0 && all.ptr[0] != '[')
		return false;
	while (json_cut_element(&all, &resource))
		json_resource(otlp, resource);
	return true;
}

/* ---- protobuf ---- */

/* Field 1 as message and field 3 as url, the last of each. False: not well formed. */
static bool proto_common(struct buf *out, const char *name, enum otlp_message message,
    struct str bytes, struct str *ret, bool *cut)
{
	struct proto_field field;
	struct str value = STR_NONE, url = STR_NONE;
	enum proto next;

	while ((next = proto_next(&bytes, &field)) == PROTO_FIELD) {
		if (field.wire == 2 && field.number == 1)
			value = field.bytes;
		else if (field.wire == 2 && field.number == 3)
			url = field.bytes;
	}
	buf_clear(out);
	buf_printf(out, ",\"%s\":", name);
	bool good = next == PROTO_END && otlp_proto_json(out, message, value);

	if (url.len > 0) {
		buf_printf(out, ",\"%sSchemaUrl\":\"", name);
		utf8_json(out, url);
		buf_char(out, '"');
	}
	*cut = out->failed;
	*ret = out->failed ? STR_NONE : buf_str(out);
	return good || out->failed;
}

static bool proto_scope(struct otlp *otlp, struct str bytes)
{
	struct proto_field field;

	if (!proto_common(&otlp->scope_text, "scope", OTLP_SCOPE, bytes, &otlp->scope,
		&otlp->scope_cut))
		return false;
	while (proto_next(&bytes, &field) == PROTO_FIELD) {
		if (field.number != 2 || field.wire != 2)
			continue;
		record_begin(otlp);
		if (otlp_proto_json(&otlp->event, OTLP_RECORD, field.bytes) ||
		    otlp->event.failed)
			record_end(otlp);
		else
			reject(otlp);
	}
	return true;
}

static bool proto_resource(struct otlp *otlp, struct str bytes)
{
	struct proto_field field;

	if (!proto_common(&otlp->resource_text, "resource", OTLP_RESOURCE, bytes, &otlp->resource,
		&otlp->resource_cut))
		return false;
	while (proto_next(&bytes, &field) == PROTO_FIELD)
		if (field.number == 2 && field.wire == 2 && !proto_scope(otlp, field.bytes))
			return false;
	return true;
}

static bool read_proto(struct otlp *otlp, struct str body)
{
	struct proto_field field;
	struct str rest = body;
	enum proto next;

	while ((next = proto_next(&rest, &field)) == PROTO_FIELD)
		continue;
	if (next == PROTO_BAD)
		return false;
	while (proto_next(&body, &field) == PROTO_FIELD)
		if (field.number == 1 && field.wire == 2 && !proto_resource(otlp, field.bytes))
			return false;
	return true;
}

/* ---- the request ---- */

/* "application/json; charset=utf-8" */
static bool type_is(const struct exchange *exchange, struct str type)
{
	struct str value = http_head_value(exchange_head(exchange), STR("Content-Type")), first;

	return str_cut(&value, ';', &first) && str_eq_fold(str_trim(first), type);
}

static bool is_proto(const struct exchange *exchange)
{
	return type_is(exchange, STR("application/x-protobuf"));
}

static bool read_all(struct otlp *otlp)
{
	struct str body = exchange_body(otlp->exchange);
	bool good = otlp->json ? read_json(otlp, body) : read_proto(otlp, body);

	if (!good)
		exchange_bad(otlp->exchange);
	return good;
}

static void serve(struct exchange *exchange)
{
	const struct intake *intake = stream_intake(exchange_stream(exchange));
	size_t most = (size_t)config_number(intake->config, CONFIG_HTTP_INFLATED);
	struct outcome *outcome = arena_zalloc(exchange_arena(exchange), sizeof(*outcome));
	struct otlp otlp = {.exchange = exchange, .json = !is_proto(exchange), .budget = most,
	    .resource_text = BUF(intake->options->frame_limit),
	    .scope_text = BUF(intake->options->frame_limit), .event = BUF(most)};

	if (otlp.json && !type_is(exchange, STR("application/json"))) {
		answer_status(exchange, true, 415, RPC_INVALID,
		    STR("Content-Type is application/json or application/x-protobuf"));
		return;
	}
	if (outcome == NULL || exchange_is_busy(exchange)) {
		answer_status(exchange, otlp.json, 503, RPC_UNAVAILABLE, STR("queue full"));
		return;
	}
	exchange_keep(exchange, outcome);
	bool good = read_all(&otlp);

	*outcome =
	    (struct outcome){.json = otlp.json, .bad = !good, .rejected = otlp.rejected};
	buf_free(&otlp.resource_text);
	buf_free(&otlp.scope_text);
	buf_free(&otlp.event);
	exchange_settle(exchange, done);
}

static void barred(struct exchange *exchange, enum identified why)
{
	if (why == IDENTITY_BARRED)
		answer_status(exchange, !is_proto(exchange), 403, RPC_DENIED, STR("not allowed"));
	else
		answer_status(exchange, !is_proto(exchange), 401, RPC_UNAUTHENTICATED,
		    why == IDENTITY_WANTED ? STR("token is required") : STR("invalid token"));
}

static const struct http_route routes[] = {{"POST", "/v1/logs", serve}};

const struct http_api http_api_otlp = {
    .name = "otlp",
    .summary = "OTLP/HTTP: POST /v1/logs in JSON or protobuf",
    .routes = routes,
    .route_count = sizeof(routes) / sizeof(routes[0]),
    .barred = barred,
};
