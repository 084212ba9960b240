/* fuzz: decoder - Windows events: JSON objects behind a channel and an event id */
#include "decoder/decoder.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The prefix brings the input to the decoder; without it few inputs would get there. */
static const char *const prefixes[] = {
    "{\"Channel\":\"Microsoft-Windows-Sysmon/Operational\",\"EventID\":13,",
    "{\"winlog\":{\"channel\":\"Security\",\"event_id\":4688,"};

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
