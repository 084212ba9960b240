/*
 * formula.h - a condition over rules: "a and b and not c". Lives for the loading.
 */
#ifndef TOCSIN_SIGMA_FORMULA_H
#define TOCSIN_SIGMA_FORMULA_H

#include "sigma/builder.h"

#define FORMULA_NAMES 64u /* different rules in one */
#define FORMULA_TERMS 64u /* alternatives that it stands for */

struct formula;

/* The grammar alone: and, or, not, parentheses, words in any case. 0, ERR_DOCUMENT, ERR_MEMORY. */
int formula_parse(struct builder *builder, const struct yaml_node *node, struct formula **ret);
/*
 * Its names in the order in which they first occur, as a list of texts that stand where they were
 * found. NULL without memory.
 */
const struct yaml_node *formula_list(struct builder *builder, const struct formula *formula);
/*
 * The alternatives: which steps must be there, and which must not. steps: of each name of the list.
 * Refuses what no event can meet and what holds without any.
 */
int formula_terms(struct builder *builder, const struct formula *formula, const uint32_t *steps,
    struct correlation_term **ret, size_t *ret_count);
/* Drops what another alternative takes in. */
size_t terms_absorb(struct correlation_term *terms, size_t count);

#endif
