#include "correlator/detect.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "correlator/first_seen.h"
#include "correlator/flight.h"
#include "correlator/warming.h"
#include "decoder/decoder.h"
#include "event/detection.h"
#include "event/frame.h"
#include "event/seen.h"

#define EVENT_CEILING ((size_t)64 << 20) /* decoding one event; and what its matches become */
#define MATCHED_MAX   32u
#define CENSUS_ROWS   10000u /* senders whose decoding is counted apart */

struct detect {
	struct detect_options options;
	struct matcher *matcher;
	struct seen *seen;
	struct arena *arena;             /* of what one event's matches become */
	struct decoding *decoding;
	struct flight *flight;           /* empty between records */
	struct census *census;
	struct watermark_source *sources;
	struct buf scratch;
};

struct detect *detect_new(const struct detect_options *options)
{
	struct detect *detect = calloc(1, sizeof(*detect));

	if (detect == NULL)
		return NULL;
	detect->options = *options;
	detect->scratch = BUF(BUS_RECORD_MAX);
	detect->matcher = matcher_new(options->ruleset);
	detect->seen = seen_new();
	detect->arena = arena_new(EVENT_CEILING);
	detect->decoding = decoding_new(options->logsources);
	detect->flight = flight_new(detect->decoding, EVENT_CEILING);
	detect->census = census_new(CENSUS_ROWS);
	detect->sources = calloc(options->partitions + 1, sizeof(*detect->sources));
	if (detect->matcher == NULL || !warming_run(detect->matcher, options->ruleset) ||
	    detect->seen == NULL || detect->arena == NULL || detect->decoding == NULL ||
	    detect->flight == NULL || detect->census == NULL || detect->sources == NULL) {
		detect_free(detect);
		return NULL;
	}
	for (uint32_t i = 0; i < options->partitions; i++)
		detect->sources[i] = WATERMARK_SOURCE;
	return detect;
}

void detect_free(struct detect *detect)
{
	if (detect == NULL)
		return;
	matcher_free(detect->matcher);
	seen_free(detect->seen);
	arena_free(detect->arena);
	flight_free(detect->flight);
	decoding_free(detect->decoding);
	census_free(detect->census);
	free(detect->sources);
	buf_free(&detect->scratch);
	free(detect);
}

struct matcher *detect_swap(struct detect *detect, const struct ruleset *ruleset,
    struct matcher *matcher)
{
	struct matcher *before = detect->matcher;

	detect->matcher = matcher;
	detect->options.ruleset = ruleset;
	return before;
}

const struct matcher *detect_matcher(const struct detect *detect)
{
	return detect->matcher;
}

const struct census *detect_census(const struct detect *detect)
{
	return detect->census;
}

const struct watermark_source *detect_source(const struct detect *detect, uint32_t partition)
{
	CHECK(partition < detect->options.partitions);
	return &detect->sources[partition];
}

void detect_save(const struct detect *detect, uint32_t partition, struct buf *out)
{
	const struct watermark_source *source = detect_source(detect, partition);

	buf_u64(out, (uint64_t)source->latest_ns);
	buf_u64(out, (uint64_t)source->received_ns);
	buf_u64(out, (uint64_t)source->told_ns);
	seen_save(detect->seen, partition, out);
}

int detect_restore(struct detect *detect, uint32_t partition, struct str saved)
{
	struct watermark_source *source = &detect->sources[partition];
	struct str head;

	if (!take_bytes(&saved, 24, &head))
		return ERR_CORRUPT;
	source->latest_ns = (int64_t)get_u64(head.ptr);
	source->received_ns = (int64_t)get_u64(head.ptr + 8);
	source->told_ns = (int64_t)get_u64(head.ptr + 16);
	return seen_restore(detect->seen, partition, saved);
}

void detect_forget(struct detect *detect, uint32_t partition)
{
	detect->sources[partition] = WATERMARK_SOURCE;
	seen_forget(detect->seen, partition);
}

/* ---- one event ---- */

/* An event on its way through the rules. */
struct pass {
	struct detect *detect;
	struct batch *batch;
	const struct flown *flown;
	const struct record *record; /* flown's */
	int64_t time_ns; /* the one that counts */
	uint32_t flags;
};

/* That a match is to be told to a correlation; later steps first (see item_compare). */
struct link {
	uint32_t correlation, step;
	const struct rule *rule;
};

static int link_compare(const void *left, const void *right)
{
	const struct link *a = left, *b = right;

	if (a->correlation != b->correlation)
		return a->correlation < b->correlation ? -1 : 1;
	return a->step > b->step ? -1 : a->step < b->step;
}

