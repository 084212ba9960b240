/*
 * day.h - day files: <path>/YYYY-MM-DD[.n].mdb, one db file each.
 *
 * The newest file is written, the older ones never. Sequence numbers go on through all files: a
 * file holds the documents from first up to next. What changes about a document of an older file
 * is a row of the table "mark" in the newest one: of several rows the one in the newest file
 * counts.
 *
 * A file appears whole, by rename, with what it carries on from the one before: offsets, progress,
 * open folds, pending evidence and a catalogue of the older files. The one before was sealed
 * first, so that nobody can go on writing into it; both happen under a lock on the folder.
 */
#ifndef TOCSIN_STORAGE_DAY_H
#define TOCSIN_STORAGE_DAY_H

#include "base/arena.h"
#include "base/hash.h"
#include "db/db.h"
#include "event/event.h"

enum {
	TABLE_DOC,  /* u64 sequence: version, facets, JSON as it arrived */
	TABLE_UID,  /* 16 bytes id: u64 sequence of its document, or of the one it folded into */
	TABLE_MARK, /* u64 sequence: struct mark */
	TABLE_IX,   /* u32 bucket, u16 field, u64 hash of the folded value: u32 ordinal, u32 CRC */
	TABLE_BUCKET,	/* u32 bucket: struct bucket */
	TABLE_EVIDENCE, /* 16 bytes id, u32 index: one event */
	TABLE_WANT,	/* u64 number: struct want */
	/*
	 * 16 bytes head, 16 bytes id: the second folded into the first, which shows its evidence.
	 * Its time and coordinate; a dot from earlier versions.
	 */
	TABLE_LINK,
	TABLE_GONE, /* 16 bytes id: id that replaced it before it came */
	TABLE_PEND, /* entity, time, coordinate: struct pend */
	TABLE_FOLD, /* entity: struct fold */
	TABLE_DUE,  /* kind, time, entity: when it must be looked at */
	TABLE_META, /* "state", offsets, progress */
	TABLE_FILE, /* name of an older file: struct day_state when it was sealed */
	TABLE_GAP,  /* u64 number: what the bus had lost */
	DAY_TABLES
};

#define DAY_VERSION   1
#define DAY_BUCKET    8192 /* documents a bucket of the index (measured: reliability of LMDB) */
#define DAY_NAME      32
#define DAY_FILES_MAX 4096

/* One row a file, written by every transaction. Times of what is there: empty when min > max. */
struct day_state {
	uint64_t first, next; /* sequence numbers of documents; from 1 */
	uint64_t next_want, next_gap;
	uint64_t generation;	      /* grows with each transaction that stored something */
	uint64_t sealed;	      /* nothing may be written any more */
	int64_t min_ns, max_ns;	      /* of documents */
	int64_t known_min, known_max; /* of all ids, those without a document too */
	int64_t newest_ns;	      /* newest alert, not after its storing: for retention */
	uint64_t alerts, birth_bytes;
	int64_t watermark[2]; /* enum fold_kind */
};

struct bucket {
	int64_t min_ns, max_ns;
	uint64_t count;
};

struct day_name {
	char text[DAY_NAME]; /* without the folder */
	int64_t day;	     /* since 1970-01-01 */
	uint64_t number;     /* 0: no ".n" */
};

/* The n-th file of the day of now_ns. */
struct day_name day_name_make(int64_t day, uint64_t number);
bool day_name_parse(struct str text, struct day_name *ret);
/* Oldest first, into arena. A folder that is not there is empty. */
int day_list(struct arena *arena, const char *folder, struct day_name **ret, size_t *ret_count,
    struct error *error);
struct str day_path(struct arena *arena, const char *folder, const char *name); /* NUL-ended */

struct day_open {
	uint64_t site;	    /* fingerprint; 0: any */
	struct hash128 key; /* of the index, for the first file of all */
	uint64_t max_bytes;
	bool write, make, quick;
};
int day_open(struct db **ret, const char *path, const struct day_open *how, struct error *error);
/* Reads all of it in a child; see db_verify. */
int day_verify(const char *path, const struct day_open *how, struct error *error);

int day_state_get(struct db_txn *txn, struct day_state *ret, struct error *error);
int day_state_put(struct db_txn *txn, const struct day_state *state, struct error *error);
/* ERR_CORRUPT: a row that passes its checksum but is none of ours. */
int day_damaged(struct error *error);

/*
 * Seals *db (NULL: there is none) when it is not sealed yet, and makes the next file with what
 * goes on from it. *db is closed; on success it is the new file. ERR_STALE: somebody else was
 * faster.
 */
int day_roll(struct db **db, const char *folder, const struct day_name *last, int64_t now_ns,
    const struct day_open *how, struct day_name *ret_name, struct error *error);

/* Keys. */
struct str day_key(char out[16], struct hash128 id);
struct hash128 day_key_id(const char *at);
struct str day_key_sequence(char out[8], uint64_t sequence);
/* Signed times in the order of bytes. */
uint64_t day_time_key(int64_t time_ns);
int64_t day_time_of(uint64_t key);

#endif
