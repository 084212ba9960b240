#include "correlator/correlate.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "correlator/correlate_state.h"
#include "correlator/correlate_type.h"
#include "correlator/evidence.h"

#define KEY_MAX ((size_t)DETECTION_VALUES * 65536u) /* of what is chained */

/* ---- birth and death ---- */

static bool correlations_list(struct correlate *correlate)
{
	const struct ruleset *ruleset = correlate->options.ruleset;
	size_t count = ruleset_count(ruleset);

	correlate->correlations = calloc(count + 1, sizeof(*correlate->correlations));
	if (correlate->correlations == NULL)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (ruleset_rule(ruleset, i)->kind == RULE_CORRELATION)
			correlate->correlations[correlate->correlation_count++] = i;
	return true;
}

struct correlate *correlate_new(const struct correlate_options *options)
{
	struct correlate *correlate = calloc(1, sizeof(*correlate));
	uint32_t rules = (uint32_t)ruleset_count(options->ruleset);

	if (correlate == NULL)
		return NULL;
	correlate->options = *options;
	watermark_begin(&correlate->watermark, options->sources);
	correlate->newest_ns = correlate->evicted_told_ns = WATERMARK_NONE;
	correlate->strange = calloc(rules + 1, sizeof(*correlate->strange));
	correlate->repeats = calloc(options->sources + 1, sizeof(*correlate->repeats));
	correlate->first_seen = first_seen_new(options);
	for (uint32_t i = 0; correlate->repeats != NULL && i < options->sources; i++)
		correlate->repeats[i] = REPEAT_NONE;
	if (correlate->repeats != NULL && correlate->strange != NULL &&
	    correlate->first_seen != NULL &&
	    correlations_list(correlate) &&
	    window_table_begin(&correlate->early, rules, options->groups_max) &&
	    window_table_begin(&correlate->settled, rules, options->groups_max) &&
	    window_table_begin(&correlate->dockets, rules, options->groups_max) &&
	    cohort_table_begin(&correlate->early_cohorts, options->groups_max) &&
	    cohort_table_begin(&correlate->settled_cohorts, options->groups_max))
		return correlate;
	correlate_free(correlate);
	return NULL;
}

void correlate_free(struct correlate *correlate)
{
	if (correlate == NULL)
		return;
	window_table_end(&correlate->early);
	window_table_end(&correlate->settled);
	window_table_end(&correlate->dockets);
	cohort_table_end(&correlate->early_cohorts);
	cohort_table_end(&correlate->settled_cohorts);
	for (uint32_t i = 0; correlate->repeats != NULL && i < correlate->options.sources; i++)
		repeat_end(&correlate->repeats[i]);
	pending_end(correlate);
	first_seen_free(correlate->first_seen);
	free(correlate->strange);
	free(correlate->repeats);
	free(correlate->correlations);
	free(correlate);
}

int64_t correlate_watermark(const struct correlate *correlate)
{
	return correlate->watermark.now_ns;
}

bool correlate_has_strangers(const struct correlate *correlate)
{
	for (uint32_t i = 0; i < correlate->correlation_count; i++)
		if (correlate->strange[correlate->correlations[i]])
			return true;
	return first_seen_has_strangers(correlate);
}

void correlate_count(const struct correlate *correlate, struct worker_stats *ret)
{
	const struct cohort_table *early = &correlate->early_cohorts;
	const struct cohort_table *settled = &correlate->settled_cohorts;

	ret->groups += correlate->early.count + correlate->settled.count + early->count +
	    settled->count;
	ret->cut += early->cut + settled->cut;
	ret->evicted += correlate->early.evicted + correlate->settled.evicted +
	    correlate->dockets.evicted + early->evicted + settled->evicted;
	ret->pending += pending_count(correlate);
	first_seen_count(correlate->first_seen, ret);
}

/* ---- feeding a machine ---- */

static struct str rule_id_at(const void *context, uint32_t index)
{
	const struct correlate *correlate = context;

	return ruleset_rule(correlate->options.ruleset, index)->meta.id;
}

