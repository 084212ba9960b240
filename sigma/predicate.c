#include "sigma/program.h"

#include "base/check.h"
#include "base/civil.h"
#include "sigma/address.h"
#include "sigma/needle.h"

#include <string.h>

/* The sign of the text's number less the predicate's; false when the text is no number. */
static bool number_order(const struct predicate *predicate, struct str text, int *ret)
{
	double value;
	int64_t left, right;
	uint64_t high, low;

	if (!str_to_double(text, &value))
		return false;
	*ret = (value > predicate->number) - (value < predicate->number);
	if (*ret != 0)
		return true;
	/* Beyond 2^53 doubles run together. */
	if (str_to_i64(text, &left) && str_to_i64(predicate->text, &right))
		*ret = (left > right) - (left < right);
	else if (str_to_u64(text, &high) && str_to_u64(predicate->text, &low))
		*ret = (high > low) - (high < low);
	return true;
}

static bool number_equals(const struct predicate *predicate, const struct subject *subject)
{
	int order;

	return str_eq(subject->folded, predicate->folded) ||
	    (number_order(predicate, subject->raw, &order) && order == 0);
}

static bool number_compares(const struct predicate *predicate, const struct subject *subject)
{
	int order;

	if (!number_order(predicate, str_trim(subject->raw), &order))
		return false;
	switch (predicate->compare) {
	case COMPARE_LT:
		return order < 0;
	case COMPARE_LTE:
		return order <= 0;
	case COMPARE_GT:
		return order > 0;
	case COMPARE_GTE:
		return order >= 0;
	}
	return false;
}

static bool digits_at(struct str text, size_t from, size_t to, int *ret)
{
	uint64_t value;

	if (to > text.len || !str_to_u64(str_slice(text, from, to), &value))
		return false;
	*ret = (int)value;
	return true;
}

/*
 * "2026-11-22T06:27:00", "2026-11-22 06:27": the zone is not looked at, as the specification asks.
 */
static bool time_take(struct str text, struct civil *ret)
{
	struct civil civil = {0};

	if (text.len < 10 || text.ptr[4] != '-' || text.ptr[7] != '-')
		return false;
	if (!digits_at(text, 0, 4, &civil.year) || !digits_at(text, 5, 7, &civil.month) ||
	    !digits_at(text, 8, 10, &civil.day))
		return false;
	if (text.len > 10) {
		if ((text.ptr[10] != 'T' && text.ptr[10] != 't' && text.ptr[10] != ' ') ||
		    text.len < 16 || text.ptr[13] != ':' || !digits_at(text, 11, 13, &civil.hour) ||
		    !digits_at(text, 14, 16, &civil.minute))
			return false;
	}
	*ret = civil;
	return civil.year >= 1 && civil_is_valid(ret);
}

/* ISO 8601: week 1 is the one with the year's first Thursday. */
static int week_of(struct civil civil)
{
	const int64_t day_ns = INT64_C(86400) * 1000000000;

	civil.hour = civil.minute = 0;
	int64_t days = civil_to_ns(&civil, 0) / day_ns;

	if (civil_to_ns(&civil, 0) % day_ns < 0)
		days--;
	int64_t weekday = ((days + 3) % 7 + 7) % 7; /* Monday 0; 1970-01-01 was a Thursday */
	struct civil thursday = civil_from_ns((days - weekday + 3) * day_ns, 0);
	struct civil first = {.year = thursday.year, .month = 1, .day = 1};

	return (int)((civil_to_ns(&thursday, 0) - civil_to_ns(&first, 0)) / day_ns / 7) + 1;
}

static int time_part_of(enum time_part part, struct civil civil)
{
	switch (part) {
	case TIME_MINUTE:
		return civil.minute;
	case TIME_HOUR:
		return civil.hour;
	case TIME_DAY:
		return civil.day;
	case TIME_WEEK:
		return week_of(civil);
	case TIME_MONTH:
		return civil.month;
	case TIME_YEAR:
		return civil.year;
	}
	return -1;
}

static bool time_equals(const struct predicate *predicate, const struct subject *subject)
{
	struct civil civil;

	/* Nanoseconds in 64 bits end in 2262, and begin in 1678. */
	return time_take(str_trim(subject->raw), &civil) && civil.year > 1700 &&
	       civil.year < 2262 &&
	       (double)time_part_of(predicate->part, civil) == predicate->number;
}

static bool cidr_holds(const struct predicate *predicate, const struct subject *subject)
{
	uint8_t address[16];

	return address_parse(str_trim(subject->raw), address) &&
	    address_in(address, &predicate->cidr);
}

bool predicate_holds(const struct predicate *predicate, const struct subject *subject,
    struct regex_scratch *scratch)
{
	struct str value = predicate->cased ? subject->raw : subject->folded;

	if (subject->kind == FIELD_NULL)
		return false;
	switch (predicate->kind) {
	case PREDICATE_EXACT:
		return str_eq(value, predicate->text);
	case PREDICATE_PREFIX:
		return str_starts(value, predicate->text);
	case PREDICATE_SUFFIX:
		return str_ends(value, predicate->text);
	case PREDICATE_CONTAINS:
		return subject->padded && !predicate->cased
		    ? needle_in_padded(value, predicate->text)
		    : str_find(value, predicate->text) != STR_NOT_FOUND;
	case PREDICATE_GLOB:
		return glob_match(predicate->glob, value);
	case PREDICATE_NUMBER:
		return number_equals(predicate, subject);
	case PREDICATE_COMPARE:
		return number_compares(predicate, subject);
	case PREDICATE_CIDR:
		return cidr_holds(predicate, subject);
	case PREDICATE_REGEX:
		return regex_search(predicate->regex, scratch, subject->raw);
	case PREDICATE_TIME:
		return time_equals(predicate, subject);
	case PREDICATE_FIELD:
	case PREDICATE_NULL:
	case PREDICATE_EXISTS:
		break;
	}
	check_failed("a predicate over one value", __FILE__, __LINE__, __func__);
}

bool predicate_relates(const struct predicate *predicate, const struct subject *subject,
    const struct subject *other)
{
	struct str left = predicate->cased ? subject->raw : subject->folded;
	struct str right = predicate->cased ? other->raw : other->folded;

	if (subject->kind == FIELD_NULL || other->kind == FIELD_NULL)
		return false;
	if (predicate->open_front && predicate->open_behind)
		return str_find(left, right) != STR_NOT_FOUND;
	if (predicate->open_front)
		return str_ends(left, right);
	if (predicate->open_behind)
		return str_starts(left, right);
	return str_eq(left, right);
}
