#include "net/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/address.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define FOUR      "\xc0\x00\x02\x07\xc6\x33\x64\x01\x9c\xb0\x19\x72"
#define SIX       "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07" \
		  "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x9c\xb0\x19\x72"

struct row {
	struct str header;
	enum proxy_step step;
	const char *peer; /* NULL: not announced */
};

#define LINE(text) STR_INIT(text)

static const struct row rows[] = {
    {LINE("PROXY TCP4 192.0.2.7 198.51.100.1 40112 6514\r\n"), PROXY_DONE, "192.0.2.7:40112"},
    {LINE("PROXY TCP6 2001:db8::7 2001:db8::1 65535 0\r\n"), PROXY_DONE, "[2001:db8::7]:65535"},
    {LINE("PROXY UNKNOWN\r\n"), PROXY_DONE, NULL},
    {LINE("PROXY UNKNOWN ffff::1 whatever 1 2\r\n"), PROXY_DONE, NULL},
    {LINE("PROXY TCP4 192.0.2.7 198.51.100.1 40112 65536\r\n"), PROXY_BAD, NULL},
    {LINE("PROXY TCP4 192.0.2.7 198.51.100.1 040112 1\r\n"), PROXY_BAD, NULL},
    {LINE("PROXY TCP4 192.0.2.7 198.51.100.1 01 1\r\n"), PROXY_BAD, NULL},
    {LINE("PROXY TCP4 192.0.2.7 198.51.100.1 -1 1\r\n"), PROXY_BAD, NULL},
    {LINE("PROXY TCP4 192.0.2.256 198.51.100.1 1 1\r\n"), PROXY_BAD, NULL},
    {LINE("PROXY TCP4 2001:db8::7 2001:db8::1 1 1\r\n"), PROXY_BAD, NULL},
    {LINE("PROXY TCP4 192.0.2.7\0 198.51.100.1 1 1\r\n"), PROXY_BAD, NULL},
    {LINE("PROXY TCP4 192.0.2.7 198.51.100.1 1\r\n"), PROXY_BAD, NULL},
    {LINE("PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3\r\n"), PROXY_BAD, NULL},
    {LINE("PROXY TCP4  192.0.2.7 198.51.100.1 1 2\r\n"), PROXY_BAD, NULL},
    {LINE("PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n"), PROXY_BAD, NULL},
    {LINE("PROXY \r\n"), PROXY_BAD, NULL},
    {LINE("PROXY\r\n"), PROXY_BAD, NULL},
    {LINE("proxy TCP4 192.0.2.7 198.51.100.1 1 2\r\n"), PROXY_BAD, NULL},
    {LINE("<13>Nov 22 03:04:05 host app: plain"), PROXY_BAD, NULL},
    {LINE("\x16\x03\x01"), PROXY_BAD, NULL},
    {LINE(SIGNATURE "\x21\x11\x00\x0c" FOUR), PROXY_DONE, "192.0.2.7:40112"},
    {LINE(SIGNATURE "\x21\x21\x00\x24" SIX), PROXY_DONE, "[2001:db8::7]:40112"},
    {LINE(SIGNATURE "\x21\x11\x00\x10" FOUR "\x04\x00\x01\x00"), PROXY_DONE, "192.0.2.7:40112"},
    {LINE(SIGNATURE "\x20\x00\x00\x00"), PROXY_DONE, NULL},
    {LINE(SIGNATURE "\x20\x11\x00\x0c" FOUR), PROXY_DONE, NULL},
    {LINE(SIGNATURE "\x21\x00\x00\x02xx"), PROXY_DONE, NULL},
    {LINE(SIGNATURE "\x21\x11\x00\x0b" FOUR), PROXY_BAD, NULL},
    {LINE(SIGNATURE "\x21\x21\x00\x0c" FOUR), PROXY_BAD, NULL},
    {LINE(SIGNATURE "\x11\x11\x00\x0c" FOUR), PROXY_BAD, NULL},
    {LINE(SIGNATURE "\x22\x11\x00\x0c" FOUR), PROXY_BAD, NULL},
    {LINE(SIGNATURE "\x21\x41\x00\x0c" FOUR), PROXY_BAD, NULL},
    {LINE(SIGNATURE "\x21\x13\x00\x0c" FOUR), PROXY_BAD, NULL},
    {LINE(SIGNATURE "\x21\x11\xff\xff" FOUR), PROXY_BAD, NULL},
    {LINE("\r\n\r\n\0\r\nQUIX\n\x21\x11\x00\x0c" FOUR), PROXY_BAD, NULL},
};

/* In memory of its own size, so that a byte too many is seen. */
static enum proxy_step parse(struct str bytes, size_t len, struct proxy_header *header)
{
	char *copy = malloc(len + (len == 0));

