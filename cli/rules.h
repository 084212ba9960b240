/*
 * rules.h - the subcommands of `tocsin rules`, one file each. Each returns an exit code, or a
 * negative code with *error filled.
 */
#ifndef TOCSIN_CLI_RULES_H
#define TOCSIN_CLI_RULES_H

#include "cli/command.h"

int rules_check(struct context *context, const struct arguments *arguments, struct error *error);
int rules_import(struct context *context, const struct arguments *arguments, struct error *error);
int rules_stats(struct context *context, const struct arguments *arguments, struct error *error);
int rules_test(struct context *context, const struct arguments *arguments, struct error *error);

/* Words behind the verb are files and folders; without any, rules.paths of the configuration. */
int rules_load(struct context *context, const struct arguments *arguments,
    void (*refused)(void *, const struct error *), void *argument, struct ruleset **ret,
    struct error *error);

/* By id or name, else by the beginning of one id. *ret_count: how many there are, 2 for several. */
const struct rule *rules_find(const struct ruleset *ruleset, struct str wanted,
    size_t *ret_count);

/* Its title in the language of the process. */
struct str rules_title(const struct rule *rule);
/* --top N, if it is given: at most so many rows; 0 is all. */
int rules_top(const struct arguments *arguments, size_t *ret, struct error *error);

/* For rules_load: tells each refusal on standard error, and counts. */
struct rules_refusals {
	bool quiet;
	size_t count;
};
void rules_refusal(void *argument, const struct error *error);

#endif
