/*
 * event.h - what travels: an event as it was received.
 *
 * The bytes are verbatim; the rest was stamped at the door by the collector, so that a decoder
 * gives the same result next year. Text is borrowed from the batch that the event was read with.
 */
#ifndef TOCSIN_EVENT_EVENT_H
#define TOCSIN_EVENT_EVENT_H

#include "base/hash.h"

/* Which event is it: never reused (docs/wire.md, section 1). Ordered by its three parts in turn. */
struct coordinate {
	uint64_t collector; /* random, made once a collector; or a hash of a foreign topic */
	uint64_t epoch;     /* ns, start of this run of the collector; or a foreign partition */
	uint64_t counter;   /* from 0 in each epoch; or a foreign offset */
};

/* Where it stands on the bus. */
struct position {
	uint32_t partition;
	uint64_t offset; /* of the frame */
	uint32_t index;  /* in the frame, from 0 */
};

enum transport {
	TRANSPORT_UNKNOWN,
	TRANSPORT_UDP,
	TRANSPORT_TCP,
	TRANSPORT_TLS,
	TRANSPORT_UNIX,
	TRANSPORT_RELP,
	TRANSPORT_HTTP,
	TRANSPORT_LUMBERJACK,
	TRANSPORT_FORWARD,
	TRANSPORT_GELF,
	TRANSPORT_FILE,
	TRANSPORT_KAFKA,
	TRANSPORT_COUNT
};

enum encoding { ENCODING_TEXT, ENCODING_JSON };

enum event_flag {
	EVENT_TRUNCATED = 1u << 0, /* the sender's line was longer than the frame limit */
	EVENT_HAS_NUL = 1u << 1,
	EVENT_BAD_UTF8 = 1u << 2,
	EVENT_CLOCK_SKEW =
	    1u << 3, /* event time too far from the receive time; the latter counts */
	EVENT_REPLAYED = 1u << 4,
	EVENT_FOREIGN = 1u << 5 /* not framed by a collector of ours */
};

struct event {
	struct coordinate at;
	int64_t received_ns;
	enum transport transport;
	enum encoding encoding;
	uint32_t flags;  /* enum event_flag */
	int32_t zone_s;  /* seconds east of UTC for times that name no zone */
	struct str peer; /* "192.0.2.7:40112", "[2001:db8::7]:40112", a path, a topic */
	struct str sender;
	struct str agency;
	struct str system;
	struct str decoder; /* a hint: the decoder to try first; empty for none */
	struct str raw;
	/* Of what its sender's protocol names it, and all of it; zero: it has no name there. */
	struct hash128 message;
};

#define COORDINATE_TEXT 64

int coordinate_compare(struct coordinate a, struct coordinate b);
/* "c0ffee0123456789-16b0f2a3c4d5e6f7-42": two times 16 hexadecimal digits, and decimal. */
struct str coordinate_format(struct coordinate at, char out[COORDINATE_TEXT]);
bool coordinate_parse(struct str text, struct coordinate *ret);
/* "udp", "tcp", ...; "unknown" for a value that this version does not know. */
struct str transport_name(enum transport transport);
bool transport_parse(struct str name, enum transport *ret);

#endif
