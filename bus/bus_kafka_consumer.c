/*
 * bus_kafka_consumer.c - reading, by group or with partitions of one's own.
 *
 * Kafka's own idea of a position is never trusted: each reader keeps the offset that it expects of
 * every partition, and each message is held against it. A smaller one is dropped. A larger one is a
 * gap where the broker says that its log begins later, else the reader goes back once for what is
 * missing, and only believes a second such jump (transactions of foreign producers leave holes).
 *
 * Messages point into librdkafka's fetch buffers and are kept until the next bus_poll. One thread
 * polls, rebalances and seeks: librdkafka 2.0 may mix up a batch that is read beside those.
 */
#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "bus/bus_kafka.h"

#define BATCH_MAX       1000
#define CLOSE_MS        5000
#define COMMIT_EVERY_NS NS_PER_S
#define ROUSE_MS        100
#define UNKNOWN         UINT64_MAX

/* How far librdkafka reads ahead, and whether it may have stopped because that was enough. */
struct kafka_ahead {
	uint64_t most_bytes, most_count; /* at which it stops */
	uint64_t record_bytes;           /* of a record, by those that came last */
	bool was_full;
};

struct kafka_position {
	bool owned;
	uint64_t expected;  /* UNKNOWN: the first message tells */
	uint64_t doubted;   /* the expected offset for which the reader went back */
	uint64_t committed, to_commit;
};

struct kafka_reader {
	struct bus_reader reader;
	struct bus_in_kafka *kafka;
	enum bus_topic topic;
	rd_kafka_t *consumer;
	rd_kafka_queue_t *queue;
	bool by_group, begun, eager;
	uint32_t *wanted; /* static assignment */
	size_t wanted_count;
	int failure;      /* of on_assign, within the rebalance */
	int refused;      /* what the brokers will not allow */
	int64_t commit_at;
	rd_kafka_message_t *batch[BATCH_MAX];
	size_t batch_count, batch_at; /* [0, batch_at) are with the caller */
	uint64_t dropped;             /* not owned, or read before */
	struct kafka_ahead ahead;
	struct kafka_position positions[BUS_PARTITIONS_MAX];
};

static struct kafka_reader *in_kafka_reader(struct bus_reader *base)
{
	return (struct kafka_reader *)base;
}

static struct bus_in_kafka *kafka_of(const struct kafka_reader *reader)
{
	return reader->kafka;
}

static const char *topic_of(const struct kafka_reader *reader)
{
	return kafka_of(reader)->topics[reader->topic];
}

/* ---- questions to the brokers ---- */

int kafka_committed_by(struct rd_kafka_s *rk, struct bus_in_kafka *kafka, enum bus_topic topic,
    uint32_t partition, uint64_t *ret, struct error *error)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

	rd_kafka_topic_partition_list_add(list, kafka->topics[topic], (int32_t)partition);
	rd_kafka_resp_err_t response = rd_kafka_committed(rk, list, KAFKA_ANSWER_MS);

	if (response == RD_KAFKA_RESP_ERR_NO_ERROR)
		response = list->elems[0].err;
	*ret = list->elems[0].offset >= 0 ? (uint64_t)list->elems[0].offset : UNKNOWN;
	rd_kafka_topic_partition_list_destroy(list);
	return response == RD_KAFKA_RESP_ERR_NO_ERROR ? 0
	    : kafka_failed(kafka, response, "committed", error);
}

static bool log_bounds(struct kafka_reader *reader, uint32_t partition, uint64_t *ret_low,
    uint64_t *ret_high)
{
	return kafka_bounds(kafka_of(reader), reader->consumer, reader->topic, partition, ret_low,
	    ret_high, NULL) == 0;
}

/* ---- assignment ---- */

static void batch_discard(struct kafka_reader *reader, uint32_t partition)
{
	for (size_t i = reader->batch_at; i < reader->batch_count; i++) {
		rd_kafka_message_t *message = reader->batch[i];

		if (message == NULL || message->partition != (int32_t)partition)
			continue;
		rd_kafka_message_destroy(message);
		reader->batch[i] = NULL;
	}
}

