/*
 * gelf.h - GELF over datagrams: chunks put together, payloads unpacked.
 *
 *   chunk = 1e 0f, id (8 bytes), sequence, count, part        payload = zlib, gzip or plain JSON
 *
 * Bounded: so many messages that are not whole, so many bytes of theirs, five seconds each. What
 * goes is the oldest, and is counted as a bad frame of its sender.
 */
#ifndef TOCSIN_COLLECTOR_GELF_H
#define TOCSIN_COLLECTOR_GELF_H

#include "base/buf.h"
#include "collector/ledger.h"

#define GELF_CHUNKS_MAX	  128
#define GELF_MESSAGES_MAX 512
#define GELF_LIFE_NS	  (INT64_C(5) * 1000000000)

struct gelf_chunks;

struct gelf_chunks *gelf_chunks_new(size_t bytes_max); /* NULL without memory */
void gelf_chunks_free(struct gelf_chunks *chunks);     /* accepts NULL */

enum gelf_status {
	GELF_WHOLE, /* the payload is there: the datagram itself, or in out */
	GELF_PART,
	GELF_BAD
};

/* sender: whose datagram it is, for ids are only unique there. ret may be a view of out. */
enum gelf_status gelf_chunks_take(struct gelf_chunks *chunks, struct ledger_row *row,
    struct str sender, struct str datagram, int64_t now_ns, struct buf *out, struct str *ret);
/* Those that are too old go. */
void gelf_chunks_tick(struct gelf_chunks *chunks, int64_t now_ns);
/* Messages that are not whole, and bytes of theirs. */
size_t gelf_chunks_count(const struct gelf_chunks *chunks, size_t *bytes);

/* The document in payload; ret may be a view of out, up to whose ceiling it grows. False: none. */
bool gelf_unpack(struct str payload, struct buf *out, struct str *ret);

#endif