/* What was compared, as one more of the fields that matched. */
static void alert_measure(struct alert *alert, struct arena *arena, const struct rule *rule,
    decimal measured)
{
	const struct correlation *correlation = rule->correlation;
	struct buf text = BUF(64);

	alert->matched = arena_array(arena, 1, sizeof(*alert->matched));
	decimal_put(&text, measured);
	struct str value = arena_dup(arena, buf_str(&text));

	buf_free(&text);
	if (alert->matched == NULL || value.ptr == NULL)
		return;
	struct str name = correlation->value_count == 0 ? rule->meta.kind
	    : arena_printf(arena, "%.*s(%.*s)", STR_ARG(rule->meta.kind),
	    STR_ARG(str_slice(correlation->value_fields[0], 0, 256)));

	alert->matched[alert->matched_count++] = (struct alert_pair){name, value};
}

static bool shows_early(const struct correlation *correlation)
{
	return correlation->course == COURSE_ARRIVAL ||
	    (correlation->course == COURSE_PATTERN && !correlation->waits);
}

/* Shown or settled, unless the correlation only feeds others. */
static int run_alert(struct run *run, const struct rule *rule, const struct item *item,
    const struct parts *parts, const decimal *measured)
{
	struct alert alert;

	if (rule->silent)
		return 0;
	alert_of_window(&alert, run->correlate->options.site, run->batch->arena, rule, item->key,
	    parts, &item->event, rule_id_at, run->correlate);
	if (measured != NULL)
		alert_measure(&alert, run->batch->arena, rule, *measured);
	if (arena_failed(run->batch->arena))
		return ERR_MEMORY;
	if (!shows_early(rule->correlation))
		return alert_settle(run, &alert);
	return run->settled ? docket_settled(run, rule, item->key, &alert)
	    : docket_early(run, rule, item->key, &alert);
}

/* The value of an inner correlation's group of that name. */
static bool group_value(const struct correlation *inner, struct str key, struct str name,
    struct str *ret)
{
	for (size_t i = 0; i < inner->group_count && group_key_take(&key, ret); i++)
		if (str_eq(inner->group_by[i], name))
			return true;
	return false;
}

static bool chained_key(const struct correlation *outer, uint32_t step,
    const struct correlation *inner, struct str key, struct buf *ret)
{
	struct str value;

	for (size_t i = 0; i < outer->group_count; i++) {
		if (!group_value(
			inner, key, outer->fields[step * outer->group_count + i], &value))
			return false;
		group_key_put(ret, value);
	}
	return !ret->failed;
}

static bool chained_value(const struct run *run, const struct correlation *outer, uint32_t step,
    const struct correlation *inner, const struct item *item, struct item *ret)
{
	struct buf values = BUF(KEY_MAX);
	struct str value;
	bool all = outer->value_count > 0;

	for (size_t i = 0; all && i < outer->value_count; i++) {
		all = group_value(inner, item->key, outer->values[step * outer->value_count + i],
		    &value);
		if (all)
			group_key_put(&values, value);
		ret->has_number = all && decimal_parse(value, &ret->number);
	}
	ret->value = hash_sip64(run->correlate->options.site->key, buf_str(&values));
	buf_free(&values);
	return all;
}

/* ---- one event, several rules ---- */

static bool once_is_of(const struct once *once, const struct completion *event)
{
	return once->time_ns == event->time_ns && coordinate_compare(once->at, event->at) == 0;
}

static bool once_knows(const struct once *once, const struct item *item)
{
	if (once->count == 0 || !once_is_of(once, &item->event))
		return false;
	for (size_t i = 0; i < once->count; i++)
		if (once->names[i].correlation == item->correlation &&
		    hash128_eq(once->names[i].hash, item->name.hash))
			return true;
	return false;
}

static bool is_chained(const struct run *run, const struct item *item)
{
	return ruleset_rule(run->correlate->options.ruleset, item->rule)->kind == RULE_CORRELATION;
}

static struct machine_once *once_of(const struct run *run)
{
	return run->settled ? &run->correlate->settled_once : &run->correlate->early_once;
}

/*
 * Settled, what one event is for one correlation comes in one go, and has a few groups at most; but
 * what it makes inner correlations do comes before that. Of what is early and is forgotten here,
 * the settled one decides.
 */
