/* Fluent Forward from a socket's other end: what is acknowledged, when, and what is refused. */
#include "tests/collector/peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "base/clock.h"
#include "collector/forward.h"

/* [1795328820, {"a": 1}] and [EventTime 1795328820.000000005, {"b": "x"}] */
#define E1 "\x92\xce\x6b\x02\x8b\x34\x81\xa1\x61\x01"
#define E2 "\x92\xd7\x00\x6b\x02\x8b\x34\x00\x00\x00\x05\x81\xa1" "b\xa1x"
#define CHUNK "\x81\xa5" "chunk\xa2" "id"
#define ACK "\x81\xd9\x03" "ack\xd9\x02id"
#define J1 "{\"@timestamp\":\"2026-11-22T06:27:00.000000000Z\",\"fluent_tag\":\"t\",\"a\":1}"
#define J2 "{\"@timestamp\":\"2026-11-22T06:27:00.000000005Z\",\"fluent_tag\":\"t\",\"b\":\"x\"}"

#define ROW(name, said, heard, first, last) {name, STR_INIT(said), STR_INIT(heard), first, last}
static const struct {
	const char *name;
	struct str said, heard;
	const char *first, *last;
} modes[] = {
    ROW("message", "\x94\xa1t\xce\x6b\x02\x8b\x34\x81\xa1\x61\x01" CHUNK, ACK, J1, J1),
    ROW("message without option", "\x93\xa1t\xce\x6b\x02\x8b\x34\x81\xa1\x61\x01", "", J1, J1),
    ROW("message with nil", "\x94\xa1t\xce\x6b\x02\x8b\x34\x81\xa1\x61\x01\xc0", "", J1, J1),
    ROW("entries", "\x93\xa1t\x92" E1 E2 CHUNK, ACK, J1, J2),
    ROW("packed, binary", "\x93\xa1t\xc4\x1a" E1 E2 CHUNK, ACK, J1, J2),
    ROW("packed, text", "\x93\xa1t\xba" E1 E2 CHUNK, ACK, J1, J2),
    ROW("no entries", "\x93\xa1t\x90" CHUNK, ACK, NULL, NULL),
    ROW("metadata beside the time",
	"\x92\xa1t\x91\x92\x92\xce\x6b\x02\x8b\x34\x80\x81\xa1\x61\x01", "", J1, J1),
    ROW("a time of its own", "\x93\xa1t\x01\x81\xaa@timestamp\xa1y", "",
	"{\"fluent_tag\":\"t\",\"@timestamp\":\"y\"}", NULL),
    ROW("no record", "\x93\xa1t\x00\xa1y", "", "{\"fluent_tag\":\"t\",\"record\":\"y\"}", NULL),
    ROW("heartbeats", "\xc0\xc0\x93\xa1t\x00\x80", "", "{\"fluent_tag\":\"t\"}", NULL),
    ROW("all kinds of values",
	"\x93\xa1t\x00\x88\xa1" "a\xc0\xa1" "b\xc3\xa1" "c\xd1\xff\xfe\xa1"
	"d\xcb\x3f\xf8\0\0\0\0\0\0\xa1" "e\x92\x01\xa1\xff\xa1" "f\xd4\x07\xab"
	"\x05\xe0\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xc4\x01\"", "",
	"{\"fluent_tag\":\"t\",\"a\":null,\"b\":true,\"c\":-2,\"d\":1.5,"
	"\"e\":[1,\"\xef\xbf\xbd\"],\"f\":\"ab\",\"5\":-32,"
	"\"18446744073709551615\":\"\\\"\"}", NULL),
};

