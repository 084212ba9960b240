/*
 * agencies_table.h - what agencies.yml becomes: one table from what a sender shows to who it is.
 */
#ifndef TOCSIN_COLLECTOR_AGENCIES_TABLE_H
#define TOCSIN_COLLECTOR_AGENCIES_TABLE_H

#include "base/arena.h"
#include "base/hash.h"
#include "collector/agencies.h"

enum mark {
	MARK_NETWORK4,
	MARK_NETWORK6,
	MARK_TOKEN,
	MARK_FINGERPRINT,
	MARK_NAME, /* in a certificate */
	MARK_TOPIC, /* of Kafka */
	MARK_WHO,  /* names of agency and system, divided by NUL */
	MARK_COUNT
};

#define MARK_BYTES 512u /* the longest name of a certificate */

/* What one is known by. */
struct mark_row {
	struct mark_row *next;    /* in the order of the file */
	struct identity_of *who;  /* NULL: a free slot */
	enum mark mark;
	uint8_t prefix;           /* of a network, in bits; else 0 */
	struct str bytes;         /* address; SHA-256 of the token or certificate; name */
	unsigned line;
};

struct shared_key {
	struct shared_key *next;
	struct str key;
	const struct identity_of *who;
};

/* A name and password, of which a sender shows that it knows them. */
struct login {
	struct login *next;
	struct str user, password;
	const struct identity_of *who;
};

struct agencies {
	struct arena *arena;
	struct mark_row **slots; /* open addressing; a power of two, at most half full */
	size_t slot_count, used;
	struct mark_row *first, *last;
	uint64_t prefixes[2][3]; /* of networks of 4 and 16 bytes: which lengths there are */
	size_t counts[MARK_COUNT];
	struct identity_of unknown;
	struct identity_of **identities;
	size_t count, capacity;
	struct shared_key *keys, *last_key;
	struct login *logins, *last_login;
	const char **overlaps;
	size_t overlap_count;
};

/* Empty, with the unknown accepted everywhere. NULL without memory. */
struct agencies *agencies_new(struct str agency);
/* The row that has exactly this; NULL: none. */
struct mark_row *agencies_find(
    const struct agencies *agencies, enum mark mark, unsigned prefix, struct str bytes);
/* NULL: no memory. There is none like it. */
struct mark_row *agencies_add(struct agencies *agencies, enum mark mark, unsigned prefix,
    struct str bytes, struct identity_of *who);
/* The narrowest network of at most so many bits that holds the address of 4 or 16 bytes. */
const struct mark_row *agencies_network(
    const struct agencies *agencies, struct str address, unsigned prefix_max);
#define WHO_BYTES 128u /* longest name of an agency, of a system */
struct str who_name(struct str agency, struct str system, char out[2 * WHO_BYTES + 1]);
/* The bits of at behind the first prefix ones become 0; true when they were. */
bool network_mask(uint8_t *at, size_t size, unsigned prefix);

#endif
