/*
 * inflate.h - gzip and zlib (RFC 1950, 1952) taken apart, at most to a ceiling: what a few bytes
 * can grow to is the sender's choice otherwise.
 */
#ifndef TOCSIN_COLLECTOR_INFLATE_H
#define TOCSIN_COLLECTOR_INFLATE_H

#include "base/buf.h"

enum inflated { INFLATE_DONE, INFLATE_BAD, INFLATE_LARGE, INFLATE_MEMORY };

/*
 * Appends the whole content of packed (gzip, also several members, or zlib, told apart) to out;
 * INFLATE_LARGE when that would be more than out's ceiling. What was appended before a failure
 * stays.
 */
enum inflated inflate_all(struct buf *out, struct str packed);

#endif
