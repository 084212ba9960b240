/*
 * base64.h - bytes inside JSON (RFC 4648, section 4: the standard alphabet, padded).
 */
#ifndef TOCSIN_EVENT_BASE64_H
#define TOCSIN_EVENT_BASE64_H

#include "base/arena.h"
#include "base/buf.h"

void base64_put(struct buf *out, struct str bytes);
/*
 * Decodes into arena. False when the text is not strict base64 (wrong length, letter, padding or
 * non-zero spare bits: section 3.5) or the arena is full (arena_failed tells).
 */
bool base64_read(struct arena *arena, struct str text, struct str *ret);

#endif
