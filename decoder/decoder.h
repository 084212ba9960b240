/*
 * decoder.h - raw line to fields.
 *
 * decoder_run walks the chain of decoders.def: a header decoder (rfc5424, rfc3164, json, cef, leef,
 * ...) takes the line apart, an application decoder (sshd, apache_access, windows, ...) the message
 * that is left. It never fails: the last decoder accepts everything. Pure: the same event gives the
 * same record for ever, under the same log sources.
 */
#ifndef TOCSIN_DECODER_DECODER_H
#define TOCSIN_DECODER_DECODER_H

#include "decoder/logsource.h"

enum decode_status {
	DECODE_NO,   /* not this format: try the next one; the record is unchanged */
	DECODE_YES   /* taken */
};

enum decoder_stage {
	DECODER_ENVELOPE,    /* gets the whole line, when the event names it (envelope.h) */
	DECODER_HEADER,      /* gets the whole line */
	DECODER_PAYLOAD,     /* gets the message: a format in itself (JSON, CEF, key=value) */
	DECODER_SOURCE,      /* gets the fields of a payload: names what they come from */
	DECODER_APPLICATION  /* gets the message of a named program (programs.def) */
};

struct notes;

/* One format; one const struct a file, one row in decoders.def. One of decode and decode_noted. */
struct decoder {
	const char *name;
	enum decoder_stage stage;
	struct str lead;     /* what the text must begin with to be tried; empty: anything */
	const char *summary; /* one line for `tocsin decode --list` and docs/DECODERS.md */
	enum decode_status (*decode)(struct record *record, struct str text);
	/* of those whose names are the sender's: notes.h, over the record as it is */
	enum decode_status (*decode_noted)(struct record *record, struct str text,
	    struct notes *notes);
};

/* All of decoders.def in the order in which they are tried. */
size_t decoder_count(void);
const struct decoder *decoder_at(size_t index);
const struct decoder *decoder_find(struct str name);

#define DECODER_FIELDS 1024 /* most fields of an event; more are dropped and flagged */
#define DECODER_DEPTH  64   /* deepest JSON */

/* Decodes event into record (begun here, in arena), without log sources of the configuration. */
void decoder_run(struct record *record, const struct event *event, struct arena *arena);

/*
 * What one thread decodes many events with: the log sources of the configuration, and what is known
 * of the names of fields that it met before, which only makes it quicker.
 */
struct decoding;

/* sources outlives it; NULL: none. NULL without memory. */
struct decoding *decoding_new(const struct logsources *sources);
void decoding_free(struct decoding *decoding); /* accepts NULL */
/* decoder_run with both; decoding NULL: decoder_run. */
void decoding_run(struct decoding *decoding, struct record *record, const struct event *event,
    struct arena *arena);

#endif
