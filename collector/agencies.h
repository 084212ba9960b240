/*
 * agencies.h - who sends: agencies, their systems, and what each is known by (agencies.yml).
 *
 * An identity is an agency, or one of its systems, with what follows from it: name, security level,
 * decoder, zone, quota, inputs. It is found by the network of an address (the most specific one
 * wins), by a token, by a certificate, or by the Kafka topic that it writes to, and whoever is none
 * of these has the identity of the unknown, which is accepted or refused by input. What an input
 * does with it is stream_identify and exchange_identify; datagrams and plain connections are known
 * by their network without it.
 *
 * Identities live as long as their agencies, which a reload replaces: an input keeps none of them
 * beyond the call, its row of the ledger does. Everything here is asked with an object that is
 * never NULL (agencies_none) and changes nothing in it.
 */
#ifndef TOCSIN_COLLECTOR_AGENCIES_H
#define TOCSIN_COLLECTOR_AGENCIES_H

#include "base/error.h"
#include "collector/quota.h"

#include <sys/socket.h>

struct agencies;

struct identity_of {
	struct str agency, system; /* names; empty: none */
	struct str contacts;       /* divided by ", " */
	struct str decoder;        /* to try first; empty: none */
	unsigned level;            /* security level, 1 to 5; 0: not told */
	bool known;                /* false: the identity of the unknown */
	bool zone_is_set;
	int32_t zone_s;
	uint64_t inputs;           /* a bit for each row of inputs.def that it may use */
	struct quota quota;
	struct bucket *bucket;     /* of all senders of the agency together; or NULL */
	int64_t silent_ns;         /* told silent not before; 0: never */
	uint32_t silent_times;     /* ... nor before so many times its usual gap */
	uint32_t loud_times;       /* loud over so many times its usual rate; 0: never */
};

/* Of nobody: all senders are unknown, and accepted. agency: of those. NULL without memory. */
struct agencies *agencies_none(struct str agency);
/* Reads the file. 0, or a negative code with the position of the mistake. */
int agencies_read(
    struct agencies **ret, const char *path, struct str agency, struct error *error);
int agencies_parse(struct agencies **ret, struct str yaml, const char *file, struct str agency,
    struct error *error);
void agencies_free(struct agencies *agencies); /* accepts NULL */

const struct identity_of *agencies_unknown(const struct agencies *agencies);
/* By the most specific network; the unknown when there is none. Never NULL. */
const struct identity_of *agencies_by_network(
    const struct agencies *agencies, const struct sockaddr *address);
/* NULL: nobody has this token. Takes the same time for every token of one length. */
const struct identity_of *agencies_by_token(const struct agencies *agencies, struct str token);
/*
 * names: of the certificate, as "dns:fw1.example.vn", "uri:...", "email:..."; fingerprint: SHA-256
 * of its DER, which counts more than a name. NULL: nobody's. The caller has verified the chain.
 */
const struct identity_of *agencies_by_certificate(const struct agencies *agencies,
    const struct str *names, size_t count, const uint8_t fingerprint[32]);
/* By the name of a Kafka topic that it writes to; the unknown when it is nobody's. Never NULL. */
const struct identity_of *agencies_by_topic(const struct agencies *agencies, struct str topic);
/* By the names of an agency and a system (empty: the agency itself); NULL: there is none. */
const struct identity_of *agencies_by_name(
    const struct agencies *agencies, struct str agency, struct str system);
/* Some token, some certificate is known: a wrong one is then refused, not passed over. */
bool agencies_have_tokens(const struct agencies *agencies);
bool agencies_have_certificates(const struct agencies *agencies);
/*
 * The keys that a sender proves to have without sending them (Forward's shared_key), by index; NULL
 * behind the last. *key is borrowed from agencies.
 */
const struct identity_of *agencies_shared_key(
    const struct agencies *agencies, size_t index, struct str *key);
/* Likewise the users of Forward, with their passwords. */
const struct identity_of *agencies_login(
    const struct agencies *agencies, size_t index, struct str *user, struct str *password);

bool identity_allows(const struct identity_of *identity, const char *input);

size_t agencies_count(const struct agencies *agencies); /* identities, without the unknown */
const struct identity_of *agencies_at(const struct agencies *agencies, size_t index);
/* Networks inside another agency's: the narrower one wins, which is told. NULL behind the last. */
const char *agencies_overlap(const struct agencies *agencies, size_t index);

#endif
