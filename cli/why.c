#include "cli/why.h"

#include <string.h>

static const char *const type_names[] = {
#define CORRELATION(symbol, name, meaning) [CORRELATION_##symbol] = name,
#include "sigma/correlations.def"
#undef CORRELATION
};

/* "10 or more", "exactly 3", "2 to 5". */
static const char *amount(const struct correlation_condition *condition, char out[128])
{
	unsigned long long min = condition->min, max = condition->max;
	struct buf text_ = BUF(64);

	if (max == UINT64_MAX)
		put_text(&text_, TEXT_cli_at_least, min);
	else if (min == max)
		put_text(&text_, TEXT_cli_exactly, min);
	else if (min == 0)
		put_text(&text_, TEXT_cli_at_most, max);
	else
		put_text(&text_, TEXT_cli_between, min, max);
	snprintf(out, 128, "%.*s", STR_ARG(buf_str(&text_)));
	buf_free(&text_);
	return out;
}

/* "> 5, <= 10". */
static const char *bounds(const struct correlation_condition *condition, char out[128])
{
	static const char *const signs[BOUND_KINDS] = {[BOUND_GT] = "> ", [BOUND_GTE] = ">= ",
	    [BOUND_LT] = "< ", [BOUND_LTE] = "<= ", [BOUND_EQ] = "= ", [BOUND_NEQ] = "!= "};
	struct buf text_ = BUF(128);

	for (size_t i = 0; i < condition->bound_count; i++) {
		buf_printf(&text_, "%s%s", i > 0 ? ", " : "", signs[condition->bounds[i].kind]);
		decimal_put(&text_, condition->bounds[i].value);
	}
	snprintf(out, 128, "%.*s", STR_ARG(buf_str(&text_)));
	buf_free(&text_);
	return out;
}

/* Names divided by commas, cut to the room there is. */
static const char *names(const struct str *list, size_t count, char out[512])
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < count && at < 500; i++)
		at += (size_t)snprintf(
		    out + at, 512 - at, "%s%.*s", i == 0 ? "" : ", ", STR_ARG(list[i]));
	return out;
}

static void condition_write(struct buf *out, const struct correlation *c)
{
	char span[32], number[128], list[512];
	bool all = c->condition.min >= c->rule_count;

	format_duration(c->timespan_ns, span);
	if (c->course == COURSE_ARRIVAL)
		amount(&c->condition, number);
	else
		bounds(&c->condition, number);
	switch (c->type) {
	case CORRELATION_EVENT_COUNT:
		put_text(out, TEXT_cli_why_events, number, span);
		break;
	case CORRELATION_VALUE_COUNT:
		names(c->value_fields, c->value_count, list);
		put_text(out, TEXT_cli_why_values, number, list, span);
		break;
	case CORRELATION_VALUE_SUM:
	case CORRELATION_VALUE_AVG:
	case CORRELATION_VALUE_PERCENTILE:
	case CORRELATION_VALUE_MEDIAN:
		names(c->value_fields, c->value_count, list);
		put_text(out, TEXT_cli_why_measure, type_names[c->type], list, number, span);
		break;
	case CORRELATION_TEMPORAL:
		if (c->course == COURSE_PATTERN)
			put_text(out, TEXT_cli_why_pattern, span);
		else if (all)
			put_text(out, TEXT_cli_why_all, span);
		else
			put_text(out, TEXT_cli_why_some, number, span);
		break;
	case CORRELATION_TEMPORAL_ORDERED:
		put_text(out, c->course == COURSE_PATTERN ? TEXT_cli_why_pattern
		    : TEXT_cli_why_ordered, span);
		break;
	case CORRELATION_COUNT:
		break;
	}
	if (c->group_count > 0) {
		names(c->group_by, c->group_count, list);
		buf_str_put(out, STR(", "));
		put_text(out, TEXT_cli_why_same, (int)strlen(list), list);
	}
	buf_char(out, '\n');
}

static struct str title_of(const struct ruleset *ruleset, struct str id)
{
	const struct rule *rule = ruleset == NULL ? NULL : ruleset_find(ruleset, id);

	if (rule == NULL)
		return id;
	return text_language() == LANGUAGE_VIETNAMESE && rule->meta.title_vi.len > 0
	    ? rule->meta.title_vi
	    : rule->meta.title;
}

static bool named_before(const struct alert *alert, size_t index)
{
	for (size_t i = 0; i < index; i++) {
		if (str_eq(alert->events[i].rule, alert->events[index].rule))
			return true;
	}
	return false;
}

/* The rules behind the events, in the order in which they first matched. */
static void bases_write(struct buf *out, const struct alert *alert, const struct ruleset *ruleset)
{
	for (size_t i = 0; i < alert->event_count; i++) {
		unsigned long long count = 0;

		if (alert->events[i].rule.len == 0 || named_before(alert, i))
			continue;
		for (size_t k = i; k < alert->event_count; k++)
			count += str_eq(alert->events[i].rule, alert->events[k].rule);
		put_text(out, TEXT_cli_why_base, count);
		buf_str_put(out, title_of(ruleset, alert->events[i].rule));
		buf_char(out, '\n');
	}
}

/* What was new, and for how long: the alert itself tells it. */
static void new_write(struct buf *out, const struct alert *alert)
{
	char span[32];

	format_duration(alert->unseen_ns, span);
	put_text(out, TEXT_cli_why_new, span);
	buf_char(out, '\n');
}

void why_write(struct buf *out, const struct alert *alert, const struct ruleset *ruleset)
{
	const struct rule *rule = ruleset == NULL ? NULL : ruleset_find(ruleset, alert->rule.id);

	if (str_eq(alert->rule.kind, STR("rule")))
		return;
	if (alert->unseen_ns > 0) {
		new_write(out, alert);
		return;
	}
	if (rule == NULL || rule->correlation == NULL) {
		buf_str_put(out, str_of(text(TEXT_cli_why_unknown)));
		buf_char(out, '\n');
	} else {
		condition_write(out, rule->correlation);
		if (!hash128_eq(rule->meta.hash, alert->rule.hash)) {
			buf_str_put(out, str_of(text(TEXT_cli_why_changed)));
			buf_char(out, '\n');
		}
	}
	bases_write(out, alert, ruleset);
}
