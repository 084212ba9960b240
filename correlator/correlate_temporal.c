#include "correlator/correlate_type.h"

/*
 * Distinct referenced rules: all of them, or as many as the condition says (Sigma 2.1,
 * temporal).
 */
static enum feed_result feed(struct window *window, const struct correlation *correlation,
    const struct mark *mark, uint32_t step)
{
	uint64_t needed = correlation->condition.min;

	(void)step;
	if (needed == 0 || needed > correlation->rule_count)
		needed = correlation->rule_count;
	return correlate_distinct(window, mark, correlation->timespan_ns, (uint32_t)needed);
}

const struct correlate_type correlate_type_TEMPORAL = {
	.name = {"temporal", 8},
	.feed = feed,
	.renews = true,
};
