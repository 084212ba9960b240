/*
 * why.h - why a correlation fired: its condition, and the rules whose events it counted.
 */
#ifndef TOCSIN_CLI_WHY_H
#define TOCSIN_CLI_WHY_H

#include "cli/context.h"
#include "event/alert.h"

/*
 * Appends lines, divided by LF, for an alert of a correlation; nothing for one of a plain rule. The
 * alert names rules by id: their titles and the condition are those of the rules as they are now,
 * and the text says so when the rule has changed. ruleset may be NULL: ids stand for titles.
 */
void why_write(struct buf *out, const struct alert *alert, const struct ruleset *ruleset);

#endif
