#include "correlator/first_seen.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "correlator/correlate_state.h"
#include "correlator/memory.h"

#define ROW_HEAD 17u /* of what a row's hash is made of: scope and kind */

struct first_seen_state {
	struct memory *memory;
	uint32_t *scopes; /* by rule index, plus 1 */
	bool counted;     /* the entries know who waits */
};

/* ---- matching ---- */

static bool values_take(struct str *ret, const struct str *names, size_t count,
    const struct alert_site *site, struct arena *arena, const struct record *record)
{
	for (size_t i = 0; i < count; i++) {
		const struct field *field = record_find(record, names[i]);

		if (field == NULL || field->kind == FIELD_NULL)
			return false;
		ret[i] = group_text(site, arena, field->value);
	}
	return true;
}

bool first_seen_link(struct detection *detection, const struct alert_site *site,
    struct arena *arena, const struct rule *rule, const struct record *record)
{
	const struct first_seen *first_seen = rule->first_seen;

	detection->group_count = first_seen->by_count;
	detection->value_count = first_seen->field_count;
	return values_take(detection->groups, first_seen->by, first_seen->by_count, site, arena,
		   record) &&
	    values_take(detection->values, first_seen->fields, first_seen->field_count, site, arena,
		record);
}

const struct rule *first_seen_rule(
    const struct ruleset *ruleset, const struct detection *detection)
{
	const struct rule *rule = ruleset_find(ruleset, detection->correlation);

	if (rule == NULL || rule->first_seen == NULL ||
	    !str_eq(detection->rule, detection->correlation) ||
	    detection->group_count != rule->first_seen->by_count ||
	    detection->value_count != rule->first_seen->field_count)
		return NULL;
	for (size_t i = 0; i < detection->value_count; i++)
		if (detection->values[i].ptr == NULL)
			return NULL;
	return rule;
}

struct item *first_seen_item(const struct rule *rule, const struct detection *detection)
{
	struct item *item = item_of(detection, detection->value_count);

	if (item == NULL)
		return NULL;
	item->correlation = item->rule = rule->index;
	item->has_value = true;
	return item;
}

/* ---- birth and death ---- */

struct first_seen_state *first_seen_new(const struct correlate_options *options)
{
	struct first_seen_state *state = calloc(1, sizeof(*state));

	if (state == NULL)
		return NULL;
	state->scopes = calloc(ruleset_count(options->ruleset) + 1, sizeof(*state->scopes));
	state->memory = memory_new(
	    options->checkpoint, options->partition, options->memory_max);
	if (state->scopes != NULL && state->memory != NULL)
		return state;
	first_seen_free(state);
	return NULL;
}

void first_seen_free(struct first_seen_state *state)
{
	if (state == NULL)
		return;
	memory_free(state->memory);
	free(state->scopes);
	free(state);
}

bool first_seen_has_strangers(const struct correlate *correlate)
{
	size_t count = ruleset_count(correlate->options.ruleset);

	for (uint32_t i = 0; i < count; i++)
		if (correlate->strange[i] &&
		    ruleset_rule(correlate->options.ruleset, i)->first_seen != NULL)
			return true;
	return false;
}

/* ---- what is remembered ---- */

enum row_kind { ROW_TUPLE, ROW_GROUP };

/* The names that a row's key is made of come first in an item's key: those of the group, or all. */
static struct str key_part(const struct first_seen *first_seen, struct str key, enum row_kind kind)
{
	struct str rest = key, value;

	if (kind == ROW_TUPLE)
		return key;
	for (size_t i = 0; i < first_seen->by_count; i++)
		if (!group_key_take(&rest, &value))
			break;
	return str_slice(key, 0, key.len - rest.len);
}

/* Values are as long as a sender likes, but nearly always a few dozen bytes. */
static struct hash128 row_hash(const struct alert_site *site, const struct first_seen *first_seen,
    struct str key, enum row_kind kind)
{
	struct str part = key_part(first_seen, key, kind);
	char small[512];
	char *bytes = part.len + ROW_HEAD <= sizeof(small) ? small : malloc(part.len + ROW_HEAD);

	CHECK(bytes != NULL);
	set_u64(bytes, first_seen->scope.high);
	set_u64(bytes + 8, first_seen->scope.low);
	bytes[16] = (char)kind;
	if (part.len > 0)
		memcpy(bytes + ROW_HEAD, part.ptr, part.len);
	struct hash128 hash = hash_sip128(site->key, str_from(bytes, part.len + ROW_HEAD));

	if (bytes != small)
		free(bytes);
	return hash;
}