static void once_put(struct once *once, const struct item *item, bool in_one_go)
{
	if (!once_is_of(once, &item->event) || once->count == ONCE_NAMES ||
	    (in_one_go && once->names[0].correlation != item->correlation))
		once->count = 0;
	once->time_ns = item->event.time_ns;
	once->at = item->event.at;
	once->names[once->count++] = item->name;
}

/* Of several rules. What asks for absence hears of each rule that the event matches. */
static bool is_once(const struct correlation *correlation)
{
	return correlation->rule_count > 1 &&
	    (correlation->course != COURSE_PATTERN || !correlation->waits);
}

void run_took(struct run *run, const struct item *item)
{
	bool chained = is_chained(run, item);

	if (is_once(ruleset_rule(run->correlate->options.ruleset, item->correlation)->correlation))
		once_put(chained ? &once_of(run)->chained : &once_of(run)->own, item, !chained);
}

static int run_step(struct run *run, const struct item *item, uint32_t step, struct parts *parts);

/* What fired is an event of the correlations that refer to it, at the same place in time. */
static int run_outer(struct run *run, const struct rule *inner, const struct item *item,
    int64_t at_ns, struct parts *parts)
{
	int code = 0;

	for (size_t i = 0; code == 0 && i < inner->use_count; i++) {
		const struct rule_use *use = &inner->uses[i];
		const struct correlation *outer =
		    ruleset_rule(run->correlate->options.ruleset, use->correlation)->correlation;
		struct buf key = BUF(KEY_MAX);
		struct item chained = {.event = item->event, .correlation = use->correlation,
		    .rule = inner->index};

		chained.event.time_ns = at_ns;
		chained.is_end = at_ns != item->event.time_ns;
		if (chained_key(outer, use->step, inner->correlation, item->key, &key)) {
			chained.key = buf_str(&key);
			item_name(run->correlate, &chained);
			chained.has_value = chained_value(run, outer, use->step,
			    inner->correlation, item, &chained);
			code = run_step(run, &chained, use->step, parts);
		}
		buf_free(&key);
	}
	return code;
}

int run_complete(struct run *run, const struct item *item, int64_t at_ns, struct parts *parts,
    const decimal *measured)
{
	const struct rule *rule = ruleset_rule(run->correlate->options.ruleset, item->correlation);
	int code = run_alert(run, rule, item, parts, measured);

	return code < 0 ? code : run_outer(run, rule, item, at_ns, parts);
}

static int run_fire(struct run *run, struct window_table *table, struct window *window,
    const struct item *item)
{
	struct parts *parts = evidence_collect(window, run->batch->arena);

	if (parts == NULL)
		return ERR_MEMORY;
	/* Consumed: an event takes part in one alert of a correlation at most. */
	window_remove(table, window);
	run_took(run, item);
	int code = run_complete(run, item, item->event.time_ns, parts, NULL);

	parts_release(parts);
	return code;
}

static int run_step(struct run *run, const struct item *item, uint32_t step, struct parts *parts)
{
	const struct rule *rule = ruleset_rule(run->correlate->options.ruleset, item->correlation);
	const struct correlate_type *type = correlate_type(rule->correlation->type);
	struct window_table *table = run->settled ? &run->correlate->settled
	    : &run->correlate->early;
	struct mark mark = {.time_ns = item->event.time_ns, .at = item->event.at,
	    .position = item->event.position, .rule = item->rule, .parts = parts,
	    .is_end = item->is_end,
	    .value = correlate_value(rule->correlation->type, item->value, step)};

	if ((type->needs_values && !item->has_value) || (type->needs_numbers && !item->has_number))
		return 0;
	if (parts == NULL &&
	    (once_knows(&once_of(run)->own, item) || once_knows(&once_of(run)->chained, item)))
		return 0;
	if (parts == NULL && type->counts_once)
		run_took(run, item);
	if (rule->correlation->course != COURSE_ARRIVAL)
		return cohort_step(run, item, step, parts);
	struct window *window = window_get_named(table, &item->name, item->key);

	if (window == NULL)
		return ERR_MEMORY;
	enum feed_result result = type->feed(window, rule->correlation, &mark, step);

	if (result == FEED_MEMORY)
		return ERR_MEMORY;
	if (result == FEED_FIRE)
		return run_fire(run, table, window, item);
	if (window->count == 0)
		window_remove(table, window);
	return 0;
}

