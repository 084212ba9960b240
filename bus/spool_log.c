/*
 * spool_log.c - the log of the spool: a local bus of one partition.
 *
 * Everything goes into one partition, whatever it was published to, so that its order is the order
 * of publishing and one offset says what has been drained.
 */
#include "bus/spool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "bus/local.h"

#define SEGMENT_DEFAULT (UINT64_C(16) << 20)
#define RECEIPTS        256

enum { HEAD_VERSION = 1, KEY_MAX = BUS_RECORD_MAX + SPOOL_HEAD };

bool spool_log_parse(const struct bus_record *record, enum bus_topic *ret_topic,
    uint32_t *ret_partition, uint64_t *ret_before, struct str *ret_key)
{
	const uint8_t *at = (const uint8_t *)record->key.ptr;

	if (record->key.len < SPOOL_HEAD || at[0] != HEAD_VERSION || at[1] >= TOPIC_COUNT)
		return false;
	*ret_topic = (enum bus_topic)at[1];
	*ret_partition = get_u32(at + 4);
	*ret_before = get_u64(at + 8);
	*ret_key = str_slice(record->key, SPOOL_HEAD, record->key.len);
	return true;
}

/* ---- opening ---- */

/* bytes before the first good record at offset, and its time; false: none is there. */
static int peek(struct bus_spool *spool, uint64_t offset, bool *ret_found, uint64_t *ret_before,
    uint64_t *ret_after, int64_t *ret_time_ns, struct error *error)
{
	struct bus_record record;
	enum bus_topic topic;
	uint32_t partition;
	struct str key;
	int count, code = bus_seek(spool->reader, 0, offset, error);

	*ret_found = false;
	while (code == 0 && !*ret_found) {
		count = bus_poll(spool->reader, &record, 1, 0, error);
		if (count <= 0)
			return count;
		*ret_found = record.kind == BUS_RECORD &&
		    spool_log_parse(&record, &topic, &partition, ret_before, &key);
		if (*ret_found) {
			*ret_after = *ret_before + key.len + record.value.len;
			*ret_time_ns = record.time_ns;
		}
	}
	return code;
}

/* Where the drain goes on, and how much is before it. */
static int log_measure(struct bus_spool *spool, struct error *error)
{
	uint64_t first, before, after;
	int64_t time_ns;
	bool found;
	int code = bus_committed(spool->log, SPOOL_GROUP, TOPIC_EVENTS, 0, &spool->position, error);

	if (code == 0)
		code = bus_range(spool->log, TOPIC_EVENTS, 0, &first, &spool->log_next, error);
	if (code != 0)
		return code;
	/* none, or of a log that was lost: whatever is there has not been drained */
	if (spool->position == UINT64_MAX || spool->position > spool->log_next) {
		spool->position = first;
		/* now, since on a full disk there may be no room for it later */
		code = bus_commit(spool->reader, 0, first, error);
	}
	spool->committed = spool->position;
	if (code != 0)
		return code;
	if (spool->position == spool->log_next)
		return 0;
	spool->spooling = true;
	spool->stats.outages++;
	code = peek(spool, spool->position, &found, &before, &after, &time_ns, error);
	if (code == 0 && found) {
		spool->bytes_out = before;
		spool->bytes_in = after;
		spool->oldest_ns = time_ns;
		code = peek(spool, spool->log_next - 1, &found, &before, &after, &time_ns, error);
	}
	if (code == 0 && found && after > spool->bytes_out)
		spool->bytes_in = after;
	return code == 0 ? bus_seek(spool->reader, 0, spool->position, error) : code;
}

int spool_log_open(struct bus_spool *spool, struct error *error)
{
	struct bus_reader_options reading = {.topic = TOPIC_EVENTS, .group = SPOOL_GROUP};
	char *path = NULL;
	/* what may go is for the drain to say, never for retention */
	struct bus_options options = {.backend = "local", .partitions = {1, 1, 1},
		.segment_bytes = spool->options.segment_bytes != 0 ? spool->options.segment_bytes
		    : SEGMENT_DEFAULT,
		.retain_bytes = UINT64_MAX, .retain_ns = INT64_MAX,
		.commit_ns = spool->inner_options.commit_ns,
		.commit_bytes = spool->inner_options.commit_bytes};
	int code;

	if (asprintf(&path, "%s/log", spool->options.path) < 0)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	options.path = path;
	spool->key = BUF(KEY_MAX);
	code = bus_open(&spool->log, &options, error);
	free(path);
	if (code == 0)
		code = bus_reader_open(&spool->reader, spool->log, &reading, error);
	return code == 0 ? log_measure(spool, error) : code;
}

