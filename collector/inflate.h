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

/* The same a piece at a time, for what is larger than memory should be. */
struct inflater;

struct inflater *inflater_new(void);            /* NULL: no memory */
void inflater_free(struct inflater *inflater); /* accepts NULL */
/*
 * Takes what it needs off *packed and puts at most len bytes at out. DONE: *ret_len of them, which
 * may be none until there is more of packed.
 */
enum inflated inflater_next(struct inflater *inflater, struct str *packed, char *out, size_t len,
    size_t *ret_len);

#endif
