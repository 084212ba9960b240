/*
 * spool_drain.c - from the log to the inner bus, in order; what that has durably leaves the log.
 *
 * The position is where an unbroken run of durable (or given up) records ends. A record whose
 * receipt is unknown goes again, with all behind it, once everything under way has its receipt.
 */
#include "bus/spool.h"

#include "base/check.h"
#include "base/clock.h"
#include "bus/local.h"

#define REFUSED_AGAIN NS_PER_S
#define TRIM_EVERY    (NS_PER_S / 5)
#define RATE_SPAN     (2 * NS_PER_S)
/* So little is left that publishers may be held for a moment, to go straight again. */
#define CLOSE_BYTES   (UINT64_C(1) << 20)
#define CLOSE_HOLD    (NS_PER_S / 2)
#define CLOSE_AGAIN   (2 * NS_PER_S)
#define PROGRESS_SPAN (NS_PER_S / 5)

enum { REFUSED_MOST = 5 };

static struct spool_drained *drain_at(struct bus_spool *spool, uint64_t number)
{
	return &spool->drains[number % SPOOL_DRAINS];
}

bool spool_drain_is_empty(const struct bus_spool *spool)
{
	return spool->drain_first == spool->drain_next && spool->logged_count == 0 &&
	    spool->position >= spool->log_next && !spool->lost && spool->telling == 0;
}

/* ---- the position ---- */

static void rate_note(struct bus_spool *spool, uint64_t bytes, int64_t now_ns)
{
	int64_t span_ns = now_ns - spool->rate_ns;

	spool->rate_bytes += bytes;
	if (span_ns < RATE_SPAN)
		return;
	spool->stats.drain_rate = spool->rate_ns == 0 ? 0
	    : (uint64_t)((double)spool->rate_bytes * (double)NS_PER_S / (double)span_ns);
	spool->rate_ns = now_ns;
	spool->rate_bytes = 0;
}

static void position_advance(struct bus_spool *spool, int64_t now_ns)
{
	while (spool->drain_first < spool->drain_next) {
		struct spool_drained *drained = drain_at(spool, spool->drain_first);

		if (drained->state != DRAIN_DONE)
			break;
		if (drained->after > spool->bytes_out) {
			rate_note(spool, drained->after - spool->bytes_out, now_ns);
			spool->bytes_out = drained->after;
		}
		spool->position = drained->next;
		spool->stats.drained += drained->counts;
		spool->drain_first++;
		spool->refusals = 0;
		spool->progress_ns = now_ns;
	}
	spool->oldest_ns = spool->drain_first < spool->drain_next
	    ? drain_at(spool, spool->drain_first)->time_ns
	    : spool->batch_at < spool->batch_count ? spool->batch[spool->batch_at].time_ns : 0;
}

/* Tells the log how far it is drained, and now and then removes its files that are behind that. */
static int position_commit(struct bus_spool *spool, int64_t now_ns, struct error *error)
{
	uint64_t bound = spool_loss_bound(spool);
	uint64_t next = spool->position < bound ? spool->position : bound;
	int code;

	if (next == spool->committed)
		return 0;
	code = bus_commit(spool->reader, 0, next, error);
	if (code < 0)
		return code;
	spool->committed = next;
	if (now_ns - spool->trimmed_ns < TRIM_EVERY)
		return 0;
	spool->trimmed_ns = now_ns;
	return local_trim(spool->log, SPOOL_GROUP, TOPIC_EVENTS, next, error);
}

/* ---- reading the log ---- */

static void batch_forget(struct bus_spool *spool)
{
	spool->batch_at = spool->batch_count = 0;
}

/* NULL: nothing more is committed. */
static int drain_peek(struct bus_spool *spool, const struct bus_record **ret, struct error *error)
{
	int count;

	*ret = NULL;
	if (spool->batch_at == spool->batch_count) {
		batch_forget(spool);
		count = bus_poll(spool->reader, spool->batch, SPOOL_BATCH, 0, error);
		if (count < 0)
			return count;
		spool->batch_count = (size_t)count;
	}
	if (spool->batch_at < spool->batch_count)
		*ret = &spool->batch[spool->batch_at];
	return 0;
}

