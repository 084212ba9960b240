/*
 * document.h - a C struct as a JSON object, both ways, from one table; private to event/.
 *
 * A row names a member: its key, how it is written, where it lies. The same rows write and read, so
 * the two cannot drift apart. A row that is not required is left out when it is empty or zero, and
 * reads as that when it is missing. Keys that no row names are skipped. Text that is no UTF-8, or
 * holds NUL, is written as base64 under the key with "_base64" behind it: no byte is lost.
 */
#ifndef TOCSIN_EVENT_DOCUMENT_H
#define TOCSIN_EVENT_DOCUMENT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

enum document_kind {
	DOCUMENT_TEXT,       /* struct str */
	DOCUMENT_TIME,       /* int64_t ns; RFC 3339 in UTC with 9 digits, empty when 0 */
	DOCUMENT_I32,
	DOCUMENT_I64,
	DOCUMENT_U32,
	DOCUMENT_U64,        /* JSON readers hold 2^63 - 1 at most: more is written as that */
	DOCUMENT_HASH,       /* struct hash128; 32 hexadecimal digits */
	DOCUMENT_COORDINATE, /* struct coordinate; as coordinate_format writes it */
	DOCUMENT_NAME,       /* an enum; the name that row->name gives */
	DOCUMENT_TEXTS,      /* struct str * and, at count, size_t; an array of strings */
	DOCUMENT_OBJECT,     /* a struct inside; row->rows */
	DOCUMENT_OBJECTS     /* struct * and, at count, size_t; an array of objects */
};

struct document_row {
	const char *key;
	enum document_kind kind;
	bool required;
	size_t offset;
	size_t count;                       /* offset of the count; TEXTS and OBJECTS */
	size_t size;                        /* of one element; OBJECTS */
	const struct document_row *rows;    /* of the objects; ended by a NULL key */
	struct str (*name)(unsigned value); /* NAME: of the values from 0; empty past the last */
};

/* The whole object; the first key is "schema". */
void document_write(struct buf *out, struct str schema, const struct document_row *rows,
    const void *from);
/*
 * Reads text into *to, which the caller has zeroed; copies into arena. 0, ERR_MEMORY, or
 * ERR_DOCUMENT with the byte offset or the key in the text.
 */
int document_read(struct arena *arena, struct str text, struct str schema,
    const struct document_row *rows, void *to, struct error *error);

#endif
