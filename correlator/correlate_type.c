#include "correlator/correlate_type.h"

#include "base/check.h"
#include "correlator/watermark.h"

#define CORRELATION(symbol, name, meaning)                                                         \
	extern const struct correlate_type correlate_type_##symbol;
#include "sigma/correlations.def"
#undef CORRELATION

static const struct correlate_type *const types[CORRELATION_COUNT] = {
#define CORRELATION(symbol, name, meaning) [CORRELATION_##symbol] = &correlate_type_##symbol,
#include "sigma/correlations.def"
#undef CORRELATION
};

const struct correlate_type *correlate_type(enum correlation_type type)
{
	CHECK(type < CORRELATION_COUNT);
	return types[type];
}

void correlate_ask(const struct correlation *correlation, uint64_t value, uint32_t step,
    const struct window_table *table, const struct window_name *name, struct window_ask *ret)
{
	uint64_t all = correlation->rule_count, least = correlation->condition.min;

	ret->table = table;
	ret->name = *name;
	ret->value = correlate_value(correlation->type, value, step);
	ret->fires = correlation->type != CORRELATION_TEMPORAL || (least > 0 && least < all)
	    ? least : all;
	ret->renews = types[correlation->type]->renews;
}

enum feed_result correlate_distinct(struct window *window, const struct mark *mark,
    int64_t timespan_ns, uint32_t needed)
{
	switch (window_renew(window, mark)) {
	case RENEW_MEMORY:
		return FEED_MEMORY;
	case RENEW_LATE:
		return FEED_WAIT; /* the newer one says more */
	case RENEW_DONE:
		break;
	}
	window_drop_before(window, watermark_minus(window->latest_ns, timespan_ns));
	return window->count >= needed ? FEED_FIRE : FEED_WAIT;
}
