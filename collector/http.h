/*
 * http.h - one HTTP request, for the interfaces that share the port of the input "http".
 *
 * An interface is a file http_<symbol>.c with one const struct http_api, and a row in
 * http_apis.def. A route is served when the whole request is there, its body inflated; it hands on
 * events, and answers: at once, or when all of them are durable. One request of a connection is
 * served at a time (pipelined ones wait), so answers are in order.
 */
#ifndef TOCSIN_COLLECTOR_HTTP_H
#define TOCSIN_COLLECTOR_HTTP_H

#include "base/arena.h"
#include "collector/http_head.h"
#include "collector/stream.h"

struct exchange;

struct http_route {
	const char *method; /* "*": any */
	const char *path;   /* one or two '*' stand for any text; the first that fits serves */
	void (*serve)(struct exchange *exchange);
};

/*
 * Who a request is from, as its Authorization says: Splunk, Bearer or ApiKey with a token, or
 * Basic, whose password is the token, or "user:password" as a whole. Asked before a route serves.
 */
enum identified {
	IDENTIFIED,      /* known, or unknown and accepted */
	IDENTITY_WANTED, /* no token, and whoever has none is refused */
	IDENTITY_WRONG,  /* a token that nobody has */
	IDENTITY_BARRED  /* known, and not by this input */
};

struct http_api {
	const char *name;
	const char *summary;
	const struct http_route *routes;
	size_t route_count;
	/* What requests of one listener share: bytes, zeroed, and how it is freed. Or 0, NULL. */
	size_t shared_bytes;
	void (*shared_end)(void *shared);
	/*
	 * Answers a request that is not served for that reason; NULL: 401 or 403 without a body.
	 * open: a path as in a route, served to whoever asks (health, no events); NULL: none.
	 */
	void (*barred)(struct exchange *exchange, enum identified why);
	const char *open;
};

const struct http_head *exchange_head(const struct exchange *exchange);
struct str exchange_body(const struct exchange *exchange); /* inflated */
struct arena *exchange_arena(struct exchange *exchange);   /* lives until the answer */
struct stream *exchange_stream(const struct exchange *exchange);
void *exchange_shared(const struct exchange *exchange);    /* of the interface */
/* What the interface wants to know when it answers; of the arena. NULL at first. */
void exchange_keep(struct exchange *exchange, void *kept);
void *exchange_kept(const struct exchange *exchange);

/* An event of this request. */
void exchange_event(struct exchange *exchange, struct str raw);
/* The same, for that decoder; cut: what is there is not all of it. */
void exchange_event_as(
    struct exchange *exchange, struct str raw, bool cut, struct str decoder);
/* ... and has that name among those of its sender: when it comes again, it is no second event. */
void exchange_event_named(
    struct exchange *exchange, struct str raw, struct str decoder, struct str name);
/* The bus is behind: what can wait had better be sent again later. */
bool exchange_is_busy(const struct exchange *exchange);
/* A message of this request was no good: counted. */
void exchange_bad(struct exchange *exchange);
/*
 * No event follows. done is called once: when all events are durable, or one was refused; at once
 * when there are none. It is not called when the connection goes first.
 */
void exchange_settle(struct exchange *exchange, void (*done)(struct exchange *, bool durable));
/* A header of the answer, before exchange_answer. */
void exchange_header(struct exchange *exchange, const char *name, struct str value);
/* The answer; the exchange is gone. Exactly once a request. */
void exchange_answer(struct exchange *exchange, unsigned status, const char *type, struct str body);

#endif
