/*
 * Layout, little-endian: magic, version, partition, sources, offset; watermark; newest event, and
 * what was told of evictions; repeats of each source; rules (id, hash); early, settled and docket
 * tables; pending detections; groups that go by time (snapshot_cohort.c), early and settled. Rules
 * are told by their place in that list. Windows are written oldest touch first, so that reading
 * them in turn gives the same order of eviction.
 */
#include "correlator/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "correlator/snapshot_state.h"

#define SNAPSHOT_MAGIC   0x736e4354u /* "TCns" */
#define SNAPSHOT_VERSION 3u
#define HEAD_SIZE        24u
#define MARK_SIZE        61u

/* ---- writing ---- */

void text_write(struct buf *out, struct str text)
{
	buf_u32(out, (uint32_t)text.len);
	buf_str_put(out, text);
}

void decimal_write(struct buf *out, decimal value)
{
	buf_u64(out, (uint64_t)value);
	buf_u64(out, (uint64_t)(value >> 64));
}

static bool rule_is_listed(const struct rule *rule)
{
	return rule->kind == RULE_CORRELATION || rule->use_count > 0 || rule->first_seen != NULL;
}

static void rules_write(struct writer *writer)
{
	const struct ruleset *ruleset = writer->correlate->options.ruleset;
	size_t count = ruleset_count(ruleset);
	uint32_t listed = 0;

	for (uint32_t i = 0; i < count; i++)
		writer->places[i] = rule_is_listed(ruleset_rule(ruleset, i)) ? listed++ : RULE_GONE;
	buf_u32(writer->out, listed);
	for (uint32_t i = 0; i < count; i++) {
		const struct rule *rule = ruleset_rule(ruleset, i);

		if (writer->places[i] == RULE_GONE)
			continue;
		text_write(writer->out, rule->meta.id);
		buf_u64(writer->out, rule->meta.hash.high);
		buf_u64(writer->out, rule->meta.hash.low);
	}
}

static void place_write(struct buf *out, struct coordinate at, struct position position)
{
	buf_u64(out, at.collector);
	buf_u64(out, at.epoch);
	buf_u64(out, at.counter);
	buf_u32(out, position.partition);
	buf_u64(out, position.offset);
	buf_u32(out, position.index);
}

void part_write(struct writer *writer, const struct part *part)
{
	buf_u64(writer->out, (uint64_t)part->time_ns);
	place_write(writer->out, part->at, part->position);
	buf_u32(writer->out, writer->places[part->rule]);
}

void parts_write(struct writer *writer, const struct parts *parts)
{
	buf_u32(writer->out, parts->count);
	buf_u64(writer->out, parts->cut);
	for (uint32_t i = 0; i < parts->count; i++)
		part_write(writer, &parts->list[i]);
}

static void mark_write(struct writer *writer, const struct mark *mark)
{
	buf_u64(writer->out, (uint64_t)mark->time_ns);
	place_write(writer->out, mark->at, mark->position);
	buf_u64(writer->out, mark->value);
	buf_u32(writer->out, writer->places[mark->rule]);
	buf_u8(writer->out, (uint8_t)(mark->used | (mark->parts != NULL) << 1));
	if (mark->parts != NULL)
		parts_write(writer, mark->parts);
}

static void docket_write(struct buf *out, const struct docket *docket)
{
	buf_u32(out, docket->early_count);
	for (uint32_t i = 0; i < docket->early_count; i++) {
		const struct early *early = docket_at(docket, i);

		buf_u64(out, early->id.high);
		buf_u64(out, early->id.low);
		buf_u64(out, (uint64_t)early->time_ns);
	}
	buf_u8(out, docket->untracked);
	buf_u64(out, (uint64_t)docket->last_ns);
	text_write(out, docket->last != NULL ? str_from(docket->last, docket->last_len) : STR_NONE);
}

static void window_write(struct writer *writer, const struct window *window)
{
	const struct docket *docket = window_docket(window);

	buf_u32(writer->out, writer->places[window_correlation(window)]);
	text_write(writer->out, window_key(window));
	buf_u64(writer->out, (uint64_t)window->latest_ns);
	buf_u32(writer->out, window->count);
	for (uint32_t i = 0; i < window->count; i++) {
		struct mark mark = window_mark(window, i);

		mark_write(writer, &mark);
	}
	buf_u8(writer->out, docket != NULL);
	if (docket != NULL)
		docket_write(writer->out, docket);
}

