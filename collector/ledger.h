/*
 * ledger.h - who sends, how much, and what became of it.
 *
 * A row for each sender and input, found by the sender's address, or by that and who it has shown
 * to be (a token, a certificate). The number of rows has a ceiling; the senders beyond it share a
 * row "(others)" for each identity, which is about counting only: their events still name the
 * sender. Rows live as long as the ledger, and never move.
 */
#ifndef TOCSIN_COLLECTOR_LEDGER_H
#define TOCSIN_COLLECTOR_LEDGER_H

#include "collector/agencies.h"
#include "collector/collector.h"

#include <sys/socket.h>

struct ledger;

/* What is usual for a sender (presence.c). */
struct presence {
	int64_t looked_ns; /* 0: never */
	uint64_t seen;     /* received by then */
	double rate;       /* usual, events a second */
	double gap_ns;     /* usual, between two events */
	int64_t last_ns;   /* last event that was seen */
	uint32_t looks, loud_looks;
};

struct ledger_row {
	struct source_row counts;
	const struct identity_of *identity; /* never NULL; another one after a reload */
	bool barred;          /* this identity may not use this input */
	struct bucket bucket; /* of the quota, unless it is the whole agency's */
	struct presence presence;
	uint64_t in_flight;   /* events that are neither durable nor refused */
	size_t connections;   /* open now */
	uint32_t partition;   /* of "events": hash of the sender */
	bool shared;          /* of many senders: the row of those beyond the ceiling */
	uint64_t gap_refused; /* refused, and not yet told in a gap frame ... */
	int64_t gap_from_ns;  /* ... and since when */
	int64_t told_ns;      /* when the program was last told what is wrong; 0: never ... */
	enum text_id told;    /* ... and what */
	char text[64];        /* counts.sender points here */
};

/* agencies outlives the ledger, or is replaced by ledger_identify. NULL: no memory. */
struct ledger *ledger_new(size_t rows_max, uint32_t partitions, const struct agencies *agencies);
void ledger_free(struct ledger *ledger); /* accepts NULL */
/* The row of a peer by its network, made when it is new. input: a name that stays. Never NULL. */
struct ledger_row *ledger_peer(
    struct ledger *ledger, const char *input, const struct sockaddr *peer);
/* The row of a peer that has shown to be identity, which is one of the ledger's agencies. */
struct ledger_row *ledger_known(struct ledger *ledger, const char *input,
    const struct sockaddr *peer, const struct identity_of *identity);
/* The row of this machine, by a name of its own; its network is 127.0.0.1. NULL: no memory. */
struct ledger_row *ledger_local(struct ledger *ledger, const char *input, struct str name);
/*
 * The row of a partition of a Kafka topic, "web.logs/3"; its partition of "events" is the hash of
 * that. NULL: no memory.
 */
struct ledger_row *ledger_topic(
    struct ledger *ledger, const char *input, const char *topic, uint32_t partition);
/* The row of a listener ("syslog-udp 127.0.0.1:5514"). NULL when there is no memory. */
struct ledger_row *ledger_listener(struct ledger *ledger, const char *input, const char *address);
/* Every row gets its identity anew: by its network, or by the name of who it had shown to be. */
void ledger_identify(struct ledger *ledger, const struct agencies *agencies);
/* The bucket that its events are charged to. */
struct bucket *ledger_bucket(struct ledger_row *row);
/* Every row there is, that of the unknown others last. */
size_t ledger_count(const struct ledger *ledger);
struct ledger_row *ledger_at(struct ledger *ledger, size_t index);
/* Rows with something to tell. */
void ledger_each(const struct ledger *ledger,
    bool (*visit)(void *context, const struct source_row *row), void *context);
void ledger_total(const struct ledger *ledger, struct source_row *ret);

#endif
