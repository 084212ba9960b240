/*
 * ruleset.h - all rules, loaded, checked and compiled; immutable afterwards.
 *
 * A rule that cannot be honoured is refused with file, line and column, and the others load: a
 * silent approximation is a defect. Hot reload builds a new ruleset beside the running one.
 */
#ifndef TOCSIN_SIGMA_RULESET_H
#define TOCSIN_SIGMA_RULESET_H

#include "base/error.h"
#include "event/record.h"
#include "sigma/rule.h"

#define RULESET_FILE ((size_t)4 << 20) /* most bytes of a file of rules */

struct ruleset;

struct ruleset_options {
	const char *const *paths;  /* files and folders */
	size_t path_count;
	const char *const *lists;  /* files and folders of lists for the modifier expand */
	size_t list_count;
	uint32_t regex_steps;      /* PCRE2 match limit; 0: 100,000 */
	size_t memory;             /* ceiling in bytes, twice: kept, and while loading; 0: 1 GiB */
	bool skip_deprecated;      /* status deprecated and unsupported are passed over */
	/* Told each refused rule (error_format-ready); may be NULL. */
	void (*refused)(void *context, const struct error *error);
	void *context;
};

/* 0 also when rules were refused; a negative code when nothing can be loaded at all. */
int ruleset_load(struct ruleset **ret, const struct ruleset_options *options, struct error *error);
/* One text as if it were a file of that name: tests, editors. */
int ruleset_load_text(struct ruleset **ret, struct str text, const char *file,
    const struct ruleset_options *options, struct error *error);
/*
 * From what bundle_gather made (bundle.h). Paths, lists, steps and skip_deprecated of the options
 * are not looked at: the bundle has its own. ERR_CORRUPT, ERR_VERSION: it is none of ours.
 */
int ruleset_load_bundle(struct ruleset **ret, struct str bundle,
    const struct ruleset_options *options, struct error *error);
/* One owner more, in any thread: each frees it once. */
struct ruleset *ruleset_share(struct ruleset *ruleset);
void ruleset_free(struct ruleset *ruleset); /* accepts NULL */

size_t ruleset_count(const struct ruleset *ruleset);
size_t ruleset_refused(const struct ruleset *ruleset);
const struct rule *ruleset_rule(const struct ruleset *ruleset, uint32_t index);
/* By id or name; NULL when there is none. */
const struct rule *ruleset_find(const struct ruleset *ruleset, struct str id_or_name);
/* Over the compiled forms of all rules, in order of id: names this ruleset. */
struct hash128 ruleset_hash(const struct ruleset *ruleset);

#endif
