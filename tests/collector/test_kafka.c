/*
 * Topics of others, on librdkafka's mock cluster: what is read keeps its name, nothing is committed
 * before it is durable, and what is read again is recognised.
 */
#include "bus/settings.h"
#include "bus/topics.h"
#include "collector/collector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "event/seen.h"
#include "tests/bus/mock_broker.c"
#include "tests/collector/rig.h"

/*
 * Writers are buses of ours with other prefixes: a record that they put on "events" is a record of
 * the topic "web.events". The mock takes seconds to bring a group together, so there are few.
 */
struct stand {
	struct rig rig;
	struct bus *web, *mail;
	struct loop *loop;
	struct config *config;
	struct collector *collector;
	struct collector_options options;
	struct collector_listener listeners[2];
	struct bus_reader *reader;
	struct seen *seen;     /* what readers of "events" keep */
	uint64_t events, repeats, frames, partial, gaps;
	struct frame_gap gap;
	uint64_t copies[4][2048]; /* by partition of web.events and offset, those that are new */
	char text[8][128];     /* of single events, by number */
	struct event last;     /* without its texts */
	char last_raw[96], last_sender[96], last_agency[32], last_decoder[32], told[1024];
	size_t last_len;
	char agencies[96];
};

static struct mock_broker mock;
static struct bus_setting mock_settings[3];

static struct bus *writer(const char *prefix)
{
	struct bus_options options = {.backend = "kafka",
	    .partitions = {3, 1, 1},
	    .prefix = prefix,
	    .settings = mock_settings,
	    .setting_count = 3};
	struct bus *bus = NULL;
	struct error error = {0};

	/* The second time they are there. */
	for (unsigned t = 0; t < TOPIC_COUNT; t++)
		(void)mock_broker_tell(&mock, "topic %s%s %u", prefix,
		    bus_topic_name((enum bus_topic)t).ptr, t == 0 ? 3u : 1u);
	if (bus_open(&bus, &options, &error) < 0)
		fail_msg("%s", error.text);
	return bus;
}

static void put(struct bus *bus, uint32_t partition, struct str value)
{
	int code;

	do {
		struct bus_receipt receipt;

		code = bus_publish(bus, TOPIC_EVENTS, partition, STR_NONE, value, 0);
		if (code == BUS_BUSY)
			bus_receipts(bus, &receipt, 1, NS_PER_MS, NULL);
	} while (code == BUS_BUSY);
	assert_int_equal(code, BUS_ACCEPTED);
}

static void put_numbered(struct stand *stand, uint32_t partition, unsigned from, unsigned to)
{
	char text[96];

	for (; from < to; from++) {
		int len = snprintf(text, sizeof(text), "<38>1 - gw app - - - line %u", from);

		put(stand->web, partition, str_from(text, (size_t)len));
	}
	assert_int_equal(bus_flush(stand->web, 10 * NS_PER_S, NULL), 0);
}

static void told(void *context, const struct error *error)
{
	struct stand *stand = context;

	snprintf(stand->told, sizeof(stand->told), "%s", error->text);
}

static void agencies_write(struct stand *stand, const char *inputs)
{
	FILE *file = fopen(stand->agencies, "w");

	assert_non_null(file);
	fprintf(file, "agencies:\n- name: hue\n  inputs: %s\n  kafka: [mail.events]\n", inputs);
	assert_int_equal(fclose(file), 0);
}

static void set(struct stand *stand, const char *key, const char *value)
{
	struct error error = {0};

	if (config_set(stand->config, str_of(key), str_of(value), &error) < 0)
		fail_msg("%s", error.text);
}

static void stand_start(struct stand *stand)
{
	struct error error = {0};

	stand->options.bus = stand->rig.bus;
	if (collector_open(&stand->collector, &stand->options, &error) < 0)
		fail_msg("%s", error.text);
}

