/*
 * suppress.h - what of a suppression the store adds to a fold; private to the files of fold.
 *
 * A rule's suppression is a fold of its own: its key in place of the entity, its time in place of
 * the fold window, and in place of "folded" a count that says so. Everything that holds for folds
 * (order, settling, restarts, ceilings) therefore holds for it.
 */
#ifndef TOCSIN_STORAGE_SUPPRESS_H
#define TOCSIN_STORAGE_SUPPRESS_H

#include "storage/fold_row.h"

/* Of an alert with suppress_ns: rule, time, replay, names and values of the key. */
struct hash128 suppress_entity(const struct batch *batch, const struct alert *alert);
/*
 * Retention may have dropped the alert that matches would be counted on, for a suppression may be
 * as long as the retention. Then the head goes, *head is NULL, and the match is the next one.
 */
int suppress_check(
    struct batch *batch, struct hash128 entity, struct fold *fold, struct head **head);

/* A row of the table "link": which match it was. Those of folds hold a dot. */
struct str suppress_sample(struct words *out, struct place place);

#endif