int run_item(struct run *run, const struct item *item)
{
	const struct correlation *correlation =
	    ruleset_rule(run->correlate->options.ruleset, item->correlation)->correlation;
	int code = 0;

	if (correlation == NULL)
		return first_seen_run(run, item);
	/* The last step first: an event does not follow itself. */
	for (size_t step = correlation->rule_count; code == 0 && step-- > 0;)
		if (correlation->rules[step] == item->rule)
			code = run_step(run, item, (uint32_t)step, NULL);
	return code;
}

/* Events and ends in order of time; an end is behind the events of its moment. */
static int run_settle_next(struct run *run, bool *ret_moved)
{
	struct correlate *correlate = run->correlate;
	int64_t until_ns = correlate->watermark.now_ns;
	const struct item *next = pending_due(correlate, until_ns);
	struct cohort *cohort = cohort_due(&correlate->early_cohorts, until_ns);

	run->settled = cohort == NULL;
	*ret_moved = true;
	if (cohort != NULL)
		return cohort_end(run, cohort);
	if (next != NULL)
		until_ns = watermark_minus(next->event.time_ns, 1);
	cohort = cohort_due(&correlate->settled_cohorts, until_ns);
	if (cohort != NULL)
		return cohort_end(run, cohort);
	*ret_moved = next != NULL;
	if (next == NULL)
		return 0;
	struct item *item = pending_take(correlate);
	int code = run_item(run, item);

	free(item);
	return code;
}

int run_settle(struct run *run)
{
	struct correlate *correlate = run->correlate;
	int64_t watermark_ns = correlate->watermark.now_ns;
	int code = 0;

	bool moved = true;

	while (code == 0 && moved)
		code = run_settle_next(run, &moved);
	for (uint32_t i = 0; code == 0 && i < correlate->correlation_count; i++) {
		const struct rule *rule = ruleset_rule(correlate->options.ruleset,
		    correlate->correlations[i]);
		int64_t before_ns = watermark_minus(watermark_ns, rule->correlation->timespan_ns);

		code = docket_sweep(run, rule);
		window_expire(&correlate->early, rule->index, before_ns);
		window_expire(&correlate->settled, rule->index, before_ns);
	}
	return code < 0 ? code : run_tell_evicted(run);
}

/* ---- records ---- */

static int correlate_item(struct run *run, struct item *item)
{
	struct correlate *correlate = run->correlate;
	struct worker_stats *stats = correlate->options.stats;
	int code = run_item(run, item);

	if (code < 0) {
		free(item);
		return code;
	}
	if (pending_count(correlate) >= correlate->options.pending_max) {
		stats->pending_dropped++;
		free(item);
		return 0;
	}
	if (!pending_put(correlate, item)) {
		free(item);
		return ERR_MEMORY;
	}
	return 0;
}

/* The item, which is the caller's; NULL without memory or where there is none. */
static struct item *reading_take(struct reading *reading)
{
	struct item *item = reading->item;

	reading->item = NULL;
	return item;
}

static int correlate_detection(struct run *run, struct reading *reading)
{
	struct correlate *correlate = run->correlate;
	struct worker_stats *stats = correlate->options.stats;
	const struct rule *rule = reading->rule;

	if (reading->partition >= correlate->options.sources) {
		stats->damaged++;
		return 0;
	}
	enum repeat_result known =
	    repeat_check(&correlate->repeats[reading->partition], reading->key);

	if (known != REPEAT_NEW) {
		stats->detection_repeats += known == REPEAT_KNOWN;
		return known == REPEAT_MEMORY ? ERR_MEMORY : 0;
	}
	if (rule == NULL) {
		stats->unknown++;
		return 0;
	}
	if (run->silent && correlate->strange[rule->index]) {
		/* Matched before this rule was in force, and read again for the other windows. */
		stats->state_dropped++;
		return 0;
	}
	if (reading->time_ns <= correlate->watermark.now_ns) {
		stats->late++;
		return 0;
	}
	if (reading->time_ns > correlate->newest_ns)
		correlate->newest_ns = reading->time_ns;
	struct item *item = reading_take(reading);

	if (item == NULL)
		return ERR_MEMORY;
	stats->numberless += rule->correlation != NULL && !item->has_number &&
	    correlate_type(rule->correlation->type)->needs_numbers;
	return correlate_item(run, item);
}

