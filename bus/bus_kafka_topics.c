/*
 * bus_kafka_topics.c - reading topics that others write, by a group.
 *
 * Offsets that are missing within a partition are no loss here: transactions and compaction leave
 * holes in the topics of others. Single records are polled, not batches: librdkafka 2.0 may mix up
 * a batch that is read beside a pause or a rebalance.
 */
#include "bus/topics.h"

#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "bus/bus_kafka.h"

#define ASK_MS	  1000
#define CLOSE_MS  2500
#define COMMIT_NS NS_PER_S
#define ANEW_NS	  (60 * NS_PER_S) /* what was committed is committed again: it may have failed */
#define UNKNOWN	  UINT64_MAX
#define SLOTS	  (2u * TOPICS_PLACES_MAX)

struct place {
	struct topics_place open; /* first: what the caller sees */
	char *name;
	uint64_t to_commit, committed;
	bool held;
	bool unsettled; /* where it stands is not known yet; it is not read */
	bool lost;      /* its offset is not there */
	uint64_t reached; /* in an earlier assignment, of the same generation */
};

struct topics {
	struct bus_in_kafka kafka; /* first: settings and note, for bus_kafka_client.c */
	struct topics_events events;
	rd_kafka_t *rk;
	rd_kafka_queue_t *queue;
	rd_kafka_message_t *message; /* of the record that was given out last */
	int bell;
	bool paused, eager, closing, crowded;
	struct place *places[SLOTS]; /* open addressing */
	size_t place_count;
	struct place *last;
	int64_t commit_at, anew_at;
};

static struct place *place_of(struct topics_place *open)
{
	return (struct place *)open;
}

/* ---- places ---- */

static struct place **slot_of(struct topics *topics, const char *topic, uint32_t partition)
{
	struct hash_key key = hash_process_key();

	key.k0 ^= partition;
	size_t at = (size_t)hash_sip64(key, str_of(topic)) % SLOTS;

	while (topics->places[at] != NULL &&
	       (topics->places[at]->open.partition != partition ||
		   strcmp(topics->places[at]->name, topic) != 0))
		at = (at + 1) % SLOTS;
	return &topics->places[at];
}

static struct place *place_find(struct topics *topics, const char *topic, int32_t partition)
{
	struct place *last = topics->last;

	if (last != NULL && last->open.partition == (uint32_t)partition &&
	    strcmp(last->name, topic) == 0)
		return last;
	topics->last = *slot_of(topics, topic, (uint32_t)partition);
	return topics->last;
}

/* NULL: there are too many, or no memory. */
static struct place *place_make(struct topics *topics, const char *topic, int32_t partition)
{
	struct place **slot = slot_of(topics, topic, (uint32_t)partition);

	if (*slot != NULL)
		return *slot;
	struct place *place =
	    topics->place_count < TOPICS_PLACES_MAX ? calloc(1, sizeof(*place)) : NULL;

	if (place == NULL || (place->name = strdup(topic)) == NULL) {
		free(place);
		topics->crowded = true;
		return NULL;
	}
	place->open.topic = place->name;
	place->open.partition = (uint32_t)partition;
	topics->place_count++;
	*slot = place;
	return place;
}

static rd_kafka_topic_partition_list_t *list_of(const struct place *place, int64_t offset)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

	rd_kafka_topic_partition_list_add(list, place->name, (int32_t)place->open.partition)
	    ->offset = offset;
	return list;
}

/* ---- commits ---- */

/* The generation goes with the offset, in decimal; left out while it is 0. */
static void commit_put(rd_kafka_topic_partition_list_t *list, struct place *place)
{
	rd_kafka_topic_partition_t *at = rd_kafka_topic_partition_list_add(
	    list, place->name, (int32_t)place->open.partition);
	char *text = NULL;

	at->offset = (int64_t)place->to_commit;
	place->committed = place->to_commit;
	if (place->open.generation > 0 && asprintf(&text, "%lu", place->open.generation) > 0) {
		at->metadata = text; /* goes with the list */
		at->metadata_size = strlen(text);
	}
}

