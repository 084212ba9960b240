/*
 * matcher_plain.h - inside the matcher: one rule against one record, the slow and plain way.
 */
#ifndef TOCSIN_CORRELATOR_MATCHER_PLAIN_H
#define TOCSIN_CORRELATOR_MATCHER_PLAIN_H

#include "sigma/program.h"

struct plain {
	const struct program *program;
	struct arena *arena;
	struct regex_scratch *regex;
	const struct record *record;
};

/* Log source included. */
bool plain_matches(struct plain *plain, const struct record *record, const struct rule *rule);

#endif
