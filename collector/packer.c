#include "collector/packer.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

/* What waits or is under way, in all; an open frame comes on top for each partition. */
#define QUEUE_BYTES (32u << 20)
#define RECEIPTS    256
#define DRIVE_NS    INT64_C(1000000)
#define SPARES      32u

/* How many events of a frame are whose. */
struct share {
	struct ledger_row *row;
	uint64_t count;
	int64_t first_ns; /* when the first of them was received */
};

/* A closed frame: in the queue until the bus takes it, then until its receipt. */
struct parcel {
	struct parcel *next;
	uint64_t tag;
	uint32_t partition;
	struct buf bytes;
	struct share *shares;
	size_t share_count, share_capacity;
	struct ticket **tickets; /* each held once */
	size_t ticket_count, ticket_capacity;
	struct messages *messages; /* of which these are */
	struct hash128 *named;     /* under way */
	size_t named_count, named_capacity;
	uint64_t events;
};

struct list {
	struct parcel *first, *last;
};

/* What belongs to one partition; or to one source of events that keep their coordinates. */
struct lane {
	struct lane *next;     /* of those that keep theirs */
	struct parcel *parcel; /* the open frame; NULL: none */
	int64_t opened_ns;
	uint32_t partition;
	uint64_t previous;       /* counter */
	struct list sent;        /* receipts of a partition come in this order, nearly always */
	bool kept;
	struct coordinate first; /* kept: of the first event of the open frame */
};

struct packer {
	struct packer_options options;
	uint32_t partitions;
	struct lane *lanes;
	struct lane *kept;   /* lanes of their own */
	uint64_t counter;    /* of the next event */
	struct list waiting; /* by tag */
	size_t sent_count;
	bool recovering; /* a receipt was unknown: see packer_send */
	uint64_t next_tag;
	size_t queued_bytes; /* memory of what waits or is under way */
	uint64_t in_flight;  /* events */
	struct buf spares[SPARES]; /* memory of frames that are done with, for the next ones */
	size_t spare_count;
};

struct packer *packer_new(const struct packer_options *options)
{
	struct packer *packer = calloc(1, sizeof(*packer));

	if (packer == NULL)
		return NULL;
	packer->options = *options;
	packer->partitions = bus_partitions(options->bus, TOPIC_EVENTS);
	if (packer->options.queue_bytes == 0)
		packer->options.queue_bytes = QUEUE_BYTES;
	packer->lanes = calloc(packer->partitions, sizeof(*packer->lanes));
	if (packer->lanes == NULL) {
		free(packer);
		return NULL;
	}
	for (uint32_t p = 0; p < packer->partitions; p++)
		packer->lanes[p] = (struct lane){.partition = p, .previous = FRAME_NO_COUNT};
	return packer;
}

static void parcel_tickets_release(struct parcel *parcel, bool durable)
{
	for (size_t i = 0; i < parcel->ticket_count; i++)
		ticket_release(parcel->tickets[i], durable);
	parcel->ticket_count = 0;
}

static void parcel_named_settle(struct parcel *parcel, bool durable)
{
	for (size_t i = 0; i < parcel->named_count; i++)
		messages_settle(parcel->messages, parcel->named[i], durable);
	parcel->named_count = 0;
}

/* What is freed without a receipt has not become durable. */
static void parcel_free(struct parcel *parcel)
{
	if (parcel == NULL)
		return;
	parcel_tickets_release(parcel, false);
	parcel_named_settle(parcel, false);
	buf_free(&parcel->bytes);
	free(parcel->shares);
	free(parcel->tickets);
	free(parcel->named);
	free(parcel);
}

static void list_free(struct list *list)
{
	while (list->first != NULL) {
		struct parcel *next = list->first->next;

		parcel_free(list->first);
		list->first = next;
	}
}