/* The record at hand is done with, or under way. False: no room to note it. */
static bool drain_push(struct bus_spool *spool, const struct spool_drained *drained)
{
	struct spool_drained *last =
	    spool->drain_next > spool->drain_first ? drain_at(spool, spool->drain_next - 1) : NULL;

	/* a run of what was given up takes one place */
	if (drained->state == DRAIN_DONE && last != NULL && last->state == DRAIN_DONE &&
	    !last->counts) {
		last->next = drained->next;
		last->after = drained->after;
		return true;
	}
	if (spool->drain_next - spool->drain_first == SPOOL_DRAINS)
		return false;
	*drain_at(spool, spool->drain_next++) = *drained;
	spool->drain_sent += drained->state == DRAIN_SENT;
	return true;
}

static void drain_pass(struct bus_spool *spool, const struct bus_record *record, uint64_t after)
{
	struct spool_drained drained = {.state = DRAIN_DONE, .next = record->next, .after = after,
		.time_ns = record->time_ns};

	if (drain_push(spool, &drained))
		spool->batch_at++;
}

static bool is_too_old(const struct bus_spool *spool, const struct bus_record *record)
{
	return spool->options.age_ns > 0 &&
	    record->time_ns < clock_wall_ns() - spool->options.age_ns;
}

/* ---- sending ---- */

static bool may_send(const struct bus_spool *spool, int64_t now_ns)
{
	return spool->inner != NULL && !spool->rewind && now_ns >= spool->pause_ns &&
	    spool->drain_sent < SPOOL_WINDOW;
}

struct parsed {
	enum bus_topic topic;
	uint32_t partition;
	uint64_t before;
	struct str key;
};

/* False: not now. */
static bool drain_send(struct bus_spool *spool, const struct bus_record *record,
    const struct parsed *parsed, int64_t now_ns)
{
	struct spool_drained drained = {.state = DRAIN_SENT, .topic = parsed->topic,
		.partition = parsed->partition, .events = spool_events(record->value),
		.next = record->next, .time_ns = record->time_ns, .counts = true,
		.after = parsed->before + parsed->key.len + record->value.len};
	int code;

	if (!may_send(spool, now_ns) ||
	    spool->drain_next - spool->drain_first == SPOOL_DRAINS)
		return false;
	code = bus_publish(spool->inner, parsed->topic,
	    parsed->partition % bus_partitions(spool->inner, parsed->topic), parsed->key,
	    record->value, spool->drain_next << 1 | 1);
	if (code == BUS_TOO_LARGE) {
		spool_lose(spool, parsed->topic, parsed->partition, drained.events,
		    record->time_ns, record->offset);
		drain_pass(spool, record, drained.after);
		return true;
	}
	if (code < 0)
		spool_inner_trouble(spool, true, now_ns);
	if (code != BUS_ACCEPTED)
		return false;
	CHECK(drain_push(spool, &drained));
	spool->batch_at++;
	return true;
}

/* One record of the log; false: it has to wait. */
static bool drain_record(struct bus_spool *spool, const struct bus_record *record, int64_t now_ns)
{
	struct parsed parsed;
	size_t at = spool->batch_at;

	if (spool->drain_next - spool->drain_first == SPOOL_DRAINS)
		return false;
	if (record->kind == BUS_GAP) {
		spool_lose_damaged(spool, record->offset, record->next);
		drain_pass(spool, record, spool->bytes_out);
		return true;
	}
	if (!spool_log_parse(record, &parsed.topic, &parsed.partition, &parsed.before,
	    &parsed.key)) {
		spool_lose_damaged(spool, record->offset, record->next);
		drain_pass(spool, record, spool->bytes_out);
		return true;
	}
	if (!spool->head_known && parsed.topic == TOPIC_EVENTS)
		spool_loss_note(spool, record->value);
	if (!is_too_old(spool, record))
		return drain_send(spool, record, &parsed, now_ns);
	spool_lose(spool, parsed.topic, parsed.partition, spool_events(record->value),
	    record->time_ns, record->offset);
	drain_pass(spool, record, parsed.before + parsed.key.len + record->value.len);
	return spool->batch_at != at;
}

/* ---- receipts ---- */

static void drain_failed(struct bus_spool *spool, struct spool_drained *drained)
{
	drained->state = DRAIN_FAILED;
	spool->rewind = true;
}

