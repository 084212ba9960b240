/*
 * A lookup is one hash of the name, about one probe and one comparison of a table at most half
 * full. A stranger chooses what is looked up; what is in the table is the taxonomy and what rules
 * name, so the hash needs no key. Readers take no lock: a node is whole before a table shows it,
 * and a table that was outgrown stays, as a reader may be in it.
 */
#include "event/field.h"

#include "base/check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_FIRST 512u
#define CHUNK       1024u
#define NAME_MOST   4096u

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

struct node {
	struct str name;
	uint64_t hash;
	unsigned id;
};

struct table {
	size_t mask;
	struct table *outgrown;
	const struct node *_Atomic places[];
};

_Static_assert(FIELD_COUNT * 2 <= TABLE_FIRST, "the table of field names is at most half full");

static struct node taxa[FIELD_COUNT];
/* The taxonomy's table: there before anything else, memory or not. */
static _Alignas(struct table) unsigned char
    first_table[sizeof(struct table) + TABLE_FIRST * sizeof(void *)];
static struct table *_Atomic table;
static struct node *_Atomic chunks[FIELD_MOST / CHUNK]; /* interned nodes by id - FIELD_COUNT */
static _Atomic uint32_t interned;
static pthread_mutex_t interning = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t built = PTHREAD_ONCE_INIT;

/* At most 8 bytes as a number, without reading beyond them. */
static inline uint64_t few_bytes(const char *at, size_t len)
{
	uint32_t low, high;

	if (len >= 4) {
		memcpy(&low, at, 4);
		memcpy(&high, at + len - 4, 4);
		return (uint64_t)high << 32 | low;
	}
	if (len == 0)
		return 0;
	return (uint64_t)(uint8_t)at[0] | (uint64_t)(uint8_t)at[len / 2] << 8 |
	    (uint64_t)(uint8_t)at[len - 1] << 16;
}

static inline uint64_t name_hash(struct str name)
{
	uint64_t hash = name.len;
	uint64_t word;

	for (; name.len > 8; name.ptr += 8, name.len -= 8) {
		memcpy(&word, name.ptr, 8);
		hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29;
	}
	hash = (hash ^ few_bytes(name.ptr, name.len)) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 32;
}

static void node_place(struct table *in, const struct node *node)
{
	size_t at = node->hash & in->mask;

	while (atomic_load_explicit(&in->places[at], memory_order_relaxed) != NULL)
		at = (at + 1) & in->mask;
	atomic_store_explicit(&in->places[at], node, memory_order_release);
}

static struct table *table_new(size_t size)
{
	struct table *made = calloc(1, sizeof(*made) + size * sizeof(made->places[0]));

	if (made != NULL)
		made->mask = size - 1;
	return made;
}

static void table_build(void)
{
	struct table *first = (struct table *)(void *)first_table;

	first->mask = TABLE_FIRST - 1;
	for (unsigned id = 1; id < FIELD_COUNT; id++) {
		struct str name = taxonomy[id].name;

		taxa[id] = (struct node){name, name_hash(name), id};
		node_place(first, &taxa[id]);
	}
	atomic_store_explicit(&table, first, memory_order_release);
}

static struct table *table_now(void)
{
	struct table *now = atomic_load_explicit(&table, memory_order_acquire);

	if (now == NULL) {
		pthread_once(&built, table_build);
		now = atomic_load_explicit(&table, memory_order_acquire);
	}
	return now;
}

static unsigned name_find(const struct table *in, struct str name, uint64_t hash)
{
	for (size_t at = hash & in->mask;; at = (at + 1) & in->mask) {
		const struct node *node =
		    atomic_load_explicit(&in->places[at], memory_order_acquire);

		if (node == NULL)
			return FIELD_OTHER;
		if (node->hash == hash && str_eq(node->name, name))
			return node->id;
	}
}

enum field_id field_lookup(struct str name)
{
	return (enum field_id)name_find(table_now(), name, name_hash(name));
}

static struct node *node_of(unsigned index)
{
	struct node *chunk = atomic_load_explicit(&chunks[index / CHUNK], memory_order_acquire);

	return chunk == NULL ? NULL : &chunk[index % CHUNK];
}

/* The place of the next node, or NULL without memory. */
static struct node *node_next(unsigned index)
{
	if (node_of(index) == NULL) {
		struct node *chunk = calloc(CHUNK, sizeof(*chunk));

		if (chunk == NULL)
			return NULL;
		atomic_store_explicit(&chunks[index / CHUNK], chunk, memory_order_release);
	}
	return node_of(index);
}

/* A table with room for one more, at most half full then; NULL without memory. */
static struct table *table_roomy(unsigned count)
{
	struct table *now = table_now();

	if (((size_t)FIELD_COUNT + count + 1) * 2 <= now->mask + 1)
		return now;
	struct table *grown = table_new((now->mask + 1) * 4);

	if (grown == NULL)
		return NULL;
	for (unsigned id = 1; id < FIELD_COUNT; id++)
		node_place(grown, &taxa[id]);
	for (unsigned i = 0; i < count; i++)
		node_place(grown, node_of(i));
	grown->outgrown = now;
	atomic_store_explicit(&table, grown, memory_order_release);
	return grown;
}

/* With the lock. */
static unsigned name_add(struct str name, uint64_t hash)
{
	unsigned count = atomic_load_explicit(&interned, memory_order_relaxed);
	unsigned found = name_find(table_now(), name, hash);

	if (found != FIELD_OTHER || FIELD_COUNT + count >= FIELD_MOST)
		return found;
	char *copy = malloc(name.len);
	struct node *node = copy == NULL ? NULL : node_next(count);
	struct table *roomy = node == NULL ? NULL : table_roomy(count);

	if (roomy == NULL) {
		free(copy);
		return FIELD_OTHER;
	}
	memcpy(copy, name.ptr, name.len);
	*node = (struct node){{copy, name.len}, hash, FIELD_COUNT + count};
	node_place(roomy, node);
	atomic_store_explicit(&interned, count + 1, memory_order_release);
	return node->id;
}

enum field_id field_intern(struct str name)
{
	enum field_id id = field_lookup(name);

	if (id != FIELD_OTHER || name.len == 0 || name.len > NAME_MOST)
		return id;
	pthread_mutex_lock(&interning);
	id = (enum field_id)name_add(name, name_hash(name));
	pthread_mutex_unlock(&interning);
	return id;
}

uint32_t field_generation(void)
{
	return atomic_load_explicit(&interned, memory_order_acquire);
}

struct str field_name(enum field_id id)
{
	if ((unsigned)id < FIELD_COUNT)
		return taxonomy[id].name;
	CHECK((unsigned)id < FIELD_COUNT + field_generation());
	return node_of((unsigned)id - FIELD_COUNT)->name;
}

struct str field_ecs(enum field_id id)
{
	return (unsigned)id < FIELD_COUNT ? taxonomy[id].ecs : STR_NONE;
}

struct str field_meaning(enum field_id id)
{
	return (unsigned)id < FIELD_COUNT ? taxonomy[id].meaning : STR_NONE;
}
