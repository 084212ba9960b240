/* fuzz: net - PROXY headers, whole and in parts: what a part promises, the whole keeps */
#include "net/proxy.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header whole, part;
	enum proxy_step step = proxy_parse(str_from(data, size), &whole);

	CHECK(step != PROXY_DONE || (whole.length <= size && whole.length <= PROXY_MAX));
	CHECK(step != PROXY_MORE || size < PROXY_MAX);
	for (size_t len = 0; len < size && len < 160; len++) {
		enum proxy_step before = proxy_parse(str_from(data, len), &part);

		CHECK(before != PROXY_BAD || step == PROXY_BAD);
		CHECK(before != PROXY_DONE || (step == PROXY_DONE && part.length == whole.length));
	}
	return 0;
}
