/*
 * spool_loss.c - what the spool had to give up, told as gap frames that go through the log
 * themselves: the position is not committed beyond a loss before its gap frame is on the disk.
 */
#include "bus/spool.h"

#include <string.h>

#include "base/clock.h"

enum { COUNT_AT = 48 };

uint64_t spool_events(struct str value)
{
	if (value.len < FRAME_HEAD || memcmp(value.ptr, "TCSN", 4) != 0)
		return 1;
	return value.ptr[5] == FRAME_EVENTS ? get_u32(value.ptr + COUNT_AT) : 0;
}

/* Gap frames are in the name of our collector, which the bus knows from its frames alone. */
void spool_loss_note(struct bus_spool *spool, struct str value)
{
	struct frame frame;

	if (frame_read(value, &frame) != FRAME_OK)
		return;
	spool->head_known = true;
	spool->head = frame.head;
}

static void lost_at(struct bus_spool *spool, uint64_t offset)
{
	if (!spool->lost || offset < spool->lost_from)
		spool->lost_from = offset;
	spool->lost = true;
}

void spool_lose(struct bus_spool *spool, enum bus_topic topic, uint32_t partition,
    uint64_t events, int64_t time_ns, uint64_t offset)
{
	struct spool_loss *loss;

	spool->stats.dropped++;
	if (topic != TOPIC_EVENTS || events == 0)
		return;
	loss = &spool->losses[partition % spool->bus.partitions[TOPIC_EVENTS]];
	if (!loss->any || time_ns < loss->from_ns)
		loss->from_ns = time_ns;
	if (!loss->any || time_ns > loss->to_ns)
		loss->to_ns = time_ns;
	loss->any = true;
	loss->events += events;
	lost_at(spool, offset);
}

void spool_lose_damaged(struct bus_spool *spool, uint64_t from, uint64_t to)
{
	if (to <= from)
		return;
	spool->stats.dropped += to - from;
	if (spool->damaged_from == spool->damaged_to)
		spool->damaged_from = from;
	spool->damaged_to = to;
	lost_at(spool, from);
}

static int gap_put(struct bus_spool *spool, uint32_t partition, const struct frame_gap *gap)
{
	struct frame_head head = {.type = FRAME_GAP, .collector = spool->head.collector,
		.epoch = spool->head.epoch, .first = spool->head.first + spool->head.count,
		.previous = FRAME_NO_COUNT, .made_ns = clock_wall_ns()};
	struct buf bytes = BUF(4096);
	int code = frame_gap(&bytes, &head, gap)
	    ? spool_log_put(spool, TOPIC_EVENTS, partition, STR_NONE, buf_str(&bytes), NULL)
	    : BUS_BUSY;

	buf_free(&bytes);
	if (code == BUS_ACCEPTED)
		spool->telling++;
	return code;
}

static int tell_damage(struct bus_spool *spool)
{
	/* how many events, and of which partition, nobody knows any more */
	struct frame_gap gap = {.reason = GAP_DAMAGED, .from = spool->damaged_from,
		.to = spool->damaged_to, .source = STR("spool")};
	int code;

	if (spool->damaged_from == spool->damaged_to)
		return BUS_ACCEPTED;
	code = gap_put(spool, 0, &gap);
	if (code == BUS_ACCEPTED)
		spool->damaged_from = spool->damaged_to = 0;
	return code;
}

int spool_loss_tell(struct bus_spool *spool)
{
	int code;

	if (!spool->lost || spool->telling > 0 || !spool->head_known)
		return 0;
	code = tell_damage(spool);
	for (uint32_t p = 0; code == BUS_ACCEPTED && p < spool->bus.partitions[TOPIC_EVENTS]; p++) {
		struct spool_loss *loss = &spool->losses[p];
		struct frame_gap gap = {.reason = GAP_REFUSED, .count = loss->events,
			.from = (uint64_t)loss->from_ns, .to = (uint64_t)loss->to_ns,
			.source = STR("spool")};

		if (!loss->any)
			continue;
		code = gap_put(spool, p, &gap);
		if (code == BUS_ACCEPTED)
			*loss = (struct spool_loss){0};
	}
	spool->telling_from = spool->lost_from;
	if (code != BUS_ACCEPTED)
		return code < 0 ? code : 0;
	spool->lost = false;
	return 0;
}

uint64_t spool_loss_bound(const struct bus_spool *spool)
{
	uint64_t bound = spool->telling > 0 ? spool->telling_from : UINT64_MAX;

	return spool->lost && spool->lost_from < bound ? spool->lost_from : bound;
}
