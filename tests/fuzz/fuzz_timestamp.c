/* fuzz: decoder - time stamps: what is taken is a prefix, and the year is never wildly chosen */
#include "decoder/timestamp.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const int64_t received = INT64_C(1795328820000000000), day = INT64_C(86400000000000);
	char *copy = malloc(size == 0 ? 1 : size);
	struct str rest = {copy, size};
	static struct timestamp_months months;
	struct timestamp stamp, whole;
	int64_t ns, quick;
	bool zone;

	if (size > 0)
		memcpy(copy, data, size);
	if (timestamp_take(&rest, &stamp)) {
		if (rest.len >= size || (rest.len > 0 && rest.ptr + rest.len != copy + size))
			abort();
		if (timestamp_ns(&stamp, received, 25200, &ns) && stamp.form == TIMESTAMP_CIVIL &&
		    stamp.civil.year == 0 && ns > received + day)
			abort();
		/* a stamp from end to end is the same, whichever way it is read */
		if (rest.len == 0 && !char_is_space(copy[0]) &&
		    (!timestamp_parse(str_from(copy, size), &whole) ||
			memcmp(&whole, &stamp, sizeof(stamp)) != 0))
			abort();
		if (rest.len > 0 && str_trim(rest).len > 0 && !char_is_space(copy[0]) &&
		    timestamp_parse(str_from(copy, size), &whole))
			abort();
	} else if (rest.ptr != copy || rest.len != size) {
		abort();
	}
	if (timestamp_quick(&months, str_from(copy, size), 25200, &zone, &quick) &&
	    (!timestamp_parse(str_from(copy, size), &whole) || zone != whole.has_zone ||
		!timestamp_ns(&whole, received, 25200, &ns) || ns != quick))
		abort();
	free(copy);
	return 0;
}