static int touch_compare(const void *left, const void *right)
{
	const struct window *a = *(struct window *const *)left, *b = *(struct window *const *)right;

	return window_touched(a) < window_touched(b) ? -1 : window_touched(a) > window_touched(b);
}

static void table_write(struct writer *writer, const struct window_table *table)
{
	struct window **windows = calloc(table->count + 1, sizeof(struct window *));
	size_t count = 0;

	if (windows == NULL) {
		writer->out->failed = true;
		return;
	}
	for (uint32_t i = 0; i < table->order.list_count; i++)
		for (struct window *window = window_oldest(table, i); window != NULL;
		    window = window_newer(window))
			windows[count++] = window;
	CHECK(count == table->count);
	qsort(windows, count, sizeof(*windows), touch_compare);
	buf_u64(writer->out, table->evicted);
	buf_u32(writer->out, (uint32_t)count);
	for (size_t i = 0; i < count; i++)
		window_write(writer, windows[i]);
	free(windows);
}

void completion_write(struct buf *out, const struct completion *event)
{
	buf_u64(out, (uint64_t)event->time_ns);
	buf_u64(out, (uint64_t)event->received_ns);
	place_write(out, event->at, event->position);
	text_write(out, event->agency);
	text_write(out, event->host);
}

static void item_write(struct writer *writer, const struct item *item)
{
	buf_u32(writer->out, writer->places[item->correlation]);
	buf_u32(writer->out, item->step);
	completion_write(writer->out, &item->event);
	buf_u64(writer->out, item->value);
	buf_u8(writer->out, (uint8_t)(item->has_value | item->has_number << 1));
	if (item->has_number)
		decimal_write(writer->out, item->number);
	text_write(writer->out, item->key);
}

void snapshot_write(struct buf *out, const struct correlate *correlate, uint64_t offset)
{
	struct writer writer = {.out = out, .correlate = correlate,
	    .places = calloc(ruleset_count(correlate->options.ruleset) + 1, sizeof(uint32_t))};

	if (writer.places == NULL) {
		out->failed = true;
		return;
	}
	buf_u32(out, SNAPSHOT_MAGIC);
	buf_u32(out, SNAPSHOT_VERSION);
	buf_u32(out, correlate->options.partition);
	buf_u32(out, correlate->options.sources);
	buf_u64(out, offset);
	watermark_write(out, &correlate->watermark);
	buf_u64(out, (uint64_t)correlate->newest_ns);
	buf_u64(out, correlate->evicted_told);
	buf_u64(out, (uint64_t)correlate->evicted_told_ns);
	for (uint32_t i = 0; i < correlate->options.sources; i++)
		repeat_write(out, &correlate->repeats[i]);
	rules_write(&writer);
	table_write(&writer, &correlate->early);
	table_write(&writer, &correlate->settled);
	table_write(&writer, &correlate->dockets);
	buf_u32(out, (uint32_t)pending_count(correlate));
	for (size_t i = 0; i < pending_count(correlate); i++)
		item_write(&writer, pending_at(correlate, i));
	cohorts_write(&writer, &correlate->early_cohorts);
	cohorts_write(&writer, &correlate->settled_cohorts);
	free(writer.places);
}

/* ---- reading ---- */

uint32_t read_u32(struct reader *reader, bool *ok)
{
	struct str bytes;

	*ok = *ok && take_bytes(&reader->rest, 4, &bytes);
	return *ok ? get_u32(bytes.ptr) : 0;
}

uint64_t read_u64(struct reader *reader, bool *ok)
{
	struct str bytes;

	*ok = *ok && take_bytes(&reader->rest, 8, &bytes);
	return *ok ? get_u64(bytes.ptr) : 0;
}

uint8_t read_u8(struct reader *reader, bool *ok)
{
	struct str bytes;

	*ok = *ok && take_bytes(&reader->rest, 1, &bytes);
	return *ok ? (uint8_t)bytes.ptr[0] : 0;
}

decimal read_decimal(struct reader *reader, bool *ok)
{
	uint64_t low = read_u64(reader, ok), high = read_u64(reader, ok);

	return (decimal)(int64_t)high * ((decimal)1 << 64) + (decimal)low;
}

struct str read_text(struct reader *reader, bool *ok)
{
	struct str text = STR_NONE;
	uint32_t len = read_u32(reader, ok);

