/*
 * snapshot.h - the state of one partition of "detections" as bytes, for the checkpoint.
 *
 * Rules are named by id and hash, so that a snapshot may be read under other rules: what belongs
 * to a rule that is gone or has changed is dropped, the rest is kept. The checkpoint guards the
 * bytes by checksum; reading still believes nothing.
 */
#ifndef TOCSIN_CORRELATOR_SNAPSHOT_H
#define TOCSIN_CORRELATOR_SNAPSHOT_H

#include "correlator/correlate.h"

#define SNAPSHOT_MAX ((size_t)1 << 30)

/* offset: of the first record that it does not include. Check out->failed. */
void snapshot_write(struct buf *out, const struct correlate *correlate, uint64_t offset);
/*
 * Into a new correlate. *ret_dropped counts windows and detections whose rule is no longer there.
 * 0, ERR_MEMORY, ERR_VERSION (a later format), ERR_FOREIGN (of another partition or number of
 * sources), or ERR_CORRUPT; after a failure the correlate is only good for correlate_free.
 */
int snapshot_read(struct str bytes, struct correlate *correlate, uint64_t *ret_offset,
    uint64_t *ret_dropped);

#endif
