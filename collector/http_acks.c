#include "collector/http_acks.h"

#include "base/hash.h"

#include <stdlib.h>

#define WAYS 8u
#define SETS (ACKS_CHANNELS / WAYS)

struct channel {
	struct hash128 name;
	uint64_t used; /* in turns of the table; 0: free */
	uint64_t next;
	uint64_t taken[ACKS_WINDOW / 64]; /* a bit for each id of the window */
};

struct acks {
	uint64_t turn;
	struct channel *sets[SETS]; /* of WAYS; NULL before the first */
};

struct acks *acks_new(void)
{
	return calloc(1, sizeof(struct acks));
}

void acks_free(struct acks *acks)
{
	if (acks == NULL)
		return;
	for (size_t i = 0; i < SETS; i++)
		free(acks->sets[i]);
	free(acks);
}

static struct hash128 name_of(struct str owner, struct str channel)
{
	struct hash_key key = hash_process_key();

	key.k0 ^= hash_sip64(key, owner);
	return hash_sip128(key, channel);
}

/* make: in the place of the one that was used longest ago. NULL: not there, or no memory. */
static struct channel *channel_find(struct acks *acks, struct hash128 name, bool make)
{
	struct channel **set = &acks->sets[name.low % SETS], *oldest;

	if (*set == NULL && make)
		*set = calloc(WAYS, sizeof(**set));
	if (*set == NULL)
		return NULL;
	oldest = *set;
	for (size_t i = 0; i < WAYS; i++) {
		struct channel *channel = &(*set)[i];

		if (channel->used != 0 && hash128_eq(channel->name, name)) {
			channel->used = ++acks->turn;
			return channel;
		}
		if (channel->used < oldest->used)
			oldest = channel;
	}
	if (!make)
		return NULL;
	*oldest = (struct channel){.name = name, .used = ++acks->turn};
	return oldest;
}

uint64_t acks_give(struct acks *acks, struct str owner, struct str channel)
{
	struct channel *found = channel_find(acks, name_of(owner, channel), true);

	/* Without memory: an id that reads as false. */
	if (found == NULL)
		return 0;
	uint64_t id = found->next++;

	found->taken[id / 64 % (ACKS_WINDOW / 64)] &= ~(UINT64_C(1) << id % 64);
	return id;
}

bool acks_take(struct acks *acks, struct str owner, struct str channel, uint64_t id)
{
	struct channel *found = channel_find(acks, name_of(owner, channel), false);

	if (found == NULL || id >= found->next)
		return false;
	if (found->next - id > ACKS_WINDOW)
		return true;
	uint64_t *word = &found->taken[id / 64 % (ACKS_WINDOW / 64)];
	uint64_t bit = UINT64_C(1) << id % 64;
	bool waits = (*word & bit) == 0;

	*word |= bit;
	return waits;
}
