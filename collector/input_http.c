/*
 * One HTTP port for everything that speaks HTTP: requests are read here, strictly and within
 * ceilings, and served by the interfaces of http_apis.def.
 */
#include "collector/http.h"

#include "base/check.h"
#include "base/clock.h"
#include "collector/inflate.h"
#include "event/base64.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES (64u << 20)

#define HTTP_API(symbol) extern const struct http_api http_api_##symbol;
#include "collector/http_apis.def"
#undef HTTP_API

static const struct http_api *const apis[] = {
#define HTTP_API(symbol) &http_api_##symbol,
#include "collector/http_apis.def"
#undef HTTP_API
};

#define APIS (sizeof(apis) / sizeof(apis[0]))

enum at { AT_HEAD, AT_BODY, AT_CHUNKS, AT_ANSWER };

struct exchange {
	struct stream *stream;
	struct http_head head;
	struct buf head_bytes;  /* what the head is a view of */
	struct buf body, inflated;
	struct http_chunks chunks;
	const struct http_route *route;
	size_t api;
	struct arena *arena;
	struct buf headers;     /* of the answer */
	struct ticket *ticket;
	bool settled;           /* the hold of the ticket's maker is let go */
	void *kept;             /* by the interface */
	void (*done)(struct exchange *exchange, bool durable);
};

struct state {
	enum at at;
	struct exchange *exchange; /* from its head to its answer */
};

struct shared {
	uint64_t bytes; /* of bodies that have come in part or are served */
	void *apis[APIS];
};

const struct http_head *exchange_head(const struct exchange *exchange)
{
	return &exchange->head;
}

struct str exchange_body(const struct exchange *exchange)
{
	return buf_str(exchange->inflated.ptr != NULL ? &exchange->inflated : &exchange->body);
}

struct arena *exchange_arena(struct exchange *exchange)
{
	return exchange->arena;
}

struct stream *exchange_stream(const struct exchange *exchange)
{
	return exchange->stream;
}

void *exchange_shared(const struct exchange *exchange)
{
	const struct shared *shared = stream_shared(exchange->stream);

	return shared->apis[exchange->api];
}

void exchange_keep(struct exchange *exchange, void *kept)
{
	exchange->kept = kept;
}

void *exchange_kept(const struct exchange *exchange)
{
	return exchange->kept;
}

static const struct config *config_of(const struct stream *stream)
{
	return stream_intake(stream)->config;
}

/* ---- the life of a request ---- */

static uint64_t exchange_bytes(const struct exchange *exchange)
{
	return exchange->body.len + exchange->inflated.len;
}

static void exchange_free(struct exchange *exchange)
{
	struct shared *shared = stream_shared(exchange->stream);
	struct state *state = stream_state(exchange->stream);

	shared->bytes -= exchange_bytes(exchange);
	state->exchange = NULL;
	state->at = AT_HEAD;
	ticket_cancel(exchange->ticket);
	if (!exchange->settled)
		ticket_release(exchange->ticket, true);
	buf_free(&exchange->head_bytes);
	buf_free(&exchange->body);
	buf_free(&exchange->inflated);
	buf_free(&exchange->headers);
	arena_free(exchange->arena);
	free(exchange);
}

static struct exchange *exchange_new(struct stream *stream)
{
	int64_t body_max = config_number(config_of(stream), CONFIG_HTTP_BODY);
	struct exchange *exchange = calloc(1, sizeof(*exchange));

	if (exchange == NULL)
		return NULL;
	exchange->stream = stream;
	exchange->head_bytes = BUF(HTTP_HEAD_MAX);
	exchange->body = BUF((size_t)body_max);
	exchange->inflated = BUF((size_t)config_number(config_of(stream), CONFIG_HTTP_INFLATED));
	exchange->headers = BUF(4096);
	exchange->arena = arena_new(ARENA_BYTES);
	if (exchange->arena == NULL) {
		free(exchange);
		return NULL;
	}
	return exchange;
}

