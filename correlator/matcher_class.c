#include "correlator/matcher_class.h"

#include <stdlib.h>
#include <string.h>

#define CLASSES_MAX 4096u
#define BUCKETS     1024u
#define STUDIES_MAX 64u
#define RECENT      256u /* log sources whose class is known without looking names up */
#define NAME_MOST   48u
#define PARTS       (2 + RECORD_CATEGORIES)
#define TURN_FADES  3u /* how often what was studied is halved when events are others now */

struct class {
	uint32_t product, service; /* numbers of names; 0: one that no rule uses, or none */
	uint32_t categories[RECORD_CATEGORIES]; /* ascending, 0 first */
	struct group *group;
	bool met; /* by an event */
	struct class *next;
};

/* What a rule is for, in numbers of names; 0: any. */
struct source {
	uint32_t product, service, category;
};

/* A log source that was there before, by its own bytes: what it points at may be another now. */
struct recent {
	struct group *group; /* NULL: free */
	uint8_t category_count;
	uint8_t lengths[PARTS];
	char names[PARTS * NAME_MOST];
};

/* Names of log sources, 1 and up, open addressing. */
struct classes {
	const struct ruleset *ruleset;
	struct str *names;
	size_t mask;
	struct source *sources; /* by rule */
	struct chooser chooser;
	struct class *buckets[BUCKETS];
	struct group *groups;
	size_t count, group_count, study_count;
	uint64_t indexes_made;
	struct recent recents[RECENT];
};

static size_t spread(struct str name)
{
	uint64_t hash = name.len;

	for (size_t i = 0; i < name.len; i++)
		hash = (hash ^ (uint8_t)name.ptr[i]) * UINT64_C(0x100000001b3);
	return (size_t)(hash ^ hash >> 32);
}

/* The place of a name, or the free place where it would stand. */
static size_t name_place(const struct classes *classes, struct str name)
{
	size_t at = spread(name) & classes->mask;

	while (classes->names[at].ptr != NULL && !str_eq(classes->names[at], name))
		at = (at + 1) & classes->mask;
	return at;
}

static uint32_t name_number(const struct classes *classes, struct str name)
{
	if (name.len == 0)
		return 0;
	size_t at = name_place(classes, name);

	return classes->names[at].ptr == NULL ? 0 : (uint32_t)at + 1;
}

static void name_add(struct classes *classes, struct str name)
{
	if (name.len > 0)
		classes->names[name_place(classes, name)] = name;
}

struct classes *classes_new(const struct ruleset *ruleset)
{
	struct classes *classes = calloc(1, sizeof(*classes));
	size_t size = 64;

	if (classes == NULL)
		return NULL;
	classes->ruleset = ruleset;
	while (size < ruleset_count(ruleset) * 6)
		size *= 2;
	classes->mask = size - 1;
	classes->names = calloc(size, sizeof(*classes->names));
	classes->sources = calloc(ruleset_count(ruleset) + 1, sizeof(*classes->sources));
	if (!chooser_new(&classes->chooser, ruleset) || classes->names == NULL ||
	    classes->sources == NULL) {
		classes_free(classes);
		return NULL;
	}
	for (uint32_t i = 0; i < ruleset_count(ruleset); i++) {
		const struct rule *rule = ruleset_rule(ruleset, i);

		name_add(classes, rule->product);
		name_add(classes, rule->service);
		name_add(classes, rule->category);
	}
	for (uint32_t i = 0; i < ruleset_count(ruleset); i++) {
		const struct rule *rule = ruleset_rule(ruleset, i);

		classes->sources[i] = (struct source){name_number(classes, rule->product),
		    name_number(classes, rule->service), name_number(classes, rule->category)};
	}
	return classes;
}

static struct class class_of(const struct classes *classes, const struct record *record)
{
	struct class class = {.product = name_number(classes, record->product),
	    .service = name_number(classes, record->service)};
	size_t count = 0;

	for (size_t i = 0; i < record->category_count; i++) {
		uint32_t number = name_number(classes, record->categories[i]);
		size_t at = count;

		if (number == 0)
			continue;
		for (; at > 0 && class.categories[at - 1] > number; at--)
			class.categories[at] = class.categories[at - 1];
		class.categories[at] = number;
		count++;
	}
	return class;
}

static bool class_same(const struct class *a, const struct class *b)
{
	return a->product == b->product && a->service == b->service &&
	    memcmp(a->categories, b->categories, sizeof(a->categories)) == 0;
}

static size_t class_bucket(const struct class *class)
{
	uint64_t hash = (uint64_t)class->product << 32 | class->service;

	for (size_t i = 0; i < RECORD_CATEGORIES; i++)
		hash = (hash ^ class->categories[i]) * UINT64_C(0x9e3779b97f4a7c15);
	return (size_t)(hash >> 40) % BUCKETS;
}

