/*
 * store.h - the stage "store": alerts from the bus into day files, indexed, folded, with evidence.
 *
 * One writer. A step polls the topic "alerts" and ends in one transaction of the newest day file:
 * offsets compared and advanced (the fence), alerts under deterministic ids (a known id is a
 * repeat, counted), index, folds. Then the events behind new alerts are fetched from the bus and
 * kept. The folder: <path>/YYYY-MM-DD[.n].mdb, the newest file holds the offsets; older ones are
 * never written.
 */
#ifndef TOCSIN_STORAGE_STORE_H
#define TOCSIN_STORAGE_STORE_H

#include "base/hash.h"
#include "bus/bus.h"
#include "event/alert.h"

struct store;

struct store_options {
	const char *path;	 /* folder */
	struct bus *bus;	 /* used by this store alone; outlives it */
	struct hash_key site;	 /* its fingerprint is kept; another key is ERR_FOREIGN */
	size_t batch;		 /* most alerts a transaction */
	uint64_t day_bytes;	 /* roll earlier than midnight UTC at this size */
	int64_t retain_ns;	 /* day files whose newest alert is older are dropped whole */
	int64_t fold_default_ns; /* where an alert leaves it open (fold_ns < 0); 0 never folds */
	size_t evidence_events;	 /* most events kept an alert */
	bool quick;		 /* replays, tests: no sync */
	/*
	 * raw event to JSON of its decoded fields; given by the program, which knows the decoder.
	 */
	bool (*decode)(void *context, const struct event *event, struct buf *ret_json);
	void *context;
};

int store_open(
    struct store **ret, const struct store_options *options, int64_t now_ns, struct error *error);
void store_close(struct store *store); /* accepts NULL */
/* One batch; how many records were read, or a negative code (ERR_FULL: try again later). */
int store_step(struct store *store, int64_t now_ns, int64_t timeout_ns, struct error *error);
/* Nothing read and nothing to fetch: all that is on the bus is in the store. */
bool store_is_idle(const struct store *store);

struct store_stats {
	uint64_t alerts, repeats, settled, replaced, folded, suppressed, damaged, unknown, stale;
	uint64_t commits;
	uint64_t evidence_kept, evidence_missing, evidence_waiting, files, gaps;
	int64_t last_alert_ns; /* when the last one was stored */
};
void store_stats(const struct store *store, struct store_stats *ret);

#endif