static struct str reason_of(unsigned status)
{
	static const struct {
		unsigned status;
		struct str text;
	} reasons[] = {{200, STR_INIT("OK")}, {201, STR_INIT("Created")},
	    {202, STR_INIT("Accepted")}, {204, STR_INIT("No Content")},
	    {400, STR_INIT("Bad Request")}, {401, STR_INIT("Unauthorized")},
	    {403, STR_INIT("Forbidden")}, {404, STR_INIT("Not Found")},
	    {405, STR_INIT("Method Not Allowed")}, {411, STR_INIT("Length Required")},
	    {413, STR_INIT("Content Too Large")}, {414, STR_INIT("URI Too Long")},
	    {415, STR_INIT("Unsupported Media Type")}, {429, STR_INIT("Too Many Requests")},
	    {431, STR_INIT("Request Header Fields Too Large")},
	    {500, STR_INIT("Internal Server Error")}, {501, STR_INIT("Not Implemented")},
	    {503, STR_INIT("Service Unavailable")}, {505, STR_INIT("HTTP Version Not Supported")}};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return STR("Status");
}

static void answer_write(struct stream *stream, unsigned status, const char *type,
    struct str headers, struct str body, bool with_body, bool keep_alive)
{
	struct buf out = BUF(STREAM_OUT_MAX);
	struct str reason = reason_of(status);

	buf_printf(&out, "HTTP/1.1 %u %.*s\r\n", status, STR_ARG(reason));
	if (type != NULL)
		buf_printf(&out, "Content-Type: %s\r\n", type);
	buf_printf(&out, "Content-Length: %zu\r\n", body.len);
	buf_str_put(&out, headers);
	buf_str_put(&out, keep_alive ? STR("\r\n") : STR("Connection: close\r\n\r\n"));
	if (with_body)
		buf_str_put(&out, body);
	if (out.failed || !stream_write(stream, buf_str(&out)) || !keep_alive)
		stream_finish(stream);
	buf_free(&out);
}

void exchange_header(struct exchange *exchange, const char *name, struct str value)
{
	buf_printf(&exchange->headers, "%s: %.*s\r\n", name, STR_ARG(value));
}

void exchange_answer(struct exchange *exchange, unsigned status, const char *type, struct str body)
{
	struct stream *stream = exchange->stream;

	answer_write(stream, status, type, buf_str(&exchange->headers), body,
	    !str_eq(exchange->head.method, STR("HEAD")), exchange->head.keep_alive);
	exchange_free(exchange);
	stream_row(stream)->counts.frames++;
	stream_progress(stream);
	stream_hold(stream, false);
}

/* What cannot be read on ends the connection: where the next request begins is not known. */
static bool refuse(struct stream *stream, unsigned status)
{
	struct state *state = stream_state(stream);

	stream_row(stream)->counts.bad_frames++;
	answer_write(stream, status, NULL, STR_NONE, STR_NONE, true, false);
	if (state->exchange != NULL)
		exchange_free(state->exchange);
	return false;
}

void exchange_event_as(
    struct exchange *exchange, struct str raw, bool cut, struct str decoder)
{
	struct intake *intake = stream_intake(exchange->stream);
	size_t limit = intake->options->frame_limit;

	intake->decoder = decoder;
	stream_event(exchange->stream, str_slice(raw, 0, limit), cut || raw.len > limit,
	    exchange->ticket);
	intake->decoder = STR_NONE;
}

void exchange_event_named(
    struct exchange *exchange, struct str raw, struct str decoder, struct str name)
{
	struct intake *intake = stream_intake(exchange->stream);

	intake->name = name;
	exchange_event_as(exchange, raw, false, decoder);
	intake->name = STR_NONE;
}

void exchange_event(struct exchange *exchange, struct str raw)
{
	exchange_event_as(exchange, raw, false, STR_NONE);
}

bool exchange_is_busy(const struct exchange *exchange)
{
	return packer_is_behind(stream_intake(exchange->stream)->packer);
}

void exchange_bad(struct exchange *exchange)
{
	stream_row(exchange->stream)->counts.bad_frames++;
}

static void ticket_is_done(void *context, bool durable)
{
	struct exchange *exchange = context;

	exchange->ticket = NULL;
	exchange->done(exchange, durable);
}

