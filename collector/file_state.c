#include "collector/file_state.h"

#include "base/file.h"
#include "base/hash.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define STATE_MAX ((size_t)256 << 20)

static void path_put(struct buf *out, struct str path)
{
	for (size_t i = 0; i < path.len; i++) {
		unsigned char c = (unsigned char)path.ptr[i];

		if (c <= ' ' || c == '%' || c >= 0x7f)
			buf_printf(out, "%%%02x", c);
		else
			buf_char(out, (char)c);
	}
}

static bool path_take(struct str text, struct arena *arena, struct str *ret)
{
	char *path = arena_array(arena, text.len + 1, 1);
	size_t len = 0;

	for (size_t i = 0; path != NULL && i < text.len; i++) {
		uint8_t byte = (uint8_t)text.ptr[i];

		if (byte == '%' && !str_to_bytes(str_slice(text, i + 1, i + 3), &byte, 1))
			return false;
		i += text.ptr[i] == '%' ? 2 : 0;
		if (byte == '\0')
			return false;
		path[len++] = (char)byte;
	}
	if (path == NULL || len == 0)
		return false;
	path[len] = '\0';
	*ret = str_from(path, len);
	return true;
}

static void line_seal(struct buf *out, size_t from)
{
	uint32_t crc = out->failed ? 0 : hash_crc32c(0, out->ptr + from, out->len - from);

	buf_printf(out, " %08" PRIx32 "\n", crc);
}

void file_state_begin(struct buf *out, int64_t now_ns)
{
	size_t from = out->len;

	buf_printf(out, "tocsin files 1 %" PRId64, now_ns);
	line_seal(out, from);
}

void file_state_put(struct buf *out, const struct file_row *row)
{
	size_t from = out->len;

	buf_printf(out, "%" PRIu64 " %" PRIu64 " %" PRIu32 " %016" PRIx64 " %" PRIu64 " %d ",
	    row->device, row->inode, row->head_len, row->head, row->offset, row->skip);
	path_put(out, row->path);
	line_seal(out, from);
}

/* The line without its checksum; false: it does not hold. */
static bool line_open(struct str *line)
{
	size_t space = str_find_last(*line, ' ');
	uint8_t sum[4];

	if (space == STR_NOT_FOUND ||
	    !str_to_bytes(str_slice(*line, space + 1, line->len), sum, sizeof(sum)))
		return false;
	*line = str_slice(*line, 0, space);
	return hash_crc32c(0, line->ptr, line->len) ==
	       ((uint32_t)sum[0] << 24 | (uint32_t)sum[1] << 16 | (uint32_t)sum[2] << 8 | sum[3]);
}

static bool number_take(struct str *rest, uint64_t *ret)
{
	struct str word;

	return str_cut(rest, ' ', &word) && str_to_u64(word, ret);
}

static bool row_take(struct str line, struct arena *arena, struct file_row *ret)
{
	uint64_t head_len, skip;
	struct str head;
	uint8_t bytes[8];

	*ret = (struct file_row){0};
	if (!line_open(&line) || !number_take(&line, &ret->device) ||
	    !number_take(&line, &ret->inode) || !number_take(&line, &head_len) ||
	    !str_cut(&line, ' ', &head) || !str_to_bytes(head, bytes, sizeof(bytes)) ||
	    !number_take(&line, &ret->offset) || !number_take(&line, &skip) ||
	    head_len > UINT32_MAX || ret->offset > INT64_MAX)
		return false;
	for (size_t i = 0; i < sizeof(bytes); i++)
		ret->head = ret->head << 8 | bytes[i];
	ret->head_len = (uint32_t)head_len;
	ret->skip = skip != 0;
	return path_take(line, arena, &ret->path);
}

static bool head_take(struct str line, int64_t *ret_ns)
{
	struct str head = STR("tocsin files 1 ");

	return line_open(&line) && str_starts(line, head) &&
	       str_to_i64(str_slice(line, head.len, line.len), ret_ns);
}

static int by_inode(const void *a, const void *b)
{
	const struct file_row *x = a, *y = b;

	return (x->inode > y->inode) - (x->inode < y->inode);
}

static size_t count_lines(struct str text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += text.ptr[i] == '\n';
	return count + 1 < FILE_ROWS_MAX ? count + 1 : FILE_ROWS_MAX;
}

int file_state_parse(
    struct str text, struct arena *arena, struct file_rows *ret, struct error *error)
{
	size_t most = count_lines(text);
	struct str line;

	*ret = (struct file_rows){.rows = arena_array(arena, most, sizeof(*ret->rows))};
	if (ret->rows == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	if (!str_cut(&text, '\n', &line) || !head_take(line, &ret->saved_ns))
		ret->damaged++;
	while (str_cut(&text, '\n', &line) && ret->count < most) {
		if (line.len == 0)
			continue;
		if (row_take(line, arena, &ret->rows[ret->count]))
			ret->count++;
		else
			ret->damaged++;
	}
	qsort(ret->rows, ret->count, sizeof(*ret->rows), by_inode);
	return 0;
}

int file_state_read(
    const char *path, struct arena *arena, struct file_rows *ret, struct error *error)
{
	struct error local = {0};
	struct str text;
	int code = file_read(arena, path, STATE_MAX, &text, &local);

	*ret = (struct file_rows){0};
	if (code == ERR_MISSING)
		return 0;
	if (code < 0) {
		if (error != NULL)
			*error = local;
		return code;
	}
	return file_state_parse(text, arena, ret, error);
}

size_t file_rows_find(const struct file_rows *rows, uint64_t inode)
{
	size_t low = 0, high = rows->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (rows->rows[middle].inode < inode)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
