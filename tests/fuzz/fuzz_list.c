/* fuzz: sigma - a list in each of its forms: read or refused */
#include "base/check.h"
#include "sigma/placeholder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const files[] = {"a.txt", "a.csv", "a.yml"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct arena *arena = arena_new((size_t)16 << 20);
		struct placeholders lists = {0};
		struct error error = {0};
		int code;

		CHECK(arena != NULL);
		code = placeholder_parse(
		    &lists, arena, files[i], str_from(data, size), &error);
		CHECK(code == error.code &&
		      (code == 0 || code == ERR_MEMORY || code == ERR_DOCUMENT));
		CHECK(lists.count == (code == 0));
		for (size_t v = 0; code == 0 && v < lists.lists[0].count; v++)
			CHECK(lists.lists[0].values[v].ptr != NULL);
		CHECK(code == 0 || code == ERR_MEMORY || error.line > 0);
		arena_free(arena);
	}
	return 0;
}
