/*
 * Heads of HTTP requests: what is taken, and a table of what would smuggle a second request past a
 * proxy, each in every piece that it can come in.
 */
#include "collector/http_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

struct row {
	const char *text;
	unsigned status;
};

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST /x HTTP/1.1\r\nHost: a\r\n"

static const struct row rows[] = {
    {GET "\r\n", 0},
    {"\r\n" GET "\r\n", 0},
    {"GET / HTTP/1.0\r\n\r\n", 0},
    {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 0},
    {"POST http://b.example/x?y HTTP/1.1\r\nHost: a\r\n\r\n", 0},
    {POST "Content-Length: 5\r\n\r\n", 0},
    {POST "Transfer-Encoding: chunked\r\n\r\n", 0},
    {POST "transfer-encoding:Chunked \r\n\r\n", 0},
    {POST "X-Empty:\r\n\r\n", 0},
    /* two readers, two lengths */
    {POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", 400},
    {POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400},
    {POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400},
    {POST "Content-Length: 5, 5\r\n\r\n", 400},
    {POST "Content-Length: +5\r\n\r\n", 400},
    {POST "Content-Length: -1\r\n\r\n", 400},
    {POST "Content-Length: 0x5\r\n\r\n", 400},
    {POST "Content-Length: 5 5\r\n\r\n", 400},
    {POST "Content-Length: 99999999999999999999\r\n\r\n", 400},
    {POST "Content-Length:\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunked, identity\r\n\r\n", 501},
    {POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
    {POST "Transfer-Encoding: xchunked\r\n\r\n", 501},
    {POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", 400},
    /* names and lines that some would take */
    {POST "Content-Length : 5\r\n\r\n", 400},
    {POST "Transfer-Encoding : chunked\r\n\r\n", 400},
    {POST "Transfer-Encoding\t: chunked\r\n\r\n", 400},
    {POST " Content-Length: 5\r\n\r\n", 400},
    {POST "X: a\r\n folded: b\r\n\r\n", 400},
    {POST "X: a\r\n\tb\r\n\r\n", 400},
    {POST "X: a\rContent-Length: 5\r\n\r\n", 400},
    {POST "X: a\nContent-Length: 5\r\n\r\n", 400},
    {POST "X: a\x01\r\n\r\n", 400},
    {POST "X\x80: a\r\n\r\n", 400},
    {POST ": a\r\n\r\n", 400},
    {POST "no colon\r\n\r\n", 400},
    {POST "Host: b\r\n\r\n", 400},
    /* request lines */
    {"GET /\r\n\r\n", 400},
    {"GET  / HTTP/1.1\r\n\r\n", 400},
    {"GET / x HTTP/1.1\r\n\r\n", 400},
    {"GET\t/ HTTP/1.1\r\n\r\n", 400},
    {"G(T / HTTP/1.1\r\n\r\n", 400},
    {"GET x HTTP/1.1\r\n\r\n", 400},
    {"GET / HTTP/2.0\r\n\r\n", 505},
    {"GET / http/1.1\r\n\r\n", 400},
    {"GET / HTTP/1.1 \r\n\r\n", 400},
    {"CONNECT a:443 HTTP/1.1\r\n\r\n", 405},
    {"GET / HTTP/1.1\n\n", 400},
    {"\x16\x03\x01\x02\r\n\r\n", 400},
};

/* Every beginning of it is "more", or already what the whole is. */
static void whole_and_in_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str text = str_of(rows[i].text);
		struct http_head head;
		size_t used = 0;
		unsigned status = http_head_read(text, &head, &used);

		if (status != rows[i].status)
			fail_msg("%u, not %u: %s", status, rows[i].status, rows[i].text);
		if (status == HTTP_HEAD_WHOLE)
			assert_int_equal(used, text.len);
		for (size_t n = 0; n < text.len; n++) {
			char *piece = malloc(n + 1);

			assert_non_null(piece);
			memcpy(piece, text.ptr, n);
			status = http_head_read(str_from(piece, n), &head, &used);
			assert_true(
			    status == HTTP_HEAD_MORE || (status >= 400 && rows[i].status >= 400));
			free(piece);
		}
	}
}

static void what_a_head_says(void **state)
{
	struct str text = STR("PUT /a/b%20c?channel=x%2Fy&empty&n=1 HTTP/1.1\r\nHost: a.example\r\n"
	    "authorization:  Splunk  abc \r\nConnection: Keep-Alive, Close\r\nContent-Length: 12\r\n"
	    "Expect: 100-Continue\r\n\r\nbody");
	struct http_head head;
	struct str value;
	char out[64];
	size_t used;

	(void)state;
	assert_int_equal(http_head_read(text, &head, &used), HTTP_HEAD_WHOLE);
	assert_int_equal(used, text.len - 4);
	assert_true(str_eq(head.method, STR("PUT")) && str_eq(head.path, STR("/a/b%20c")));
	assert_true(str_eq(http_head_value(&head, STR("Authorization")), STR("Splunk  abc")));
	assert_null(http_head_value(&head, STR("X")).ptr);
	assert_true(head.length == 12 && !head.chunked && head.expects_continue);
	assert_false(head.keep_alive);
	assert_true(http_head_query(&head, STR("channel"), &value));
	assert_true(http_unescape(value, true, out, &value) && str_eq(value, STR("x/y")));
	assert_true(http_head_query(&head, STR("empty"), &value) && value.len == 0);
	assert_false(http_head_query(&head, STR("chan"), &value));
	assert_false(http_unescape(STR("%4"), true, out, &value));
	assert_false(http_unescape(STR("%zz"), true, out, &value));
	assert_true(http_unescape(STR("a+b"), false, out, &value) && str_eq(value, STR("a+b")));
}

static void ceilings(void **state)
{
	static char text[HTTP_HEAD_MAX * 2];
	struct http_head head;
	size_t used, n = 0;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, "GET /", 5);
	assert_int_equal(
	    http_head_read(str_from(text, HTTP_HEAD_MAX), &head, &used), HTTP_HEAD_MORE);
	assert_int_equal(http_head_read(str_from(text, HTTP_HEAD_MAX + 1), &head, &used), 431);
	memcpy(text + 10000, " HTTP/1.1\r\n", 11);
	assert_int_equal(http_head_read(str_from(text, 10011), &head, &used), 414);
	n = (size_t)(stpcpy(text, GET) - text);
	for (unsigned i = 0; i < HTTP_HEADERS_MAX; i++)
		n = (size_t)(stpcpy(text + n, "a: b\r\n") - text);
	n = (size_t)(stpcpy(text + n, "\r\n") - text);
	assert_int_equal(http_head_read(str_from(text, n), &head, &used), 431);
}

