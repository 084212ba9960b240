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

/* A bound, non-blocking Unix socket, mode 0666: an old one that nobody serves is replaced. */
int address_bind_unix(const char *path, int type, struct error *error);

/* Who speaks over a Unix socket is on this machine: 127.0.0.1, without a port. */
struct sockaddr_storage address_of_this_machine(void);
/* "/run/tocsin/log[pid 812, uid 0]"; of a long path the end. */
struct str address_format_local(const char *path, long pid, long uid, char out[ADDRESS_TEXT]);

struct network {
	uint8_t bytes[16];
	uint8_t size, prefix; /* 4 or 16; bits */
};

/* "192.0.2.0/24", "2001:db8::/32", or an address alone. */
bool network_parse(struct str text, struct network *ret);
/* An IPv4 peer of an IPv6 socket counts as IPv4. */
bool network_has(const struct network *network, const struct sockaddr *address);

#endif
