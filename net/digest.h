/*
 * digest.h - SHA-512, of OpenSSL, for protocols that show a key by it.
 */
#ifndef TOCSIN_NET_DIGEST_H
#define TOCSIN_NET_DIGEST_H

#include "base/str.h"

#define DIGEST_SHA512 64

/* Of all parts, one behind the other. */
void digest_sha512(const struct str *parts, size_t count, uint8_t ret[DIGEST_SHA512]);

#endif
