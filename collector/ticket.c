#include "collector/ticket.h"

#include "base/check.h"

#include <stdint.h>
#include <stdlib.h>

struct ticket {
	ticket_done *done; /* NULL: nobody waits */
	void *context;
	uint64_t holds;
	bool refused;
};

struct ticket *ticket_new(ticket_done *done, void *context)
{
	struct ticket *ticket = malloc(sizeof(*ticket));

	if (ticket != NULL)
		*ticket = (struct ticket){.done = done, .context = context, .holds = 1};
	return ticket;
}

void ticket_hold(struct ticket *ticket)
{
	if (ticket != NULL)
		ticket->holds++;
}

void ticket_release(struct ticket *ticket, bool durable)
{
	if (ticket == NULL)
		return;
	CHECK(ticket->holds > 0);
	ticket->refused |= !durable;
	if (--ticket->holds > 0)
		return;
	if (ticket->done != NULL)
		ticket->done(ticket->context, !ticket->refused);
	free(ticket);
}

void ticket_cancel(struct ticket *ticket)
{
	if (ticket == NULL)
		return;
	ticket->done = NULL;
}
