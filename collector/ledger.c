#include "collector/ledger.h"

#include "base/hash.h"
#include "net/address.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct slot {
	struct ledger_row *row;
	uint8_t key[16];
	uint8_t key_len; /* 4 or 16 */
};

struct ledger {
	struct slot *slots; /* open addressing; a power of two, at most half full */
	size_t slot_count, used, rows_max;
	uint32_t partitions;
	struct str agency;
	struct ledger_row **rows;
	size_t row_count, row_capacity;
	struct ledger_row others;
};

static void row_begin(struct ledger *ledger, struct ledger_row *row, struct str sender)
{
	snprintf(row->text, sizeof(row->text), "%.*s", STR_ARG(sender));
	row->counts.sender = str_of(row->text);
	row->counts.agency = ledger->agency;
	row->counts.input = "";
	row->partition = bus_partition_of(row->counts.sender, ledger->partitions);
}

struct ledger *ledger_new(size_t rows_max, uint32_t partitions, struct str agency)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));

	if (ledger == NULL)
		return NULL;
	ledger->slot_count = 64;
	ledger->rows_max = rows_max;
	ledger->partitions = partitions;
	ledger->agency = agency;
	ledger->slots = calloc(ledger->slot_count, sizeof(*ledger->slots));
	row_begin(ledger, &ledger->others, STR("(others)"));
	ledger->others.shared = true;
	if (ledger->slots == NULL) {
		free(ledger);
		return NULL;
	}
	return ledger;
}

void ledger_free(struct ledger *ledger)
{
	if (ledger == NULL)
		return;
	for (size_t i = 0; i < ledger->row_count; i++)
		free(ledger->rows[i]);
	free(ledger->rows);
	free(ledger->slots);
	free(ledger);
}

static struct slot *slot_find(struct slot *slots, size_t count, const uint8_t *key, uint8_t len)
{
	struct str bytes = str_from(key, len);
	size_t at = (size_t)hash_sip64(hash_process_key(), bytes) & (count - 1);

	while (slots[at].row != NULL &&
	       (slots[at].key_len != len || memcmp(slots[at].key, key, len) != 0))
		at = (at + 1) & (count - 1);
	return &slots[at];
}

static bool slots_grow(struct ledger *ledger)
{
	size_t count = ledger->slot_count * 2;
	struct slot *slots = calloc(count, sizeof(*slots));

	if (slots == NULL)
		return false;
	for (size_t i = 0; i < ledger->slot_count; i++) {
		struct slot *old = &ledger->slots[i];

		if (old->row != NULL)
			*slot_find(slots, count, old->key, old->key_len) = *old;
	}
	free(ledger->slots);
	ledger->slots = slots;
	ledger->slot_count = count;
	return true;
}

static struct ledger_row *row_new(struct ledger *ledger, struct str sender)
{
	if (ledger->row_count == ledger->row_capacity) {
		size_t capacity = ledger->row_capacity == 0 ? 16 : ledger->row_capacity * 2;
		struct ledger_row **rows =
		    realloc(ledger->rows, capacity * sizeof(struct ledger_row *));

		if (rows == NULL)
			return NULL;
		ledger->rows = rows;
		ledger->row_capacity = capacity;
	}
	struct ledger_row *row = calloc(1, sizeof(*row));

	if (row == NULL)
		return NULL;
	row_begin(ledger, row, sender);
	ledger->rows[ledger->row_count++] = row;
	return row;
}

static uint8_t key_of(const struct sockaddr *peer, uint8_t key[16])
{
	if (peer->sa_family == AF_INET) {
		memcpy(key, &((const struct sockaddr_in *)(const void *)peer)->sin_addr, 4);
		return 4;
	}
	const struct in6_addr *at = &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr;

	if (IN6_IS_ADDR_V4MAPPED(at)) {
		memcpy(key, at->s6_addr + 12, 4);
		return 4;
	}
	memcpy(key, at->s6_addr, 16);
	return 16;
}

struct ledger_row *ledger_peer(struct ledger *ledger, const struct sockaddr *peer)
{
	char text[ADDRESS_TEXT];
	uint8_t key[16];

	if (peer->sa_family != AF_INET && peer->sa_family != AF_INET6)
		return &ledger->others;
	uint8_t len = key_of(peer, key);
	struct slot *slot = slot_find(ledger->slots, ledger->slot_count, key, len);

	if (slot->row != NULL)
		return slot->row;
	if (ledger->used >= ledger->rows_max)
		return &ledger->others;
	if (ledger->used * 2 >= ledger->slot_count) {
		if (!slots_grow(ledger))
			return &ledger->others;
		slot = slot_find(ledger->slots, ledger->slot_count, key, len);
	}
	struct ledger_row *row = row_new(ledger, address_host(address_format(peer, text)));

	if (row == NULL)
		return &ledger->others;
	slot->row = row;
	slot->key_len = len;
	memcpy(slot->key, key, len);
	ledger->used++;
	return row;
}

struct ledger_row *ledger_listener(struct ledger *ledger, const char *input, const char *address)
{
	char text[64];

	snprintf(text, sizeof(text), "(%s %s)", input, address);
	struct ledger_row *row = row_new(ledger, str_of(text));

	if (row != NULL)
		row->counts.input = input;
	return row;
}

size_t ledger_count(const struct ledger *ledger)
{
	return ledger->row_count + 1;
}

struct ledger_row *ledger_at(struct ledger *ledger, size_t index)
{
	return index < ledger->row_count ? ledger->rows[index] : &ledger->others;
}

void ledger_each(const struct ledger *ledger,
    bool (*visit)(void *context, const struct source_row *row), void *context)
{
	for (size_t i = 0; i < ledger->row_count; i++) {
		if (!visit(context, &ledger->rows[i]->counts))
			return;
	}
	if (ledger->others.counts.received > 0 || ledger->others.counts.refused_connections > 0)
		visit(context, &ledger->others.counts);
}

static bool row_add(void *context, const struct source_row *row)
{
	struct source_row *total = context;

	total->received += row->received;
	total->bytes += row->bytes;
	total->published += row->published;
	total->durable += row->durable;
	total->refused_busy += row->refused_busy;
	total->refused_large += row->refused_large;
	total->refused_connections += row->refused_connections;
	total->truncated += row->truncated;
	total->bad_frames += row->bad_frames;
	total->with_nul += row->with_nul;
	total->bad_utf8 += row->bad_utf8;
	total->kernel_drops += row->kernel_drops;
	if (row->received > 0 && (total->first_ns == 0 || row->first_ns < total->first_ns))
		total->first_ns = row->first_ns;
	if (row->last_ns > total->last_ns)
		total->last_ns = row->last_ns;
	return true;
}

void ledger_total(const struct ledger *ledger, struct source_row *ret)
{
	*ret = (struct source_row){.sender = STR("(total)"), .input = ""};
	ledger_each(ledger, row_add, ret);
}
