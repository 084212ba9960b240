/*
 * import.h - a folder of foreign rules into a folder of ours: what is refused stays out, what was
 * edited here stays as it is, what is newer there takes the place of what was imported.
 *
 * The source is hostile: links in it are not followed, and what its files say names no path. Each
 * file is written whole or not at all.
 */
#ifndef TOCSIN_CLI_IMPORT_H
#define TOCSIN_CLI_IMPORT_H

#include "cli/context.h"
#include "cli/rule_file.h"

enum import_outcome {
#define OUTCOME(symbol, name, told) IMPORT_##symbol,
#include "cli/import_outcomes.def"
#undef OUTCOME
	IMPORT_OUTCOMES
};

const char *import_outcome_name(enum import_outcome outcome);
enum text_id import_outcome_text(enum import_outcome outcome);
bool import_outcome_is_told(enum import_outcome outcome);

struct import_file {
	const struct rule_file *file;
	enum import_outcome outcome;
	struct str before; /* MOVED, TAKEN: the name of the file that has the id; else empty */
	struct error reason; /* REFUSED */
};

struct import_options {
	struct context *context;
	const char *const *sources; /* files and folders */
	size_t source_count;
	const char *into;
	bool dry, force;
	/* Which rules; a file counts when one of its documents does. */
	enum level level_min, level_max;
	bool leveled;               /* whether level was asked for at all */
	const char *const *statuses, *const *products; /* any of these; none: all */
	size_t status_count, product_count;
	void (*told)(void *argument, const struct import_file *file);
	void (*progress)(void *argument, size_t done, size_t all); /* may be NULL */
	void *argument;
};

/* Everything in arena. 0 or a negative code; what was written until then stays, and is recorded. */
int import_run(const struct import_options *options, struct arena *arena, struct error *error);

#endif
