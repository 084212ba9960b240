#include "storage/store_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "storage/fold.h"
#include "storage/index.h"
#include "storage/store_alert.h"
#include "storage/words.h"

#define ARENA_BYTES    (256u << 20)
#define SLICE_BYTES    (24u << 20) /* a transaction ends when its alerts have taken this much */
#define SLACK_BYTES    (UINT64_C(1) << 30)
#define EVIDENCE_BUSY  (10 * NS_PER_MS) /* a step's share: with alerts, and without */
#define EVIDENCE_QUIET (50 * NS_PER_MS)
#define LOOK_AGAIN_NS  (60 * NS_PER_S)

/* Read anew: while the partition was away another store may have gone on. */
static int on_assign(void *context, enum bus_topic topic, uint32_t partition, uint64_t *offset)
{
	struct store *store = context;
	struct db_txn *txn;
	int code = 0;

	CHECK(topic == TOPIC_ALERTS && partition < store->partitions);
	if (store->db != NULL) {
		code = db_begin(store->db, false, &txn, NULL);
		if (code == 0) {
			code = store_offset_get(txn, partition, &store->next[partition], NULL);
			db_abort(txn);
		}
	}
	store->assigned[partition] = code == 0;
	*offset = store->next[partition];
	return code;
}

static void on_revoke(void *context, enum bus_topic topic, uint32_t partition, bool lost)
{
	struct store *store = context;

	(void)topic;
	(void)lost;
	store->assigned[partition] = false;
}

