/*
 * What a record of "detections" says, before it is taken: that hangs on its bytes and on the rules
 * alone, so that many can be read before the first of them changes anything.
 */
#include <stdlib.h>

#include "correlator/correlate_state.h"
#include "correlator/correlate_type.h"

#define KEY_MAX ((size_t)DETECTION_VALUES * 65536u)

/* The rule that a detection names, when we have it and the two belong together. */
static const struct rule *detection_rule(const struct correlate *correlate,
    const struct detection *detection, uint32_t *ret_step)
{
	const struct ruleset *ruleset = correlate->options.ruleset;
	const struct rule *rule = ruleset_find(ruleset, detection->correlation);
	const struct rule *base = ruleset_find(ruleset, detection->rule);

	if (rule == NULL || base == NULL || rule->kind != RULE_CORRELATION ||
	    detection->group_count != rule->correlation->group_count)
		return NULL;
	for (size_t i = rule->correlation->rule_count; i-- > 0;) {
		if (rule->correlation->rules[i] == base->index) {
			*ret_step = (uint32_t)i;
			return rule;
		}
	}
	return NULL;
}

static bool detection_value(const struct correlate *correlate, const struct detection *detection,
    uint64_t *ret)
{
	struct buf values = BUF(KEY_MAX);
	bool all = detection->value_count > 0;

	for (size_t i = 0; i < detection->value_count; i++) {
		if (detection->values[i].ptr == NULL)
			all = false;
		group_key_put(&values, detection->values[i]);
	}
	*ret = hash_sip64(correlate->options.site->key, buf_str(&values));
	buf_free(&values);
	return all;
}

static struct item *detection_item(const struct correlate *correlate, const struct rule *rule,
    uint32_t step, const struct detection *detection)
{
	struct item *item = item_of(detection, 0);

	if (item == NULL)
		return NULL;
	item->correlation = rule->index;
	item->rule = rule->correlation->rules[step];
	item->step = step;
	item_name(correlate, item);
	window_foresee_name(&correlate->early, &item->name);
	item->has_value = detection_value(correlate, detection, &item->value);
	if (correlate_type(rule->correlation->type)->needs_numbers)
		item->has_number = item->has_value &&
		    decimal_parse(detection->values[0], &item->number);
	return item;
}

static void detection_take(struct reading *reading, const struct correlate *correlate,
    const struct detection *detection)
{
	uint32_t step = 0;

	reading->rule = detection_rule(correlate, detection, &step);
	reading->partition = detection->position.partition;
	reading->time_ns = detection->time_ns;
	reading->key = (struct repeat_key){detection->position.offset, detection->position.index,
	    repeat_which(detection->correlation, detection->rule)};
	if (reading->partition < correlate->options.sources)
		repeat_foresee(&correlate->repeats[reading->partition], &reading->key);
	if (reading->rule != NULL) {
		reading->item = detection_item(correlate, reading->rule, step, detection);
		return;
	}
	reading->rule = first_seen_rule(correlate->options.ruleset, detection);
	if (reading->rule != NULL)
		reading->item = first_seen_item(reading->rule, detection);
}

void reading_read(struct reading *reading, const struct correlate *correlate, struct str value)
{
	struct detection detection;

	*reading = (struct reading){.kind = message_kind(value), .value = value};
	if (reading->kind != MESSAGE_DETECTION)
		return;
	if (detection_read(value, &detection))
		detection_take(reading, correlate, &detection);
	else
		reading->kind = MESSAGE_DAMAGED;
}
