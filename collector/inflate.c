#include "collector/inflate.h"

#include <zlib.h>

#include <stdlib.h>
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

struct inflater {
	z_stream stream;
	bool member_over;
};

struct inflater *inflater_new(void)
{
	struct inflater *inflater = calloc(1, sizeof(*inflater));

	if (inflater != NULL && inflateInit2(&inflater->stream, EITHER_FORMAT) != Z_OK) {
		free(inflater);
		return NULL;
	}
	return inflater;
}

void inflater_free(struct inflater *inflater)
{
	if (inflater == NULL)
		return;
	inflateEnd(&inflater->stream);
	free(inflater);
}

enum inflated inflater_next(struct inflater *inflater, struct str *packed, char *out, size_t len,
    size_t *ret_len)
{
	z_stream *stream = &inflater->stream;
	int state = Z_OK;

	stream->next_in = (unsigned char *)(uintptr_t)packed->ptr;
	stream->avail_in = (unsigned)packed->len;
	stream->next_out = (unsigned char *)out;
	stream->avail_out = (unsigned)len;
	while (state == Z_OK && stream->avail_in > 0 && stream->avail_out > 0) {
		if (inflater->member_over && inflateReset(stream) != Z_OK)
			return INFLATE_BAD;
		inflater->member_over = false;
		state = inflate(stream, Z_NO_FLUSH);
		inflater->member_over = state == Z_STREAM_END;
		state = state == Z_STREAM_END || state == Z_BUF_ERROR ? Z_OK : state;
	}
	*packed = str_slice(*packed, packed->len - stream->avail_in, packed->len);
	*ret_len = len - stream->avail_out;
	return state == Z_OK ? INFLATE_DONE : state == Z_MEM_ERROR ? INFLATE_MEMORY : INFLATE_BAD;
}