static void modes_of_messages(void **state)
{
	struct peer peer;

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		peer_open(&peer, "forward", NULL, false);
		peer_busy(&peer, true);
		peer_say(&peer, modes[i].said);
		if (modes[i].first != NULL)
			assert_int_equal(peer_hear(&peer).len, 0);
		peer_busy(&peer, false);
		struct str heard = peer_hear(&peer);

		peer_events(&peer);
		if (!str_eq(heard, modes[i].heard))
			fail_msg("%s: %.*s", modes[i].name, STR_ARG(heard));
		const char *wanted[] = {modes[i].first, modes[i].last};

		for (int w = 0; w < 2; w++)
			if (wanted[w] != NULL && rig_find(&peer.rig, wanted[w]) == NULL)
				fail_msg("%s: %s", modes[i].name,
				    peer.rig.seen_count > 0 ? peer.rig.seen[0].raw : "nothing");
		assert_int_equal(peer.rig.seen_count > 0, wanted[0] != NULL);
		if (peer.rig.seen_count > 0)
			assert_int_equal(peer.rig.seen[0].transport, TRANSPORT_FORWARD);
		assert_int_equal(peer_total(&peer).bad_frames, 0);
		peer_close(&peer);
	}
}

#define BAD(name, said) {name, STR_INIT(said)}
static const struct {
	const char *name;
	struct str said;
} refused[] = {
    BAD("no message", "\x01"),
    BAD("never used", "\xc1"),
    BAD("one element", "\x91\xa1t"),
    BAD("five elements", "\x95\xa1t\x00\x80\x80\x80"),
    BAD("no tag", "\x93\x01\x00\x80"),
    BAD("a time that is none", "\x93\xa1t\xc0\x80"),
    BAD("an extension that is no time", "\x93\xa1t\xd7\x01\0\0\0\0\0\0\0\0\x80"),
    BAD("an entry that is none", "\x92\xa1t\x92" E1 "\x01"),
    BAD("half an entry packed", "\x92\xa1t\xac" E1 "\x92\x01"),
    BAD("option that is no map", "\x94\xa1t\x00\x80\x01"),
    BAD("metrics", "\x93\xa1t\x90\x81\xad" "fluent_signal\x01"),
    BAD("zstd", "\x93\xa1t\xa2xx\x81\xaa" "compressed\xa4zstd"),
    BAD("packed rubbish", "\x93\xa1t\xa2xx\x81\xaa" "compressed\xa4gzip"),
    BAD("a gigabyte", "\x93\xa1t\xc6\x40\0\0\0"),
    BAD("an array of a billion", "\x92\xa1t\xdd\x40\0\0\0"),
    BAD("a map of four billion", "\x93\xa1t\x00\xdf\xff\xff\xff\xff"),
    BAD("deep", "\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91"
	"\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91"),
    BAD("HTTP", "GET / HTTP/1.1\r\n\r\n"),
};

static void what_is_refused_closes(void **state)
{
	struct peer peer;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		peer_open(&peer, "forward", NULL, false);
		peer_say(&peer, refused[i].said);
		const char *heard = peer_hear(&peer).ptr;

		if (strcmp(heard, "(closed)") != 0 || peer_total(&peer).bad_frames != 1 ||
		    peer_total(&peer).received != 0)
			fail_msg("%s: '%s'", refused[i].name, heard);
		peer_close(&peer);
	}
}

static void compressed_messages(void **state)
{
	static const char entries[] = E1 E2;
	unsigned char packed[256];
	struct buf said = BUF(4096);
	struct peer peer;
	z_stream z = {.next_in = (unsigned char *)(uintptr_t)entries,
	    .avail_in = sizeof(entries) - 1, .next_out = packed, .avail_out = sizeof(packed)};

	(void)state;
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	buf_str_put(&said, STR("\x93\xa1t"));
	msgpack_put_bin(&said, str_from(packed, sizeof(packed) - z.avail_out));
	buf_str_put(&said, STR("\x82\xa5" "chunk\xa2id\xaa" "compressed\xa4gzip"));
	deflateEnd(&z);
	peer_open(&peer, "forward", NULL, false);
	for (size_t i = 0; i < said.len; i++) {
		peer_say(&peer, str_from(said.ptr + i, 1));
		collector_step(peer.collector, NS_PER_MS, NULL);
	}
	struct str heard = peer_hear(&peer);

	assert_true(str_eq(heard, STR(ACK)));
	assert_int_equal(peer_events(&peer), 2);
	assert_non_null(rig_find(&peer.rig, J2));
	buf_free(&said);
	peer_close(&peer);
}

