/*
 * matcher_teddy.h - inside the matcher: a few literals in one text, 32 places at a time.
 *
 * Of each literal up to four bytes next to each other are looked for, in eight groups of literals:
 * a table by the low and one by the high half of each of the four says in which groups a byte may
 * stand there ("Teddy", of Hyperscan). The text is folded. What is found is only a place to look
 * at.
 */
#ifndef TOCSIN_CORRELATOR_MATCHER_TEDDY_H
#define TOCSIN_CORRELATOR_MATCHER_TEDDY_H

#include "base/str.h"

#define TEDDY_MOST    40u /* literals; more share groups too much */
#define TEDDY_WIDTH   4u
#define TEDDY_GROUPS  8u
#define TEDDY_BLOCK   32u
#define TEDDY_PADDING 64u /* bytes behind the text that may be read */

/* Literals of one group, for eight at once. */
struct teddy_group {
	uint32_t bytes[TEDDY_GROUPS]; /* the four */
	uint32_t mask[TEDDY_GROUPS];  /* which of them there are */
};

struct teddy_literal {
	uint32_t entry;
	uint32_t end; /* the last of the four bytes in the literal */
	uint32_t bytes, mask;
};

struct teddy;

/* Where the four bytes of a literal end. */
struct teddy_hit {
	uint32_t at;
	uint32_t literal; /* in literals */
};

typedef size_t teddy_finder(struct teddy *teddy, struct str text, size_t *at,
    struct teddy_hit *ret, size_t max);

struct teddy {
	teddy_finder *find; /* as the machine can */
	uint64_t asked;     /* places that a group let through, so far */
	bool pairs;         /* of the four bytes only the last two are looked for, all at once */
	uint8_t low[TEDDY_WIDTH][16], high[TEDDY_WIDTH][16]; /* groups by half a byte */
	struct teddy_literal literals[TEDDY_MOST];
	uint32_t count;
	uint32_t firsts[TEDDY_GROUPS]; /* where each group begins in literals */
	struct teddy_group groups[TEDDY_GROUPS];
};

/* text is not empty and stays; first: where the four bytes begin, less than four only at 0. */
void teddy_add(struct teddy *teddy, struct str text, size_t first, uint32_t entry);
/* The same, of a literal whose pair ends there (matcher_pairs.h); then all must be such. */
void teddy_add_pair(struct teddy *teddy, struct str text, size_t end, uint32_t entry);
/* After the last teddy_add: puts them into groups. */
void teddy_seal(struct teddy *teddy);

/* One step gives at most so many. */
#define TEDDY_STEP (2 * TEDDY_BLOCK * TEDDY_MOST)

/*
 * Looks from *at on, 0 or at least TEDDY_BLOCK, until less than TEDDY_STEP of max places are free
 * in ret or the text ends, and moves *at there. Hits may lie behind the end of the text, or begin
 * before it.
 */
static inline size_t teddy_find(struct teddy *teddy, struct str text, size_t *at,
    struct teddy_hit *ret, size_t max)
{
	return teddy->find(teddy, text, at, ret, max);
}

/*
 * Of pairs: whether the four bytes of any literal are in a text that need not be folded, nor have
 * anything behind it. ret_ascii: it has no other bytes than ASCII. room: 2 * TEDDY_STEP places.
 */
bool teddy_has_any(struct teddy *teddy, struct str text, struct teddy_hit *room, bool *ret_ascii);

#endif
