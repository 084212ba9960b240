/*
 * host.h - telling the host from what stands where the host should (RFC 3164, 4.1.2, says only that
 * it is a word).
 */
#ifndef TOCSIN_DECODER_HOST_H
#define TOCSIN_DECODER_HOST_H

#include "event/record.h"

/*
 * Takes the host off the front of *rest, with the spaces after it. *ret is STR_NONE when the word
 * there is no host (a tag, a bracket, a payload); *rest then stands where the tag begins.
 */
void host_take(struct str *rest, struct str *ret);
/* Digits and dots, or hexadecimal digits and at least two colons; brackets allowed around it. */
bool host_is_address(struct str word);
/* "notice", "INFO", ...: the level that some devices write between host and tag. */
bool host_is_level(struct str word);
/* The address in "192.0.2.7:40112" or "[2001:db8::7]:40112"; another peer as it is. */
struct str host_of_peer(struct str peer);

#endif
