/*
 * needle.h - one literal in one text.
 */
#ifndef TOCSIN_SIGMA_NEEDLE_H
#define TOCSIN_SIGMA_NEEDLE_H

#include "base/str.h"

#define NEEDLE_PADDING 32 /* bytes behind the text that may be read */

/* Whether needle is in text, which is followed by NEEDLE_PADDING readable bytes. */
bool needle_in_padded(struct str text, struct str needle);

#endif
