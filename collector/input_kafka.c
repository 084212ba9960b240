/*
 * Topics of Kafka that others write: rsyslog's omkafka, Filebeat, Fluent Bit, Vector. A record is
 * an event, whatever it holds, and keeps for ever the name that docs/wire.md gives it: cluster and
 * topic, partition, offset. The group's offsets move behind what our bus has durably, so whoever
 * reads on after a kill reads some of it again, and those events are recognised by their names.
 *
 * Each partition is a sender's row and a lane of its own. One consumer reads all topics of the
 * configuration: that of the first address.
 */
#include "collector/input.h"

#include "bus/settings.h"
#include "bus/topics.h"
#include "collector/agencies.h"

#include "base/clock.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TURN	      1000u /* records before other inputs get theirs */
#define SETTINGS_MEMORY (1u << 20)
#define AHEAD_NS      (600 * NS_PER_S) /* of now: a time stamp beyond it is a wrong clock's */
#define TELL_NS	      (60 * NS_PER_S)

/* Records of one turn and one partition. */
struct span {
	struct span *next;
	struct place *place;
	struct ticket *ticket; /* NULL: done */
	uint64_t end;
};

struct place {
	struct input *input;
	struct place *next_turn; /* of those that have a span in this turn */
	struct topics_place *at;
	struct ledger_row *row;
	struct lane *lane;
	struct str decoder;
	char *name; /* of the topic as it is hashed; with its generation, once that is not 0 */
	struct span *oldest, *newest;
	struct span *open; /* of this turn */
	bool held, in_turn;
};

struct input {
	struct intake *intake;
	struct topics *topics; /* NULL: the first one reads for this one too */
	struct watch *watch;
	struct place *turn;    /* partitions that this turn has records of */
	struct place **places; /* as long as the input */
	size_t place_count, place_capacity;
	int64_t told_ns;
	bool finished;
};

/* ---- what is under way ---- */

/* What lies behind an event that is not durable waits for it. */
static void spans_settle(struct place *place)
{
	while (place->oldest != NULL && place->oldest->ticket == NULL) {
		struct span *span = place->oldest;

		topics_done(place->input->topics, place->at, span->end);
		place->oldest = span->next;
		if (place->oldest == NULL)
			place->newest = NULL;
		free(span);
	}
}

/* What was refused was counted and told; it would be refused again. */
static void span_done(void *context, bool durable)
{
	struct span *span = context;

	(void)durable;
	span->ticket = NULL;
	spans_settle(span->place);
}

/* NULL: no memory. */
static struct span *span_of(struct place *place)
{
	struct span *span = place->open;

	if (span != NULL)
		return span;
	span = calloc(1, sizeof(*span));
	struct ticket *ticket = span == NULL ? NULL : ticket_new(span_done, span);

	if (ticket == NULL) {
		free(span);
		return NULL;
	}
	*span = (struct span){.place = place, .ticket = ticket};
	if (place->newest != NULL)
		place->newest->next = span;
	else
		place->oldest = span;
	place->newest = place->open = span;
	if (!place->in_turn) {
		place->next_turn = place->input->turn;
		place->input->turn = place;
		place->in_turn = true;
	}
	return span;
}

/* Lets go of what this turn has handed over. */
static void turn_end(struct input *input)
{
	while (input->turn != NULL) {
		struct place *place = input->turn;
		struct span *span = place->open;

		input->turn = place->next_turn;
		place->open = NULL;
		place->in_turn = false;
		if (span != NULL)
			ticket_release(span->ticket, true);
	}
}

static void spans_cancel(struct place *place)
{
	while (place->oldest != NULL) {
		struct span *span = place->oldest;

		place->oldest = span->next;
		if (span->ticket != NULL)
			ticket_cancel(span->ticket);
		if (span == place->open)
			ticket_release(span->ticket, true);
		free(span);
	}
	place->newest = place->open = NULL;
}

/* ---- partitions ---- */

static void place_free(struct place *place)
{
	if (place == NULL)
		return;
	spans_cancel(place);
	free(place->name);
	free(place);
}

