/*
 * print.h - words on a terminal: catalogue texts, columns, and what a stranger wrote, escaped.
 */
#ifndef TOCSIN_CLI_PRINT_H
#define TOCSIN_CLI_PRINT_H

#include "base/buf.h"
#include "base/text.h"

#include <stdio.h>

/* A row of the catalogue with its arguments. */
void print_text(FILE *out, enum text_id id, ...);
void put_text(struct buf *out, enum text_id id, ...);
void print_escaped(FILE *out, struct str text);
/*
 * Escaped, broken between words so that no line is longer than columns (0: not broken), each other
 * line behind indent spaces; ends with a newline. The first line begins at indent.
 */
void print_wrapped(FILE *out, struct str text, int indent, int columns);
/* width in characters, which is right for Vietnamese in composed form; negative: right-aligned. */
void print_padded(FILE *out, const char *text, int width);

#endif
