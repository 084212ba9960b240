#include "correlator/correlate_type.h"

static decimal measure(struct tally *tally, const struct correlation *correlation,
    decimal *ret_below)
{
	(void)correlation;
	*ret_below = (decimal)tally->count;
	return tally->sum;
}

const struct correlate_type correlate_type_VALUE_AVG = {
	.name = {"value_avg", 9},
	.measure = measure,
	.needs_values = true,
	.needs_numbers = true,
	.counts_once = true,
};