static void stand_open(struct stand *stand, const char *group, const char *strategy)
{
	uint32_t all[RIG_PARTITIONS] = {0, 1, 2, 3};
	struct bus_reader_options reading = {.topic = TOPIC_EVENTS,
	    .group = "reader",
	    .partitions = all,
	    .partition_count = RIG_PARTITIONS};

	memset(stand, 0, sizeof(*stand));
	rig_open(&stand->rig, 1u << 20);
	snprintf(stand->agencies, sizeof(stand->agencies), "%s/agencies.yml", stand->rig.folder);
	agencies_write(stand, "kafka");
	assert_int_equal(bus_reader_open(&stand->reader, stand->rig.bus, &reading, NULL), 0);
	stand->seen = seen_new();
	stand->web = writer("web.");
	stand->mail = writer("mail.");
	stand->config = config_new();
	assert_non_null(stand->config);
	set(stand, "kafka.topics", "web.events,^mail[.]events$");
	set(stand, "kafka.group", group);
	set(stand, "kafka.properties.partition.assignment.strategy", strategy);
	set(stand, "kafka.properties.bootstrap.servers", mock.address);
	set(stand, "kafka.properties.session.timeout.ms", "4000");
	set(stand, "kafka.properties.heartbeat.interval.ms", "200");
	set(stand, "kafka.decoders.mail*", "kv");
	assert_int_equal(loop_open(&stand->loop, NULL), 0);
	for (size_t i = 0; i < 2; i++)
		stand->listeners[i] = (struct collector_listener){
		    "kafka", config_item(stand->config, CONFIG_KAFKA_TOPICS, i).ptr};
	stand->options = (struct collector_options){.loop = stand->loop,
	    .config = stand->config,
	    .identity_path = stand->rig.identity,
	    .agencies_path = stand->agencies,
	    .listeners = stand->listeners,
	    .listener_count = 2,
	    .frame_limit = 65536,
	    .frame_bytes = 32768,
	    .frame_delay_ns = 300 * NS_PER_MS,
	    .tick_ns = 3600 * NS_PER_S,
	    .queue_bytes = 1u << 20,
	    .senders_max = 100,
	    .tell = told,
	    .tell_context = stand};
	stand_start(stand);
}

static void stand_close(struct stand *stand)
{
	collector_close(stand->collector);
	loop_close(stand->loop);
	bus_close(stand->web);
	bus_close(stand->mail);
	bus_reader_close(stand->reader);
	seen_free(stand->seen);
	config_free(stand->config);
	unlink(stand->agencies);
	rig_close(&stand->rig);
}

/* ---- what readers of "events" make of it ---- */

static uint64_t name_of(struct stand *stand, const char *topic)
{
	struct event event;

	frame_foreign(bus_identity(stand->web), str_of(topic), (struct position){0}, 0, STR_NONE,
	    &event);
	return event.at.collector;
}

static void see_event(struct stand *stand, const struct event *event)
{
	uint64_t web = name_of(stand, "web.events");

	stand->events++;
	if (event->at.collector == web) {
		assert_true(event->at.epoch < 3 && event->at.counter < 2048);
		stand->copies[event->at.epoch][event->at.counter]++;
	} else {
		assert_true(event->at.collector == name_of(stand, "mail.events"));
	}
	stand->last = *event;
	stand->last_len = event->raw.len;
	snprintf(stand->last_raw, sizeof(stand->last_raw), "%.*s", STR_ARG(event->raw));
	snprintf(stand->last_sender, sizeof(stand->last_sender), "%.*s", STR_ARG(event->sender));
	snprintf(stand->last_agency, sizeof(stand->last_agency), "%.*s", STR_ARG(event->agency));
	snprintf(stand->last_decoder, sizeof(stand->last_decoder), "%.*s",
	    STR_ARG(event->decoder));
	assert_true(str_eq(event->peer, event->sender));
}