static bool class_covers(const struct class *class, const struct source *source)
{
	bool found = source->category == 0;

	if ((source->product != 0 && source->product != class->product) ||
	    (source->service != 0 && source->service != class->service))
		return false;
	for (size_t i = 0; i < RECORD_CATEGORIES; i++)
		found |= class->categories[i] == source->category;
	return found;
}

static void group_free(struct group *group)
{
	if (group == NULL)
		return;
	index_free(group->index);
	index_free(group->whole);
	study_free(group->own);
	free(group->rules);
	free(group);
}

void classes_free(struct classes *classes)
{
	if (classes == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		while (classes->buckets[i] != NULL) {
			struct class *next = classes->buckets[i]->next;

			free(classes->buckets[i]);
			classes->buckets[i] = next;
		}
	}
	while (classes->groups != NULL) {
		struct group *next = classes->groups->next;

		group_free(classes->groups);
		classes->groups = next;
	}
	chooser_free(&classes->chooser);
	free(classes->names);
	free(classes->sources);
	free(classes);
}

static bool rules_collect(const struct classes *classes, const struct class *class,
    struct group *group)
{
	size_t count = ruleset_count(classes->ruleset);

	group->rules = malloc((count + 1) * sizeof(*group->rules));
	for (uint32_t i = 0; group->rules != NULL && i < count; i++) {
		if (ruleset_rule(classes->ruleset, i)->kind == RULE_PLAIN &&
		    class_covers(class, &classes->sources[i]))
			group->rules[group->rule_count++] = i;
	}
	return group->rules != NULL;
}

static struct group *group_same(const struct classes *classes, const struct group *as)
{
	struct group *group = classes->groups;

	while (group != NULL && (group->rule_count != as->rule_count ||
	    memcmp(group->rules, as->rules, as->rule_count * sizeof(*as->rules)) != 0))
		group = group->next;
	return group;
}

/* False: too many groups have one, or without memory; the group goes on with the index it has. */
static bool group_study_begin(struct classes *classes, struct group *group)
{
	if (group->own != NULL)
		return true;
	if (classes->study_count >= STUDIES_MAX)
		return false;
	group->own = study_new(classes->chooser.general);
	if (group->own == NULL)
		return false;
	classes->study_count++;
	group->study = group->own;
	return true;
}

static struct group *group_make(struct classes *classes, const struct class *class)
{
	struct group *group = calloc(1, sizeof(*group));

	if (group == NULL || !rules_collect(classes, class, group)) {
		group_free(group);
		return NULL;
	}
	struct group *same = group_same(classes, group);

	if (same != NULL) {
		group_free(group);
		return same;
	}
	group->study = classes->chooser.nothing;
	group->index = index_new(
	    &classes->chooser, group->study, group->rules, group->rule_count);
	if (group->index == NULL) {
		group_free(group);
		return NULL;
	}
	group->upkeep = upkeep_begin(index_cost(group->index));
	group->next = classes->groups;
	classes->groups = group;
	classes->group_count++;
	classes->indexes_made++;
	return group;
}

static struct class *class_make(struct classes *classes, const struct class *key)
{
	struct class *class = malloc(sizeof(*class));

	if (class == NULL)
		return NULL;
	*class = *key;
	class->group = group_make(classes, key);
	if (class->group == NULL) {
		free(class);
		return NULL;
	}
	return class;
}

static struct class *class_find(struct classes *classes, const struct record *record)
{
	struct class key = class_of(classes, record);
	struct class **bucket = &classes->buckets[class_bucket(&key)];

	for (struct class *class = *bucket; class != NULL; class = class->next) {
		if (class_same(class, &key))
			return class;
	}
	struct class *made = classes->count < CLASSES_MAX ? class_make(classes, &key) : NULL;

	if (made == NULL)
		return NULL;
	made->next = *bucket;
	*bucket = made;
	classes->count++;
	return made;
}

bool classes_warm(struct classes *classes, const struct record *record)
{
	return class_find(classes, record) != NULL;
}

static struct str part_of(const struct record *record, size_t part)
{
	if (part < 2)
		return part == 0 ? record->product : record->service;
	return part - 2 < record->category_count ? record->categories[part - 2] : STR_NONE;
}

/* Only to spread: the first and the last bytes of each name. */
static inline uint32_t name_spread(uint32_t hash, struct str name)
{
	hash = hash * 31 + (uint32_t)name.len;
	if (name.len < 4)
		return hash;
	return ((hash ^ gram_word(name.ptr)) * UINT32_C(0x9e3779b1)) ^
	    gram_word(name.ptr + name.len - 4);
}

static size_t recent_place(const struct record *record)
{
	uint32_t hash = name_spread(name_spread(0, record->product), record->service);

	for (size_t i = 0; i < record->category_count; i++)
		hash = name_spread(hash, record->categories[i]);
	return (hash * UINT32_C(0x9e3779b1)) >> 24;
}

_Static_assert(RECENT == 1u << (32 - 24), "recent_place gives as many places as there are");

