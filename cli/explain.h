/*
 * explain.h - `tocsin rules explain RULE EVENT`: why a rule matches an event, part by part.
 */
#ifndef TOCSIN_CLI_EXPLAIN_H
#define TOCSIN_CLI_EXPLAIN_H

#include "cli/command.h"

/* The first two words are the verb and the rule. EXIT_OK when some event matches, else EXIT_NO. */
int explain_run(struct context *context, const struct arguments *arguments, struct error *error);

#endif
