/*
 * evidence.h - the events behind alerts, kept before the bus forgets them.
 *
 * An alert leaves a want for each of its events, in its own transaction. Later, for a bounded time
 * a step, the events are fetched from the bus by position, compared by coordinate, decoded, and
 * kept in the newest file under (alert id, index). What the bus has lost is counted and noted on
 * the alert.
 */
#ifndef TOCSIN_STORAGE_EVIDENCE_H
#define TOCSIN_STORAGE_EVIDENCE_H

#include "storage/batch.h"
#include "storage/fold_row.h"

struct evidence;

/* NULL when there is no memory. */
struct evidence *evidence_new(const struct store_options *options);
void evidence_free(struct evidence *evidence); /* accepts NULL */

/* Neither wanted nor kept any more, in this file: the alert is told anew, of other events. */
int evidence_forget(struct batch *batch, const struct alert *alert);

/* How many events of an alert are kept at most. */
uint64_t evidence_count(const struct batch *batch, const struct alert *alert);
/*
 * Asks for them; sequence: whose mark counts them. Told in share->events, the others in
 * share->cut.
 */
int evidence_want(
    struct batch *batch, const struct alert *alert, uint64_t sequence, struct share *share);

/*
 * Fetches wanted events for about budget_ns, at least one, outside of any write transaction.
 * Returns how many there are now to keep, found or known to be lost; a bus that does not answer is
 * asked again with the next step.
 */
int evidence_fetch(
    struct evidence *evidence, struct db *db, int64_t budget_ns, struct error *error);
/* Keeps what was fetched; what somebody else has kept meanwhile is left alone. */
int evidence_keep(struct evidence *evidence, struct batch *batch);
uint64_t evidence_waiting(const struct evidence *evidence);

/* A kept event, as stored. */
struct kept {
	int64_t time_ns;
	uint64_t partition, offset, index, frame_bytes;
};
bool evidence_split(
    struct str row, struct kept *ret, struct str *ret_frame, struct str *ret_fields);

#endif
