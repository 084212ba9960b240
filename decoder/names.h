/*
 * names.h - a fixed table of names, looked up in about one probe.
 *
 * A stranger chooses what is looked up but not what is in the table, so the hash needs no key. Every
 * field of every event asks several such tables, nearly always in vain.
 */
#ifndef TOCSIN_DECODER_NAMES_H
#define TOCSIN_DECODER_NAMES_H

#include "base/str.h"

#define NAMES_SLOTS 1024u
#define NAMES_NONE  SIZE_MAX

struct names {
	const char *rows; /* the first row's name; the others stand stride bytes apart */
	size_t stride, count;
	uint16_t slots[NAMES_SLOTS]; /* index + 1 */
};

/* rows: the struct str of the first row. At most a quarter of the slots; a name may occur again. */
void names_build(struct names *names, const struct str *rows, size_t stride, size_t count);
/* Index of the first row of that name, or NAMES_NONE. */
size_t names_find(const struct names *names, struct str name);

#endif
