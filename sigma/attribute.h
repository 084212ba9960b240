/*
 * attribute.h - parts of the custom attribute "tocsin"; private to attribute*.c.
 */
#ifndef TOCSIN_SIGMA_ATTRIBUTE_H
#define TOCSIN_SIGMA_ATTRIBUTE_H

#include "sigma/draft.h"

/* A field name or a list of different ones, at most 16. none: it may be empty. */
int attribute_fields_take(struct builder *builder, const struct yaml_node *node, bool none,
    struct str **ret, size_t *ret_count);

/* tocsin.suppress; check: once all of the document was read. */
int attribute_suppress_read(
    struct builder *builder, const struct yaml_node *node, struct draft *draft);
int attribute_suppress_check(
    struct builder *builder, const struct yaml_node *attribute, struct draft *draft);

/* tocsin.first_seen; check likewise. has: whether the alert tells a field of that name. */
int attribute_first_seen_read(
    struct builder *builder, const struct yaml_node *node, struct draft *draft);
int attribute_first_seen_check(
    struct builder *builder, const struct yaml_node *attribute, struct draft *draft);
bool attribute_first_seen_has(const struct draft *draft, struct str name);

#endif