	*ok = *ok && take_bytes(&reader->rest, len, &text);
	return text;
}

uint32_t read_rule(struct reader *reader, bool *ok)
{
	uint32_t place = read_u32(reader, ok);

	if (place == RULE_GONE)
		return RULE_GONE;
	*ok = *ok && place < reader->rule_count;
	return *ok ? reader->rules[place] : RULE_GONE;
}

static bool rules_read(struct reader *reader)
{
	bool ok = true;
	uint32_t count = read_u32(reader, &ok);

	if (!ok || count > reader->rest.len / 20)
		return false;
	reader->rules = calloc(count + 1u, sizeof(*reader->rules));
	if (reader->rules == NULL) {
		reader->short_of_memory = true;
		return false;
	}
	reader->rule_count = count;
	memset(reader->correlate->strange, true,
	    ruleset_count(reader->correlate->options.ruleset) * sizeof(bool));
	for (uint32_t i = 0; i < count && ok; i++) {
		struct str id = read_text(reader, &ok);
		struct hash128 hash = {0, 0};

		hash.high = read_u64(reader, &ok);
		hash.low = read_u64(reader, &ok);
		const struct rule *rule = ok ? ruleset_find(reader->correlate->options.ruleset, id)
		    : NULL;

		reader->rules[i] = rule != NULL && str_eq(rule->meta.id, id) &&
		    hash128_eq(rule->meta.hash, hash) ? rule->index : RULE_GONE;
		if (reader->rules[i] != RULE_GONE)
			reader->correlate->strange[reader->rules[i]] = false;
	}
	return ok;
}

static void read_place(struct reader *reader, bool *ok, struct coordinate *at,
    struct position *position)
{
	at->collector = read_u64(reader, ok);
	at->epoch = read_u64(reader, ok);
	at->counter = read_u64(reader, ok);
	position->partition = read_u32(reader, ok);
	position->offset = read_u64(reader, ok);
	position->index = read_u32(reader, ok);
}

void read_part(struct reader *reader, bool *ok, struct part *ret)
{
	ret->time_ns = (int64_t)read_u64(reader, ok);
	read_place(reader, ok, &ret->at, &ret->position);
	ret->rule = read_rule(reader, ok);
	if (ret->rule == RULE_GONE)
		ret->rule = 0; /* a step that has changed: only its name in the evidence */
}

struct parts *parts_read(struct reader *reader, bool *ok)
{
	uint32_t count = read_u32(reader, ok);
	uint64_t cut = read_u64(reader, ok);

	*ok = *ok && count <= ALERT_EVENTS;
	if (!*ok)
		return NULL;
	struct parts *parts = malloc(sizeof(*parts) + count * sizeof(parts->list[0]));

	if (parts == NULL) {
		reader->short_of_memory = true;
		*ok = false;
		return NULL;
	}
	*parts = (struct parts){.references = 1, .count = count, .cut = cut};
	for (uint32_t i = 0; i < count; i++)
		read_part(reader, ok, &parts->list[i]);
	return parts;
}

/* The caller releases mark->parts in each case. */
static void mark_read(struct reader *reader, bool *ok, struct mark *mark)
{
	*mark = (struct mark){.time_ns = (int64_t)read_u64(reader, ok)};
	read_place(reader, ok, &mark->at, &mark->position);
	mark->value = read_u64(reader, ok);
	mark->rule = read_rule(reader, ok);
	if (mark->rule == RULE_GONE)
		mark->rule = 0;
	uint8_t flags = read_u8(reader, ok);

	mark->used = (flags & 1) != 0;
	if (*ok && (flags & 2) != 0)
		mark->parts = parts_read(reader, ok);
}

static struct docket *docket_read(struct reader *reader, bool *ok)
{
	struct docket *docket = calloc(1, sizeof(*docket));

	if (docket == NULL) {
		reader->short_of_memory = true;
		*ok = false;
		return NULL;
	}
	uint32_t count = read_u32(reader, ok);

	*ok = *ok && count <= EARLIES_MAX;
	for (uint32_t i = 0; *ok && i < count; i++) {
		struct early early = {.id.high = read_u64(reader, ok)};

		early.id.low = read_u64(reader, ok);
		early.time_ns = (int64_t)read_u64(reader, ok);
		if (*ok && !docket_push(docket, early)) {
			reader->short_of_memory = true;
			*ok = false;
		}
	}
	docket->untracked = read_u8(reader, ok) != 0;
	docket->last_ns = (int64_t)read_u64(reader, ok);
	struct str last = read_text(reader, ok);

