/* bus_kafka_client.c - properties, clients and topics. */
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "bus/bus_kafka.h"

#define ASK_MS 500

struct kafka_default {
	unsigned roles;
	const char *name, *value;
};

#define PRODUCER (1u << KAFKA_PRODUCER)
#define CONSUMER (1u << KAFKA_CONSUMER)
#define FETCHER  (1u << KAFKA_FETCHER)
#define TOPICS   (1u << KAFKA_TOPICS)
#define READERS  (CONSUMER | FETCHER | TOPICS)
#define MEMBERS  (CONSUMER | TOPICS)
#define ALL      (PRODUCER | READERS)

/*
 * auto.offset.reset=error: an offset that is gone must become a gap, never a silent jump. The
 * batch stays far below the broker's limit, so that a batch that is refused as too large is one
 * record. message.timeout.ms=0: whoever publishes decides when to give up. queued.*: once a queue
 * has been full, librdkafka 2.0 sleeps for up to a second whatever is taken from it meanwhile, so
 * that a reader that is behind gets one queue a second.
 */
static const struct kafka_default defaults[] = {
	{ALL, "client.id", "tocsin"},
	{ALL, "socket.keepalive.enable", "true"},
	{ALL, "socket.nagle.disable", "true"},
	{ALL, "reconnect.backoff.max.ms", "1000"},
	{ALL, "message.max.bytes", "1048576"},
	{PRODUCER, "enable.idempotence", "true"},
	{PRODUCER, "linger.ms", "5"},
	{PRODUCER, "batch.size", "524288"},
	{PRODUCER, "compression.codec", "lz4"},
	{PRODUCER, "message.timeout.ms", "0"},
	{PRODUCER, "queue.buffering.max.kbytes", "131072"},
	{PRODUCER, "queue.buffering.max.messages", "100000"},
	{READERS, "enable.auto.commit", "false"},
	{READERS, "enable.auto.offset.store", "false"},
	{READERS, "auto.offset.reset", "error"},
	{READERS, "check.crcs", "true"},
	{READERS, "isolation.level", "read_uncommitted"},
	{READERS, "allow.auto.create.topics", "false"},
	{READERS, "fetch.message.max.bytes", "1048576"},
	{READERS, "fetch.wait.max.ms", "50"},
	{READERS, "fetch.error.backoff.ms", "100"},
	{MEMBERS, "partition.assignment.strategy", "cooperative-sticky"},
	{MEMBERS, "session.timeout.ms", "45000"},
	{MEMBERS, "max.poll.interval.ms", "300000"},
	{CONSUMER, "queued.min.messages", "100000"},
	{CONSUMER, "queued.max.messages.kbytes", "65536"},
	{TOPICS, "queued.min.messages", "10000"},
	{TOPICS, "isolation.level", "read_committed"},
	{TOPICS, "topic.metadata.refresh.interval.ms", "30000"},
	{FETCHER, "queued.min.messages", "1"},
	{FETCHER, "queued.max.messages.kbytes", "2048"},
};

int kafka_ms(int64_t ns)
{
	if (ns <= 0)
		return 0;
	return ns > 3600 * NS_PER_S ? 3600 * 1000 : (int)((ns + NS_PER_MS - 1) / NS_PER_MS);
}

struct kafka_note *kafka_note_new(void)
{
	struct kafka_note *made = calloc(1, sizeof(*made));

	if (made == NULL)
		return NULL;
	pthread_mutex_init(&made->lock, NULL);
	made->references = 1;
	return made;
}

void kafka_note_clear(struct kafka_note *cleared)
{
	pthread_mutex_lock(&cleared->lock);
	cleared->response = 0;
	cleared->news = false;
	pthread_mutex_unlock(&cleared->lock);
}

static struct kafka_note *note_share(struct kafka_note *shared)
{
	pthread_mutex_lock(&shared->lock);
	shared->references++;
	pthread_mutex_unlock(&shared->lock);
	return shared;
}

void kafka_note_release(struct kafka_note *released)
{
	if (released == NULL)
		return;
	pthread_mutex_lock(&released->lock);
	bool last = --released->references == 0;

	pthread_mutex_unlock(&released->lock);
	if (!last)
		return;
	pthread_mutex_destroy(&released->lock);
	free(released);
}