/* NULL: the item is a correlation's. */
static const struct first_seen *first_seen_of(
    const struct correlate *correlate, const struct item *item)
{
	return ruleset_rule(correlate->options.ruleset, item->correlation)->first_seen;
}

static int row_find(struct run *run, const struct item *item, enum row_kind kind,
    struct memory_entry **ret)
{
	struct correlate *correlate = run->correlate;
	struct first_seen_state *state = correlate->first_seen;
	const struct first_seen *first_seen = first_seen_of(correlate, item);
	int code = 0;

	if (state->scopes[item->correlation] == 0) {
		uint32_t scope = 0;

		code = memory_scope(state->memory, first_seen->scope.high, first_seen->within_ns,
		    &scope, run->error);
		if (code < 0)
			return code;
		state->scopes[item->correlation] = scope + 1;
	}
	return memory_find(state->memory, state->scopes[item->correlation] - 1,
	    row_hash(correlate->options.site, first_seen, item->key, kind), ret,
	    run->error);
}

/* Times are a sender's: what lies further back than can be said is further than any limit. */
static int64_t elapsed(int64_t time_ns, int64_t since_ns)
{
	return watermark_minus(time_ns, since_ns);
}

/*
 * The answer's ingredients. What waits is counted once after a snapshot was read; after that each
 * one is when it comes.
 */
struct asked {
	const struct rule *rule;
	const struct first_seen *first_seen;
	struct memory_entry *tuple, *group; /* group: NULL without a time to learn */
};

static int waiting_count(struct run *run)
{
	struct correlate *correlate = run->correlate;
	struct memory_entry *tuple;
	int code = 0;

	if (correlate->first_seen->counted)
		return 0;
	for (size_t i = 0; code == 0 && i < pending_count(correlate); i++) {
		const struct item *item = pending_at(correlate, i);

		if (first_seen_of(correlate, item) == NULL)
			continue;
		code = row_find(run, item, ROW_TUPLE, &tuple);
		if (code == 0)
			tuple->pending++;
	}
	correlate->first_seen->counted = code == 0;
	return code;
}

static int ask(struct run *run, const struct item *item, struct asked *ret)
{
	int code = 0;

	ret->rule = ruleset_rule(run->correlate->options.ruleset, item->correlation);
	ret->first_seen = ret->rule->first_seen;
	ret->group = NULL;
	code = row_find(run, item, ROW_TUPLE, &ret->tuple);
	if (code == 0 && ret->first_seen->learn_ns > 0)
		code = row_find(run, item, ROW_GROUP, &ret->group);
	return code;
}

/* ---- early ---- */

/* Learnt, whatever of it may still arrive. */
static bool group_is_known(const struct asked *asked, int64_t time_ns, int64_t watermark_ns)
{
	const struct memory_entry *group = asked->group;

	if (group == NULL)
		return true;
	return group->there &&
	    elapsed(time_ns, group->row.last_ns) <= asked->first_seen->within_ns &&
	    watermark_plus(group->row.first_ns, asked->first_seen->learn_ns) <= watermark_ns;
}

static bool tuple_is_new(const struct asked *asked, int64_t watermark_ns)
{
	const struct memory_entry *tuple = asked->tuple;
	int64_t within_ns = asked->first_seen->within_ns;

	return tuple->pending == 0 &&
	    (!tuple->there || elapsed(watermark_ns, tuple->row.last_ns) > within_ns);
}

static void alert_make(struct run *run, const struct asked *asked, const struct item *item,
    struct alert *ret)
{
	alert_of_first_seen(ret, run->correlate->options.site, run->batch->arena, asked->rule,
	    item->key, &item->event);
}

static int answer_early(struct run *run, const struct asked *asked, const struct item *item)
{
	int64_t watermark_ns = run->correlate->watermark.now_ns;
	bool is_new = tuple_is_new(asked, watermark_ns) &&
	    group_is_known(asked, item->event.time_ns, watermark_ns);
	struct alert alert;

	/* What has no place among those that wait is not answered at all. */
	if (pending_count(run->correlate) >= run->correlate->options.pending_max)
		return 0;
	asked->tuple->pending++;
	if (!is_new)
		return 0;
	alert_make(run, asked, item, &alert);
	return arena_failed(run->batch->arena)
	    ? ERR_MEMORY : docket_early(run, asked->rule, item->key, &alert);
}

/* ---- settled ---- */

