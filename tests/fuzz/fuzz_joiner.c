/* fuzz: collector - lines joined to events: in one piece, and as a file that grows piece by piece */
#include "collector/joiner.h"

#include "base/check.h"

static const struct str rules[] = {STR_INIT("lines"), STR_INIT("indent"), STR_INIT("java"),
    STR_INIT("python"), STR_INIT("start:##:?\\#")};

/* Events of the first so many bytes, taken as they come; a sum that their bytes and order make. */
static uint64_t events_of(
    const struct joiner *joiner, struct str bytes, size_t piece, size_t *ret_count)
{
	size_t at = 0, there = 0;
	uint64_t sum = 0;
	bool skip = false;

	*ret_count = 0;
	do {
		there = there + piece < bytes.len ? there + piece : bytes.len;
		enum join_end end = there == bytes.len ? JOIN_CLOSED : JOIN_OPEN;
		struct joined joined;

		do {
			struct str rest = str_slice(bytes, at, there);

			joined = joiner_next(joiner, rest, skip, end);
			CHECK(joined.took <= rest.len);
			CHECK(joined.event.len <= joiner->limit);
			CHECK(joined.event.ptr == NULL ||
			    (joined.event.len > 0 && joined.took > 0));
			CHECK(joined.took > 0 || rest.len < 2 * joiner->limit + 4096);
			skip = joined.skip;
			at += joined.took;
			*ret_count += joined.event.ptr != NULL;
			for (size_t i = 0; i < joined.event.len; i++)
				sum = sum * 31 + (uint8_t)joined.event.ptr[i];
		} while (joined.took > 0);
	} while (there < bytes.len);
	CHECK(at == bytes.len);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct joiner joiner = {.lines = 4};
	size_t whole, parts;

	if (size < 3)
		return 0;
	joiner.limit = 1 + data[1] % 64u;
	CHECK(joiner_parse(rules[data[0] % 5], &joiner));
	struct str bytes = str_from(data + 3, size - 3);
	uint64_t sum = events_of(&joiner, bytes, bytes.len + 1, &whole);
	uint64_t same = events_of(&joiner, bytes, 1 + (size_t)data[2], &parts);

	/* However it comes, the events are the same. */
	CHECK(sum == same && whole == parts);
	return 0;
}
