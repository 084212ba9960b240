/*
 * stream.h - what inputs over connections have in common: listening, ceilings, deadlines,
 * back-pressure, answers.
 *
 * An input says how its bytes are cut into messages (struct stream_kind) and is otherwise five of
 * the functions below. A connection owns memory only for a message that has come in part; whole
 * ones are taken straight out of a read buffer that all connections share. When the bus is behind
 * nothing is read, and the transport makes the senders wait.
 */
#ifndef TOCSIN_COLLECTOR_STREAM_H
#define TOCSIN_COLLECTOR_STREAM_H

#include "collector/agencies.h"
#include "collector/input.h"

struct stream;

#define STREAM_OUT_MAX (4u << 20) /* of answers that wait for their reader */

struct stream_kind {
	const char *name;         /* of the input */
	enum transport transport;
	size_t state_bytes;       /* of each connection's own state, zeroed at first */
	size_t shared_bytes;      /* of what the connections of one listener share, likewise */
	size_t partial_max;       /* most that take may leave; at most INTAKE_SCRATCH / 2 */
	int64_t patience_ns;      /* a message that has begun is whole by then; 0: the idle time */
	bool local;               /* its addresses are paths of Unix sockets */
	bool tls;                 /* whatever its address says */
	bool identifies;          /* stream_identify will say who it is: not refused at accept */
	bool reads_on;            /* while the bus is behind: its answers say so */
	/* A connection is there. False: refuse it. May be NULL. */
	bool (*begin)(struct stream *stream);
	/*
	 * Takes whole messages off *bytes, and leaves what has come in part. end: nothing will
	 * follow. False: the connection is closed, once what is to be written is written.
	 */
	bool (*take)(struct stream *stream, struct str *bytes, bool end);
	/* Answers are still to come, for which the connection stays open. May be NULL. */
	bool (*owes)(const struct stream *stream);
	/* About once a second, whether or not it is read. May be NULL. */
	void (*tick)(struct stream *stream);
	/* The connection goes: frees what the state owns, cancels its tickets. May be NULL. */
	void (*end)(struct stream *stream);
	void (*shared_end)(void *shared); /* after the last connection. May be NULL */
};

void *stream_state(struct stream *stream);
const void *stream_state_of(const struct stream *stream);
void *stream_shared(const struct stream *stream);
struct intake *stream_intake(const struct stream *stream);
struct ledger_row *stream_row(const struct stream *stream);
struct str stream_peer(const struct stream *stream); /* "192.0.2.7:40112" */
/*
 * From here on it is that one's (a token; agencies.h), or, for NULL, whoever the connection is: its
 * network, or its certificate. False: that one may not use this input, which is counted; the input
 * answers as its protocol has it, and closes. Until it has said so once, a kind that identifies
 * takes no events.
 */
bool stream_identify(struct stream *stream, const struct identity_of *identity);
/* The same for what holds as long as the connection: its certificate. */
bool stream_certify(struct stream *stream, const struct identity_of *identity);

/* An event of this connection; ticket NULL: nobody waits for it. */
void stream_event(struct stream *stream, struct str raw, bool cut, struct ticket *ticket);
/* A message has come to its end: its deadline begins anew. stream_event does it too. */
void stream_progress(struct stream *stream);
/*
 * Writes as much as the connection takes now, keeps the rest (STREAM_OUT_MAX). May be called when a
 * ticket is done. False: too much, or the connection is gone; it is closed soon.
 */
bool stream_write(struct stream *stream, struct str bytes);
/*
 * Do not read on until the answer is out. take leaves what came behind, and is called with it when
 * the hold is over.
 */
void stream_hold(struct stream *stream, bool held);
/* Nothing more is read; closed once all is written and nothing is owed. */
void stream_finish(struct stream *stream);

/* What an input over connections is made of. address: as wire.h has it. */
int streams_open(struct input **ret, const struct stream_kind *kind, struct intake *intake,
    const char *address, struct error *error);
void streams_close(struct input *input); /* accepts NULL */
void streams_pause(struct input *input, bool paused);
void streams_finish(struct input *input);
void streams_tick(struct input *input);
unsigned streams_port(const struct input *input);
/* Connections that waited for their quota, or while they had more than their share, go on. */
void streams_wake(struct intake *intake);

#endif