/* NULL: no memory. */
static struct place *place_new(struct input *input, struct topics_place *at)
{
	const struct config *config = input->intake->config;
	struct ledger *ledger = input->intake->ledger;
	struct place *place = calloc(1, sizeof(*place));

	if (place == NULL)
		return NULL;
	if (input->place_count == input->place_capacity) {
		size_t capacity = input->place_capacity == 0 ? 16 : input->place_capacity * 2;
		struct place **grown =
		    realloc(input->places, capacity * sizeof(struct place *));

		if (grown == NULL) {
			free(place);
			return NULL;
		}
		input->places = grown;
		input->place_capacity = capacity;
	}
	*place = (struct place){.input = input, .at = at};
	place->row = ledger_topic(ledger, "kafka", at->topic, at->partition);
	if (place->row != NULL)
		place->lane = packer_lane(input->intake->packer, place->row->partition);
	if (place->lane == NULL) {
		place_free(place);
		return NULL;
	}
	for (size_t i = config_count(config, CONFIG_KAFKA_DECODERS); i-- > 0;)
		if (fnmatch(config_name(config, CONFIG_KAFKA_DECODERS, i).ptr, at->topic, 0) == 0)
			place->decoder = config_item(config, CONFIG_KAFKA_DECODERS, i);
	input->places[input->place_count++] = place;
	return place;
}

static void place_tell(struct place *place, enum text_id id)
{
	const struct collector_options *options = place->input->intake->options;
	struct error told = {0};

	error_set(&told, ERR_USAGE, id, place->at->topic);
	if (options->tell != NULL)
		options->tell(options->tell_context, &told);
}

/* Is it to wait: for its quota, or because its sender may not send here? */
static void place_look(struct place *place)
{
	struct input *input = place->input;
	struct ledger_row *row = place->row;
	bool over = quota_wait(ledger_bucket(row), &row->identity->quota,
			input->intake->now_ns) > 0;
	bool held = row->barred || over;

	if (held == place->held)
		return;
	place->held = held;
	topics_hold(input->topics, place->at, held);
	row->counts.waits += held && over;
	row->counts.barred_connections += held && row->barred;
	if (held && row->barred)
		place_tell(place, TEXT_collector_kafka_barred);
}

/* The lane begins anew at the next offset, under the topic's name of now. */
static void place_begin(struct place *place)
{
	struct intake *intake = place->input->intake;
	char *name = NULL;
	struct event named;
	int len = place->at->generation == 0
	    ? asprintf(&name, "%s", place->at->topic)
	    : asprintf(&name, "%s#%lu", place->at->topic, place->at->generation);

	if (len < 0)
		return;
	free(place->name);
	place->name = name;
	frame_foreign(topics_cluster(place->input->topics), str_of(name),
	    (struct position){place->at->partition, place->at->next, 0}, 0, STR_NONE, &named);
	packer_lane_begin(intake->packer, place->lane, named.at, intake->now_ns);
}

static void on_assign(void *context, struct topics_place *at)
{
	struct input *input = context;
	struct place *place = at->context != NULL ? at->context : place_new(input, at);

	at->context = place;
	if (place == NULL) {
		topics_hold(input->topics, at, true);
		return;
	}
	place->held = false;
	place_begin(place);
	place_look(place);
}

static void on_revoke(void *context, struct topics_place *at)
{
	struct place *place = at->context;

	(void)context;
	if (place == NULL)
		return;
	spans_cancel(place);
	place->row->counts.backlog = 0;
}

static void on_gap(void *context, struct topics_place *at, uint64_t from, uint64_t to)
{
	struct input *input = context;
	struct place *place = at->context;
	struct frame_gap gap = {.reason = GAP_RETENTION,
	    .count = to > from ? to - from : 0,
	    .from = from,
	    .to = to,
	    .source = str_of(at->topic)};

	if (place == NULL)
		return;
	spans_cancel(place);
	place_begin(place);
	if (to > from)
		packer_gap(input->intake->packer, place->row->partition, &gap,
		    input->intake->now_ns);
}

