/*
 * lumberjack.h - frames of Lumberjack version 2 (Elastic's Beats), taken off bytes.
 *
 *   'W' count              a window of so many events begins
 *   'J' sequence length    and a JSON document
 *   'C' length             and frames, packed by zlib
 *
 * each behind the version '2', numbers of 32 bits, the highest byte first. The frames of version 1
 * are refused.
 */
#ifndef TOCSIN_COLLECTOR_LUMBERJACK_H
#define TOCSIN_COLLECTOR_LUMBERJACK_H

#include "base/buf.h"

struct lumberjack_frame {
	char kind;       /* 'W', 'J', 'C' */
	uint32_t number; /* count of a window, sequence of an event */
	struct str data; /* document, packed frames: borrowed from the bytes */
};

enum lumberjack_status { LUMBERJACK_FRAME, LUMBERJACK_MORE, LUMBERJACK_BAD };

/*
 * Takes a frame whose data is at most data_max off *bytes. LUMBERJACK_MORE: *whole says how long it
 * will be, or 0 when that cannot be told yet, and less than 10 bytes are there.
 */
enum lumberjack_status lumberjack_next(
    struct str *bytes, size_t data_max, struct lumberjack_frame *ret, size_t *whole);

#define LUMBERJACK_ACK 6
/* Everything up to sequence is durable. */
struct str lumberjack_ack(uint32_t sequence, char out[LUMBERJACK_ACK]);

#endif