/* As docs/wire.md, section 2.6, has it: each event by itself. */
static void see_frame(struct stand *stand, uint32_t partition, struct frame *frame)
{
	struct frame_head one = frame->head;
	struct event event;
	unsigned fresh = 0;
	char key[64];

	assert_int_equal(frame->head.flags, FRAME_KEPT);
	/* There are no holes in what this test writes. */
	assert_true(frame->head.previous ==
		    (frame->head.first == 0 ? FRAME_NO_COUNT : frame->head.first - 1));
	snprintf(key, sizeof(key), "%s/%lu",
	    frame->head.collector == name_of(stand, "web.events") ? "web.events" : "mail.events",
	    frame->head.epoch);
	assert_int_equal(partition, bus_partition_of(str_of(key), RIG_PARTITIONS));
	stand->frames++;
	one.count = 1;
	while (frame_next(frame, &event)) {
		one.first = event.at.counter;
		if (seen_frame(stand->seen, partition, &one) == SEEN_NEW) {
			see_event(stand, &event);
			fresh++;
		} else {
			stand->repeats++;
		}
		one.previous = one.first;
	}
	assert_int_equal(frame->index, frame->head.count);
	stand->partial += fresh > 0 && fresh < frame->head.count;
}

static void see_all(struct stand *stand)
{
	struct bus_record records[64];
	struct frame frame;
	int count;

	do {
		count = bus_poll(stand->reader, records, 64, 0, NULL);
		assert_true(count >= 0);
		for (int i = 0; i < count; i++) {
			assert_int_equal(frame_read(records[i].value, &frame), FRAME_OK);
			if (frame.head.type == FRAME_EVENTS)
				see_frame(stand, records[i].partition, &frame);
			if (frame_read_gap(&frame, &stand->gap))
				stand->gaps++;
		}
	} while (count > 0);
}

/* Steps for a while, or until so many events are there. */
static void run(struct stand *stand, uint64_t events, int64_t most_ns)
{
	int64_t end_ns = clock_monotonic_ns() + most_ns;

	while (clock_monotonic_ns() < end_ns && stand->events < events) {
		assert_int_equal(collector_step(stand->collector, 20 * NS_PER_MS, NULL), 0);
		see_all(stand);
	}
}

static void run_until(struct stand *stand, uint64_t events)
{
	run(stand, events, 30 * NS_PER_S);
	if (stand->events != events)
		fail_msg("%lu events instead of %lu; told: %s", stand->events, events, stand->told);
}

static uint64_t committed_of(struct stand *stand, struct bus *bus, uint32_t partition)
{
	uint64_t offset = 0;

	assert_int_equal(bus_committed(bus, config_text(stand->config, CONFIG_KAFKA_GROUP).ptr,
	    TOPIC_EVENTS, partition, &offset, NULL), 0);
	return offset;
}

static uint64_t committed(struct stand *stand, uint32_t partition)
{
	return committed_of(stand, stand->web, partition);
}

static struct source_row row_of(struct stand *stand);

static bool row_find(void *context, const struct source_row *row)
{
	struct source_row *ret = context;

	if (str_eq(row->sender, STR("mail.events/0")))
		*ret = *row;
	return true;
}

static struct source_row row_of(struct stand *stand)
{
	struct source_row row = {0};

	collector_sources(stand->collector, row_find, &row);
	return row;
}

/* ---- the tests ---- */

static void mail_is_hue(struct stand *stand)
{
	uint64_t before = stand->events;

	put(stand->mail, 0, STR("{\"message\":\"h\xE1\xBB\x93 s\xC6\xA1\"}"));
	assert_int_equal(bus_flush(stand->mail, 10 * NS_PER_S, NULL), 0);
	run_until(stand, before + 1);
	assert_string_equal(stand->last_sender, "mail.events");
	assert_string_equal(stand->last_agency, "hue");
	assert_string_equal(stand->last_decoder, "kv");
	assert_int_equal(stand->last.transport, TRANSPORT_KAFKA);
	assert_int_equal(stand->last.encoding, ENCODING_JSON);
	assert_int_equal(stand->last.flags, EVENT_FOREIGN);
	/* The record's own time, in milliseconds. */
	assert_int_equal(stand->last.received_ns % NS_PER_MS, 0);
	assert_true(clock_wall_ns() - stand->last.received_ns < 60 * NS_PER_S);
}

