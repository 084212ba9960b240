/*
 * config_row.h - a row of config.def, for config.c and what prints the table.
 */
#ifndef TOCSIN_BASE_CONFIG_ROW_H
#define TOCSIN_BASE_CONFIG_ROW_H

#include "base/config.h"

#define CONFIG_TYPES                                                                               \
	CONFIG_TYPE(bool)                                                                          \
	CONFIG_TYPE(integer)                                                                       \
	CONFIG_TYPE(size)                                                                          \
	CONFIG_TYPE(duration)                                                                      \
	CONFIG_TYPE(zone)                                                                          \
	CONFIG_TYPE(string)                                                                        \
	CONFIG_TYPE(path)                                                                          \
	CONFIG_TYPE(choice)                                                                        \
	CONFIG_TYPE(list)                                                                          \
	CONFIG_TYPE(map)

enum config_type {
#define CONFIG_TYPE(name) CONFIG_TYPE_##name,
	CONFIG_TYPES
#undef CONFIG_TYPE
};

struct config_row {
	const char *key;
	enum config_type type;
	const char *initial;
	int64_t min, max;
	const char *unit; /* of a choice: its choices, divided by '|' */
	const char *description[2];
};

extern const struct config_row config_rows[CONFIG_COUNT];

#define CONFIG_UNIT_TEXT 32

/* A size ("64K") or duration ("5s", or 0) as a number; false when it is none or overflows. */
bool config_unit_parse(enum config_type type, struct str text, int64_t *ret);
/* The shortest text that is exactly this number, for any type of number. Returns out. */
const char *config_unit_format(enum config_type type, int64_t number, char out[CONFIG_UNIT_TEXT]);
/* The key, or beginning of a key as deep as path, that path was probably meant to be; or empty. */
struct str config_row_nearest(struct str path);

#endif