static int pass_alert(const struct pass *pass, const struct rule *rule)
{
	struct detect *detect = pass->detect;
	struct alert_pair matched[MATCHED_MAX];
	struct alert alert;

	alert_of_match(&alert, detect->options.site, detect->arena, rule, pass->record,
	    pass->flown->position, pass->time_ns);
	alert.matched = matched;
	alert.matched_count = matcher_explain(detect->matcher, pass->record, rule->index, matched,
	    MATCHED_MAX);
	for (size_t i = 0; i < alert.matched_count; i++)
		matched[i].value = str_slice(matched[i].value, 0, 512);
	if (!alert_post(&alert, detect->options.site, pass->batch,
	    letter_owner(TOPIC_EVENTS, pass->flown->position.partition)))
		return ERR_MEMORY;
	detect->options.stats->alerts_plain++;
	return 0;
}

static struct str group_of(struct detect *detect, struct str value)
{
	return group_text(detect->options.site, detect->arena, value);
}

static bool link_groups(const struct pass *pass, const struct correlation *correlation,
    uint32_t step, struct detection *detection)
{
	if (correlation->group_count > DETECTION_VALUES ||
	    correlation->value_count > DETECTION_VALUES)
		return false; /* the rule loader refuses such rules */
	for (size_t i = 0; i < correlation->group_count; i++) {
		const struct field *field = record_find(pass->record,
		    correlation->fields[step * correlation->group_count + i]);

		if (field == NULL || field->kind == FIELD_NULL)
			return false;
		detection->groups[i] = group_of(pass->detect, field->value);
	}
	detection->group_count = correlation->group_count;
	for (size_t i = 0; i < correlation->value_count; i++) {
		const struct field *field = record_find(pass->record,
		    correlation->values[step * correlation->value_count + i]);

		if (field != NULL && field->kind != FIELD_NULL)
			detection->values[i] = group_of(pass->detect, field->value);
	}
	detection->value_count = correlation->value_count;
	return true;
}

/* The root's id and its group values: all that may meet in one alert goes to one partition. */
static void link_key(const struct pass *pass, const struct rule *rule,
    const struct detection *detection, struct buf *ret)
{
	const struct correlation *correlation = rule->correlation;

	if (correlation == NULL) {
		group_key_put(ret, rule->meta.id);
		for (size_t i = 0; i < detection->group_count; i++)
			group_key_put(ret, detection->groups[i]);
		return;
	}
	const struct rule *root = ruleset_rule(pass->detect->options.ruleset, correlation->root);

	group_key_put(ret, root->meta.id);
	for (size_t i = 0; i < correlation->key_group_count; i++)
		group_key_put(ret, detection->groups[correlation->key_groups[i]]);
}

static struct str host_of(const struct record *record)
{
	static const struct str names[] = {{"host", 4}, {"Computer", 8}};

	for (size_t i = 0; i < 2; i++) {
		const struct field *field = record_find(record, names[i]);

		if (field != NULL && field->value.len > 0)
			return str_slice(field->value, 0, 512);
	}
	return STR_NONE;
}

static int pass_link(const struct pass *pass, const struct link *link)
{
	struct detect *detect = pass->detect;
	const struct rule *rule = ruleset_rule(detect->options.ruleset, link->correlation);
	const struct event *event = pass->record->event;
	struct detection detection = {.correlation = rule->meta.id, .rule = link->rule->meta.id,
	    .time_ns = pass->time_ns, .received_ns = event->received_ns, .at = event->at,
	    .position = pass->flown->position, .agency = str_slice(event->agency, 0, 512),
	    .host = host_of(pass->record), .flags = pass->flags,
	    .replay = detect->options.site->replay};
	struct buf key = BUF(BUS_RECORD_MAX);
	bool done = rule->first_seen != NULL
	    ? first_seen_link(&detection, detect->options.site, detect->arena, rule, pass->record)
	    : link_groups(pass, rule->correlation, link->step, &detection);

	if (!done) {
		detect->options.stats->ungrouped++;
		return 0;
	}
	link_key(pass, rule, &detection, &key);
	buf_clear(&detect->scratch);
	detection_write(&detect->scratch, &detection);
	done = !key.failed && !detect->scratch.failed && pass->flown->whole &&
	    !arena_failed(detect->arena) &&
	    batch_post(pass->batch, letter_owner(TOPIC_EVENTS, pass->flown->position.partition),
	    TOPIC_DETECTIONS, buf_str(&key), buf_str(&detect->scratch));
	buf_free(&key);
	if (done)
		detect->options.stats->detections++;
	return done ? 0 : ERR_MEMORY;
}

