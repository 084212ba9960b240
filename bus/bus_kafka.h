/*
 * bus_kafka.h - what the files of the Kafka backend share; private to bus_kafka*.c and its tests.
 *
 * bus_kafka.c opens, looks and closes, bus_kafka_client.c makes clients from properties and topics,
 * bus_kafka_producer.c publishes, bus_kafka_consumer.c reads, bus_kafka_topics.c reads what others
 * write. rdkafka.h is included by these only, hence the struct names of librdkafka here.
 */
#ifndef TOCSIN_BUS_KAFKA_H
#define TOCSIN_BUS_KAFKA_H

#include <pthread.h>

#include "bus/backend.h"

#define KAFKA_ANSWER_MS 5000 /* how long a question to the brokers may take */

struct kafka_reader;
struct rd_kafka_message_s;
struct rd_kafka_topic_partition_list_s;

/* The last thing that went wrong, as librdkafka's threads tell it; lives as long as they do. */
struct kafka_note {
	pthread_mutex_t lock;
	unsigned references;
	int response; /* of librdkafka, 0: none */
	bool news;    /* it was not told yet */
	char text[256];
};

/* What librdkafka hands to callbacks. */
struct kafka_client {
	struct bus_in_kafka *kafka;
	struct kafka_reader *reader; /* NULL for others than a reader's consumer */
	struct kafka_note *note;
};

/* An accepted record without an outcome. */
struct kafka_pending {
	struct kafka_pending *next, *previous;
	uint64_t tag;
	enum bus_topic topic;
	uint32_t partition;
	size_t size;
};

/*
 * What is handed to librdkafka for one partition goes as one request, and the next is gathered when
 * that has its receipts: bus_kafka_producer.c says why.
 */
struct kafka_lane {
	uint64_t pending; /* records without a receipt */
	uint64_t bytes;   /* of the request that is gathered */
	int64_t since_ns; /* its first record */
	bool closed;
};

#define KAFKA_FETCHERS 4u

/* Reads single records; while fetching, it stands before next of the partition. */
struct kafka_fetcher {
	struct rd_kafka_s *rk; /* NULL: not needed yet */
	bool fetching;
	enum bus_topic topic;
	uint32_t partition;
	uint64_t next, end;    /* end: offset that was next when it was asked last */
};

struct bus_in_kafka {
	struct bus bus;
	struct kafka_note *note;
	char *topics[TOPIC_COUNT];
	char *prefix;
	struct bus_setting *settings; /* copies, ended by NUL */
	size_t setting_count;
	bool scram_is_old; /* what librdkafka does of it is not good with every Kafka */
	uint64_t queue_bytes;

	struct rd_kafka_s *producer;
	struct rd_kafka_topic_s *handles[TOPIC_COUNT];
	struct kafka_pending *oldest, *newest;
	struct kafka_lane lanes[TOPIC_COUNT][BUS_PARTITIONS_MAX];
	struct bus_receipt *receipts; /* ring */
	size_t receipt_head, receipt_count;

	struct kafka_fetcher fetchers[KAFKA_FETCHERS];
};

enum kafka_role { KAFKA_PRODUCER, KAFKA_CONSUMER, KAFKA_FETCHER, KAFKA_TOPICS };

/* ---- bus_kafka_client.c ---- */

/* Makes a client from the defaults of its role, the settings and, for consumers, the group. */
int kafka_client_new(struct rd_kafka_s **ret, struct bus_in_kafka *kafka, enum kafka_role role,
    const char *group, struct kafka_reader *reader, struct error *error);
/*
 * Ends a client in a thread of its own and waits for that no longer than KAFKA_ANSWER_MS: with a
 * commit on its way and no broker, librdkafka takes a whole session timeout.
 */
void kafka_client_end(struct rd_kafka_s *rk);
struct kafka_note *kafka_note_new(void);
void kafka_note_release(struct kafka_note *note);
void kafka_note_clear(struct kafka_note *note); /* the brokers answer */
/* Finds the topics, makes those that are missing, fills bus.partitions and bus.identity. */
int kafka_topics_ready(struct bus_in_kafka *kafka, const struct bus_options *options,
    struct error *error);
/* First and next offset of a partition. Asks for at most KAFKA_ANSWER_MS or so. */
int kafka_bounds(struct bus_in_kafka *kafka, struct rd_kafka_s *rk, enum bus_topic topic,
    uint32_t partition, uint64_t *ret_low, uint64_t *ret_high, struct error *error);
/*
 * ERR_BUS with the error of librdkafka and the last thing that its log said; where that was that
 * the brokers refuse who we are, or their certificate is not good, it says so.
 */
int kafka_failed(struct bus_in_kafka *kafka, int response, const char *what, struct error *error);

/* What librdkafka said since the last call, and tries again, as kafka_failed; 0: nothing. */
int kafka_news(struct bus_in_kafka *kafka, const char *what, struct error *error);
/* Leaves the group so that others take over at once; gives up after so long. */
void kafka_group_leave(struct rd_kafka_s *rk, int timeout_ms,
    void (*rebalanced)(struct rd_kafka_s *rk, int response,
	struct rd_kafka_topic_partition_list_s *list, void *opaque));

/* ---- bus_kafka_topics.c ---- */

void kafka_topics_rebalanced(struct rd_kafka_s *rk, int response,
    struct rd_kafka_topic_partition_list_s *list, void *opaque);

/* ---- bus_kafka_producer.c ---- */

int kafka_producer_open(struct bus_in_kafka *kafka, struct error *error);
void kafka_producer_close(struct bus_in_kafka *kafka);
void kafka_delivered(struct rd_kafka_s *rk, const struct rd_kafka_message_s *message, void *opaque);
int kafka_publish(struct bus *bus, enum bus_topic topic, uint32_t partition, struct str key,
    struct str value, uint64_t tag);
int kafka_receipts(struct bus *bus, struct bus_receipt *ret, size_t max, int64_t timeout_ns,
    struct error *error);
int kafka_flush(struct bus *bus, int64_t timeout_ns, struct error *error);

/* ---- bus_kafka_consumer.c ---- */

int kafka_reader_open(struct bus_reader **ret, struct bus *bus,
    const struct bus_reader_options *options, struct error *error);
void kafka_reader_close(struct bus_reader *base);
int kafka_poll(struct bus_reader *base, struct bus_record *ret, size_t max, int64_t timeout_ns,
    struct error *error);
int kafka_seek(struct bus_reader *base, uint32_t partition, uint64_t offset, struct error *error);
int kafka_commit(struct bus_reader *base, uint32_t partition, uint64_t next, struct error *error);
void kafka_rebalanced(struct rd_kafka_s *rk, int response,
    struct rd_kafka_topic_partition_list_s *list, void *opaque);
/* The offset that a group has committed; UINT64_MAX when none. */
int kafka_committed_by(struct rd_kafka_s *rk, struct bus_in_kafka *kafka, enum bus_topic topic,
    uint32_t partition, uint64_t *ret, struct error *error);

/* A timeout for librdkafka, rounded up, at most an hour. */
int kafka_ms(int64_t ns);

#endif
