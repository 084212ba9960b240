/*
 * http_head.h - the head of an HTTP/1.1 request (RFC 9112), read strictly.
 *
 * What two readers could understand in two ways is refused, since a proxy in front of us may be the
 * other one: white space before a colon, folded lines, a bare CR or NUL, Content-Length beside
 * Transfer-Encoding, two lengths, an encoding other than chunked. Views of the bytes; no memory.
 */
#ifndef TOCSIN_COLLECTOR_HTTP_HEAD_H
#define TOCSIN_COLLECTOR_HTTP_HEAD_H

#include "base/str.h"

#define HTTP_HEAD_MAX    (32u << 10) /* the whole head, in bytes */
#define HTTP_HEADERS_MAX 64u

struct http_header {
	struct str name, value; /* without white space around it */
};

struct http_head {
	struct str method, target;
	struct str path, query; /* of the target, as sent; query without '?' */
	struct http_header headers[HTTP_HEADERS_MAX];
	size_t header_count;
	bool chunked;
	uint64_t length;        /* of the body; 0 when there is none */
	bool keep_alive;        /* the sender wants the connection to go on */
	bool expects_continue;
};

enum { HTTP_HEAD_WHOLE = 0, HTTP_HEAD_MORE = 1 };

/*
 * HTTP_HEAD_WHOLE: *ret is the head, and *used its bytes with the empty line. HTTP_HEAD_MORE: it
 * has come in part. Else the status to answer before the connection is closed: 400, 405 (CONNECT),
 * 411, 413, 414, 431, 501, 505.
 */
unsigned http_head_read(struct str bytes, struct http_head *ret, size_t *used);
/* The value of the first header of that name, in any case; STR_NONE without one. */
struct str http_head_value(const struct http_head *head, struct str name);
/* The value of that name in the query, as sent; false without one. */
bool http_head_query(const struct http_head *head, struct str name, struct str *ret);
/* Takes %XX apart (and '+' when plus) into out, of text.len bytes. False: not well formed. */
bool http_unescape(struct str text, bool plus, char *out, struct str *ret);

/* A body in chunks (RFC 9112, 7.1). Begins as {0}. */
struct http_chunks {
	uint64_t left; /* of the chunk that is read */
	enum { CHUNKS_SIZE, CHUNKS_DATA, CHUNKS_END, CHUNKS_TRAILER, CHUNKS_DONE } at;
	size_t trailer; /* bytes of trailers so far */
};

enum http_chunk { HTTP_CHUNK_DATA, HTTP_CHUNK_MORE, HTTP_CHUNK_LAST, HTTP_CHUNK_BAD };

/* Takes the next piece of the body off *bytes: *ret, for HTTP_CHUNK_DATA. */
enum http_chunk http_chunks_next(struct http_chunks *chunks, struct str *bytes, struct str *ret);

#endif
