/*
 * How far time has come, told to those who wait for it: the watermarks of the owned partitions of
 * events to every partition of detections and alerts, those of detections to alerts. Told only
 * when all that was sent before is on the bus, for progress promises that nothing older comes.
 * Not kept in the outbox: a lost one is made good by the next.
 */
#include "correlator/worker_state.h"

#include "base/clock.h"

#define ANNOUNCE_NS NS_PER_S

bool worker_is_caught_up(struct worker *worker, enum bus_topic topic, uint32_t partition)
{
	const struct owned *owned = &worker->owned[topic][partition];
	uint64_t first, end;

	if (bus_range(worker->options.bus, topic, partition, &first, &end, NULL) < 0)
		return false;
	return owned->next == NOWHERE ? first == end : owned->next >= end;
}

/* A partition that has been read to its end, and where nothing was written for a while. */
static bool source_is_idle(struct worker *worker, uint32_t partition)
{
	const struct watermark_source *source = detect_source(worker->detect, partition);
	bool quiet = source->received_ns == WATERMARK_NONE ||
	    (worker->site.replay.len == 0 &&
	    watermark_plus(source->received_ns, worker->options.idle_ns) < worker->now_ns);

	return quiet && worker_is_caught_up(worker, TOPIC_EVENTS, partition);
}

static bool progress_of_events(struct worker *worker, uint32_t partition, struct progress *ret)
{
	*ret = (struct progress){.topic = TOPIC_EVENTS, .partition = partition,
	    .partitions = worker->partitions[TOPIC_EVENTS],
	    .time_ns = watermark_source_time(detect_source(worker->detect, partition),
	    worker->options.lateness_ns)};
	const struct owned *owned = &worker->owned[TOPIC_EVENTS][partition];

	ret->offset = owned->next != NOWHERE ? owned->next : 0;
	if (worker->finishing && worker_is_caught_up(worker, TOPIC_EVENTS, partition))
		ret->time_ns = WATERMARK_END;
	else
		ret->idle = source_is_idle(worker, partition);
	if (ret->idle && worker->site.replay.len == 0)
		ret->time_ns = watermark_source_idle(detect_source(worker->detect, partition),
		    worker->options.lateness_ns, worker->options.idle_ns, worker->now_ns);
	return ret->time_ns != WATERMARK_NONE || ret->idle;
}

static bool progress_of_detections(struct worker *worker, uint32_t partition,
    struct progress *ret)
{
	const struct owned *owned = &worker->owned[TOPIC_DETECTIONS][partition];

	*ret = (struct progress){.topic = TOPIC_DETECTIONS, .partition = partition,
	    .partitions = worker->partitions[TOPIC_DETECTIONS],
	    .time_ns = correlate_watermark(owned->correlate),
	    .offset = owned->next != NOWHERE ? owned->next : 0};
	return ret->time_ns != WATERMARK_NONE && owned->next != NOWHERE &&
	    owned->next >= owned->silent_until;
}

static bool owned_has_news(const struct owned *owned, const struct progress *progress)
{
	return !owned->announced || owned->announced_ns != progress->time_ns ||
	    owned->announced_idle != progress->idle;
}

static size_t announcement_list(struct worker *worker, enum bus_topic topic, struct progress *list,
    bool (*make)(struct worker *, uint32_t, struct progress *), bool *ret_news)
{
	size_t count = 0;

	for (uint32_t i = 0; i < worker->partitions[topic]; i++) {
		const struct owned *owned = &worker->owned[topic][i];

		if (!owned->owned || !make(worker, i, &list[count]))
			continue;
		*ret_news |= owned_has_news(owned, &list[count]);
		count++;
	}
	return count;
}

static void announcement_make(struct worker *worker)
{
	struct announcement *announcement = &worker->announcement;
	bool news = false;

	announcement->event_count = announcement_list(worker, TOPIC_EVENTS, announcement->events,
	    progress_of_events, &news);
	announcement->detection_count = announcement_list(worker, TOPIC_DETECTIONS,
	    announcement->detections, progress_of_detections, &news);
	announcement->after = worker->has_sequence ? worker->last_sequence : 0;
	announcement->ready = news;
	worker->announced_ns = worker->now_ns;
	worker->tick = false;
}

/* BUS_ACCEPTED, BUS_BUSY or negative. */
static int announce_to(struct worker *worker, enum bus_topic topic, const struct progress *list,
    size_t count)
{
	int code = BUS_ACCEPTED;

	if (count == 0)
		return code;
	buf_clear(&worker->scratch);
	progress_write(&worker->scratch, list, count);
	for (uint32_t i = 0; code == BUS_ACCEPTED && i < worker->partitions[topic]; i++)
		code = bus_publish(worker->options.bus, topic, i, STR_NONE,
		    buf_str(&worker->scratch), SENDER_NO_TAG);
	return code;
}

static void announced(struct worker *worker, enum bus_topic topic, const struct progress *list,
    size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct owned *owned = &worker->owned[topic][list[i].partition];

		owned->announced = true;
		owned->announced_ns = list[i].time_ns;
		owned->announced_idle = list[i].idle;
	}
}

static int announcement_send(struct worker *worker)
{
	struct announcement *a = &worker->announcement;
	int code = announce_to(worker, TOPIC_DETECTIONS, a->events, a->event_count);

	if (code == BUS_ACCEPTED)
		code = announce_to(worker, TOPIC_ALERTS, a->events, a->event_count);
	if (code == BUS_ACCEPTED)
		code = announce_to(worker, TOPIC_ALERTS, a->detections, a->detection_count);
	if (code != BUS_ACCEPTED)
		return code == BUS_BUSY ? 0 : code; /* all of it again at the next step */
	announced(worker, TOPIC_EVENTS, a->events, a->event_count);
	announced(worker, TOPIC_DETECTIONS, a->detections, a->detection_count);
	a->ready = false;
	worker->busy = true;
	return 0;
}

static bool announcement_is_due(const struct worker *worker)
{
	return worker->finishing || worker->tick || worker->site.replay.len > 0 ||
	    worker->now_ns < worker->announced_ns ||
	    worker->now_ns - worker->announced_ns >= ANNOUNCE_NS;
}

int worker_announce(struct worker *worker, bool force, struct error *error)
{
	struct announcement *announcement = &worker->announcement;

	if (!announcement->ready && (force || announcement_is_due(worker)))
		announcement_make(worker);
	if (!announcement->ready)
		return 0;
	uint64_t lowest = sender_lowest(worker->sender);

	if (lowest != UINT64_MAX && lowest <= announcement->after)
		return 0;
	int code = announcement_send(worker);

	return code < 0 ? error_set(error, code, TEXT_correlator_publish) : 0;
}
