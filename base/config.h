/*
 * config.h - the configuration: one YAML file, each key a row of config.def.
 *
 * A value is the default of its row, then what the file says, then what the command line says. All
 * of them are checked alike: type, bounds and choices. Texts that a getter returns live as long as
 * the configuration.
 */
#ifndef TOCSIN_BASE_CONFIG_H
#define TOCSIN_BASE_CONFIG_H

#include "base/buf.h"
#include "base/error.h"

enum config_key {
#define SECTION(name, english, vietnamese)
#define CONFIG(symbol, key, type, initial, min, max, unit, english, vietnamese) CONFIG_##symbol,
#include "base/config.def"
#undef CONFIG
#undef SECTION
	CONFIG_COUNT
};

/* config_number of a zone that is "auto". */
#define CONFIG_ZONE_AUTO INT64_MIN

struct config;

/* All defaults. NULL when there is no memory. */
struct config *config_new(void);
/* Accepts NULL. */
void config_free(struct config *config);
/*
 * Reads a file of at most 256 KiB over what is set. 0, ERR_DOCUMENT (unknown key, wrong value: with
 * line, column and what was expected), or the code of reading. After a failure some keys are set
 * and some are not: do not use the configuration.
 */
int config_load(struct config *config, const char *path, struct error *error);
/* config_load of a text; file is for messages. */
int config_parse(struct config *config, struct str yaml, const char *file, struct error *error);
/*
 * "dotted.key" and its value as text, as on the command line: ERR_USAGE when either is wrong. Items
 * of a list are divided by commas; a map takes one entry, whose name follows the key:
 * "bus.kafka.properties.security.protocol".
 */
int config_set(struct config *config, struct str key, struct str value, struct error *error);

/* Each getter CHECKs that the key is of its type. */
bool config_bool(const struct config *config, enum config_key key);
/* integer; size in bytes; duration in ns; zone in seconds east; choice as its place in the row. */
int64_t config_number(const struct config *config, enum config_key key);
/* string, path, choice. Ends with NUL. */
struct str config_text(const struct config *config, enum config_key key);
/* list, map. */
size_t config_count(const struct config *config, enum config_key key);
struct str config_item(const struct config *config, enum config_key key, size_t index);
/* The name of an entry of a map, whose value is config_item. Both end with NUL. */
struct str config_name(const struct config *config, enum config_key key, size_t index);
/* False while the key has its default. */
bool config_is_set(const struct config *config, enum config_key key);

/* The key with its dots. */
struct str config_key_text(enum config_key key);
/* A file that sets every key to its default, with bounds and descriptions as comments. */
void config_write_defaults(struct buf *out, enum language language);
/* The same as a reference in Markdown. */
void config_write_markdown(struct buf *out, enum language language);

#endif
