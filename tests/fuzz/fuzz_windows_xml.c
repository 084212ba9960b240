/* fuzz: decoder - Windows events in XML: whole, in the data, in an attribute, in JSON */
#include "tests/fuzz/behind.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SYSTEM "<Event><System><EventID>1</EventID>"
#define SYSMON SYSTEM "<Channel>Linux-Sysmon/Operational</Channel></System><EventData>"
#define NAMED  SYSTEM "<Channel>System</Channel></System><EventData><Data Name="
#define JSON   "{\"message\":\"" SYSTEM

static const char *const prefixes[] = {(SYSTEM), (SYSMON), (NAMED), (JSON)};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	decode_behind(prefixes, sizeof(prefixes) / sizeof(prefixes[0]), data, size);
	return 0;
}
