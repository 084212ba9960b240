/*
 * lint_cost.h - what a rule costs the matcher, told where the rule says it.
 */
#ifndef TOCSIN_CLI_LINT_COST_H
#define TOCSIN_CLI_LINT_COST_H

#include "sigma/lint.h"
#include "sigma/ruleset.h"

/* Tells each plain rule that cannot be looked up, or only by next to nothing. */
void lint_cost(const struct ruleset *ruleset, const struct linter *linter,
    void (*found)(void *context, const struct lint_finding *finding), void *context);

#endif
