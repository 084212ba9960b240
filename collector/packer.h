/*
 * packer.h - events into frames, frames onto the bus, receipts into the ledger.
 *
 * One open frame a partition. A frame is closed at frame_bytes or frame_delay, gets its counters
 * then, and waits in one queue until the bus takes it; it is kept until its receipt, and sent again
 * when the receipt says unknown, in the order in which frames were closed. The queue is bounded:
 * packer_is_behind tells inputs to stop reading, and what nobody can wait for is refused.
 */
#ifndef TOCSIN_COLLECTOR_PACKER_H
#define TOCSIN_COLLECTOR_PACKER_H

#include "collector/identity.h"
#include "collector/ledger.h"
#include "collector/messages.h"
#include "collector/ticket.h"
#include "event/frame.h"

struct lane;
struct packer;

struct packer_options {
	struct bus *bus;
	struct identity identity;
	size_t frame_bytes;
	int64_t frame_delay_ns;
	size_t queue_bytes; /* 0: 32 MiB */
	bool one_event_json;
	struct messages *messages; /* told what became of named ones; may be NULL */
};

struct packer *packer_new(const struct packer_options *options); /* NULL: no memory */
void packer_free(struct packer *packer);			 /* accepts NULL */

/*
 * Takes a copy of the event and counts it as received in row, and as refused when it must be:
 * behind, datagrams are; what came by a transport that can wait was read before that was known, and
 * is taken. ticket: held until the event is durable or refused; NULL when nobody waits.
 */
void packer_add(struct packer *packer, struct ledger_row *row, const struct event *event,
    struct ticket *ticket);
/*
 * A lane of its own, on that partition, for events that keep the coordinates they have: those of
 * one source, in the order of their counters. It lives as long as the packer. NULL: no memory.
 */
struct lane *packer_lane(struct packer *packer, uint32_t partition);
/* What comes next on the lane is from at on; all before it has been put there, or never will be. */
void packer_lane_begin(
    struct packer *packer, struct lane *lane, struct coordinate at, int64_t now_ns);
/* As packer_add, onto a lane; now_ns is when it was read, which its receive time need not be. */
void packer_add_kept(struct packer *packer, struct lane *lane, struct ledger_row *row,
    const struct event *event, int64_t now_ns, struct ticket *ticket);
/* So much waits for the bus that nothing more should be read. */
bool packer_is_behind(const struct packer *packer);
/*
 * Much waits, and more than its share is of this sender: it should wait, or be refused, while there
 * is still room for those that send less.
 */
bool packer_is_behind_for(const struct packer *packer, const struct ledger_row *row);
/* So little waits that reading should go on. */
bool packer_has_drained(const struct packer *packer);
/* Closes the frames that are due (all: every one), sends, collects receipts. 0 or negative. */
int packer_drive(struct packer *packer, int64_t now_ns, bool all, struct error *error);
/*
 * A tick on every partition, or a gap on one (false: no memory). Waits in the queue like a frame.
 */
void packer_tick(struct packer *packer, int64_t now_ns);
bool packer_gap(
    struct packer *packer, uint32_t partition, const struct frame_gap *gap, int64_t now_ns);
/* Events that are neither durable nor refused. */
uint64_t packer_in_flight(const struct packer *packer);
/* Nanoseconds until a frame is due; at most limit_ns, which is not negative. */
int64_t packer_due(const struct packer *packer, int64_t now_ns, int64_t limit_ns);

#endif
