#include "base/config_row.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define NEAR_LENGTH 64u

struct unit {
	const char *suffix;
	int64_t factor;
};

/* The largest first, for formatting. */
static const struct unit sizes[] = {
    {"T", INT64_C(1) << 40}, {"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"", 1}, {NULL, 0}};
static const struct unit durations[] = {{"d", 86400 * NS_PER_S}, {"h", 3600 * NS_PER_S},
    {"m", 60 * NS_PER_S}, {"s", NS_PER_S}, {"ms", NS_PER_MS}, {"us", NS_PER_US}, {"ns", 1},
    {NULL, 0}};

static const struct unit *units_of(enum config_type type)
{
	return type == CONFIG_TYPE_duration ? durations : sizes;
}

bool config_unit_parse(enum config_type type, struct str text, int64_t *ret)
{
	size_t digits = 0;
	int64_t number;

	while (digits < text.len && char_is_digit(text.ptr[digits]))
		digits++;
	struct str suffix = str_slice(text, digits, text.len);

	if (!str_to_i64(str_slice(text, 0, digits), &number))
		return false;
	if (number == 0 && suffix.len == 0) {
		*ret = 0;
		return true;
	}
	for (const struct unit *unit = units_of(type); unit->suffix != NULL; unit++) {
		if (str_eq(suffix, str_of(unit->suffix)))
			return !__builtin_mul_overflow(number, unit->factor, ret);
	}
	return false;
}

static const char *zone_format(int64_t seconds, char out[CONFIG_UNIT_TEXT])
{
	long long minutes = llabs((long long)seconds) / 60;

	snprintf(out, CONFIG_UNIT_TEXT, "%c%02lld:%02lld", seconds < 0 ? '-' : '+',
	    minutes / 60 % 100, minutes % 60);
	return out;
}

const char *config_unit_format(enum config_type type, int64_t number, char out[CONFIG_UNIT_TEXT])
{
	const struct unit *unit = units_of(type);

	if (type == CONFIG_TYPE_zone)
		return zone_format(number, out);
	snprintf(out, CONFIG_UNIT_TEXT, "%" PRId64, number);
	if (number == 0 || (type != CONFIG_TYPE_size && type != CONFIG_TYPE_duration))
		return out;
	while (number % unit->factor != 0)
		unit++;
	snprintf(out, CONFIG_UNIT_TEXT, "%" PRId64 "%s", number / unit->factor, unit->suffix);
	return out;
}

/* Levenshtein's distance, one row of the table at a time. */
static size_t distance(struct str a, struct str b)
{
	size_t row[NEAR_LENGTH + 1];

	for (size_t j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			size_t best = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[b.len];
}

/* The first parts of key, as many as path has. */
static struct str as_deep_as(struct str key, struct str path)
{
	size_t dots = 0;

	for (size_t i = 0; i < path.len; i++)
		dots += path.ptr[i] == '.';
	for (size_t i = 0; i < key.len; i++) {
		if (key.ptr[i] == '.' && dots-- == 0)
			return str_slice(key, 0, i);
	}
	return key;
}

struct str config_row_nearest(struct str path)
{
	struct str nearest = STR_NONE;
	size_t least = path.len / 3 < 2 ? 2 : path.len / 3;

	if (path.len > NEAR_LENGTH)
		return STR_NONE;
	for (size_t i = 0; i < CONFIG_COUNT; i++) {
		struct str key = as_deep_as(str_of(config_rows[i].key), path);
		size_t far = key.len > NEAR_LENGTH ? SIZE_MAX : distance(path, key);

		if (far <= least && (nearest.len == 0 || far < least)) {
			nearest = key;
			least = far;
		}
	}
	return nearest;
}
