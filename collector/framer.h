/*
 * framer.h - a byte stream cut into events: LF, NUL and octet counting, told apart for each frame
 * (RFC 6587, section 3.4), mixed on one connection.
 *
 * A frame is octet-counted when it begins with a number without a leading zero, a space and '<' (or
 * a byte order mark), or, behind another counted frame, any byte: a line that merely begins with
 * digits is a line. NUL ends a frame where '<' or LF follows; elsewhere it is a byte of the event.
 * At the end of what has come it ends the frame too, unless the frame before it ended otherwise: a
 * sender that ends all its frames with NUL must not wait for its next one. A frame over the limit
 * is cut once and flagged, and the rest of it is dropped. No allocation; results point into the
 * input.
 */
#ifndef TOCSIN_COLLECTOR_FRAMER_H
#define TOCSIN_COLLECTOR_FRAMER_H

#include "base/str.h"

/* Above this a count is no frame but an attack or noise. */
#define FRAMER_COUNT_MAX (16u << 20)

enum framer_ending { FRAMER_NONE, FRAMER_LF, FRAMER_NUL, FRAMER_COUNT }; /* of the last frame */

struct framer {
	size_t limit;	/* longest event that is given out */
	size_t skip;	/* bytes of a counted frame that are still to be dropped */
	bool skip_line; /* drop up to the end of the line */
	enum framer_ending last;
};

enum framer_status {
	FRAMER_EVENT, /* *frame holds one; call again */
	FRAMER_MORE,  /* keep *rest and come back with more behind it */
	FRAMER_BAD    /* a count that cannot be: close the connection */
};

struct framer framer_begin(size_t limit);
/*
 * Takes the next frame off *rest. end: nothing will follow (what is left is an event). *cut tells
 * that the frame was longer than the limit. CR before LF is dropped, empty frames are passed over.
 */
enum framer_status framer_next(
    struct framer *framer, struct str *rest, bool end, struct str *frame, bool *cut);
/* A datagram as an event: CR, LF and NUL at its end dropped. */
struct str framer_datagram(struct str datagram);

#endif