void exchange_settle(struct exchange *exchange, void (*done)(struct exchange *, bool durable))
{
	exchange->done = done;
	exchange->settled = true;
	ticket_release(exchange->ticket, true);
}

/* ---- who asks ---- */

static bool path_fits(struct str path, struct str pattern)
{
	size_t star = str_find_char(pattern, '*');

	if (star == STR_NOT_FOUND)
		return str_eq(path, pattern);
	if (!str_starts(path, str_slice(pattern, 0, star)))
		return false;
	struct str rest = str_slice(path, star, path.len);
	struct str then = str_slice(pattern, star + 1, pattern.len);
	size_t again = str_find_char(then, '*');

	if (again == STR_NOT_FOUND)
		return str_ends(rest, then);
	size_t at = str_find(rest, str_slice(then, 0, again));

	return at != STR_NOT_FOUND &&
	    str_ends(str_slice(rest, at + again, rest.len), str_slice(then, again + 1, then.len));
}

/* What a scheme that carries a token is followed by; STR_NONE: none of them. */
static struct str token_of(struct str authorization)
{
	static const struct str schemes[] = {STR_INIT("Splunk "), STR_INIT("Bearer "),
	    STR_INIT("ApiKey "), STR_INIT("Basic ")};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (str_starts_fold(authorization, schemes[i]))
			return str_trim(
			    str_slice(authorization, schemes[i].len, authorization.len));
	return STR_NONE;
}

/* The credentials as they stand, decoded, or the password in them: any may be the token. */
static const struct identity_of *by_credentials(
    const struct agencies *agencies, struct arena *arena, struct str authorization)
{
	struct str token = token_of(authorization), both;
	const struct identity_of *who = agencies_by_token(agencies, token);

	if (who != NULL || str_starts_fold(authorization, STR("Splunk ")) ||
	    str_starts_fold(authorization, STR("Bearer ")) ||
	    !base64_read(arena, token, &both))
		return who;
	size_t colon = str_find_char(both, ':');

	who = agencies_by_token(agencies, both);
	return who != NULL || colon == STR_NOT_FOUND ? who
	    : agencies_by_token(agencies, str_slice(both, colon + 1, both.len));
}

static enum identified exchange_identify(struct exchange *exchange)
{
	struct stream *stream = exchange->stream;
	const struct agencies *agencies = stream_intake(stream)->agencies;
	struct str authorization = http_head_value(&exchange->head, STR("Authorization"));
	const struct identity_of *who = NULL;
	bool offered = agencies_have_tokens(agencies) && token_of(authorization).len > 0;

	if (offered) {
		who = by_credentials(agencies, exchange->arena, authorization);
		if (who == NULL) {
			stream_row(stream)->counts.barred_connections++;
			return IDENTITY_WRONG;
		}
	}
	if (stream_identify(stream, who))
		return IDENTIFIED;
	return who == NULL && !stream_row(stream)->identity->known ? IDENTITY_WANTED
								  : IDENTITY_BARRED;
}

static void bar(struct exchange *exchange, enum identified why)
{
	const struct http_api *api = apis[exchange->api];

	if (api->barred != NULL) {
		api->barred(exchange, why);
		return;
	}
	if (why == IDENTITY_WANTED)
		exchange_header(exchange, "WWW-Authenticate", STR("Basic realm=\"tocsin\""));
	exchange_answer(exchange, why == IDENTITY_BARRED ? 403 : 401, NULL, STR_NONE);
}

/* ---- reading ---- */

/* 0, or the status to answer. */
static unsigned route_find(struct exchange *exchange)
{
	unsigned status = 404;

	for (size_t a = 0; a < APIS; a++) {
		for (size_t i = 0; i < apis[a]->route_count; i++) {
			const struct http_route *route = &apis[a]->routes[i];

			if (!path_fits(exchange->head.path, str_of(route->path)))
				continue;
			status = 405;
			if (strcmp(route->method, "*") != 0 &&
			    !str_eq(exchange->head.method, str_of(route->method)))
				continue;
			exchange->route = route;
			exchange->api = a;
			return 0;
		}
	}
	return status;
}

