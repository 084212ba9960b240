#include "correlator/correlate_type.h"

/* The rank is in hundredths, so that of n values the last is at rank 10,000. */
#define WHOLE 10000u

/*
 * Between the two values next to the rank, in proportion: of n values in order, the first is the
 * percentile 0 and the last the percentile 100.
 */
decimal correlate_percentile(struct tally *tally, uint32_t rank, decimal *ret_below)
{
	uint64_t at = (uint64_t)(tally->value_count - 1) * rank;
	uint32_t below = (uint32_t)(at / WHOLE);
	decimal behind = (decimal)(at % WHOLE);

	tally_sort(tally);
	*ret_below = WHOLE;
	decimal over = tally->values[below] * (WHOLE - behind);

	return behind == 0 ? over : over + tally->values[below + 1] * behind;
}

static decimal measure(struct tally *tally, const struct correlation *correlation,
    decimal *ret_below)
{
	return correlate_percentile(tally, correlation->rank, ret_below);
}

const struct correlate_type correlate_type_VALUE_PERCENTILE = {
	.name = {"value_percentile", 16},
	.measure = measure,
	.needs_values = true,
	.needs_numbers = true,
	.keeps_values = true,
	.counts_once = true,
};
