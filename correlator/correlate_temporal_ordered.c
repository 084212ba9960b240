#include "correlator/correlate_type.h"

#include "correlator/watermark.h"

/*
 * For each step k the chain of k + 1 events, in order, that ends with that step and begins
 * latest: what begins latest can be completed for longest, so no other chain need be remembered.
 * Chain k lies in the slots from k * (k + 1) / 2 on. Order is strict, by (time, coordinate): one
 * event is never two steps of a chain.
 */
static uint32_t chain_at(uint32_t step)
{
	return step * (step + 1) / 2;
}

/* The slots up to those of a step exist afterwards, empty where nothing was. */
static bool chains_reserve(struct window *window, uint32_t step)
{
	uint32_t slots = chain_at(step) + step + 1;

	while (window->count < slots)
		if (!window_append(window, &(struct mark){.used = false}))
			return false;
	return true;
}

static struct mark chain_slot(const struct window *window, uint32_t step, uint32_t index)
{
	return window_mark(window, chain_at(step) + index);
}

static bool chain_exists(const struct window *window, uint32_t step)
{
	return window->count >= chain_at(step) + step + 1 && chain_slot(window, step, 0).used;
}

static bool slot_set(struct window *window, uint32_t step, uint32_t index, struct mark mark)
{
	mark.used = true;
	return window_mark_set(window, chain_at(step) + index, &mark);
}

/* Chain step := chain step - 1 and mark, unless what is there begins later. */
static bool chain_extend(struct window *window, const struct mark *mark, uint32_t step)
{
	struct mark start = step > 0 ? chain_slot(window, step - 1, 0) : *mark;

	if (!chains_reserve(window, step))
		return false;
	struct mark known = chain_slot(window, step, 0);

	if (known.used && mark_compare(&known, &start) > 0)
		return true;
	for (uint32_t i = 0; i < step; i++)
		if (!slot_set(window, step, i, chain_slot(window, step - 1, i)))
			return false;
	return slot_set(window, step, step, *mark);
}

/* Leaves only the last chain: what fired. */
static void chain_keep_last(struct window *window, uint32_t step)
{
	for (uint32_t i = 0; i < chain_at(step); i++)
		window_drop_first(window);
}

static enum feed_result feed(struct window *window, const struct correlation *correlation,
    const struct mark *mark, uint32_t step)
{
	if (step > 0) {
		if (!chain_exists(window, step - 1))
			return FEED_WAIT;
		struct mark before = chain_slot(window, step - 1, step - 1);

		if (!mark->is_end && mark_compare(&before, mark) >= 0)
			return FEED_WAIT;
		if (watermark_minus(mark->time_ns, chain_slot(window, step - 1, 0).time_ns) >
		    correlation->timespan_ns)
			return FEED_WAIT;
	}
	if (!chain_extend(window, mark, step))
		return FEED_MEMORY;
	if (mark->time_ns > window->latest_ns)
		window->latest_ns = mark->time_ns;
	if (step + 1 < correlation->rule_count)
		return FEED_WAIT;
	chain_keep_last(window, step);
	return FEED_FIRE;
}

const struct correlate_type correlate_type_TEMPORAL_ORDERED = {
	.name = {"temporal_ordered", 16},
	.feed = feed,
};
