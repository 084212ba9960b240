/*
 * store_file.h - the store and its newest day file; private to store.
 */
#ifndef TOCSIN_STORAGE_STORE_FILE_H
#define TOCSIN_STORAGE_STORE_FILE_H

#include "storage/batch.h"
#include "storage/evidence.h"

struct store {
	struct store_options options;
	char *path;
	struct day_open how;
	struct hash_key index_key;
	struct db *db; /* newest file; NULL after a failure: opened anew by the next step */
	struct day_name name;
	struct history *history;
	struct evidence *evidence;
	struct bus_reader *reader;
	struct bus_record *records;
	struct arena *arena; /* life of one transaction */
	uint64_t *next;	     /* believed offset of each partition of alerts; UINT64_MAX: none */
	bool *assigned;
	uint32_t partitions;
	struct store_stats stats;
	int64_t rest_ns, retain_ns; /* when to look again */
	bool more, idle, fetching;
};

/*
 * The newest file, made when there is none, rolled when it is sealed; positions as stored there.
 * One that is open and still the newest stays open.
 */
int store_file_open(struct store *store, int64_t now_ns, struct error *error);
void store_file_close(struct store *store);
/*
 * The next file, when the day is over or this one is large enough. ERR_STALE: see store_file_open.
 */
int store_file_roll(struct store *store, int64_t now_ns, struct error *error);
/* Drops files that retention has passed. */
int store_file_retain(struct store *store, int64_t now_ns, struct error *error);

int store_offset_get(struct db_txn *txn, uint32_t partition, uint64_t *ret, struct error *error);
int store_offset_put(struct db_txn *txn, uint32_t partition, uint64_t next, struct error *error);

#endif
