/*
 * What becomes of early alerts. A ledger (window.h) lists, for a group, those that the watermark
 * has not passed, and keeps the last settled alert, for that one may have to stand for several.
 */
#include "correlator/correlate_state.h"

#include <stdlib.h>

static struct window *ledger_get(struct run *run, const struct rule *rule, struct str key)
{
	struct window *window = window_get(&run->correlate->ledgers, rule->index, key);

	if (window != NULL && window->ledger == NULL)
		window->ledger = calloc(1, sizeof(*window->ledger));
	return window != NULL && window->ledger != NULL ? window : NULL;
}

static int run_post(struct run *run, struct alert *alert)
{
	const struct correlate_options *options = &run->correlate->options;

	if (run->silent)
		return 0;
	return alert_post(alert, options->site, run->batch,
	    letter_owner(TOPIC_DETECTIONS, options->partition)) ? 0 : ERR_MEMORY;
}

int ledger_early(struct run *run, const struct rule *rule, struct str key, struct alert *alert)
{
	struct window *window = ledger_get(run, rule, key);

	if (window == NULL)
		return ERR_MEMORY;
	struct ledger *ledger = window->ledger;

	alert->status = ALERT_EARLY;
	alert->id = alert_make_id(run->correlate->options.site->key, alert);
	if (!ledger_push(ledger, (struct early){alert->id, alert->time_ns}))
		return ERR_MEMORY;
	if (!run->silent)
		run->correlate->options.stats->alerts_early++;
	return run_post(run, alert);
}

/* The early alert that this one settles: itself, else the oldest of the group. */
static void ledger_match(struct ledger *ledger, struct alert *alert)
{
	for (uint32_t i = 0; i < ledger->early_count; i++) {
		if (hash128_eq(ledger_at(ledger, i)->id, alert->id)) {
			ledger_take(ledger, i);
			return;
		}
	}
	/* With some that are not listed, one of those may be its own. */
	if (ledger->early_count > 0 && !ledger->untracked) {
		alert->replaces = ledger_at(ledger, 0)->id;
		ledger_take(ledger, 0);
	}
}

/* The text of the last settled alert, without what it replaces. */
static bool ledger_keep(struct ledger *ledger, const struct alert *alert)
{
	struct alert plain = *alert;
	struct buf json = BUF(BUS_RECORD_MAX);

	plain.replaces = (struct hash128){0, 0};
	alert_write(&json, &plain);
	if (json.failed) {
		buf_free(&json);
		return false;
	}
	free(ledger->last);
	ledger->last = json.ptr; /* the buffer's memory changes hands */
	ledger->last_len = (uint32_t)json.len;
	ledger->last_ns = alert->time_ns;
	return true;
}

int ledger_settled(struct run *run, const struct rule *rule, struct str key, struct alert *alert)
{
	struct worker_stats *stats = run->correlate->options.stats;
	struct window *window = ledger_get(run, rule, key);

	if (window == NULL)
		return ERR_MEMORY;
	alert->status = ALERT_SETTLED;
	alert->id = alert_make_id(run->correlate->options.site->key, alert);
	ledger_match(window->ledger, alert);
	if (!ledger_keep(window->ledger, alert))
		return ERR_MEMORY;
	if (!run->silent) {
		stats->alerts_settled++;
		stats->alerts_replaced += alert->replaces.high != 0 || alert->replaces.low != 0;
	}
	return run_post(run, alert);
}

static int ledger_replace(struct run *run, const struct ledger *ledger, struct hash128 early)
{
	struct alert alert;
	int code = alert_read(run->batch->arena, str_from(ledger->last, ledger->last_len), &alert,
	    NULL);

	if (code < 0 || hash128_eq(alert.id, early))
		return code;
	alert.replaces = early;
	if (!run->silent)
		run->correlate->options.stats->alerts_replaced++;
	return run_post(run, &alert);
}

/* Nothing that is still to come can settle the oldest early alert. */
static bool ledger_overdue(const struct ledger *ledger, int64_t timespan_ns, int64_t watermark_ns)
{
	return ledger->early_count > 0 &&
	    watermark_plus(ledger_at(ledger, 0)->time_ns, timespan_ns) < watermark_ns;
}

static int ledger_settle_rest(struct run *run, struct ledger *ledger, int64_t timespan_ns)
{
	int code = 0;

	while (code == 0 && ledger_overdue(ledger, timespan_ns, run->correlate->watermark.now_ns)) {
		struct hash128 early = ledger_at(ledger, 0)->id;

		ledger_take(ledger, 0);
		if (ledger->last != NULL)
			code = ledger_replace(run, ledger, early);
	}
	return code;
}

int ledger_sweep(struct run *run, const struct rule *rule)
{
	struct window_table *table = &run->correlate->ledgers;
	int64_t timespan_ns = rule->correlation->timespan_ns;
	struct window *newer;
	int code = 0;

	for (struct window *window = table->lists[rule->index].oldest; code == 0 && window != NULL;
	    window = newer) {
		struct ledger *ledger = window->ledger;

		newer = window->newer;
		code = ledger != NULL ? ledger_settle_rest(run, ledger, timespan_ns) : 0;
		if (ledger == NULL || (ledger->early_count == 0 && (ledger->last == NULL ||
		    watermark_plus(watermark_plus(ledger->last_ns, timespan_ns), timespan_ns) <
		    run->correlate->watermark.now_ns)))
			window_remove(table, window);
	}
	return code;
}