void packer_free(struct packer *packer)
{
	if (packer == NULL)
		return;
	for (uint32_t p = 0; p < packer->partitions; p++) {
		parcel_free(packer->lanes[p].parcel);
		list_free(&packer->lanes[p].sent);
	}
	while (packer->kept != NULL) {
		struct lane *next = packer->kept->next;

		parcel_free(packer->kept->parcel);
		free(packer->kept);
		packer->kept = next;
	}
	list_free(&packer->waiting);
	while (packer->spare_count > 0)
		buf_free(&packer->spares[--packer->spare_count]);
	free(packer->lanes);
	free(packer);
}

static void list_append(struct list *list, struct parcel *parcel)
{
	parcel->next = NULL;
	if (list->last != NULL && list->first != NULL)
		list->last->next = parcel;
	else
		list->first = parcel;
	list->last = parcel;
}

static struct parcel *list_take_first(struct list *list)
{
	struct parcel *parcel = list->first;

	list->first = parcel->next;
	return parcel;
}

static struct parcel *parcel_new(uint32_t partition)
{
	struct parcel *parcel = calloc(1, sizeof(*parcel));

	if (parcel == NULL)
		return NULL;
	parcel->partition = partition;
	parcel->bytes = BUF(FRAME_MAX);
	frame_begin(&parcel->bytes);
	if (parcel->bytes.failed) {
		parcel_free(parcel);
		return NULL;
	}
	return parcel;
}

/* Room for a whole frame from the beginning, or it grows by copies of itself. */
static struct parcel *parcel_open(struct packer *packer, uint32_t partition)
{
	struct parcel *parcel = parcel_new(partition);

	if (parcel == NULL)
		return NULL;
	if (packer->spare_count > 0) {
		buf_free(&parcel->bytes);
		parcel->bytes = packer->spares[--packer->spare_count];
		frame_begin(&parcel->bytes);
	} else {
		buf_room(&parcel->bytes, packer->options.frame_bytes);
	}
	return parcel;
}

/* Takes the memory away from bytes. */
static void spare_keep(struct packer *packer, struct buf *bytes)
{
	if (packer->spare_count < SPARES && bytes->capacity >= packer->options.frame_bytes &&
	    bytes->capacity <= 2 * packer->options.frame_bytes && !bytes->failed)
		packer->spares[packer->spare_count++] = *bytes;
	else
		buf_free(bytes);
	*bytes = BUF(FRAME_MAX);
}

/* A frame that is closed before it is full does not keep the room of a whole one while it waits. */
static void parcel_trim(struct packer *packer, struct parcel *parcel)
{
	struct buf trimmed = BUF(FRAME_MAX);

	if (parcel->bytes.len > parcel->bytes.capacity / 4 * 3)
		return;
	buf_put(&trimmed, parcel->bytes.ptr, parcel->bytes.len);
	if (trimmed.failed) {
		buf_free(&trimmed);
		return;
	}
	spare_keep(packer, &parcel->bytes);
	parcel->bytes = trimmed;
}

/* Neighbouring events are mostly of one sender, so the last shares are looked at first. */
static bool parcel_share(struct parcel *parcel, struct ledger_row *row, int64_t received_ns)
{
	for (size_t i = parcel->share_count; i > 0; i--) {
		if (parcel->shares[i - 1].row == row) {
			parcel->shares[i - 1].count++;
			return true;
		}
	}
	if (parcel->share_count == parcel->share_capacity) {
		size_t capacity = parcel->share_capacity == 0 ? 4 : parcel->share_capacity * 2;
		struct share *shares = realloc(parcel->shares, capacity * sizeof(*shares));

		if (shares == NULL)
			return false;
		parcel->shares = shares;
		parcel->share_capacity = capacity;
	}
	parcel->shares[parcel->share_count++] = (struct share){row, 1, received_ns};
	return true;
}