void spool_log_close(struct bus_spool *spool)
{
	bus_reader_close(spool->reader);
	bus_close(spool->log);
	buf_free(&spool->key);
}

/* ---- putting ---- */

int spool_log_put(struct bus_spool *spool, enum bus_topic topic, uint32_t partition,
    struct str key, struct str value, const uint64_t *tag)
{
	int code;

	if (spool->logged_count == SPOOL_RECEIPTS)
		return BUS_BUSY;
	buf_clear(&spool->key);
	buf_u8(&spool->key, HEAD_VERSION);
	buf_u8(&spool->key, (uint8_t)topic);
	buf_u16(&spool->key, 0);
	buf_u32(&spool->key, partition);
	buf_u64(&spool->key, spool->bytes_in);
	buf_str_put(&spool->key, key);
	if (spool->key.failed) {
		spool->key.failed = false;
		return BUS_BUSY;
	}
	/* not by bus_publish: the head does not count for what a record may be at most */
	code = spool->log->backend->publish(spool->log, TOPIC_EVENTS, 0, buf_str(&spool->key),
	    value, 0);
	if (code != BUS_ACCEPTED)
		return code;
	spool->logged[(spool->logged_head + spool->logged_count++) % SPOOL_RECEIPTS] =
	    (struct spool_logged){tag != NULL ? *tag : 0, topic, partition, tag == NULL};
	spool->bytes_in += key.len + value.len;
	return BUS_ACCEPTED;
}

/* Commits come in the order in which records were put. */
static void log_receipt(struct bus_spool *spool, const struct bus_receipt *receipt)
{
	struct spool_logged logged = spool->logged[spool->logged_head];
	struct bus_receipt told = {logged.tag, receipt->status, logged.topic, logged.partition,
		UINT64_MAX};

	CHECK(spool->logged_count > 0);
	spool->logged_head = (spool->logged_head + 1) % SPOOL_RECEIPTS;
	spool->logged_count--;
	if (receipt->status == RECEIPT_DURABLE) {
		spool->log_next = receipt->offset + 1;
		spool->stats.spooled++;
	}
	if (logged.own)
		spool->telling--;
	else
		spool_ready(spool, &told);
}

int spool_log_take(struct bus_spool *spool, int64_t timeout_ns, struct error *error)
{
	struct bus_receipt receipts[RECEIPTS];
	int count;

	do {
		if (spool->logged_count == 0)
			return 0;
		count = bus_receipts(spool->log, receipts, RECEIPTS, timeout_ns, error);
		for (int i = 0; i < count; i++)
			log_receipt(spool, &receipts[i]);
		timeout_ns = 0;
	} while (count == RECEIPTS);
	return count < 0 ? count : 0;
}

/* ---- looking ---- */

static void log_visit(const struct bus_record *record,
    void (*visit)(void *context, struct str value), void *context)
{
	enum bus_topic topic;
	uint32_t partition;
	uint64_t before;
	struct str key;

	if (record->kind == BUS_RECORD &&
	    spool_log_parse(record, &topic, &partition, &before, &key) && topic == TOPIC_EVENTS)
		visit(context, record->value);
}

int spool_log_each(struct bus_spool *spool, void (*visit)(void *context, struct str value),
    void *context, struct error *error)
{
	struct bus_reader_options reading = {.topic = TOPIC_EVENTS, .group = "look"};
	struct bus_record records[SPOOL_BATCH];
	struct bus_reader *reader;
	int count, code = bus_reader_open(&reader, spool->log, &reading, error);

	if (code < 0)
		return code;
	code = bus_seek(reader, 0, spool->position, error);
	while (code == 0 && (count = bus_poll(reader, records, SPOOL_BATCH, 0, error)) != 0) {
		for (int i = 0; i < count; i++)
			log_visit(&records[i], visit, context);
		code = count < 0 ? count : 0;
	}
	bus_reader_close(reader);
	return code;
}
