/*
 * trial.h - files of events against rules: which rule is raised by which line, by the same
 * decoding, matching and correlating as in production.
 */
#ifndef TOCSIN_CLI_TRIAL_H
#define TOCSIN_CLI_TRIAL_H

#include "cli/context.h"

struct trial;

struct trial_options {
	struct context *context;
	struct ruleset *ruleset; /* outlives it; shared with a replay when it has correlations */
	const bool *wanted;      /* by rule index: which are told */
	int64_t received_ns;     /* chooses the year where lines have none */
	bool json;               /* a line a hit, as a JSON object */
	bool plain;              /* every rule in turn too; what differs is told */
};

struct trial_totals {
	uint64_t lines, matched, undecoded, differences;
};

int trial_open(struct trial **ret, const struct trial_options *options, struct error *error);
void trial_close(struct trial *trial); /* accepts NULL */
/* All lines of a file, "-" for standard input; hits are printed. */
int trial_file(struct trial *trial, const char *path, struct error *error);
/* Lets all windows close: what correlations found is printed. */
int trial_finish(struct trial *trial, struct error *error);
void trial_totals(const struct trial *trial, struct trial_totals *ret);
/* How often the rule was raised. */
uint64_t trial_hits(const struct trial *trial, uint32_t rule);

#endif
