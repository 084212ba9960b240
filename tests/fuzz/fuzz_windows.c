/* fuzz: decoder - Windows events: JSON objects behind a channel and an event id */
#include "tests/fuzz/behind.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const prefixes[] = {
    "{\"Channel\":\"Microsoft-Windows-Sysmon/Operational\",\"EventID\":13,",
    "{\"winlog\":{\"channel\":\"Security\",\"event_id\":4688,"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	decode_behind(prefixes, sizeof(prefixes) / sizeof(prefixes[0]), data, size);
	return 0;
}
