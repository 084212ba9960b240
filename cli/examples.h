/*
 * examples.h - the examples that rules bring along (tocsin.examples), each a replay of its own
 * through the same stages as production, over all rules of the set.
 */
#ifndef TOCSIN_CLI_EXAMPLES_H
#define TOCSIN_CLI_EXAMPLES_H

#include "cli/context.h"

#include <stdatomic.h>

struct examples {
	struct context *context; /* its arena grows */
	struct ruleset *ruleset; /* shared with the replays */
	/* Told of each that did not do what it says; may be NULL. */
	void (*failed)(void *argument, const struct rule *rule, const struct rule_example *example,
	    bool raised);
	void *argument;
	const bool *only;        /* by index: the rules whose examples are run; NULL: all */
	const atomic_bool *stop; /* leave off when it becomes true; may be NULL */
};

struct examples_tally {
	size_t passed, failed;
	size_t without; /* rules that lack one that fires, or one that does not */
};

/* 0 also when examples failed; negative when they could not be run. Adds to *ret. */
int examples_run(const struct examples *examples, struct examples_tally *ret,
    struct error *error);
/* "file:line: 'title' fired on 'name', which it must not". */
void examples_explain(struct error *ret, const struct rule *rule,
    const struct rule_example *example, bool raised);

#endif
