/*
 * json_mask.h - where the quotes and backslashes of a JSON text are: stage 1 of json_fields.
 *
 * A bit a byte of the text, 64 a word, the lowest first. As if every backslash stood in a string;
 * whoever walks the text finds out when one does not, before it has used what that spoils.
 */
#ifndef TOCSIN_DECODER_JSON_MASK_H
#define TOCSIN_DECODER_JSON_MASK_H

#include "base/arena.h"
#include "base/cpu.h"

struct json_masks {
	uint64_t *quotes;   /* quotes without a backslash that makes them text */
	uint64_t *marks;    /* these, and the backslashes that begin an escape */
	size_t words;       /* and two more of each behind them: none set, and all */
};

/* False without memory. level: the tests compare both. */
bool json_masks_make(struct json_masks *ret, struct str text, struct arena *arena,
    enum cpu_level level);

#endif
