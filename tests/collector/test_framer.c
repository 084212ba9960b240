#include "collector/framer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What a stream became, as text: events between brackets, "!" behind one that was cut. */
struct tape {
	char text[16384];
	size_t len;
};

static void tape_put(struct tape *tape, const char *bytes, size_t len)
{
	assert_true(tape->len + len <= sizeof(tape->text));
	memcpy(tape->text + tape->len, bytes, len);
	tape->len += len;
}

/* Takes what can be taken off *rest; false: the stream is bad. */
static bool take(struct framer *framer, struct str *rest, bool end, struct tape *tape)
{
	struct str frame;
	bool cut;

	for (;;) {
		switch (framer_next(framer, rest, end, &frame, &cut)) {
		case FRAMER_EVENT:
			assert_true(frame.len > 0 && frame.len <= framer->limit);
			tape_put(tape, "[", 1);
			tape_put(tape, frame.ptr, frame.len);
			tape_put(tape, cut ? "]!" : "]", cut ? 2 : 1);
			break;
		case FRAMER_MORE:
			return true;
		case FRAMER_BAD:
			tape_put(tape, "BAD", 3);
			return false;
		}
	}
}

/*
 * Pieces end at the offsets for which cuts has a bit, and the bytes stand in front of a guard page.
 */
