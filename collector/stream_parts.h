/*
 * stream_parts.h - what stream.c (a connection that is read and written) and stream_listen.c (how
 * it comes to be one, and its listener) know of each other. Nobody else includes it.
 */
#ifndef TOCSIN_COLLECTOR_STREAM_PARTS_H
#define TOCSIN_COLLECTOR_STREAM_PARTS_H

#include "collector/stream.h"
#include "collector/wire.h"
#include "net/address.h"

struct stream {
	struct stream *next, *previous;
	struct input *input;
	struct watch *watch;
	struct ledger_row *row;
	struct ledger_row *own; /* of the connection: by its network, or its certificate */
	struct stream *wait_next;
	bool waits;             /* for its quota, or its share */
	bool identified;        /* by its network, or as its kind does it */
	struct wire wire;
	bool opened;       /* what stands before its first byte is done, and it has begun */
	bool held;         /* the input does not want to read */
	bool rested;       /* and left bytes that it will look at then */
	bool ended;        /* nothing more is read */
	bool broken;       /* closed at the next occasion */
	int64_t active_ns; /* when something came */
	int64_t frame_ns;  /* when a message last ended, or began behind none */
	char *partial;     /* the message that has come in part */
	size_t partial_len, partial_capacity;
	struct buf out;
	size_t out_at;     /* written so far */
	struct sockaddr_storage from;
	struct str peer;
	char peer_text[ADDRESS_TEXT];
	_Alignas(max_align_t) char state[];
};

struct input {
	const struct stream_kind *kind;
	struct intake *intake;
	struct ledger_row *row; /* of the listener */
	struct watch *watch;
	struct wire_kind wire;
	enum transport transport;
	int fd;
	size_t opening; /* connections that are not opened */
	bool paused, accept_paused;
	struct stream *streams;
	size_t stream_count;
	_Alignas(max_align_t) char shared[];
};

/* What it waits for at present. */
void stream_watch(struct stream *stream);
/* Takes it out of all lists, and frees it. */
void stream_close(struct stream *stream);
/* False: closed, for it had to be. */
bool stream_settle(struct stream *stream);
/* The descriptor is ready (watch_call); for one that is not opened, stream_goes_on comes first. */
void stream_ready(void *context, unsigned ready);
/* Reads what the socket holds now, without waiting; then nothing more is read. */
void stream_drain(struct stream *stream);
/* Nothing more will be read: what is there is what there is. May close it. */
void stream_end(struct stream *stream);

/* What stands before its first byte goes on. True: it is opened now. False: it may be gone. */
bool stream_goes_on(struct stream *stream);

#endif
