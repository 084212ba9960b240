/*
 * Splunk's HTTP Event Collector: events in envelopes, raw lines, health, acknowledgements.
 *
 * An envelope is kept as it came and opened by the decoder "hec". Lines of the raw endpoint are
 * kept alone, or, when the query says something of them, behind one line of JSON that repeats it:
 * {"host":"fw1","sourcetype":"asa"} LF line. The answer comes when all events are durable, with or
 * without an ackId. Of a body with a mistake, every event that can be told is taken, and the
 * answer names the first that was not.
 */
#include "collector/http.h"

#include "base/json.h"
#include "base/json_cut.h"
#include "collector/http_acks.h"

#define CHANNEL_MAX 128u
#define ACKS_ASKED  10000u /* ids in one question */
#define META_MAX    4096u

/* Its own code in the answer, by which clients tell what happened. */
enum hec {
	HEC_SUCCESS = 0,
	HEC_DISABLED = 1,
	HEC_TOKEN_REQUIRED = 2,
	HEC_AUTHORIZATION = 3,
	HEC_TOKEN = 4,
	HEC_NO_DATA = 5,
	HEC_FORMAT = 6,
	HEC_BUSY = 9,
	HEC_CHANNEL_MISSING = 10,
	HEC_CHANNEL_INVALID = 11,
	HEC_EVENT_REQUIRED = 12,
	HEC_EVENT_BLANK = 13,
	HEC_ACK_DISABLED = 14,
	HEC_HEALTHY = 17,
	HEC_UNHEALTHY = 18
};

static const struct hec_answer {
	enum hec code;
	unsigned status;
	const char *text;
} answers[] = {
    {HEC_SUCCESS, 200, "Success"},
    {HEC_DISABLED, 403, "Token disabled"},
    {HEC_TOKEN_REQUIRED, 401, "Token is required"},
    {HEC_AUTHORIZATION, 401, "Invalid authorization"},
    {HEC_TOKEN, 403, "Invalid token"},
    {HEC_NO_DATA, 400, "No data"},
    {HEC_FORMAT, 400, "Invalid data format"},
    {HEC_BUSY, 503, "Server is busy"},
    {HEC_CHANNEL_MISSING, 400, "Data channel is missing"},
    {HEC_CHANNEL_INVALID, 400, "Invalid data channel"},
    {HEC_EVENT_REQUIRED, 400, "Event field is required"},
    {HEC_EVENT_BLANK, 400, "Event field cannot be blank"},
    {HEC_ACK_DISABLED, 400, "Ack is disabled"},
    {HEC_HEALTHY, 200, "HEC is healthy"},
    {HEC_UNHEALTHY, 503, "HEC is unhealthy, queues are full"},
};

struct request {
	struct str channel;
	enum hec code;         /* HEC_SUCCESS, or of the first event that was no good */
	uint64_t events;       /* seen so far, good or not */
	uint64_t wrong;        /* index of the first that was no good */
};

struct hec_shared {
	struct acks *acks; /* NULL before the first channel */
};

static void shared_end(void *shared)
{
	acks_free(((struct hec_shared *)shared)->acks);
}

/* ---- answers ---- */

static const struct hec_answer *answer_of(enum hec code)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (answers[i].code == code)
			return &answers[i];
	return &answers[0];
}

/* more: further members, or empty. */
static void answer(struct exchange *exchange, enum hec code, struct str more)
{
	const struct hec_answer *a = answer_of(code);
	struct str body = arena_printf(exchange_arena(exchange),
	    "{\"text\":\"%s\",\"code\":%d%.*s}", a->text, (int)code, STR_ARG(more));

	if (a->status == 503)
		exchange_header(exchange, "Retry-After", STR("5"));
	if (a->status == 401)
		exchange_header(exchange, "WWW-Authenticate", STR("Splunk realm=\"tocsin\""));
	exchange_answer(exchange, a->status, "application/json", body);
}

static void barred(struct exchange *exchange, enum identified why)
{
	struct str offered = http_head_value(exchange_head(exchange), STR("Authorization"));

	switch (why) {
	case IDENTITY_WANTED:
		answer(exchange, offered.len == 0 ? HEC_TOKEN_REQUIRED : HEC_AUTHORIZATION,
		    STR_NONE);
		return;
	case IDENTITY_WRONG:
		answer(exchange, HEC_TOKEN, STR_NONE);
		return;
	case IDENTIFIED:
	case IDENTITY_BARRED:
		break;
	}
	answer(exchange, HEC_DISABLED, STR_NONE);
}

/* ---- channels ---- */

/* As the choices of http.hec.ack stand in base/config.def. */
enum ack { ACK_OFF, ACK_OFFERED, ACK_REQUIRED };

static enum ack ack_of(const struct exchange *exchange)
{
	const struct config *config = stream_intake(exchange_stream(exchange))->config;

	return (enum ack)config_number(config, CONFIG_HTTP_HEC_ACK);
}

static struct str channel_of(struct exchange *exchange)
{
	const struct http_head *head = exchange_head(exchange);
	struct str channel = http_head_value(head, STR("X-Splunk-Request-Channel"));

