#include "cli/command.h"
#include "cli/decoded.h"

#include "base/civil.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"
#include "event/detection.h"
#include "event/frame.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH 256
/* A broker may take its time, and the last records of a partition may be nothing to read. */
#define QUIET_MAX 20

static int bus_topics(struct bus *bus, struct error *error)
{
	printf("%-12s %9s %14s %14s %14s\n", "topic", "partition", "first", "next", "records");
	for (unsigned t = 0; t < TOPIC_COUNT; t++) {
		for (uint32_t p = 0; p < bus_partitions(bus, t); p++) {
			uint64_t first, next;
			int code = bus_range(bus, t, p, &first, &next, error);

			if (code < 0)
				return code;
			printf("%-12.*s %9u %14llu %14llu %14llu\n", STR_ARG(bus_topic_name(t)), p,
			    (unsigned long long)first, (unsigned long long)next,
			    (unsigned long long)(next - first));
		}
	}
	return EXIT_OK;
}

/* The groups that Tocsin's own stages read with. */
static const struct {
	const char *group;
	enum bus_topic topic;
} readers[] = {{"correlate", TOPIC_EVENTS}, {"correlate", TOPIC_DETECTIONS},
    {"store", TOPIC_ALERTS}};

static int bus_offsets(struct bus *bus, struct error *error)
{
	printf("%-12s %-12s %9s %14s %14s %10s\n", "group", "topic", "partition", "committed",
	    "next", "lag");
	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
		enum bus_topic t = readers[i].topic;

		for (uint32_t p = 0; p < bus_partitions(bus, t); p++) {
			uint64_t first, next, at;
			int code = bus_range(bus, t, p, &first, &next, error);

			if (code == 0)
				code = bus_committed(bus, readers[i].group, t, p, &at, error);
			if (code < 0)
				return code;
			printf(
			    "%-12s %-12.*s %9u ", readers[i].group, STR_ARG(bus_topic_name(t)), p);
			if (at == UINT64_MAX)
				printf("%14s %14llu %10llu\n", "-", (unsigned long long)next,
				    (unsigned long long)(next - first));
			else
				printf("%14llu %14llu %10llu\n", (unsigned long long)at,
				    (unsigned long long)next, (unsigned long long)(next - at));
		}
	}
	return EXIT_OK;
}

struct catting {
	struct arena *arena;
	bool raw;
	uint64_t left;
};

static void write_event(const struct bus_record *record, const struct frame *frame,
    const struct event *event, bool raw)
{
	struct buf out = BUF(8u << 20);

	if (raw) {
		print_escaped(stdout, event->raw);
		putchar('\n');
		return;
	}
	struct json json = json_begin(&out);

	json_open(&json, '{');
	json_pair_u64(&json, "partition", record->partition);
	json_pair_u64(&json, "offset", record->offset);
	json_pair_u64(&json, "index", frame->index - 1);
	json_key(&json, STR("event"));
	struct buf inner = BUF(8u << 20);

	frame_json(&inner, event);
	json_raw(&json, buf_str(&inner));
	json_close(&json, '}');
	buf_char(&out, '\n');
	fwrite(out.ptr, 1, out.len, stdout);
	buf_free(&inner);
	buf_free(&out);
}

static void write_note(const struct bus_record *record, const char *what)
{
	printf("{\"partition\":%u,\"offset\":%llu,\"%s\":true}\n", record->partition,
	    (unsigned long long)record->offset, what);
}

/* What somebody else put there: still one object a line, and nothing that steers a terminal. */
static void write_foreign(struct catting *catting, const struct bus_record *record)
{
	struct buf out = BUF(16u << 20);
	struct json json = json_begin(&out);

	if (catting->raw) {
		print_escaped(stdout, record->value);
	} else {
		json_open(&json, '{');
		json_pair_u64(&json, "partition", record->partition);
		json_pair_u64(&json, "offset", record->offset);
		json_pair(&json, "foreign", record->value);
		json_close(&json, '}');
		fwrite(out.ptr, 1, out.len, stdout);
	}
	putchar('\n');
	buf_free(&out);
	catting->left--;
}