static rd_kafka_topic_partition_list_t *commits_due(struct topics *topics)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);

	for (size_t i = 0; i < SLOTS; i++) {
		struct place *place = topics->places[i];

		if (place != NULL && place->open.owned && place->to_commit != UNKNOWN &&
		    place->to_commit != place->committed)
			commit_put(list, place);
	}
	return list;
}

static void commit_soon(struct topics *topics)
{
	rd_kafka_topic_partition_list_t *list = commits_due(topics);

	if (list->cnt > 0)
		rd_kafka_commit(topics->rk, list, 1);
	rd_kafka_topic_partition_list_destroy(list);
}

static void commit_and_wait(struct topics *topics)
{
	rd_kafka_topic_partition_list_t *list = commits_due(topics);
	rd_kafka_queue_t *answer = rd_kafka_queue_new(topics->rk);

	if (list->cnt > 0 && rd_kafka_commit_queue(topics->rk, list, answer, NULL, NULL) ==
				 RD_KAFKA_RESP_ERR_NO_ERROR) {
		rd_kafka_event_t *event = rd_kafka_queue_poll(answer, CLOSE_MS);

		if (event != NULL)
			rd_kafka_event_destroy(event);
	}
	rd_kafka_queue_destroy(answer);
	rd_kafka_topic_partition_list_destroy(list);
}

void topics_done(struct topics *topics, struct topics_place *open, uint64_t next)
{
	(void)topics;
	if (open->owned)
		place_of(open)->to_commit = next;
}

/* ---- where a partition stands ---- */

static bool place_bounds(struct topics *topics, struct place *place, uint64_t *low, uint64_t *high)
{
	int64_t first = 0, next = 0;

	if (rd_kafka_query_watermark_offsets(topics->rk, place->name,
		(int32_t)place->open.partition, &first, &next, ASK_MS) !=
	    RD_KAFKA_RESP_ERR_NO_ERROR)
		return false;
	*low = (uint64_t)first;
	*high = (uint64_t)next;
	return true;
}

/*
 * The offset that the group has committed, else the earliest. Kafka forgets what was committed when
 * a topic is deleted; one of that name that ends before where we had been is another.
 */
static bool place_begin(struct topics *topics, struct place *place)
{
	rd_kafka_topic_partition_list_t *list = list_of(place, RD_KAFKA_OFFSET_INVALID);
	const rd_kafka_topic_partition_t *at = &list->elems[0];
	uint64_t high, generation = 0;
	bool known = rd_kafka_committed(topics->rk, list, ASK_MS) == RD_KAFKA_RESP_ERR_NO_ERROR &&
		     at->err == RD_KAFKA_RESP_ERR_NO_ERROR;

	if (known && at->metadata_size > 0)
		(void)str_to_u64(str_from(at->metadata, at->metadata_size), &generation);
	if (known && generation >= place->open.generation) {
		place->reached = generation > place->open.generation ? 0 : place->reached;
		place->open.generation = generation;
	}
	place->lost = false;
	if (known && at->offset >= 0) {
		place->open.next = (uint64_t)at->offset;
	} else if (known) {
		known = place_bounds(topics, place, &place->open.next, &high);
		if (known && place->reached > high) {
			place->open.next = place->reached;
			place->lost = true;
		}
	}
	rd_kafka_topic_partition_list_destroy(list);
	place->unsettled = !known || place->lost;
	place->committed = place->to_commit = known ? place->open.next : UNKNOWN;
	return known;
}

