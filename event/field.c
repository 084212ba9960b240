/*
 * The names are few and fixed, so the table is small, open-addressed and at most a quarter full: a
 * lookup is one hash of the name, about one probe and one comparison. A stranger chooses what is
 * looked up but not what is in the table, so the hash needs no key.
 */
#include "event/field.h"

#include "base/check.h"

#include <pthread.h>
#include <string.h>

#define SLOTS 512u

struct taxon {
	struct str name, ecs, meaning;
};

static const struct taxon taxonomy[] = {
	[FIELD_OTHER] = {{"", 0}, {"", 0}, {"", 0}},
#define FIELD(symbol, sigma, ecs, meaning)                                                         \
	[FIELD_##symbol] = {                                                                       \
	    {sigma, sizeof(sigma) - 1}, {ecs, sizeof(ecs) - 1}, {meaning, sizeof(meaning) - 1}},
#include "event/field.def"
#undef FIELD
};

_Static_assert(FIELD_COUNT <= SLOTS / 4, "the table of field names is at most a quarter full");

static uint16_t slots[SLOTS];
static pthread_once_t built = PTHREAD_ONCE_INIT;

static unsigned name_hash(struct str name)
{
	uint64_t hash = name.len;
	uint64_t word;

	for (; name.len >= 8; name.ptr += 8, name.len -= 8) {
		memcpy(&word, name.ptr, 8);
		hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29;
	}
	word = 0;
	if (name.len > 0)
		memcpy(&word, name.ptr, name.len);
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return (unsigned)(hash >> 55);
}

static void slots_build(void)
{
	for (unsigned id = 1; id < FIELD_COUNT; id++) {
		unsigned at = name_hash(taxonomy[id].name) % SLOTS;

		for (; slots[at] != 0; at = (at + 1) % SLOTS)
			CHECK(!str_eq(taxonomy[slots[at]].name, taxonomy[id].name));
		slots[at] = (uint16_t)id;
	}
}

enum field_id field_lookup(struct str name)
{
	pthread_once(&built, slots_build);
	for (unsigned at = name_hash(name) % SLOTS; slots[at] != 0; at = (at + 1) % SLOTS) {
		if (str_eq(taxonomy[slots[at]].name, name))
			return (enum field_id)slots[at];
	}
	return FIELD_OTHER;
}

struct str field_name(enum field_id id)
{
	CHECK((unsigned)id < FIELD_COUNT);
	return taxonomy[id].name;
}

struct str field_ecs(enum field_id id)
{
	CHECK((unsigned)id < FIELD_COUNT);
	return taxonomy[id].ecs;
}

struct str field_meaning(enum field_id id)
{
	CHECK((unsigned)id < FIELD_COUNT);
	return taxonomy[id].meaning;
}