/* Where a partition begins; UNKNOWN when the brokers do not say now. */
static int position_begin(struct kafka_reader *reader, uint32_t partition)
{
	struct kafka_position *at = &reader->positions[partition];
	const struct bus_assignment *assignment = &reader->reader.assignment;
	uint64_t high;

	*at = (struct kafka_position){.owned = true, .expected = UNKNOWN, .doubted = UNKNOWN,
	    .committed = UNKNOWN, .to_commit = UNKNOWN};
	if (assignment->on_assign != NULL) {
		int code = assignment->on_assign(assignment->context, reader->topic, partition,
		    &at->expected);

		if (code < 0)
			return code;
	}
	if (at->expected == UNKNOWN && kafka_committed_by(reader->consumer, kafka_of(reader),
	    reader->topic, partition, &at->expected, NULL) == 0 && at->expected == UNKNOWN)
		log_bounds(reader, partition, &at->expected, &high);
	return 0;
}

static int64_t fetch_offset(const struct kafka_position *at)
{
	return at->expected == UNKNOWN ? RD_KAFKA_OFFSET_STORED : (int64_t)at->expected;
}

static void list_put(rd_kafka_topic_partition_list_t *list, const struct kafka_reader *reader,
    uint32_t partition)
{
	rd_kafka_topic_partition_list_add(list, topic_of(reader), (int32_t)partition)->offset =
	    fetch_offset(&reader->positions[partition]);
}

static void position_revoke(struct kafka_reader *reader, uint32_t partition, bool lost)
{
	const struct bus_assignment *assignment = &reader->reader.assignment;
	struct kafka_position *at = &reader->positions[partition];

	if (!at->owned)
		return;
	at->owned = false;
	batch_discard(reader, partition);
	if (assignment->on_revoke != NULL)
		assignment->on_revoke(assignment->context, reader->topic, partition, lost);
}

static void group_assign(struct kafka_reader *reader, rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_topic_partition_list_t *begin = rd_kafka_topic_partition_list_new(list->cnt);
	rd_kafka_error_t *refused = NULL;

	for (int i = 0; i < list->cnt; i++) {
		uint32_t partition = (uint32_t)list->elems[i].partition;
		int code = partition < BUS_PARTITIONS_MAX ? position_begin(reader, partition) : 0;

		if (code < 0)
			reader->failure = code;
		else if (partition < BUS_PARTITIONS_MAX)
			list_put(begin, reader, partition);
	}
	/* Even an empty list must be assigned, or the group waits for ever. */
	if (reader->eager)
		rd_kafka_assign(reader->consumer, begin);
	else
		refused = rd_kafka_incremental_assign(reader->consumer, begin);
	if (refused != NULL) {
		reader->refused = rd_kafka_error_code(refused);
		rd_kafka_error_destroy(refused);
	}
	rd_kafka_topic_partition_list_destroy(begin);
}

void kafka_rebalanced(struct rd_kafka_s *rk, int response,
    struct rd_kafka_topic_partition_list_s *list, void *opaque)
{
	struct kafka_reader *reader = ((struct kafka_client *)opaque)->reader;

	reader->eager = strcmp(rd_kafka_rebalance_protocol(rk), "EAGER") == 0;
	if (response == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
		group_assign(reader, list);
		return;
	}
	bool lost = rd_kafka_assignment_lost(rk) != 0;

	for (int i = 0; i < list->cnt; i++)
		if (list->elems[i].partition < BUS_PARTITIONS_MAX)
			position_revoke(reader, (uint32_t)list->elems[i].partition, lost);
	if (response != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS || reader->eager) {
		rd_kafka_assign(rk, NULL);
		return;
	}
	rd_kafka_error_t *refused = rd_kafka_incremental_unassign(rk, list);

	if (refused != NULL)
		rd_kafka_error_destroy(refused);
}

static int begin_static(struct kafka_reader *reader, struct error *error)
{
	rd_kafka_topic_partition_list_t *list =
	    rd_kafka_topic_partition_list_new((int)reader->wanted_count);
	int code = 0;

	for (size_t i = 0; code == 0 && i < reader->wanted_count; i++) {
		code = position_begin(reader, reader->wanted[i]);
		list_put(list, reader, reader->wanted[i]);
	}
	if (code == 0) {
		rd_kafka_resp_err_t response = rd_kafka_assign(reader->consumer, list);

		if (response != RD_KAFKA_RESP_ERR_NO_ERROR)
			code = kafka_failed(kafka_of(reader), response, "assign", error);
	}
	rd_kafka_topic_partition_list_destroy(list);
	return code;
}

