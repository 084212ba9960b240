/*
 * What becomes of early alerts. A docket (window.h) lists, for a group, those that the watermark
 * has not passed, and keeps the last settled alert, for that one may have to stand for several.
 */
#include "correlator/correlate_state.h"

#include <stdlib.h>

static struct window *docket_get(struct run *run, const struct rule *rule, struct str key)
{
	struct window *window = window_get(&run->correlate->dockets, rule->index, key);

	if (window == NULL || window_docket(window) != NULL)
		return window;
	struct docket *docket = calloc(1, sizeof(*docket));

	if (docket == NULL)
		return NULL;
	window_docket_set(window, docket);
	return window;
}

static int run_post(struct run *run, struct alert *alert)
{
	const struct correlate_options *options = &run->correlate->options;

	if (run->silent)
		return 0;
	return alert_post(alert, options->site, run->batch,
	    letter_owner(TOPIC_DETECTIONS, options->partition)) ? 0 : ERR_MEMORY;
}

int docket_early(struct run *run, const struct rule *rule, struct str key, struct alert *alert)
{
	struct window *window = docket_get(run, rule, key);

	if (window == NULL)
		return ERR_MEMORY;
	struct docket *docket = window_docket(window);

	alert->status = ALERT_EARLY;
	alert->id = alert_make_id(run->correlate->options.site->key, alert);
	if (!docket_push(docket, (struct early){alert->id, alert->time_ns}))
		return ERR_MEMORY;
	if (!run->silent)
		run->correlate->options.stats->alerts_early++;
	return run_post(run, alert);
}

/* The early alert that this one settles: itself, else the oldest of the group. */
static void docket_match(struct docket *docket, struct alert *alert)
{
	for (uint32_t i = 0; i < docket->early_count; i++) {
		if (hash128_eq(docket_at(docket, i)->id, alert->id)) {
			docket_take(docket, i);
			return;
		}
	}
	/* With some that are not listed, one of those may be its own. */
	if (docket->early_count > 0 && !docket->untracked) {
		alert->replaces = docket_at(docket, 0)->id;
		docket_take(docket, 0);
	}
}

/* The text of the last settled alert, without what it replaces. */
static bool docket_keep(struct docket *docket, const struct alert *alert)
{
	struct alert plain = *alert;
	struct buf json = BUF(BUS_RECORD_MAX);

	plain.replaces = (struct hash128){0, 0};
	alert_write(&json, &plain);
	if (json.failed) {
		buf_free(&json);
		return false;
	}
	free(docket->last);
	docket->last = json.ptr; /* the buffer's memory changes hands */
	docket->last_len = (uint32_t)json.len;
	docket->last_ns = alert->time_ns;
	return true;
}

int docket_settled(struct run *run, const struct rule *rule, struct str key, struct alert *alert)
{
	struct worker_stats *stats = run->correlate->options.stats;
	struct window *window = docket_get(run, rule, key);

	if (window == NULL)
		return ERR_MEMORY;
	alert->status = ALERT_SETTLED;
	alert->id = alert_make_id(run->correlate->options.site->key, alert);
	docket_match(window_docket(window), alert);
	if (!docket_keep(window_docket(window), alert))
		return ERR_MEMORY;
	if (!run->silent) {
		stats->alerts_settled++;
		stats->alerts_replaced += alert->replaces.high != 0 || alert->replaces.low != 0;
	}
	return run_post(run, alert);
}

int alert_settle(struct run *run, struct alert *alert)
{
	alert->status = ALERT_SETTLED;
	alert->id = alert_make_id(run->correlate->options.site->key, alert);
	if (!run->silent)
		run->correlate->options.stats->alerts_closed++;
	return run_post(run, alert);
}

static int docket_replace(struct run *run, const struct docket *docket, struct hash128 early)
{
	struct alert alert;
	int code = alert_read(run->batch->arena, str_from(docket->last, docket->last_len), &alert,
	    NULL);

	if (code < 0 || hash128_eq(alert.id, early))
		return code;
	alert.replaces = early;
	if (!run->silent)
		run->correlate->options.stats->alerts_replaced++;
	return run_post(run, &alert);
}

/* Nothing that is still to come can settle the oldest early alert. */
static bool docket_overdue(const struct docket *docket, int64_t timespan_ns, int64_t watermark_ns)
{
	return docket->early_count > 0 &&
	    watermark_plus(docket_at(docket, 0)->time_ns, timespan_ns) < watermark_ns;
}

static int docket_settle_rest(struct run *run, struct docket *docket, int64_t timespan_ns)
{
	int code = 0;

	while (code == 0 && docket_overdue(docket, timespan_ns, run->correlate->watermark.now_ns)) {
		struct hash128 early = docket_at(docket, 0)->id;

		docket_take(docket, 0);
		if (docket->last != NULL)
			code = docket_replace(run, docket, early);
	}
	return code;
}

int docket_sweep(struct run *run, const struct rule *rule)
{
	struct window_table *table = &run->correlate->dockets;
	int64_t timespan_ns = rule->correlation->timespan_ns;
	struct window *newer;
	int code = 0;

	for (struct window *window = window_oldest(table, rule->index); code == 0 && window != NULL;
	    window = newer) {
		struct docket *docket = window_docket(window);

		newer = window_newer(window);
		code = docket != NULL ? docket_settle_rest(run, docket, timespan_ns) : 0;
		if (docket == NULL || (docket->early_count == 0 && (docket->last == NULL ||
		    watermark_plus(watermark_plus(docket->last_ns, timespan_ns), timespan_ns) <
		    run->correlate->watermark.now_ns)))
			window_remove(table, window);
	}
	return code;
}
