#include "cli/print.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <string.h>

/* The catalogue's languages are checked against each other by a test (tests/base). */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

void print_text(FILE *out, enum text_id id, ...)
{
	va_list args;

	va_start(args, id);
	vfprintf(out, text(id), args);
	va_end(args);
}

void put_text(struct buf *out, enum text_id id, ...)
{
	char line[1024];
	va_list args;

	va_start(args, id);
	vsnprintf(line, sizeof(line), text(id), args);
	va_end(args);
	buf_str_put(out, str_of(line));
}

void print_escaped(FILE *out, struct str s)
{
	struct buf shown = BUF(8u << 20);

	utf8_escape(&shown, s, false);
	fwrite(shown.ptr == NULL ? "" : shown.ptr, 1, shown.len, out);
	buf_free(&shown);
}

static int characters(struct str s)
{
	int count = 0;

	while (s.len > 0) {
		size_t len;

		utf8_decode(s, &len);
		s = str_slice(s, len, s.len);
		count++;
	}
	return count;
}

void print_wrapped(FILE *out, struct str s, int indent, int columns)
{
	struct buf shown = BUF(8u << 20);
	struct str rest, word;
	int at = indent;

	utf8_escape(&shown, s, false);
	rest = buf_str(&shown);
	while (str_cut(&rest, ' ', &word)) {
		int width = characters(word);

		if (at > indent && columns > 0 && at + 1 + width > columns) {
			fprintf(out, "\n%*s", indent, "");
			at = indent;
		} else if (at > indent) {
			fputc(' ', out);
			at++;
		}
		fwrite(word.ptr, 1, word.len, out);
		at += width;
	}
	fputc('\n', out);
	buf_free(&shown);
}

void print_padded(FILE *out, const char *s, int width)
{
	int space = (width < 0 ? -width : width) - characters(str_of(s));

	for (int i = 0; width < 0 && i < space; i++)
		fputc(' ', out);
	fputs(s, out);
	for (int i = 0; width > 0 && i < space; i++)
		fputc(' ', out);
}
