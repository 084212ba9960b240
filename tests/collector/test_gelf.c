/* GELF by datagrams, chunked and packed, over a connection, and over HTTP. */
#include "tests/collector/peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "base/clock.h"
#include "collector/gelf.h"

#define DOCUMENT "{\"version\":\"1.1\",\"host\":\"web1\",\"short_message\":\"x\"}"

static struct buf chunk(const char *id, unsigned at, unsigned count, struct str part)
{
	struct buf out = BUF(1u << 17);

	buf_str_put(&out, STR("\x1e\x0f"));
	buf_str_put(&out, str_from(id, 8));
	buf_u8(&out, (uint8_t)at);
	buf_u8(&out, (uint8_t)count);
	buf_str_put(&out, part);
	return out;
}

static void say_chunk(
    struct peer *peer, const char *id, unsigned at, unsigned count, struct str part)
{
	struct buf out = chunk(id, at, count, part);

	peer_say(peer, buf_str(&out));
	buf_free(&out);
}

/* window: 15 for zlib, 31 for gzip. */
static struct buf packed(struct str text, int window)
{
	struct buf out = BUF(1u << 20);
	z_stream z = {.next_in = (unsigned char *)(uintptr_t)text.ptr,
	    .avail_in = (unsigned)text.len};

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.avail_out = (unsigned)deflateBound(&z, text.len);
	size_t room = z.avail_out;

	z.next_out = (unsigned char *)buf_extend(&out, room);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out.len = room - z.avail_out;
	deflateEnd(&z);
	return out;
}

static void datagrams_plain_and_packed(void **state)
{
	static const int windows[] = {15, 31};
	struct peer peer;

	(void)state;
	peer_open(&peer, "gelf-udp", NULL, true);
	peer_say(&peer, STR(DOCUMENT));
	peer_say(&peer, STR(DOCUMENT "\n\0"));
	for (size_t i = 0; i < 2; i++) {
		struct buf out = packed(STR(DOCUMENT), windows[i]);

		peer_say(&peer, buf_str(&out));
		buf_free(&out);
	}
	peer_step(&peer);
	assert_int_equal(peer_events(&peer), 4);
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(peer.rig.seen[i].raw, DOCUMENT);
	peer_close(&peer);
}

static void chunks_in_any_order(void **state)
{
	struct buf out = packed(STR(DOCUMENT), 31);
	struct str text = buf_str(&out);
	struct peer peer;

	(void)state;
	peer_open(&peer, "gelf-udp", NULL, true);
	say_chunk(&peer, "12345678", 2, 3, str_slice(text, 20, text.len));
	say_chunk(&peer, "12345679", 0, 2, STR("{\"a\":"));
	say_chunk(&peer, "12345678", 0, 3, str_slice(text, 0, 10));
	say_chunk(&peer, "12345678", 0, 3, STR("not this"));
	peer_step(&peer);
	assert_int_equal(peer_events(&peer), 0);
	say_chunk(&peer, "12345678", 1, 3, str_slice(text, 10, 20));
	say_chunk(&peer, "12345679", 1, 2, STR("1}"));
	say_chunk(&peer, "one-only", 0, 1, STR("{}"));
	peer_step(&peer);
	assert_int_equal(peer_events(&peer), 3);
	assert_non_null(rig_find(&peer.rig, DOCUMENT));
	assert_non_null(rig_find(&peer.rig, "{\"a\":1}"));
	assert_int_equal(peer_total(&peer).bad_frames, 0);
	buf_free(&out);
	peer_close(&peer);
}

