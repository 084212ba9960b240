/*
 * unit.h - what every test program of this folder begins with.
 */
#ifndef TOCSIN_TESTS_BASE_UNIT_H
#define TOCSIN_TESTS_BASE_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* struct str against a C literal. */
#define assert_str(actual, literal)                                                                \
	do {                                                                                       \
		struct str assert_str_ = (actual);                                                 \
		assert_int_equal(assert_str_.len, sizeof(literal) - 1);                            \
		if (assert_str_.len > 0)                                                           \
			assert_memory_equal(assert_str_.ptr, literal, sizeof(literal) - 1);        \
	} while (0)

#endif
