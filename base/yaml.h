/*
 * yaml.h - YAML as a tree with positions. The one door to libyaml.
 *
 * Bounded: bytes, nodes, depth and expansion of aliases each have a ceiling, and passing one is
 * ERR_DOCUMENT like any other mistake in the text, with line and column. Nodes live in the arena.
 */
#ifndef TOCSIN_BASE_YAML_H
#define TOCSIN_BASE_YAML_H

#include "base/arena.h"
#include "base/error.h"

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_node {
	enum yaml_kind kind;
	bool quoted;      /* a scalar in quotes or a block: never a number, bool or null */
	unsigned line;    /* from 1 */
	unsigned column;  /* from 1 */
	struct str scalar;
	struct str key;   /* when the parent is a map: the key's text */
	unsigned key_line, key_column;
	struct yaml_node *first; /* children in order */
	struct yaml_node *next;
	size_t count;
};

struct yaml_limits {
	size_t bytes, nodes, depth;
};
/* 256 KiB, 65,536 nodes, depth 64; aliases count as the nodes that they stand for. */
extern const struct yaml_limits yaml_limits_default;

/*
 * Parses text (of file, for messages) into its documents: *ret points to an array of count roots;
 * an empty document is a NULL root. Returns 0, ERR_DOCUMENT or ERR_MEMORY.
 */
int yaml_parse(struct arena *arena, struct str text, const char *file,
    const struct yaml_limits *limits, struct yaml_node ***ret, size_t *ret_count,
    struct error *error);

/* The value of a key in a map, or NULL. The first of duplicates; yaml_parse refuses duplicates. */
const struct yaml_node *yaml_get(const struct yaml_node *map, struct str key);
/* Plain null: "", "~", "null". */
bool yaml_is_null(const struct yaml_node *node);
/* Plain integers (decimal, 0x), floats, and the YAML 1.2 booleans true and false. */
bool yaml_to_i64(const struct yaml_node *node, int64_t *ret);
bool yaml_to_double(const struct yaml_node *node, double *ret);
bool yaml_to_bool(const struct yaml_node *node, bool *ret);

#endif