/* Events of one request come one behind the other. */
static bool parcel_ticket(struct parcel *parcel, struct ticket *ticket)
{
	if (ticket == NULL ||
	    (parcel->ticket_count > 0 && parcel->tickets[parcel->ticket_count - 1] == ticket))
		return true;
	if (parcel->ticket_count == parcel->ticket_capacity) {
		size_t capacity = parcel->ticket_capacity == 0 ? 4 : parcel->ticket_capacity * 2;
		struct ticket **tickets = realloc(parcel->tickets, capacity * sizeof(*tickets));

		if (tickets == NULL)
			return false;
		parcel->tickets = tickets;
		parcel->ticket_capacity = capacity;
	}
	ticket_hold(ticket);
	parcel->tickets[parcel->ticket_count++] = ticket;
	return true;
}

/* Room for one more; the caller puts it there. */
static bool parcel_named_room(
    struct parcel *parcel, struct messages *messages, struct hash128 message)
{
	if (messages == NULL || !message_is_named(message))
		return true;
	parcel->messages = messages;
	if (parcel->named_count == parcel->named_capacity) {
		size_t capacity = parcel->named_capacity == 0 ? 8 : parcel->named_capacity * 2;
		struct hash128 *named = realloc(parcel->named, capacity * sizeof(*named));

		if (named == NULL)
			return false;
		parcel->named = named;
		parcel->named_capacity = capacity;
	}
	return true;
}

static void parcel_named_put(struct parcel *parcel, struct hash128 message)
{
	if (parcel->messages != NULL && message_is_named(message))
		parcel->named[parcel->named_count++] = message;
}

static size_t parcel_memory(const struct parcel *parcel)
{
	return sizeof(*parcel) + parcel->bytes.capacity +
	       parcel->share_capacity * sizeof(*parcel->shares) +
	       parcel->named_capacity * sizeof(*parcel->named);
}

static void packer_enqueue(struct packer *packer, struct parcel *parcel)
{
	parcel->tag = packer->next_tag++;
	packer->queued_bytes += parcel_memory(parcel);
	list_append(&packer->waiting, parcel);
}

static struct frame_head packer_head(const struct packer *packer, uint32_t partition,
    enum frame_type type, uint64_t events, int64_t now_ns)
{
	return (struct frame_head){.type = type,
	    .collector = packer->options.identity.collector,
	    .epoch = packer->options.identity.epoch,
	    .first = packer->counter,
	    .previous = packer->lanes[partition].previous,
	    .count = (uint32_t)events,
	    .made_ns = now_ns};
}

static struct frame_head kept_head(const struct lane *lane, uint64_t events, int64_t now_ns)
{
	return (struct frame_head){.type = FRAME_EVENTS,
	    .flags = FRAME_KEPT,
	    .collector = lane->first.collector,
	    .epoch = lane->first.epoch,
	    .first = lane->first.counter,
	    .previous = lane->previous,
	    .count = (uint32_t)events,
	    .made_ns = now_ns};
}

static void packer_close(struct packer *packer, struct lane *lane, int64_t now_ns)
{
	struct parcel *parcel = lane->parcel;
	struct frame_head head = lane->kept
	    ? kept_head(lane, parcel->events, now_ns)
	    : packer_head(packer, lane->partition, FRAME_EVENTS, parcel->events, now_ns);

	lane->parcel = NULL;
	/* Its only event found no memory. */
	if (parcel->events == 0) {
		parcel_free(parcel);
		return;
	}
	CHECK(frame_end(&parcel->bytes, &head));
	parcel_trim(packer, parcel);
	if (!lane->kept)
		packer->counter += parcel->events;
	lane->previous = head.first + parcel->events - 1;
	packer_enqueue(packer, parcel);
}

struct lane *packer_lane(struct packer *packer, uint32_t partition)
{
	struct lane *lane = calloc(1, sizeof(*lane));

	if (lane == NULL)
		return NULL;
	CHECK(partition < packer->partitions);
	*lane = (struct lane){.next = packer->kept,
	    .partition = partition,
	    .previous = FRAME_NO_COUNT,
	    .kept = true};
	packer->kept = lane;
	return lane;
}

