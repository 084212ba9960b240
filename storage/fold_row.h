/*
 * fold_row.h - rows of the tables pend, fold and due; private to the files of fold.
 */
#ifndef TOCSIN_STORAGE_FOLD_ROW_H
#define TOCSIN_STORAGE_FOLD_ROW_H

#include "storage/fold.h"
#include "storage/words.h"

enum pend_flag {
	PEND_EARLY = 1u << 0, /* the watermark has not confirmed it */
	PEND_SHOWN = 1u << 1  /* stood as an alert of its own after some transaction */
};

/* What a match, or all that folded into one, adds up to. */
struct share {
	uint64_t count, folded;
	int64_t first_ns, last_ns;
	uint64_t events, cut; /* evidence kept, and not */
};

struct pend {
	uint64_t sequence;
	struct hash128 id;
	uint64_t flags, head; /* sequence of what it is shown under; 0: new */
	struct share share;
};

struct head {
	int64_t time_ns;
	struct coordinate at;
	struct hash128 id;
	uint64_t sequence;
	struct share share;
};

#define FOLD_SUPPRESSES 2u /* beside enum fold_kind: by the key of tocsin.suppress */

struct fold {
	int64_t window_ns, touched_ns;
	uint64_t kind; /* enum fold_kind, perhaps FOLD_SUPPRESSES */
	uint64_t pending, count;
	struct head heads[FOLD_HEADS]; /* settled, by (time, coordinate) */
};

struct place {
	int64_t time_ns;
	struct coordinate at;
};

#define PEND_KEY 48
#define DUE_KEY	 25
#define DUE_REST 2 /* a kind of due beside enum fold_kind, by the clock: is it still needed? */

struct str pend_key(char out[PEND_KEY], struct hash128 entity, struct place place);
struct place pend_place(const char *key);
int pend_compare(struct place a, struct place b);
struct share share_of(const struct alert *alert);
void share_add(struct share *share, const struct share *other);

int fold_get(struct batch *batch, struct hash128 entity, struct fold *ret);
int fold_put(struct batch *batch, struct hash128 entity, const struct fold *fold);
int pend_get(struct batch *batch, struct hash128 entity, struct place place, struct pend *ret);
int pend_put(
    struct batch *batch, struct hash128 entity, struct place place, const struct pend *pend);
int due_put(struct batch *batch, unsigned kind, int64_t time_ns, struct hash128 entity);
/* Whose progress settles it. */
enum fold_kind fold_source(const struct fold *fold);
/* One more has folded: into which counter. */
void fold_count(struct batch *batch, const struct fold *fold);
/* The settled head that covers a place, or NULL. */
struct head *fold_cover(struct fold *fold, struct place place);
/*
 * Keeps the evidence of one that folds, while the head has room for it; else counts it as cut. Not
 * yet added to the head.
 */
int fold_evidence(struct batch *batch, struct head *head, struct hash128 id, struct place place,
    const struct share *share);
/* Divides one entity anew. */
int fold_divide(struct batch *batch, struct hash128 entity);

#endif