/* ---- records ---- */

/* The time that the record has is the same whenever it is read, unless some clock was wrong. */
static int64_t received_of(const struct intake *intake, const struct topics_record *record)
{
	bool good = record->time_ns > 0 && record->time_ns <= intake->now_ns + AHEAD_NS;

	return good ? record->time_ns : intake->now_ns;
}

static void record_event(
    struct place *place, const struct topics_record *record, struct ticket *ticket)
{
	struct intake *intake = place->input->intake;
	struct str topic = str_of(place->at->topic);
	size_t limit = intake->options->frame_limit;
	struct event event;

	frame_foreign(topics_cluster(place->input->topics), str_of(place->name),
	    (struct position){place->at->partition, record->offset, 0},
	    received_of(intake, record), str_slice(record->value, 0, limit), &event);
	event.peer = event.sender = topic;
	if (record->value.len > limit)
		event.flags |= EVENT_TRUNCATED;
	intake->decoder = place->decoder;
	intake_kept(intake, place->row, "kafka", place->lane, &event, ticket);
	intake->decoder = STR_NONE;
}

static void record_take(struct input *input, const struct topics_record *record)
{
	struct place *place = record->place->context;
	struct span *span;

	if (place == NULL)
		return;
	/* It may have been barred since: what is there stays there. */
	if (place->row->barred || (span = span_of(place)) == NULL) {
		topics_rewind(input->topics, place->at, record->offset);
		place_look(place);
		return;
	}
	span->end = record->offset + 1;
	if (record->tombstone) {
		place->row->counts.tombstones++;
		return;
	}
	record_event(place, record, span->ticket);
	place_look(place);
}

static void kafka_tell(struct input *input, const struct error *error)
{
	const struct collector_options *options = input->intake->options;
	int64_t now_ns = clock_monotonic_ns();

	if (input->told_ns != 0 && now_ns - input->told_ns < TELL_NS)
		return;
	input->told_ns = now_ns;
	if (options->tell != NULL)
		options->tell(options->tell_context, error);
}

static void ring(const struct input *input)
{
	uint64_t one = 1;

	(void)!write(topics_bell(input->topics), &one, sizeof(one));
}

static void kafka_turn(struct input *input)
{
	struct topics_record record;
	struct error error = {0};
	unsigned count = 0;
	int code = 1;

	intake_now(input->intake);
	while (code != 0 && count < TURN && !packer_is_behind(input->intake->packer)) {
		error_clear(&error);
		code = topics_next(input->topics, &record, &error);
		count++;
		if (code > 0 && !input->finished)
			record_take(input, &record);
		else if (code < 0)
			kafka_tell(input, &error);
	}
	turn_end(input);
	if (count == TURN)
		ring(input);
}

static void kafka_ready(void *context, unsigned ready)
{
	struct input *input = context;
	uint64_t rings;

	(void)ready;
	(void)!read(topics_bell(input->topics), &rings, sizeof(rings));
	kafka_turn(input);
}

/* ---- life ---- */

static void kafka_close(struct input *input)
{
	if (input == NULL)
		return;
	watch_remove(input->watch);
	topics_close(input->topics);
	for (size_t i = 0; i < input->place_count; i++)
		place_free(input->places[i]);
	free(input->places);
	free(input);
}

static bool is_our_own(const struct config *config, struct str topic)
{
	struct str prefix = config_text(config, CONFIG_BUS_KAFKA_PREFIX);
	enum bus_topic unused;

	return str_starts(topic, prefix) &&
	       bus_topic_parse(str_slice(topic, prefix.len, topic.len), &unused);
}

static int names_fill(struct arena *arena, const struct config *config,
    struct topics_options *options, struct error *error)
{
	size_t count = config_count(config, CONFIG_KAFKA_TOPICS);
	struct str *names = arena_array(arena, count, sizeof(*names));

