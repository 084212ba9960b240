/*
 * fold.h - matches of one rule on one entity become one alert.
 *
 * Entity: rule (id and hash), group names and values, replay. Matches are taken in order of (event
 * time, coordinate): the first is a head and covers [its time, + window); what lies within folds
 * into it, the next one outside is the next head. When the watermark has passed a match its place
 * is final. What has not settled yet is divided in the same way for show, anew with each
 * transaction, so that heads, counts and times are a function of the set of matches alone. An
 * early alert of a correlation counts for show only; what the watermark finds still early stands
 * alone.
 *
 * A match that a settled head covers folds into it at once and needs no document. At most
 * FOLD_PENDING_MAX matches of an entity wait; what comes beyond is counted into the neighbour
 * before it, in order of arrival.
 *
 * An alert with suppress_ns folds by its suppression's key and time instead (storage/suppress.h).
 *
 * A match later than the lateness bound joins a settled head that covers it, if one of the last
 * FOLD_HEADS does, else it is a head of its own.
 */
#ifndef TOCSIN_STORAGE_FOLD_H
#define TOCSIN_STORAGE_FOLD_H

#include "storage/batch.h"

enum fold_kind { FOLD_PLAIN, FOLD_CORRELATION }; /* whose progress settles it */

#define FOLD_PENDING_MAX 65536
#define FOLD_HEADS	 8
#define FOLD_SAMPLE	 16 /* of the matches that folded, so many are always named */

enum fold_outcome {
	FOLD_STORE, /* must be stored, then fold_pend */
	FOLD_ALONE, /* must be stored; never folds */
	FOLD_DONE   /* counted into another; *ret_sequence is its document */
};

struct hash128 fold_entity(const struct batch *batch, const struct alert *alert);
int64_t fold_window(const struct batch *batch, const struct alert *alert);
/* What becomes of a new match. Negative codes as ever. cut: events that no evidence is kept of. */
int fold_arrive(struct batch *batch, const struct alert *alert, uint64_t *ret_sequence);
/* It is stored under that sequence and waits. */
int fold_pend(struct batch *batch, const struct alert *alert, uint64_t sequence);
/* An early one that was replaced takes its share away. */
int fold_withdraw(struct batch *batch, const struct alert *alert);

/* Progress as heard on a partition of alerts. */
struct progress;
int fold_progress(
    struct batch *batch, uint32_t partition, const struct progress *progress, size_t count);
/* It was told on a bus that is no more. */
int fold_progress_forget(struct db_txn *txn, struct error *error);
/* Moves the watermarks on, never back. */
int fold_watermarks(struct batch *batch);
/* At the end of the transaction: settles what is due and shows the rest. */
int fold_finish(struct batch *batch);

#endif