static int begin_group(struct kafka_reader *reader, struct error *error)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

	rd_kafka_topic_partition_list_add(list, topic_of(reader), RD_KAFKA_PARTITION_UA);
	rd_kafka_resp_err_t response = rd_kafka_subscribe(reader->consumer, list);

	rd_kafka_topic_partition_list_destroy(list);
	return response == RD_KAFKA_RESP_ERR_NO_ERROR ? 0
	    : kafka_failed(kafka_of(reader), response, "subscribe", error);
}

static int reader_begin(struct kafka_reader *reader, struct error *error)
{
	if (reader->begun)
		return 0;
	int code = reader->by_group ? begin_group(reader, error) : begin_static(reader, error);

	reader->begun = code == 0;
	return code;
}

/* All that are owned begin anew: the eager protocol knows no single ones. */
static bool partitions_again(struct kafka_reader *reader)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);

	for (uint32_t partition = 0; partition < BUS_PARTITIONS_MAX; partition++)
		if (reader->positions[partition].owned)
			list_put(list, reader, partition);
	bool done = rd_kafka_assign(reader->consumer, list) == RD_KAFKA_RESP_ERR_NO_ERROR;

	rd_kafka_topic_partition_list_destroy(list);
	return done;
}

/* Takes the partition away from the fetcher and gives it back at the expected offset. */
static bool partition_again(struct kafka_reader *reader, rd_kafka_topic_partition_list_t *list)
{
	if (reader->eager)
		return partitions_again(reader);
	rd_kafka_error_t *refused = rd_kafka_incremental_unassign(reader->consumer, list);

	if (refused == NULL)
		refused = rd_kafka_incremental_assign(reader->consumer, list);
	bool done = refused == NULL;

	if (!done)
		rd_kafka_error_destroy(refused);
	return done;
}

/*
 * Unlike rd_kafka_seek, which librdkafka 2.0 lets come to nothing where the offset was not there,
 * unassign and assign work in every state of a partition and drop what was on its way; a seek is
 * for the moments in which those are not allowed. What is then read twice lies before the expected
 * offset.
 */
static int position_seek(struct kafka_reader *reader, uint32_t partition, struct error *error)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_error_t *refused = NULL;
	int code = 0;

	batch_discard(reader, partition);
	list_put(list, reader, partition);
	if (!partition_again(reader, list))
		refused = rd_kafka_seek_partitions(reader->consumer, list, KAFKA_ANSWER_MS);
	if (refused != NULL) {
		reader->refused = rd_kafka_error_code(refused);
		code = kafka_failed(kafka_of(reader), reader->refused, "seek", error);
		rd_kafka_error_destroy(refused);
	}
	rd_kafka_topic_partition_list_destroy(list);
	return code;
}

int kafka_seek(struct bus_reader *base, uint32_t partition, uint64_t offset, struct error *error)
{
	struct kafka_reader *reader = in_kafka_reader(base);
	int code = reader_begin(reader, error);

	CHECK(partition < BUS_PARTITIONS_MAX);
	/* One that has been revoked meanwhile is somebody else's to place. */
	if (code < 0 || !reader->positions[partition].owned)
		return code;
	reader->positions[partition].expected = offset;
	reader->positions[partition].doubted = UNKNOWN;
	return position_seek(reader, partition, error);
}

/* ---- commits, for lag and for a reader without a checkpoint ---- */

static rd_kafka_topic_partition_list_t *commits_due(struct kafka_reader *reader)
{
	rd_kafka_topic_partition_list_t *list = NULL;

	for (uint32_t p = 0; p < BUS_PARTITIONS_MAX; p++) {
		struct kafka_position *at = &reader->positions[p];

		if (!at->owned || at->to_commit == at->committed)
			continue;
		if (list == NULL)
			list = rd_kafka_topic_partition_list_new(8);
		rd_kafka_topic_partition_list_add(list, topic_of(reader), (int32_t)p)->offset =
		    (int64_t)at->to_commit;
		at->committed = at->to_commit;
	}
	return list;
}

static void commit_now_and_then(struct kafka_reader *reader)
{
	int64_t now = clock_monotonic_ns();

	if (now < reader->commit_at)
		return;
	rd_kafka_topic_partition_list_t *list = commits_due(reader);

	reader->commit_at = now + COMMIT_EVERY_NS;
	if (list == NULL)
		return;
	rd_kafka_commit(reader->consumer, list, 1);
	rd_kafka_topic_partition_list_destroy(list);
}

