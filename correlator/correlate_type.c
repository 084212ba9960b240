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
