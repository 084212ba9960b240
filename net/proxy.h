/*
 * proxy.h - the PROXY protocol, versions 1 and 2: who stands behind a load balancer.
 *
 * A header comes before the first byte of a connection. Reading it touches nothing but the bytes
 * given. Version 1 is one line of at most 107 bytes; of version 2, whose length a stranger names,
 * PROXY_MAX bytes are enough for addresses and what HAProxy appends.
 */
#ifndef TOCSIN_NET_PROXY_H
#define TOCSIN_NET_PROXY_H

#include "base/str.h"

#include <sys/socket.h>

#define PROXY_MAX 1024

enum proxy_step { PROXY_MORE, PROXY_DONE, PROXY_BAD };

struct proxy_header {
	size_t length;  /* of the header: the connection's own bytes begin behind it */
	bool announced; /* false: the proxy speaks for itself (a health check), or does not know */
	struct sockaddr_storage peer;
};

/* MORE: all of bytes belongs to the header, and it is not whole. */
enum proxy_step proxy_parse(struct str bytes, struct proxy_header *ret);

#endif
