/* fuzz: decoder - CEF, LEEF and key=value behind their first bytes */
#include "tests/fuzz/behind.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const prefixes[] = {"CEF:0|V|P|1|2|n|3|", "LEEF:2.0|V|P|1|i|", "a=1 b="};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	decode_behind(prefixes, sizeof(prefixes) / sizeof(prefixes[0]), data, size);
	return 0;
}
