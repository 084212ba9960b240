/*
 * address.h - IP addresses as 16 bytes: IPv4 as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2), so that
 * every textual form of one address is the same.
 */
#ifndef TOCSIN_SIGMA_ADDRESS_H
#define TOCSIN_SIGMA_ADDRESS_H

#include "sigma/program.h"

bool address_parse(struct str text, uint8_t ret[16]);
/* "192.0.2.0/24", "2001:db8::/32", an address alone. */
bool cidr_parse(struct str text, struct cidr *ret);
bool address_in(const uint8_t address[16], const struct cidr *cidr);

#endif