/* For names: mostly 6 to 20 bytes. */
static inline bool bytes_equal(const char *a, const char *b, size_t len)
{
	uint64_t one, other;

	if (len < 4) {
		for (size_t i = 0; i < len; i++) {
			if (a[i] != b[i])
				return false;
		}
		return true;
	}
	if (len < 8)
		return gram_word(a) == gram_word(b) &&
		    gram_word(a + len - 4) == gram_word(b + len - 4);
	for (size_t at = 0; at + 8 < len; at += 8) {
		memcpy(&one, a + at, 8);
		memcpy(&other, b + at, 8);
		if (one != other)
			return false;
	}
	memcpy(&one, a + len - 8, 8);
	memcpy(&other, b + len - 8, 8);
	return one == other;
}

/* Compares a name and moves on behind it. */
static inline bool part_is(const struct recent *recent, size_t part, const char **name,
    struct str is)
{
	const char *at = *name;

	*name += is.len;
	return is.len == recent->lengths[part] && bytes_equal(at, is.ptr, is.len);
}

static bool recent_is(const struct recent *recent, const struct record *record)
{
	const char *name = recent->names;

	if (recent->group == NULL || recent->category_count != record->category_count ||
	    !part_is(recent, 0, &name, record->product) ||
	    !part_is(recent, 1, &name, record->service))
		return false;
	for (size_t i = 0; i < record->category_count; i++) {
		if (!part_is(recent, 2 + i, &name, record->categories[i]))
			return false;
	}
	return true;
}

static void recent_put(struct recent *recent, const struct record *record, struct group *group)
{
	char *name = recent->names;

	*recent = (struct recent){.category_count = (uint8_t)record->category_count};
	for (size_t i = 0; i < 2 + record->category_count; i++) {
		struct str part = part_of(record, i);

		if (part.len > NAME_MOST)
			return;
		recent->lengths[i] = (uint8_t)part.len;
		if (part.len > 0)
			memcpy(name, part.ptr, part.len);
		name += part.len;
	}
	recent->group = group;
}

struct group *classes_find(struct classes *classes, const struct record *record)
{
	struct recent *recent = &classes->recents[recent_place(record)];

	if (recent_is(recent, record))
		return recent->group;
	struct class *class = class_find(classes, record);

	if (class == NULL)
		return NULL;
	class->met = true;
	recent_put(recent, record, class->group);
	return class->group;
}

/* The old index stays where there is no memory for another. */
static void group_make_again(struct classes *classes, struct group *group)
{
	struct index *made = index_new(
	    &classes->chooser, group->study, group->rules, group->rule_count);

	study_fade(group->own);
	if (made != NULL) {
		if (group->upkeep.made > 0) /* the steps of the first know nothing of this group */
			index_hand_on(group->index, made);
		index_free(group->index);
		group->index = made;
		classes->indexes_made++;
	}
	upkeep_made(&group->upkeep, index_cost(group->index));
}

struct index *classes_whole(struct classes *classes, struct group *group)
{
	if (group->whole == NULL)
		group->whole = index_new_whole(&classes->chooser, group->study,
		    group->rules, group->rule_count);
	return group->whole;
}

void classes_look(struct classes *classes, struct group *group, struct view *view)
{
	enum upkeep_answer answer = upkeep_look(&group->upkeep);

	if (answer == UPKEEP_GO_ON || !group_study_begin(classes, group))
		return;
	for (unsigned i = 0; answer == UPKEEP_TURN && i < TURN_FADES; i++)
		study_fade(group->own);
	study_take(group->own, view);
	if (answer == UPKEEP_MAKE)
		group_make_again(classes, group);
}

struct classes_size classes_size(const struct classes *classes)
{
	struct classes_size size = {.classes = classes->count, .groups = classes->group_count,
	    .study_bytes = classes->study_count * study_bytes(),
	    .indexes_made = classes->indexes_made};

	for (const struct group *group = classes->groups; group != NULL; group = group->next)
		size.index_bytes += index_bytes(group->index) +
		    (group->whole == NULL ? 0 : index_bytes(group->whole));
	return size;
}

static struct str name_of(const struct classes *classes, uint32_t number)
{
	return number == 0 ? STR_NONE : classes->names[number - 1];
}

static struct matcher_source source_of(const struct classes *classes, const struct class *class)
{
	struct matcher_source source = {.product = name_of(classes, class->product),
	    .service = name_of(classes, class->service)};

	for (size_t i = 0; i < RECORD_CATEGORIES; i++)
		if (class->categories[i] != 0)
			source.categories[source.category_count++] =
			    name_of(classes, class->categories[i]);
	return source;
}

size_t classes_sources(const struct classes *classes, struct matcher_source *ret, size_t max)
{
	size_t count = 0;

	for (size_t i = 0; i < BUCKETS; i++)
		for (const struct class *class = classes->buckets[i];
		    class != NULL && count < max; class = class->next)
			if (class->met)
				ret[count++] = source_of(classes, class);
	return count;
}