	if (*ok && last.len > 0 && (docket->last = malloc(last.len)) != NULL) {
		memcpy(docket->last, last.ptr, last.len);
		docket->last_len = (uint32_t)last.len;
	}
	return docket;
}

/*
 * Slots that a type makes use of: as it wrote them, or the types' own arithmetic would not hold.
 * The window fits when no type can be given more marks, or other ones, than it keeps itself.
 */
static bool marks_fit(const struct correlation *correlation, uint32_t count)
{
	uint64_t steps = correlation->rule_count;

	switch (correlation->type) {
	case CORRELATION_TEMPORAL_ORDERED:
		for (uint64_t step = 0; step < steps; step++)
			if (count == (step + 1) * (step + 2) / 2)
				return true;
		return false;
	case CORRELATION_TEMPORAL:
		return count > 0 && count < steps;
	case CORRELATION_EVENT_COUNT:
	case CORRELATION_VALUE_COUNT:
		return count > 0 && count < correlation->condition.min;
	case CORRELATION_VALUE_SUM:
	case CORRELATION_VALUE_AVG:
	case CORRELATION_VALUE_PERCENTILE:
	case CORRELATION_VALUE_MEDIAN:
	case CORRELATION_COUNT:
		break;
	}
	return false;
}

static bool marks_read(struct reader *reader, struct window *window, uint32_t count)
{
	bool ok = count <= reader->rest.len / MARK_SIZE;

	for (uint32_t i = 0; ok && i < count; i++) {
		struct mark mark;

		mark_read(reader, &ok, &mark);
		if (ok && window != NULL && !window_append(window, &mark)) {
			reader->short_of_memory = true;
			ok = false;
		}
		parts_release(mark.parts);
	}
	return ok;
}

static bool ledgers_read(struct reader *reader, struct window *window)
{
	bool ok = true;
	uint8_t has = read_u8(reader, &ok);

	if (!ok || has == 0)
		return ok;
	struct docket *docket = docket_read(reader, &ok);

	if (docket != NULL && window != NULL && ok && window->count == 0 &&
	    window_docket(window) == NULL) {
		window_docket_set(window, docket);
	} else {
		docket_free(docket);
	}
	return ok;
}

static struct window *window_place(struct reader *reader, struct window_table *table,
    uint32_t correlation, struct str key)
{
	const struct rule *rule = correlation == RULE_GONE ? NULL
	    : ruleset_rule(reader->correlate->options.ruleset, correlation);
	bool first_seen = rule != NULL && rule->first_seen != NULL &&
	    table == &reader->correlate->dockets;

	if (rule == NULL || (rule->kind != RULE_CORRELATION && !first_seen)) {
		reader->dropped++;
		return NULL;
	}
	return window_get(table, correlation, key);
}

static bool window_read(struct reader *reader, struct window_table *table, bool dockets)
{
	bool ok = true;
	uint32_t correlation = read_rule(reader, &ok);
	struct str key = read_text(reader, &ok);
	int64_t latest_ns = (int64_t)read_u64(reader, &ok);
	uint32_t count = read_u32(reader, &ok);
	uint64_t dropped = reader->dropped;

	if (!ok || (dockets && count > 0))
		return false;
	struct window *window = window_place(reader, table, correlation, key);

	if (window == NULL && reader->dropped == dropped) {
		reader->short_of_memory = true;
		return false;
	}
	if (window != NULL) {
		const struct correlation *shape =
		    ruleset_rule(reader->correlate->options.ruleset, correlation)->correlation;

		if (window->count > 0 || window_docket(window) != NULL)
			return false; /* twice */
		if (!dockets && (shape->course != COURSE_ARRIVAL || !marks_fit(shape, count)))
			return false;
		window->latest_ns = latest_ns;
	}
	return marks_read(reader, window, count) && ledgers_read(reader, window);
}

static bool table_read(struct reader *reader, struct window_table *table, bool dockets)
{
	bool ok = true;
	uint64_t evicted = read_u64(reader, &ok);
	uint32_t count = read_u32(reader, &ok);

	for (uint32_t i = 0; ok && i < count; i++)
		ok = window_read(reader, table, dockets);
	table->evicted += evicted;
	return ok;
}

