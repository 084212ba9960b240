/*
 * builder.h - what is shared while a ruleset is made: its arena, the slots and predicates found so
 * far, and where to say what is wrong.
 *
 * Memory is taken from two arenas with a ceiling each, so a failure is ERR_MEMORY, never an abort.
 */
#ifndef TOCSIN_SIGMA_BUILDER_H
#define TOCSIN_SIGMA_BUILDER_H

#include "base/yaml.h"
#include "sigma/program.h"

struct builder {
	struct arena *arena;   /* lifetime of the ruleset */
	struct arena *scratch; /* of the loading */
	const char *file;      /* that is read now */
	struct error *error;   /* of the document that is read now */

	struct slot *slots;
	size_t slot_count, slot_capacity;
	struct predicate *predicates;
	size_t predicate_count, predicate_capacity;
	struct regex **regexes; /* to be freed */
	size_t regex_count, regex_capacity;
	const struct placeholders *placeholders; /* lists of the modifier expand */
	size_t expanded; /* alternatives that it has made */
	uint32_t *slot_table, *predicate_table; /* index + 1; power of two, at most half full */
	size_t slot_table_size, predicate_table_size;
};

/* ERR_DOCUMENT at a place of the file. */
#define builder_refuse(builder, line, column, ...)                                                 \
	error_at((builder)->error, ERR_DOCUMENT, (builder)->file, (line), (column), __VA_ARGS__)
#define builder_refuse_node(builder, node, ...)                                                    \
	builder_refuse((builder), (node)->line, (node)->column, __VA_ARGS__)
#define builder_refuse_key(builder, node, ...)                                                     \
	builder_refuse((builder), (node)->key_line, (node)->key_column, __VA_ARGS__)
int builder_no_memory(struct builder *builder);

/* Doubles an array in the arena when count has reached its capacity; false without memory. */
bool array_grow(struct arena *arena, void *array, size_t count, size_t *capacity, size_t size);

/* The slot of that field, made when it is new. */
int builder_slot(struct builder *builder, struct str field, uint32_t *ret);
/* Interns: equal predicates get one index. Fills predicate->hash. 0 or ERR_MEMORY. */
int builder_predicate(struct builder *builder, struct predicate predicate, uint32_t *ret);

/* NULL without memory. Children may not be NULL; a group of one is that one. */
const struct expression *expression_predicate(struct builder *builder, uint32_t predicate);
const struct expression *expression_group(struct builder *builder, enum expression_kind kind,
    const struct expression **children, size_t count);
const struct expression *expression_not(struct builder *builder, const struct expression *child);
/* The same under a name, which is copied. */
const struct expression *expression_named(struct builder *builder,
    const struct expression *expression, struct str name);
/* Holds for no event. */
const struct expression *expression_never(struct builder *builder);
const struct expression *expression_at_least(struct builder *builder, uint32_t need,
    const struct expression **children, size_t count);

/*
 * The key of everything that names a compiled form; fixed, since those names are compared for ever.
 */
struct hash128 content_hash(struct str bytes);
/* Appends text with its length. */
void content_put(struct buf *out, struct str text);

#endif
