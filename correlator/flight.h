/*
 * flight.h - events that go through decoding and matching together.
 *
 * The code of both does not fit into the first instruction cache. So that it is not fetched anew
 * for every event, all events of a flight are decoded before the first is matched. Nobody can tell
 * the difference otherwise: what becomes of an event does not hang on those that fly with it.
 */
#ifndef TOCSIN_CORRELATOR_FLIGHT_H
#define TOCSIN_CORRELATOR_FLIGHT_H

#include "correlator/matcher.h"
#include "decoder/decoder.h"

#define FLIGHT_MOST  16u                /* events */
#define FLIGHT_BYTES ((size_t)256 << 10) /* raw ones; it is full with the event that reaches this */

struct flight;

/* One event at the end of its flight; all of it is gone when flight_land returns. */
struct flown {
	const struct record *record;
	struct position position;
	bool whole;              /* false: decoding it took more memory than there is */
	const uint32_t *matches; /* as matcher_run gives them, and matcher_explain may be asked */
	size_t match_count;
};

/* 0, or negative: the flight is given up. May not add to the flight. */
typedef int flight_land(void *context, const struct flown *flown);

/*
 * decoding outlives it, or is NULL. ceiling: bytes that decoding one event may take. NULL without
 * memory.
 */
struct flight *flight_new(struct decoding *decoding, size_t ceiling);
void flight_free(struct flight *flight); /* accepts NULL */
/* Where the next event is to be written: not copied, since what was just written is read late. */
struct event *flight_seat(struct flight *flight);
/*
 * Takes what is in the seat; its text is borrowed until flight_run. True: the flight is full now,
 * and must be run before the next.
 */
bool flight_add(struct flight *flight, const struct position *position);
/*
 * Decodes, matches and lands what was added, in that order, and is empty then. What land said, or
 * 0. matcher NULL: nothing matches.
 */
int flight_run(struct flight *flight, struct matcher *matcher, flight_land *land, void *context);

#endif
