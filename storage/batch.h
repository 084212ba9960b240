/*
 * batch.h - one transaction of the newest day file, as the parts of the store see it.
 */
#ifndef TOCSIN_STORAGE_BATCH_H
#define TOCSIN_STORAGE_BATCH_H

#include "storage/day.h"
#include "storage/history.h"
#include "storage/mark.h"
#include "storage/store.h"

struct batch {
	struct db_txn *txn;
	struct day_state state; /* read at the start, written at the end */
	const struct store_options *options;
	struct history *history;
	struct arena *arena; /* life of the transaction */
	struct error *error;
	int64_t now_ns;
	struct store_stats stats; /* what this transaction adds */
	struct hash128 *touched;  /* entities to fold anew at the end */
	size_t touched_count, touched_capacity;
	bool progress; /* a watermark may have moved */
	bool more;     /* more is due than one transaction takes */
};

/* The newest row of any file. DB_FOUND, DB_NOT_FOUND, negative. */
int batch_mark_get(struct batch *batch, uint64_t sequence, struct mark *ret);
int batch_mark_put(struct batch *batch, uint64_t sequence, const struct mark *mark);
/* The JSON of a document of any file, copied into the batch's arena. */
int batch_document(struct batch *batch, uint64_t sequence, struct str *ret);
/* The sequence that an id is known by; time_ns is the alert's, and tells which files to ask. */
int batch_known(struct batch *batch, struct hash128 id, int64_t time_ns, uint64_t *ret);
/* Remembers that this entity must be folded anew before the transaction ends. */
int batch_touch(struct batch *batch, struct hash128 entity);

#endif
