#include "correlator/matcher_class.h"

#include <stdlib.h>
#include <string.h>

#define CLASSES_MAX 4096u
#define BUCKETS     1024u

/* Names of log sources, 1 and up, open addressing. */
struct classes {
	const struct ruleset *ruleset;
	struct str *names;
	size_t mask;
	struct class *buckets[BUCKETS];
	size_t count;
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
	if (classes->names == NULL) {
		free(classes);
		return NULL;
	}
	for (uint32_t i = 0; i < ruleset_count(ruleset); i++) {
		const struct rule *rule = ruleset_rule(ruleset, i);

		name_add(classes, rule->product);
		name_add(classes, rule->service);
		name_add(classes, rule->category);
	}
	return classes;
}

static void class_free(struct class *class)
{
	if (class == NULL)
		return;
	index_free(class->index);
	free(class->rules);
	free(class);
}

void classes_free(struct classes *classes)
{
	if (classes == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		while (classes->buckets[i] != NULL) {
			struct class *next = classes->buckets[i]->next;

			class_free(classes->buckets[i]);
			classes->buckets[i] = next;
		}
	}
	free(classes->names);
	free(classes);
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

static bool class_covers(const struct classes *classes, const struct class *class,
    const struct rule *rule)
{
	uint32_t category = name_number(classes, rule->category);
	bool found = category == 0;

	if (rule->kind != RULE_PLAIN ||
	    (rule->product.len > 0 && name_number(classes, rule->product) != class->product) ||
	    (rule->service.len > 0 && name_number(classes, rule->service) != class->service))
		return false;
	for (size_t i = 0; i < RECORD_CATEGORIES; i++)
		found |= class->categories[i] == category;
	return found;
}

static struct class *class_make(struct classes *classes, const struct class *key)
{
	size_t count = ruleset_count(classes->ruleset);
	struct class *class = malloc(sizeof(*class));

	if (class == NULL)
		return NULL;
	*class = *key;
	class->rules = malloc((count + 1) * sizeof(*class->rules));
	for (uint32_t i = 0; class->rules != NULL && i < count; i++) {
		if (class_covers(classes, class, ruleset_rule(classes->ruleset, i)))
			class->rules[class->rule_count++] = i;
	}
	if (class->rules != NULL)
		class->index = index_new(ruleset_program(classes->ruleset), class->rules,
		    class->rule_count);
	if (class->index == NULL) {
		class_free(class);
		return NULL;
	}
	return class;
}

struct class *classes_find(struct classes *classes, const struct record *record)
{
	struct class key = class_of(classes, record);
	struct class **bucket = &classes->buckets[class_bucket(&key)];

	for (struct class *class = *bucket; class != NULL; class = class->next) {
		if (class_same(class, &key))
			return class;
	}
	struct class *made = classes->count < CLASSES_MAX ? class_make(classes, &key) : NULL;

	if (made != NULL) {
		made->next = *bucket;
		*bucket = made;
		classes->count++;
	}
	return made;
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
			ret[count++] = source_of(classes, class);
	return count;
}
