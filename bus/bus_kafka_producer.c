/*
 * bus_kafka_producer.c - publishing with an idempotent producer.
 *
 * Only a delivery report that says persisted is a durable receipt. After a fatal error of the
 * producer (librdkafka 2.0.2 meets some after a disconnect) it is made anew, and what had no report
 * is told RECEIPT_UNKNOWN, oldest first, for the caller to send again.
 *
 * An idempotent producer of librdkafka 2.0 has one request on its way for each partition (it counts
 * records where it means requests), and while that is on its way and more is due, its thread asks
 * again and again whether it may go: that took three quarters of the CPU time of a collector under
 * load. So nothing is given to it that cannot go at once: records are gathered for less time than
 * it lingers and for less than its batch, and what comes then waits outside until the request has
 * its receipts. Whoever publishes is told BUS_BUSY meanwhile.
 */
#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "bus/bus_kafka.h"

#define RECEIPTS_MAX        65536
#define QUEUE_BYTES_DEFAULT (UINT64_C(64) << 20)
#define PURGE_MS            1000

/* Of one request: less than batch.size and linger.ms (bus_kafka_client.c). */
#define LANE_BYTES     (UINT64_C(448) << 10)
#define LANE_OVERHEAD  64u /* of a record, in a request */
#define LANE_GATHER_NS (4 * NS_PER_MS)

static struct bus_in_kafka *in_kafka(struct bus *bus)
{
	return (struct bus_in_kafka *)bus;
}

static void receipt_add(struct bus_in_kafka *kafka, const struct bus_receipt *receipt)
{
	CHECK(kafka->receipt_count < RECEIPTS_MAX);
	kafka->receipts[(kafka->receipt_head + kafka->receipt_count++) % RECEIPTS_MAX] = *receipt;
}

static void pending_add(struct bus_in_kafka *kafka, struct kafka_pending *pending)
{
	pending->previous = kafka->newest;
	if (kafka->newest != NULL)
		kafka->newest->next = pending;
	else
		kafka->oldest = pending;
	kafka->newest = pending;
	kafka->bus.pending++;
	kafka->lanes[pending->topic][pending->partition].pending++;
	kafka->bus.stats.pending_bytes += pending->size;
}

static void pending_remove(struct bus_in_kafka *kafka, struct kafka_pending *pending)
{
	if (pending->previous != NULL)
		pending->previous->next = pending->next;
	else
		kafka->oldest = pending->next;
	if (pending->next != NULL)
		pending->next->previous = pending->previous;
	else
		kafka->newest = pending->previous;
	kafka->bus.pending--;
	kafka->lanes[pending->topic][pending->partition].pending--;
	kafka->bus.stats.pending_bytes -= pending->size;
}

static void pending_end(struct bus_in_kafka *kafka, struct kafka_pending *pending,
    enum receipt_status status, uint64_t offset)
{
	struct bus_receipt receipt = {pending->tag, status, pending->topic, pending->partition,
	    offset};

	pending_remove(kafka, pending);
	free(pending);
	receipt_add(kafka, &receipt);
}

/* What will never go, however often it is sent. */
static bool is_refusal(int response)
{
	return response == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
	    response == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE ||
	    response == RD_KAFKA_RESP_ERR_INVALID_RECORD ||
	    response == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
	    response == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
	    response == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
}

void kafka_delivered(struct rd_kafka_s *rk, const struct rd_kafka_message_s *message, void *opaque)
{
	struct kafka_client *client = opaque;
	struct bus_in_kafka *kafka = client->kafka;
	struct kafka_pending *pending = message->_private;
	uint64_t offset = message->offset >= 0 ? (uint64_t)message->offset : UINT64_MAX;

	(void)rk;
	if (rd_kafka_message_status(message) == RD_KAFKA_MSG_STATUS_PERSISTED) {
		kafka->bus.stats.connected = true;
		pending_end(kafka, pending, RECEIPT_DURABLE, offset);
		return;
	}
	bool refused = is_refusal(message->err) &&
	    rd_kafka_message_status(message) == RD_KAFKA_MSG_STATUS_NOT_PERSISTED;

	pending_end(kafka, pending, refused ? RECEIPT_REFUSED : RECEIPT_UNKNOWN, UINT64_MAX);
}

/* ---- life ---- */

