#include "correlator/correlate_type.h"

static decimal measure(struct tally *tally, const struct correlation *correlation,
    decimal *ret_below)
{
	(void)correlation;
	(void)ret_below;
	return tally->sum;
}

const struct correlate_type correlate_type_VALUE_SUM = {
	.name = {"value_sum", 9},
	.measure = measure,
	.needs_values = true,
	.needs_numbers = true,
	.counts_once = true,
};