static void note(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	struct kafka_client *client = rd_kafka_opaque(rk);

	(void)facility;
	if (level > 4)
		return;
	pthread_mutex_lock(&client->note->lock);
	snprintf(client->note->text, sizeof(client->note->text), "%s", text);
	pthread_mutex_unlock(&client->note->lock);
}

/* With which Kafka 4 and later do not agree on SCRAM, whatever the password. */
#define SCRAM_VERSION 0x020601ff

static void scram_look(struct bus_in_kafka *kafka)
{
	for (size_t i = 0; i < kafka->setting_count; i++)
		if (str_starts(kafka->settings[i].name, STR("sasl.mechanism")))
			kafka->scram_is_old = rd_kafka_version() < SCRAM_VERSION &&
			    str_starts(kafka->settings[i].value, STR("SCRAM-"));
}

int kafka_failed(struct bus_in_kafka *kafka, int response, const char *what, struct error *error)
{
	char last[sizeof(kafka->note->text)];

	pthread_mutex_lock(&kafka->note->lock);
	memcpy(last, kafka->note->text, sizeof(last));
	int noted = kafka->note->response;

	kafka->note->news = false;
	pthread_mutex_unlock(&kafka->note->lock);
	if (noted == RD_KAFKA_RESP_ERR__AUTHENTICATION)
		return error_set(error, ERR_BUS, kafka->scram_is_old ? TEXT_bus_kafka_scram
		    : TEXT_bus_kafka_login, what, last);
	if (noted == RD_KAFKA_RESP_ERR__SSL)
		return error_set(error, ERR_BUS, TEXT_bus_kafka_tls, what, last);
	return error_set(error, ERR_BUS, TEXT_bus_kafka, what,
	    rd_kafka_err2str((rd_kafka_resp_err_t)response), last);
}

