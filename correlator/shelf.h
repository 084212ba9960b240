/*
 * shelf.h - rule sets in the checkpoint: which one is in force at each worker, and their bytes, so
 * that what a death undid is matched by the rules that were in force (docs/wire.md, section 8).
 *
 * Row "rules/<instance>" names a set by the hash of its bundle; row "ruleset/<hash>" is the bundle.
 * Both change in the transaction that the switch is.
 */
#ifndef TOCSIN_CORRELATOR_SHELF_H
#define TOCSIN_CORRELATOR_SHELF_H

#include "bus/checkpoint.h"
#include "sigma/ruleset.h"

struct shelf_entry {
	uint32_t instance, instances; /* 0 instances: nobody knows how many there are */
	struct str bundle;            /* empty: the set is named but not kept */
	struct hash128 rules;         /* of the compiled set, for those who look */
	struct str offsets;           /* " topic/partition/offset"...: in force from there */
};

/*
 * Within a transaction: the entry's set is in force at that worker. Sets that no worker needs any
 * more go, and with them the rows of workers that there are none of any more.
 */
int shelf_put(struct checkpoint *checkpoint, const struct shelf_entry *entry,
    struct error *error);
/*
 * The bundle of the set in force at that worker; at one without a row, what the first of the
 * others has. 0; ERR_MISSING: nothing is kept; ERR_CORRUPT: it is not what was put there.
 */
int shelf_get(struct checkpoint *checkpoint, uint32_t instance, struct buf *out,
    struct error *error);

#endif