/* A document of ours: an object without control characters. */
static bool is_line(struct str value)
{
	for (size_t i = 0; i < value.len; i++) {
		if ((unsigned char)value.ptr[i] < ' ' || value.ptr[i] == 0x7f)
			return false;
	}
	return value.len > 1 && value.ptr[0] == '{' && utf8_is_valid(value);
}

static void write_frame(struct catting *catting, const struct bus_record *record)
{
	static const char *const kinds[] = {"", "events", "tick", "gap"};
	struct frame frame;
	struct event event;

	if (frame_read(record->value, &frame) != FRAME_OK) {
		write_foreign(catting, record);
		return;
	}
	if (frame.head.type != FRAME_EVENTS && !catting->raw)
		write_note(record, kinds[frame.head.type]);
	while (frame.head.type == FRAME_EVENTS && catting->left > 0 && frame_next(&frame, &event)) {
		write_event(record, &frame, &event, catting->raw);
		catting->left--;
	}
}

static void write_detection(const struct bus_record *record)
{
	struct buf out = BUF(1u << 20);
	struct json json = json_begin(&out);
	struct detection d;
	char text_[COORDINATE_TEXT], time[CIVIL_TEXT];

	if (!detection_read(record->value, &d))
		return;
	json_open(&json, '{');
	json_pair_u64(&json, "partition", record->partition);
	json_pair_u64(&json, "offset", record->offset);
	json_pair(&json, "correlation", d.correlation);
	json_pair(&json, "rule", d.rule);
	json_pair(&json, "time", civil_format(d.time_ns, 0, 9, time));
	json_pair(&json, "coordinate", coordinate_format(d.at, text_));
	json_key(&json, STR("groups"));
	json_open(&json, '[');
	for (size_t i = 0; i < d.group_count; i++)
		json_str(&json, d.groups[i]);
	json_close(&json, ']');
	json_close(&json, '}');
	buf_char(&out, '\n');
	fwrite(out.ptr, 1, out.len, stdout);
	buf_free(&out);
}

static void write_record(struct catting *catting, const struct bus_record *record)
{
	if (record->kind == BUS_GAP) {
		printf("{\"partition\":%u,\"gap\":[%llu,%llu]}\n", record->partition,
		    (unsigned long long)record->offset, (unsigned long long)record->next);
		return;
	}
	if (record->topic == TOPIC_EVENTS) {
		write_frame(catting, record);
		return;
	}
	enum message_kind kind = message_kind(record->value);

	if (kind == MESSAGE_PROGRESS) {
		if (!catting->raw)
			write_note(record, "progress");
		return;
	}
	if (kind == MESSAGE_DETECTION) {
		write_detection(record);
	} else if (is_line(record->value)) {
		fwrite(record->value.ptr, 1, record->value.len, stdout);
		putchar('\n');
	} else {
		write_foreign(catting, record);
		return;
	}
	catting->left--;
}

static bool lacks(const uint64_t ends[BUS_PARTITIONS_MAX])
{
	for (uint32_t p = 0; p < BUS_PARTITIONS_MAX; p++)
		if (ends[p] > 0)
			return true;
	return false;
}

static int bus_read(struct bus *bus, struct catting *catting, enum bus_topic topic, bool tail,
    struct error *error)
{
	struct bus_reader_options options = {.topic = topic, .group = "tocsin-cat"};
	struct bus_record records[BATCH];
	struct bus_reader *reader;
	uint64_t ends[BUS_PARTITIONS_MAX] = {0}; /* where to stop; 0: reached */
	uint32_t all[BUS_PARTITIONS_MAX];
	int quiet = 0;

	options.partition_count = bus_partitions(bus, topic);
	for (uint32_t p = 0; p < options.partition_count; p++)
		all[p] = p;
	options.partitions = all;
	int code = bus_reader_open(&reader, bus, &options, error);