void packer_lane_begin(
    struct packer *packer, struct lane *lane, struct coordinate at, int64_t now_ns)
{
	if (lane->parcel != NULL)
		packer_close(packer, lane, now_ns);
	lane->first = at;
	lane->previous = at.counter == 0 ? FRAME_NO_COUNT : at.counter - 1;
}

/* One event as a record of its own, for foreign consumers. */
static struct parcel *parcel_of_json(
    struct packer *packer, const struct lane *lane, const struct event *event)
{
	struct parcel *parcel = parcel_new(lane->partition);
	struct event stamped = *event;

	if (parcel == NULL)
		return NULL;
	if (!lane->kept)
		stamped.at = (struct coordinate){packer->options.identity.collector,
		    packer->options.identity.epoch, packer->counter};
	buf_clear(&parcel->bytes);
	frame_json(&parcel->bytes, &stamped);
	if (parcel->bytes.failed) {
		parcel_free(parcel);
		return NULL;
	}
	return parcel;
}

static bool add_json(struct packer *packer, struct ledger_row *row, struct lane *lane,
    const struct event *event, int64_t now_ns, struct ticket *ticket)
{
	struct parcel *parcel = parcel_of_json(packer, lane, event);

	if (parcel == NULL || !parcel_share(parcel, row, now_ns) ||
	    !parcel_ticket(parcel, ticket) ||
	    !parcel_named_room(parcel, packer->options.messages, event->message)) {
		parcel_free(parcel);
		return false;
	}
	parcel_named_put(parcel, event->message);
	parcel->events = 1;
	lane->previous = lane->kept ? event->at.counter : packer->counter++;
	packer_enqueue(packer, parcel);
	return true;
}

/* A frame of kept coordinates has no hole, and is of one source. */
static bool lane_goes_on(const struct lane *lane, struct coordinate at)
{
	return !lane->kept || (at.collector == lane->first.collector &&
				  at.epoch == lane->first.epoch &&
				  at.counter == lane->first.counter + lane->parcel->events);
}

static bool add_framed(struct packer *packer, struct ledger_row *row, struct lane *lane,
    const struct event *event, int64_t now_ns, struct ticket *ticket)
{
	/* Only an event that is larger alone makes a frame larger than frame_bytes. */
	if (lane->parcel != NULL && lane->parcel->events > 0 &&
	    (!lane_goes_on(lane, event->at) ||
		lane->parcel->bytes.len + frame_event_size(event) > packer->options.frame_bytes))
		packer_close(packer, lane, now_ns);
	if (lane->parcel == NULL) {
		lane->parcel = parcel_open(packer, lane->partition);
		lane->opened_ns = now_ns;
	}
	if (lane->kept && lane->parcel != NULL && lane->parcel->events == 0)
		lane->first = event->at;
	struct parcel *parcel = lane->parcel;

	if (parcel == NULL || !parcel_ticket(parcel, ticket) ||
	    !parcel_named_room(parcel, packer->options.messages, event->message) ||
	    !parcel_share(parcel, row, now_ns))
		return false;
	size_t before = parcel->bytes.len;

	frame_add(&parcel->bytes, event);
	if (parcel->bytes.failed) {
		parcel->bytes.failed = false;
		parcel->bytes.len = before;
		for (size_t i = 0; i < parcel->share_count; i++)
			parcel->shares[i].count -= parcel->shares[i].row == row;
		return false;
	}
	parcel_named_put(parcel, event->message);
	parcel->events++;
	if (parcel->bytes.len >= packer->options.frame_bytes)
		packer_close(packer, lane, now_ns);
	return true;
}

