/* fuzz: collector - OpenTelemetry's messages in protobuf as JSON: what is written can be read. */
#include "base/check.h"
#include "base/json_cut.h"
#include "collector/otlp_proto.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out = BUF(1u << 16);
	char *copy = malloc(size + 1);

	CHECK(copy != NULL);
	if (size > 0)
		__builtin_memcpy(copy, data, size);
	for (int message = OTLP_RECORD; message <= OTLP_SCOPE; message++) {
		struct str text, value;

		buf_clear(&out);
		if (!otlp_proto_json(&out, (enum otlp_message)message, str_from(copy, size)))
			continue;
		text = buf_str(&out);
		/* Deeper than json_cut goes, it is still bounded. */
		if (json_cut(&text, &value))
			CHECK(text.len == 0 && value.ptr[0] == '{');
		else
			CHECK(size > JSON_CUT_DEPTH / 2);
	}
	buf_free(&out);
	free(copy);
	return 0;
}
