/* fuzz: collector - heads of HTTP requests and bodies in chunks, whole and in two pieces; and what a
 * packed body grows to. */
#include "base/check.h"
#include "collector/http_head.h"
#include "collector/inflate.h"

#include <stdlib.h>
#include <string.h>

/* The body that the chunks hold, in pieces that end at cut; false: bad. */
static bool chunks_read(struct str text, size_t cut, struct buf *out)
{
	struct http_chunks chunks = {0};
	struct str rest = str_slice(text, 0, cut), piece;
	bool whole = false;

	for (;;) {
		switch (http_chunks_next(&chunks, &rest, &piece)) {
		case HTTP_CHUNK_DATA:
			buf_str_put(out, piece);
			break;
		case HTTP_CHUNK_MORE:
			if (whole)
				return true;
			whole = true;
			rest = str_from(rest.ptr, text.len - (size_t)(rest.ptr - text.ptr));
			break;
		case HTTP_CHUNK_LAST:
			return true;
		case HTTP_CHUNK_BAD:
			return false;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf one = BUF(1u << 20), two = BUF(1u << 20), grown = BUF(1u << 16);
	struct http_head head;
	size_t used = 0, cut = size > 0 ? data[0] % (size + 1) : 0;
	char *copy = malloc(size + 1);

	CHECK(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	struct str text = {copy, size};
	unsigned status = http_head_read(text, &head, &used);

	CHECK(status == HTTP_HEAD_MORE || status == HTTP_HEAD_WHOLE || (status >= 400 && status < 600));
	if (status == HTTP_HEAD_WHOLE) {
		CHECK(used <= size && !(head.chunked && head.length > 0));
		struct http_head again;
		size_t same;

		/* Nothing behind the head matters to it, and no beginning of it is one. */
		CHECK(http_head_read(str_slice(text, 0, used), &again, &same) == 0 && same == used);
		CHECK(http_head_read(str_slice(text, 0, used - 1), &again, &same) == HTTP_HEAD_MORE);
	}
	bool a = chunks_read(text, size, &one), b = chunks_read(text, cut, &two);

	CHECK(a == b && str_eq(buf_str(&one), buf_str(&two)));
	inflate_all(&grown, text);
	CHECK(grown.len <= 1u << 16);
	buf_free(&one);
	buf_free(&two);
	buf_free(&grown);
	free(copy);
	return 0;
}