static void failed(rd_kafka_t *rk, int response, const char *reason, void *opaque)
{
	struct kafka_client *client = opaque;

	(void)rk;
	if (response == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
		client->kafka->bus.stats.connected = false;
	pthread_mutex_lock(&client->note->lock);
	/* That all brokers are down follows from why each of them is. */
	if (response != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || client->note->response == 0) {
		client->note->response = response;
		snprintf(client->note->text, sizeof(client->note->text), "%s", reason);
	}
	client->note->news = true;
	pthread_mutex_unlock(&client->note->lock);
}

int kafka_news(struct bus_in_kafka *kafka, const char *what, struct error *error)
{
	pthread_mutex_lock(&kafka->note->lock);
	int response = kafka->note->news ? kafka->note->response : 0;

	pthread_mutex_unlock(&kafka->note->lock);
	return response == 0 ? 0 : kafka_failed(kafka, response, what, error);
}

static void rebalanced(rd_kafka_t *rk, rd_kafka_resp_err_t response,
    rd_kafka_topic_partition_list_t *list, void *opaque)
{
	kafka_rebalanced(rk, response, list, opaque);
}

static void topics_rebalanced(rd_kafka_t *rk, rd_kafka_resp_err_t response,
    rd_kafka_topic_partition_list_t *list, void *opaque)
{
	kafka_topics_rebalanced(rk, response, list, opaque);
}

static int conf_set(rd_kafka_conf_t *conf, const char *name, const char *value,
    struct error *error)
{
	char reason[256];

	switch (rd_kafka_conf_set(conf, name, value, reason, sizeof(reason))) {
	case RD_KAFKA_CONF_OK:
		return 0;
	case RD_KAFKA_CONF_UNKNOWN:
		return error_set(error, ERR_DOCUMENT, TEXT_bus_kafka_property, name);
	case RD_KAFKA_CONF_INVALID:
		break;
	}
	return error_set(error, ERR_DOCUMENT, TEXT_bus_kafka_value, name, reason);
}

static int conf_fill(rd_kafka_conf_t *conf, const struct bus_in_kafka *kafka,
    enum kafka_role role, const char *group, struct error *error)
{
	int code = 0;

	for (size_t i = 0; code == 0 && i < sizeof(defaults) / sizeof(*defaults); i++)
		if ((defaults[i].roles & 1u << role) != 0)
			code = conf_set(conf, defaults[i].name, defaults[i].value, error);
	for (size_t i = 0; code == 0 && i < kafka->setting_count; i++)
		code = conf_set(conf, kafka->settings[i].name.ptr, kafka->settings[i].value.ptr,
		    error);
	if (code == 0 && group != NULL)
		code = conf_set(conf, "group.id", group, error);
	return code;
}

/* Signals are for the threads of the program, not for those of a library. */
static rd_kafka_t *new_without_signals(rd_kafka_type_t type, rd_kafka_conf_t *conf, char *reason,
    size_t size)
{
	sigset_t every, before;

	sigfillset(&every);
	pthread_sigmask(SIG_SETMASK, &every, &before);
	rd_kafka_t *rk = rd_kafka_new(type, conf, reason, size);

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rk;
}

static void client_free(struct kafka_client *client)
{
	if (client != NULL)
		kafka_note_release(client->note);
	free(client);
}

static int client_refused(rd_kafka_conf_t *conf, struct kafka_client *client, int code)
{
	rd_kafka_conf_destroy(conf);
	client_free(client);
	return code;
}

int kafka_client_new(struct rd_kafka_s **ret, struct bus_in_kafka *kafka, enum kafka_role role,
    const char *group, struct kafka_reader *reader, struct error *error)
{
	struct kafka_client *client = calloc(1, sizeof(*client));
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char reason[256];

	if (client == NULL)
		return client_refused(conf, NULL, error_set(error, ERR_MEMORY, TEXT_base_memory));
	*client = (struct kafka_client){kafka, reader, note_share(kafka->note)};
	scram_look(kafka);
	int code = conf_fill(conf, kafka, role, group, error);

	if (code < 0)
		return client_refused(conf, client, code);
	rd_kafka_conf_set_opaque(conf, client);
	rd_kafka_conf_set_log_cb(conf, note);
	rd_kafka_conf_set_error_cb(conf, failed);
	if (role == KAFKA_PRODUCER)
		rd_kafka_conf_set_dr_msg_cb(conf, kafka_delivered);
	if (role == KAFKA_CONSUMER)
		rd_kafka_conf_set_rebalance_cb(conf, rebalanced);
	if (role == KAFKA_TOPICS)
		rd_kafka_conf_set_rebalance_cb(conf, topics_rebalanced);
	*ret = new_without_signals(role == KAFKA_PRODUCER ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER,
	    conf, reason, sizeof(reason));
	if (*ret != NULL)
		return 0;
	return client_refused(conf, client,
	    error_set(error, ERR_DOCUMENT, TEXT_bus_kafka_value, "librdkafka", reason));
}

static void *client_end(void *rk)
{
	struct kafka_client *client = rd_kafka_opaque(rk);

	rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	client_free(client);
	return NULL;
}

void kafka_client_end(struct rd_kafka_s *rk)
{
	int64_t end = clock_wall_ns() + KAFKA_ANSWER_MS * NS_PER_MS;
	struct timespec until = {.tv_sec = end / NS_PER_S, .tv_nsec = end % NS_PER_S};
	sigset_t every, before;
	pthread_t thread;

	sigfillset(&every);
	pthread_sigmask(SIG_SETMASK, &every, &before);
	if (pthread_create(&thread, NULL, client_end, rk) != 0)
		client_end(rk);
	else if (pthread_timedjoin_np(thread, NULL, &until) != 0)
		pthread_detach(thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void kafka_group_leave(struct rd_kafka_s *rk, int timeout_ms,
    void (*leaving)(struct rd_kafka_s *rk, int response,
	struct rd_kafka_topic_partition_list_s *list, void *opaque))
{
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	int64_t end = clock_monotonic_ns() + timeout_ms * NS_PER_MS;
	rd_kafka_error_t *refused = rd_kafka_consumer_close_queue(rk, queue);

	while (refused == NULL && !rd_kafka_consumer_closed(rk) && clock_monotonic_ns() < end) {
		rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 20);

		if (event != NULL && rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE)
			leaving(rk, rd_kafka_event_error(event),
			    rd_kafka_event_topic_partition_list(event), rd_kafka_opaque(rk));
		if (event != NULL)
			rd_kafka_event_destroy(event);
	}
	if (refused != NULL)
		rd_kafka_error_destroy(refused);
	rd_kafka_queue_destroy(queue);
}

static bool is_transient(rd_kafka_resp_err_t response)
{
	return response == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
	    response == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION ||
	    response == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
	    response == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
	    response == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
	    response == RD_KAFKA_RESP_ERR__TRANSPORT;
}

int kafka_bounds(struct bus_in_kafka *kafka, struct rd_kafka_s *rk, enum bus_topic topic,
    uint32_t partition, uint64_t *ret_low, uint64_t *ret_high, struct error *error)
{
	int64_t end = clock_monotonic_ns() + KAFKA_ANSWER_MS * NS_PER_MS;
	int64_t low = 0, high = 0;
	rd_kafka_resp_err_t response;

	/* A topic that has just been made, or has just moved, has no leader for a moment. */
	for (;;) {
		response = rd_kafka_query_watermark_offsets(rk, kafka->topics[topic],
		    (int32_t)partition, &low, &high, KAFKA_ANSWER_MS);
		if (!is_transient(response) || clock_monotonic_ns() > end)
			break;
		nanosleep(&(struct timespec){.tv_nsec = 20 * NS_PER_MS}, NULL);
	}
	if (response != RD_KAFKA_RESP_ERR_NO_ERROR)
		return kafka_failed(kafka, response, "watermarks", error);
	*ret_low = (uint64_t)low;
	*ret_high = (uint64_t)high;
	return 0;
}

/* ---- topics ---- */

/* The brokers answer, and refuse us: to ask again is of no use. */
static bool is_refused(const struct bus_in_kafka *kafka)
{
	pthread_mutex_lock(&kafka->note->lock);
	int response = kafka->note->response;

	pthread_mutex_unlock(&kafka->note->lock);
	return response == RD_KAFKA_RESP_ERR__AUTHENTICATION || response == RD_KAFKA_RESP_ERR__SSL;
}

/* Asks in short turns, for what librdkafka says meanwhile is heard only between them. */
static rd_kafka_resp_err_t metadata_ask(struct bus_in_kafka *kafka,
    const struct rd_kafka_metadata **ret, int timeout_ms)
{
	int64_t end = clock_monotonic_ns() + timeout_ms * NS_PER_MS;
	rd_kafka_resp_err_t response;

	do {
		response = rd_kafka_metadata(kafka->producer, 1, NULL, ret, ASK_MS);
		if (response == RD_KAFKA_RESP_ERR_NO_ERROR)
			break;
		rd_kafka_poll(kafka->producer, 0);
	} while (!is_refused(kafka) && clock_monotonic_ns() < end);
	return response;
}

/* Fills the partitions of the topics that are there and have leaders; counts the others. */
static int topics_look(struct bus_in_kafka *kafka, unsigned *ret_missing, int timeout_ms,
    struct error *error)
{
	const struct rd_kafka_metadata *metadata;
	rd_kafka_resp_err_t response = metadata_ask(kafka, &metadata, timeout_ms);

	if (response != RD_KAFKA_RESP_ERR_NO_ERROR)
		return kafka_failed(kafka, response, "metadata", error);
	memset(kafka->bus.partitions, 0, sizeof(kafka->bus.partitions));
	for (int i = 0; i < metadata->topic_cnt; i++) {
		const struct rd_kafka_metadata_topic *topic = &metadata->topics[i];
		bool led = topic->partition_cnt > 0;

		for (int p = 0; p < topic->partition_cnt; p++)
			led = led && topic->partitions[p].leader >= 0;
		for (unsigned t = 0; led && t < TOPIC_COUNT; t++)
			if (strcmp(topic->topic, kafka->topics[t]) == 0)
				kafka->bus.partitions[t] = (uint32_t)topic->partition_cnt;
	}
	rd_kafka_metadata_destroy(metadata);
	*ret_missing = 0;
	for (unsigned t = 0; t < TOPIC_COUNT; t++)
		*ret_missing += kafka->bus.partitions[t] == 0;
	return 0;
}

static void topic_configure(rd_kafka_NewTopic_t *topic, const struct bus_options *options,
    uint32_t partitions)
{
	char text[24];

	if (options->retain_ns > 0) {
		snprintf(text, sizeof(text), "%ld", options->retain_ns / NS_PER_MS);
		rd_kafka_NewTopic_set_config(topic, "retention.ms", text);
	}
	if (options->retain_bytes > 0) {
		snprintf(text, sizeof(text), "%lu", options->retain_bytes / partitions);
		rd_kafka_NewTopic_set_config(topic, "retention.bytes", text);
	}
	if (options->segment_bytes > 0) {
		snprintf(text, sizeof(text), "%lu", options->segment_bytes);
		rd_kafka_NewTopic_set_config(topic, "segment.bytes", text);
	}
}

static rd_kafka_resp_err_t create_result(rd_kafka_event_t *event)
{
	size_t count;

	if (event == NULL)
		return RD_KAFKA_RESP_ERR__TIMED_OUT;
	if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return rd_kafka_event_error(event);
	const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(event);
	const rd_kafka_topic_result_t **topics =
	    rd_kafka_CreateTopics_result_topics(result, &count);

	for (size_t i = 0; i < count; i++) {
		rd_kafka_resp_err_t response = rd_kafka_topic_result_error(topics[i]);

		if (response != RD_KAFKA_RESP_ERR_NO_ERROR &&
		    response != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
			return response;
	}
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t topics_create(struct bus_in_kafka *kafka,
    const struct bus_options *options)
{
	rd_kafka_NewTopic_t *topics[TOPIC_COUNT];
	char reason[256];
	size_t count = 0;

	for (unsigned t = 0; t < TOPIC_COUNT; t++) {
		if (kafka->bus.partitions[t] != 0)
			continue;
		rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(kafka->topics[t],
		    (int)options->partitions[t], -1, reason, sizeof(reason));

		if (topic == NULL)
			continue;
		topic_configure(topic, options, options->partitions[t]);
		topics[count++] = topic;
	}
	rd_kafka_AdminOptions_t *how =
	    rd_kafka_AdminOptions_new(kafka->producer, RD_KAFKA_ADMIN_OP_CREATETOPICS);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka->producer);

	rd_kafka_AdminOptions_set_request_timeout(how, KAFKA_ANSWER_MS, reason, sizeof(reason));
	rd_kafka_CreateTopics(kafka->producer, topics, count, how, queue);
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, KAFKA_ANSWER_MS);
	rd_kafka_resp_err_t response = create_result(event);

	if (event != NULL)
		rd_kafka_event_destroy(event);
	rd_kafka_queue_destroy(queue);
	rd_kafka_AdminOptions_destroy(how);
	rd_kafka_NewTopic_destroy_array(topics, count);
	return response;
}

/* A broker without the admin API may make a topic when asked about it by name. */
static void topics_ask(struct bus_in_kafka *kafka)
{
	const struct rd_kafka_metadata *metadata;

	for (unsigned t = 0; t < TOPIC_COUNT; t++)
		if (kafka->bus.partitions[t] == 0 && rd_kafka_metadata(kafka->producer, 0,
		    kafka->handles[t], &metadata, KAFKA_ANSWER_MS) == RD_KAFKA_RESP_ERR_NO_ERROR)
			rd_kafka_metadata_destroy(metadata);
}

static int topics_await(struct bus_in_kafka *kafka, struct error *error)
{
	int64_t end = clock_monotonic_ns() + KAFKA_ANSWER_MS * NS_PER_MS;
	unsigned missing;
	int code;

	while ((code = topics_look(kafka, &missing, KAFKA_ANSWER_MS, error)) == 0 && missing > 0) {
		if (clock_monotonic_ns() > end)
			return kafka_failed(kafka, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, "topics",
			    error);
		rd_kafka_poll(kafka->producer, 50);
	}
	return code;
}

int kafka_topics_ready(struct bus_in_kafka *kafka, const struct bus_options *options,
    struct error *error)
{
	unsigned missing;
	int code = topics_look(kafka, &missing, KAFKA_ANSWER_MS, error);

	if (code < 0)
		return code;
	if (missing > 0) {
		rd_kafka_resp_err_t response = topics_create(kafka, options);

		if (response == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE)
			topics_ask(kafka);
		else if (response != RD_KAFKA_RESP_ERR_NO_ERROR)
			return kafka_failed(kafka, response, "CreateTopics", error);
		code = topics_await(kafka, error);
		if (code < 0)
			return code;
	}
	for (unsigned t = 0; t < TOPIC_COUNT; t++)
		if (kafka->bus.partitions[t] > BUS_PARTITIONS_MAX)
			return error_set(error, ERR_DOCUMENT, TEXT_bus_partitions, kafka->topics[t],
			    BUS_PARTITIONS_MAX);
	char *cluster = rd_kafka_clusterid(kafka->producer, KAFKA_ANSWER_MS);

	if (cluster == NULL)
		return kafka_failed(kafka, RD_KAFKA_RESP_ERR__TIMED_OUT, "cluster id", error);
	snprintf(kafka->bus.identity, sizeof(kafka->bus.identity), "%s", cluster);
	rd_kafka_mem_free(kafka->producer, cluster);
	kafka->bus.stats.connected = true;
	kafka_note_clear(kafka->note);
	return 0;
}
