/*
 * sender.h - rows of the outbox on their way: published, receipted, published again.
 *
 * The rows are in the checkpoint already; this is the copy in memory of those that have no durable
 * receipt yet. No receipt, or RECEIPT_UNKNOWN, means that the row goes again: readers recognise
 * repeats. A receipted row stays listed until the checkpoint has forgotten it too.
 */
#ifndef TOCSIN_CORRELATOR_SENDER_H
#define TOCSIN_CORRELATOR_SENDER_H

#include "bus/bus.h"
#include "bus/checkpoint.h"
#include "correlator/worker.h"

struct sender;

/* The tag of what is published outside the outbox. */
#define SENDER_NO_TAG UINT64_MAX

struct sender *sender_new(struct bus *bus, struct worker_stats *stats);
void sender_free(struct sender *sender); /* accepts NULL */

/*
 * Takes a copy; sequences ascend but for rows that were there before (then it finds their
 * place). again: somebody may have published it already, so publishing it is a resend.
 */
bool sender_add(struct sender *sender, const struct outbox_row *row, bool again);
/* Publishes what is not published; BUS_BUSY leaves the rest for later. 0 or negative. */
int sender_publish(struct sender *sender, struct error *error);
/* Collects receipts, waiting up to timeout_ns for the first. How many, or negative. */
int sender_receipts(struct sender *sender, int64_t timeout_ns, struct error *error);
/* Within the checkpoint's transaction: deletes the rows that are receipted. */
int sender_settle(struct sender *sender, struct checkpoint *checkpoint, struct error *error);
/* The transaction is durable: forgets what sender_settle deleted. */
void sender_forget(struct sender *sender);
/* Forgets the rows of an owner, or all (UINT32_MAX): somebody else sends them, or they are read
 * anew from the checkpoint. */
void sender_drop(struct sender *sender, uint32_t owner);

/* Rows without a durable receipt; the lowest sequence of them, UINT64_MAX when there is none. */
size_t sender_waiting(const struct sender *sender);
uint64_t sender_lowest(const struct sender *sender);
/* Are there receipted rows that the checkpoint still holds? */
bool sender_has_settled(const struct sender *sender);

#endif
