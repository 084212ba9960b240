/*
 * Folding and searching, in each of their loops: each gives what the plain definition gives, at any
 * length and place, and reads and writes nothing beyond what it may (with the address sanitizer).
 */
#include "sigma/fold.h"

#include "base/cpu.h"
#include "base/utf8.h"
#include "sigma/needle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MOST 150u

static uint32_t draw(uint32_t *state, uint32_t below)
{
	*state = *state * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)(*state >> 8) * below >> 24);
}

/* In memory of exactly its size, so that a read beyond it is seen. */
static char *text_draw(uint32_t *state, size_t len, bool ascii)
{
	static const char ordinary[] = "ABCZabz@[`{ \\/09-_Ly";
	char *text = malloc(len + 1);

	assert_non_null(text);
	for (size_t i = 0; i < len; i++)
		text[i] = ordinary[draw(state, sizeof(ordinary) - 1)];
	for (size_t i = 0; !ascii && i + 2 <= len && i < 6; i += 3)
		memcpy(text + draw(state, (uint32_t)len - 1), i == 0 ? "\xC3\x82" : "\xC2\xAE", 2);
	if (!ascii && len == 1)
		text[0] = '\xFF';
	return text;
}

static void texts_fold(bool ascii)
{
	struct arena *arena = arena_new(1 << 20);
	uint32_t state = 7;

	for (size_t len = ascii ? 0 : 1; len < MOST; len++) {
		char *text = text_draw(&state, len, ascii);
		struct str is = {realloc(text, len + (len == 0)), len};
		char *room = malloc(len + FOLD_PADDING);
		struct str folded = fold_text(arena, is), padded = fold_padded(arena, is);

		assert_true(room != NULL && is.ptr != NULL && folded.ptr != NULL);
		assert_int_equal(fold_ascii(room, is), ascii);
		assert_true(str_eq(folded, padded));
		for (size_t i = 0; i < FOLD_PADDING; i++)
			assert_int_equal(padded.ptr[padded.len + i], 0);
		assert_true(!ascii || str_eq(folded, (struct str){room, len}));
		for (size_t i = 0; i < len; i++)
			assert_int_equal(room[i], char_lower(is.ptr[i]));
		for (size_t i = 0; i < FOLD_PADDING; i++)
			assert_int_equal(room[len + i], 0);
		free((char *)is.ptr);
		free(room);
		arena_reset(arena);
	}
	arena_free(arena);
}

static void folding_is_the_same_in_every_loop(void **state)
{
	(void)state;
	texts_fold(true);
	texts_fold(false);
}

static void needles_are_found_where_they_are(void **state)
{
	uint32_t random = 3;
	size_t found = 0;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		size_t len = draw(&random, MOST), needle_len = draw(&random, 9) + round % 40 / 20;
		char text[MOST + NEEDLE_PADDING] = "", needle[16] = "";

		for (size_t i = 0; i < len; i++)
			text[i] = "abc"[draw(&random, 3)];
		for (size_t i = 0; i < needle_len; i++)
			needle[i] = "abc"[draw(&random, 3)];
		bool is = memmem(text, len, needle, needle_len) != NULL;

		found += is;
		assert_int_equal(needle_in_padded((struct str){text, len},
		    (struct str){needle, needle_len}), is);
	}
	assert_in_range(found, 5000, 15000);
}

/* By every code point: no other than these two folds to ASCII, and both are seen at every place. */
static void what_folds_to_ascii_is_known(void **state)
{
	(void)state;
	for (uint32_t c = 0x80; c <= 0x10FFFF; c++) {
		if (utf8_fold(c) < 0x80)
			assert_true(c == 0x17F || c == 0x212A);
	}
	for (size_t len = 3; len < MOST; len++) {
		char *text = malloc(len);

		assert_non_null(text);
		memset(text, '\xC4', len);
		assert_true(fold_keeps_ascii((struct str){text, len}));
		for (size_t at = 0; at + 3 <= len; at++) {
			memcpy(text + at, at % 2 == 0 ? "\xC5\xBF\xC4" : "\xE2\x84\xAA", 3);
			assert_false(fold_keeps_ascii((struct str){text, len}));
			memset(text, '\xC4', len);
		}
		memcpy(text + len - 2, "\xC5\xBF", 2);
		assert_false(fold_keeps_ascii((struct str){text, len}));
		free(text);
	}
}

/* The last: afterwards the loops for better machines are not taken any more. */
static void plain_loops_give_the_same(void **state)
{
	cpu_limit(CPU_PORTABLE);
	folding_is_the_same_in_every_loop(state);
	needles_are_found_where_they_are(state);
	what_folds_to_ascii_is_known(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(folding_is_the_same_in_every_loop),
	    cmocka_unit_test(needles_are_found_where_they_are),
	    cmocka_unit_test(what_folds_to_ascii_is_known),
	    cmocka_unit_test(plain_loops_give_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