static void run(struct str stream, size_t limit, bool (*cuts)(void *context, size_t at),
    void *context, struct tape *tape)
{
	static char *map;
	const size_t map_len = 65536, page = (size_t)sysconf(_SC_PAGESIZE);
	struct framer framer = framer_begin(limit);
	size_t kept = 0;

	if (map == NULL) {
		map = mmap(NULL, map_len + page, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_true(map != MAP_FAILED);
		assert_int_equal(mprotect(map + map_len, page, PROT_NONE), 0);
	}
	tape->len = 0;
	for (size_t from = 0, to; from <= stream.len; from = to) {
		bool end = from == stream.len;
		char carried[4096];

		for (to = from + 1; to < stream.len && !cuts(context, to); to++)
			;
		if (end)
			to = from;
		assert_true(kept <= sizeof(carried));
		memcpy(carried, map + map_len - kept, kept);
		size_t total = kept + (to - from);
		char *at = map + map_len - total;

		memcpy(at, carried, kept);
		memcpy(at + kept, stream.ptr + from, to - from);
		struct str rest = {at, total};

		if (!take(&framer, &rest, end, tape) || end)
			return;
		/* What a connection must keep is bounded by the limit and a count. */
		assert_true(rest.len <= limit + 14);
		memmove(map + map_len - rest.len, rest.ptr, rest.len);
		kept = rest.len;
	}
}

static bool cut_never(void *context, size_t at)
{
	(void)context;
	(void)at;
	return false;
}

static bool cut_always(void *context, size_t at)
{
	(void)context;
	(void)at;
	return true;
}

static bool cut_once(void *context, size_t at)
{
	return at == *(size_t *)context;
}

static bool cut_at_random(void *context, size_t at)
{
	(void)context;
	(void)at;
	return random() % 5 == 0;
}

static void expect(const struct tape *tape, struct str want, struct str stream, size_t at)
{
	if (!str_eq(str_from(tape->text, tape->len), want))
		fprintf(stderr, "# stream '%.*s' cut at %zu: '%.*s'\n", STR_ARG(stream), at,
		    (int)tape->len, tape->text);
	assert_int_equal(tape->len, want.len);
	assert_memory_equal(tape->text, want.ptr, want.len);
}

struct row {
	struct str stream, want;
};

#define ROW(stream, want)                                                                          \
	{                                                                                          \
		STR_INIT(stream), STR_INIT(want)                                                   \
	}

/* The limit is 16. Rows hold for any way in which the stream comes in pieces. */
static const struct row rows[] = {
    ROW("", ""),
    ROW("\n\r\n\r\n\0\n", ""),
    /* lines */
    ROW("<13>a\n<13>b\n", "[<13>a][<13>b]"),
    ROW("<13>a\r\n<13>b\r\n", "[<13>a][<13>b]"),
    ROW("<13>a\r\r\n", "[<13>a\r]"),
    ROW("<13>a\rb\n", "[<13>a\rb]"),
    ROW("<13>a\n\n\n<13>b", "[<13>a][<13>b]"),
    ROW("no end", "[no end]"),
    ROW("<13>a\0<13>b\0", "[<13>a][<13>b]"),
    ROW("<13>a\0\n<13>b\0\n", "[<13>a][<13>b]"),
    ROW("a\nb\0c\nd\n", "[a][b\0c][d]"),
    ROW("a\nb\0\n\0c\n", "[a][b][c]"),
    ROW("a\nb\0", "[a][b]"),
    ROW("\xef\xbb\xbf<13>bom\n", "[\xef\xbb\xbf<13>bom]"),
    ROW("\xff\xfe<13>\n", "[\xff\xfe<13>]"),
    /* octet counting */
    ROW("5 <13>a6 <13>bb", "[<13>a][<13>bb]"),
    ROW("7 <13>a\nb5 <13>c", "[<13>a\nb][<13>c]"),
    ROW("7 <13>a\0b5 <13>c", "[<13>a\0b][<13>c]"),
    ROW("6 <13>a\n6 <13>b\n", "[<13>a][<13>b]"),
    ROW("7 <13>a\r\n5 <13>b", "[<13>a][<13>b]"),
    ROW("8 \xef\xbb\xbf<13>a5 <13>b", "[\xef\xbb\xbf<13>a][<13>b]"),
    ROW("5 <13>a3 abc", "[<13>a][abc]"),
    ROW("5 <13>a\n5 <13>b\n", "[<13>a][<13>b]"),
    /* mixed on one connection */
    ROW("<13>a\n5 <13>b<13>c\n5 <13>d<13>e\0<13>f\n5 <13>g",
	"[<13>a][<13>b][<13>c][<13>d][<13>e][<13>f][<13>g]"),
    /* lines that begin with digits */
    ROW("12 monkeys\n<13>b\n", "[12 monkeys][<13>b]"),
    ROW("2026 is no\n<13>b\n", "[2026 is no][<13>b]"),
    ROW("12\n13 \n7:\n", "[12][13 ][7:]"),
    ROW("2026-11-22\n12<13>\n", "[2026-11-22][12<13>]"),
    ROW("12", "[12]"),
    ROW("12 ", "[12 ]"),
    /* counts that cannot be */
    ROW("0 <13>a\n<13>b\n", "[0 <13>a][<13>b]"),
    ROW("05 <13>a\n<13>b\n", "[05 <13>a][<13>b]"),
    ROW("-1 <13>a\n<13>b\n", "[-1 <13>a][<13>b]"),
    ROW("+5 <13>a\n<13>b\n", "[+5 <13>a][<13>b]"),
    ROW("<13>a\n1000000000 <13>b\n", "[<13>a]BAD"),
    ROW("9999999999 <13>b\n", "BAD"),
    ROW("16777217 <13>b\n", "BAD"),
    ROW("12345678901234567890 <13>b\n<13>c\n", "[1234567890123456]![<13>c]"),
    ROW("99999999999 <1\n<13>c\n", "[99999999999 <1][<13>c]"),
    /* the limit: cut once, the rest dropped, the next frame whole */
    ROW("<13>456789abcdef\n<13>b\n", "[<13>456789abcdef][<13>b]"),
    ROW("<13>456789abcdef\r\n<13>b\n", "[<13>456789abcdef][<13>b]"),
    ROW("<13>456789abcdefg\n<13>b\n", "[<13>456789abcdef]![<13>b]"),
    ROW("<13>456789abcdef\r0\n<13>b\n", "[<13>456789abcdef]![<13>b]"),
    ROW("<13>456789abcdefghijklmnopqrstuvwxyz\n\n<13>b\n", "[<13>456789abcdef]![<13>b]"),
    ROW("<13>456789abcdefghijklmnopqrstuvwxyz\0<13>b\0", "[<13>456789abcdef]![<13>b]"),
    ROW("a\n<13>456789abcdef\r\0<13>b\n", "[a][<13>456789abcdef][<13>b]"),
    ROW("a\n<13>456789abcdefghijkl\0mnop\n<13>b\n", "[a][<13>456789abcdef]![<13>b]"),
    ROW("<13>456789abcdefghijklmnopqrstuvwxyz", "[<13>456789abcdef]!"),
    ROW("16 <13>456789abcdef5 <13>b", "[<13>456789abcdef][<13>b]"),
    ROW("17 <13>456789abcdef\n5 <13>b", "[<13>456789abcdef][<13>b]"),
    ROW("18 <13>456789abcdef\r\n5 <13>b", "[<13>456789abcdef][<13>b]"),
    ROW("17 <13>456789abcdefg5 <13>b", "[<13>456789abcdef]![<13>b]"),
    ROW("19 <13>456789abcdef\n\n\n5 <13>b", "[<13>456789abcdef]![<13>b]"),
    ROW("26 <13>456789abcdef\n5 <13>x\n35 <13>b", "[<13>456789abcdef]![<13>b]"),
    /* the end of the stream within a frame */
    ROW("50 <13>a", "[<13>a]!"),
    ROW("50 <13>456789abcdef\nxyz", "[<13>456789abcdef]!"),
    ROW("<13>a\n5 <1", "[<13>a][<1]!"),
};

static void test_table(void **state)
{
	struct tape tape;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct str stream = rows[i].stream;

		run(stream, 16, cut_never, NULL, &tape);
		expect(&tape, rows[i].want, stream, 0);
		run(stream, 16, cut_always, NULL, &tape);
		expect(&tape, rows[i].want, stream, SIZE_MAX);
		for (size_t at = 1; at < stream.len; at++) {
			run(stream, 16, cut_once, &at, &tape);
			expect(&tape, rows[i].want, stream, at);
		}
	}
}

