/* fuzz: decoder - messages of programs behind a header */
#include "decoder/decoder.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The prefix brings the input to the decoder; without it few inputs would get there. */
static const char *const prefixes[] = {"<38>Nov 22 03:04:05 h sshd[1]: ",
    "<38>Nov 22 03:04:05 h sudo: ", "<4>Nov 22 03:04:05 h kernel: ", "<38>Nov 22 03:04:05 h su: ",
    "<38>Nov 22 03:04:05 h useradd: ", "type=EXECVE msg=audit(1795316645.5:7): "};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena *arena;
	struct event event = {.received_ns = INT64_C(1795328820000000000)};
	struct record record;

	if (arena == NULL)
		arena = arena_new(16u << 20);
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
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
	return 0;
}