int kafka_producer_open(struct bus_in_kafka *kafka, struct error *error)
{
	if (kafka->receipts == NULL)
		kafka->receipts = calloc(RECEIPTS_MAX, sizeof(*kafka->receipts));
	if (kafka->receipts == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	if (kafka->queue_bytes == 0)
		kafka->queue_bytes = QUEUE_BYTES_DEFAULT;
	int code = kafka_client_new(&kafka->producer, kafka, KAFKA_PRODUCER, NULL, NULL, error);

	for (unsigned t = 0; code == 0 && t < TOPIC_COUNT; t++) {
		kafka->handles[t] = rd_kafka_topic_new(kafka->producer, kafka->topics[t], NULL);
		if (kafka->handles[t] == NULL)
			code = kafka_failed(kafka, rd_kafka_last_error(), kafka->topics[t], error);
	}
	return code;
}

/* Leaves nothing pending: what has no report becomes unknown. */
void kafka_producer_close(struct bus_in_kafka *kafka)
{
	if (kafka->producer == NULL)
		return;
	int64_t end = clock_monotonic_ns() + PURGE_MS * NS_PER_MS;

	rd_kafka_purge(kafka->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	while (kafka->oldest != NULL && clock_monotonic_ns() < end)
		rd_kafka_poll(kafka->producer, 10);
	for (unsigned t = 0; t < TOPIC_COUNT; t++) {
		if (kafka->handles[t] != NULL)
			rd_kafka_topic_destroy(kafka->handles[t]);
		kafka->handles[t] = NULL;
	}
	kafka_client_end(kafka->producer);
	kafka->producer = NULL;
	while (kafka->oldest != NULL)
		pending_end(kafka, kafka->oldest, RECEIPT_UNKNOWN, UINT64_MAX);
}

static int producer_mend(struct bus_in_kafka *kafka, struct error *error)
{
	char reason[128];

	if (kafka->producer != NULL &&
	    rd_kafka_fatal_error(kafka->producer, reason, sizeof(reason)) ==
	    RD_KAFKA_RESP_ERR_NO_ERROR)
		return 0;
	kafka_producer_close(kafka);
	kafka->bus.stats.retries++;
	return kafka_producer_open(kafka, error);
}

/* ---- publishing ---- */

static int publish_refused(struct bus_in_kafka *kafka, struct kafka_pending *pending)
{
	int response = rd_kafka_last_error();

	switch (response) {
	case RD_KAFKA_RESP_ERR__QUEUE_FULL:
	case RD_KAFKA_RESP_ERR__FATAL: /* the next bus_receipts mends it */
		pending_remove(kafka, pending);
		free(pending);
		return BUS_BUSY;
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
		pending_remove(kafka, pending);
		free(pending);
		return BUS_TOO_LARGE;
	default:
		pending_end(kafka, pending,
		    is_refusal(response) ? RECEIPT_REFUSED : RECEIPT_UNKNOWN, UINT64_MAX);
		return BUS_ACCEPTED;
	}
}

/* Whether a record of so many bytes may go with those that are gathered now. */
static bool lane_takes(struct kafka_lane *lane, uint64_t bytes)
{
	int64_t now_ns = clock_monotonic_ns();

	if (lane->pending == 0)
		*lane = (struct kafka_lane){.since_ns = now_ns};
	else if (lane->bytes + bytes > LANE_BYTES || now_ns - lane->since_ns > LANE_GATHER_NS)
		lane->closed = true;
	if (lane->closed)
		return false;
	lane->bytes += bytes;
	return true;
}

int kafka_publish(struct bus *bus, enum bus_topic topic, uint32_t partition, struct str key,
    struct str value, uint64_t tag)
{
	struct bus_in_kafka *kafka = in_kafka(bus);
	size_t size = key.len + value.len;

	if (kafka->producer == NULL || bus->pending + kafka->receipt_count >= RECEIPTS_MAX)
		return BUS_BUSY;
	if (bus->pending > 0 && bus->stats.pending_bytes + size > kafka->queue_bytes)
		return BUS_BUSY;
	if (partition < BUS_PARTITIONS_MAX &&
	    !lane_takes(&kafka->lanes[topic][partition], size + LANE_OVERHEAD))
		return BUS_BUSY;
	struct kafka_pending *pending = malloc(sizeof(*pending));

	if (pending == NULL)
		return ERR_MEMORY;
	*pending = (struct kafka_pending){.tag = tag, .topic = topic, .partition = partition,
	    .size = size};
	pending_add(kafka, pending);
	/* An empty value that is not NULL: NULL would be a tombstone. */
	int code = rd_kafka_produce(kafka->handles[topic], (int32_t)partition, RD_KAFKA_MSG_F_COPY,
	    (void *)(uintptr_t)(value.len > 0 ? value.ptr : ""), value.len,
	    key.len > 0 ? key.ptr : "", key.len, pending);

	return code == 0 ? BUS_ACCEPTED : publish_refused(kafka, pending);
}

int kafka_receipts(struct bus *bus, struct bus_receipt *ret, size_t max, int64_t timeout_ns,
    struct error *error)
{
	struct bus_in_kafka *kafka = in_kafka(bus);
	int64_t end = clock_monotonic_ns() + timeout_ns, left = 0;
	int count = 0;

	do {
		int code = producer_mend(kafka, error);

		if (code < 0)
			return code;
		rd_kafka_poll(kafka->producer, kafka->receipt_count > 0 ? 0 : kafka_ms(left));
		code = producer_mend(kafka, error);
		if (code < 0)
			return code;
		left = end - clock_monotonic_ns();
	} while (kafka->receipt_count == 0 && left > 0);
	while ((size_t)count < max && kafka->receipt_count > 0) {
		ret[count++] = kafka->receipts[kafka->receipt_head];
		kafka->receipt_head = (kafka->receipt_head + 1) % RECEIPTS_MAX;
		kafka->receipt_count--;
	}
	return count;
}

int kafka_flush(struct bus *bus, int64_t timeout_ns, struct error *error)
{
	struct bus_in_kafka *kafka = in_kafka(bus);
	int code = producer_mend(kafka, error);

	if (code < 0)
		return code;
	if (bus->pending > 0) {
		rd_kafka_flush(kafka->producer, kafka_ms(timeout_ns));
		bus->stats.commits++;
	}
	return producer_mend(kafka, error);
}