static int correlate_progress(struct run *run, struct str value)
{
	struct progress progress[PROGRESS_MAX];
	size_t count = 0;
	bool risen = false;

	if (!progress_read(value, progress, &count)) {
		run->correlate->options.stats->damaged++;
		return 0;
	}
	for (size_t i = 0; i < count; i++) {
		const struct progress *one = &progress[i];

		if (one->topic != TOPIC_EVENTS)
			continue;
		if (one->anew && one->partition < run->correlate->options.sources)
			repeat_anew(&run->correlate->repeats[one->partition], one->time_ns);
		risen |= watermark_hear(&run->correlate->watermark, one);
	}
	return risen ? run_settle(run) : 0;
}

/* ---- groups of records ---- */

struct correlate_group {
	struct correlate *correlates[CORRELATE_GROUP]; /* NULL: passed over */
	struct reading readings[CORRELATE_GROUP];
	size_t count;
};

_Static_assert(CORRELATE_GROUP == WINDOW_GROUP, "what is read is called for, all of it");

struct correlate_group *correlate_group_new(void)
{
	return calloc(1, sizeof(struct correlate_group));
}

void correlate_group_clear(struct correlate_group *group)
{
	for (size_t i = 0; i < group->count; i++)
		free(reading_take(&group->readings[i]));
	group->count = 0;
}

void correlate_group_free(struct correlate_group *group)
{
	if (group == NULL)
		return;
	correlate_group_clear(group);
	free(group);
}

void correlate_group_read(struct correlate_group *group, const struct correlate_given *given,
    size_t count)
{
	struct window_ask asks[CORRELATE_GROUP];
	size_t ask_count = 0;

	CHECK(count <= CORRELATE_GROUP);
	correlate_group_clear(group);
	for (size_t i = 0; i < count; i++) {
		struct correlate *correlate = given[i].correlate;
		struct reading *reading = &group->readings[i];

		*reading = (struct reading){.kind = MESSAGE_UNKNOWN};
		group->correlates[i] = correlate;
		if (correlate != NULL)
			reading_read(reading, correlate, given[i].value);
		if (reading->item != NULL)
			item_ask(reading->item, correlate, &correlate->early, &asks[ask_count++]);
	}
	group->count = count;
	window_foresee(asks, ask_count);
}

static int reading_apply(struct run *run, struct reading *reading)
{
	struct worker_stats *stats = run->correlate->options.stats;
	int code = 0;

	switch (reading->kind) {
	case MESSAGE_DETECTION:
		code = correlate_detection(run, reading);
		break;
	case MESSAGE_PROGRESS:
		code = correlate_progress(run, reading->value);
		break;
	case MESSAGE_UNKNOWN:
		stats->skipped++;
		break;
	case MESSAGE_DAMAGED:
		stats->damaged++;
		break;
	}
	free(reading_take(reading));
	return code == ERR_MEMORY ? error_set(run->error, code, TEXT_base_memory) : code;
}

int correlate_take(struct correlate_group *group, size_t index, struct batch *batch, bool silent,
    struct error *error)
{
	CHECK(index < group->count && group->correlates[index] != NULL);
	struct run run = {.correlate = group->correlates[index], .batch = batch, .error = error,
	    .silent = silent};

	return reading_apply(&run, &group->readings[index]);
}

int correlate_record(struct correlate *correlate, struct str value, struct batch *batch,
    bool silent, struct error *error)
{
	struct run run = {
	    .correlate = correlate, .batch = batch, .error = error, .silent = silent};
	struct reading reading;

	reading_read(&reading, correlate, value);
	return reading_apply(&run, &reading);
}
