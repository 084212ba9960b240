/* fuzz: collector - a stream of syslog over TCP, in one piece and in the pieces that its first byte
 * says */
#include "collector/framer.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of a stream that come at once; what is left of the last piece stands in front of them. */
static size_t frames_of(struct str stream, size_t piece, size_t limit)
{
	struct framer framer = framer_begin(limit);
	char *bytes = malloc(stream.len + limit + 64);
	size_t kept = 0, count = 0;

	CHECK(bytes != NULL);
	for (size_t from = 0;; from += piece) {
		bool end = from >= stream.len;
		struct str more = str_slice(stream, from, from + piece);

		if (more.len > 0)
			memcpy(bytes + kept, more.ptr, more.len);
		struct str rest = {bytes, kept + more.len}, frame;
		enum framer_status status;
		bool cut;

		while ((status = framer_next(&framer, &rest, end, &frame, &cut)) == FRAMER_EVENT) {
			CHECK(frame.len > 0 && frame.len <= limit);
			CHECK(frame.ptr >= bytes && frame.ptr + frame.len <= rest.ptr);
			count++;
		}
		CHECK(status == FRAMER_BAD || rest.len <= limit + 14);
		CHECK(status == FRAMER_BAD || !end || rest.len == 0);
		if (end || status == FRAMER_BAD)
			break;
		memmove(bytes, rest.ptr, rest.len);
		kept = rest.len;
	}
	free(bytes);
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	struct str stream = str_from(data + 2, size - 2);
	size_t limit = 1 + (size_t)data[0] % 64, piece = 1 + (size_t)data[1];
	size_t whole = frames_of(stream, stream.len + 1, limit);
	size_t parts = frames_of(stream, piece, limit);

	/* Only NUL at the end of a piece may make a difference (framer.h). */
	CHECK(whole == parts || str_find_char(stream, '\0') != STR_NOT_FOUND);
	return 0;
}
