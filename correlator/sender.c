#include "correlator/sender.h"

#include <stdlib.h>
#include <string.h>

#define RECEIPTS 256

enum row_state {
	ROW_QUEUED,  /* to be published */
	ROW_SENT,    /* published, no receipt */
	ROW_DONE,    /* receipted; still in the checkpoint */
	ROW_SETTLED, /* deleted in the transaction that is open */
	ROW_GONE
};

struct row {
	uint64_t sequence;
	uint32_t owner, partition;
	enum bus_topic topic;
	enum row_state state;
	bool again;      /* it was published before */
	uint32_t key_len, value_len;
	char *bytes;     /* key, value */
};

struct sender {
	struct bus *bus;
	struct worker_stats *stats;
	struct row *rows; /* by sequence */
	size_t count, capacity;
	size_t counts[ROW_GONE + 1];
	struct bus_receipt receipts[RECEIPTS]; /* here, since on the stack they would be cleared */
};

struct sender *sender_new(struct bus *bus, struct worker_stats *stats)
{
	struct sender *sender = calloc(1, sizeof(*sender));

	if (sender == NULL)
		return NULL;
	sender->bus = bus;
	sender->stats = stats;
	return sender;
}

void sender_free(struct sender *sender)
{
	if (sender == NULL)
		return;
	for (size_t i = 0; i < sender->count; i++)
		free(sender->rows[i].bytes);
	free(sender->rows);
	free(sender);
}

static void row_become(struct sender *sender, struct row *row, enum row_state state)
{
	sender->counts[row->state]--;
	sender->counts[state]++;
	row->state = state;
}

