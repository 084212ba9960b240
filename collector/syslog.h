/*
 * syslog.h - a stream of syslog frames, whatever carries it: what such inputs have in common.
 */
#ifndef TOCSIN_COLLECTOR_SYSLOG_H
#define TOCSIN_COLLECTOR_SYSLOG_H

#include "collector/framer.h"
#include "collector/stream.h"

/* For a stream_kind whose state is a struct framer. */
bool syslog_begin(struct stream *stream);
bool syslog_take(struct stream *stream, struct str *bytes, bool end);

/*
 * The sequenceId in the element "meta" of a message of RFC 5424 (section 7.3.1), its digits; empty:
 * it has none, or is no such message.
 */
struct str syslog_sequence(struct str raw);

#endif
