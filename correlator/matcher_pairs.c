#include "correlator/matcher_pairs.h"

#include <string.h>

#define WITHIN      64u  /* bytes of a text in which its pair is looked for */
#define SLOTS_BITS  12u
#define SLOTS       (1u << SLOTS_BITS)
#define COMMON_MOST 24u  /* of all pairs together: one and a half in 1,000 bytes */

_Static_assert(PAIRS_TEXTS * WITHIN < SLOTS, "a slot for each pair of each text");

/* A pair, and how many texts that have none yet have it. */
struct pair {
	uint16_t bytes;
	uint16_t last; /* 1 + the last text that was counted for it; 0: a free slot */
	uint32_t texts;
};

struct choice {
	const uint8_t *common;
	const struct str *texts;
	size_t count, left;
	uint32_t *ends;
	size_t used_count;
	unsigned slot_bits; /* of slots so many, twice as many as there can be pairs */
	struct pair slots[SLOTS];
	uint16_t used[PAIRS_TEXTS * WITHIN];
};

static size_t within(struct str text)
{
	return text.len < WITHIN ? text.len : WITHIN;
}

static struct pair *slot_of(struct choice *choice, uint16_t bytes)
{
	size_t at = bytes * UINT32_C(0x9e3779b1) >> (32 - choice->slot_bits);

	while (choice->slots[at].last != 0 && choice->slots[at].bytes != bytes)
		at = (at + 1) & (((size_t)1 << choice->slot_bits) - 1);
	return &choice->slots[at];
}

/* The memory of those that are not needed is not touched. */
static void slots_begin(struct choice *choice)
{
	size_t bytes = 0;

	for (size_t i = 0; i < choice->count; i++)
		bytes += within(choice->texts[i]);
	choice->slot_bits = 1;
	while (choice->slot_bits < SLOTS_BITS && (size_t)1 << choice->slot_bits < 2 * bytes)
		choice->slot_bits++;
	memset(choice->slots, 0, sizeof(choice->slots[0]) << choice->slot_bits);
	choice->used_count = 0;
}

static void text_count(struct choice *choice, size_t text)
{
	for (size_t at = 0; at + 1 < within(choice->texts[text]); at++) {
		uint16_t bytes = pair_at(choice->texts[text].ptr + at);
		struct pair *pair = slot_of(choice, bytes);

		if (pair->last == 0) {
			pair->bytes = bytes;
			choice->used[choice->used_count++] = (uint16_t)(pair - choice->slots);
		}
		pair->texts += pair->last != text + 1;
		pair->last = (uint16_t)(text + 1);
	}
}

/* The one that serves most texts for what it costs. */
static const struct pair *pair_best(const struct choice *choice)
{
	const struct pair *best = NULL;
	uint32_t best_texts = 0, best_cost = 1;

	for (size_t i = 0; i < choice->used_count; i++) {
		const struct pair *pair = &choice->slots[choice->used[i]];
		uint32_t cost = 1 + 2u * choice->common[pair->bytes];

		if (pair->texts * best_cost > best_texts * cost) {
			best = pair;
			best_texts = pair->texts;
			best_cost = cost;
		}
	}
	return best;
}

/* Its pairs are of no more use to it. */
static void text_uncount(struct choice *choice, size_t text)
{
	struct str is = choice->texts[text];

	for (size_t at = 0; at + 1 < within(is); at++) {
		uint16_t bytes = pair_at(is.ptr + at);
		bool again = false;

		for (size_t i = 0; i < at && !again; i++)
			again = pair_at(is.ptr + i) == bytes;
		slot_of(choice, bytes)->texts -= !again;
	}
	choice->left--;
}

/* Gives the texts that have no pair yet this one, as far as they have it; how many. */
static size_t pair_take(struct choice *choice, uint16_t bytes)
{
	size_t taken = 0;

	for (size_t i = 0; i < choice->count; i++) {
		struct str text = choice->texts[i];

		for (size_t at = 0; choice->ends[i] == 0 && at + 1 < within(text); at++) {
			if (pair_at(text.ptr + at) != bytes)
				continue;
			choice->ends[i] = (uint32_t)at + 1;
			text_uncount(choice, i);
			taken++;
		}
	}
	return taken;
}

bool pairs_choose(const uint8_t common[1u << 16], const struct str *texts, size_t count,
    uint32_t *ends)
{
	struct choice choice __attribute__((uninitialized)); /* slots_begin: as far as needed */
	size_t groups = 0, often = 0;

	if (count > PAIRS_TEXTS)
		return false;
	choice.common = common;
	choice.texts = texts;
	choice.count = choice.left = count;
	choice.ends = ends;
	slots_begin(&choice);
	for (size_t i = 0; i < count; i++) {
		ends[i] = 0;
		text_count(&choice, i);
	}
	while (choice.left > 0 && groups <= PAIRS_GROUPS && often <= COMMON_MOST) {
		const struct pair *pair = pair_best(&choice);

		if (pair == NULL) /* a text of one byte */
			return false;
		often += common[pair->bytes];
		groups += (pair_take(&choice, pair->bytes) + PAIRS_GROUPS - 1) / PAIRS_GROUPS;
	}
	return groups <= PAIRS_GROUPS && often <= COMMON_MOST;
}
