/*
 * address.h - "host:port" to sockets, and sockets' peers to text.
 */
#ifndef TOCSIN_NET_ADDRESS_H
#define TOCSIN_NET_ADDRESS_H

#include "base/error.h"

#include <sys/socket.h>

#define ADDRESS_TEXT 64

/*
 * Opens a bound, non-blocking socket of that type (SOCK_DGRAM, SOCK_STREAM). text:
 * "127.0.0.1:5514",
 * "[::1]:5514", "*:514" (all, IPv6 and IPv4), port 0 for any. shared: SO_REUSEPORT, so that several
 * sockets stand on one port. A stream socket listens. Returns the descriptor or a negative code.
 */
int address_bind(const char *text, int type, bool shared, struct error *error);
/* A connected, blocking stream socket. */
int address_connect(const char *text, struct error *error);
/* "192.0.2.7:40112", "[2001:db8::7]:40112"; an IPv4 peer of an IPv6 socket as IPv4. */
struct str address_format(const struct sockaddr *address, char out[ADDRESS_TEXT]);
/* The text without the port: who sent it. */
struct str address_host(struct str text);
/* The port that a bound socket has; 0 when it has none. */
unsigned address_port(int fd);

#endif
