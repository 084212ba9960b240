/*
 * glob.h - Sigma's string patterns: literals, '*' (any run, also empty), '?' (one character).
 *
 * Both wildcards match newlines too. A character is a code point, or a byte that is no UTF-8. A
 * dash token stands for the five dashes of the modifier windash, so that a value with n dashes is
 * one pattern and not 5^n.
 */
#ifndef TOCSIN_SIGMA_GLOB_H
#define TOCSIN_SIGMA_GLOB_H

#include "sigma/fold.h"

enum glob_kind { GLOB_LITERAL, GLOB_ONE, GLOB_ANY, GLOB_DASH };

struct glob_token {
	enum glob_kind kind;
	struct str text; /* GLOB_LITERAL: never empty */
};

struct glob {
	struct glob_token *tokens; /* no two literals and no two GLOB_ANY side by side */
	size_t count;
};

/*
 * Takes a pattern as a rule writes it. '\' escapes only '*', '?' and '\'; before anything else, or
 * at the end, it is itself. False when there is no memory.
 */
bool glob_parse(struct arena *arena, struct str text, struct glob *ret);
/* The text alone, without wildcards. */
bool glob_literal(struct arena *arena, struct str text, struct glob *ret);
/* The pattern with '*' in front, behind, or both, unless it is there already. */
bool glob_widen(struct arena *arena, struct glob glob, bool front, bool behind, struct glob *ret);
/* With the '-' and '/' that begin a flag as dashes: pySigma's \B[-/]\b on each literal. */
bool glob_dashes(struct arena *arena, struct glob glob, struct glob *ret);
/* Every literal case folded. */
bool glob_fold(struct arena *arena, struct glob glob, struct glob *ret);
/* Without wildcards: *ret is the text. */
bool glob_is_plain(struct glob glob, struct str *ret);
/* The whole subject. */
bool glob_match(struct glob glob, struct str subject);

#endif
