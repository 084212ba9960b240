/* fuzz: bus - rows of the local bus, as a segment of another make may hold them */
#include "bus/local_record.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str row = str_from(data, size);
	struct buf again = BUF(1 << 24);
	struct local_record record;

	if (!local_record_parse(row, &record))
		return 0;
	CHECK(record.key.len + record.value.len + LOCAL_RECORD_HEAD == size);
	local_record_put(&again, &record);
	CHECK(str_eq(buf_str(&again), row));
	buf_free(&again);
	return 0;
}
