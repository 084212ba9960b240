/*
 * matcher_pairs.h - inside the matcher: few pairs of bytes, seldom in ordinary events, of which
 * each of some literals has one. To look for two bytes costs half of what looking for four does.
 */
#ifndef TOCSIN_CORRELATOR_MATCHER_PAIRS_H
#define TOCSIN_CORRELATOR_MATCHER_PAIRS_H

#include "base/str.h"

#define PAIRS_TEXTS  40u /* literals, at most */
#define PAIRS_GROUPS 8u  /* of at most as many literals that share a pair */

/*
 * common: how often each pair, the first byte the lower one, is in ordinary events, of 16 KiB or
 * so. ends: where the second byte of its pair stands in each text. False: there are no such pairs,
 * few and seldom enough. The texts are folded.
 */
bool pairs_choose(const uint8_t common[1u << 16], const struct str *texts, size_t count,
    uint32_t *ends);

static inline uint16_t pair_at(const char *at)
{
	uint16_t pair;

	memcpy(&pair, at, sizeof(pair));
	return pair;
}

#endif
