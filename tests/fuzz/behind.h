/*
 * behind.h - for the fuzz targets of decoders: the input behind each of some first bytes, which bring
 * it to the decoder that is meant; without them few inputs would get there.
 */
#ifndef TOCSIN_TESTS_FUZZ_BEHIND_H
#define TOCSIN_TESTS_FUZZ_BEHIND_H

#include "decoder/decoder.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline void decode_behind(const char *const *prefixes, size_t count, const uint8_t *data,
    size_t size)
{
	static struct arena *arena;
	struct event event = {.received_ns = INT64_C(1795328820000000000)};
	struct record record;

	if (arena == NULL)
		arena = arena_new(16u << 20);
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(prefixes[i]);
		char *copy = malloc(len + size);

		memcpy(copy, prefixes[i], len);
		if (size > 0)
			memcpy(copy + len, data, size);
		event.raw = (struct str){copy, len + size};
		arena_reset(arena);
		decoder_run(&record, &event, arena);
		if (record.decoders.len == 0 || record.field_count > DECODER_FIELDS)
			abort();
		free(copy);
	}
}

#endif