	if (channel.len == 0 && !http_head_query(head, STR("channel"), &channel))
		return STR_NONE;
	return channel;
}

static struct str owner_of(struct exchange *exchange)
{
	return http_head_value(exchange_head(exchange), STR("Authorization"));
}

static struct acks *acks_of(struct exchange *exchange)
{
	struct hec_shared *shared = exchange_shared(exchange);

	if (shared->acks == NULL)
		shared->acks = acks_new();
	return shared->acks;
}

/* ---- events ---- */

static void done(struct exchange *exchange, bool durable)
{
	const struct request *request = exchange_kept(exchange);
	struct arena *arena = exchange_arena(exchange);
	struct acks *acks = request->channel.len > 0 ? acks_of(exchange) : NULL;
	struct str more = STR_NONE;

	if (!durable) {
		answer(exchange, HEC_BUSY, STR_NONE);
		return;
	}
	if (request->code != HEC_SUCCESS && request->code != HEC_NO_DATA)
		more = arena_printf(arena, ",\"invalid-event-number\":%llu",
		    (unsigned long long)request->wrong);
	else if (request->code == HEC_SUCCESS && acks != NULL && ack_of(exchange) != ACK_OFF)
		more = arena_printf(arena, ",\"ackId\":%llu",
		    (unsigned long long)acks_give(acks, owner_of(exchange), request->channel));
	answer(exchange, request->code, more);
}

static void request_wrong(struct exchange *exchange, struct request *request, enum hec code)
{
	exchange_bad(exchange);
	if (request->code != HEC_SUCCESS)
		return;
	request->code = code;
	request->wrong = request->events;
}

/* What forbids the request before its body is looked at; HEC_SUCCESS: nothing does. */
static enum hec request_check(struct exchange *exchange, struct str channel)
{
	if (str_trim(exchange_body(exchange)).len == 0)
		return HEC_NO_DATA;
	if (channel.len == 0 && ack_of(exchange) == ACK_REQUIRED)
		return HEC_CHANNEL_MISSING;
	if (channel.len > CHANNEL_MAX)
		return HEC_CHANNEL_INVALID;
	return exchange_is_busy(exchange) ? HEC_BUSY : HEC_SUCCESS;
}

/* NULL: answered already, and the exchange is gone. */
static struct request *request_begin(struct exchange *exchange)
{
	struct str channel = channel_of(exchange);
	enum hec code = request_check(exchange, channel);
	struct request *request = arena_zalloc(exchange_arena(exchange), sizeof(*request));

	if (code == HEC_SUCCESS && request == NULL)
		code = HEC_BUSY;
	if (code != HEC_SUCCESS) {
		answer(exchange, code, STR_NONE);
		return NULL;
	}
	request->channel = channel;
	exchange_keep(exchange, request);
	return request;
}

static enum hec envelope_check(struct str value, struct str event)
{
	struct str text;

	if (value.ptr[0] != '{')
		return HEC_FORMAT;
	if (event.len == 0 || str_eq(event, STR("null")))
		return HEC_EVENT_REQUIRED;
	if (json_cut_string(event, &text) && text.len == 0)
		return HEC_EVENT_BLANK;
	return event.ptr[0] == '{' && str_trim(str_slice(event, 1, event.len - 1)).len == 0
	    ? HEC_EVENT_BLANK : HEC_SUCCESS;
}

/* event: the member of that name, which is what the envelope is about. */
static void take_envelope(struct exchange *exchange, struct request *request, struct str value,
    struct str event)
{
	enum hec code = envelope_check(value, event);

	if (code == HEC_SUCCESS)
		exchange_event_as(exchange, value, false, STR("hec"));
	else
		request_wrong(exchange, request, code);
	request->events++;
}

/* Objects one behind the other, with or without white space or commas, or in an array. */
static void serve_event(struct exchange *exchange)
{
	struct str rest = exchange_body(exchange), value, element, event;
	struct request *request = request_begin(exchange);

	if (request == NULL)
		return;
	for (;;) {
		json_cut_space(&rest);
		if (rest.len == 0)
			break;
		if (!json_cut_with(&rest, &value, STR("event"), &event)) {
			request_wrong(exchange, request, HEC_FORMAT);
			break;
		}
		if (value.ptr[0] != '[') {
			take_envelope(exchange, request, value, event);
			continue;
		}
		while (json_cut_element(&value, &element))
			take_envelope(exchange, request, element,
			    json_cut_get(element, STR("event")));
	}
	if (request->events == 0 && request->code == HEC_SUCCESS)
		request->code = HEC_NO_DATA;
	exchange_settle(exchange, done);
}

/* What the query says of all lines: {"host":"...",...}; empty when it says nothing. */
static struct str raw_meta(struct exchange *exchange)
{
	static const char *const names[] = {"time", "host", "source", "sourcetype", "index"};
	struct buf out = BUF(META_MAX);
	struct json json = json_begin(&out);
	bool any = false;

	json_open(&json, '{');
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct str text, plain;
		char *room;