static void commit_and_wait(struct kafka_reader *reader)
{
	rd_kafka_topic_partition_list_t *list = commits_due(reader);

	if (list == NULL)
		return;
	rd_kafka_queue_t *answer = rd_kafka_queue_new(reader->consumer);

	if (rd_kafka_commit_queue(reader->consumer, list, answer, NULL, NULL) ==
	    RD_KAFKA_RESP_ERR_NO_ERROR) {
		rd_kafka_event_t *event = rd_kafka_queue_poll(answer, CLOSE_MS / 2);

		if (event != NULL)
			rd_kafka_event_destroy(event);
	}
	rd_kafka_queue_destroy(answer);
	rd_kafka_topic_partition_list_destroy(list);
}

int kafka_commit(struct bus_reader *base, uint32_t partition, uint64_t next, struct error *error)
{
	struct kafka_reader *reader = in_kafka_reader(base);

	(void)error;
	CHECK(partition < BUS_PARTITIONS_MAX);
	reader->positions[partition].to_commit = next;
	return 0;
}

/* ---- messages ---- */

static void batch_release(struct kafka_reader *reader)
{
	for (size_t i = 0; i < reader->batch_at; i++)
		if (reader->batch[i] != NULL)
			rd_kafka_message_destroy(reader->batch[i]);
	reader->batch_count -= reader->batch_at;
	memmove(reader->batch, reader->batch + reader->batch_at,
	    reader->batch_count * sizeof(*reader->batch));
	reader->batch_at = 0;
}

/* ---- reading ahead ---- */

static uint64_t number_of(const rd_kafka_conf_t *conf, const char *name)
{
	char text[32];
	size_t len = sizeof(text);
	uint64_t number;

	if (rd_kafka_conf_get(conf, name, text, &len) != RD_KAFKA_CONF_OK ||
	    !str_to_u64(str_of(text), &number))
		return 0;
	return number;
}

static void ahead_begin(struct kafka_reader *reader)
{
	const rd_kafka_conf_t *conf = rd_kafka_conf(reader->consumer);

	reader->ahead = (struct kafka_ahead){
		.most_bytes = number_of(conf, "queued.max.messages.kbytes") << 10,
		.most_count = number_of(conf, "queued.min.messages")};
}

/* A batch has just been taken, and was read ahead as well. */
static void ahead_note(struct kafka_reader *reader)
{
	struct kafka_ahead *ahead = &reader->ahead;
	uint64_t count = reader->batch_count + rd_kafka_queue_length(reader->queue), bytes = 0;

	for (size_t i = 0; i < reader->batch_count; i++)
		bytes += reader->batch[i]->len + reader->batch[i]->key_len;
	bytes /= reader->batch_count;
	ahead->record_bytes = ahead->record_bytes == 0 ? bytes : (ahead->record_bytes + bytes) / 2;
	if (count >= ahead->most_count / 2 || count * ahead->record_bytes >= ahead->most_bytes / 2)
		ahead->was_full = true;
}

/* Any question that each leader is asked: the answer does not matter. */
static bool leaders_ask(const struct kafka_reader *reader)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

	for (uint32_t p = 0; p < BUS_PARTITIONS_MAX; p++)
		if (reader->positions[p].owned)
			rd_kafka_topic_partition_list_add(list, topic_of(reader), (int32_t)p)
			    ->offset = RD_KAFKA_OFFSET_END;
	rd_kafka_resp_err_t response = list->cnt == 0 ? RD_KAFKA_RESP_ERR__NO_OFFSET
	    : rd_kafka_offsets_for_times(reader->consumer, list, ROUSE_MS);

	rd_kafka_topic_partition_list_destroy(list);
	return response == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/*
 * librdkafka 2.0 that has read enough ahead sleeps for up to a second, however much is taken
 * meanwhile, so that a reader that is behind would get one queue a second. A request wakes the
 * threads of the brokers, and they look how much there is: so they are asked something when three
 * quarters are gone. Who keeps up never has half a queue.
 */
