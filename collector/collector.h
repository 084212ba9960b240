/*
 * collector.h - the stage "collect": sockets to the topic "events".
 *
 * Never interprets: it frames, stamps and publishes the bytes verbatim. One event loop, one thread.
 * Frames are packed per partition (hash of the sender) and closed at frame_bytes or frame_delay.
 * When the bus is behind (BUS_BUSY), TCP connections are not read; UDP is read and refused,
 * counted. The ledger balances: received = published + refused + in flight.
 */
#ifndef TOCSIN_COLLECTOR_COLLECTOR_H
#define TOCSIN_COLLECTOR_COLLECTOR_H

#include "base/config.h"
#include "bus/bus.h"
#include "event/event.h"
#include "net/loop.h"

struct agencies;
struct collector;

struct collector_listener {
	const char *input;   /* a name of inputs.def: "syslog-udp", "syslog-tcp" */
	const char *address; /* "127.0.0.1:5514", "[::]:514", "*:514" */
};

#define COLLECTOR_LISTENERS_MAX 128

struct collector_options {
	struct bus *bus;	   /* used by this collector alone; outlives it */
	struct loop *loop;	   /* likewise */
	const struct config *config; /* for the keys of inputs; NULL: their defaults. Outlives it */
	const char *identity_path; /* file that keeps collector id and last epoch */
	const struct collector_listener *listeners;
	size_t listener_count;
	unsigned udp_sockets; /* a UDP listener (SO_REUSEPORT) */
	size_t udp_receive_buffer;
	size_t connections_max, connections_per_peer;
	int64_t idle_ns;
	size_t frame_limit;	/* longest event; the rest is cut and flagged */
	size_t frame_bytes;	/* close a frame at this size */
	int64_t frame_delay_ns; /* ... or at this age */
	int64_t tick_ns;
	size_t queue_bytes;	/* what may wait for the bus; 0: 32 MiB */
	size_t senders_max;	/* rows of the ledger; further ones share one */
	int32_t zone_s;		/* in force for senders without their own */
	struct str agency;	/* of senders without their own */
	const char *agencies_path; /* agencies.yml; NULL: all senders are unknown, and accepted */
	bool one_event_json;	/* one event a record, JSON, for foreign consumers */
	int64_t (*clock)(void); /* wall clock, ns; NULL: the system's */
	/* Who was refused and why, for a log; bounded by itself. May be NULL. */
	void (*tell)(void *context, const struct error *error);
	void *tell_context;
	/*
	 * Calls run in another thread, and gives what it gives: for inputs whose libraries make
	 * threads, which have what the thread that makes them has. NULL: run is called as it is.
	 */
	int (*apart)(void *context, int (*run)(void *argument, struct error *error), void *argument,
	    struct error *error);
	void *apart_context;
};

int collector_open(
    struct collector **ret, const struct collector_options *options, struct error *error);
/*
 * Takes what the kernel still holds, closes listeners, publishes what is packed, and waits for
 * receipts up to timeout_ns, a bus that is down included. Negative when events remain without one.
 */
int collector_stop(struct collector *collector, int64_t timeout_ns, struct error *error);
void collector_close(struct collector *collector); /* accepts NULL */
/* One round of the loop. Returns 0 or a negative code (ERR_FULL, ERR_BUS: go on stepping). */
int collector_step(struct collector *collector, int64_t timeout_ns, struct error *error);
/* The port that a listener got, for port 0; 0 when it has none. */
unsigned collector_port(const struct collector *collector, size_t listener);
/* Every input has come to its end (standard input), and nothing is under way. */
bool collector_ended(const struct collector *collector);
/* Another zone is in force (DST): for events from now on. */
void collector_set_zone(struct collector *collector, int32_t zone_s);

/*
 * Reads agencies.yml and the certificate of TLS again. Connections stay; who may no longer send is
 * told so, and closed, within a second. When a file is wrong, what was in force stays so. 0 or
 * negative.
 */
int collector_reload(struct collector *collector, struct error *error);
/* Those in force; until the next reload. */
const struct agencies *collector_agencies(const struct collector *collector);

/*
 * Row of the ledger: a sender by one input; counts since the start of the process. received =
 * durable + refused_busy + refused_large + refused_quota + refused_barred + under way.
 */
struct source_row {
	struct str sender;
	struct str agency, system;
	unsigned level;    /* security level; 0: not told */
	bool known;        /* agencies.yml knows it */
	bool silent, loud; /* at present, as agencies.yml defines it */
	const char *input; /* "syslog-udp", ... */
	enum transport transport; /* that its events name */
	int64_t first_ns, last_ns; /* receive times */
	int64_t lag_ns, lag_max_ns; /* from receipt to durable: of the last frame, and the most */
	/* Frames of its protocol that were taken: datagrams, requests, windows, messages. */
	uint64_t frames;
	uint64_t received, bytes, published, durable; /* events */
	uint64_t refused_busy, refused_large, refused_quota, refused_barred;
	uint64_t refused_connections, barred_connections;
	uint64_t waits; /* times that a connection had to wait for its quota or its share */
	uint64_t truncated, bad_frames, with_nul, bad_utf8;
	uint64_t tls_refused;   /* connections: no handshake, a bad certificate */
	uint64_t tls_truncated; /* ... that ended without saying so */
	uint64_t proxy_refused; /* ... without a PROXY header, or not from a trusted proxy */
	uint64_t repeats; /* named messages that came again and were not taken: not received */
	uint64_t backlog;    /* Kafka: records of its topic that are not read yet */
	uint64_t tombstones; /* Kafka: records without a value, which are no events */
	uint64_t kernel_drops; /* of its listener; only on the listener's row */
};
/* Rows by sender, then the total; visit returns false to stop. */
void collector_sources(const struct collector *collector,
    bool (*visit)(void *context, const struct source_row *row), void *context);
void collector_total(const struct collector *collector, struct source_row *ret);
uint64_t collector_in_flight(const struct collector *collector);

#endif