static void place_pause(struct topics *topics, struct place *place)
{
	rd_kafka_topic_partition_list_t *list = list_of(place, RD_KAFKA_OFFSET_INVALID);

	if (topics->paused || place->held || place->unsettled)
		rd_kafka_pause_partitions(topics->rk, list);
	else
		rd_kafka_resume_partitions(topics->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
}

static int64_t place_offset(const struct place *place)
{
	return place->unsettled ? RD_KAFKA_OFFSET_END : (int64_t)place->open.next;
}

/* Every partition begins anew where it stands: the eager protocol knows no single ones. */
static bool places_again(struct topics *topics)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
	bool done;

	for (size_t i = 0; i < SLOTS; i++) {
		const struct place *place = topics->places[i];

		if (place != NULL && place->open.owned)
			rd_kafka_topic_partition_list_add(
			    list, place->name, (int32_t)place->open.partition)
			    ->offset = place_offset(place);
	}
	done = rd_kafka_assign(topics->rk, list) == RD_KAFKA_RESP_ERR_NO_ERROR;
	rd_kafka_topic_partition_list_destroy(list);
	for (size_t i = 0; i < SLOTS; i++)
		if (topics->places[i] != NULL && topics->places[i]->open.owned)
			place_pause(topics, topics->places[i]);
	return done;
}

static bool place_again(struct topics *topics, struct place *place)
{
	rd_kafka_topic_partition_list_t *list = list_of(place, (int64_t)place->open.next);
	rd_kafka_error_t *refused = rd_kafka_incremental_unassign(topics->rk, list);

	if (refused == NULL)
		refused = rd_kafka_incremental_assign(topics->rk, list);
	bool done = refused == NULL;

	if (!done)
		rd_kafka_error_destroy(refused);
	rd_kafka_topic_partition_list_destroy(list);
	return done;
}

/*
 * By assignment, not by rd_kafka_seek, which librdkafka 2.0 lets come to nothing for a partition
 * whose offset was not there.
 */
static void place_seek(struct topics *topics, struct place *place)
{
	place->unsettled = false;
	if (!(topics->eager ? places_again(topics) : place_again(topics, place)))
		place->unsettled = true;
	place_pause(topics, place);
}

/* The offset is gone: retention was quicker, or the topic was made anew. */
static void place_settle_lost(struct topics *topics, struct place *place)
{
	uint64_t low, high, from = place->open.next;

	place->unsettled = true;
	place->lost = true;
	if (!place_bounds(topics, place, &low, &high))
		return;
	bool anew = from > high;

	if (!anew && from >= low) {
		place_seek(topics, place);
		place->lost = place->unsettled;
		return;
	}
	if (anew) {
		/* Durable before the first event of it is named. */
		rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

		place->open.generation++;
		place->reached = 0;
		place->to_commit = low;
		commit_put(list, place);
		bool kept = rd_kafka_commit(topics->rk, list, 0) == RD_KAFKA_RESP_ERR_NO_ERROR;

		rd_kafka_topic_partition_list_destroy(list);
		if (!kept) {
			place->open.generation--;
			place->to_commit = place->committed = UNKNOWN;
			return;
		}
	}
	place->open.next = low;
	topics->events.on_gap(topics->events.context, &place->open, from, low);
	place_seek(topics, place);
	place->lost = false;
}

static bool topics_know_cluster(struct topics *topics)
{
	struct bus *bus = &topics->kafka.bus;

	if (bus->identity[0] != '\0')
		return true;
	char *cluster = rd_kafka_clusterid(topics->rk, ASK_MS);

	if (cluster == NULL)
		return false;
	snprintf(bus->identity, sizeof(bus->identity), "%s", cluster);
	rd_kafka_mem_free(topics->rk, cluster);
	return true;
}

/* What could not be told when it came. */
static void place_settle(struct topics *topics, struct place *place)
{
	if (place->lost) {
		place_settle_lost(topics, place);
		return;
	}
	if (place->to_commit != UNKNOWN) {
		place_seek(topics, place);
		return;
	}
	if (!topics_know_cluster(topics) || !place_begin(topics, place))
		return;
	topics->events.on_assign(topics->events.context, &place->open);
	place_seek(topics, place);
}

/* ---- the group ---- */

