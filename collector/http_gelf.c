/*
 * GELF over HTTP: POST /gelf, a document a request. 202 when it is durable; 503 when the bus
 * refused it, and it should be sent again.
 */
#include "collector/http.h"

static void answer(struct exchange *exchange, bool durable)
{
	if (!durable)
		exchange_header(exchange, "Retry-After", STR("5"));
	exchange_answer(exchange, durable ? 202 : 503, NULL, STR_NONE);
}

static void serve(struct exchange *exchange)
{
	struct str body = str_trim(exchange_body(exchange));

	if (body.len == 0) {
		exchange_answer(exchange, 400, NULL, STR_NONE);
		return;
	}
	if (exchange_is_busy(exchange)) {
		answer(exchange, false);
		return;
	}
	exchange_event(exchange, body);
	exchange_settle(exchange, answer);
}

static const struct http_route routes[] = {{"POST", "/gelf", serve}};

const struct http_api http_api_gelf = {
    .name = "gelf",
    .summary = "POST /gelf: a GELF document",
    .routes = routes,
    .route_count = sizeof(routes) / sizeof(routes[0]),
};
