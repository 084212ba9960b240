/*
 * quota.h - how much a sender or an agency may send: two buckets, of events and of bytes.
 *
 * A bucket fills at its rate, and holds at most what comes in during the burst. What has been taken
 * is always charged, so it may be overdrawn by what one read brought; a sender that can wait waits
 * until it is in credit again, and what cannot wait is refused. Time is an argument; a clock that
 * is set back neither fills nor empties.
 */
#ifndef TOCSIN_COLLECTOR_QUOTA_H
#define TOCSIN_COLLECTOR_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

struct quota {
	uint64_t events, bytes; /* a second; 0: no limit */
	int64_t burst_ns;       /* how long the full rates may be saved up */
};

/* Begins as {0}: full. */
struct bucket {
	int64_t at_ns;         /* filled up to here; 0: never */
	int64_t events, bytes; /* thousandths of an event, bytes; what is left, or owed */
};

/* Charges an event of so many bytes. */
void quota_take(struct bucket *bucket, const struct quota *quota, uint64_t bytes, int64_t now_ns);
/* 0: in credit. Else how long until it is, in ns. */
int64_t quota_wait(struct bucket *bucket, const struct quota *quota, int64_t now_ns);

#endif
