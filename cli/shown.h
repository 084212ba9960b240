/*
 * shown.h - ids that were shown already, of which the oldest are forgotten.
 */
#ifndef TOCSIN_CLI_SHOWN_H
#define TOCSIN_CLI_SHOWN_H

#include "base/hash.h"

/* At least so many of the last ids are known. */
#define SHOWN_MIN 131072u

struct shown;

struct shown *shown_new(void); /* NULL: no memory */
void shown_free(struct shown *shown); /* accepts NULL */
/* True: it was not there. */
bool shown_add(struct shown *shown, struct hash128 id);

#endif
