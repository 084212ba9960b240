/*
 * placeholder.h - the lists behind %name% of the modifier expand: a file is a list, and its name
 * without suffix is the list's.
 *
 * "*.csv": the first column (RFC 4180). "*.yml", "*.yaml": a list of scalars. Any other: one value
 * a line. In lines and columns, '#' at the beginning of a line begins a comment; in lines, behind
 * white space too. Values are texts, without wildcards.
 */
#ifndef TOCSIN_SIGMA_PLACEHOLDER_H
#define TOCSIN_SIGMA_PLACEHOLDER_H

#include "base/arena.h"
#include "base/error.h"

#define PLACEHOLDER_FILE   ((size_t)16 << 20) /* bytes of a list's file */
#define PLACEHOLDER_VALUES 100000u            /* of one list */
#define PLACEHOLDER_LISTS  4096u
#define PLACEHOLDER_EXPANDED 250000u          /* alternatives that all rules together may have */

struct placeholder {
	struct str name;
	const char *file;
	struct str *values;
	size_t count, capacity;
};

struct placeholders {
	struct placeholder *lists;
	size_t count, capacity;
};

/*
 * Adds the list in that file. Everything lives in the arena. 0, ERR_DOCUMENT (with a position; the
 * lists are as before), ERR_MEMORY, or the code of reading.
 */
int placeholder_load(struct placeholders *placeholders, struct arena *arena, const char *path,
    struct error *error);
/* The same of a text that lives as long as the arena, as if the file had it: tests. */
int placeholder_parse(struct placeholders *placeholders, struct arena *arena, const char *path,
    struct str text, struct error *error);
/* NULL when there is none of that name; placeholders may be NULL. */
const struct placeholder *placeholder_find(const struct placeholders *placeholders,
    struct str name);

#endif