	assert_non_null(copy);
	memcpy(copy, bytes.ptr, len);
	enum proxy_step step = proxy_parse(str_from(copy, len), header);

	free(copy);
	return step;
}

static void headers(void **unused)
{
	struct proxy_header header;
	char text[ADDRESS_TEXT];

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];

		if (parse(row->header, row->header.len, &header) != row->step)
			fail_msg("row %zu", i);
		if (row->step != PROXY_DONE)
			continue;
		assert_int_equal(header.length, row->header.len);
		assert_int_equal(header.announced, row->peer != NULL);
		if (row->peer != NULL) {
			address_format((struct sockaddr *)&header.peer, text);
			assert_string_equal(text, row->peer);
		}
	}
}

static void in_parts_and_with_more_behind(void **unused)
{
	struct proxy_header header;

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str whole = rows[i].header;
		char more[256];

		if (rows[i].step != PROXY_DONE)
			continue;
		for (size_t len = 0; len < whole.len; len++)
			assert_int_equal(parse(whole, len, &header), PROXY_MORE);
		memcpy(more, whole.ptr, whole.len);
		memcpy(more + whole.len, "\r\n<13>x", 7);
		assert_int_equal(
		    parse(str_from(more, whole.len + 7), whole.len + 7, &header), PROXY_DONE);
		assert_int_equal(header.length, whole.len);
	}
}

static void nobody_is_waited_for_without_end(void **unused)
{
	struct proxy_header header;
	char line[200] = "PROXY UNKNOWN ";
	char big[PROXY_MAX + 1] = SIGNATURE "\x21\x11";

	(void)unused;
	memset(line + 14, 'x', sizeof(line) - 14);
	assert_int_equal(parse(str_from(line, 106), 106, &header), PROXY_MORE);
	assert_int_equal(parse(str_from(line, 107), 107, &header), PROXY_BAD);
	/* Its end just fits, or just does not. */
	memcpy(line + 105, "\r\n", 2);
	assert_int_equal(parse(str_from(line, 107), 107, &header), PROXY_DONE);
	memcpy(line + 105, "x\r\n", 3);
	assert_int_equal(parse(str_from(line, 108), 108, &header), PROXY_BAD);
	big[14] = (char)((PROXY_MAX - 16) >> 8);
	big[15] = (char)((PROXY_MAX - 16) & 0xff);
	assert_int_equal(parse(str_from(big, PROXY_MAX), PROXY_MAX, &header), PROXY_DONE);
	big[15]++;
	assert_int_equal(parse(str_from(big, 20), 20, &header), PROXY_BAD);
}

struct network_row {
	const char *network, *peer;
	bool has;
};

static void networks(void **unused)
{
	static const struct network_row in[] = {{"192.0.2.0/24", "192.0.2.255:1", true},
	    {"192.0.2.0/24", "192.0.3.0:1", false}, {"192.0.2.8/29", "192.0.2.15:1", true},
	    {"192.0.2.8/29", "192.0.2.16:1", false}, {"192.0.2.7", "192.0.2.7:1", true},
	    {"192.0.2.7", "192.0.2.6:1", false}, {"0.0.0.0/0", "203.0.113.9:1", true},
	    {"0.0.0.0/0", "[2001:db8::1]:1", false},
	    {"2001:db8::/33", "[2001:db8:7fff::1]:1", true},
	    {"2001:db8::/33", "[2001:db8:8000::1]:1", false}};
	static const char *const wrong[] = {"", "192.0.2.0/33", "2001:db8::/129", "example.vn",
	    "192.0.2.0/", "192.0.2.0/x", "192.0.2"};
	struct network network;
	struct proxy_header header;
	char line[120];

	(void)unused;
	for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++) {
		struct str host = address_host(str_of(in[i].peer));
		bool six = in[i].peer[0] == '[';

		snprintf(line, sizeof(line), "PROXY TCP%c %.*s %s 1 2\r\n", six ? '6' : '4',
		    STR_ARG(host), six ? "::1" : "127.0.0.1");
		assert_int_equal(proxy_parse(str_of(line), &header), PROXY_DONE);
		assert_true(network_parse(str_of(in[i].network), &network));
		if (network_has(&network, (struct sockaddr *)&header.peer) != in[i].has)
			fail_msg("%s %s", in[i].network, in[i].peer);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(network_parse(str_of(wrong[i]), &network));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(headers),
	    cmocka_unit_test(in_parts_and_with_more_behind),
	    cmocka_unit_test(nobody_is_waited_for_without_end),
	    cmocka_unit_test(networks),
	};

	return cmocka_run_group_tests_name("proxy", tests, NULL, NULL);
}
