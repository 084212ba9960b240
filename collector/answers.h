/*
 * answers.h - what one connection still has to answer, in the order in which it was asked.
 *
 * An answer is owed for some events, or none: it is due when all of them are durable or one was
 * refused, and given when those before it are given. What it is to say stands in its note, which
 * is the protocol's.
 */
#ifndef TOCSIN_COLLECTOR_ANSWERS_H
#define TOCSIN_COLLECTOR_ANSWERS_H

#include "collector/stream.h"
#include "collector/ticket.h"

struct answer {
	struct answer *next;
	struct answers *answers;
	struct ticket *ticket; /* for its events, until answer_settle */
	struct buf note;
	uint64_t number;       /* the protocol's, too */
	bool settled, due, durable;
};

/* In the state of a connection; all zero but for stream and give, which answers_begin sets. */
struct answers {
	struct stream *stream;
	void (*give)(struct stream *stream, const struct answer *answer);
	struct answer *first, *last;
	size_t count;
	bool giving;
};

void answers_begin(struct answers *answers, struct stream *stream,
    void (*give)(struct stream *stream, const struct answer *answer));
/* In the end of the connection: nobody waits any more. */
void answers_end(struct answers *answers);

/* A new last one, whose note grows to note_max. NULL without memory. Settle it in the same take. */
struct answer *answer_new(struct answers *answers, size_t note_max);
/* No event follows. It may be given now, with those behind it that are due, and be gone. */
void answer_settle(struct answer *answer);

#endif
