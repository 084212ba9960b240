#include "correlator/correlate_type.h"

static enum feed_result feed(struct window *window, const struct correlation *correlation,
    const struct mark *mark, uint32_t step)
{
	uint64_t needed = correlation->condition.min > 0 ? correlation->condition.min : 1;

	(void)step;
	return correlate_distinct(window, mark, correlation->timespan_ns,
	    needed < UINT32_MAX ? (uint32_t)needed : UINT32_MAX);
}

const struct correlate_type correlate_type_VALUE_COUNT = {
	.name = {"value_count", 11},
	.feed = feed,
	.needs_values = true,
};
