/*
 * matcher_upkeep.h - inside the matcher: when an index is worth being made anew.
 *
 * What an index lets through and is then tested costs; so does a new index. The first one, which
 * knows only what events are in general, is made again when its candidates have cost as much as
 * another would. What one that has learned costs an event is measured, and it is made again when
 * twice as much as another would cost was spent beyond that: events are others now, or a stranger
 * floods. So new indexes never cost more than what was lost without them, but for one after 65,536
 * events and one after every four million, for what changes slowly.
 *
 * Costs are about in instructions, and counted, never timed: the same events, the same indexes.
 */
#ifndef TOCSIN_CORRELATOR_MATCHER_UPKEEP_H
#define TOCSIN_CORRELATOR_MATCHER_UPKEEP_H

#include <stdbool.h>
#include <stdint.h>

struct upkeep {
	uint64_t cost;      /* of another index */
	uint64_t events;    /* since it was made, at the last look */
	uint64_t spent;     /* by these */
	uint64_t normal;    /* what one may spend; 0: not known */
	uint64_t overspent; /* beyond it, since it was last within it */
	uint64_t fresh;     /* spent since the last look */
	uint32_t wait;      /* events until the next look */
	uint32_t waited;    /* between the two */
	uint32_t studied;   /* events, for the next index */
	uint32_t made;      /* again, so often */
	bool turned;        /* half of what makes another worth while has been overspent */
};

/* For an index that knows nothing of its events. */
struct upkeep upkeep_begin(uint64_t cost);
/* After each event; true: upkeep_look. */
static inline bool upkeep_count(struct upkeep *upkeep, uint64_t spent)
{
	upkeep->fresh += spent;
	return --upkeep->wait == 0;
}

enum upkeep_answer {
	UPKEEP_GO_ON,
	UPKEEP_STUDY, /* this event */
	UPKEEP_TURN,  /* the same; what was studied before is of other events, and counts little */
	UPKEEP_MAKE   /* the same, and then the index, and upkeep_made */
};
enum upkeep_answer upkeep_look(struct upkeep *upkeep);
void upkeep_made(struct upkeep *upkeep, uint64_t cost);

#endif