/* Whether the group is still being learnt. One that was silent for so long begins anew. */
static bool group_learns(struct memory *memory, const struct asked *asked, const struct item *item)
{
	struct memory_entry *group = asked->group;
	int64_t time_ns = item->event.time_ns;

	if (group == NULL)
		return false;
	struct memory_row *row = &group->row;

	if (!group->there || elapsed(time_ns, row->last_ns) > asked->first_seen->within_ns)
		*row = (struct memory_row){time_ns, time_ns, item->event.at};
	if (time_ns > row->last_ns)
		row->last_ns = time_ns;
	memory_touch(memory, group);
	return elapsed(time_ns, row->first_ns) < asked->first_seen->learn_ns;
}

/* Whether it was seen. An event that is met again (another bus) is what it was the first time. */
static bool tuple_is_seen(struct memory *memory, const struct asked *asked, const struct item *item)
{
	struct memory_entry *tuple = asked->tuple;
	int64_t time_ns = item->event.time_ns;
	struct memory_row *row = &tuple->row;
	bool lasts = tuple->there && elapsed(time_ns, row->last_ns) <= asked->first_seen->within_ns;
	bool itself = tuple->there && coordinate_compare(row->at, item->event.at) == 0;

	if (!lasts)
		*row = (struct memory_row){time_ns, time_ns, item->event.at};
	if (time_ns > row->last_ns)
		row->last_ns = time_ns;
	memory_touch(memory, tuple);
	return lasts && !itself;
}

/* At most one early alert of a tuple is open, and the first that settles was its end. */
static void docket_end(struct run *run, const struct item *item)
{
	struct window_table *dockets = &run->correlate->dockets;
	struct window *window = window_find(dockets, item->correlation, item->key);

	if (window != NULL)
		window_remove(dockets, window);
}

static int answer_settled(struct run *run, const struct asked *asked, const struct item *item)
{
	struct memory *memory = run->correlate->first_seen->memory;
	struct alert alert;
	int code = 0;

	if (!run->silent) {
		bool learns = group_learns(memory, asked, item);
		bool seen = tuple_is_seen(memory, asked, item);

		if (!learns && !seen) {
			alert_make(run, asked, item, &alert);
			code = arena_failed(run->batch->arena)
			    ? ERR_MEMORY : docket_settled(run, asked->rule, item->key, &alert);
		}
	}
	docket_end(run, item);
	return code;
}

int first_seen_run(struct run *run, const struct item *item)
{
	struct correlate *correlate = run->correlate;
	bool counted = correlate->first_seen->counted;
	struct asked asked;
	int code = waiting_count(run);

	if (code == 0)
		code = ask(run, item, &asked);
	if (code < 0)
		return code;
	if (!run->settled)
		return answer_early(run, &asked, item);
	if (counted && asked.tuple->pending > 0)
		asked.tuple->pending--;
	return answer_settled(run, &asked, item);
}

/* ---- the transaction ---- */

struct telling {
	struct correlate *correlate;
	struct batch *batch;
};

#define TELL_AGAIN_NS (3600 * INT64_C(1000000000))

/* Of which rule a scope is; NULL: of one that has gone. */
static const struct rule *scope_rule(const struct correlate *correlate, uint32_t scope)
{
	size_t count = ruleset_count(correlate->options.ruleset);

	for (uint32_t i = 0; i < count; i++)
		if (correlate->first_seen->scopes[i] == scope + 1)
			return ruleset_rule(correlate->options.ruleset, i);
	return NULL;
}

static int loss_tell(void *context, struct memory_loss *loss)
{
	const struct telling *telling = context;
	struct correlate *correlate = telling->correlate;
	const struct rule *rule = scope_rule(correlate, loss->scope);
	int64_t now_ns = correlate->watermark.now_ns;
	struct alert alert;

	if (rule == NULL ||
	    (loss->told_ns != 0 && elapsed(now_ns, loss->told_ns) < TELL_AGAIN_NS))
		return 0;
	loss->told_ns = now_ns;
	alert_of_memory(&alert, correlate->options.site, telling->batch->arena, rule,
	    correlate->options.partition, loss->evicted, now_ns);
	return alert_post(&alert, correlate->options.site, telling->batch,
		   letter_owner(TOPIC_DETECTIONS, correlate->options.partition))
	    ? 0 : ERR_MEMORY;
}

int correlate_commit(struct correlate *correlate, struct batch *batch, struct error *error)
{
	struct telling telling = {correlate, batch};
	int code = memory_commit(correlate->first_seen->memory, correlate->watermark.now_ns,
	    loss_tell, &telling, error);

	return code == ERR_MEMORY ? error_set(error, code, TEXT_base_memory) : code;
}

void first_seen_count(const struct first_seen_state *state, struct worker_stats *ret)
{
	struct memory_stats stats;

	memory_stats(state->memory, &stats);
	ret->remembered += stats.rows;
	ret->forgotten += stats.evicted + stats.damaged;
}
