#include "base/utf8.h"

#include "base/cpu.h"

#include "tests/base/unit.h"

static void test_decode(void **state)
{
	static const struct {
		struct str bytes;
		uint32_t code_point;
		size_t len;
	} rows[] = {
	    {{"a", 1}, 'a', 1},
	    {{"\0", 1}, 0, 1},
	    {{"\xc3\xa9", 2}, 0xe9, 2},
	    {{"\xe1\xba\xbf", 3}, 0x1ebf, 3},
	    {{"\xf0\x9f\x94\x94", 4}, 0x1f514, 4},
	    {{"\xf4\x8f\xbf\xbf", 4}, 0x10ffff, 4},
	    {{"\xc0\x80", 2}, UTF8_BAD, 1},	    /* overlong NUL */
	    {{"\xe0\x9f\xbf", 3}, UTF8_BAD, 1},	    /* overlong, 3 bytes */
	    {{"\xf0\x8f\xbf\xbf", 4}, UTF8_BAD, 1}, /* overlong, 4 bytes */
	    {{"\xed\xa0\x80", 3}, UTF8_BAD, 1},	    /* surrogate */
	    {{"\xf4\x90\x80\x80", 4}, UTF8_BAD, 1}, /* above U+10FFFF */
	    {{"\xf5\x80\x80\x80", 4}, UTF8_BAD, 1},
	    {{"\x80", 1}, UTF8_BAD, 1},
	    {{"\xe1\xba", 2}, UTF8_BAD, 1}, /* cut short */
	    {{"\xe1\xba\x41", 3}, UTF8_BAD, 1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		size_t len = 0;

		assert_int_equal(utf8_decode(rows[i].bytes, &len), rows[i].code_point);
		assert_int_equal(len, rows[i].len);
	}
}

static void test_put_and_decode_all(void **state)
{
	struct buf buf = BUF(16);

	(void)state;
	for (uint32_t c = 0; c <= 0x10ffff; c++) {
		size_t len;
		bool surrogate = c >= 0xd800 && c <= 0xdfff;

		buf_clear(&buf);
		utf8_put(&buf, c);
		uint32_t back = utf8_decode(buf_str(&buf), &len);

		if (back != (surrogate ? UTF8_BAD : c) || (!surrogate && len != buf.len))
			fail_msg("U+%X came back as %X", c, back);
	}
	buf_free(&buf);
}

static void test_valid(void **state)
{
	(void)state;
	assert_true(utf8_is_valid(STR("Đồng Tháp \xf0\x9f\x94\x94")));
	assert_true(utf8_is_valid(STR_NONE));
	assert_false(utf8_is_valid(STR("a\xff")));
	assert_false(utf8_is_valid(STR("a\xe1\xba")));
}

/* Text is looked at in pieces: what is wrong is seen wherever it stands in one. */
static void test_valid_anywhere(void **state)
{
	(void)state;
	char text[40];

	for (size_t len = 1; len <= sizeof(text); len++) {
		memset(text, 'a', sizeof(text));
		assert_true(utf8_is_valid(str_from(text, len)));
		for (size_t at = 0; at < len; at++) {
			text[at] = '\xff';
			assert_false(utf8_is_valid(str_from(text, len)));
			text[at] = 'a';
		}
	}
}

/* Both ways to look at it say the same of every sequence of such bytes, wherever it stands. */
static void test_valid_both_ways(void **state)
{
	static const uint8_t edges[] = {0, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0,
	    0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5,
	    0xff};
	const size_t count = sizeof(edges);
	size_t good = 0;
	char text[96];

	(void)state;
	for (size_t n = 0; n < count * count * count * count; n++) {
		size_t at = n % 61, len = at + 4 + n % 31, rest = n;

		memset(text, n % 3 == 0 ? 'a' : 0, sizeof(text));
		for (size_t i = 0; i < 4; i++, rest /= count)
			text[at + i] = (char)edges[rest % count];
		/* Something right before, that reaches into the block. */
		if (n % 5 == 0 && at >= 3)
			memcpy(text + at - 3, "\xe1\xba\xbf", 3);
		cpu_limit(CPU_PORTABLE);
		bool plain = utf8_is_valid(str_from(text, len));

		cpu_limit(CPU_V3);
		if (utf8_is_valid(str_from(text, len)) != plain)
			fail_msg("%02x %02x %02x %02x at %zu of %zu", (uint8_t)text[at],
			    (uint8_t)text[at + 1], (uint8_t)text[at + 2], (uint8_t)text[at + 3],
			    at, len);
		good += plain;
	}
	assert_true(good > 1000);
}

/* Every code point is good, and cut anywhere it is not. */
static void test_valid_every(void **state)
{
	char text[48];

	(void)state;
	for (uint32_t c = 0x80; c <= 0x10ffff; c += c < 0x3000 ? 1 : 37) {
		struct buf buf = BUF(8);
		size_t at = c % 40;

		utf8_put(&buf, c);
		memset(text, 'a', sizeof(text));
		memcpy(text + at, buf.ptr, buf.len);
		bool good = c < 0xd800 || c > 0xdfff;

		if (utf8_is_valid(str_from(text, sizeof(text))) != good ||
		    utf8_is_valid(str_from(text, at + buf.len - 1)))
			fail_msg("U+%X at %zu", c, at);
		buf_free(&buf);
	}
}

static void test_escape(void **state)
{
	const struct {
		struct str in;
		bool newlines;
		const char *out;
	} rows[] = {
	    {STR("a\\b \"Huế\""), false, "a\\b \"Huế\""},
	    {{"a\0b\n", 4}, false, "a\\x00b\\x0A"},
	    {{"a\n\tb\r", 5}, true, "a\n\tb\\x0D"},
	    {{"\x1b[31m\x7f", 6}, false, "\\x1B[31m\\x7F"},
	    {{"\xc2\x9b", 2}, false, "\\u{9B}"},	 /* CSI, one character */
	    {{"\xe2\x80\xae", 3}, false, "\\u{202E}"},	 /* right-to-left override */
	    {{"\xe2\x81\xa6x", 4}, false, "\\u{2066}x"}, /* isolate */
	    {{"\xe2\x80\xa8\xe2\x80\xa9", 6}, true, "\\u{2028}\\u{2029}"},
	    {{"\xff\xc0\x80", 3}, false, "\\xFF\\xC0\\x80"},
	};
	struct buf buf = BUF(1024);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		buf_clear(&buf);
		utf8_escape(&buf, rows[i].in, rows[i].newlines);
		assert_true(str_eq(buf_str(&buf), str_of(rows[i].out)));
	}
	buf_free(&buf);
}

