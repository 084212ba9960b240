/*
 * joiner.h - a file's bytes cut into events: a line is one, or several lines that belong together.
 *
 * Nothing is kept between calls but whether the rest of a long line is being passed over: what is
 * not yet an event stays where it is and is looked at again when there is more of it. So a position
 * in the file says all there is to know. Results point into the input.
 */
#ifndef TOCSIN_COLLECTOR_JOINER_H
#define TOCSIN_COLLECTOR_JOINER_H

#include "base/str.h"

enum join_rule {
	JOIN_LINES,  /* each line is an event */
	JOIN_INDENT, /* what begins with white space goes with the line before it */
	JOIN_JAVA,   /* likewise, and "Caused by:", "Suppressed:" of a stack trace */
	JOIN_PYTHON, /* likewise, and a traceback with the exception that ends it */
	JOIN_START   /* an event begins where the pattern holds */
};

struct joiner {
	enum join_rule rule;
	struct str pattern; /* JOIN_START: '#' a digit, '?' any byte, '\' takes the next as it is */
	size_t limit;       /* longest event; at least 1 */
	size_t lines;       /* most lines of one */
};

enum join_end {
	JOIN_OPEN,  /* more may come at any moment */
	JOIN_QUIET, /* nothing came for long enough: whole lines are an event */
	JOIN_CLOSED /* nothing will come: all there is are events */
};

struct joined {
	struct str event; /* without the line end behind it; ptr NULL: there is none yet */
	bool cut;         /* it was longer than the limit, or had more lines */
	size_t took;      /* bytes of the input that are done with, the event included */
	bool skip;        /* what follows is the rest of a line that was cut: pass it on */
};

/* "lines", "indent", "java", "python", "start:PATTERN". False: it is none of them. */
bool joiner_parse(struct str text, struct joiner *ret);
/*
 * The first event of bytes. skip: as the last call said. A line over the limit is cut and its rest
 * dropped; lines that would make a joined event too long begin the next one. Empty lines between
 * events are passed over. With 2 * limit + 4096 bytes, something is always taken.
 */
struct joined joiner_next(
    const struct joiner *joiner, struct str bytes, bool skip, enum join_end end);

#endif
