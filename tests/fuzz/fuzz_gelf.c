/* fuzz: collector - GELF datagrams, each behind its length in two bytes: chunks and what is packed */
#include "collector/gelf.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

#define BYTES_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gelf_chunks *chunks = gelf_chunks_new(BYTES_MAX);
	struct buf whole = BUF(1u << 16), document = BUF(1u << 16);
	struct ledger_row row = {0};
	struct str rest = str_from(data, size), payload, text;
	size_t bytes;

	CHECK(chunks != NULL);
	for (int64_t now_ns = 1; rest.len >= 2; now_ns += GELF_LIFE_NS / 8) {
		size_t len = get_u16(rest.ptr);
		struct str datagram = str_slice(rest, 2, 2 + len);
		char *copy = malloc(datagram.len + 1);

		CHECK(copy != NULL);
		if (datagram.len > 0)
			memcpy(copy, datagram.ptr, datagram.len);
		rest = str_slice(rest, 2 + datagram.len, rest.len);
		if (gelf_chunks_take(chunks, &row, STR("192.0.2.7"),
			str_from(copy, datagram.len), now_ns, &whole, &payload) == GELF_WHOLE &&
		    gelf_unpack(payload, &document, &text))
			CHECK(text.len > 0 && text.len <= 1u << 16);
		free(copy);
		gelf_chunks_tick(chunks, now_ns);
		CHECK(gelf_chunks_count(chunks, &bytes) <= 9 && bytes <= BYTES_MAX);
	}
	gelf_chunks_free(chunks);
	buf_free(&whole);
	buf_free(&document);
	return 0;
}
