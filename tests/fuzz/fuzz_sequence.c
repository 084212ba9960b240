/* fuzz: collector - sequenceId of RFC 5424: it lies in the line, and is a number */
#include "collector/syslog.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of exactly this size: a byte behind it is noticed. */
	char *copy = malloc(size > 0 ? size : 1);
	uint64_t number;

	if (copy == NULL)
		return 0;
	if (size > 0)
		memcpy(copy, data, size);
	struct str sequence = syslog_sequence(str_from(copy, size));

	if (sequence.len > 0) {
		CHECK(sequence.ptr > copy && sequence.ptr + sequence.len < copy + size);
		CHECK(str_to_u64(sequence, &number));
	}
	free(copy);
	return 0;
}
