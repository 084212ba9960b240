/*
 * identity.h - the collector's name for ever, and a new epoch for each start (docs/wire.md, section
 * 1).
 */
#ifndef TOCSIN_COLLECTOR_IDENTITY_H
#define TOCSIN_COLLECTOR_IDENTITY_H

#include "base/error.h"

struct identity {
	uint64_t collector; /* random, made with the file, never 0 */
	uint64_t epoch;	    /* max(now, last + 1) */
};

/*
 * Reads the file at path, or makes it; the new epoch is durable when this returns 0. A file that
 * does not hold is refused (ERR_CORRUPT), not replaced: a new id would look like another collector.
 */
int identity_start(const char *path, int64_t now_ns, struct identity *ret, struct error *error);

#endif
