#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The catalogue's two languages are checked against each other by a test (tests/base). */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

static int error_fill(struct error *error, int code, enum text_id id, va_list args)
{
	if (error == NULL || error->code != 0)
		return code;
	error->code = code;
	error->id = id;
	vsnprintf(error->text, sizeof(error->text), text(id), args);
	return code;
}

int error_set(struct error *error, int code, enum text_id id, ...)
{
	va_list args;

	va_start(args, id);
	error_fill(error, code, id, args);
	va_end(args);
	return code;
}

int error_at(struct error *error, int code, const char *file, unsigned line, unsigned column,
    enum text_id id, ...)
{
	va_list args;

	if (error == NULL || error->code != 0)
		return code;
	va_start(args, id);
	error_fill(error, code, id, args);
	va_end(args);
	snprintf(error->file, sizeof(error->file), "%s", file == NULL ? "" : file);
	error->line = line;
	error->column = column;
	return code;
}

static int code_of_system(int system)
{
	switch (system) {
	case ENOSPC:
	case EDQUOT:
		return ERR_FULL;
	case ENOMEM:
		return ERR_MEMORY;
	case ENOENT:
		return ERR_MISSING;
	default:
		return ERR_IO;
	}
}

int error_system(struct error *error, int system, enum text_id id, ...)
{
	int code = code_of_system(system);
	va_list args;

	if (error == NULL || error->code != 0)
		return code;
	va_start(args, id);
	error_fill(error, code, id, args);
	va_end(args);
	error->system = system;
	size_t len = strlen(error->text);

	snprintf(error->text + len, sizeof(error->text) - len, ": %s", strerror(system));
	return code;
}

void error_clear(struct error *error)
{
	error->code = error->system = 0;
	error->line = error->column = 0;
	error->file[0] = error->text[0] = '\0';
}

const char *error_format(const struct error *error, char *out, size_t size)
{
	if (error->file[0] != '\0' && error->line != 0)
		snprintf(out, size, "%s:%u:%u: %s", error->file, error->line, error->column,
		    error->text);
	else if (error->file[0] != '\0')
		snprintf(out, size, "%s: %s", error->file, error->text);
	else
		snprintf(out, size, "%s", error->text);
	return out;
}
