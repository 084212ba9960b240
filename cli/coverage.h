/*
 * coverage.h - `tocsin rules coverage`: which techniques of MITRE ATT&CK the rules name.
 */
#ifndef TOCSIN_CLI_COVERAGE_H
#define TOCSIN_CLI_COVERAGE_H

#include "base/arena.h"
#include "base/error.h"
#include "sigma/ruleset.h"

/*
 * A table by tactic, or a layer for the ATT&CK Navigator (layer format 4.5), where the score of a
 * technique is the number of its rules.
 */
int coverage_print(const struct ruleset *ruleset, const char *name, bool layer,
    struct error *error);

#endif
