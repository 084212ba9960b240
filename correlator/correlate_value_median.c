#include "correlator/correlate_type.h"

/* Of an even number of values, the middle between the two in the middle. */
static decimal measure(struct tally *tally, const struct correlation *correlation,
    decimal *ret_below)
{
	(void)correlation;
	return correlate_percentile(tally, 5000, ret_below);
}

const struct correlate_type correlate_type_VALUE_MEDIAN = {
	.name = {"value_median", 12},
	.measure = measure,
	.needs_values = true,
	.needs_numbers = true,
	.keeps_values = true,
	.counts_once = true,
};