static unsigned body_inflate(struct exchange *exchange)
{
	struct shared *shared = stream_shared(exchange->stream);
	struct str encoding = http_head_value(&exchange->head, STR("Content-Encoding"));

	if (encoding.len == 0 || str_eq_fold(encoding, STR("identity")))
		return 0;
	if (!str_eq_fold(encoding, STR("gzip")) && !str_eq_fold(encoding, STR("x-gzip")) &&
	    !str_eq_fold(encoding, STR("deflate")))
		return 415;
	enum inflated result = inflate_all(&exchange->inflated, buf_str(&exchange->body));

	shared->bytes += exchange->inflated.len;
	switch (result) {
	case INFLATE_DONE:
		return 0;
	case INFLATE_BAD:
		return 400;
	case INFLATE_LARGE:
		return 413;
	case INFLATE_MEMORY:
		break;
	}
	return 503;
}

/* The whole request is there. */
static bool serve(struct stream *stream)
{
	struct state *state = stream_state(stream);
	struct exchange *exchange = state->exchange;
	unsigned status = body_inflate(exchange);

	if (status == 0)
		status = route_find(exchange);
	state->at = AT_ANSWER;
	stream_hold(stream, true);
	if (status == 404 || status == 405) {
		exchange_answer(exchange, status, NULL, STR_NONE);
		return true;
	}
	if (status == 0)
		exchange->ticket = ticket_new(ticket_is_done, exchange);
	if (status == 0 && exchange->ticket == NULL)
		status = 503;
	if (status != 0)
		return refuse(stream, status);
	enum identified identified = exchange_identify(exchange);
	const char *open = apis[exchange->api]->open;

	if (identified != IDENTIFIED &&
	    (open == NULL || !path_fits(exchange->head.path, str_of(open)))) {
		bar(exchange, identified);
		return true;
	}
	/* Held meanwhile, so that done is never called from inside the route. */
	struct ticket *ticket = exchange->ticket;

	ticket_hold(ticket);
	exchange->route->serve(exchange);
	ticket_release(ticket, true);
	return true;
}

static bool body_add(struct exchange *exchange, struct str bytes)
{
	struct shared *shared = stream_shared(exchange->stream);
	uint64_t all_max =
	    (uint64_t)config_number(config_of(exchange->stream), CONFIG_HTTP_MEMORY);

	if (shared->bytes + bytes.len > all_max)
		return false;
	buf_str_put(&exchange->body, bytes);
	if (exchange->body.failed)
		return false;
	shared->bytes += bytes.len;
	return true;
}

/* The head with its views in memory of its own. */
static unsigned head_keep(struct exchange *exchange, struct str bytes)
{
	size_t used;

	buf_str_put(&exchange->head_bytes, bytes);
	return exchange->head_bytes.failed ? 503
	    : http_head_read(buf_str(&exchange->head_bytes), &exchange->head, &used);
}

static bool take_head(struct stream *stream, struct str *bytes, bool *more)
{
	struct state *state = stream_state(stream);
	struct http_head head;
	size_t used;
	unsigned status = http_head_read(*bytes, &head, &used);

	*more = status != HTTP_HEAD_MORE;
	if (status == HTTP_HEAD_MORE)
		return true;
	if (status != HTTP_HEAD_WHOLE)
		return refuse(stream, status);
	state->exchange = exchange_new(stream);
	if (state->exchange == NULL)
		return refuse(stream, 503);
	status = head_keep(state->exchange, str_slice(*bytes, 0, used));
	*bytes = str_slice(*bytes, used, bytes->len);
	if (status == HTTP_HEAD_WHOLE &&
	    head.length > (uint64_t)config_number(config_of(stream), CONFIG_HTTP_BODY))
		status = 413;
	if (status != HTTP_HEAD_WHOLE)
		return refuse(stream, status);
	state->at = head.chunked ? AT_CHUNKS : AT_BODY;
	if (head.expects_continue && (head.chunked || head.length > 0) && bytes->len == 0)
		stream_write(stream, STR("HTTP/1.1 100 Continue\r\n\r\n"));
	return true;
}

