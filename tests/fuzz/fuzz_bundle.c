/* fuzz: sigma - a rule set as the checkpoint keeps it: loaded, or refused; and written back the same */
#include "base/check.h"
#include "sigma/bundle.h"

#define MEMORY ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What can be read through is these bytes again. */
static bool reads_back(struct str bytes)
{
	struct buf out = BUF(BUNDLE_MAX);
	struct bundle_head head;
	struct bundle_file file;
	struct str rest = bytes;
	int code = bundle_open(&rest, &head);

	if (code == 0)
		bundle_begin(&out, &head);
	while (code == 0 && rest.len > 0) {
		code = bundle_next(&rest, &file);
		if (code == 0)
			bundle_add(&out, &file);
	}
	CHECK(code == 0 || code == ERR_CORRUPT || code == ERR_VERSION);
	CHECK(code < 0 || str_eq(buf_str(&out), bytes));
	buf_free(&out);
	return code == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = str_from(data, size);
	struct ruleset_options options = {.memory = MEMORY};
	struct ruleset *ruleset = NULL;
	struct error error = {0};
	bool whole = reads_back(bytes);
	int code = ruleset_load_bundle(&ruleset, bytes, &options, &error);

	CHECK(code == error.code);
	CHECK(code == 0 ? whole
	    : code == ERR_MEMORY || (!whole && (code == ERR_CORRUPT || code == ERR_VERSION)));
	ruleset_free(ruleset);
	return 0;
}
