/*
 * words.h - small fixed records as rows of 64-bit words.
 *
 * A record of the day files is a struct whose members all are 8 bytes wide (or made of such); it
 * is stored as its words, little-endian. A row of another length is damage.
 */
#ifndef TOCSIN_STORAGE_WORDS_H
#define TOCSIN_STORAGE_WORDS_H

#include <string.h>

#include "base/buf.h"

#define WORDS_MAX 160

/* The largest record. */
struct words {
	char bytes[WORDS_MAX * 8];
};

static inline struct str words_put(struct words *out, const void *record, size_t size)
{
	for (size_t i = 0; i < size / 8; i++) {
		uint64_t word;

		memcpy(&word, (const char *)record + 8 * i, 8);
		set_u64(out->bytes + 8 * i, word);
	}
	return str_from(out->bytes, size);
}

static inline bool words_get(struct str row, void *record, size_t size)
{
	for (size_t i = 0; row.len == size && i < size / 8; i++) {
		uint64_t word = get_u64(row.ptr + 8 * i);

		memcpy((char *)record + 8 * i, &word, 8);
	}
	return row.len == size;
}

#endif