static bool take_body(struct stream *stream, struct str *bytes, bool *more)
{
	struct state *state = stream_state(stream);
	struct exchange *exchange = state->exchange;
	struct str part = str_slice(*bytes, 0, exchange->head.length - exchange->body.len);

	*bytes = str_slice(*bytes, part.len, bytes->len);
	if (!body_add(exchange, part))
		return refuse(stream, 503);
	*more = exchange->body.len == exchange->head.length;
	return !*more || serve(stream);
}

static bool take_chunks(struct stream *stream, struct str *bytes, bool *more)
{
	struct state *state = stream_state(stream);
	struct exchange *exchange = state->exchange;
	size_t body_max = (size_t)config_number(config_of(stream), CONFIG_HTTP_BODY);
	struct str piece;

	for (;;) {
		switch (http_chunks_next(&exchange->chunks, bytes, &piece)) {
		case HTTP_CHUNK_DATA:
			if (exchange->body.len + piece.len > body_max)
				return refuse(stream, 413);
			if (!body_add(exchange, piece))
				return refuse(stream, 503);
			break;
		case HTTP_CHUNK_MORE:
			*more = false;
			return true;
		case HTTP_CHUNK_LAST:
			return serve(stream);
		case HTTP_CHUNK_BAD:
			return refuse(stream, 400);
		}
	}
}

static bool http_take(struct stream *stream, struct str *bytes, bool end)
{
	struct state *state = stream_state(stream);
	bool more = true, goes_on = true;

	(void)end; /* a request that is not whole is none */
	while (goes_on && more && state->at != AT_ANSWER) {
		switch (state->at) {
		case AT_HEAD:
			goes_on = take_head(stream, bytes, &more);
			break;
		case AT_BODY:
			goes_on = take_body(stream, bytes, &more);
			break;
		case AT_CHUNKS:
			goes_on = take_chunks(stream, bytes, &more);
			break;
		case AT_ANSWER:
			break;
		}
	}
	return goes_on;
}

static bool http_owes(const struct stream *stream)
{
	return ((const struct state *)stream_state_of(stream))->at == AT_ANSWER;
}

static void http_end(struct stream *stream)
{
	struct state *state = stream_state(stream);

	if (state->exchange != NULL)
		exchange_free(state->exchange);
}

static bool http_begin(struct stream *stream)
{
	struct shared *shared = stream_shared(stream);

	for (size_t i = 0; i < APIS; i++) {
		if (shared->apis[i] != NULL || apis[i]->shared_bytes == 0)
			continue;
		shared->apis[i] = calloc(1, apis[i]->shared_bytes);
		if (shared->apis[i] == NULL)
			return false;
	}
	return true;
}

static void http_shared_end(void *context)
{
	struct shared *shared = context;

	for (size_t i = 0; i < APIS; i++) {
		if (shared->apis[i] != NULL && apis[i]->shared_end != NULL)
			apis[i]->shared_end(shared->apis[i]);
		free(shared->apis[i]);
	}
}

static const struct stream_kind kind = {
    .name = "http",
    .transport = TRANSPORT_HTTP,
    .state_bytes = sizeof(struct state),
    .shared_bytes = sizeof(struct shared),
    .partial_max = INTAKE_SCRATCH / 2,
    .patience_ns = 60 * NS_PER_S,
    .identifies = true,
    .reads_on = true,
    .begin = http_begin,
    .take = http_take,
    .owes = http_owes,
    .end = http_end,
    .shared_end = http_shared_end,
};

static int http_open(
    struct input **ret, struct intake *intake, const char *address, struct error *error)
{
	return streams_open(ret, &kind, intake, address, error);
}

const struct input_kind input_http = {
    .name = "http",
    .summary = "HTTP/1.1: the interfaces of http_apis.def on one port",
    .listen = CONFIG_HTTP_LISTEN,
    .open = http_open,
    .close = streams_close,
    .pause = streams_pause,
    .finish = streams_finish,
    .tick = streams_tick,
    .port = streams_port,
};