/* At the end of what has come, NUL ends a frame of a sender that may be one which ends all with
 * NUL. */
static void test_nul_does_not_wait(void **state)
{
	struct framer framer = framer_begin(100);
	struct tape tape = {.len = 0};
	struct str rest = STR("<13>a\0");

	(void)state;
	assert_true(take(&framer, &rest, false, &tape));
	expect(&tape, STR("[<13>a]"), STR("first"), 0);
	rest = STR("<13>b\0");
	assert_true(take(&framer, &rest, false, &tape));
	expect(&tape, STR("[<13>a][<13>b]"), STR("second"), 0);
	rest = STR("<13>c\n<13>d\0");
	assert_true(take(&framer, &rest, false, &tape));
	expect(&tape, STR("[<13>a][<13>b][<13>c]"), STR("after LF it may be a byte"), 0);
	assert_int_equal(rest.len, 6);
}

static const struct str pieces[] = {
    STR_INIT("\n"),
    STR_INIT("\r\n"),
    STR_INIT("\0<"),
    STR_INIT("<13>"),
    STR_INIT("5 <13>a"),
    STR_INIT("12 monkeys"),
    STR_INIT("4 abcd"),
    STR_INIT("0"),
    STR_INIT("19"),
    STR_INIT(" "),
    STR_INIT("x"),
    STR_INIT("Lang Son"),
    STR_INIT("\r"),
    STR_INIT("31 <"),
    STR_INIT("17 <13>"),
    STR_INIT("\xef\xbb\xbf"),
    STR_INIT("24 <1"),
    STR_INIT("\n\n"),
    STR_INIT("\0\n"),
    STR_INIT("\0y"),
    STR_INIT("16 <13>456789abcdef"),
    STR_INIT("abcdefghijklmnopqrstuvwxyz"),
};

/*
 * Whatever the stream, its pieces do not matter. NUL that ends what has come is the one exception,
 * and only behind no frame or one that NUL ended: such streams begin with a line and have no frame
 * that NUL ends, or no NUL within.
 */
static size_t make_stream(char *out, size_t room, unsigned kind)
{
	size_t len = 2;

	memcpy(out, "x\n", 2);
	while (len < room - 64 && random() % 40 != 0) {
		struct str piece = pieces[(size_t)random() % (sizeof(pieces) / sizeof(*pieces))];
		bool nul = piece.ptr[0] == '\0';

		if (nul && (piece.ptr[1] == 'y') == (kind == 0))
			continue;
		memcpy(out + len, piece.ptr, piece.len);
		len += piece.len;
	}
	return len;
}

static void test_pieces_do_not_matter(void **state)
{
	static struct tape whole, parts;
	char stream[2048];

	(void)state;
	srandom(4711);
	for (unsigned i = 0; i < 3000; i++) {
		struct str bytes = {stream, make_stream(stream, sizeof(stream), i % 2)};

		run(bytes, 16, cut_never, NULL, &whole);
		run(bytes, 16, cut_always, NULL, &parts);
		expect(&parts, str_from(whole.text, whole.len), bytes, SIZE_MAX);
		for (unsigned j = 0; j < 5; j++) {
			run(bytes, 16, cut_at_random, NULL, &parts);
			expect(&parts, str_from(whole.text, whole.len), bytes, 0);
		}
		for (size_t at = 1; at < bytes.len && i % 10 == 0; at++) {
			run(bytes, 16, cut_once, &at, &parts);
			expect(&parts, str_from(whole.text, whole.len), bytes, at);
		}
	}
}

static void test_datagram(void **state)
{
	static const struct row datagrams[] = {
	    ROW("", ""),
	    ROW("\n", ""),
	    ROW("\r\n\0\0", ""),
	    ROW("<13>a", "<13>a"),
	    ROW("<13>a\r\n", "<13>a"),
	    ROW("<13>a\0", "<13>a"),
	    ROW("<13>a\nb\0c\n", "<13>a\nb\0c"),
	    ROW(" a ", " a "),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(datagrams) / sizeof(*datagrams); i++) {
		struct str event = framer_datagram(datagrams[i].stream);

		assert_int_equal(event.len, datagrams[i].want.len);
		assert_memory_equal(event.ptr, datagrams[i].want.ptr, event.len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_nul_does_not_wait),
	    cmocka_unit_test(test_pieces_do_not_matter),
	    cmocka_unit_test(test_datagram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