static void count_received(
    struct source_row *counts, const struct event *event, int64_t now_ns)
{
	if (counts->received++ == 0)
		counts->first_ns = now_ns;
	counts->last_ns = now_ns;
	counts->bytes += event->raw.len;
	counts->truncated += (event->flags & EVENT_TRUNCATED) != 0;
	counts->with_nul += (event->flags & EVENT_HAS_NUL) != 0;
	counts->bad_utf8 += (event->flags & EVENT_BAD_UTF8) != 0;
}

static void tell_later(struct ledger_row *row, uint64_t count, int64_t since_ns)
{
	if (row->gap_refused == 0)
		row->gap_from_ns = since_ns;
	row->gap_refused += count;
}

/*
 * What cannot wait is refused, a little later than what can is held back: a batch of datagrams that
 * has been read still finds room, and then the next ones wait in the kernel.
 */
static bool packer_is_late(const struct packer *packer, const struct ledger_row *row)
{
	size_t most = packer->options.queue_bytes;

	if (packer->queued_bytes < most)
		return packer_is_behind_for(packer, row);
	return packer->queued_bytes >= most + most / 16 || row->in_flight > packer->in_flight / 8;
}

void packer_add_kept(struct packer *packer, struct lane *lane, struct ledger_row *row,
    const struct event *event, int64_t now_ns, struct ticket *ticket)
{
	bool late = event->transport == TRANSPORT_UDP && packer_is_late(packer, row);

	count_received(&row->counts, event, now_ns);
	bool taken = !late && (packer->options.one_event_json
	    ? add_json(packer, row, lane, event, now_ns, ticket)
	    : add_framed(packer, row, lane, event, now_ns, ticket));

	if (taken) {
		packer->in_flight++;
		row->in_flight++;
		return;
	}
	if (packer->options.messages != NULL && message_is_named(event->message))
		messages_settle(packer->options.messages, event->message, false);
	row->counts.refused_busy++;
	tell_later(row, 1, now_ns);
	ticket_hold(ticket);
	ticket_release(ticket, false);
}

void packer_add(struct packer *packer, struct ledger_row *row, const struct event *event,
    struct ticket *ticket)
{
	uint32_t partition =
	    row->shared ? bus_partition_of(event->sender, packer->partitions) : row->partition;

	packer_add_kept(packer, &packer->lanes[partition], row, event, event->received_ns, ticket);
}

bool packer_is_behind(const struct packer *packer)
{
	return packer->queued_bytes >= packer->options.queue_bytes;
}

/*
 * The last quarter of the queue is for those who have less than an eighth of what is under way: one
 * flood does not fill it, and eight that send alike share all of it.
 */
bool packer_is_behind_for(const struct packer *packer, const struct ledger_row *row)
{
	size_t most = packer->options.queue_bytes;

	return packer->queued_bytes >= most ||
	       (packer->queued_bytes >= most - most / 4 && row->in_flight > packer->in_flight / 8);
}

bool packer_has_drained(const struct packer *packer)
{
	return packer->queued_bytes <= packer->options.queue_bytes / 2;
}

void packer_tick(struct packer *packer, int64_t now_ns)
{
	for (uint32_t p = 0; p < packer->partitions; p++) {
		if (packer->lanes[p].parcel != NULL)
			packer_close(packer, &packer->lanes[p], now_ns);
		struct parcel *parcel = parcel_new(p);
		struct frame_head head = packer_head(packer, p, FRAME_TICK, 0, now_ns);

		if (parcel == NULL)
			return;
		if (frame_tick(&parcel->bytes, &head))
			packer_enqueue(packer, parcel);
		else
			parcel_free(parcel);
	}
}

bool packer_gap(
    struct packer *packer, uint32_t partition, const struct frame_gap *gap, int64_t now_ns)
{
	struct parcel *parcel = parcel_new(partition);
	struct frame_head head = packer_head(packer, partition, FRAME_GAP, 0, now_ns);

	if (parcel == NULL)
		return false;
	if (!frame_gap(&parcel->bytes, &head, gap)) {
		parcel_free(parcel);
		return false;
	}
	packer_enqueue(packer, parcel);
	return true;
}