static void ahead_look(struct kafka_reader *reader)
{
	struct kafka_ahead *ahead = &reader->ahead;
	uint64_t count = rd_kafka_queue_length(reader->queue);

	if (!ahead->was_full || count > ahead->most_count / 4 ||
	    count * ahead->record_bytes > ahead->most_bytes / 4)
		return;
	ahead->was_full = false;
	reader->kafka->bus.stats.roused += leaders_ask(reader);
}

static void batch_fill(struct kafka_reader *reader, size_t max, int64_t timeout_ns)
{
	size_t room = max < BATCH_MAX ? max : BATCH_MAX;

	ahead_look(reader);

	ssize_t got = rd_kafka_consume_batch_queue(reader->queue, 0, reader->batch, room);

	if (got > 0) {
		reader->batch_count = (size_t)got;
		ahead_note(reader);
		return;
	}
	/* A batch would wait for its last message, and the contract is to wait for the first. */
	rd_kafka_message_t *first = rd_kafka_consumer_poll(reader->consumer, kafka_ms(timeout_ns));

	if (first == NULL)
		return;
	reader->batch[0] = first;
	reader->batch_count = 1;
	got = rd_kafka_consume_batch_queue(reader->queue, 0, reader->batch + 1, room - 1);
	if (got > 0)
		reader->batch_count += (size_t)got;
	ahead_note(reader);
}

struct gap {
	uint64_t from, to;
};

static void gap_tell(struct kafka_reader *reader, uint32_t partition, struct gap gap,
    struct bus_record *ret)
{
	*ret = (struct bus_record){.kind = BUS_GAP, .topic = reader->topic, .partition = partition,
	    .offset = gap.from, .next = gap.to};
	reader->positions[partition].expected = gap.to;
	reader->positions[partition].doubted = UNKNOWN;
}

/* Settles an offset that the broker does not have. True when *ret is a gap to tell. */
static bool settle_out_of_range(struct kafka_reader *reader, uint32_t partition,
    struct bus_record *ret)
{
	struct kafka_position *at = &reader->positions[partition];
	uint64_t low = 0, high = 0;
	bool told = false;

	if (log_bounds(reader, partition, &low, &high)) {
		if (at->expected == UNKNOWN) {
			at->expected = low;
		} else if (at->expected < low || at->expected > high) {
			gap_tell(reader, partition, (struct gap){at->expected, low}, ret);
			told = true;
		}
	}
	position_seek(reader, partition, NULL);
	return told;
}

/* Settles a message beyond the expected offset. True when *ret is a gap to tell. */
static bool settle_jump(struct kafka_reader *reader, uint32_t partition, uint64_t offset,
    struct bus_record *ret)
{
	struct kafka_position *at = &reader->positions[partition];
	uint64_t low = 0, high = 0;
	bool known = log_bounds(reader, partition, &low, &high);

	if (known && low > at->expected) {
		gap_tell(reader, partition, (struct gap){at->expected, low < offset ? low : offset},
		    ret);
		return true;
	}
	if (known && at->doubted == at->expected) {
		gap_tell(reader, partition, (struct gap){at->expected, offset}, ret);
		return true;
	}
	if (known)
		at->doubted = at->expected;
	position_seek(reader, partition, NULL);
	return false;
}

static void record_of(const struct kafka_reader *reader, const rd_kafka_message_t *message,
    struct bus_record *ret)
{
	rd_kafka_timestamp_type_t type;
	int64_t ms = rd_kafka_message_timestamp(message, &type);

	*ret = (struct bus_record){
		.kind = BUS_RECORD,
		.topic = reader->topic,
		.partition = (uint32_t)message->partition,
		.offset = (uint64_t)message->offset,
		.next = (uint64_t)message->offset + 1,
		.time_ns = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? 0 : ms * NS_PER_MS,
		.key = str_from(message->key, message->key_len),
		.value = str_from(message->payload, message->len),
	};
}

static bool is_refusal(int response)
{
	return response == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
	    response == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
}

