/*
 * input.h - what an input protocol provides, and what it is given.
 *
 * One file input_<symbol>.c exports one const struct input_kind; its row in inputs.def is what
 * makes it known, and a list in base/config.def is where its addresses stand. An input turns what
 * its sockets bring into events and hands them to the intake.
 */
#ifndef TOCSIN_COLLECTOR_INPUT_H
#define TOCSIN_COLLECTOR_INPUT_H

#include "base/config.h"
#include "collector/packer.h"
#include "net/loop.h"

struct agencies;
struct door;
struct files;
struct stream;

/* Shared by the inputs of one collector. */
struct intake {
	const struct collector_options *options;
	const struct config *config; /* what the input's own keys say */
	struct loop *loop;
	struct ledger *ledger;
	const struct agencies *agencies; /* never NULL; another one after a reload */
	struct packer *packer;
	int64_t now_ns; /* receive time of what is read now */
	int32_t zone_s;
	struct messages *messages; /* those that are named; NULL: none is remembered */
	struct str name;    /* that the protocol gives to what is handed on now; or empty */
	struct str decoder; /* of what is handed on now, before its sender's; or empty */
	struct stream *waiting; /* for their quota (stream.c) */
	int64_t wake_ns;        /* when the first of them may go on; 0: none waits */
	struct door *door;      /* what stands before connections (wire.h); NULL: nothing */
	struct files *files;    /* what the inputs of files share (input_file.c) */
	char *scratch; /* INTAKE_SCRATCH bytes, for one call at a time */
};

#define INTAKE_SCRATCH (4u << 20)

struct input;

struct input_kind {
	const char *name;
	const char *summary;
	enum config_key listen; /* the list of its addresses in the configuration */
	/* Opens a listener on address. */
	int (*open)(
	    struct input **ret, struct intake *intake, const char *address, struct error *error);
	bool threads; /* open makes some: it is called through collector_options.apart */
	void (*close)(struct input *input); /* accepts NULL */
	/* The bus is behind, or no longer: stop or resume reading where senders can wait. */
	void (*pause)(struct input *input, bool paused);
	/*
	 * At the end: takes what the kernel still holds, without waiting, and what came in part.
	 * Who is owed an answer may still get it, until close.
	 */
	void (*finish)(struct input *input);
	/* About once a second: deadlines, counters of the kernel. */
	void (*tick)(struct input *input);
	unsigned (*port)(const struct input *input);
	/* It has come to its end: nothing will follow. May be NULL: it never does. */
	bool (*ended)(const struct input *input);
};

const struct input_kind *input_find(struct str name);
size_t input_count(void);
const struct input_kind *input_at(size_t index);

/* Asks the clock; what is read from here on is stamped with it. */
int64_t intake_now(struct intake *intake);
/*
 * A datagram of so many bytes may be taken: its sender may use this input and has a quota left.
 * False: it is counted as refused, and dropped. What comes by TRANSPORT_UDP is asked by
 * intake_event; datagrams of other transports are asked by their input.
 */
bool intake_admits(struct intake *intake, struct ledger_row *row, size_t bytes);
/*
 * Stamps raw with the identity of its row, charges its quota, and hands it on; an event of who may
 * not use this input is refused. peer: "address:port". ticket: held until it is durable; NULL:
 * nobody waits.
 */
void intake_event(struct intake *intake, struct ledger_row *row, const char *input,
    enum transport transport, struct str peer, struct str raw, bool cut, struct ticket *ticket);

/*
 * The same for an event that keeps its coordinate and receive time: what it was is set, who it is
 * follows from its row.
 */
void intake_kept(struct intake *intake, struct ledger_row *row, const char *input,
    struct lane *lane, struct event *event, struct ticket *ticket);

#endif
