/* Lumberjack from a socket's other end: what is acknowledged, when, and what is refused. */
#include "tests/collector/peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/clock.h"
#include "collector/lumberjack.h"

static void put_be(struct buf *out, uint32_t number)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_u8(out, (uint8_t)(number >> shift));
}

static void put_window(struct buf *out, uint32_t count)
{
	buf_str_put(out, STR("2W"));
	put_be(out, count);
}

static void put_event(struct buf *out, uint32_t sequence, struct str document)
{
	buf_str_put(out, STR("2J"));
	put_be(out, sequence);
	put_be(out, (uint32_t)document.len);
	buf_str_put(out, document);
}

static void put_packed(struct buf *out, struct str frames)
{
	uLongf len = compressBound(frames.len);
	unsigned char *packed = malloc(len);

	assert_non_null(packed);
	assert_int_equal(
	    compress2(packed, &len, (const unsigned char *)frames.ptr, frames.len, 9), Z_OK);
	buf_str_put(out, STR("2C"));
	put_be(out, (uint32_t)len);
	buf_put(out, packed, len);
	free(packed);
}

/* Sequences that are acknowledged, divided by blanks, "closed" at the end. */
static const char *acks(struct peer *peer)
{
	static char text[4096];
	struct str heard = peer_hear(peer);
	size_t len = 0;

	text[0] = '\0';
	for (; heard.len >= 6 && heard.ptr[0] == '2'; heard = str_slice(heard, 6, heard.len)) {
		assert_int_equal(heard.ptr[1], 'A');
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u", len > 0 ? " " : "",
		    (unsigned)((uint8_t)heard.ptr[2] << 24 | (uint8_t)heard.ptr[3] << 16 |
			(uint8_t)heard.ptr[4] << 8 | (uint8_t)heard.ptr[5]));
	}
	snprintf(text + len, sizeof(text) - len, "%s", heard.len > 0 ? " closed" : "");
	return text;
}

static void say_and_forget(struct peer *peer, struct buf *said)
{
	assert_false(said->failed);
	peer_say(peer, buf_str(said));
	buf_clear(said);
}

static void windows_are_acknowledged_when_durable(void **state)
{
	struct buf said = BUF(1u << 20), packed = BUF(1u << 20);
	struct peer peer;

	(void)state;
	peer_open(&peer, "lumberjack", NULL, false);
	put_window(&said, 2);
	put_event(&said, 1, STR("{\"message\":\"one\"}"));
	say_and_forget(&peer, &said);
	assert_string_equal(acks(&peer), "1");
	peer_busy(&peer, true);
	put_event(&said, 2, STR("{\"message\":\"two\"}"));
	put_window(&said, 3);
	put_event(&packed, 1, STR("{\"n\":1}"));
	put_event(&packed, 2, STR("{\"n\":2}"));
	put_event(&packed, 3, STR("{\"n\":3}"));
	put_packed(&said, buf_str(&packed));
	say_and_forget(&peer, &said);
	assert_string_equal(acks(&peer), "");
	peer_busy(&peer, false);
	assert_string_equal(acks(&peer), "2 3");
	assert_int_equal(peer_events(&peer), 5);
	assert_int_equal(rig_find(&peer.rig, "{\"n\":3}")->transport, TRANSPORT_LUMBERJACK);
	assert_non_null(rig_find(&peer.rig, "{\"message\":\"two\"}"));
	buf_free(&said);
	buf_free(&packed);
	peer_close(&peer);
}

static void who_waits_is_told_again(void **state)
{
	struct buf said = BUF(1u << 20);
	struct peer peer;

	(void)state;
	peer_open(&peer, "lumberjack", NULL, false);
	put_window(&said, 2);
	put_event(&said, 1, STR("{}"));
	say_and_forget(&peer, &said);
	assert_string_equal(acks(&peer), "1");
	peer_busy(&peer, true);
	put_event(&said, 2, STR("{}"));
	put_window(&said, 1);
	put_event(&said, 1, STR("{}"));
	say_and_forget(&peer, &said);
	assert_string_equal(acks(&peer), "");
	peer_now_ns += 4 * NS_PER_S;
	assert_string_equal(acks(&peer), "");
	peer_now_ns += 2 * NS_PER_S;
	assert_string_equal(acks(&peer), "1");
	peer_now_ns += 5 * NS_PER_S;
	assert_string_equal(acks(&peer), "1");
	peer_busy(&peer, false);
	assert_string_equal(acks(&peer), "2 1");
	/* Nothing is owed: nothing is told. */
	peer_now_ns += 20 * NS_PER_S;
	assert_string_equal(acks(&peer), "");
	/* Of a new window, nothing is acknowledged yet. */
	peer_busy(&peer, true);
	put_window(&said, 1);
	put_event(&said, 1, STR("{}"));
	say_and_forget(&peer, &said);
	assert_string_equal(acks(&peer), "");
	peer_now_ns += 6 * NS_PER_S;
	assert_string_equal(acks(&peer), "0");
	buf_free(&said);
	peer_close(&peer);
}

