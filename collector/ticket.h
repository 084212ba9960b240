/*
 * ticket.h - what became of the events of one request, for inputs whose senders wait for an answer.
 *
 * An input makes a ticket for what it will answer as one (a request, a batch, a message), hands it
 * on with each event, and lets go of it when all events are handed over. Whoever has an event of it
 * holds the ticket; the last hold that is let go calls done. So the answer comes after the bus has
 * every event durably, or after one of them was refused, and never before.
 */
#ifndef TOCSIN_COLLECTOR_TICKET_H
#define TOCSIN_COLLECTOR_TICKET_H

#include <stdbool.h>

struct ticket;

/* durable: every event of it is on the bus. It may not hand on events for this ticket. */
typedef void ticket_done(void *context, bool durable);

/* With one hold, the maker's. NULL without memory. */
struct ticket *ticket_new(ticket_done *done, void *context);
void ticket_hold(struct ticket *ticket);                  /* accepts NULL */
/* durable false once makes it so for ever. The last release calls done and frees. Accepts NULL. */
void ticket_release(struct ticket *ticket, bool durable);
/* Nobody waits any more: done will not be called. Holds stay as they are. Accepts NULL. */
void ticket_cancel(struct ticket *ticket);

#endif
