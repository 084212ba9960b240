/* fuzz: collector - a stream of RELP, in one piece and in the pieces that its first byte says */
#include "collector/relp.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

/* A sum of the frames in the stream; *bad: it ends in none. */
static uint64_t frames_of(struct str stream, size_t piece, size_t limit, bool *bad)
{
	struct relp relp = {.limit = limit};
	char *bytes = malloc(stream.len + 1);
	size_t kept = 0;
	uint64_t sum = 0;

	CHECK(bytes != NULL);
	*bad = false;
	for (size_t from = 0; from < stream.len && !*bad; from += piece) {
		struct str more = str_slice(stream, from, from + piece);

		memcpy(bytes + kept, more.ptr, more.len);
		struct str rest = {bytes, kept + more.len};
		struct relp_frame frame;
		enum relp_status status;

		while ((status = relp_next(&relp, &rest, &frame)) == RELP_FRAME) {
			CHECK(frame.data.len <= limit && frame.command.len > 0);
			for (size_t i = 0; i < frame.data.len; i++)
				sum = sum * 31 + (uint8_t)frame.data.ptr[i];
			sum = sum * 31 + frame.txnr + frame.command.len + frame.cut;
		}
		*bad = status == RELP_BAD;
		CHECK(*bad || rest.len <= limit + 64);
		memmove(bytes, rest.ptr, rest.len);
		kept = rest.len;
	}
	free(bytes);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool bad[2];

	if (size < 2)
		return 0;
	struct str stream = str_from(data + 2, size - 2);
	size_t limit = 1 + (size_t)data[0] % 64, piece = 1 + (size_t)data[1];
	uint64_t whole = frames_of(stream, stream.len, limit, &bad[0]);
	uint64_t parts = frames_of(stream, piece, limit, &bad[1]);

	/* A frame that does not end in LF may have been given before that was seen. */
	CHECK(bad[0] == bad[1] && (bad[0] || whole == parts));
	return 0;
}