static void test_json(void **state)
{
	struct buf buf = BUF(1024);

	(void)state;
	utf8_json(&buf, STR("\"\\/\b\t\n\v\f\r\0\x1f\x7fĐ\xc2\x85\xff."));
	assert_str(buf_str(&buf),
	    "\\\"\\\\/\\b\\t\\n\\u000b\\f\\r\\u0000\\u001f\\u007fĐ\\u0085\xef\xbf\xbd.");
	buf_free(&buf);
}

/* Every ASCII byte at every place among plain ones is written as it is alone; nothing is lost where
 * pieces meet. */
static void json_places(void)
{
	struct buf one = BUF(64), all = BUF(8192), want = BUF(8192);
	char text[1200];

	for (unsigned c = 0; c < 0x80; c++) {
		char alone = (char)c;

		buf_clear(&one);
		utf8_json(&one, str_from(&alone, 1));
		for (size_t at = 0; at < 70; at++) {
			memset(text, 'a' + (int)(c % 26), 70);
			text[at] = alone;
			buf_clear(&all);
			buf_clear(&want);
			utf8_json(&all, str_from(text, 70));
			buf_str_put(&want, str_from(text, at));
			buf_str_put(&want, buf_str(&one));
			buf_str_put(&want, str_from(text + at + 1, 69 - at));
			assert_true(str_eq(buf_str(&all), buf_str(&want)));
		}
	}
	for (size_t at = 0; at < sizeof(text); at++)
		text[at] = at % 7 == 3 ? '\\' : at % 11 == 5 ? '\x01' : (char)('0' + at % 10);
	buf_clear(&all);
	buf_clear(&want);
	utf8_json(&all, str_from(text, sizeof(text)));
	for (size_t at = 0; at < sizeof(text); at++)
		utf8_json(&want, str_from(text + at, 1));
	assert_true(str_eq(buf_str(&all), buf_str(&want)));
	/* To the last byte below the ceiling. */
	one.ceiling = buf_str(&all).len;
	buf_clear(&one);
	utf8_json(&one, str_from(text, sizeof(text)));
	assert_true(str_eq(buf_str(&one), buf_str(&all)));
	one.ceiling--;
	buf_free(&one);
	utf8_json(&one, str_from(text, sizeof(text)));
	assert_true(one.failed);
	buf_free(&one);
	buf_free(&all);
	buf_free(&want);
}

static void test_json_places(void **state)
{
	(void)state;
	json_places();
	/* For the rest of the program. */
	cpu_limit(CPU_PORTABLE);
	json_places();
}

static void test_fold(void **state)
{
	const struct {
		struct str in, out;
	} rows[] = {
	    {STR("PowerShell.EXE"), STR("powershell.exe")},
	    {STR("TỈNH ĐỒNG THÁP, ƯỚC"), STR("tỉnh đồng tháp, ước")}, {STR("ΑΩΣς"), STR("αωσσ")},
	    {STR("ЖЁ"), STR("жё")},
	    {STR("\xff\xfe"
		 "A"),
		STR("\xff\xfe"
		    "a")},
	    {STR("ẞ"), STR("ß")},
	    {STR("\xe2\x84\xaa"), STR("k")}, /* Kelvin sign: the length changes */
	    {STR("İ"), STR("İ")},	     /* has only a full folding */
	    {STR("\xf0\x90\x90\x80"), STR("\xf0\x90\x90\xa8")}, /* Deseret */
	};
	struct buf buf = BUF(1024);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		buf_clear(&buf);
		utf8_fold_put(&buf, rows[i].in);
		assert_true(str_eq(buf_str(&buf), rows[i].out));
	}
	buf_free(&buf);
}

/* Folding twice is folding once, it stays within Unicode, and ASCII is what it always was. */
static void test_fold_all(void **state)
{
	size_t folded = 0;

	(void)state;
	for (uint32_t c = 0; c <= 0x10ffff; c++) {
		uint32_t f = utf8_fold(c);

		if (f > 0x10ffff || utf8_fold(f) != f)
			fail_msg("U+%X folds to %X", c, f);
		folded += f != c;
	}
	assert_int_equal(folded, 1454); /* the C and S rows of CaseFolding-14.0.0 */
	for (uint32_t c = 0; c < 128; c++)
		assert_int_equal(utf8_fold(c), c >= 'A' && c <= 'Z' ? c + 32 : c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_decode),
	    cmocka_unit_test(test_put_and_decode_all),
	    cmocka_unit_test(test_valid),
	    cmocka_unit_test(test_valid_anywhere),
	    cmocka_unit_test(test_valid_both_ways),
	    cmocka_unit_test(test_valid_every),
	    cmocka_unit_test(test_escape),
	    cmocka_unit_test(test_json),
	    cmocka_unit_test(test_fold),
	    cmocka_unit_test(test_fold_all),
	    cmocka_unit_test(test_json_places),
	};

	return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
