/*
 * ledger.h - who sends, how much, and what became of it.
 *
 * A row a sender, found by its address. The number of rows has a ceiling; the senders beyond it
 * share the row "(others)", which is about counting only: their events still name the sender. Rows
 * live as long as the ledger.
 */
#ifndef TOCSIN_COLLECTOR_LEDGER_H
#define TOCSIN_COLLECTOR_LEDGER_H

#include "collector/collector.h"

#include <sys/socket.h>

struct ledger;

struct ledger_row {
	struct source_row counts;
	size_t connections;   /* open now */
	uint32_t partition;   /* of "events": hash of the sender */
	bool shared;	      /* of many senders: the row of those beyond the ceiling */
	uint64_t gap_refused; /* refused, and not yet told in a gap frame ... */
	int64_t gap_from_ns;  /* ... and since when */
	char text[64];	      /* counts.sender points here */
};

struct ledger *ledger_new(size_t rows_max, uint32_t partitions, struct str agency);
void ledger_free(struct ledger *ledger); /* accepts NULL */
/* The row of a peer, made when it is new. Never NULL. */
struct ledger_row *ledger_peer(struct ledger *ledger, const struct sockaddr *peer);
/* The row of a listener ("syslog-udp 127.0.0.1:5514"). NULL when there is no memory. */
struct ledger_row *ledger_listener(struct ledger *ledger, const char *input, const char *address);
/* Every row there is, that of the others last. */
size_t ledger_count(const struct ledger *ledger);
struct ledger_row *ledger_at(struct ledger *ledger, size_t index);
/* Rows with something to tell. */
void ledger_each(const struct ledger *ledger,
    bool (*visit)(void *context, const struct source_row *row), void *context);
void ledger_total(const struct ledger *ledger, struct source_row *ret);

#endif