static size_t links_add(struct link *links, size_t count, const struct rule *rule)
{
	for (size_t i = 0; i < rule->use_count; i++)
		links[count++] =
		    (struct link){rule->uses[i].correlation, rule->uses[i].step, rule};
	if (rule->first_seen != NULL)
		links[count++] = (struct link){rule->index, 0, rule};
	return count;
}

/* Room for what all the matches feed: as many as there are rules, at worst. */
static struct link *links_room(const struct pass *pass)
{
	const struct ruleset *ruleset = pass->detect->options.ruleset;
	size_t most = 0;

	for (size_t i = 0; i < pass->flown->match_count; i++)
		most += ruleset_rule(ruleset, pass->flown->matches[i])->use_count + 1;
	return arena_array(pass->detect->arena, most + 1, sizeof(struct link));
}

static int pass_links(const struct pass *pass, struct link *links, size_t count)
{
	int code = 0;

	if (count > 1)
		qsort(links, count, sizeof(*links), link_compare);
	for (size_t i = 0; code == 0 && i < count; i++) {
		bool told = false;

		/* A rule that is several steps of one correlation is told once. */
		for (size_t j = i; !told && j-- > 0 &&
		    links[j].correlation == links[i].correlation;)
			told = links[j].rule == links[i].rule;
		if (!told)
			code = pass_link(pass, &links[i]);
	}
	return code;
}

static int pass_matches(const struct pass *pass)
{
	struct detect *detect = pass->detect;
	size_t link_count = 0, count = pass->flown->match_count;

	arena_reset(detect->arena);
	struct link *links = links_room(pass);
	int code = links != NULL ? 0 : ERR_MEMORY;

	detect->options.stats->matches += count;
	for (size_t i = 0; code == 0 && i < count; i++) {
		const struct rule *rule = ruleset_rule(detect->options.ruleset,
		    pass->flown->matches[i]);

		link_count = links_add(links, link_count, rule);
		if (!rule->silent && rule->first_seen == NULL)
			code = pass_alert(pass, rule);
	}
	return code == 0 ? pass_links(pass, links, link_count) : code;
}

/* Whose matches become what. */
struct landing {
	struct detect *detect;
	struct batch *batch;
};

static int detect_land(void *context, const struct flown *flown)
{
	const struct landing *landing = context;
	struct detect *detect = landing->detect;
	const struct record *record = flown->record;
	const struct event *event = record->event;
	struct pass pass = {.detect = detect, .batch = landing->batch, .flown = flown,
	    .record = record, .flags = event->flags};
	bool skewed;

	detect->options.stats->events++;
	detect->options.stats->undecoded += str_ends(record->decoders, STR("plain"));
	pass.time_ns = watermark_clamp(record->time_ns, event->received_ns,
	    detect->options.skew_ns, &skewed);
	if (skewed) {
		pass.flags |= EVENT_CLOCK_SKEW;
		detect->options.stats->skewed++;
	}
	census_note(detect->census, record, skewed);
	watermark_source_add(&detect->sources[flown->position.partition], pass.time_ns,
	    event->received_ns);
	return flown->match_count > 0 ? pass_matches(&pass) : 0;
}

/* ---- flights ---- */

static int detect_run(struct detect *detect, struct batch *batch)
{
	struct landing landing = {detect, batch};

	return flight_run(detect->flight, detect->matcher, detect_land, &landing);
}

/* What becomes of it may be known only when the flight is run: at the latest by detect_record. */
static int detect_event(struct detect *detect, const struct position *position, struct batch *batch)
{
	return flight_add(detect->flight, position) ? detect_run(detect, batch) : 0;
}

/* ---- one record ---- */

static int detect_frame(struct detect *detect, const struct bus_record *record, struct frame *frame,
    struct batch *batch)
{
	struct position position = {record->partition, record->offset, 0};
	int code = 0;

	for (;;) {
		position.index = frame->index;
		if (code < 0 || !frame_next(frame, flight_seat(detect->flight)))
			break;
		code = detect_event(detect, &position, batch);
	}
	if (code == 0 && frame->index < frame->head.count)
		detect->options.stats->damaged++;
	return code;
}

/*
 * Frames of what others wrote first may overlap in part, where the topic was read again from some
 * offset: each event stands for itself, and names the one before it.
 */
static int detect_kept(struct detect *detect, const struct bus_record *record, struct frame *frame,
    struct batch *batch)
{
	struct position position = {record->partition, record->offset, 0};
	struct frame_head one = frame->head;
	int code = 0;

