/*
 * json_scan.h - the values of a JSON object, flattened, as views of the text.
 *
 * {"a":{"b":[1,"x"]},"c":null} gives a.b = 1, a.b = x, c = null, in this order. Names of nested
 * keys are joined with '.', elements of arrays repeat the name, duplicate keys are all given, empty
 * objects and arrays give nothing. Strings and names are views of the text; only those with a
 * backslash, and joined names, take memory of the arena.
 *
 * RFC 8259, with these liberties, since a line that is kept as fields is worth more than one that
 * is refused: bytes that are no UTF-8 and raw control characters may stand in strings (they are
 * kept), a lone surrogate becomes U+FFFD, and numbers may have any size and leading zeros. White
 * space may surround the object.
 */
#ifndef TOCSIN_DECODER_JSON_SCAN_H
#define TOCSIN_DECODER_JSON_SCAN_H

#include "base/arena.h"
#include "event/record.h"

/* kind NUMBER: value is the text of the number; BOOL: "true" or "false"; NULL: "null". */
typedef void json_scan_fn(void *context, struct str name, enum field_kind kind, struct str value);

/*
 * Scans text, which must be one object nested at most depth levels (the object itself is one).
 * False when it is not, or at the arena's ceiling: what was given until then is to be forgotten.
 */
bool json_scan(struct str text, unsigned depth, struct arena *arena, json_scan_fn *give,
    void *context);

#endif