/* Nothing that somebody puts into a record stops its partition. */
static void poison_is_passed_on(struct stand *stand)
{
	char *large = malloc(200000);
	uint64_t before = stand->events;

	assert_non_null(large);
	memset(large, 'x', 200000);
	put(stand->mail, 0, STR(""));
	put(stand->mail, 0, STR("a\0b\xff"));
	put(stand->mail, 0, str_from(large, 200000));
	put(stand->mail, 0, STR("TCSN, but no frame of ours"));
	assert_int_equal(bus_flush(stand->mail, 10 * NS_PER_S, NULL), 0);
	run_until(stand, before + 4);
	assert_string_equal(stand->last_raw, "TCSN, but no frame of ours");
	assert_int_equal(stand->last.at.counter, 4);
	struct source_row row = row_of(stand);

	assert_int_equal(row.truncated, 1);
	assert_int_equal(row.with_nul, 1);
	assert_int_equal(row.bad_utf8, 1);
	assert_int_equal(row.received, 5);
	assert_int_equal(row.durable, 5);
	free(large);
}

static void who_is_barred_waits_and_loses_nothing(struct stand *stand)
{
	uint64_t before = stand->events;

	agencies_write(stand, "none");
	assert_int_equal(collector_reload(stand->collector, NULL), 0);
	put(stand->mail, 0, STR("while it is barred"));
	assert_int_equal(bus_flush(stand->mail, 10 * NS_PER_S, NULL), 0);
	run(stand, before + 1, 2 * NS_PER_S);
	assert_int_equal(stand->events, before);
	assert_non_null(strstr(stand->told, "mail.events"));
	assert_int_equal(row_of(stand).refused_barred, 0);
	assert_int_equal(row_of(stand).barred_connections, 1);
	agencies_write(stand, "kafka");
	assert_int_equal(collector_reload(stand->collector, NULL), 0);
	run_until(stand, before + 1);
	assert_string_equal(stand->last_raw, "while it is barred");
}

/* The bus takes nothing: reading stops, and goes on. */
static void a_bus_that_is_behind_holds_back(struct stand *stand)
{
	uint64_t before = stand->events;
	char *large = malloc(60000);

	assert_non_null(large);
	memset(large, 'y', 60000);
	stand->rig.fault_call = "publish";
	stand->rig.fault = FAULT_BUSY;
	for (unsigned i = 0; i < 60; i++)
		put(stand->mail, 0, str_from(large, 60000));
	assert_int_equal(bus_flush(stand->mail, 10 * NS_PER_S, NULL), 0);
	/* So that librdkafka has heard of the last one: it asks for nothing while it is paused. */
	sleep(1);
	run(stand, UINT64_MAX, 3 * NS_PER_S);
	assert_int_equal(stand->events, before);
	assert_true(row_of(stand).received < 40);
	assert_true(row_of(stand).backlog > 0);
	stand->rig.fault = FAULT_NONE;
	run_until(stand, before + 60);
	run(stand, UINT64_MAX, 1500 * NS_PER_MS);
	assert_int_equal(row_of(stand).backlog, 0);
	assert_int_equal(row_of(stand).refused_busy, 0);
	assert_int_equal(stand->repeats, 0);
	free(large);
}

static void an_outage_of_their_brokers_is_waited_for(struct stand *stand)
{
	uint64_t before = stand->events;

	stand->told[0] = '\0';
	assert_int_equal(mock_broker_tell(&mock, "down"), 0);
	run(stand, UINT64_MAX, 1500 * NS_PER_MS);
	assert_int_equal(mock_broker_tell(&mock, "up"), 0);
	put_numbered(stand, 2, 0, 50);
	run_until(stand, before + 50);
}