		if (!http_head_query(exchange_head(exchange), str_of(names[i]), &text))
			continue;
		room = arena_alloc(exchange_arena(exchange), text.len);
		if (room == NULL || !http_unescape(text, true, room, &plain) || plain.len == 0)
			continue;
		json_pair(&json, names[i], plain);
		any = true;
	}
	json_close(&json, '}');
	buf_char(&out, '\n');
	struct str meta = any && !out.failed ? arena_dup(exchange_arena(exchange), buf_str(&out))
					     : STR_NONE;

	buf_free(&out);
	return meta;
}

/* room: of the meta, with the frame limit behind it; NULL: lines go alone. */
static void take_line(struct exchange *exchange, struct str line, struct str meta, char *room,
    size_t limit)
{
	struct str head = str_slice(line, 0, limit);

	if (room == NULL) {
		exchange_event(exchange, line);
		return;
	}
	memcpy(room + meta.len, head.ptr, head.len);
	exchange_event_as(exchange, str_from(room, meta.len + head.len), head.len < line.len,
	    STR("hec"));
}

static void serve_raw(struct exchange *exchange)
{
	size_t limit = stream_intake(exchange_stream(exchange))->options->frame_limit;
	struct str rest = exchange_body(exchange), line, meta;
	struct request *request = request_begin(exchange);
	char *room = NULL;

	if (request == NULL)
		return;
	meta = raw_meta(exchange);
	if (meta.len > 0)
		room = arena_alloc(exchange_arena(exchange), meta.len + limit);
	if (room != NULL)
		memcpy(room, meta.ptr, meta.len);
	while (str_cut(&rest, '\n', &line)) {
		if (str_ends(line, STR("\r")))
			line.len--;
		if (str_trim(line).len > 0)
			take_line(exchange, line, meta, room, limit);
	}
	exchange_settle(exchange, done);
}

/* ---- the rest ---- */

static void serve_health(struct exchange *exchange)
{
	answer(exchange, exchange_is_busy(exchange) ? HEC_UNHEALTHY : HEC_HEALTHY, STR_NONE);
}

/* The Docker driver asks so whether somebody is there. */
static void serve_options(struct exchange *exchange)
{
	exchange_header(exchange, "Allow", STR("POST, OPTIONS"));
	exchange_answer(exchange, 200, NULL, STR_NONE);
}

/* {"acks":[0,1]} into out; false: not that. */
static bool put_acks(struct exchange *exchange, struct str channel, struct buf *out)
{
	struct str body = exchange_body(exchange), object, list, element;
	struct acks *acks = acks_of(exchange);
	uint64_t id, asked = 0;

	if (acks == NULL || !json_cut(&body, &object))
		return false;
	list = json_cut_get(object, STR("acks"));
	if (list.len == 0 || list.ptr[0] != '[')
		return false;
	buf_str_put(out, STR("{\"acks\":{"));
	while (json_cut_element(&list, &element)) {
		if (!str_to_u64(element, &id) || ++asked > ACKS_ASKED)
			return false;
		buf_printf(out, "%s\"%llu\":%s", asked > 1 ? "," : "", (unsigned long long)id,
		    acks_take(acks, owner_of(exchange), channel, id) ? "true" : "false");
	}
	buf_str_put(out, STR("}}"));
	return !out->failed;
}

static void serve_ack(struct exchange *exchange)
{
	struct str channel = channel_of(exchange);
	struct buf out = BUF(1u << 20);

	if (ack_of(exchange) == ACK_OFF)
		answer(exchange, HEC_ACK_DISABLED, STR_NONE);
	else if (channel.len == 0)
		answer(exchange, HEC_CHANNEL_MISSING, STR_NONE);
	else if (channel.len > CHANNEL_MAX)
		answer(exchange, HEC_CHANNEL_INVALID, STR_NONE);
	else if (str_trim(exchange_body(exchange)).len == 0)
		answer(exchange, HEC_NO_DATA, STR_NONE);
	else if (!put_acks(exchange, channel, &out))
		answer(exchange, HEC_FORMAT, STR_NONE);
	else
		exchange_answer(exchange, 200, "application/json", buf_str(&out));
	buf_free(&out);
}

static const struct http_route routes[] = {
    {"POST", "/services/collector", serve_event},
    {"POST", "/services/collector/event", serve_event},
    {"POST", "/services/collector/event/1.0", serve_event},
    {"POST", "/services/collector/raw", serve_raw},
    {"POST", "/services/collector/raw/1.0", serve_raw},
    {"GET", "/services/collector/health", serve_health},
    {"GET", "/services/collector/health/1.0", serve_health},
    {"POST", "/services/collector/ack", serve_ack},
    {"POST", "/services/collector/ack/1.0", serve_ack},
    {"OPTIONS", "/services/collector*", serve_options},
};

const struct http_api http_api_hec = {
    .name = "hec",
    .summary = "Splunk HTTP Event Collector: /services/collector, event, raw, health, ack",
    .routes = routes,
    .route_count = sizeof(routes) / sizeof(routes[0]),
    .shared_bytes = sizeof(struct hec_shared),
    .shared_end = shared_end,
    .barred = barred,
    .open = "/services/collector/health*",
};
