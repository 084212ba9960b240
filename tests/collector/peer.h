/*
 * peer.h - a collector with one input over a rig's bus, and the other end of a connection to it.
 */
#ifndef TOCSIN_TESTS_COLLECTOR_PEER_H
#define TOCSIN_TESTS_COLLECTOR_PEER_H

#include "tests/collector/rig.h"

struct peer {
	struct rig rig;
	struct loop *loop;
	struct config *config;
	struct collector *collector;
	int client;
	const char *input;
};

/* A clock that stands at RIG_TIME, and is moved by hand. */
extern int64_t peer_now_ns;

/* settings: "key", "value", ..., NULL; or NULL. datagrams: the client's socket is one. */
void peer_open(struct peer *peer, const char *input, const char *const *settings, bool datagrams);
/* The same, with what agencies.yml says. */
void peer_open_known(struct peer *peer, const char *input, const char *yaml);
/* It says something else from now on. */
void peer_know(struct peer *peer, const char *yaml);
/* Whoever is connected may no longer send: what it sends until it is told so is refused. */
#define PEER_BARRED "unknown: {inputs: none}\n"
void peer_close(struct peer *peer);
/*
 * The bus does not tell any more what is durable; then the collector dies, and another one comes
 * in its place, on the same bus, with a new connection.
 */
void peer_deaf(struct peer *peer);
void peer_restart(struct peer *peer);
/* Another connection; the last one stays open if it is not closed. */
void peer_dial(struct peer *peer);
void peer_say(struct peer *peer, struct str bytes);
/* Steps for a while, with the bus. */
void peer_step(struct peer *peer);
/* What has been answered after that; behind it "(closed)" at the end, and a NUL. */
struct str peer_hear(struct peer *peer);
/* The bus does not take anything, until false. */
void peer_busy(struct peer *peer, bool busy);
/* Events that are on the bus by now. */
size_t peer_events(struct peer *peer);
struct source_row peer_total(const struct peer *peer);

#endif