static void a_chunk_that_comes_again_is_not_taken_again(void **state)
{
	static const char said[] = "\x93\xa1t\x91" E1 CHUNK, other[] = "\x93\xa1t\x91" E2 CHUNK;
	struct peer peer;

	(void)state;
	peer_open(&peer, "forward", NULL, false);
	for (int i = 0; i < 2; i++) {
		peer_say(&peer, str_from(said, sizeof(said) - 1));
		assert_true(str_eq(peer_hear(&peer), STR(ACK)));
		close(peer.client);
		peer_dial(&peer);
	}
	assert_int_equal(peer_total(&peer).repeats, 1);
	assert_int_equal(peer_events(&peer), 1);
	/* The same name for something else: it is not lost. */
	peer_say(&peer, str_from(other, sizeof(other) - 1));
	assert_true(str_eq(peer_hear(&peer), STR(ACK)));
	assert_int_equal(peer_events(&peer), 2);
	/* What was not durable is no repeat. */
	peer_know(&peer, PEER_BARRED);
	peer_say(&peer, STR("\x93\xa1u\x91" E1 CHUNK));
	assert_string_equal(peer_hear(&peer).ptr, "(closed)");
	peer_know(&peer, "agencies: []\n");
	peer_dial(&peer);
	peer_say(&peer, STR("\x93\xa1u\x91" E1 CHUNK));
	assert_true(str_eq(peer_hear(&peer), STR(ACK)));
	assert_int_equal(peer_events(&peer), 3);
	assert_int_equal(peer_total(&peer).repeats, 1);
	peer_close(&peer);
}

/* More than have places of their own: none is taken for another. */
static void different_chunks_are_no_repeats(void **state)
{
	struct buf said = BUF(1u << 20);
	struct peer peer;

	(void)state;
	peer_open(&peer, "forward", NULL, false);
	for (unsigned i = 0; i < 3000; i++) {
		buf_str_put(&said, STR("\x93\xa1t\x91\x92\x01\x81\xa1n\xcd"));
		buf_u16(&said, (uint16_t)i);
		buf_str_put(&said, STR(CHUNK));
	}
	peer_say(&peer, buf_str(&said));
	for (int i = 0; i < 20; i++)
		peer_hear(&peer);
	assert_int_equal(peer_events(&peer), 3000);
	assert_int_equal(peer_total(&peer).repeats, 0);
	buf_free(&said);
	peer_close(&peer);
}

static void large_messages_and_many(void **state)
{
	struct buf said = BUF(8u << 20);
	struct peer peer;

	(void)state;
	peer_open(&peer, "forward", NULL, false);
	buf_str_put(&said, STR("\x93\xa1t\x00\x81\xa1m\xdb\x00\x30\x00\x00"));
	memset(buf_extend(&said, 3u << 20), 'x', 3u << 20);
	buf_str_put(&said, STR("\x93\xa1t\x00\x80"));
	peer_busy(&peer, true);
	for (int i = 0; i < 1000; i++)
		buf_str_put(&said, STR("\x93\xa1t\x91" E1 "\x81\xa5" "chunk\xa0"
			"\x93\xa1t\x91" E2 CHUNK));
	peer_busy(&peer, false);
	peer_say(&peer, buf_str(&said));
	size_t acks = 0;

	for (int i = 0; i < 20; i++)
		acks += peer_hear(&peer).len;
	assert_int_equal(acks, 1000 * (sizeof(ACK) - 1));
	assert_int_equal(peer_total(&peer).truncated, 1);
	assert_int_equal(peer_total(&peer).received + peer_total(&peer).repeats, 2002);
	buf_free(&said);
	peer_close(&peer);
}

