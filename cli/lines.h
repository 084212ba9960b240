/*
 * lines.h - a file as the collector would take it: line by line, the long ones cut.
 */
#ifndef TOCSIN_CLI_LINES_H
#define TOCSIN_CLI_LINES_H

#include "base/error.h"

#include <stdio.h>

/*
 * Gives each line that is not empty to take, without its end (LF or CRLF), which may return a
 * negative code, or 1 to stop. Of a line of more than limit bytes only the first limit are given,
 * with cut set: a file without an end of line costs no more memory than that. path: for messages.
 */
int lines_each(FILE *in, const char *path, size_t limit,
    int (*take)(void *context, struct str line, bool cut, struct error *error), void *context,
    struct error *error);
/* The same; *number is that of the line that is given, from 1, empty ones counted. */
int lines_numbered(FILE *in, const char *path, size_t limit, uint64_t *number,
    int (*take)(void *context, struct str line, bool cut, struct error *error), void *context,
    struct error *error);

#endif