static void place_assign(struct topics *topics, struct place *place,
    rd_kafka_topic_partition_list_t *begin)
{
	place->open.owned = true;
	place->held = false;
	place->to_commit = place->committed = UNKNOWN;
	bool known = topics_know_cluster(topics) && place_begin(topics, place);

	place->unsettled = !known || place->lost;
	if (known)
		kafka_note_clear(topics->kafka.note);
	rd_kafka_topic_partition_list_add(begin, place->name, (int32_t)place->open.partition)
	    ->offset = place_offset(place);
	if (known)
		topics->events.on_assign(topics->events.context, &place->open);
}

static void places_assign(struct topics *topics, const rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_topic_partition_list_t *begin = rd_kafka_topic_partition_list_new(list->cnt);
	rd_kafka_error_t *refused = NULL;

	for (int i = 0; i < list->cnt; i++) {
		struct place *place =
		    place_make(topics, list->elems[i].topic, list->elems[i].partition);

		if (place != NULL)
			place_assign(topics, place, begin);
	}
	/* Even an empty list must be assigned, or the group waits for ever. */
	if (topics->eager)
		rd_kafka_assign(topics->rk, begin);
	else
		refused = rd_kafka_incremental_assign(topics->rk, begin);
	if (refused != NULL)
		rd_kafka_error_destroy(refused);
	for (int i = 0; i < begin->cnt; i++) {
		struct place *place =
		    place_make(topics, begin->elems[i].topic, begin->elems[i].partition);

		if (place != NULL && (topics->paused || place->held || place->unsettled))
			place_pause(topics, place);
	}
	rd_kafka_topic_partition_list_destroy(begin);
}

static void places_revoke(struct topics *topics, const rd_kafka_topic_partition_list_t *list)
{
	if (!rd_kafka_assignment_lost(topics->rk))
		commit_soon(topics);
	for (int i = 0; i < list->cnt; i++) {
		struct place *place =
		    place_find(topics, list->elems[i].topic, list->elems[i].partition);

		if (place == NULL || !place->open.owned)
			continue;
		place->open.owned = false;
		place->open.backlog = 0;
		if (!place->unsettled)
			place->reached = place->open.next;
		topics->events.on_revoke(topics->events.context, &place->open);
	}
}

void kafka_topics_rebalanced(struct rd_kafka_s *rk, int response,
    struct rd_kafka_topic_partition_list_s *list, void *opaque)
{
	struct topics *topics = (struct topics *)((struct kafka_client *)opaque)->kafka;

	/* Not to be asked while closing. */
	if (!topics->closing)
		topics->eager = strcmp(rd_kafka_rebalance_protocol(rk), "EAGER") == 0;
	if (response == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
		places_assign(topics, list);
		return;
	}
	places_revoke(topics, list);
	if (response != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS || topics->eager) {
		rd_kafka_assign(rk, NULL);
		return;
	}
	rd_kafka_error_t *refused = rd_kafka_incremental_unassign(rk, list);

	if (refused != NULL)
		rd_kafka_error_destroy(refused);
}

/* ---- reading ---- */

void topics_pause(struct topics *topics, bool paused)
{
	topics->paused = paused;
	for (size_t i = 0; i < SLOTS; i++)
		if (topics->places[i] != NULL && topics->places[i]->open.owned)
			place_pause(topics, topics->places[i]);
}

void topics_hold(struct topics *topics, struct topics_place *open, bool held)
{
	struct place *place = place_of(open);

	place->held = held;
	if (open->owned)
		place_pause(topics, place);
}

void topics_rewind(struct topics *topics, struct topics_place *open, uint64_t offset)
{
	open->next = offset;
	if (open->owned)
		place_seek(topics, place_of(open));
}

static void message_release(struct topics *topics)
{
	if (topics->message != NULL)
		rd_kafka_message_destroy(topics->message);
	topics->message = NULL;
}

/* True when the message is a record of a partition that is ours, and was not read before. */
static bool message_take(struct topics *topics, const rd_kafka_message_t *message,
    struct topics_record *ret)
{
	struct place *place =
	    place_find(topics, rd_kafka_topic_name(message->rkt), message->partition);
	uint64_t offset = (uint64_t)message->offset;
	rd_kafka_timestamp_type_t type;
	int64_t ms = rd_kafka_message_timestamp(message, &type);

