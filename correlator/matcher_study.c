#include "correlator/matcher_study.h"

#include <stdlib.h>
#include <string.h>

#define COUNT_BITS   15u
#define VALUE_MOST   1024u /* bytes of a value that are looked at */
#define PRIOR_WEIGHT 2.0F  /* events that general knowledge stands for */
#define FOUR         4u

/* Keys of different meaning differ in this. */
enum what { WHAT_PRESENT = 1, WHAT_EXACT, WHAT_PREFIX, WHAT_SUFFIX, WHAT_FOUR, WHAT_BYTE };

struct study {
	const struct program *program;
	const struct general *general;
	float events;
	uint16_t counts[1u << COUNT_BITS];
};

static uint32_t four_at(const char *at)
{
	uint32_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

static uint64_t eight_at(const char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

static uint64_t salt(uint32_t slot, enum what what)
{
	return ((uint64_t)slot << 3 | (uint64_t)what) * UINT64_C(0xd1b54a32d192ed03);
}

static size_t place(uint64_t salt, uint64_t bytes)
{
	return (size_t)((bytes ^ salt) * UINT64_C(0x9e3779b97f4a7c15) >> (64 - COUNT_BITS));
}

static size_t exact_place(uint32_t slot, struct str text)
{
	uint64_t hash = text.len;

	for (; text.len >= 8; text.ptr += 8, text.len -= 8) {
		hash = (hash ^ eight_at(text.ptr)) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 32;
	}
	for (; text.len > 0; text.ptr++, text.len--)
		hash = hash << 8 ^ (uint8_t)*text.ptr ^ hash >> 56;
	return place(salt(slot, WHAT_EXACT), hash);
}

struct study *study_new(const struct general *general)
{
	const struct program *program = general_program(general);
	struct study *study = calloc(1, sizeof(*study));

	if (study == NULL)
		return NULL;
	study->program = program;
	study->general = general;
	return study;
}

void study_free(struct study *study)
{
	free(study);
}

size_t study_bytes(void)
{
	return sizeof(struct study);
}

static void count_up(struct study *study, size_t place)
{
	uint16_t *count = &study->counts[place];

	*count = (uint16_t)(*count + (*count < UINT16_MAX));
}

/* Each byte that occurs, once. */
static void bytes_take(struct study *study, uint32_t slot, struct str text)
{
	const uint64_t byte = salt(slot, WHAT_BYTE);
	uint64_t seen[4] = {0};

	for (size_t i = 0; i < text.len; i++)
		seen[(uint8_t)text.ptr[i] >> 6] |= UINT64_C(1) << (text.ptr[i] & 63);
	for (uint64_t i = 0; i < 4; i++) {
		for (; seen[i] != 0; seen[i] &= seen[i] - 1)
			count_up(study,
			    place(byte, i << 6 | (uint64_t)__builtin_ctzll(seen[i])));
	}
}

/* wants: bits of GENERAL_. */
static void value_take(struct study *study, uint32_t slot, struct str text, uint8_t wants)
{
	const uint64_t four = salt(slot, WHAT_FOUR);

	if (text.len > VALUE_MOST)
		text.len = VALUE_MOST;
	if (wants & GENERAL_EXACT)
		count_up(study, exact_place(slot, text));
	if ((wants & GENERAL_ENDS) != 0 && text.len >= 8) {
		count_up(study, place(salt(slot, WHAT_PREFIX), eight_at(text.ptr)));
		count_up(study, place(salt(slot, WHAT_SUFFIX), eight_at(text.ptr + text.len - 8)));
	}
	for (size_t at = 0; (wants & GENERAL_FOURS) != 0 && at + FOUR <= text.len; at++)
		count_up(study, place(four, four_at(text.ptr + at)));
	if (wants & GENERAL_BYTES)
		bytes_take(study, slot, text);
}

void study_take(struct study *study, struct view *view)
{
	const uint8_t *wants = general_wants(study->general);

	study->events++;
	for (size_t i = 0; i < view->value_count; i++) {
		struct view_value *value = &view->values[i];
		uint32_t slot = view->shape->slots[i];

		if (slot == SLOT_ANYWHERE || wants[slot] == 0)
			continue;
		if (view_first(view, slot) == i)
			count_up(study, place(salt(slot, WHAT_PRESENT), 0));
		if (wants[slot] != GENERAL_PRESENT && view_kind(view, (uint32_t)i) != FIELD_NULL)
			value_take(study, slot, view_subject(view, value)->folded, wants[slot]);
	}
}

void study_fade(struct study *study)
{
	study->events /= 2;
	for (size_t i = 0; i < sizeof(study->counts) / sizeof(study->counts[0]); i++)
		study->counts[i] /= 2;
}

/* Beside count of the events seen, general knowledge. */
static float blend(const struct study *study, float count, float general)
{
	float share = (count + PRIOR_WEIGHT * general) / (study->events + PRIOR_WEIGHT);

	return share > 1 ? 1 : share;
}

/* At least how often text was in a value of the field. */
static float windows_count(const struct study *study, uint32_t slot, struct str text)
{
	const uint64_t four = salt(slot, WHAT_FOUR);
	unsigned least = UINT16_MAX;

	for (size_t at = 0; at + FOUR <= text.len && least > 0; at++) {
		unsigned count = study->counts[place(four, four_at(text.ptr + at))];

		if (count < least)
			least = count;
	}
	return (float)least < study->events ? (float)least : study->events;
}

/* Less than four bytes: at least how often their rarest was there. */
static float bytes_count(const struct study *study, uint32_t slot, struct str text)
{
	float least = study->events;

	for (size_t i = 0; i < text.len; i++) {
		float count = study->counts[place(salt(slot, WHAT_BYTE), (uint8_t)text.ptr[i])];

		if (count < least)
			least = count;
	}
	return least;
}

static float inside_odds(const struct study *study, const struct predicate *predicate,
    float general)
{
	struct str text = predicate->folded;

	if (predicate->slot == SLOT_ANYWHERE)
		return general;
	return blend(study, text.len < FOUR ? bytes_count(study, predicate->slot, text)
	                                    : windows_count(study, predicate->slot, text), general);
}

static float end_odds(const struct study *study, const struct predicate *predicate, float general)
{
	float inside = inside_odds(study, predicate, general);
	struct str text = predicate->folded;
	bool prefix = predicate->kind == PREDICATE_PREFIX;

	if (predicate->slot == SLOT_ANYWHERE || text.len < 8)
		return inside;
	uint64_t ends = salt(predicate->slot, prefix ? WHAT_PREFIX : WHAT_SUFFIX);
	float odds = blend(study,
	    study->counts[place(ends, eight_at(prefix ? text.ptr : text.ptr + text.len - 8))],
	    general * .6F);

	return odds < inside ? odds : inside;
}

static float exact_odds(const struct study *study, const struct predicate *predicate, float general)
{
	if (predicate->slot == SLOT_ANYWHERE)
		return general;
	return blend(
	    study, study->counts[exact_place(predicate->slot, predicate->folded)], general);
}

float study_presence(const struct study *study, uint32_t slot)
{
	if (slot == SLOT_ANYWHERE)
		return 1;
	return blend(study, study->counts[place(salt(slot, WHAT_PRESENT), 0)], 1);
}

float study_odds(const struct study *study, uint32_t index)
{
	const struct predicate *predicate = &study->program->predicates[index];
	float general = general_odds(study->general)[index];

	switch (predicate->kind) {
	case PREDICATE_EXACT:
		return exact_odds(study, predicate, general);
	case PREDICATE_NUMBER:
		return exact_odds(study, predicate, general) + .01F;
	case PREDICATE_PREFIX:
	case PREDICATE_SUFFIX:
		return end_odds(study, predicate, general);
	case PREDICATE_CONTAINS:
	case PREDICATE_GLOB:
	case PREDICATE_REGEX:
		return inside_odds(study, predicate, general);
	case PREDICATE_CIDR:
	case PREDICATE_TIME:
		return study_presence(study, predicate->slot) * .2F;
	case PREDICATE_COMPARE:
	case PREDICATE_FIELD:
		return study_presence(study, predicate->slot) * .4F;
	case PREDICATE_EXISTS:
		return study_presence(study, predicate->slot);
	case PREDICATE_NULL:
		return 1.01F - study_presence(study, predicate->slot);
	}
	return 1;
}

const uint8_t *study_pairs(const struct study *study)
{
	return general_pairs(study->general);
}

#define RAREST_WITHIN 64u /* bytes of a literal in which its windows are looked for */

/*
 * How common each window of a text is, in 1/1024 events, all with the same factor. Those that were
 * not seen differ by how many letters they have: windows of letters are common.
 */
static void shares_make(const struct study *study, uint32_t slot, struct str text, uint32_t *ret)
{
	const uint16_t *counts = slot == SLOT_ANYWHERE ? NULL : study->counts;
	const uint32_t *general = general_windows(study->general, slot);
	const uint64_t four = salt(slot, WHAT_FOUR);
	uint32_t letters = 0;

	for (size_t i = 0; i < text.len; i++) {
		bool letter = (uint8_t)(text.ptr[i] - 'a') < 26 || text.ptr[i] == ' ';

		letters = letters << 8 | letter;
		if (i + 1 < FOUR)
			continue;
		uint32_t word = four_at(text.ptr + i + 1 - FOUR);
		uint32_t seen = counts == NULL ? 0 : counts[place(four, word)];

		ret[i + 1 - FOUR] = (seen << 10) +
		    (general[general_place(word)] != 0 ? 600 : 2) + (letters * 0x01010101u >> 24);
	}
}

size_t study_rarest(const struct study *study, uint32_t slot, struct str text, size_t windows,
    size_t bytes)
{
	uint32_t shares[RAREST_WITHIN] __attribute__((uninitialized)), sum = 0, least;
	size_t best = 0;

	if (text.len < FOUR || text.len <= bytes)
		return 0;
	if (text.len > RAREST_WITHIN)
		text.len = RAREST_WITHIN;
	shares_make(study, slot, text, shares);
	/* Windows may have less than four bytes: what lies near the end is as common as the end. */
	for (size_t at = text.len - FOUR + 1; at < text.len; at++)
		shares[at] = shares[text.len - FOUR];
	for (size_t at = 0; at < windows; at++)
		sum += shares[at];
	least = sum;
	for (size_t at = 1; at + bytes <= text.len; at++) {
		sum += shares[at + windows - 1] - shares[at - 1];
		if (sum < least) {
			least = sum;
			best = at;
		}
	}
	return best;
}
