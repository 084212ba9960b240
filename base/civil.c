#include "base/civil.h"

#include "base/clock.h"
#include "base/digits.h"

bool civil_is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int civil_month_days(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return month == 2 && civil_is_leap(year) ? 29 : days[month - 1];
}

bool civil_is_valid(const struct civil *c)
{
	return c->year >= 1 && c->year <= 9999 && c->month >= 1 && c->month <= 12 && c->day >= 1 &&
	    c->day <= civil_month_days(c->year, c->month) && c->hour >= 0 && c->hour <= 23 &&
	    c->minute >= 0 && c->minute <= 59 && c->second >= 0 && c->second <= 60 && c->ns >= 0 &&
	    c->ns < NS_PER_S;
}

/* March is the first month of the shifted year, so that the leap day is the last day. */
static int64_t days_from_civil(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * 146097 + day_of_era - 719468;
}

int64_t civil_to_ns(const struct civil *c, int32_t zone_s)
{
	int64_t days = days_from_civil(c->year, c->month, c->day);
	int64_t seconds = days * 86400 + c->hour * 3600 + c->minute * 60 + c->second - zone_s;
	int64_t ns;

	/* Beyond 1677..2262 the count does not fit: the nearest end stands for it. */
	if (__builtin_mul_overflow(seconds, NS_PER_S, &ns) ||
	    __builtin_add_overflow(ns, c->ns, &ns))
		return seconds < 0 ? INT64_MIN : INT64_MAX;
	return ns;
}

static void civil_from_days(struct civil *c, int64_t days)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	int64_t doe = days - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	c->day = (int)(doy - (153 * mp + 2) / 5 + 1);
	c->month = (int)(mp < 10 ? mp + 3 : mp - 9);
	c->year = (int)(yoe + era * 400 + (c->month <= 2 ? 1 : 0));
}

struct civil civil_from_ns(int64_t ns, int32_t zone_s)
{
	struct civil c = {0};
	int64_t seconds = ns / NS_PER_S;
	int64_t rest = ns % NS_PER_S;

	if (rest < 0) {
		rest += NS_PER_S;
		seconds--;
	}
	seconds += zone_s;
	int64_t days = seconds / 86400;
	int64_t of_day = seconds % 86400;

	if (of_day < 0) {
		of_day += 86400;
		days--;
	}
	civil_from_days(&c, days);
	c.hour = (int)(of_day / 3600);
	c.minute = (int)(of_day / 60 % 60);
	c.second = (int)(of_day % 60);
	c.ns = (int)rest;
	return c;
}

static char *zone_put(char *at, int32_t zone_s)
{
	uint32_t minutes = (uint32_t)(zone_s < 0 ? -zone_s : zone_s) / 60;

	if (zone_s == 0) {
		*at++ = 'Z';
		return at;
	}
	*at++ = zone_s < 0 ? '-' : '+';
	at = digits_padded(at, minutes / 60, 2);
	*at++ = ':';
	return digits_padded(at, minutes % 60, 2);
}

/* All years of 64 bits of ns, 1677 to 2262, have four digits. */
struct str civil_format(int64_t ns, int32_t zone_s, int digits, char out[CIVIL_TEXT])
{
	struct civil c = civil_from_ns(ns, zone_s);
	char *at = digits_padded(out, (uint64_t)c.year, 4);

	*at++ = '-';
	at = digits_padded(at, (uint64_t)c.month, 2);
	*at++ = '-';
	at = digits_padded(at, (uint64_t)c.day, 2);
	*at++ = 'T';
	at = digits_padded(at, (uint64_t)c.hour, 2);
	*at++ = ':';
	at = digits_padded(at, (uint64_t)c.minute, 2);
	*at++ = ':';
	at = digits_padded(at, (uint64_t)c.second, 2);
	if (digits > 0) {
		*at++ = '.';
		digits_padded(at, (uint64_t)c.ns, 9);
		at += digits;
	}
	at = zone_put(at, zone_s);
	*at = '\0';
	return (struct str){out, (size_t)(at - out)};
}