static int allocate(struct store *store, struct error *error)
{
	const struct store_options *options = &store->options;

	store->partitions = bus_partitions(options->bus, TOPIC_ALERTS);
	store->next = calloc(store->partitions, sizeof(*store->next));
	store->assigned = calloc(store->partitions, sizeof(*store->assigned));
	store->records = calloc(options->batch, sizeof(*store->records));
	store->arena = arena_new(ARENA_BYTES);
	store->path = strdup(options->path);
	store->history = history_new(store->path, &store->how);
	store->evidence = evidence_new(&store->options);
	if (store->next == NULL || store->assigned == NULL || store->records == NULL ||
	    store->arena == NULL || store->path == NULL || store->history == NULL ||
	    store->evidence == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	return 0;
}

static int reader_open(struct store *store, struct error *error)
{
	struct bus_reader_options options = {
	    .topic = TOPIC_ALERTS,
	    .group = "store",
	    .assignment = {on_assign, on_revoke, store},
	};

	return bus_reader_open(&store->reader, store->options.bus, &options, error);
}

int store_open(
    struct store **ret, const struct store_options *options, int64_t now_ns, struct error *error)
{
	struct store *store = calloc(1, sizeof(*store));
	int code;

	*ret = NULL;
	if (store == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	store->options = *options;
	if (store->options.batch == 0)
		store->options.batch = 1000;
	store->how = (struct day_open){
	    .site = hash_sip64(options->site, STR("tocsin.site")) | 1,
	    .key = index_make_key(options->site),
	    .max_bytes = options->day_bytes + SLACK_BYTES,
	    .write = true,
	    .quick = options->quick,
	};
	code = allocate(store, error);
	if (code == 0)
		code = file_make_folder(store->path, 0750, error);
	if (code == 0)
		code = store_file_open(store, now_ns, error);
	if (code == 0)
		code = reader_open(store, error);
	if (code != 0) {
		store_close(store);
		return code;
	}
	*ret = store;
	return 0;
}

void store_close(struct store *store)
{
	if (store == NULL)
		return;
	bus_reader_close(store->reader);
	store_file_close(store);
	history_free(store->history);
	evidence_free(store->evidence);
	arena_free(store->arena);
	free(store->records);
	free(store->assigned);
	free(store->next);
	free(store->path);
	free(store);
}

/* ---- one transaction ---- */

static int batch_begin(
    struct store *store, struct batch *batch, int64_t now_ns, struct error *error)
{
	int code;

	arena_reset(store->arena);
	*batch = (struct batch){.options = &store->options,
	    .history = store->history,
	    .arena = store->arena,
	    .error = error,
	    .now_ns = now_ns};
	code = db_begin(store->db, true, &batch->txn, error);
	if (code != 0)
		return code;
	code = day_state_get(batch->txn, &batch->state, error);
	if (code == 0 && batch->state.sealed != 0)
		code = ERR_STALE;
	if (batch->state.birth_bytes == 0)
		batch->state.birth_bytes = db_used_bytes(store->db);
	return code;
}

/*
 * What was counted is only true once it is committed. All members up to files are such counters.
 */
static void stats_add(struct store_stats *stats, const struct batch *batch)
{
	const struct store_stats *add = &batch->stats;

	stats->alerts += add->alerts;
	stats->repeats += add->repeats;
	stats->settled += add->settled;
	stats->replaced += add->replaced;
	stats->folded += add->folded;
	stats->suppressed += add->suppressed;
	stats->damaged += add->damaged;
	stats->unknown += add->unknown;
	stats->gaps += add->gaps;
	stats->evidence_kept += add->evidence_kept;
	stats->evidence_missing += add->evidence_missing;
	stats->commits++;
	if (add->alerts > 0)
		stats->last_alert_ns = batch->now_ns;
}

/* Ends the transaction in every case. */
static int batch_end(struct store *store, struct batch *batch, int code)
{
	struct db_txn *txn = batch->txn;

	batch->state.generation++;
	if (code == 0)
		code = day_state_put(txn, &batch->state, batch->error);
	batch->txn = NULL;
	if (code != 0) {
		db_abort(txn);
		return code;
	}
	code = db_commit(txn, batch->error);
	if (code == 0)
		stats_add(&store->stats, batch);
	return code;
}

/* The fence: what the file says must be what we believe, for each partition. */
static int fence(struct store *store, struct batch *batch)
{
	uint64_t stored;

	for (uint32_t p = 0; p < store->partitions; p++) {
		if (!store->assigned[p])
			continue;
		int code = store_offset_get(batch->txn, p, &stored, batch->error);

		if (code != 0)
			return code;
		if (stored != store->next[p])
			return ERR_STALE;
	}
	return 0;
}

static int gap_put(struct batch *batch, const struct bus_record *record)
{
	uint64_t gap[4] = {
	    record->partition, record->offset, record->next, (uint64_t)batch->now_ns};
	struct words words;
	char key[8];

	batch->stats.gaps++;
	return db_put(batch->txn, TABLE_GAP, day_key_sequence(key, batch->state.next_gap++),
	    words_put(&words, gap, sizeof(gap)), 0, batch->error);
}

static int take(
    struct store *store, struct batch *batch, uint64_t *next, const struct bus_record *record)
{
	uint64_t at = next[record->partition];
	int code;

	if (record->kind == BUS_GAP) {
		code = gap_put(batch, record);
	} else if (at != UINT64_MAX && record->offset < at) {
		return 0; /* read before */
	} else {
		code = store_record(batch, store->index_key, record->partition, record->value);
	}
	next[record->partition] = record->next;
	return code;
}

/* As many of the records as fit one transaction. *taken only counts once it is committed. */
static int slice(struct store *store, const struct bus_record *records, size_t count,
    int64_t now_ns, size_t *taken, struct error *error)
{
	uint64_t next[BUS_PARTITIONS_MAX];
	struct batch batch;
	size_t i = 0;
	int code = batch_begin(store, &batch, now_ns, error);

	if (code == 0)
		code = fence(store, &batch);
	memcpy(next, store->next, store->partitions * sizeof(*next));
	for (; code == 0 && i < count && arena_used(store->arena) < SLICE_BYTES; i++)
		code = take(store, &batch, next, &records[i]);
	if (code == 0)
		code = fold_finish(&batch);
	for (uint32_t p = 0; code == 0 && p < store->partitions; p++)
		if (next[p] != store->next[p])
			code = store_offset_put(batch.txn, p, next[p], error);
	code = batch_end(store, &batch, code);
	if (code != 0)
		return code;
	memcpy(store->next, next, store->partitions * sizeof(*next));
	store->more = batch.more;
	*taken = i;
	return 0;
}

/* Back to what is stored: after a failure, or when somebody else has gone on. */
static int seek(struct store *store, struct error *error)
{
	for (uint32_t p = 0; p < store->partitions; p++) {
		uint64_t first = store->next[p], next;
		int code = 0;

		if (!store->assigned[p])
			continue;
		if (first == UINT64_MAX)
			code = bus_range(store->options.bus, TOPIC_ALERTS, p, &first, &next, error);
		if (code == 0)
			code = bus_seek(store->reader, p, first, error);
		if (code != 0)
			return code;
	}
	return 0;
}

static int reload(struct store *store, int64_t now_ns, struct error *error)
{
	int code;

	store->stats.stale++;
	code = store_file_open(store, now_ns, error);
	return code == 0 ? seek(store, error) : code;
}

/* A failed batch is read again with the next step. The first failure is the one to tell. */
static int give_back(struct store *store, int code)
{
	if (code == ERR_IO)
		store_file_close(store); /* db writes no more through a handle whose sync failed */
	(void)seek(store, NULL);
	return code;
}

static int take_all(struct store *store, size_t count, int64_t now_ns, struct error *error)
{
	size_t done = 0, taken = 0;

	do {
		int code = slice(store, store->records + done, count - done, now_ns, &taken, error);

		if (code == ERR_STALE)
			return reload(store, now_ns, error);
		if (code != 0)
			return give_back(store, code);
		done += taken;
	} while (done < count);
	for (uint32_t p = 0; count > 0 && p < store->partitions; p++) {
		int code = store->assigned[p] && store->next[p] != UINT64_MAX
			       ? bus_commit(store->reader, p, store->next[p], error)
			       : 0;

		if (code != 0)
			return code;
	}
	return 0;
}

static int keep_evidence(
    struct store *store, int64_t budget_ns, int64_t now_ns, struct error *error)
{
	struct batch batch;
	int count = evidence_fetch(store->evidence, store->db, budget_ns, error), code;

	store->fetching = count > 0;
	if (count <= 0)
		return count;
	code = batch_begin(store, &batch, now_ns, error);
	if (code == 0)
		code = evidence_keep(store->evidence, &batch);
	code = batch_end(store, &batch, code);
	return code == ERR_STALE ? reload(store, now_ns, error) : code;
}

static int look_around(struct store *store, int64_t now_ns, struct error *error)
{
	int code;

	if (store->db == NULL) {
		code = store_file_open(store, now_ns, error);
		if (code == 0)
			code = seek(store, error);
		if (code != 0)
			return code;
	}
	code = store_file_roll(store, now_ns, error);
	if (code == ERR_STALE)
		code = reload(store, now_ns, error);
	if (code == 0 && now_ns >= store->retain_ns) {
		store->retain_ns = now_ns + LOOK_AGAIN_NS;
		code = store_file_retain(store, now_ns, error);
	}
	return code;
}

int store_step(struct store *store, int64_t now_ns, int64_t timeout_ns, struct error *error)
{
	bool busy = store->more || store->fetching;
	int code = look_around(store, now_ns, error), count;

	if (code != 0)
		return code;
	count = bus_poll(
	    store->reader, store->records, store->options.batch, busy ? 0 : timeout_ns, error);
	if (count < 0)
		return count;
	if (count > 0 || store->more || now_ns >= store->rest_ns) {
		store->rest_ns = now_ns + LOOK_AGAIN_NS;
		code = take_all(store, (size_t)count, now_ns, error);
	}
	if (code == 0)
		code =
		    keep_evidence(store, count > 0 ? EVIDENCE_BUSY : EVIDENCE_QUIET, now_ns, error);
	store->idle = code == 0 && count == 0 && !store->more && !store->fetching &&
		      evidence_waiting(store->evidence) == 0;
	return code == 0 ? count : code;
}

bool store_is_idle(const struct store *store)
{
	return store->idle;
}

void store_stats(const struct store *store, struct store_stats *ret)
{
	*ret = store->stats;
	ret->files = history_count(store->history) + (store->db != NULL);
	ret->damaged += history_damaged(store->history);
	ret->evidence_waiting = evidence_waiting(store->evidence);
}