static void what_was_refused_is_not_acknowledged(void **state)
{
	struct buf said = BUF(1u << 20);
	struct peer peer;

	(void)state;
	peer_open(&peer, "lumberjack", NULL, false);
	put_window(&said, 2);
	put_event(&said, 1, STR("{}"));
	say_and_forget(&peer, &said);
	assert_string_equal(acks(&peer), "1");
	peer_know(&peer, PEER_BARRED);
	put_event(&said, 2, STR("{}"));
	say_and_forget(&peer, &said);
	assert_string_equal(acks(&peer), " closed");
	buf_free(&said);
	peer_close(&peer);
}

/* A frame larger than what a connection keeps elsewhere, and a document larger than an event. */
static void large_frames(void **state)
{
	struct buf said = BUF(8u << 20);
	static char document[3u << 20];
	struct peer peer;

	(void)state;
	peer_open(&peer, "lumberjack", NULL, false);
	memset(document, 'x', sizeof(document));
	put_window(&said, 2);
	put_event(&said, 1, str_from(document, sizeof(document)));
	put_event(&said, 2, STR("{}"));
	say_and_forget(&peer, &said);
	assert_string_equal(acks(&peer), "2");
	assert_int_equal(peer_total(&peer).truncated, 1);
	assert_int_equal(peer_total(&peer).bytes, 1002);
	buf_free(&said);
	peer_close(&peer);
}

static void bytes_one_by_one(void **state)
{
	struct buf said = BUF(1u << 20), packed = BUF(1u << 20);
	struct peer peer;

	(void)state;
	peer_open(&peer, "lumberjack", NULL, false);
	put_window(&said, 2);
	put_event(&said, 1, STR("{\"a\":1}"));
	put_event(&packed, 2, STR("{\"a\":2}"));
	put_packed(&said, buf_str(&packed));
	for (size_t i = 0; i < said.len; i++) {
		peer_say(&peer, str_from(said.ptr + i, 1));
		collector_step(peer.collector, NS_PER_MS, NULL);
	}
	assert_int_equal(peer_hear(&peer).len, 12);
	assert_int_equal(peer_events(&peer), 2);
	buf_free(&said);
	buf_free(&packed);
	peer_close(&peer);
}

#define W1 "2W\0\0\0\1"
static const struct {
	const char *name;
	struct str said;
} refused[] = {
    {"version 1", STR_INIT("1W\0\0\0\1")},
    {"data frame of version 1", STR_INIT(W1 "2D\0\0\0\1\0\0\0\0")},
    {"acknowledged by the sender", STR_INIT("2A\0\0\0\1")},
    {"event outside of a window", STR_INIT("2J\0\0\0\1\0\0\0\1x")},
    {"window in a window", STR_INIT(W1 W1)},
    {"window too large", STR_INIT("2W\0\1\0\1")},
    {"frame too large", STR_INIT(W1 "2J\0\0\0\1\177\377\377\377")},
    {"nothing packed", STR_INIT(W1 "2C\0\0\0\0")},
    {"packed rubbish", STR_INIT(W1 "2C\0\0\0\4abcd")},
    {"HTTP", STR_INIT("GET / HTTP/1.1\r\n\r\n")},
};

static void what_is_refused_closes(void **state)
{
	struct peer peer;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		peer_open(&peer, "lumberjack", NULL, false);
		peer_say(&peer, refused[i].said);
		const char *heard = acks(&peer);

		if (strcmp(heard, " closed") != 0 || peer_total(&peer).bad_frames != 1)
			fail_msg("%s: '%s'", refused[i].name, heard);
		peer_close(&peer);
	}
}

