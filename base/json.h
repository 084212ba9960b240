/*
 * json.h - writing JSON into a buffer.
 *
 * A writer keeps track of commas and depth (at most 32), nothing else. Strings are escaped, bad
 * UTF-8 becomes U+FFFD. Reading documents is Jansson's (event/alert.c, cli); reading events is the
 * decoder's own scanner.
 */
#ifndef TOCSIN_BASE_JSON_H
#define TOCSIN_BASE_JSON_H

#include "base/buf.h"

/*
 * Jansson exports a json_null too, and a program that defines its own would have Jansson call that
 * one. A file that needs both includes <jansson.h> first.
 */
#define json_null json_write_null

struct json {
	struct buf *out;
	uint32_t comma; /* bit d: the level d has a value already */
	unsigned depth;
	bool after_key;
};

struct json json_begin(struct buf *out);
void json_open(struct json *json, char bracket);  /* '{' or '[' */
void json_close(struct json *json, char bracket); /* '}' or ']' */
void json_key(struct json *json, struct str key);
/* A key that the program names: printable ASCII without quotes and backslashes, as it is. */
void json_name(struct json *json, const char *name);
void json_str(struct json *json, struct str value);
void json_i64(struct json *json, int64_t value);
void json_u64(struct json *json, uint64_t value);
void json_double(struct json *json, double value); /* not finite: null */
void json_bool(struct json *json, bool value);
void json_null(struct json *json);
/* A value that is JSON already. */
void json_raw(struct json *json, struct str value);

/* key (as of json_name) and value in one; an empty value writes the pair too. */
void json_pair(struct json *json, const char *key, struct str value);
void json_pair_i64(struct json *json, const char *key, int64_t value);
void json_pair_u64(struct json *json, const char *key, uint64_t value);
void json_pair_bool(struct json *json, const char *key, bool value);

#endif
