/* fuzz: collector - values of MessagePack, whole and byte by byte, and what Forward makes of them */
#include "collector/forward.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

#define LONGEST (1u << 16)

static void message_read(struct str bytes)
{
	struct buf out = BUF(1u << 20);
	struct forward_message message;
	struct forward_entry entry;
	struct forward_ping ping;

	forward_read_ping(bytes, &ping);
	if (!forward_read(bytes, &message))
		return;
	CHECK(message.chunk.len <= FORWARD_CHUNK_MAX);
	struct str entries = message.entries;

	while (entries.len > 0 && forward_next(&message, &entries, &entry)) {
		buf_clear(&out);
		forward_json(&out, message.tag, &entry);
		CHECK(out.failed || (out.len > 1 && out.ptr[0] == '{' && out.ptr[out.len - 1] == '}'));
	}
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct msgpack_end whole = {0}, parts = {0};
	char *copy = malloc(size + 1);

	CHECK(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	enum msgpack_status status = msgpack_find_end(&whole, str_from(copy, size), LONGEST);
	enum msgpack_status again = MSGPACK_MORE;

	for (size_t len = 0; len <= size && again == MSGPACK_MORE; len++)
		again = msgpack_find_end(&parts, str_from(copy, len), LONGEST);
	CHECK(status == again && (status != MSGPACK_OK || whole.at == parts.at));
	if (status == MSGPACK_OK) {
		struct str value = str_from(copy, whole.at);
		struct buf out = BUF(1u << 20);
		struct json json = json_begin(&out);

		message_read(value);
		msgpack_json(&json, &value);
		CHECK(value.len == 0 && json.depth == 0);
		buf_free(&out);
	}
	free(copy);
	return 0;
}
