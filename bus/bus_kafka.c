/* bus_kafka.c - the bus on Apache Kafka: life of the handle, and looking at single records. */
#include "bus/bus_kafka.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define FETCH_NEAR 256u /* records */

static struct bus_in_kafka *in_kafka(struct bus *bus)
{
	return (struct bus_in_kafka *)bus;
}

static bool str_copy(struct str *ret, struct str from)
{
	char *copy = strndup(from.len > 0 ? from.ptr : "", from.len);

	*ret = (struct str){copy, from.len};
	return copy != NULL;
}

static bool names_copy(struct bus_in_kafka *kafka, const struct bus_options *options)
{
	const char *prefix = options->prefix != NULL ? options->prefix : "";
	bool ok = (kafka->prefix = strdup(prefix)) != NULL;

	for (unsigned t = 0; t < TOPIC_COUNT; t++)
		ok = asprintf(&kafka->topics[t], "%s%s", prefix,
		    bus_topic_name((enum bus_topic)t).ptr) >= 0 && ok;
	kafka->settings = calloc(options->setting_count + 1, sizeof(*kafka->settings));
	ok = ok && kafka->settings != NULL;
	for (size_t i = 0; ok && i < options->setting_count; i++) {
		kafka->setting_count = i + 1;
		ok = str_copy(&kafka->settings[i].name, options->settings[i].name) &&
		    str_copy(&kafka->settings[i].value, options->settings[i].value);
	}
	return ok;
}

static void kafka_close(struct bus *bus)
{
	struct bus_in_kafka *kafka = in_kafka(bus);

	kafka_producer_close(kafka);
	for (unsigned i = 0; i < KAFKA_FETCHERS; i++)
		if (kafka->fetchers[i].rk != NULL)
			kafka_client_end(kafka->fetchers[i].rk);
	for (size_t i = 0; i < kafka->setting_count; i++) {
		free((void *)(uintptr_t)kafka->settings[i].name.ptr);
		free((void *)(uintptr_t)kafka->settings[i].value.ptr);
	}
	for (unsigned t = 0; t < TOPIC_COUNT; t++)
		free(kafka->topics[t]);
	free(kafka->settings);
	free(kafka->prefix);
	free(kafka->receipts);
	kafka_note_release(kafka->note);
	free(kafka);
}

static int kafka_open(struct bus **ret, const struct bus_options *options, struct error *error)
{
	struct bus_in_kafka *kafka = calloc(1, sizeof(*kafka));

	if (kafka == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	kafka->note = kafka_note_new();
	kafka->queue_bytes = options->queue_bytes;
	bool ok = names_copy(kafka, options) && kafka->note != NULL;
	int code = ok ? 0 : error_set(error, ERR_MEMORY, TEXT_base_memory);

	if (code == 0)
		code = kafka_producer_open(kafka, error);
	if (code == 0)
		code = kafka_topics_ready(kafka, options, error);
	if (code < 0)
		kafka_close(&kafka->bus);
	else
		*ret = &kafka->bus;
	return code;
}

static int kafka_range(struct bus *bus, enum bus_topic topic, uint32_t partition,
    uint64_t *ret_first, uint64_t *ret_next, struct error *error)
{
	struct bus_in_kafka *kafka = in_kafka(bus);

	if (kafka->producer == NULL)
		return kafka_failed(kafka, RD_KAFKA_RESP_ERR__STATE, "watermarks", error);
	return kafka_bounds(kafka, kafka->producer, topic, partition, ret_first, ret_next, error);
}

/*
 * To go elsewhere costs a client of librdkafka 2.0 up to a second: what it is assigned is looked at
 * once in a round of its thread. To read on costs nothing. So there are several, each with
 * partitions of its own, and records are mostly wanted in their order.
 */
static struct kafka_fetcher *fetcher_of(struct bus_in_kafka *kafka, uint32_t partition)
{
	return &kafka->fetchers[partition % KAFKA_FETCHERS];
}

static void fetcher_leave(struct kafka_fetcher *fetcher)
{
	rd_kafka_assign(fetcher->rk, NULL);
	fetcher->fetching = false;
}

static rd_kafka_resp_err_t fetcher_point(struct bus_in_kafka *kafka, struct kafka_fetcher *fetcher,
    enum bus_topic topic, uint32_t partition, uint64_t offset)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

	rd_kafka_topic_partition_list_add(list, kafka->topics[topic], (int32_t)partition)->offset =
	    (int64_t)offset;
	rd_kafka_resp_err_t response = rd_kafka_assign(fetcher->rk, list);

	rd_kafka_topic_partition_list_destroy(list);
	fetcher->fetching = response == RD_KAFKA_RESP_ERR_NO_ERROR;
	fetcher->topic = topic;
	fetcher->partition = partition;
	return response;
}

