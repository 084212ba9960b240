/* fuzz: base - values, members and elements of JSON that is cut. */
#include "base/check.h"
#include "base/json_cut.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is inside a value that was cut is whole too. */
static void walk(struct str value, unsigned depth)
{
	struct str members = value, elements = value, key, inner;

	while (json_cut_member(&members, &key, &inner)) {
		CHECK(inner.ptr > value.ptr && inner.ptr + inner.len < value.ptr + value.len);
		CHECK(json_cut_get(value, key).len > 0);
		if (depth < 8)
			walk(inner, depth + 1);
	}
	while (json_cut_element(&elements, &inner)) {
		CHECK(inner.ptr > value.ptr && inner.ptr + inner.len < value.ptr + value.len);
		if (depth < 8)
			walk(inner, depth + 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1);
	struct str rest = {copy, size}, value, again, one;

	CHECK(copy != NULL);
	if (size > 0)
		__builtin_memcpy(copy, data, size);
	while (size < 4096 && json_cut(&rest, &value)) {
		CHECK(value.len > 0 && rest.ptr == value.ptr + value.len);
		again = value;
		CHECK(json_cut(&again, &one) && again.len == 0 && one.len == value.len);
		walk(value, 0);
	}
	free(copy);
	return 0;
}