static void parcel_count(const struct parcel *parcel, size_t offset)
{
	for (size_t i = 0; i < parcel->share_count; i++) {
		struct source_row *counts = &parcel->shares[i].row->counts;

		*(uint64_t *)(void *)((char *)counts + offset) += parcel->shares[i].count;
	}
}

/* The frame is done with: what became of its events goes into the column at offset. */
static void parcel_done(struct packer *packer, struct parcel *parcel, size_t offset)
{
	parcel_count(parcel, offset);
	for (size_t i = 0; i < parcel->share_count; i++)
		parcel->shares[i].row->in_flight -= parcel->shares[i].count;
	packer->in_flight -= parcel->events;
	packer->queued_bytes -= parcel_memory(parcel);
	bool durable = offset == offsetof(struct source_row, durable);

	/* Before the tickets: what is answered may come again at once. */
	parcel_named_settle(parcel, durable);
	parcel_tickets_release(parcel, durable);
	spare_keep(packer, &parcel->bytes);
	parcel_free(parcel);
}

static void parcel_refused(struct packer *packer, struct parcel *parcel, int64_t now_ns)
{
	for (size_t i = 0; i < parcel->share_count; i++)
		tell_later(parcel->shares[i].row, parcel->shares[i].count, now_ns);
	parcel_done(packer, parcel, offsetof(struct source_row, refused_large));
}

/*
 * After an unknown receipt nothing is sent until all that is under way has its receipt: the frames
 * that must go again are then back in the queue in front of those that were never sent, and the
 * order in a partition is kept.
 */
static int packer_send(struct packer *packer, int64_t now_ns)
{
	packer->recovering = packer->recovering && packer->sent_count > 0;
	if (packer->recovering)
		return 0;
	while (packer->waiting.first != NULL) {
		struct parcel *parcel = packer->waiting.first;
		int code = bus_publish(packer->options.bus, TOPIC_EVENTS, parcel->partition,
		    STR_NONE, buf_str(&parcel->bytes), parcel->tag);

		if (code == BUS_BUSY)
			return 0;
		if (code < 0)
			return code;
		list_take_first(&packer->waiting);
		if (code == BUS_TOO_LARGE) {
			parcel_refused(packer, parcel, now_ns);
			continue;
		}
		parcel_count(parcel, offsetof(struct source_row, published));
		list_append(&packer->lanes[parcel->partition].sent, parcel);
		packer->sent_count++;
	}
	return 0;
}

static struct parcel *sent_take(struct packer *packer, uint32_t partition, uint64_t tag)
{
	struct list *sent = &packer->lanes[partition].sent;
	struct parcel **at = &sent->first;
	struct parcel *before = NULL;

	while (*at != NULL && (*at)->tag != tag) {
		before = *at;
		at = &(*at)->next;
	}
	struct parcel *parcel = *at;

	if (parcel == NULL)
		return NULL;
	*at = parcel->next;
	if (sent->last == parcel)
		sent->last = before;
	packer->sent_count--;
	return parcel;
}

/* Unknown frames go back to the head of the queue, in the order of their tags. */
static void send_again(struct packer *packer, struct parcel *parcel)
{
	struct parcel **at = &packer->waiting.first;

	for (size_t i = 0; i < parcel->share_count; i++)
		parcel->shares[i].row->counts.published -= parcel->shares[i].count;
	while (*at != NULL && (*at)->tag < parcel->tag)
		at = &(*at)->next;
	packer->recovering = true;
	parcel->next = *at;
	*at = parcel;
	if (parcel->next == NULL)
		packer->waiting.last = parcel;
}