	if (names == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	options->names = names;
	options->name_count = count;
	for (size_t i = 0; i < options->name_count; i++) {
		names[i] = config_item(config, CONFIG_KAFKA_TOPICS, i);
		if (is_our_own(config, names[i]))
			return error_set(error, ERR_DOCUMENT, TEXT_collector_kafka_own,
			    STR_ARG(names[i]));
	}
	return 0;
}

static int consumer_open(struct input *input, struct arena *arena, struct error *error)
{
	const struct config *config = input->intake->config;
	bool own = config_count(config, CONFIG_KAFKA_PROPERTIES) > 0;
	struct bus_setting *settings;
	struct topics_options options = {
	    .group = config_text(config, CONFIG_KAFKA_GROUP).ptr,
	    .avoid = config_text(config, CONFIG_BUS_KAFKA_PREFIX).ptr,
	    .ahead_bytes = (uint64_t)config_number(config, CONFIG_KAFKA_AHEAD),
	    .events = {on_assign, on_revoke, on_gap, input},
	};

	if (!own && config_count(config, CONFIG_BUS_KAFKA_PROPERTIES) == 0)
		return error_set(error, ERR_DOCUMENT, TEXT_collector_kafka_none);
	int code = names_fill(arena, config, &options, error);

	if (code == 0)
		code = bus_settings_read(arena, config,
		    own ? CONFIG_KAFKA_PROPERTIES : CONFIG_BUS_KAFKA_PROPERTIES,
		    own ? CONFIG_KAFKA_PASSWORD_FILE : CONFIG_BUS_KAFKA_PASSWORD_FILE, &settings,
		    &options.setting_count, error);
	if (code < 0)
		return code;
	options.settings = settings;
	return topics_open(&input->topics, &options, error);
}

static int kafka_open(
    struct input **ret, struct intake *intake, const char *address, struct error *error)
{
	struct input *input = calloc(1, sizeof(*input));
	struct arena *arena = arena_new(SETTINGS_MEMORY);
	bool first = config_count(intake->config, CONFIG_KAFKA_TOPICS) > 0 &&
	    str_eq(str_of(address), config_item(intake->config, CONFIG_KAFKA_TOPICS, 0));
	int code = 0;

	if (input == NULL || arena == NULL)
		code = error_set(error, ERR_MEMORY, TEXT_base_memory);
	if (code == 0) {
		input->intake = intake;
		if (first)
			code = consumer_open(input, arena, error);
	}
	if (code == 0 && first)
		code = watch_add(&input->watch, intake->loop, topics_bell(input->topics),
		    WATCH_READ, kafka_ready, input, error);
	arena_free(arena);
	if (code < 0)
		kafka_close(input);
	else
		*ret = input;
	return code;
}

static void kafka_pause(struct input *input, bool paused)
{
	if (input->topics == NULL || input->finished)
		return;
	topics_pause(input->topics, paused);
	if (!paused)
		ring(input);
}

/* What was not taken stays where it is. */
static void kafka_finish(struct input *input)
{
	if (input->topics == NULL)
		return;
	input->finished = true;
	topics_pause(input->topics, true);
}

static void kafka_tick(struct input *input)
{
	if (input->topics == NULL)
		return;
	/* Whatever the bell missed, and the group, which wants to be served. */
	kafka_turn(input);
	topics_tick(input->topics);
	for (size_t i = 0; i < input->place_count; i++) {
		struct place *place = input->places[i];

		if (!place->at->owned)
			continue;
		place_look(place);
		place->row->counts.backlog = place->at->backlog;
	}
}

static unsigned kafka_port(const struct input *input)
{
	(void)input;
	return 0;
}

const struct input_kind input_kafka = {
    .name = "kafka",
    .listen = CONFIG_KAFKA_TOPICS,
    .summary = "topics of Kafka that others write",
    .open = kafka_open,
    .threads = true,
    .close = kafka_close,
    .pause = kafka_pause,
    .finish = kafka_finish,
    .tick = kafka_tick,
    .port = kafka_port,
};
