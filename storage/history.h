/*
 * history.h - the older day files, as the store asks them: rarely, for what it has seen before.
 *
 * The catalogue (table "file" of the newest file) tells which of them can know; a file is read
 * whole in a child once before it is opened, and one that does not hold is passed over from then
 * on.
 */
#ifndef TOCSIN_STORAGE_HISTORY_H
#define TOCSIN_STORAGE_HISTORY_H

#include "storage/day.h"
#include "storage/mark.h"

struct history;

/* NULL when there is no memory. folder and how must outlive it. */
struct history *history_new(const char *folder, const struct day_open *how);
void history_free(struct history *history); /* accepts NULL */
/* The catalogue anew, from the newest file. */
int history_load(struct history *history, struct db *newest, struct error *error);
/*
 * DB_FOUND, DB_NOT_FOUND (also where a file is damaged or gone), negative only for lack of memory.
 */
int history_known(struct history *history, struct hash128 id, int64_t time_ns, uint64_t *ret,
    struct error *error);
int history_gone(struct history *history, struct hash128 id, int64_t time_ns, struct hash128 *ret,
    struct error *error);
int history_mark(struct history *history, uint64_t sequence, struct mark *ret, struct error *error);
/* The row of a table whose key is a sequence, copied into arena. */
int history_row(struct history *history, uint64_t sequence, db_table table, struct arena *arena,
    struct str *ret, struct error *error);
/* Name of the oldest file, when its newest alert is before that time; else NULL. */
const char *history_older_than(struct history *history, int64_t time_ns);
/* It has been dropped. */
void history_forget(struct history *history, const char *name);
size_t history_count(const struct history *history);
uint64_t history_damaged(const struct history *history);

#endif
