#include "sigma/modifier.h"

extern const struct modifier modifier_minute, modifier_hour, modifier_day, modifier_week,
    modifier_month, modifier_year;

static int apply(struct item *item, struct value *value, enum time_part part)
{
	value->kind = VALUE_TIME;
	value->part = part;
	return value_want_number(item, value);
}

static int apply_minute(struct item *item, struct value *value)
{
	return apply(item, value, TIME_MINUTE);
}

static int apply_hour(struct item *item, struct value *value)
{
	return apply(item, value, TIME_HOUR);
}

static int apply_day(struct item *item, struct value *value)
{
	return apply(item, value, TIME_DAY);
}

static int apply_week(struct item *item, struct value *value)
{
	return apply(item, value, TIME_WEEK);
}

static int apply_month(struct item *item, struct value *value)
{
	return apply(item, value, TIME_MONTH);
}

static int apply_year(struct item *item, struct value *value)
{
	return apply(item, value, TIME_YEAR);
}

const struct modifier modifier_minute = {.name = "minute",
    .summary = "the minute of the timestamp is the number",
    .value = apply_minute};
const struct modifier modifier_hour = {
    .name = "hour", .summary = "the hour of the timestamp is the number", .value = apply_hour};
const struct modifier modifier_day = {
    .name = "day", .summary = "the day of the timestamp is the number", .value = apply_day};
const struct modifier modifier_week = {.name = "week",
    .summary = "the ISO 8601 week of the timestamp is the number",
    .value = apply_week};
const struct modifier modifier_month = {
    .name = "month", .summary = "the month of the timestamp is the number", .value = apply_month};
const struct modifier modifier_year = {
    .name = "year", .summary = "the year of the timestamp is the number", .value = apply_year};