static void what_stays_in_part_is_counted(void **state)
{
	struct peer peer;

	(void)state;
	peer_open(&peer, "gelf-udp", NULL, true);
	say_chunk(&peer, "12345678", 0, 2, STR("{"));
	peer_step(&peer);
	peer_now_ns += 4 * NS_PER_S;
	peer_step(&peer);
	assert_int_equal(peer_total(&peer).bad_frames, 0);
	peer_now_ns += 2 * NS_PER_S;
	peer_step(&peer);
	assert_int_equal(peer_total(&peer).bad_frames, 1);
	say_chunk(&peer, "12345678", 1, 2, STR("}"));
	peer_step(&peer);
	assert_int_equal(peer_events(&peer), 0);
	peer_close(&peer);
}

static const struct {
	const char *name;
	struct str said;
} refused[] = {
    {"half a head", STR_INIT("\x1e\x0f" "12345678\0")},
    {"of none", STR_INIT("\x1e\x0f" "12345678\0\0x")},
    {"behind the last", STR_INIT("\x1e\x0f" "12345678\2\2x")},
    {"too many", STR_INIT("\x1e\x0f" "12345678\0\201x")},
    {"packed rubbish", STR_INIT("\x1f\x8b" "rubbish")},
    {"zlib cut short", STR_INIT("\x78\x9c\x01")},
    {"blank", STR_INIT(" \n")},
};

static void what_is_refused_is_counted(void **state)
{
	struct peer peer;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		peer_open(&peer, "gelf-udp", NULL, true);
		peer_say(&peer, refused[i].said);
		peer_step(&peer);
		if (peer_total(&peer).bad_frames != 1 || peer_events(&peer) != 0)
			fail_msg("%s", refused[i].name);
		peer_close(&peer);
	}
}

static void a_bomb_is_refused(void **state)
{
	static const char *const settings[] = {"gelf.inflated", "64K", NULL};
	static char zeros[200000];
	struct buf out = packed(str_from(zeros, sizeof(zeros)), 31);
	struct peer peer;

	(void)state;
	peer_open(&peer, "gelf-udp", settings, true);
	peer_say(&peer, buf_str(&out));
	peer_step(&peer);
	assert_int_equal(peer_total(&peer).bad_frames, 1);
	assert_int_equal(peer_events(&peer), 0);
	buf_free(&out);
	peer_close(&peer);
}

/* By the table alone: a flood of messages that never are whole costs what was said, and no more. */
static void a_flood_is_bounded(void **state)
{
	struct gelf_chunks *chunks = gelf_chunks_new(100000);
	struct ledger_row row = {0};
	static char part[1000];
	struct buf out = BUF(1u << 20);
	struct str whole;
	size_t bytes;

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		char id[9];

		snprintf(id, sizeof(id), "%08u", i);
		struct buf said = chunk(id, 0, 2, str_from(part, i < 5000 ? sizeof(part) : 1));

		assert_int_equal(gelf_chunks_take(chunks, &row, STR("192.0.2.7"), buf_str(&said),
				     RIG_TIME + i, &out, &whole), GELF_PART);
		buf_free(&said);
		assert_true(gelf_chunks_count(chunks, &bytes) <= GELF_MESSAGES_MAX);
		assert_true(bytes <= 100000);
		if (i == 4999)
			assert_int_equal(gelf_chunks_count(chunks, &bytes), 100);
	}
	assert_int_equal(gelf_chunks_count(chunks, &bytes), GELF_MESSAGES_MAX);
	assert_int_equal(row.counts.bad_frames, 10000 - GELF_MESSAGES_MAX);
	/* The oldest went: the newest is whole with its other half. */
	struct buf said = chunk("00009999", 1, 2, STR("y"));

	/* Another sender's chunk of the same id is another message. */
	assert_int_equal(gelf_chunks_take(chunks, &row, STR("192.0.2.8"), buf_str(&said),
			     RIG_TIME + 10000, &out, &whole), GELF_PART);
	assert_int_equal(gelf_chunks_take(chunks, &row, STR("192.0.2.7"), buf_str(&said),
			     RIG_TIME + 10000, &out, &whole), GELF_WHOLE);
	assert_int_equal(whole.len, 2);
	gelf_chunks_tick(chunks, RIG_TIME + GELF_LIFE_NS + 20000);
	assert_int_equal(gelf_chunks_count(chunks, &bytes), 0);
	assert_int_equal(bytes, 0);
	buf_free(&said);
	buf_free(&out);
	gelf_chunks_free(chunks);
}