/* The next message becomes a record, a gap (before itself, and stays) or nothing. */
static bool message_take(struct kafka_reader *reader, struct bus_record *ret)
{
	const rd_kafka_message_t *message = reader->batch[reader->batch_at];

	if (message != NULL && is_refusal(message->err))
		reader->refused = message->err;
	if (message == NULL || message->partition < 0 || message->partition >= BUS_PARTITIONS_MAX ||
	    !reader->positions[message->partition].owned) {
		reader->dropped += message != NULL && message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
		reader->batch_at++;
		return false;
	}
	uint32_t partition = (uint32_t)message->partition;
	struct kafka_position *at = &reader->positions[partition];
	uint64_t offset = (uint64_t)message->offset;

	if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
	    message->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
		reader->batch_at++;
		return settle_out_of_range(reader, partition, ret);
	}
	if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
		reader->batch_at++;
		return false;
	}
	if (at->expected == UNKNOWN)
		at->expected = offset;
	if (offset > at->expected)
		return settle_jump(reader, partition, offset, ret);
	reader->batch_at++;
	if (offset < at->expected) {
		reader->dropped++;
		return false;
	}
	at->expected = offset + 1;
	record_of(reader, message, ret);
	kafka_of(reader)->bus.stats.connected = true;
	return true;
}

static int reader_failed(struct kafka_reader *reader, struct error *error)
{
	char reason[128];
	int code = reader->failure;
	int response = reader->refused;

	reader->failure = 0;
	reader->refused = RD_KAFKA_RESP_ERR_NO_ERROR;
	if (code < 0)
		return code;
	if (response == RD_KAFKA_RESP_ERR_NO_ERROR)
		response = rd_kafka_fatal_error(reader->consumer, reason, sizeof(reason));
	return response == RD_KAFKA_RESP_ERR_NO_ERROR ? 0
	    : kafka_failed(kafka_of(reader), response, "read", error);
}

int kafka_poll(struct bus_reader *base, struct bus_record *ret, size_t max, int64_t timeout_ns,
    struct error *error)
{
	struct kafka_reader *reader = in_kafka_reader(base);
	int64_t end = clock_monotonic_ns() + timeout_ns, left = timeout_ns;
	int code = reader_begin(reader, error);
	size_t count = 0;

	if (code < 0)
		return code;
	batch_release(reader);
	commit_now_and_then(reader);
	do {
		if (reader->batch_at == reader->batch_count) {
			batch_release(reader);
			batch_fill(reader, max, left);
		}
		while (count < max && reader->batch_at < reader->batch_count)
			count += message_take(reader, &ret[count]);
		code = count > 0 ? 0 : reader_failed(reader, error);
		left = end - clock_monotonic_ns();
	} while (code == 0 && count == 0 && left > 0);
	return code < 0 ? code : (int)count;
}

/* ---- life ---- */

int kafka_reader_open(struct bus_reader **ret, struct bus *bus,
    const struct bus_reader_options *options, struct error *error)
{
	struct kafka_reader *reader = calloc(1, sizeof(*reader));

	if (reader == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	reader->kafka = (struct bus_in_kafka *)bus;
	reader->topic = options->topic;
	reader->by_group = options->partitions == NULL;
	reader->wanted_count = reader->by_group ? 0 : options->partition_count;
	reader->wanted = calloc(reader->wanted_count + 1, sizeof(*reader->wanted));
	int code = reader->wanted == NULL ? error_set(error, ERR_MEMORY, TEXT_base_memory) : 0;

	if (code == 0)
		code = kafka_client_new(&reader->consumer, reader->kafka, KAFKA_CONSUMER,
		    options->group, reader, error);
	if (code < 0) {
		free(reader->wanted);
		free(reader);
		return code;
	}
	for (size_t i = 0; i < reader->wanted_count; i++)
		reader->wanted[i] = options->partitions[i];
	rd_kafka_poll_set_consumer(reader->consumer);
	reader->queue = rd_kafka_queue_get_consumer(reader->consumer);
	ahead_begin(reader);
	*ret = &reader->reader;
	return 0;
}

void kafka_reader_close(struct bus_reader *base)
{
	struct kafka_reader *reader = in_kafka_reader(base);

	reader->batch_at = reader->batch_count;
	batch_release(reader);
	if (kafka_of(reader)->bus.stats.connected)
		commit_and_wait(reader);
	if (reader->by_group && reader->begun)
		kafka_group_leave(reader->consumer, CLOSE_MS, kafka_rebalanced);
	for (uint32_t p = 0; p < BUS_PARTITIONS_MAX; p++)
		position_revoke(reader, p, false);
	rd_kafka_queue_destroy(reader->queue);
	kafka_client_end(reader->consumer);
	free(reader->wanted);
	free(reader);
}
