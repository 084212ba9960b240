/*
 * Elasticsearch's _bulk: lines of actions and documents, with an answer for each.
 *
 * A document is kept as it came. Where its action names it ("_id"), the line of the action is kept
 * before it, for the decoder "bulk"; by that name an index or create that comes again, byte by byte
 * the same, is told from a second event (messages.h). A body that is no _bulk is
 * refused whole, as Elasticsearch does, before anything of it is taken. A delete finds nothing
 * (404): events stay.
 */
#include "collector/http_elastic.h"

#include "base/json_cut.h"

#define ITEMS_MAX (128u << 10)

static const struct {
	struct str name;
	bool document;   /* a line of it follows */
	bool names;      /* it again changes nothing: twice is once */
	unsigned status; /* when it is durable */
} verbs[] = {
    {STR_INIT("index"), true, true, 201},
    {STR_INIT("create"), true, true, 201},
    {STR_INIT("update"), true, false, 200},
    {STR_INIT("delete"), false, false, 404},
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

struct item {
	struct str raw;  /* of the event; empty: none */
	struct str name; /* its _id: raw begins with the action; or empty */
	uint8_t verb;
	bool bad;       /* 400 */
};

struct bulk {
	struct item *items;
	size_t count, capacity;
	struct str rest; /* of the body */
	struct str action; /* the last that names nothing, and its verb: mostly all are alike */
	size_t verb;
	bool took, errors;                /* shown in the answer */
	uint8_t shown_status, shown_error; /* ... for these verbs: a bit each */
};

/* ---- reading ---- */

static bool next_line(struct str *rest, struct str *line)
{
	while (str_cut(rest, '\n', line)) {
		*line = str_trim(*line);
		if (line->len > 0)
			return true;
	}
	return false;
}

/* {"create":{"_index":"x","_id":"1"}}: its verb, or VERBS; *name: its _id, as JSON, or empty. */
static size_t read_action(struct str line, struct str *name)
{
	struct str object, inside, key, value, none;

	if (!json_cut(&line, &object) || line.len > 0)
		return VERBS;
	inside = object;
	if (!json_cut_member(&inside, &key, &value) || value.ptr[0] != '{' ||
	    json_cut_member(&inside, &none, &none))
		return VERBS;
	*name = json_cut_get(value, STR("_id"));
	for (size_t i = 0; i < VERBS; i++)
		if (str_eq(key, verbs[i].name))
			return i;
	return VERBS;
}

static struct item *item_add(struct exchange *exchange, struct bulk *bulk)
{
	if (bulk->count == bulk->capacity) {
		size_t capacity = bulk->capacity == 0 ? 256 : bulk->capacity * 2;
		struct item *grown =
		    arena_array(exchange_arena(exchange), capacity, sizeof(*grown));

		if (grown == NULL)
			return NULL;
		if (bulk->count > 0)
			memcpy(grown, bulk->items, bulk->count * sizeof(*grown));
		bulk->items = grown;
		bulk->capacity = capacity;
	}
	return &bulk->items[bulk->count++];
}

static size_t next_action(struct bulk *bulk, struct str line, struct str *name)
{
	if (bulk->action.len > 0 && str_eq(line, bulk->action))
		return bulk->verb;
	size_t verb = read_action(line, name);

	if (verb < VERBS && name->len == 0) {
		bulk->action = line;
		bulk->verb = verb;
	}
	return verb;
}

/* 0: one more item; 1: the end; else the status to answer. */
static unsigned read_item(struct exchange *exchange, struct bulk *bulk)
{
	struct str action, document = STR_NONE, name = STR_NONE;

	if (!next_line(&bulk->rest, &action))
		return 1;
	size_t verb = next_action(bulk, action, &name);

	if (verb == VERBS || (verbs[verb].document && !next_line(&bulk->rest, &document)))
		return 400;
	struct item *item = bulk->count == ITEMS_MAX ? NULL : item_add(exchange, bulk);

	if (item == NULL)
		return 413;
	*item = (struct item){.raw = document, .verb = (uint8_t)verb};
	if (!verbs[verb].document)
		return 0;
	item->bad = document.ptr[0] != '{' || document.ptr[document.len - 1] != '}';
	if (name.len == 0 || item->bad)
		return 0;
	item->raw = str_from(action.ptr, (size_t)(document.ptr - action.ptr) + document.len);
	item->name = name;
	return 0;
}

/* ---- what is to be shown ---- */

/* The part of path before the first '.', which is dropped too. */
static struct str path_step(struct str *path)
{
	struct str step = STR_NONE;

	str_cut(path, '.', &step);
	return step;
}

static bool is_wild(struct str step)
{
	return step.len == 0 || str_eq(step, STR("*")) || str_eq(step, STR("**"));
}

static void show_path(struct bulk *bulk, struct str path)
{
	struct str root = path_step(&path), verb = path_step(&path), leaf = path_step(&path);
	bool all = str_eq(root, STR("*")) || str_eq(root, STR("**"));
	uint8_t bits = 0;

	bulk->took |= all || str_eq(root, STR("took"));
	bulk->errors |= all || str_eq(root, STR("errors"));
	if (!all && !str_eq(root, STR("items")))
		return;
	for (size_t i = 0; i < VERBS; i++)
		if (is_wild(verb) || str_eq(verb, verbs[i].name))
			bits |= (uint8_t)(1u << i);
	if (is_wild(leaf) || str_eq(leaf, STR("status")))
		bulk->shown_status |= bits;
	if (is_wild(leaf) || str_eq(leaf, STR("error")))
		bulk->shown_error |= bits;
}

static void show(struct exchange *exchange, struct bulk *bulk)
{
	struct str query, paths, path;
	char *room;

	if (http_head_query(exchange_head(exchange), STR("filter_path"), &query) &&
	    (room = arena_alloc(exchange_arena(exchange), query.len)) != NULL &&
	    http_unescape(query, true, room, &paths) && paths.len > 0 &&
	    str_find_char(paths, '-') == STR_NOT_FOUND) {
		while (str_cut(&paths, ',', &path))
			show_path(bulk, str_trim(path));
		return;
	}
	show_path(bulk, STR("**"));
}

/* ---- the answer ---- */

#define REJECTED                                                                                   \
	",\"error\":{\"type\":\"es_rejected_execution_exception\",\"reason\":\"queue full\"}"
#define UNPARSED                                                                                   \
	",\"error\":{\"type\":\"document_parsing_exception\",\"reason\":\"failed to parse\"}"

static void put_item(struct buf *out, const struct bulk *bulk, const struct item *item,
    unsigned status, bool *first)
{
	uint8_t bit = (uint8_t)(1u << item->verb);
	bool with_status = (bulk->shown_status & bit) != 0;
	struct str error = (bulk->shown_error & bit) == 0 ? STR_NONE
	    : status == 429 ? STR(REJECTED) : status == 400 ? STR(UNPARSED) : STR_NONE;

	if (!with_status && error.len == 0)
		return;
	/* By hand, for there are as many of them as events. */
	buf_str_put(out, *first ? STR("{\"") : STR(",{\""));
	buf_str_put(out, verbs[item->verb].name);
	buf_str_put(out, STR("\":{"));
	*first = false;
	if (with_status) {
		buf_str_put(out, STR("\"status\":"));
		buf_char(out, (char)('0' + status / 100));
		buf_char(out, (char)('0' + status / 10 % 10));
		buf_char(out, (char)('0' + status % 10));
	} else {
		error = str_slice(error, 1, error.len);
	}
	buf_str_put(out, error);
	buf_str_put(out, STR("}}"));
}

/* Fluent Bit looks for "errors":false,"items":[ in this order and without blanks. */
static void put_answer(struct buf *out, const struct bulk *bulk, bool durable)
{
	bool first = true, errors = !durable;

	for (size_t i = 0; i < bulk->count; i++)
		errors = errors || bulk->items[i].bad;
	buf_str_put(out, bulk->took ? STR("{\"took\":1,") : STR("{"));
	if (bulk->errors)
		buf_str_put(out, errors ? STR("\"errors\":true,") : STR("\"errors\":false,"));
	buf_str_put(out, STR("\"items\":["));
	for (size_t i = 0; i < bulk->count; i++) {
		const struct item *item = &bulk->items[i];
		unsigned status = item->bad ? 400
		    : durable || item->raw.len == 0 ? verbs[item->verb].status : 429;

		put_item(out, bulk, item, status, &first);
	}
	buf_str_put(out, STR("]}"));
}

static void busy(struct exchange *exchange)
{
	elastic_error(exchange, 429, "es_rejected_execution_exception", "queue full");
}

static void done(struct exchange *exchange, bool durable)
{
	struct buf out = BUF(STREAM_OUT_MAX - 4096);

	put_answer(&out, exchange_kept(exchange), durable);
	/* Too long to be told item by item: all of it again. */
	if (out.failed)
		busy(exchange);
	else
		elastic_answer(exchange, 200, buf_str(&out));
	buf_free(&out);
}

static void refuse(struct exchange *exchange, unsigned status)
{
	exchange_bad(exchange);
	if (status == 413)
		elastic_error(exchange, 413, "circuit_breaking_exception", "too many actions");
	else
		elastic_error(exchange, 400, "illegal_argument_exception",
		    "Malformed action/metadata line, expected an action and its document");
}

static void item_give(struct exchange *exchange, const struct item *item)
{
	struct str decoder = item->name.len > 0 ? STR("bulk") : STR_NONE;

	if (verbs[item->verb].names)
		exchange_event_named(exchange, item->raw, decoder, item->name);
	else
		exchange_event_as(exchange, item->raw, false, decoder);
}

static void serve(struct exchange *exchange)
{
	struct bulk *bulk = arena_zalloc(exchange_arena(exchange), sizeof(*bulk));
	unsigned status = 0;

	if (bulk == NULL || exchange_is_busy(exchange)) {
		busy(exchange);
		return;
	}
	bulk->rest = exchange_body(exchange);
	while (status == 0)
		status = read_item(exchange, bulk);
	if (status != 1 || bulk->count == 0) {
		refuse(exchange, status == 1 ? 400 : status);
		return;
	}
	show(exchange, bulk);
	exchange_keep(exchange, bulk);
	for (size_t i = 0; i < bulk->count; i++) {
		const struct item *item = &bulk->items[i];

		if (item->bad)
			exchange_bad(exchange);
		else if (item->raw.len > 0)
			item_give(exchange, item);
	}
	exchange_settle(exchange, done);
}

static const struct http_route routes[] = {
    {"POST", "/_bulk", serve},
    {"PUT", "/_bulk", serve},
    {"POST", "/*/_bulk", serve},
    {"PUT", "/*/_bulk", serve},
};

const struct http_api http_api_bulk = {
    .name = "bulk",
    .summary = "Elasticsearch _bulk: actions and documents, a status for each",
    .routes = routes,
    .route_count = sizeof(routes) / sizeof(routes[0]),
    .barred = elastic_barred,
};