	if (place == NULL || !place->open.owned || place->unsettled || offset < place->open.next)
		return false;
	place->open.next = offset + 1;
	*ret = (struct topics_record){
	    .place = &place->open,
	    .offset = offset,
	    .time_ns = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || ms <= 0 ||
			       ms > INT64_MAX / NS_PER_MS
			   ? 0
			   : ms * NS_PER_MS,
	    .tombstone = message->payload == NULL,
	    .value = str_from(message->payload, message->payload == NULL ? 0 : message->len),
	};
	return true;
}

/* What is told instead of a record. True when *error says something. */
static bool message_tells(struct topics *topics, const rd_kafka_message_t *message,
    struct error *error)
{
	struct place *place = message->rkt == NULL
	    ? NULL
	    : place_find(topics, rd_kafka_topic_name(message->rkt), message->partition);

	if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
	    message->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
		if (place != NULL && place->open.owned && !place->unsettled)
			place_settle_lost(topics, place);
		return false;
	}
	error_set(error, ERR_BUS, TEXT_bus_kafka,
	    message->rkt == NULL ? "read" : rd_kafka_topic_name(message->rkt),
	    rd_kafka_err2str(message->err), rd_kafka_message_errstr(message));
	return true;
}

int topics_next(struct topics *topics, struct topics_record *ret, struct error *error)
{
	for (;;) {
		message_release(topics);
		rd_kafka_message_t *message = rd_kafka_consumer_poll(topics->rk, 0);

		if (message == NULL)
			break;
		topics->message = message;
		if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
			if (message_take(topics, message, ret))
				return 1;
		} else if (message_tells(topics, message, error)) {
			return ERR_BUS;
		}
	}
	if (topics->crowded) {
		topics->crowded = false;
		return error_set(error, ERR_BUS, TEXT_bus_topics_crowded, TOPICS_PLACES_MAX);
	}
	return kafka_news(&topics->kafka, "topics", error);
}

/* librdkafka remembers the end of each partition from its last fetch; nobody is asked. */
static void backlog_look(struct topics *topics, struct place *place)
{
	int64_t low, high;

	if (rd_kafka_get_watermark_offsets(topics->rk, place->name,
		(int32_t)place->open.partition, &low, &high) != RD_KAFKA_RESP_ERR_NO_ERROR ||
	    high < 0)
		return;
	place->open.backlog =
	    (uint64_t)high > place->open.next ? (uint64_t)high - place->open.next : 0;
}

void topics_tick(struct topics *topics)
{
	int64_t now = clock_monotonic_ns();
	bool anew = now >= topics->anew_at, asked = false;

	for (size_t i = 0; i < SLOTS; i++) {
		struct place *place = topics->places[i];

		if (place == NULL || !place->open.owned)
			continue;
		/* One question a time: a broker that does not answer costs a second each. */
		if (place->unsettled && !asked) {
			asked = true;
			place_settle(topics, place);
		}
		if (anew)
			place->committed = UNKNOWN;
		backlog_look(topics, place);
	}
	if (anew)
		topics->anew_at = now + ANEW_NS;
	if (now < topics->commit_at)
		return;
	topics->commit_at = now + COMMIT_NS / 2;
	commit_soon(topics);
}

/* ---- life ---- */

struct str topics_cluster(const struct topics *topics)
{
	return str_of(topics->kafka.bus.identity);
}

int topics_bell(const struct topics *topics)
{
	return topics->bell;
}

static void topics_free(struct topics *topics)
{
	for (size_t i = 0; i < SLOTS; i++) {
		if (topics->places[i] != NULL)
			free(topics->places[i]->name);
		free(topics->places[i]);
	}
	if (topics->bell >= 0)
		close(topics->bell);
	free(topics->kafka.settings);
	kafka_note_release(topics->kafka.note);
	free(topics);
}

