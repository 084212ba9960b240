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
/* width in characters, which is right for Vietnamese in composed form; negative: right-aligned. */
void print_padded(FILE *out, const char *text, int width);

#endif
