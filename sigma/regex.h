/*
 * regex.h - regular expressions with bounds. The one door to PCRE2.
 *
 * A stranger chooses the subject: steps, memory and the bytes looked at are limited, and a search
 * that meets a limit has not matched, and is counted.
 */
#ifndef TOCSIN_SIGMA_REGEX_H
#define TOCSIN_SIGMA_REGEX_H

#include "base/arena.h"

#define REGEX_SUBJECT 16384 /* bytes of the subject that are searched */
#define REGEX_PATTERN 8192  /* longest pattern */

enum regex_flag { REGEX_CASELESS = 1u << 0, REGEX_MULTILINE = 1u << 1, REGEX_DOTALL = 1u << 2 };

struct regex;         /* compiled, read only, shared */
struct regex_scratch; /* of one thread */

enum regex_status { REGEX_OK, REGEX_INVALID, REGEX_MEMORY };

/*
 * Memory comes from the arena, but for machine code: regex_free, before the arena goes. When the
 * pattern is invalid, *ret_offset is the byte where, and reason (of size bytes) says why.
 */
enum regex_status regex_compile(struct regex **ret, struct arena *arena, struct str pattern,
    unsigned flags, size_t *ret_offset, char *reason, size_t size);
void regex_free(struct regex *regex); /* accepts NULL */

/* steps: PCRE2 match limit. NULL when there is no memory. */
struct regex_scratch *regex_scratch_new(uint32_t steps);
void regex_scratch_free(struct regex_scratch *scratch); /* accepts NULL */
/* Whether the expression occurs anywhere in the subject. */
bool regex_search(const struct regex *regex, struct regex_scratch *scratch, struct str subject);

/*
 * A text, folded, that everything contains which the pattern matches; empty when none is known. ptr
 * NULL without memory. (regex_literal.c)
 */
struct str regex_literal(struct arena *arena, struct str pattern);

struct regex_counts {
	uint64_t searches, limit_hits, cut_subjects;
};
struct regex_counts regex_scratch_counts(const struct regex_scratch *scratch);

#endif