/* From receipt to durable, as the oldest event of each sender saw it. */
static void parcel_lag(const struct parcel *parcel, int64_t now_ns)
{
	for (size_t i = 0; i < parcel->share_count; i++) {
		struct source_row *counts = &parcel->shares[i].row->counts;
		int64_t lag_ns = now_ns - parcel->shares[i].first_ns;

		counts->lag_ns = lag_ns < 0 ? 0 : lag_ns;
		if (counts->lag_ns > counts->lag_max_ns)
			counts->lag_max_ns = counts->lag_ns;
	}
}

static void packer_receipt(struct packer *packer, const struct bus_receipt *receipt, int64_t now_ns)
{
	CHECK(receipt->partition < packer->partitions);
	struct parcel *parcel = sent_take(packer, receipt->partition, receipt->tag);

	if (parcel == NULL)
		return;
	switch (receipt->status) {
	case RECEIPT_DURABLE:
		parcel_lag(parcel, now_ns);
		parcel_done(packer, parcel, offsetof(struct source_row, durable));
		return;
	case RECEIPT_UNKNOWN:
		send_again(packer, parcel);
		return;
	case RECEIPT_REFUSED:
		for (size_t i = 0; i < parcel->share_count; i++)
			parcel->shares[i].row->counts.published -= parcel->shares[i].count;
		parcel_refused(packer, parcel, now_ns);
		return;
	}
}

/* How long the open frame may wait. Not at all when the clock was set back. */
static int64_t frame_left(const struct packer *packer, const struct lane *lane, int64_t now_ns)
{
	int64_t age_ns = now_ns - lane->opened_ns;

	return age_ns < 0 || age_ns >= packer->options.frame_delay_ns
		   ? 0
		   : packer->options.frame_delay_ns - age_ns;
}

static void close_if_due(struct packer *packer, struct lane *lane, int64_t now_ns, bool all)
{
	if (lane->parcel != NULL && (all || frame_left(packer, lane, now_ns) == 0))
		packer_close(packer, lane, now_ns);
}

static int64_t lane_due(
    const struct packer *packer, const struct lane *lane, int64_t now_ns, int64_t limit_ns)
{
	int64_t left_ns = lane->parcel == NULL ? limit_ns : frame_left(packer, lane, now_ns);

	return left_ns < limit_ns ? left_ns : limit_ns;
}

int packer_drive(struct packer *packer, int64_t now_ns, bool all, struct error *error)
{
	struct bus_receipt receipts[RECEIPTS];
	int code, count;

	for (uint32_t p = 0; p < packer->partitions; p++)
		close_if_due(packer, &packer->lanes[p], now_ns, all);
	for (struct lane *lane = packer->kept; lane != NULL; lane = lane->next)
		close_if_due(packer, lane, now_ns, all);
	code = packer_send(packer, now_ns);
	if (code < 0)
		return error_set(error, code, TEXT_collector_publish);
	do {
		count = bus_receipts(packer->options.bus, receipts, RECEIPTS, 0, error);
		for (int i = 0; i < count; i++)
			packer_receipt(packer, &receipts[i], now_ns);
	} while (count == RECEIPTS);
	return count < 0 ? count : 0;
}

uint64_t packer_in_flight(const struct packer *packer)
{
	return packer->in_flight;
}

int64_t packer_due(const struct packer *packer, int64_t now_ns, int64_t limit_ns)
{
	if (bus_is_eager(packer->options.bus) && limit_ns > DRIVE_NS)
		limit_ns = DRIVE_NS;
	/* Something is under way: the bus wants to be driven for its commit and its receipts. */
	if ((packer->waiting.first != NULL || packer->sent_count > 0) && limit_ns > DRIVE_NS)
		limit_ns = DRIVE_NS;
	for (uint32_t p = 0; p < packer->partitions; p++)
		limit_ns = lane_due(packer, &packer->lanes[p], now_ns, limit_ns);
	for (const struct lane *lane = packer->kept; lane != NULL; lane = lane->next)
		limit_ns = lane_due(packer, lane, now_ns, limit_ns);
	return limit_ns;
}