static void memory_and_patience_are_bounded(void **state)
{
	static const char *const settings[] = {"forward.memory", "1M", NULL};
	static char part[600000] = "\x93\xa1t\xc6\x00\x10\x00\x00";
	struct peer peer;

	(void)state;
	peer_open(&peer, "forward", settings, false);
	int first = peer.client;

	peer_say(&peer, str_from(part, sizeof(part)));
	assert_int_equal(peer_hear(&peer).len, 0);
	peer_dial(&peer);
	peer_say(&peer, str_from(part, sizeof(part)));
	assert_string_equal(peer_hear(&peer).ptr, "(closed)");
	assert_int_equal(peer_total(&peer).refused_connections, 1);
	peer.client = first;
	peer_now_ns += 50 * NS_PER_S;
	peer_say(&peer, STR("x"));
	assert_int_equal(peer_hear(&peer).len, 0);
	peer_now_ns += 11 * NS_PER_S;
	assert_string_equal(peer_hear(&peer).ptr, "(closed)");
	peer_dial(&peer);
	peer_say(&peer, str_from(part, sizeof(part)));
	assert_int_equal(peer_hear(&peer).len, 0);
	peer_close(&peer);
}

static void heartbeats_over_udp(void **state)
{
	struct peer peer;
	char text[8];

	(void)state;
	peer_open(&peer, "forward", NULL, true);
	peer_say(&peer, STR("\0"));
	peer_step(&peer);
	assert_int_equal(recv(peer.client, text, sizeof(text), MSG_DONTWAIT), 1);
	assert_int_equal(text[0], 0);
	peer_say(&peer, STR("x"));
	peer_say(&peer, STR("\0\0"));
	peer_step(&peer);
	assert_int_equal(recv(peer.client, text, sizeof(text), MSG_DONTWAIT), -1);
	peer_close(&peer);
}

#define AGENCIES "unknown: {inputs: none}\nagencies:\n- name: hue\n" \
	"  shared_keys: [first-key-of-hue-0123, second-key-of-hue-0123]\n"

static char auth[FORWARD_NONCE]; /* of the HELO, where it asks for a user */

/* The nonce of the HELO. */
static struct str nonce_of(struct peer *peer, char nonce[FORWARD_NONCE])
{
	struct str helo = peer_hear(peer);

	assert_true(helo.len > 17 && (uint8_t)helo.ptr[0] == 0x92);
	size_t at = str_find(helo, STR("\xc4\x10"));

	assert_true(at != STR_NOT_FOUND);
	memcpy(nonce, helo.ptr + at + 2, FORWARD_NONCE);
	helo = str_slice(helo, at + 2 + FORWARD_NONCE, helo.len);
	at = str_find(helo, STR("\xc4\x10"));
	if (at != STR_NOT_FOUND)
		memcpy(auth, helo.ptr + at + 2, FORWARD_NONCE);
	return str_from(nonce, FORWARD_NONCE);
}

static void say_ping_as(
    struct peer *peer, struct str nonce, struct str key, struct str user, struct str password)
{
	struct buf out = BUF(1024);
	char digest[FORWARD_DIGEST], secret[FORWARD_DIGEST];

	forward_digest(str_from(auth, sizeof(auth)), user, STR_NONE, password, secret);

	forward_digest(STR("salt"), STR("web1"), nonce, key, digest);
	buf_u8(&out, 0x96);
	msgpack_put_str(&out, STR("PING"));
	msgpack_put_str(&out, STR("web1"));
	msgpack_put_str(&out, STR("salt"));
	msgpack_put_str(&out, str_from(digest, sizeof(digest)));
	msgpack_put_str(&out, user);
	msgpack_put_str(&out, user.len > 0 ? str_from(secret, sizeof(secret)) : STR_NONE);
	peer_say(peer, buf_str(&out));
	buf_free(&out);
}

static void say_ping(struct peer *peer, struct str nonce, struct str key)
{
	say_ping_as(peer, nonce, key, STR_NONE, STR_NONE);
}

static void who_has_the_key_may_send(void **state)
{
	static const struct {
		const char *key;
		bool good;
	} keys[] = {{"first-key-of-hue-0123", true},
	    {"second-key-of-hue-0123", true},
	    {"third-key-of-hue-0123", false}, {"", false}};
	char bytes[FORWARD_NONCE], digest[FORWARD_DIGEST];
	struct peer peer;

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		peer_open_known(&peer, "forward", AGENCIES);
		struct str nonce = nonce_of(&peer, bytes), key = str_of(keys[i].key);

		say_ping(&peer, nonce, key);
		struct str pong = peer_hear(&peer);

		forward_digest(STR("salt"), STR("tocsin"), nonce, key, digest);
		assert_true((uint8_t)pong.ptr[7] == (keys[i].good ? 0xc3 : 0xc2));
		assert_int_equal(str_ends(pong, str_from(digest, sizeof(digest))), keys[i].good);
		assert_int_equal(str_ends(pong, STR("(closed)")), !keys[i].good);
		if (keys[i].good) {
			peer_say(&peer, STR("\x93\xa1t\x91" E1 CHUNK));
			assert_true(str_eq(peer_hear(&peer), STR(ACK)));
			assert_int_equal(peer_events(&peer), 1);
		}
		peer_close(&peer);
	}
}

