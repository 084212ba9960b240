/* fuzz: decoder - Linux audit of Laurel: JSON objects behind an id */
#include "tests/fuzz/behind.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const prefixes[] = {"{\"ID\":\"1795316645.250:42\",\"NODE\":\"n\","};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	decode_behind(prefixes, sizeof(prefixes) / sizeof(prefixes[0]), data, size);
	return 0;
}
