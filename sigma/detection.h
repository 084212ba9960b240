/*
 * detection.h - the part "detection" of a rule: search identifiers and a condition over them,
 * compiled to one expression.
 */
#ifndef TOCSIN_SIGMA_DETECTION_H
#define TOCSIN_SIGMA_DETECTION_H

#include "sigma/builder.h"

/* A search identifier. */
struct detection {
	struct str name;
	const struct expression *expression;
};

/*
 * The map behind "detection", or behind "filter", where the key reserved is no detection. 0,
 * ERR_DOCUMENT with a position, or ERR_MEMORY.
 */
int detection_compile(struct builder *builder, const struct yaml_node *node, struct str reserved,
    const struct expression **ret);
/* One condition over detections (condition.c). */
int condition_compile(struct builder *builder, const struct yaml_node *node,
    const struct detection *detections, size_t count, const struct expression **ret);

#endif
