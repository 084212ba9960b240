/*
 * pattern.h - messages of a program as a table of sentences with holes.
 *
 *   "Failed {auth_method} for {User*} from {src_ip} port {src_port}"
 *
 * {Name}   one word: no space inside; ends where the text after the hole begins
 * {Name*}  anything, up to the LAST place where the text after the hole stands: for names that a
 *          stranger chooses, who could write the text after the hole into his name
 * {Name~}  anything, up to the first such place; at the end of a pattern, all the rest
 * {_}      a hole whose content is not kept (also {_*}, {_~})
 *
 * A pattern matches from the first byte of the text; what follows its end does not matter.
 */
#ifndef TOCSIN_DECODER_PATTERN_H
#define TOCSIN_DECODER_PATTERN_H

#include "event/record.h"

#define PATTERN_HOLES 12

struct pattern {
	struct str text;
	struct str action;  /* value of the field action; empty for none */
	struct str outcome; /* "success", "failure" or empty */
};

/* clang-format off */
#define PATTERN(text, action, outcome) {STR_INIT(text), STR_INIT(action), STR_INIT(outcome)}
/* clang-format on */

/* Puts the fields of the first row that matches; false, and nothing put, when none does. */
bool pattern_apply(struct record *record, const struct pattern *rows, size_t count,
    struct str text);
/* Puts a field by name, as a number when it is all digits. Empty values are not put. */
void pattern_put(struct record *record, struct str name, struct str value);

#endif