	if (code < 0)
		return code;
	for (uint32_t p = 0; p < options.partition_count && code == 0; p++) {
		uint64_t first = 0, next = 0;

		code = bus_range(bus, topic, p, &first, &next, error);
		if (code == 0)
			code = bus_seek(reader, p, tail ? next : first, error);
		ends[p] = next > first ? next : 0;
	}
	while (code >= 0 && catting->left > 0 && !ferror(stdout) && (tail || lacks(ends))) {
		code = bus_poll(reader, records, BATCH, 300 * NS_PER_MS, error);
		quiet = code == 0 ? quiet + 1 : 0;
		if (quiet == QUIET_MAX && !tail)
			break;
		for (int i = 0; i < code && catting->left > 0; i++) {
			write_record(catting, &records[i]);
			if (records[i].next >= ends[records[i].partition])
				ends[records[i].partition] = 0;
		}
		fflush(stdout);
	}
	bus_reader_close(reader);
	return code < 0 ? code : EXIT_OK;
}

static int bus_cat(struct bus *bus, const struct arguments *arguments, bool tail,
    struct error *error)
{
	struct catting catting = {.raw = arguments_has(arguments, "raw"), .left = UINT64_MAX};
	const char *limit = arguments_get(arguments, "limit");
	enum bus_topic topic = TOPIC_EVENTS;

	if (arguments->word_count > 1 && !bus_topic_parse(str_of(arguments->words[1]), &topic))
		return error_set(error, ERR_USAGE, TEXT_cli_bad_topic, arguments->words[1]);
	if (limit != NULL && !str_to_u64(str_of(limit), &catting.left))
		return error_set(error, ERR_USAGE, TEXT_cli_bad_number, limit);
	if (catting.left == 0)
		catting.left = UINT64_MAX;
	return bus_read(bus, &catting, topic, tail, error);
}

/* Looking at a bus that is not there must not make one. */
static int bus_of(struct context *context, struct bus **ret, struct error *error)
{
	const char *path = context_bus_path(context);

	if (config_number(context->config, CONFIG_BUS_BACKEND) == 0 && access(path, F_OK) != 0)
		return error_set(error, ERR_MISSING, TEXT_cli_no_bus, path);
	return context_bus(context, ret, error);
}

static int bus_run(struct context *context, const struct arguments *arguments)
{
	struct error error = {0};
	struct bus *bus = NULL;
	const char *verb = arguments_verb(arguments, "topics", &error);
	int code = verb == NULL ? error.code : bus_of(context, &bus, &error);
	bool words = verb != NULL && (strcmp(verb, "cat") == 0 || strcmp(verb, "tail") == 0);

	if (code == 0)
		code = arguments_at_most(arguments, words ? 2 : 1, &error);

	if (code == 0 && strcmp(verb, "topics") == 0)
		code = bus_topics(bus, &error);
	else if (code == 0 && strcmp(verb, "offsets") == 0)
		code = bus_offsets(bus, &error);
	else if (code == 0)
		code = bus_cat(bus, arguments, strcmp(verb, "tail") == 0, &error);
	bus_close(bus);
	return code < 0 ? context_fail(&error) : code;
}

const struct command command_bus = {
    .name = "bus",
    .synopsis = "topics | offsets | cat [TOPIC] | tail [TOPIC]",
    .summary = TEXT_cli_bus,
    .description = TEXT_cli_bus_about,
    .examples = (const struct example_row[]){
	{"tocsin bus offsets", TEXT_cli_bus_example},
	{"tocsin bus tail events --raw", TEXT_cli_bus_example2},
	{"tocsin bus cat alerts | jq 'select(.rule) | .rule.title'", TEXT_cli_bus_example3},
	{NULL, TEXT_COUNT}},
    .options = (const struct option_row[]){
	{'r', "raw", NULL, TEXT_cli_opt_raw},
	{'n', "limit", "N", TEXT_cli_opt_limit},
	{0, NULL, NULL, TEXT_COUNT}},
    .verbs = (const char *const[]){"topics", "offsets", "cat", "tail", NULL},
    .words_max = 2,
    .run = bus_run,
};
