/*
 * lint.h - what the loader takes but its author should look at, and a code for all that it refuses.
 *
 * A linter reads rule files beside the loader: it sees what compiling forgets (titles, dates,
 * values as they were written), with a position for each. What a rule costs is asked by whoever
 * knows the matcher; linter_place finds where that stands.
 */
#ifndef TOCSIN_SIGMA_LINT_H
#define TOCSIN_SIGMA_LINT_H

#include "base/error.h"
#include "sigma/rule.h"

enum lint {
#define LINT(symbol, code, severity, what) LINT_##symbol,
#include "sigma/lints.def"
#undef LINT
	LINT_COUNT
};

enum lint_severity { LINT_SEVERITY_INFO, LINT_SEVERITY_WARNING, LINT_SEVERITY_ERROR };

struct lint_row {
	const char *code; /* "TR201", for ever */
	enum lint_severity severity;
	enum text_id text; /* without arguments */
};

const struct lint_row *lint_row(enum lint lint);
/* LINT_COUNT when there is no such code. */
enum lint lint_find(struct str code);
/* "error", "warning", "info"; the same in every language. */
const char *lint_severity_name(enum lint_severity severity);
/* Of what the loader has refused, or could not read. */
enum lint lint_of_error(const struct error *error);

struct lint_finding {
	enum lint lint;
	const char *file;
	unsigned line, column;
	struct str subject; /* what it is about; may be empty */
	struct str title;   /* of the rule; may be empty */
};

/* What is known of events; NULL: not asked. The questions are those of decoder/source.h. */
struct lint_sources {
	bool (*is_given)(void *context, struct str product, struct str category,
	    struct str service);
	bool (*has_field)(void *context, struct str product, struct str category,
	    struct str field, struct str *ret_near);
	void *context;
};

struct linter;

/* sources may be NULL. found is told every finding, in order of the documents. */
struct linter *linter_new(const struct lint_sources *sources,
    void (*found)(void *context, const struct lint_finding *finding), void *context);
void linter_free(struct linter *linter); /* accepts NULL */
/* The documents of one file; what is no YAML is the loader's to tell. 0 or ERR_MEMORY. */
int linter_take(struct linter *linter, struct str text, const char *file, struct error *error);
/* What only all documents together show. 0 or ERR_MEMORY. */
int linter_finish(struct linter *linter, struct error *error);
/*
 * Where a rule says that: an item of that field whose value has that text, case aside; else its
 * condition, else the rule. Of a document that was taken.
 */
void linter_place(const struct linter *linter, const struct rule *rule, struct str field,
    struct str text, unsigned *ret_line, unsigned *ret_column);

#endif
