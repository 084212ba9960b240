/*
 * fold_progress.c - how far each topic has come.
 *
 * Progress is ordered only with what stands on the same partition of alerts, so every partition of
 * alerts keeps its own view of every partition of the source, and the watermark is the least of
 * all. A row: partitions of the source, then time and idleness of each.
 */
#include "storage/fold.h"

#include "event/detection.h"
#include "storage/words.h"

#define KEY_LEN 10

struct heard {
	uint64_t partitions;
	int64_t time_ns[BUS_PARTITIONS_MAX];
	uint64_t state[BUS_PARTITIONS_MAX]; /* enum heard_state */
};

enum heard_state { HEARD_NOT, HEARD_BUSY, HEARD_IDLE };

static struct str heard_key(char out[KEY_LEN], unsigned topic, uint32_t partition)
{
	memcpy(out, "heard", 5);
	out[5] = (char)topic;
	db_key_u32(out + 6, partition);
	return str_from(out, KEY_LEN);
}

static int heard_get(struct batch *batch, unsigned topic, uint32_t partition, struct heard *ret)
{
	char key[KEY_LEN];
	struct str row;
	int code =
	    db_get(batch->txn, TABLE_META, heard_key(key, topic, partition), &row, batch->error);

	memset(ret, 0, sizeof(*ret));
	if (code != DB_FOUND)
		return code < 0 ? code : 0;
	if (row.len < 8 || (row.len - 8) % 16 != 0 || get_u64(row.ptr) != (row.len - 8) / 16 ||
	    get_u64(row.ptr) > BUS_PARTITIONS_MAX)
		return day_damaged(batch->error);
	ret->partitions = get_u64(row.ptr);
	for (uint64_t i = 0; i < ret->partitions; i++) {
		ret->time_ns[i] = (int64_t)get_u64(row.ptr + 8 + 16 * i);
		ret->state[i] = get_u64(row.ptr + 16 + 16 * i);
	}
	return 0;
}

static int heard_put(
    struct batch *batch, unsigned topic, uint32_t partition, const struct heard *heard)
{
	struct buf row = BUF(16 * BUS_PARTITIONS_MAX + 8);
	char key[KEY_LEN];

	buf_u64(&row, heard->partitions);
	for (uint64_t i = 0; i < heard->partitions; i++) {
		buf_u64(&row, (uint64_t)heard->time_ns[i]);
		buf_u64(&row, heard->state[i]);
	}
	int code = row.failed ? error_set(batch->error, ERR_MEMORY, TEXT_base_memory)
			      : db_put(batch->txn, TABLE_META, heard_key(key, topic, partition),
				    buf_str(&row), 0, batch->error);

	buf_free(&row);
	return code;
}

static void heard_take(struct heard *heard, const struct progress *progress)
{
	uint32_t at = progress->partition;

	if (progress->partitions > BUS_PARTITIONS_MAX || at >= progress->partitions)
		return;
	/* a topic may grow, never shrink */
	if (heard->partitions < progress->partitions)
		heard->partitions = progress->partitions;
	if (heard->state[at] == HEARD_NOT || heard->time_ns[at] < progress->time_ns)
		heard->time_ns[at] = progress->time_ns;
	heard->state[at] = progress->idle ? HEARD_IDLE : HEARD_BUSY;
}

int fold_progress(
    struct batch *batch, uint32_t partition, const struct progress *progress, size_t count)
{
	static const enum bus_topic topics[] = {TOPIC_EVENTS, TOPIC_DETECTIONS};
	struct heard heard;

	for (size_t t = 0; t < 2; t++) {
		bool any = false;
		int code = heard_get(batch, topics[t], partition, &heard);

		for (size_t i = 0; code == 0 && i < count; i++) {
			if (progress[i].topic != topics[t])
				continue;
			heard_take(&heard, &progress[i]);
			any = true;
		}
		if (code == 0 && any)
			code = heard_put(batch, topics[t], partition, &heard);
		if (code != 0)
			return code;
		batch->progress |= any;
	}
	return 0;
}

int fold_progress_forget(struct db_txn *txn, struct error *error)
{
	static const enum bus_topic topics[] = {TOPIC_EVENTS, TOPIC_DETECTIONS};
	char key[KEY_LEN];
	int code = 0;

	for (size_t t = 0; t < 2; t++)
		for (uint32_t p = 0; code >= 0 && p < BUS_PARTITIONS_MAX; p++)
			code = db_delete(txn, TABLE_META, heard_key(key, topics[t], p), error);
	return code < 0 ? code : 0;
}

/* INT64_MIN while a partition was not heard of. Where all are idle the furthest one counts. */
static int watermark(struct batch *batch, enum bus_topic topic, int64_t *ret)
{
	uint32_t partitions = bus_partitions(batch->options->bus, TOPIC_ALERTS);
	int64_t least = INT64_MAX, most = INT64_MIN;
	bool busy = false;
	struct heard heard;

	for (uint32_t p = 0; p < partitions; p++) {
		int code = heard_get(batch, topic, p, &heard);
		bool whole = heard.partitions > 0;

		if (code != 0)
			return code;
		for (uint64_t i = 0; i < heard.partitions; i++) {
			whole = whole && heard.state[i] != HEARD_NOT;
			most = heard.time_ns[i] > most ? heard.time_ns[i] : most;
			if (heard.state[i] != HEARD_BUSY)
				continue;
			busy = true;
			least = heard.time_ns[i] < least ? heard.time_ns[i] : least;
		}
		if (!whole) {
			*ret = INT64_MIN;
			return 0;
		}
	}
	*ret = busy ? least : most;
	return 0;
}

int fold_watermarks(struct batch *batch)
{
	static const enum bus_topic sources[2] = {
	    [FOLD_PLAIN] = TOPIC_EVENTS, [FOLD_CORRELATION] = TOPIC_DETECTIONS};

	for (size_t kind = 0; kind < 2; kind++) {
		int64_t time_ns;
		int code = watermark(batch, sources[kind], &time_ns);

		if (code != 0)
			return code;
		if (time_ns > batch->state.watermark[kind])
			batch->state.watermark[kind] = time_ns;
	}
	return 0;
}