static void who_has_shown_nothing_may_not(void **state)
{
	char bytes[FORWARD_NONCE];
	struct peer peer;

	(void)state;
	peer_open_known(&peer, "forward", AGENCIES);
	nonce_of(&peer, bytes);
	peer_say(&peer, STR("\x92\xa1t\x91" E1));
	assert_string_equal(peer_hear(&peer).ptr, "(closed)");
	/* What was shown for another nonce shows nothing. */
	peer_dial(&peer);
	nonce_of(&peer, bytes);
	say_ping(&peer, STR("0123456789abcdef"), STR("first-key-of-hue-0123"));
	assert_true(str_ends(peer_hear(&peer), STR("(closed)")));
	assert_int_equal(peer_total(&peer).received, 0);
	peer_close(&peer);
}

#define USERS                                                                                      \
	"unknown: {inputs: none}\nagencies:\n- name: hue\n  shared_keys: [key-of-hue-0123]\n"      \
	"  users: ['an:mật khẩu: một']\n  systems:\n  - name: portal\n"                           \
	"    users: ['binh:password-2']\n- name: vinh\n  users: ['chi:password-3']\n"             \
	"  shared_keys: [key-of-vinh-0123]\n"

static void who_is_a_user_too_may_send(void **state)
{
	static const struct {
		const char *key, *user, *password, *who;
	} users[] = {
	    {"key-of-hue-0123", "an", "mật khẩu: một", "hue//"},
	    {"key-of-hue-0123", "binh", "password-2", "hue/portal/"},
	    {"key-of-vinh-0123", "chi", "password-3", "vinh//"},
	    {"key-of-hue-0123", "an", "password-2", NULL},
	    {"key-of-hue-0123", "dung", "password-2", NULL},
	    {"key-of-hue-0123", "", "", NULL},
	    {"key-of-vinh-0123", "an", "mật khẩu: một", NULL},
	    {"key-of-nobody-0123", "an", "mật khẩu: một", NULL},
	};
	char bytes[FORWARD_NONCE];
	struct peer peer;

	(void)state;
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
		peer_open_known(&peer, "forward", USERS);
		struct str nonce = nonce_of(&peer, bytes);

		say_ping_as(&peer, nonce, str_of(users[i].key), str_of(users[i].user),
		    str_of(users[i].password));
		assert_int_equal(str_ends(peer_hear(&peer), STR("(closed)")), users[i].who == NULL);
		if (users[i].who != NULL) {
			peer_say(&peer, STR("\x93\xa1t\x91" E1 CHUNK));
			assert_true(str_eq(peer_hear(&peer), STR(ACK)));
			assert_int_equal(peer_events(&peer), 1);
			assert_string_equal(peer.rig.seen[0].who, users[i].who);
		}
		peer_close(&peer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(modes_of_messages),
	    cmocka_unit_test(what_is_refused_closes),
	    cmocka_unit_test(compressed_messages),
	    cmocka_unit_test(a_chunk_that_comes_again_is_not_taken_again),
	    cmocka_unit_test(different_chunks_are_no_repeats),
	    cmocka_unit_test(large_messages_and_many),
	    cmocka_unit_test(memory_and_patience_are_bounded),
	    cmocka_unit_test(heartbeats_over_udp),
	    cmocka_unit_test(who_has_the_key_may_send),
	    cmocka_unit_test(who_has_shown_nothing_may_not),
	    cmocka_unit_test(who_is_a_user_too_may_send),
	};

	return cmocka_run_group_tests_name("forward", tests, NULL, NULL);
}
