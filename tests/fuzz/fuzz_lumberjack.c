/* fuzz: collector - frames of Lumberjack, whole and as they come in part, packed ones too */
#include "collector/lumberjack.h"

#include "base/check.h"
#include "collector/inflate.h"

#include <stdlib.h>
#include <string.h>

#define DATA_MAX 4096

static void frames_read(struct str bytes, unsigned depth)
{
	struct lumberjack_frame frame, again;
	struct str rest = bytes, cut;
	size_t whole, known;

	for (;;) {
		struct str before = rest;
		enum lumberjack_status status = lumberjack_next(&rest, DATA_MAX, &frame, &whole);

		if (status != LUMBERJACK_FRAME) {
			CHECK(status != LUMBERJACK_MORE || rest.len < (whole > 0 ? whole : 10));
			return;
		}
		CHECK(frame.data.len <= DATA_MAX && whole == before.len - rest.len);
		CHECK(frame.data.len == 0 || frame.data.ptr + frame.data.len == rest.ptr);
		/* One byte less is not enough, whichever is missing. */
		cut = str_slice(before, 0, whole - 1);
		CHECK(lumberjack_next(&cut, DATA_MAX, &again, &known) == LUMBERJACK_MORE);
		CHECK(known == 0 || known == whole);
		if (frame.kind == 'C' && depth > 0) {
			struct buf inner = BUF(1u << 16);

			inflate_all(&inner, frame.data);
			frames_read(buf_str(&inner), depth - 1);
			buf_free(&inner);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1);

	CHECK(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	frames_read(str_from(copy, size), 2);
	free(copy);
	return 0;
}
