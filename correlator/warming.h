/*
 * warming.h - indexes made ahead, so that the first events of a log source do not wait for them.
 */
#ifndef TOCSIN_CORRELATOR_WARMING_H
#define TOCSIN_CORRELATOR_WARMING_H

#include "correlator/matcher.h"

/*
 * For the log sources that the decoders give, and for those that rules are for, which the
 * configuration may give; until the indexes take a bounded amount of memory. The others are made
 * when their first event comes. False without memory.
 */
bool warming_run(struct matcher *matcher, const struct ruleset *ruleset);

#endif