/* What decimal_parse could have given. */
static bool is_number(decimal value)
{
	decimal most = DECIMAL_ONE * DECIMAL_ONE * DECIMAL_ONE;

	return value < most && value > -most;
}

static bool item_keep(struct reader *reader, const struct item *from)
{
	const struct rule *rule;
	struct item *item;

	if (from->correlation == RULE_GONE) {
		reader->dropped++;
		return true;
	}
	rule = ruleset_rule(reader->correlate->options.ruleset, from->correlation);
	if (rule->first_seen == NULL &&
	    (rule->correlation == NULL || from->step >= rule->correlation->rule_count))
		return false;
	item = item_new(&from->event, from->key);
	if (item == NULL) {
		reader->short_of_memory = true;
		return false;
	}
	item->correlation = from->correlation;
	item->step = from->step;
	item_name(reader->correlate, item);
	item->rule = rule->first_seen != NULL ? rule->index : rule->correlation->rules[from->step];
	item->value = from->value;
	item->has_value = from->has_value;
	item->number = from->number;
	item->has_number = from->has_number;
	if (pending_put(reader->correlate, item))
		return true;
	free(item);
	reader->short_of_memory = true;
	return false;
}

void read_completion(struct reader *reader, bool *ok, struct completion *ret)
{
	ret->time_ns = (int64_t)read_u64(reader, ok);
	ret->received_ns = (int64_t)read_u64(reader, ok);
	read_place(reader, ok, &ret->at, &ret->position);
	ret->agency = read_text(reader, ok);
	ret->host = read_text(reader, ok);
}

static bool item_read(struct reader *reader)
{
	bool ok = true;
	struct item item = {.correlation = read_rule(reader, &ok)};

	item.step = read_u32(reader, &ok);
	read_completion(reader, &ok, &item.event);
	item.value = read_u64(reader, &ok);
	uint8_t flags = read_u8(reader, &ok);

	item.has_value = (flags & 1) != 0;
	item.has_number = (flags & 2) != 0;
	if (item.has_number)
		item.number = read_decimal(reader, &ok);
	item.key = read_text(reader, &ok);
	return ok && is_number(item.number) && item_keep(reader, &item);
}

static bool body_read(struct reader *reader)
{
	struct correlate *correlate = reader->correlate;
	bool ok = watermark_read(&reader->rest, &correlate->watermark);

	correlate->newest_ns = (int64_t)read_u64(reader, &ok);
	correlate->evicted_told = read_u64(reader, &ok);
	correlate->evicted_told_ns = (int64_t)read_u64(reader, &ok);
	for (uint32_t i = 0; ok && i < correlate->options.sources; i++)
		ok = repeat_read(&reader->rest, &correlate->repeats[i]);
	ok = ok && rules_read(reader) && table_read(reader, &correlate->early, false) &&
	    table_read(reader, &correlate->settled, false) &&
	    table_read(reader, &correlate->dockets, true);
	uint32_t count = read_u32(reader, &ok);

	for (uint32_t i = 0; ok && i < count; i++)
		ok = item_read(reader);
	ok = ok && cohorts_read(reader, &correlate->early_cohorts) &&
	    cohorts_read(reader, &correlate->settled_cohorts);
	return ok && reader->rest.len == 0;
}

int snapshot_read(struct str bytes, struct correlate *correlate, uint64_t *ret_offset,
    uint64_t *ret_dropped)
{
	struct reader reader = {.rest = bytes, .correlate = correlate};
	struct str head;

	if (!take_bytes(&reader.rest, HEAD_SIZE, &head) || get_u32(head.ptr) != SNAPSHOT_MAGIC)
		return ERR_CORRUPT;
	if (get_u32(head.ptr + 4) != SNAPSHOT_VERSION)
		return ERR_VERSION;
	if (get_u32(head.ptr + 8) != correlate->options.partition ||
	    get_u32(head.ptr + 12) != correlate->options.sources)
		return ERR_FOREIGN;
	*ret_offset = get_u64(head.ptr + 16);
	bool ok = body_read(&reader);

	free(reader.rules);
	*ret_dropped = reader.dropped;
	if (!ok)
		return reader.short_of_memory ? ERR_MEMORY : ERR_CORRUPT;
	return 0;
}
