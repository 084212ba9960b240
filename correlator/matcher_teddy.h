/*
 * matcher_teddy.h - inside the matcher: a few literals in one text, 32 places at a time.
 *
 * Of each literal three bytes next to each other are looked for, in eight groups of literals: a
 * table by the low and one by the high half of each of the three says in which groups a byte may
 * stand there ("Teddy", of Hyperscan). ASCII letters are found in either case, so that the text need
 * not be folded. What is found is only a place to look at.
 */
#ifndef TOCSIN_CORRELATOR_MATCHER_TEDDY_H
#define TOCSIN_CORRELATOR_MATCHER_TEDDY_H

#include "base/str.h"

#define TEDDY_MOST  40u /* literals; more share groups too much */
#define TEDDY_WIDTH 3u
#define TEDDY_GROUPS 8u
#define TEDDY_PADDING 64u /* bytes behind the text that may be read */

struct teddy_literal {
	uint32_t entry;
	uint32_t offset; /* of the three bytes in the literal */
};

struct teddy {
	uint8_t low[TEDDY_WIDTH][16], high[TEDDY_WIDTH][16]; /* groups by half a byte */
	struct teddy_literal literals[TEDDY_MOST];
	uint32_t count;
	uint32_t groups[TEDDY_GROUPS + 1]; /* where each begins in literals */
};

/* texts: of each literal. They are put into groups anew; literals says then which is which. */
void teddy_seal(struct teddy *teddy, const struct str *texts);

/* A place, 0 and up, and the groups of which a literal may have its three bytes there. */
struct teddy_hit {
	uint32_t at;
	uint32_t groups;
};

/*
 * Looks from *at on until max (at least 32) less 32 hits are there or the text ends, and moves *at
 * there. *high is set when a byte that was looked at is no ASCII. The hits may lie
 * behind the end of the text.
 */
size_t teddy_find(const struct teddy *teddy, struct str text, size_t *at, struct teddy_hit *ret,
    size_t max, bool *high);

#endif