static void test_what_others_write_keeps_its_name(void **state)
{
	static struct stand stand;

	(void)state;
	stand_open(&stand, "names", "cooperative-sticky");
	put_numbered(&stand, 0, 0, 300);
	put_numbered(&stand, 1, 0, 100);
	run_until(&stand, 400);
	for (unsigned i = 0; i < 300; i++)
		assert_int_equal(stand.copies[0][i], 1);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(stand.copies[1][i], 1);
	assert_string_equal(stand.last_sender, "web.events");
	assert_string_equal(stand.last_agency, "");
	/* Many to a frame. */
	assert_true(stand.frames < 100);
	mail_is_hue(&stand);
	poison_is_passed_on(&stand);
	who_is_barred_waits_and_loses_nothing(&stand);
	a_bus_that_is_behind_holds_back(&stand);
	an_outage_of_their_brokers_is_waited_for(&stand);
	stand_close(&stand);
}

/* More than the mock keeps of a partition, before it is read on; gives how many are left. */
static uint64_t outrun(struct stand *stand)
{
	char *large = malloc(60000);
	uint64_t first, next;

	assert_non_null(large);
	memset(large, 'z', 60000);
	assert_int_equal(committed_of(stand, stand->mail, 0), 66);
	for (unsigned i = 0; i < 160; i++) {
		put(stand->mail, 0, str_from(large, 60000));
		if (i % 8 == 7)
			assert_int_equal(bus_flush(stand->mail, 10 * NS_PER_S, NULL), 0);
	}
	assert_int_equal(bus_range(stand->mail, TOPIC_EVENTS, 0, &first, &next, NULL), 0);
	assert_true(first > 66 && next == 66 + 160);
	free(large);
	return next - first;
}

/*
 * Killed after it has produced, and before it knows: what was committed lies before that, the next
 * one reads it again, into frames that are closed elsewhere, and whoever reads those takes each
 * event once.
 */
static void test_what_is_read_again_is_recognised(void **state)
{
	static struct stand stand;

	(void)state;
	stand_open(&stand, "again", "range,roundrobin"); /* "eager": all is given anew */
	put_numbered(&stand, 0, 300, 500); /* offsets 300.. of the mock, behind the other test's */
	run_until(&stand, 500 + 100 + 50 + 66);
	run(&stand, UINT64_MAX, 1500 * NS_PER_MS);
	assert_int_equal(committed(&stand, 0), 500);
	assert_int_equal(stand.repeats, 0);
	uint64_t events = stand.events;

	/* On the bus, and nobody says so: it is sent again and again. */
	stand.rig.fault_call = "publish";
	stand.rig.fault = FAULT_LOSE_RECEIPT;
	put_numbered(&stand, 0, 500, 700);
	run_until(&stand, events + 200);
	run(&stand, UINT64_MAX, 1500 * NS_PER_MS);
	assert_int_equal(committed(&stand, 0), 500);
	collector_close(stand.collector);
	assert_int_equal(committed(&stand, 0), 500);
	stand.rig.fault = FAULT_NONE;
	put_numbered(&stand, 0, 700, 950);
	uint64_t there = outrun(&stand);

	stand_start(&stand);
	run_until(&stand, events + 450 + there);
	run(&stand, UINT64_MAX, 1500 * NS_PER_MS);
	assert_int_equal(stand.events, events + 450 + there);
	assert_int_equal(stand.gaps, 1);
	assert_int_equal(stand.gap.reason, GAP_RETENTION);
	assert_int_equal(stand.gap.from, 66);
	assert_int_equal(stand.gap.to, 66 + 160 - there);
	assert_int_equal(stand.gap.count, 160 - there);
	assert_true(stand.repeats >= 400);
	assert_true(stand.partial > 0);
	for (unsigned i = 0; i < 950; i++)
		assert_int_equal(stand.copies[0][i], 1);
	assert_int_equal(committed(&stand, 0), 950);
	stand_close(&stand);
}