static void documents_over_a_connection(void **state)
{
	static char text[5000];
	struct peer peer;

	(void)state;
	peer_open(&peer, "gelf-tcp", NULL, false);
	peer_say(&peer, STR("{\"a\":\n1}\0\0\n{\"b\":2}\0{\"c\""));
	peer_step(&peer);
	assert_int_equal(peer_events(&peer), 2);
	assert_non_null(rig_find(&peer.rig, "{\"a\":\n1}"));
	assert_int_equal(rig_find(&peer.rig, "{\"b\":2}")->transport, TRANSPORT_GELF);
	peer_say(&peer, STR(":3}\0"));
	memset(text, 'x', sizeof(text));
	peer_say(&peer, str_from(text, sizeof(text)));
	peer_step(&peer);
	peer_say(&peer, str_from(text, sizeof(text)));
	peer_say(&peer, STR("\0{\"d\":4}\0{\"e\":5}"));
	shutdown(peer.client, SHUT_WR);
	assert_string_equal(peer_hear(&peer).ptr, "(closed)");
	assert_int_equal(peer_events(&peer), 6);
	assert_non_null(rig_find(&peer.rig, "{\"c\":3}"));
	assert_non_null(rig_find(&peer.rig, "{\"d\":4}"));
	assert_non_null(rig_find(&peer.rig, "{\"e\":5}"));
	assert_int_equal(peer_total(&peer).truncated, 1);
	peer_close(&peer);
}

#define HEAD "POST /gelf HTTP/1.1\r\nHost: a\r\nContent-Length: "
/* As gelf-pro sends: each over a connection of its own, which is gone before we come to look. */
static void many_short_connections(void **state)
{
	struct peer peer;

	(void)state;
	peer_open(&peer, "gelf-tcp", NULL, false);
	for (int i = 0; i < 40; i++) {
		peer_say(&peer, STR("{\"short_message\":\"a\"}"));
		close(peer.client);
		peer_dial(&peer);
	}
	peer_hear(&peer);
	assert_int_equal(peer_total(&peer).refused_connections, 0);
	assert_int_equal(peer_events(&peer), 40);
	peer_close(&peer);
}

static void documents_over_http(void **state)
{
	struct peer peer;

	(void)state;
	peer_open(&peer, "http", NULL, false);
	peer_busy(&peer, true);
	peer_say(&peer, STR(HEAD "8\r\n\r\n{\"a\":\n1}"));
	assert_int_equal(peer_hear(&peer).len, 0);
	peer_busy(&peer, false);
	assert_true(str_starts(peer_hear(&peer), STR("HTTP/1.1 202 Accepted\r\n")));
	assert_int_equal(peer_events(&peer), 1);
	assert_non_null(rig_find(&peer.rig, "{\"a\":\n1}"));
	peer_say(&peer, STR(HEAD "1\r\n\r\n "));
	assert_true(str_starts(peer_hear(&peer), STR("HTTP/1.1 400 ")));
	peer_close(&peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(datagrams_plain_and_packed),
	    cmocka_unit_test(chunks_in_any_order),
	    cmocka_unit_test(what_stays_in_part_is_counted),
	    cmocka_unit_test(what_is_refused_is_counted),
	    cmocka_unit_test(a_bomb_is_refused),
	    cmocka_unit_test(a_flood_is_bounded),
	    cmocka_unit_test(documents_over_a_connection),
	    cmocka_unit_test(many_short_connections),
	    cmocka_unit_test(documents_over_http),
	};

	return cmocka_run_group_tests_name("gelf", tests, NULL, NULL);
}
