/*
 * rulebook.h - rules and made-up records for the tests of the matcher.
 */
#ifndef TOCSIN_TESTS_CORRELATOR_RULEBOOK_H
#define TOCSIN_TESTS_CORRELATOR_RULEBOOK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "correlator/matcher.h"

#define RULEBOOK_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Fails with the refusal when anything is refused. */
struct ruleset *rulebook_load(const char *text);
/*
 * A record of lines "Name=value"; a first '#' makes it a number, '!' null, '%' a bool. The raw line is
 * the text itself, or raw when that is not NULL. Lives in arena.
 */
struct record *rulebook_record(struct arena *arena, const char *fields, const char *raw);

/* Less than below, the same ones in every run. */
uint32_t rulebook_random(uint32_t below);

#endif
