/*
 * Groups that went at the ceiling are an alert: whatever they had counted is not found. One at
 * once, and then one in ten minutes of event time at most, each with how many went since the last.
 * Told when the watermark rises, and by event times alone: who reads the records again tells the
 * same.
 */
#include "correlator/correlate_state.h"

#include "base/clock.h"

#define TOLD_NS (600 * NS_PER_S)

static uint64_t evicted_all(const struct correlate *correlate)
{
	return correlate->early.evicted + correlate->settled.evicted +
	    correlate->dockets.evicted + correlate->early_cohorts.evicted +
	    correlate->settled_cohorts.evicted;
}

static void alert_of_eviction(struct alert *ret, const struct correlate *correlate,
    struct arena *arena, uint64_t total)
{
	static const struct hash_key place = {0x746f6373696e2e77, 0x696e646f77732e31};
	const struct correlate_options *options = &correlate->options;
	int64_t time_ns = correlate->newest_ns;

	*ret = (struct alert){.status = ALERT_SETTLED, .time_ns = time_ns,
	    .replay = options->site->replay,
	    .at = {hash_sip64(place, STR("evicted")), options->partition, total},
	    .received_ns = time_ns, .first_ns = time_ns, .last_ns = time_ns,
	    .count = total - correlate->evicted_told,
	    .events_cut = total - correlate->evicted_told,
	    .fold_ns = options->site->fold_default_ns};
	ret->rule = (struct alert_rule){.id = STR("tocsin-evicted"), .level = LEVEL_HIGH,
	    .kind = STR("evicted"),
	    .title = str_of(text_in(TEXT_correlator_evicted_title, LANGUAGE_ENGLISH)),
	    .title_vi = str_of(text_in(TEXT_correlator_evicted_title, LANGUAGE_VIETNAMESE)),
	    .advice = str_of(text_in(TEXT_correlator_evicted_advice, LANGUAGE_ENGLISH)),
	    .advice_vi = str_of(text_in(TEXT_correlator_evicted_advice, LANGUAGE_VIETNAMESE))};
	ret->groups = arena_array(arena, 1, sizeof(*ret->groups));
	struct str partition = arena_printf(arena, "%u", options->partition);

	if (ret->groups == NULL || partition.ptr == NULL)
		return;
	ret->groups[ret->group_count++] = (struct alert_pair){STR("partition"), partition};
}

int run_tell_evicted(struct run *run)
{
	struct correlate *correlate = run->correlate;
	const struct correlate_options *options = &correlate->options;
	uint64_t total = evicted_all(correlate);
	struct alert alert;

	if (total <= correlate->evicted_told ||
	    (correlate->evicted_told_ns != WATERMARK_NONE &&
	    correlate->watermark.now_ns < WATERMARK_END &&
	    correlate->newest_ns < watermark_plus(correlate->evicted_told_ns, TOLD_NS)))
		return 0;
	alert_of_eviction(&alert, correlate, run->batch->arena, total);
	correlate->evicted_told = total;
	correlate->evicted_told_ns = correlate->newest_ns;
	if (arena_failed(run->batch->arena))
		return ERR_MEMORY;
	if (run->silent)
		return 0;
	return alert_post(&alert, options->site, run->batch,
	    letter_owner(TOPIC_DETECTIONS, options->partition)) ? 0 : ERR_MEMORY;
}
