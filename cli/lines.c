#include "cli/lines.h"

#include <errno.h>
#include <stdlib.h>

struct line {
	char *bytes;
	size_t len, limit;
	bool cut;
};

/* False at the end of the file, when nothing more came. */
static bool line_read(struct line *line, FILE *in)
{
	int c;

	line->len = 0;
	line->cut = false;
	while ((c = getc_unlocked(in)) != EOF && c != '\n') {
		if (line->len < line->limit)
			line->bytes[line->len++] = (char)c;
		else
			line->cut = line->cut || c != '\r';
	}
	if (!line->cut && line->len > 0 && line->bytes[line->len - 1] == '\r')
		line->len--;
	return c != EOF || line->len > 0;
}

int lines_each(FILE *in, const char *path, size_t limit,
    int (*take)(void *context, struct str line, bool cut, struct error *error), void *context,
    struct error *error)
{
	uint64_t number;

	return lines_numbered(in, path, limit, &number, take, context, error);
}

int lines_numbered(FILE *in, const char *path, size_t limit, uint64_t *number,
    int (*take)(void *context, struct str line, bool cut, struct error *error), void *context,
    struct error *error)
{
	struct line line = {.bytes = malloc(limit), .limit = limit};
	int code = 0;

	if (line.bytes == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	errno = 0;
	*number = 0;
	while (code == 0 && line_read(&line, in)) {
		++*number;
		if (line.len > 0)
			code = take(context, str_from(line.bytes, line.len), line.cut, error);
	}
	free(line.bytes);
	if (code == 0 && ferror(in))
		code = error_system(error, errno, TEXT_base_read, path);
	return code < 0 ? code : 0;
}
