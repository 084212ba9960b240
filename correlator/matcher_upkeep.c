#include "correlator/matcher_upkeep.h"

#define LEARNT_FROM 32u   /* so many events are studied, at least, before an index is made */
#define MEASURED    1024u /* events that tell what is normal */
#define SECOND_MADE 65536u
#define STEADY      (1u << 22)

/* Between two looks: of the first index a share of the events so far, later so many. */
#define LOOK_SHARE  16u
#define LOOK_LEAST  2u
#define LOOK_SOON   32u /* at most, while too few are studied */
#define LOOK_TURNED 8u  /* when events are others now */
#define LOOK_STEADY 256u

/* Studying costs, too: it begins when an eighth of what makes it worth while has been spent. */
#define STUDY_SHARE 8u

struct upkeep upkeep_begin(uint64_t cost)
{
	return (struct upkeep){.cost = cost, .wait = LOOK_SHARE, .waited = LOOK_SHARE};
}

static bool is_studied(const struct upkeep *upkeep)
{
	return upkeep->made > 0 || upkeep->spent >= upkeep->cost / STUDY_SHARE;
}

/* A quarter more than what was measured, and a little. */
static void normal_measure(struct upkeep *upkeep)
{
	if (upkeep->normal == 0 && upkeep->events >= MEASURED)
		upkeep->normal = upkeep->spent * 5 / 4 / upkeep->events + 50;
}

static void overspent_count(struct upkeep *upkeep)
{
	uint64_t allowed = upkeep->normal * upkeep->waited;
	uint64_t over = upkeep->overspent + upkeep->fresh;

	upkeep->overspent = over > allowed ? over - allowed : 0;
}

/* True once, half way to another index. */
static bool is_turning(struct upkeep *upkeep)
{
	bool turned = upkeep->overspent >= upkeep->cost, turning = turned && !upkeep->turned;

	upkeep->turned = turned;
	if (turning)
		upkeep->studied = 0;
	return turning;
}

static bool is_worth_it(const struct upkeep *upkeep)
{
	uint64_t most = upkeep->made <= 1 ? SECOND_MADE : STEADY;
	bool spent = upkeep->made == 0 ? upkeep->spent >= upkeep->cost
	                               : upkeep->overspent >= 2 * upkeep->cost;

	return upkeep->studied >= LEARNT_FROM && (spent || upkeep->events >= most);
}

static uint32_t next_wait(const struct upkeep *upkeep)
{
	uint64_t most = upkeep->studied < LEARNT_FROM ? LOOK_SOON : LOOK_STEADY;
	uint64_t next = upkeep->events / LOOK_SHARE;

	if (upkeep->made > 0)
		return upkeep->turned ? LOOK_TURNED : LOOK_STEADY;
	return (uint32_t)(next < LOOK_LEAST ? LOOK_LEAST : next > most ? most : next);
}

enum upkeep_answer upkeep_look(struct upkeep *upkeep)
{
	upkeep->events += upkeep->waited;
	upkeep->spent += upkeep->fresh;
	if (upkeep->made > 0 && upkeep->normal > 0)
		overspent_count(upkeep);
	if (upkeep->made > 0)
		normal_measure(upkeep);
	upkeep->fresh = 0;
	bool turning = is_turning(upkeep);

	upkeep->wait = upkeep->waited = next_wait(upkeep);
	if (!is_studied(upkeep))
		return UPKEEP_GO_ON;
	upkeep->studied++;
	if (is_worth_it(upkeep))
		return UPKEEP_MAKE;
	return turning ? UPKEEP_TURN : UPKEEP_STUDY;
}

void upkeep_made(struct upkeep *upkeep, uint64_t cost)
{
	uint32_t made = upkeep->made + 1;

	*upkeep = upkeep_begin(cost);
	upkeep->made = made;
}