/* True when the message is the record; a later one means that it is not there. */
static bool fetched(const rd_kafka_message_t *message, uint32_t partition, uint64_t offset,
    struct buf *out, int *ret_response)
{
	*ret_response = message->err;
	if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR ||
	    message->partition != (int32_t)partition)
		return false;
	if ((uint64_t)message->offset > offset)
		*ret_response = RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE;
	if ((uint64_t)message->offset != offset)
		return false;
	buf_put(out, message->payload, message->len);
	return true;
}

static int fetcher_take(struct kafka_fetcher *fetcher, uint64_t offset, struct buf *out)
{
	int64_t end = clock_monotonic_ns() + 2 * KAFKA_ANSWER_MS * NS_PER_MS;
	int response = RD_KAFKA_RESP_ERR__TIMED_OUT;
	bool found = false, over = false;

	while (!found && !over && clock_monotonic_ns() < end) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(fetcher->rk, 100);

		if (message == NULL)
			continue;
		found = fetched(message, fetcher->partition, offset, out, &response);
		over = response == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
		    response == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE;
		rd_kafka_message_destroy(message);
	}
	fetcher->next = offset + 1;
	if (!found)
		fetcher_leave(fetcher);
	if (!found && response == RD_KAFKA_RESP_ERR_NO_ERROR)
		response = RD_KAFKA_RESP_ERR__TIMED_OUT;
	return found ? RD_KAFKA_RESP_ERR_NO_ERROR : response;
}

static bool fetcher_is_before(const struct kafka_fetcher *fetcher, enum bus_topic topic,
    uint32_t partition, uint64_t offset)
{
	return fetcher->fetching && fetcher->topic == topic && fetcher->partition == partition &&
	    offset >= fetcher->next && offset - fetcher->next <= FETCH_NEAR;
}

/* Stands before the record, or fails: ERR_MISSING where there is none. */
static int fetcher_go(struct bus_in_kafka *kafka, struct kafka_fetcher *fetcher,
    enum bus_topic topic, uint32_t partition, uint64_t offset, struct error *error)
{
	bool near = fetcher_is_before(fetcher, topic, partition, offset);
	uint64_t first;

	if (near && offset < fetcher->end)
		return 0;
	int code = kafka_range(&kafka->bus, topic, partition, &first, &fetcher->end, error);

	if (code < 0)
		return code;
	if (offset < first || offset >= fetcher->end)
		return error_set(error, ERR_MISSING, TEXT_bus_record_missing,
		    bus_topic_name(topic).ptr, partition, offset);
	if (near)
		return 0;
	if (fetcher->rk == NULL) {
		code = kafka_client_new(&fetcher->rk, kafka, KAFKA_FETCHER, "tocsin-fetch", NULL,
		    error);
		if (code < 0)
			return code;
		rd_kafka_poll_set_consumer(fetcher->rk);
	}
	rd_kafka_resp_err_t response = fetcher_point(kafka, fetcher, topic, partition, offset);

	return response == RD_KAFKA_RESP_ERR_NO_ERROR ? 0
	    : kafka_failed(kafka, response, "fetch", error);
}

static int kafka_fetch(struct bus *bus, enum bus_topic topic, uint32_t partition, uint64_t offset,
    struct buf *out, struct error *error)
{
	struct bus_in_kafka *kafka = in_kafka(bus);
	struct kafka_fetcher *fetcher = fetcher_of(kafka, partition);
	int code = fetcher_go(kafka, fetcher, topic, partition, offset, error);

	if (code < 0)
		return code;
	int response = fetcher_take(fetcher, offset, out);

	if (response == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
	    response == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE)
		return error_set(error, ERR_MISSING, TEXT_bus_record_missing,
		    bus_topic_name(topic).ptr, partition, offset);
	if (response != RD_KAFKA_RESP_ERR_NO_ERROR)
		return kafka_failed(kafka, response, "fetch", error);
	return out->failed ? error_set(error, ERR_MEMORY, TEXT_base_memory) : 0;
}

static int kafka_committed(struct bus *bus, const char *group, enum bus_topic topic,
    uint32_t partition, uint64_t *ret, struct error *error)
{
	struct bus_in_kafka *kafka = in_kafka(bus);
	struct rd_kafka_s *asker;
	int code = kafka_client_new(&asker, kafka, KAFKA_FETCHER, group, NULL, error);

	if (code < 0)
		return code;
	code = kafka_committed_by(asker, kafka, topic, partition, ret, error);
	kafka_client_end(asker);
	return code;
}

const struct bus_backend bus_kafka = {
	.name = "kafka",
	.open = kafka_open,
	.close = kafka_close,
	.publish = kafka_publish,
	.receipts = kafka_receipts,
	.flush = kafka_flush,
	.reader_open = kafka_reader_open,
	.reader_close = kafka_reader_close,
	.poll = kafka_poll,
	.seek = kafka_seek,
	.commit = kafka_commit,
	.range = kafka_range,
	.fetch = kafka_fetch,
	.committed = kafka_committed,
};
