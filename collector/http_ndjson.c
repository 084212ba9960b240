/*
 * Plain lines: POST /events, an event a line, JSON or not. 200 with the number of events when all
 * of them are durable; 503 when the bus is behind or refused one, and all should be sent again.
 */
#include "collector/http.h"

#include <stdio.h>

static void refuse(struct exchange *exchange)
{
	exchange_header(exchange, "Retry-After", STR("5"));
	exchange_answer(exchange, 503, "application/json", STR("{\"error\":\"refused\"}"));
}

static void answer(struct exchange *exchange, bool durable)
{
	struct str body = exchange_body(exchange), line;
	unsigned long events = 0;
	char text[48];

	if (!durable) {
		refuse(exchange);
		return;
	}
	while (str_cut(&body, '\n', &line))
		events += str_trim(line).len > 0;
	snprintf(text, sizeof(text), "{\"events\":%lu}", events);
	exchange_answer(exchange, 200, "application/json", str_of(text));
}

static void serve(struct exchange *exchange)
{
	struct str body = exchange_body(exchange), line;

	if (exchange_is_busy(exchange)) {
		refuse(exchange);
		return;
	}
	while (str_cut(&body, '\n', &line)) {
		if (str_ends(line, STR("\r")))
			line.len--;
		if (str_trim(line).len > 0)
			exchange_event(exchange, line);
	}
	exchange_settle(exchange, answer);
}

static const struct http_route routes[] = {{"POST", "/events", serve}};

const struct http_api http_api_ndjson = {
    .name = "ndjson",
    .summary = "POST /events: an event a line",
    .routes = routes,
    .route_count = sizeof(routes) / sizeof(routes[0]),
};
