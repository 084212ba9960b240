#include "collector/inflate.h"

#include <zlib.h>

#include <string.h>

#define PIECE (64u << 10)
#define EITHER_FORMAT (15 + 32) /* inflateInit2: gzip and zlib, by their first bytes */

static enum inflated piece_put(struct buf *out, const char *piece, size_t len)
{
	if (len > out->ceiling - out->len)
		return INFLATE_LARGE;
	buf_put(out, piece, len);
	return out->failed ? INFLATE_MEMORY : INFLATE_DONE;
}

/* One member. */
static enum inflated member(z_stream *stream, struct buf *out, int *state)
{
	char piece[PIECE];
	enum inflated result = INFLATE_DONE;

	*state = Z_OK;
	while (*state == Z_OK && result == INFLATE_DONE) {
		stream->next_out = (unsigned char *)piece;
		stream->avail_out = sizeof(piece);
		*state = inflate(stream, Z_NO_FLUSH);
		result = piece_put(out, piece, sizeof(piece) - stream->avail_out);
	}
	if (result == INFLATE_DONE && *state != Z_STREAM_END)
		return *state == Z_MEM_ERROR ? INFLATE_MEMORY : INFLATE_BAD;
	return result;
}

enum inflated inflate_all(struct buf *out, struct str packed)
{
	z_stream stream = {.next_in = (unsigned char *)(uintptr_t)packed.ptr,
	    .avail_in = (unsigned)packed.len};
	enum inflated result = INFLATE_DONE;
	int state = Z_OK;

	if (packed.len == 0 || packed.len > UINT32_MAX)
		return INFLATE_BAD;
	if (inflateInit2(&stream, EITHER_FORMAT) != Z_OK)
		return INFLATE_MEMORY;
	do {
		result = member(&stream, out, &state);
	} while (result == INFLATE_DONE && stream.avail_in > 0 && inflateReset(&stream) == Z_OK);
	inflateEnd(&stream);
	return result;
}
