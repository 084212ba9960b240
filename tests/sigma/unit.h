/*
 * unit.h - what every test program of this folder begins with.
 */
#ifndef TOCSIN_TESTS_SIGMA_UNIT_H
#define TOCSIN_TESTS_SIGMA_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sigma/ruleset.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The first refusal of a text, and how many there were. */
struct refusals {
	size_t count;
	struct error first;
};

/* Loads a text that must be loadable; what is refused is kept. */
struct ruleset *load_text(const char *text, struct refusals *refusals);
/* Prints the text and fails unless the one refusal stands there and has those words. */
void assert_refused(const char *text, unsigned line, unsigned column, const char *words);
/* A rule around a detection: text is indented by four. Line 7 is the first of it. */
const char *rule_around(const char *detection, char *out, size_t size);

#endif
