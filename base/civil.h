/*
 * civil.h - dates of the proleptic Gregorian calendar, without libc and without a time zone file.
 *
 * Algorithms: days as a count from 1970-01-01 over eras of 400 years. All functions are pure.
 */
#ifndef TOCSIN_BASE_CIVIL_H
#define TOCSIN_BASE_CIVIL_H

#include "base/str.h"

struct civil {
	int year;
	int month;  /* 1..12 */
	int day;    /* 1..31 */
	int hour;   /* 0..23 */
	int minute; /* 0..59 */
	int second; /* 0..60; 60 counts as the next second */
	int ns;     /* 0..999999999 */
};

#define CIVIL_TEXT 40

bool civil_is_leap(int year);
/* 28..31; month 1..12. */
int civil_month_days(int year, int month);
/* True when every part is in range for its month (day 29 of February only in leap years). */
bool civil_is_valid(const struct civil *civil);
/* zone_s: seconds east of UTC in which civil is told. civil must be valid, year 1..9999. */
int64_t civil_to_ns(const struct civil *civil, int32_t zone_s);
struct civil civil_from_ns(int64_t ns, int32_t zone_s);
/* RFC 3339 with ns cut to digits (0, 3, 6, 9): "2026-11-22T06:27:00.123Z". Returns the text. */
struct str civil_format(int64_t ns, int32_t zone_s, int digits, char out[CIVIL_TEXT]);

#endif
