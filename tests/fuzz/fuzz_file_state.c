/* fuzz: collector - the file that keeps how far files have been read, damaged in any way */
#include "collector/file_state.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new((size_t)1 << 26), *again = arena_new((size_t)1 << 26);
	struct file_rows rows, same;
	struct buf out = BUF((size_t)1 << 26);

	CHECK(arena != NULL && again != NULL);
	CHECK(file_state_parse(str_from(data, size), arena, &rows, NULL) == 0);
	file_state_begin(&out, rows.saved_ns);
	for (size_t i = 0; i < rows.count; i++) {
		CHECK(rows.rows[i].path.len > 0 && rows.rows[i].offset <= INT64_MAX);
		file_state_put(&out, &rows.rows[i]);
	}
	/* What was understood is written so that it is understood alike. */
	CHECK(!out.failed && file_state_parse(buf_str(&out), again, &same, NULL) == 0);
	CHECK(same.damaged == 0 && same.count == rows.count && same.saved_ns == rows.saved_ns);
	for (size_t i = 0; i < rows.count; i++)
		CHECK(file_rows_find(&same, rows.rows[i].inode) <= i);
	buf_free(&out);
	arena_free(arena);
	arena_free(again);
	return 0;
}
