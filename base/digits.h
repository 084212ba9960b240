/*
 * digits.h - numbers as text, without printf: what is written for every alert.
 *
 * Each writes at `at`, which has the room, and returns the place behind; no terminator.
 */
#ifndef TOCSIN_BASE_DIGITS_H
#define TOCSIN_BASE_DIGITS_H

#include "base/str.h"

#define DIGITS_U64 20u /* most of one number */
#define DIGITS_I64 20u /* with the sign */

char *digits_u64(char *at, uint64_t value);
char *digits_i64(char *at, int64_t value);
/* The last width digits, with zeros in front. */
char *digits_padded(char *at, uint64_t value, unsigned width);
/* 16 hexadecimal digits in lower case. */
char *digits_hex64(char *at, uint64_t value);

#endif
