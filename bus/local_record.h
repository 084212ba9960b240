/*
 * local_record.h - what a row of a partition's table holds: time 8, length of the key 4, key,
 * value.
 */
#ifndef TOCSIN_BUS_LOCAL_RECORD_H
#define TOCSIN_BUS_LOCAL_RECORD_H

#include "base/buf.h"

struct local_record {
	int64_t time_ns;
	struct str key, value;
};
#define LOCAL_RECORD_HEAD 12 /* time 8, length of the key 4 */

void local_record_put(struct buf *out, const struct local_record *record);
/* Slices of row; false when it is none. */
bool local_record_parse(struct str row, struct local_record *ret);

#endif
