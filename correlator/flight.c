#include "correlator/flight.h"

#include <stdlib.h>

#include "base/check.h"

#define RECORDS_ENOUGH ((size_t)1 << 20) /* bytes decoded at which those are matched first */

struct seat {
	struct event event;
	struct position position;
	bool whole;
	struct record record;
};

struct flight {
	struct decoding *decoding;
	struct arena *arena; /* of the records that are matched next */
	size_t count, bytes;
	struct seat seats[FLIGHT_MOST];
};

struct flight *flight_new(struct decoding *decoding, size_t ceiling)
{
	struct flight *flight = calloc(1, sizeof(*flight));

	if (flight == NULL)
		return NULL;
	flight->decoding = decoding;
	flight->arena = arena_new(ceiling);
	if (flight->arena == NULL) {
		free(flight);
		return NULL;
	}
	return flight;
}

void flight_free(struct flight *flight)
{
	if (flight == NULL)
		return;
	arena_free(flight->arena);
	free(flight);
}

struct event *flight_seat(struct flight *flight)
{
	CHECK(flight->count < FLIGHT_MOST);
	return &flight->seats[flight->count].event;
}

bool flight_add(struct flight *flight, const struct position *position)
{
	CHECK(flight->count < FLIGHT_MOST);
	struct seat *seat = &flight->seats[flight->count++];

	seat->position.partition = position->partition;
	seat->position.offset = position->offset;
	seat->position.index = position->index;
	flight->bytes += seat->event.raw.len;
	return flight->count == FLIGHT_MOST || flight->bytes >= FLIGHT_BYTES;
}

/*
 * Decodes from that seat on, as many as the arena holds, but one at least; says where it ended. The
 * first that finds no room is decoded once more, with all of it for itself.
 */
static size_t flight_decode(struct flight *flight, size_t from)
{
	struct arena *arena = flight->arena;
	size_t at = from;

	arena_reset(arena);
	do {
		struct seat *seat = &flight->seats[at];

		decoding_run(flight->decoding, &seat->record, &seat->event, arena);
		seat->whole = !arena_failed(arena);
		if (!seat->whole)
			return at > from ? at : at + 1;
	} while (++at < flight->count && arena_used(arena) < RECORDS_ENOUGH);
	return at;
}

static int seat_land(const struct seat *seat, struct matcher *matcher, flight_land *land,
    void *context)
{
	struct flown flown = {
	    .record = &seat->record, .position = seat->position, .whole = seat->whole};

	if (matcher != NULL)
		flown.match_count = matcher_run(matcher, &seat->record, &flown.matches);
	return land(context, &flown);
}

int flight_run(struct flight *flight, struct matcher *matcher, flight_land *land, void *context)
{
	int code = 0;

	for (size_t at = 0; code == 0 && at < flight->count;) {
		size_t end = flight_decode(flight, at);

		for (; code == 0 && at < end; at++)
			code = seat_land(&flight->seats[at], matcher, land, context);
	}
	flight->count = flight->bytes = 0;
	return code;
}
