/*
 * error.h - what went wrong, where, and in words.
 *
 * Three kinds of failure (docs/ARCHITECTURE.md): a broken program aborts (check.h); a broken world
 * returns one of the negative codes below, passed up untouched and reported once, by the program;
 * an expected outcome is a small positive enum declared beside its function. Foreign bytes cause
 * only the third. A document that a person wrote (configuration, rule) may be refused with
 * ERR_DOCUMENT, and then the error names file, line, column, and what was expected.
 *
 * The text comes from the catalogue (text.h), in the language of the process.
 */
#ifndef TOCSIN_BASE_ERROR_H
#define TOCSIN_BASE_ERROR_H

#include "base/str.h"
#include "base/text.h"

enum {
	ERR_MEMORY = -1,   /* no memory, or an arena's ceiling */
	ERR_IO = -2,       /* the operating system said no; error.system holds errno */
	ERR_FULL = -3,     /* no space on the disk */
	ERR_CORRUPT = -4,  /* a checksum or a structure does not hold */
	ERR_VERSION = -5,  /* a format version that this program does not know */
	ERR_FOREIGN = -6,  /* not one of our files, or one of another site */
	ERR_STALE = -7,    /* the fence: somebody else has advanced */
	ERR_DOCUMENT = -8, /* a configuration, rule or list is wrong; see the position */
	ERR_BUS = -9,      /* the bus cannot be reached or refused */
	ERR_USAGE = -10,   /* the command line is wrong */
	ERR_MISSING = -11  /* what was asked for is not there */
};

struct error {
	int code;        /* 0: none */
	int system;      /* errno, or 0 */
	unsigned line;   /* from 1; 0 when there is none */
	unsigned column; /* from 1; 0 when there is none */
	enum text_id id; /* the row of the catalogue that text was made of */
	char file[256];
	char text[768];
};

/*
 * Fills *error from the catalogue and returns code, so that a function can end with it. The first
 * error wins: a filled one is left as it is. error may be NULL. A line of 0 means no position.
 */
int error_set(struct error *error, int code, enum text_id id, ...);
int error_at(struct error *error, int code, const char *file, unsigned line, unsigned column,
    enum text_id id, ...);
/* error_set with the text of errno behind; ENOSPC and EDQUOT become ERR_FULL, ENOMEM ERR_MEMORY. */
int error_system(struct error *error, int system, enum text_id id, ...);
void error_clear(struct error *error);
/* "file:line:column: text", cut to size; returns the text. */
const char *error_format(const struct error *error, char *out, size_t size);

#endif