	one.count = 1;
	for (;;) {
		position.index = frame->index;
		struct event *event = flight_seat(detect->flight);

		if (code < 0 || !frame_next(frame, event))
			break;
		one.first = event->at.counter;
		code = seen_frame(detect->seen, record->partition, &one);
		one.previous = one.first;
		if (code == SEEN_REPEAT)
			detect->options.stats->repeats++;
		else if (code == SEEN_NEW)
			code = detect_event(detect, &position, batch);
	}
	if (code >= 0 && frame->index < frame->head.count)
		detect->options.stats->damaged++;
	return code < 0 ? code : 0;
}

static void detect_told(struct detect *detect, const struct bus_record *record,
    const struct frame *frame)
{
	int64_t *told_ns = &detect->sources[record->partition].told_ns;

	if (frame->head.made_ns > *told_ns)
		*told_ns = frame->head.made_ns;
}

static int detect_ours(struct detect *detect, const struct bus_record *record, struct frame *frame,
    struct batch *batch, bool *ret_tick)
{
	struct worker_stats *stats = detect->options.stats;

	if ((frame->head.flags & FRAME_KEPT) != 0 && frame->head.type == FRAME_EVENTS) {
		detect_told(detect, record, frame);
		return detect_kept(detect, record, frame, batch);
	}
	int seen = seen_frame(detect->seen, record->partition, &frame->head);

	if (seen < 0)
		return seen;
	if (seen == SEEN_REPEAT) {
		stats->repeats++;
		return 0;
	}
	detect_told(detect, record, frame);
	switch (frame->head.type) {
	case FRAME_EVENTS:
		return detect_frame(detect, record, frame, batch);
	case FRAME_TICK:
		stats->ticks++;
		*ret_tick = true;
		watermark_source_add(&detect->sources[record->partition], frame->head.made_ns,
		    frame->head.made_ns);
		return 0;
	case FRAME_GAP:
		stats->gaps++;
		return 0;
	}
	return 0;
}

/*
 * One event of ours as JSON. It does not name the counter before it, so it stands for itself alone:
 * SEEN_INTERVALS counters that do not touch are told apart, and what is older than all of those is
 * taken for a repeat.
 */
static int detect_json(struct detect *detect, const struct event *event,
    const struct position *position, struct batch *batch)
{
	struct frame_head head = {.type = FRAME_EVENTS, .collector = event->at.collector,
	    .epoch = event->at.epoch, .first = event->at.counter, .count = 1,
	    .previous = event->at.counter == 0 ? FRAME_NO_COUNT : event->at.counter - 1};

	if (event->at.counter == FRAME_NO_COUNT) {
		detect->options.stats->damaged++;
		return 0;
	}
	int seen = seen_frame(detect->seen, position->partition, &head);

	if (seen == SEEN_REPEAT)
		detect->options.stats->repeats++;
	return seen == SEEN_NEW ? detect_event(detect, position, batch)
	    : seen < 0 ? seen : 0;
}

static int detect_foreign(struct detect *detect, const struct bus_record *record,
    struct batch *batch)
{
	struct position position = {record->partition, record->offset, 0};
	int64_t time_ns = record->time_ns != 0 ? record->time_ns : batch->now_ns;
	struct event *event = flight_seat(detect->flight);

	/* In the batch's arena: that of the flight is reset when the event is taken up. */
	if (frame_read_json(batch->arena, record->value, event))
		return detect_json(detect, event, &position, batch);
	detect->options.stats->foreign++;
	frame_foreign(detect->options.identity, bus_topic_name(TOPIC_EVENTS), position, time_ns,
	    record->value, event);
	return detect_event(detect, &position, batch);
}

int detect_record(struct detect *detect, const struct bus_record *record, struct batch *batch,
    bool *ret_tick, struct error *error)
{
	struct frame frame;
	int code = 0;

	switch (frame_read(record->value, &frame)) {
	case FRAME_OK:
		code = detect_ours(detect, record, &frame, batch, ret_tick);
		break;
	case FRAME_NOT_OURS:
		code = detect_foreign(detect, record, batch);
		break;
	case FRAME_UNKNOWN:
		detect->options.stats->skipped++;
		break;
	case FRAME_DAMAGED:
		detect->options.stats->damaged++;
		break;
	}
	/* What is in the flight came before what went wrong. */
	int landed = detect_run(detect, batch);

	if (landed < 0)
		code = landed;
	return code < 0 ? error_set(error, code, TEXT_base_memory) : 0;
}
