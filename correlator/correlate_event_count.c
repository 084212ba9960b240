#include "correlator/correlate_type.h"

#include "correlator/watermark.h"

/*
 * The last N events are enough to know whether N lie within the timespan: a ring of N. In order,
 * each costs one slot; the ring holds them by (time, coordinate), so that early evaluation, which
 * sees them as they arrive, never claims what is not so.
 */
static enum feed_result feed(struct window *window, const struct correlation *correlation,
    const struct mark *mark, uint32_t step)
{
	uint64_t needed = correlation->condition.min > 0 ? correlation->condition.min : 1;

	(void)step;
	if (!window_insert(window, mark))
		return FEED_MEMORY;
	window_drop_before(window, watermark_minus(window->latest_ns, correlation->timespan_ns));
	return window->count >= needed ? FEED_FIRE : FEED_WAIT;
}

static decimal measure(struct tally *tally, const struct correlation *correlation,
    decimal *ret_below)
{
	(void)correlation;
	(void)ret_below;
	return (decimal)tally->count * DECIMAL_ONE;
}

const struct correlate_type correlate_type_EVENT_COUNT = {
	.name = {"event_count", 11},
	.feed = feed,
	.measure = measure,
	.counts_once = true,
};
