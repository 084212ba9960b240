#include "correlator/correlate_type.h"

static enum feed_result feed(struct window *window, const struct correlation *correlation,
    const struct mark *mark, uint32_t step)
{
	uint64_t needed = correlation->condition.min > 0 ? correlation->condition.min : 1;

	(void)step;
	return correlate_distinct(window, mark, correlation->timespan_ns,
	    needed < UINT32_MAX ? (uint32_t)needed : UINT32_MAX);
}

static decimal measure(struct tally *tally, const struct correlation *correlation,
    decimal *ret_below)
{
	(void)correlation;
	(void)ret_below;
	return (decimal)tally->distinct_count * DECIMAL_ONE;
}

const struct correlate_type correlate_type_VALUE_COUNT = {
	.name = {"value_count", 11},
	.feed = feed,
	.measure = measure,
	.renews = true,
	.keeps_distinct = true,
	.needs_values = true,
};
