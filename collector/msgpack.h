/*
 * msgpack.h - values of MessagePack: taken off bytes, passed over, written as JSON.
 *
 * Bounded: a value is nested at most MSGPACK_DEPTH deep, and as long as its caller says.
 */
#ifndef TOCSIN_COLLECTOR_MSGPACK_H
#define TOCSIN_COLLECTOR_MSGPACK_H

#include "base/json.h"

#define MSGPACK_DEPTH 30 /* under that of json.h */

enum msgpack_kind {
	MSGPACK_NIL,
	MSGPACK_BOOL,
	MSGPACK_UNSIGNED,
	MSGPACK_NEGATIVE,
	MSGPACK_FLOAT,
	MSGPACK_STR,
	MSGPACK_BIN,
	MSGPACK_EXT,
	MSGPACK_ARRAY, /* its elements, */
	MSGPACK_MAP    /* its keys and values in turn, follow */
};

struct msgpack {
	enum msgpack_kind kind;
	uint64_t number;  /* UNSIGNED; BOOL; ARRAY: elements; MAP: keys and values */
	int64_t negative;
	double real;
	int8_t type;      /* EXT */
	struct str bytes; /* STR, BIN, EXT: borrowed */
};

enum msgpack_status { MSGPACK_OK, MSGPACK_MORE, MSGPACK_BAD };

/* Takes one off *bytes; of an array or map only its head. *lacks: at least so many bytes more. */
enum msgpack_status msgpack_take(struct str *bytes, struct msgpack *ret, size_t *lacks);

/* Where the end of a value is, as it comes in part: zeroed at first, the same bytes each time. */
struct msgpack_end {
	size_t at;
	bool begun;
	unsigned depth;
	uint64_t left[MSGPACK_DEPTH + 1];
};

/* OK: end->at is where it ends. BAD: also when it is longer than max or too deep. */
enum msgpack_status msgpack_find_end(struct msgpack_end *end, struct str bytes, size_t max);
/* Takes a whole value off *bytes, to be looked at later. */
bool msgpack_pass(struct str *bytes, struct str *ret);

/* A whole value, for which msgpack_find_end was MSGPACK_OK, as JSON; taken off *bytes. */
void msgpack_json(struct json *json, struct str *bytes);
/* The keys and values of a map, after its head, into the object that is open. */
void msgpack_json_pairs(struct json *json, struct str *bytes, uint64_t count);

/* Written: at most 255 bytes. */
void msgpack_put_str(struct buf *out, struct str text);
void msgpack_put_bin(struct buf *out, struct str bytes);

#endif
