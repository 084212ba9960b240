/*
 * forward.h - messages of Fluent's Forward protocol, version 1, taken apart; and its handshake.
 *
 * MessagePack is binary, so that a record becomes an event by being written as JSON once, at the
 * door: {"@timestamp": its time, "fluent_tag": its tag, and its own names and values}. A record
 * with an "@timestamp" of its own keeps that one. Bytes that are no UTF-8 become U+FFFD.
 */
#ifndef TOCSIN_COLLECTOR_FORWARD_H
#define TOCSIN_COLLECTOR_FORWARD_H

#include "collector/msgpack.h"

enum forward_mode {
	FORWARD_HEARTBEAT,
	FORWARD_MESSAGE, /* [tag, time, record, option] */
	FORWARD_ENTRIES, /* [tag, [[time, record], ...], option] */
	FORWARD_PACKED   /* [tag, those entries as bytes, option] */
};

struct forward_message {
	enum forward_mode mode;
	struct str tag;
	struct str entries;    /* PACKED: packed as compressed says */
	uint64_t count;        /* ENTRIES */
	struct str chunk;      /* to be acknowledged by; empty: not to be */
	struct str compressed; /* empty, "text", "gzip", ... */
	uint64_t signal;       /* Fluent Bit: 0 logs, 1 metrics, 2 traces */
};

struct forward_entry {
	struct msgpack time;
	struct str record;
};

#define FORWARD_CHUNK_MAX 255

/* A whole value. False: it is no such message. */
bool forward_read(struct str message, struct forward_message *ret);
/* Of MESSAGE: the entry; else the next of entries, which are inflated. False: it is none. */
bool forward_next(const struct forward_message *message, struct str *entries,
    struct forward_entry *ret);
void forward_json(struct buf *out, struct str tag, const struct forward_entry *entry);

/* ---- the handshake: who shows that it has the shared key, and shown that we have it ---- */

#define FORWARD_NONCE	16
#define FORWARD_DIGEST 128 /* hexadecimal */

struct forward_ping {
	struct str host, salt, digest;
	struct str user, password; /* a digest of it; empty where no user is asked for */
};

bool forward_read_ping(struct str message, struct forward_ping *ret);
void forward_digest(struct str salt, struct str host, struct str nonce, struct str key,
    char ret[FORWARD_DIGEST]);
/* auth: salt for the digest of the password; empty: no user is asked for. */
void forward_put_helo(struct buf *out, struct str nonce, struct str auth);
/* digest empty: refused, for that reason. */
void forward_put_pong(struct buf *out, struct str reason, struct str host, struct str digest);
void forward_put_ack(struct buf *out, struct str chunk);

#endif
