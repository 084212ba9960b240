/*
 * name_set.h - a fixed table of names, looked up in about one probe.
 *
 * A stranger chooses what is looked up but not what is in the table, so the hash needs no key.
 * Every field of every event asks several such tables, nearly always in vain.
 */
#ifndef TOCSIN_DECODER_NAME_SET_H
#define TOCSIN_DECODER_NAME_SET_H

#include "base/str.h"

#define NAME_SET_SLOTS 1024u
#define NAME_SET_NONE  SIZE_MAX

struct name_set {
	const char *rows; /* the first row's name; the others stand stride bytes apart */
	size_t stride, count;
	uint16_t slots[NAME_SET_SLOTS]; /* index + 1 */
};

/* rows: the struct str of the first row. At most a quarter of the slots; a name may occur again. */
void name_set_build(struct name_set *set, const struct str *rows, size_t stride, size_t count);
/* Index of the first row of that name, or NAME_SET_NONE. */
size_t name_set_find(const struct name_set *set, struct str name);

#endif
