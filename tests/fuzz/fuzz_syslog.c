/* fuzz: decoder - the whole chain over one line */
#include "decoder/decoder.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_slice(struct str slice)
{
	static volatile char sink;

	for (size_t i = 0; i < slice.len; i++)
		sink = slice.ptr[i];
	(void)sink;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena *arena;
	/* a copy of exactly this size, so that one byte too far is seen */
	char *copy = malloc(size == 0 ? 1 : size);
	struct event event = {.raw = {copy, size}, .received_ns = INT64_C(1795328820000000000)};
	struct record record;

	if (arena == NULL)
		arena = arena_new(16u << 20);
	if (size > 0)
		memcpy(copy, data, size);
	arena_reset(arena);
	decoder_run(&record, &event, arena);
	if (record.decoders.len == 0 || record.field_count > DECODER_FIELDS)
		abort();
	check_slice(record.message);
	for (size_t i = 0; i < record.field_count; i++) {
		check_slice(record.fields[i].name);
		check_slice(record.fields[i].value);
	}
	free(copy);
	return 0;
}