static void refuses(const char *key, const char *value, const char *says)
{
	static struct stand stand;
	struct error error = {0};

	memset(&stand, 0, sizeof(stand));
	rig_open(&stand.rig, 1u << 20);
	stand.config = config_new();
	set(&stand, "kafka.topics", "web.events");
	set(&stand, "kafka.properties.bootstrap.servers", mock.address);
	set(&stand, key, value);
	assert_int_equal(loop_open(&stand.loop, NULL), 0);
	stand.listeners[0] = (struct collector_listener){
	    "kafka", config_item(stand.config, CONFIG_KAFKA_TOPICS, 0).ptr};
	stand.options = (struct collector_options){.bus = stand.rig.bus,
	    .loop = stand.loop,
	    .config = stand.config,
	    .identity_path = stand.rig.identity,
	    .listeners = stand.listeners,
	    .listener_count = 1,
	    .frame_limit = 65536,
	    .senders_max = 100};
	assert_int_equal(collector_open(&stand.collector, &stand.options, &error), ERR_DOCUMENT);
	if (strstr(error.text, says) == NULL)
		fail_msg("%s: %s", says, error.text);
	loop_close(stand.loop);
	config_free(stand.config);
	rig_close(&stand.rig);
}

static void test_what_is_configured_wrongly_is_refused(void **state)
{
	char path[] = "/tmp/tocsin-password-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	refuses("kafka.topics", "tocsin.events", "tocsin.events");
	refuses("kafka.properties.sasl.password", "open-sesame", "kafka.password_file");
	refuses("kafka.properties.no.such", "1", "no.such");
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "\n", 1), 1);
	refuses("kafka.password_file", path, path);
	assert_int_equal(write(fd, "open-sesame\n", 12), 12);
	assert_int_equal(fchmod(fd, 0644), 0);
	refuses("kafka.password_file", path, "0644");
	close(fd);
	unlink(path);
}

static void test_a_password_is_the_first_line_of_its_file(void **state)
{
	struct arena *arena = arena_new(1u << 20);
	struct config *config = config_new();
	const char *text = "m\xE1\xBA\xADt kh\xE1\xBA\xA9u \nmore";
	char path[] = "/tmp/tocsin-password-XXXXXX";
	int fd = mkstemp(path);
	struct bus_setting *settings;
	size_t count = 0;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(config_set(config, STR("kafka.password_file"), str_of(path), NULL), 0);
	assert_int_equal(config_set(config, STR("kafka.properties.sasl.mechanism"), STR("PLAIN"),
	    NULL), 0);
	assert_int_equal(bus_settings_read(arena, config, CONFIG_KAFKA_PROPERTIES,
	    CONFIG_KAFKA_PASSWORD_FILE, &settings, &count, NULL), 0);
	assert_int_equal(count, 2);
	assert_true(str_eq(settings[0].name, STR("sasl.mechanism")));
	assert_true(str_eq(settings[1].name, STR("sasl.password")));
	assert_true(str_eq(settings[1].value, STR("m\xE1\xBA\xADt kh\xE1\xBA\xA9u ")));
	close(fd);
	unlink(path);
	config_free(config);
	arena_free(arena);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_others_write_keeps_its_name),
	    cmocka_unit_test(test_what_is_read_again_is_recognised),
	    cmocka_unit_test(test_what_is_configured_wrongly_is_refused),
	    cmocka_unit_test(test_a_password_is_the_first_line_of_its_file),
	};

	signal(SIGPIPE, SIG_IGN);
	if (mock_broker_start(&mock) != 0) {
		fprintf(stderr, "the mock cluster does not start\n");
		return 1;
	}
	mock_settings[0] =
	    (struct bus_setting){STR("bootstrap.servers"), str_of(mock.address)};
	mock_settings[1] = (struct bus_setting){STR("compression.codec"), STR("none")};
	mock_settings[2] = (struct bus_setting){STR("linger.ms"), STR("2")};
	int failed = cmocka_run_group_tests_name("kafka", tests, NULL, NULL);

	mock_broker_stop(&mock);
	return failed;
}
