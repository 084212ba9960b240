/*
 * kv.h - runs of key=value.
 *
 * Pairs are separated by a space, comma, semicolon, tab or bar; which of them, the first pair
 * shows. A value is quoted, with '\"' as escape, or runs to the next separator that a key and '='
 * follow, so it may hold spaces.
 */
#ifndef TOCSIN_DECODER_KV_H
#define TOCSIN_DECODER_KV_H

#include "event/record.h"

/* Length of the key at the front of s that '=' follows; 0 when there is none. */
size_t kv_key(struct str s);
/* Where the first pair behind a separator begins; STR_NOT_FOUND without one. */
size_t kv_begin(struct str text);
/*
 * Puts every pair of text as a field and says how many there were. Words between them are skipped.
 */
size_t kv_put(struct record *record, struct str text);

#endif