/*
 * The caller's settings, and before them those that keep an expression from our own topics, which
 * would be read in circles, and from those of the brokers.
 */
static int settings_fill(struct topics *topics, const struct topics_options *options,
    char avoid[512], char ahead[24], struct error *error)
{
	struct bus_in_kafka *kafka = &topics->kafka;
	size_t at = 0;

	kafka->settings = calloc(options->setting_count + 2, sizeof(*kafka->settings));
	kafka->note = kafka_note_new();
	if (kafka->settings == NULL || kafka->note == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	at = (size_t)snprintf(avoid, 512, "^__");
	if (options->avoid != NULL && options->avoid[0] != '\0') {
		avoid[at++] = ',';
		avoid[at++] = '^';
		for (const char *c = options->avoid; *c != '\0' && at < 480; c++) {
			if (*c == '.')
				avoid[at++] = '\\';
			avoid[at++] = *c;
		}
		snprintf(avoid + at, 512 - at, "(events|detections|alerts)$");
	}
	kafka->settings[0] = (struct bus_setting){STR("topic.blacklist"), str_of(avoid)};
	snprintf(ahead, 24, "%lu", options->ahead_bytes / 1024);
	kafka->settings[1] =
	    (struct bus_setting){STR("queued.max.messages.kbytes"), str_of(ahead)};
	for (size_t i = 0; i < options->setting_count; i++)
		kafka->settings[i + 2] = options->settings[i];
	kafka->setting_count = options->setting_count + 2;
	return 0;
}

static int topics_subscribe(
    struct topics *topics, const struct topics_options *options, struct error *error)
{
	rd_kafka_topic_partition_list_t *list =
	    rd_kafka_topic_partition_list_new((int)options->name_count);
	char name[512];

	for (size_t i = 0; i < options->name_count; i++) {
		snprintf(name, sizeof(name), "%.*s", STR_ARG(options->names[i]));
		rd_kafka_topic_partition_list_add(list, name, RD_KAFKA_PARTITION_UA);
	}
	rd_kafka_resp_err_t response = rd_kafka_subscribe(topics->rk, list);

	rd_kafka_topic_partition_list_destroy(list);
	return response == RD_KAFKA_RESP_ERR_NO_ERROR
		   ? 0
		   : kafka_failed(&topics->kafka, response, "subscribe", error);
}

int topics_open(struct topics **ret, const struct topics_options *options, struct error *error)
{
	struct topics *topics = calloc(1, sizeof(*topics));
	char avoid[512], ahead[24];

	if (topics == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	topics->events = options->events;
	topics->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int code = topics->bell < 0 ? error_system(error, errno, TEXT_base_open, "eventfd")
				    : settings_fill(topics, options, avoid, ahead, error);

	if (code == 0)
		code = kafka_client_new(&topics->rk, &topics->kafka, KAFKA_TOPICS, options->group,
		    NULL, error);
	topics->kafka.setting_count = 0; /* they are the client's now */
	if (code < 0) {
		topics_free(topics);
		return code;
	}
	uint64_t one = 1;

	rd_kafka_poll_set_consumer(topics->rk);
	topics->queue = rd_kafka_queue_get_consumer(topics->rk);
	rd_kafka_queue_io_event_enable(topics->queue, topics->bell, &one, sizeof(one));
	code = topics_subscribe(topics, options, error);
	if (code < 0)
		topics_close(topics);
	else
		*ret = topics;
	return code;
}

void topics_close(struct topics *topics)
{
	if (topics == NULL)
		return;
	message_release(topics);
	commit_and_wait(topics);
	topics->closing = true;
	kafka_group_leave(topics->rk, CLOSE_MS, kafka_topics_rebalanced);
	rd_kafka_queue_io_event_enable(topics->queue, -1, NULL, 0);
	rd_kafka_queue_destroy(topics->queue);
	kafka_client_end(topics->rk);
	topics_free(topics);
}