/* The first row whose sequence is not below. */
static size_t row_place(const struct sender *sender, uint64_t sequence)
{
	size_t low = 0, high = sender->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (sender->rows[middle].sequence < sequence)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool sender_reserve(struct sender *sender)
{
	size_t capacity = sender->capacity * 2 + 64;

	if (sender->count < sender->capacity)
		return true;
	struct row *rows = realloc(sender->rows, capacity * sizeof(*rows));

	if (rows == NULL)
		return false;
	sender->rows = rows;
	sender->capacity = capacity;
	return true;
}

bool sender_add(struct sender *sender, const struct outbox_row *from, bool again)
{
	size_t at = row_place(sender, from->sequence);
	char *bytes;

	if (at < sender->count && sender->rows[at].sequence == from->sequence)
		return true;
	if (!sender_reserve(sender) ||
	    (bytes = malloc(from->key.len + from->value.len + 1)) == NULL)
		return false;
	if (from->key.len > 0)
		memcpy(bytes, from->key.ptr, from->key.len);
	if (from->value.len > 0)
		memcpy(bytes + from->key.len, from->value.ptr, from->value.len);
	memmove(&sender->rows[at + 1], &sender->rows[at],
	    (sender->count - at) * sizeof(*sender->rows));
	sender->rows[at] = (struct row){.sequence = from->sequence, .owner = from->owner,
	    .partition = from->partition, .topic = from->topic, .state = ROW_QUEUED, .again = again,
	    .key_len = (uint32_t)from->key.len, .value_len = (uint32_t)from->value.len,
	    .bytes = bytes};
	sender->count++;
	sender->counts[ROW_QUEUED]++;
	return true;
}

static int row_publish(struct sender *sender, struct row *row)
{
	int code = bus_publish(sender->bus, row->topic, row->partition,
	    str_from(row->bytes, row->key_len), str_from(row->bytes + row->key_len, row->value_len),
	    row->sequence);

	if (code == BUS_ACCEPTED) {
		sender->stats->resent += row->again;
		row->again = true;
		row_become(sender, row, ROW_SENT);
	} else if (code == BUS_TOO_LARGE) {
		sender->stats->refused++;
		row_become(sender, row, ROW_DONE);
		code = BUS_ACCEPTED;
	}
	return code;
}

int sender_publish(struct sender *sender, struct error *error)
{
	for (size_t i = 0; i < sender->count && sender->counts[ROW_QUEUED] > 0; i++) {
		if (sender->rows[i].state != ROW_QUEUED)
			continue;
		int code = row_publish(sender, &sender->rows[i]);

		if (code == BUS_BUSY)
			return 0;
		if (code < 0)
			return error_set(error, code, TEXT_correlator_publish);
	}
	return 0;
}

static void receipt_apply(struct sender *sender, const struct bus_receipt *receipt)
{
	size_t at = row_place(sender, receipt->tag);

	if (at == sender->count || sender->rows[at].sequence != receipt->tag ||
	    sender->rows[at].state != ROW_SENT)
		return;
	struct row *row = &sender->rows[at];

	switch (receipt->status) {
	case RECEIPT_DURABLE:
		row_become(sender, row, ROW_DONE);
		break;
	case RECEIPT_UNKNOWN:
		row_become(sender, row, ROW_QUEUED);
		break;
	case RECEIPT_REFUSED:
		sender->stats->refused++;
		row_become(sender, row, ROW_DONE);
		break;
	}
}

/*
 * The bus waits for nothing and has told everything: what has no receipt by now will not get
 * one.
 */
static void sender_requeue_lost(struct sender *sender)
{
	if (sender->counts[ROW_SENT] == 0 || bus_pending(sender->bus) > 0)
		return;
	for (size_t i = 0; i < sender->count; i++)
		if (sender->rows[i].state == ROW_SENT)
			row_become(sender, &sender->rows[i], ROW_QUEUED);
}

int sender_receipts(struct sender *sender, int64_t timeout_ns, struct error *error)
{
	struct bus_receipt *receipts = sender->receipts;
	int total = 0, count;

	do {
		count = bus_receipts(sender->bus, receipts, RECEIPTS, total == 0 ? timeout_ns : 0,
		    error);
		if (count < 0)
			return count;
		for (int i = 0; i < count; i++)
			receipt_apply(sender, &receipts[i]);
		total += count;
	} while (count == RECEIPTS);
	if (total == 0)
		sender_requeue_lost(sender);
	return total;
}

int sender_settle(struct sender *sender, struct checkpoint *checkpoint, struct error *error)
{
	for (size_t i = 0; i < sender->count && sender->counts[ROW_DONE] > 0; i++) {
		struct row *row = &sender->rows[i];

		if (row->state != ROW_DONE)
			continue;
		int code = checkpoint_outbox_delete(checkpoint, row->sequence, error);

		if (code < 0)
			return code;
		row_become(sender, row, ROW_SETTLED);
	}
	return 0;
}

/* Removes the rows in state ROW_GONE. */
static void sender_compact(struct sender *sender)
{
	size_t kept = 0;

	for (size_t i = 0; i < sender->count; i++) {
		if (sender->rows[i].state == ROW_GONE)
			free(sender->rows[i].bytes);
		else
			sender->rows[kept++] = sender->rows[i];
	}
	sender->count = kept;
	sender->counts[ROW_GONE] = 0;
}

void sender_forget(struct sender *sender)
{
	if (sender->counts[ROW_SETTLED] == 0)
		return;
	for (size_t i = 0; i < sender->count; i++)
		if (sender->rows[i].state == ROW_SETTLED)
			row_become(sender, &sender->rows[i], ROW_GONE);
	sender_compact(sender);
}

void sender_drop(struct sender *sender, uint32_t owner)
{
	for (size_t i = 0; i < sender->count; i++)
		if (owner == UINT32_MAX || sender->rows[i].owner == owner)
			row_become(sender, &sender->rows[i], ROW_GONE);
	sender_compact(sender);
}

size_t sender_waiting(const struct sender *sender)
{
	return sender->counts[ROW_QUEUED] + sender->counts[ROW_SENT];
}

uint64_t sender_lowest(const struct sender *sender)
{
	for (size_t i = 0; i < sender->count; i++)
		if (sender->rows[i].state == ROW_QUEUED || sender->rows[i].state == ROW_SENT)
			return sender->rows[i].sequence;
	return UINT64_MAX;
}

bool sender_has_settled(const struct sender *sender)
{
	return sender->counts[ROW_DONE] + sender->counts[ROW_SETTLED] > 0;
}
