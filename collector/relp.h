/*
 * relp.h - frames of RELP (librelp's protocol, version 0 and 1) taken off a stream.
 *
 *   frame = txnr SP command SP datalen [SP data] LF
 */
#ifndef TOCSIN_COLLECTOR_RELP_H
#define TOCSIN_COLLECTOR_RELP_H

#include "base/str.h"

#define RELP_DATA_MAX (16u << 20) /* longest data that is passed over; its beginning is kept */

struct relp_frame {
	uint32_t txnr;
	struct str command; /* borrowed from the bytes */
	struct str data;
	bool cut;           /* the data was longer than the limit */
};

enum relp_status { RELP_FRAME, RELP_MORE, RELP_BAD };

struct relp {
	size_t limit; /* of data that is given */
	size_t left;  /* of a frame that was given, to be passed over with its LF */
};

/*
 * Takes the next frame off *bytes. A frame whose data is longer than the limit is given with its
 * beginning, and the rest passed over later: RELP_MORE until then. It leaves at most limit + 64.
 */
enum relp_status relp_next(struct relp *relp, struct str *bytes, struct relp_frame *ret);

#endif