/* Frames that are refused inside packed ones: a window, a packed one, half an event, too many. */
static void what_is_packed_is_only_events(void **state)
{
	struct peer peer;

	(void)state;
	for (int which = 0; which < 6; which++) {
		struct buf said = BUF(1u << 20), packed = BUF(1u << 20), inner = BUF(1u << 20);

		put_event(&inner, 1, STR("{}"));
		if (which == 0)
			put_window(&packed, 1);
		if (which == 1)
			put_packed(&packed, buf_str(&inner));
		if (which == 2)
			buf_put(&packed, inner.ptr, inner.len - 1);
		if (which >= 3)
			buf_str_put(&packed, buf_str(&inner));
		if (which == 3)
			put_event(&packed, 2, STR("{}"));
		if (which == 4)
			buf_u8(&packed, '2');
		put_window(&said, 1);
		put_packed(&said, buf_str(&packed));
		peer_open(&peer, "lumberjack", NULL, false);
		say_and_forget(&peer, &said);
		const char *heard = acks(&peer);

		if (strcmp(heard, which == 5 ? "1" : which > 2 ? "1 closed" : " closed") != 0)
			fail_msg("%d: '%s'", which, heard);
		peer_close(&peer);
		buf_free(&said);
		buf_free(&packed);
		buf_free(&inner);
	}
}

/* By the ceiling, and by how much more it is than what was sent. */
static void a_bomb_is_refused(void **state)
{
	static const char *const ceilings[] = {"64K", "512M"};
	static char document[16u << 20];

	(void)state;
	memset(document, 'x', sizeof(document));
	for (size_t i = 0; i < 2; i++) {
		const char *settings[] = {"lumberjack.inflated", ceilings[i], NULL};
		struct buf said = BUF(1u << 20), packed = BUF(32u << 20);
		struct peer peer;

		put_event(&packed, 1, str_from(document, i == 0 ? 66000 : sizeof(document)));
		put_window(&said, 1);
		put_packed(&said, buf_str(&packed));
		peer_open(&peer, "lumberjack", settings, false);
		say_and_forget(&peer, &said);
		assert_string_equal(acks(&peer), " closed");
		assert_int_equal(peer_total(&peer).bad_frames, 1);
		peer_close(&peer);
		buf_free(&said);
		buf_free(&packed);
	}
}

static void memory_is_bounded_and_patience_too(void **state)
{
	static const char *const settings[] = {"lumberjack.memory", "1M", NULL};
	static char part[600000];
	struct peer peer;

	(void)state;
	peer_open(&peer, "lumberjack", settings, false);
	int first = peer.client;

	memcpy(part, W1 "2J\0\0\0\1\0\020\0\0", 16);
	peer_say(&peer, str_from(part, sizeof(part)));
	assert_string_equal(acks(&peer), "");
	peer_dial(&peer);
	peer_say(&peer, str_from(part, sizeof(part)));
	assert_string_equal(acks(&peer), " closed");
	assert_int_equal(peer_total(&peer).refused_connections, 1);
	/* The first has its memory, and its time. */
	peer.client = first;
	peer_now_ns += 50 * NS_PER_S;
	peer_say(&peer, STR("x"));
	assert_string_equal(acks(&peer), "");
	peer_now_ns += 11 * NS_PER_S;
	assert_string_equal(acks(&peer), " closed");
	/* What it had is free again. */
	peer_dial(&peer);
	peer_say(&peer, str_from(part, sizeof(part)));
	assert_string_equal(acks(&peer), "");
	peer_close(&peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(windows_are_acknowledged_when_durable),
	    cmocka_unit_test(who_waits_is_told_again),
	    cmocka_unit_test(what_was_refused_is_not_acknowledged),
	    cmocka_unit_test(large_frames),
	    cmocka_unit_test(bytes_one_by_one),
	    cmocka_unit_test(what_is_refused_closes),
	    cmocka_unit_test(what_is_packed_is_only_events),
	    cmocka_unit_test(a_bomb_is_refused),
	    cmocka_unit_test(memory_is_bounded_and_patience_too),
	};

	return cmocka_run_group_tests_name("lumberjack", tests, NULL, NULL);
}