static const struct {
	const char *text, *body; /* NULL: bad */
} chunked[] = {
    {"0\r\n\r\n", ""},
    {"3\r\nabc\r\n0\r\n\r\n", "abc"},
    {"3;name=value\r\nabc\r\n0A\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n", "abc0123456789"},
    {"3\r\na\nb\r\n0\r\n\r\n", "a\nb"},
    {"3\nabc\r\n0\r\n\r\n", NULL},
    {"3\r\nabcd\r\n0\r\n\r\n", NULL},
    {"-1\r\n\r\n", NULL},
    {"0x3\r\nabc\r\n", NULL},
    {"\r\n", NULL},
    {"fffffffff\r\n", NULL},
    {"3 3\r\nabc\r\n", NULL},
    {"3\r\nabc\r\n0\r\nX: y\rZ\r\n\r\n", NULL},
};

/* In pieces of that many bytes. */
static enum http_chunk chunks_read(struct str text, size_t step, char *out, size_t *len)
{
	struct http_chunks chunks = {0};
	struct str rest = {text.ptr, 0}, piece;
	enum http_chunk result = HTTP_CHUNK_MORE;

	*len = 0;
	for (;;) {
		result = http_chunks_next(&chunks, &rest, &piece);
		if (result == HTTP_CHUNK_DATA) {
			memcpy(out + *len, piece.ptr, piece.len);
			*len += piece.len;
		} else if (result == HTTP_CHUNK_MORE) {
			size_t there = (size_t)(rest.ptr - text.ptr) + rest.len;

			if (there == text.len)
				return result;
			rest.len += text.len - there < step ? text.len - there : step;
		} else {
			return result;
		}
	}
}

static void chunks_in_every_piece(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(chunked) / sizeof(chunked[0]); i++) {
		struct str text = str_of(chunked[i].text);

		for (size_t step = 1; step <= text.len; step++) {
			char out[64];
			size_t len;
			enum http_chunk result = chunks_read(text, step, out, &len);

			if (chunked[i].body == NULL) {
				assert_int_equal(result, HTTP_CHUNK_BAD);
				continue;
			}
			assert_int_equal(result, HTTP_CHUNK_LAST);
			assert_true(str_eq(str_from(out, len), str_of(chunked[i].body)));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whole_and_in_pieces),
	    cmocka_unit_test(what_a_head_says),
	    cmocka_unit_test(ceilings),
	    cmocka_unit_test(chunks_in_every_piece),
	};

	return cmocka_run_group_tests_name("http_head", tests, NULL, NULL);
}
