#include "cli/shown.h"

#include <stdlib.h>
#include <string.h>

/*
 * Two generations: when the young one is full it becomes the old one, and what the old one held is
 * forgotten. Half of the slots stay empty, so that a search is short.
 */
#define SLOTS (2 * SHOWN_MIN)

struct shown {
	struct hash128 slots[2][SLOTS]; /* all zero: empty */
	size_t count;                   /* in the young one */
	unsigned young;
};

struct shown *shown_new(void)
{
	return calloc(1, sizeof(struct shown));
}

void shown_free(struct shown *shown)
{
	free(shown);
}

/* Ids are hashes: their own bits choose the slot. */
static struct hash128 *slot_of(struct hash128 *slots, struct hash128 id)
{
	size_t at = id.low % SLOTS;

	while ((slots[at].high | slots[at].low) != 0 && !hash128_eq(slots[at], id))
		at = (at + 1) % SLOTS;
	return &slots[at];
}

bool shown_add(struct shown *shown, struct hash128 id)
{
	struct hash128 *slot = slot_of(shown->slots[shown->young], id);

	if (hash128_eq(*slot, id) || hash128_eq(*slot_of(shown->slots[!shown->young], id), id))
		return false;
	*slot = id;
	if (++shown->count == SHOWN_MIN) {
		shown->young = !shown->young;
		shown->count = 0;
		memset(shown->slots[shown->young], 0, sizeof(shown->slots[0]));
	}
	return true;
}
