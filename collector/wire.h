/*
 * wire.h - what carries a connection's bytes: the socket alone, or TLS, or either behind a PROXY
 * header; and the listener's address that says which.
 *
 * "host:port" and "tcp://host:port" are plain; "tls://", "proxy+tcp://", "proxy+tls://". What all
 * of a collector's listeners have in common (certificate, trusted proxies) is its door, made when
 * the first of them needs it.
 */
#ifndef TOCSIN_COLLECTOR_WIRE_H
#define TOCSIN_COLLECTOR_WIRE_H

#include "collector/input.h"
#include "net/tls.h"

#include <sys/socket.h>

struct door;

struct wire_kind {
	const char *address; /* "host:port" */
	bool tls, proxied;
};

/* ERR_DOCUMENT for another scheme. */
int wire_parse(const char *text, struct wire_kind *ret, struct error *error);

/* Makes intake->door where kind needs one. */
int door_open(struct intake *intake, const struct wire_kind *kind, struct error *error);
/* Certificate, key and CA anew, for connections from now on; failing, the old ones stay. */
int door_reload(struct door *door, struct error *error); /* accepts NULL */
void door_free(struct door *door);                       /* accepts NULL; after connections */
/* It may announce whom it stands for. */
bool door_trusts(const struct door *door, const struct sockaddr *proxy);
int64_t door_patience_ns(const struct door *door); /* until a connection is ready */
size_t door_ceiling(const struct door *door);      /* of connections that are not */
bool door_asks(const struct door *door);           /* clients for certificates */
/*
 * Tells the program, the same of a row once a minute: id has "%s: %.*s", input and peer; and "%s",
 * why, unless that is NULL.
 */
void door_tell(struct intake *intake, struct ledger_row *row, enum text_id id, struct str peer,
    const char *why);

struct wire {
	int fd;
	struct tls *tls; /* NULL: plain, or not yet */
	bool proxied;    /* a header has still to come */
	bool secured;    /* TLS begins behind it */
	bool more;       /* read again before waiting */
	struct proxy_wait *header;
	struct door *door;
};

enum wire_step { WIRE_WAIT, WIRE_ANNOUNCED, WIRE_OPEN, WIRE_FAILED };

void wire_begin(struct wire *wire, struct door *door, const struct wire_kind *kind, int fd);
void wire_close(struct wire *wire); /* closes fd */
/* Goes on until it can be read. ANNOUNCED: it is another's, whose address is in *from. */
enum wire_step wire_open(struct wire *wire, struct sockaddr_storage *from);
/* As recv and send; out has TLS_ROOM. */
ssize_t wire_read(struct wire *wire, void *out, size_t room);
ssize_t wire_write(struct wire *wire, const void *bytes, size_t len);
/* Bytes that the caller has written and the socket has not taken. */
bool wire_unsent(const struct wire *wire);

#endif