void spool_drain_receipt(struct bus_spool *spool, const struct bus_receipt *receipt)
{
	uint64_t number = receipt->tag >> 1;
	struct spool_drained *drained = drain_at(spool, number);

	if (number < spool->drain_first || number >= spool->drain_next ||
	    drained->state != DRAIN_SENT)
		return;
	spool->drain_sent--;
	switch (receipt->status) {
	case RECEIPT_DURABLE:
		drained->state = DRAIN_DONE;
		spool->proved = true;
		return;
	case RECEIPT_UNKNOWN:
		drain_failed(spool, drained);
		return;
	case RECEIPT_REFUSED:
		/* a topic that is gone may come back: only after some time it is given up */
		if (number == spool->drain_first && ++spool->refusals >= REFUSED_MOST) {
			drained->state = DRAIN_DONE;
			drained->counts = false;
			spool_lose(spool, drained->topic, drained->partition, drained->events,
			    drained->time_ns, drained->next - 1);
			return;
		}
		drain_failed(spool, drained);
		spool->pause_ns = clock_monotonic_ns() + REFUSED_AGAIN;
		return;
	}
}

static int drain_rewind(struct bus_spool *spool, struct error *error)
{
	spool->drain_first = spool->drain_next;
	spool->drain_sent = 0;
	spool->rewind = false;
	batch_forget(spool);
	return bus_seek(spool->reader, 0, spool->position, error);
}

void spool_drain_restart(struct bus_spool *spool)
{
	for (uint64_t n = spool->drain_first; n < spool->drain_next; n++)
		if (drain_at(spool, n)->state == DRAIN_SENT)
			drain_at(spool, n)->state = DRAIN_FAILED;
	spool->drain_sent = 0;
	spool->rewind = spool->drain_next > spool->drain_first;
}

/*
 * The disk is full, and what the last file holds is drained: it goes, since there is no room for
 * the next one beside it.
 */
static int drain_make_room(struct bus_spool *spool, struct error *error)
{
	struct bus_stats log;
	int code;

	bus_stats(spool->log, &log);
	if (!log.full || spool->log_next == 0 || spool->committed < spool->log_next ||
	    spool->drain_first < spool->drain_next || spool->lost || spool->telling > 0)
		return 0;
	code = local_clear(spool->log, SPOOL_GROUP, TOPIC_EVENTS, error);
	if (code != 0)
		return code;
	spool->position = spool->committed = spool->log_next = 0;
	batch_forget(spool);
	code = bus_seek(spool->reader, 0, 0, error);
	/* the poll lets go of the file */
	code = code == 0 ? bus_poll(spool->reader, spool->batch, SPOOL_BATCH, 0, error) : code;
	spool->batch_count = code > 0 ? (size_t)code : 0;
	return code < 0 ? code : 0;
}

/* ---- a step ---- */

static int drain_batch(struct bus_spool *spool, int64_t now_ns, struct error *error)
{
	const struct bus_record *record;
	int code;

	for (;;) {
		code = drain_peek(spool, &record, error);
		if (code < 0 || record == NULL || !drain_record(spool, record, now_ns))
			return code;
		spool->sent_ns = now_ns;
	}
}

/* Little is left and it goes well: publishers are held, so that the log can become empty. */
static void drain_close_in(struct bus_spool *spool, int64_t now_ns)
{
	if (spool->inner == NULL || spool->bytes_in - spool->bytes_out > CLOSE_BYTES ||
	    now_ns - spool->progress_ns > PROGRESS_SPAN || now_ns < spool->close_again_ns)
		return;
	spool->closing_ns = now_ns + CLOSE_HOLD;
	spool->close_again_ns = now_ns + CLOSE_AGAIN;
}

int spool_drain_step(struct bus_spool *spool, int64_t now_ns, struct error *error)
{
	int code = 0;

	position_advance(spool, now_ns);
	if (spool->rewind && spool->drain_sent == 0)
		code = drain_rewind(spool, error);
	if (code == 0)
		code = drain_batch(spool, now_ns, error);
	position_advance(spool, now_ns);
	rate_note(spool, 0, now_ns);
	if (code == 0)
		code = spool_loss_tell(spool);
	if (code == 0)
		code = position_commit(spool, now_ns, error);
	if (code == 0)
		code = drain_make_room(spool, error);
	if (code == 0 && spool->proved && spool->inner != NULL && spool_drain_is_empty(spool)) {
		spool->spooling = false;
		spool->closing_ns = 0;
		spool->oldest_ns = 0;
		spool->stats.drain_rate = 0;
	} else if (code == 0) {
		drain_close_in(spool, now_ns);
	}
	spool->bus.eager = spool->spooling && (now_ns - spool->progress_ns < PROGRESS_SPAN ||
	    now_ns - spool->sent_ns < PROGRESS_SPAN);
	return code;
}
