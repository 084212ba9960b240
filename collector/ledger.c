#include "collector/ledger.h"

#include "base/hash.h"
#include "collector/agencies_table.h"
#include "net/address.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct slot {
	struct ledger_row *row;
	const struct sender *sender; /* of the row */
};

/* What a row is found by. */
struct sender {
	const char *input;
	uint64_t who;    /* names of the identity that it has shown to be; 0: by its network */
	uint8_t key[16];
	uint8_t key_len; /* 4 or 16; 0: of the others */
};

/* A row as it is kept. */
struct entry {
	struct ledger_row row;
	struct sender sender;
	bool listener;
	char *topic; /* owned; NULL: it is no topic's */
};

struct ledger {
	struct slot *slots; /* open addressing; a power of two, at most half full */
	size_t slot_count, used, senders, rows_max;
	uint32_t partitions;
	const struct agencies *agencies;
	struct entry **rows;
	size_t row_count, row_capacity;
	struct ledger_row others; /* of the unknown */
};

static void row_identify(struct ledger_row *row, const struct identity_of *identity)
{
	row->identity = identity;
	row->barred = !identity_allows(identity, row->counts.input);
	row->counts.agency = identity->agency;
	row->counts.system = identity->system;
	row->counts.level = identity->level;
	row->counts.known = identity->known;
	row->bucket = (struct bucket){0};
}

static void row_begin(struct ledger *ledger, struct ledger_row *row, struct str sender,
    const char *input, const struct identity_of *identity)
{
	snprintf(row->text, sizeof(row->text), "%.*s", STR_ARG(sender));
	row->counts.sender = str_of(row->text);
	row->counts.input = input;
	row->partition = bus_partition_of(row->counts.sender, ledger->partitions);
	row_identify(row, identity);
}

struct bucket *ledger_bucket(struct ledger_row *row)
{
	return row->identity->bucket != NULL ? row->identity->bucket : &row->bucket;
}

struct ledger *ledger_new(size_t rows_max, uint32_t partitions, const struct agencies *agencies)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));

	if (ledger == NULL)
		return NULL;
	ledger->slot_count = 64;
	ledger->rows_max = rows_max;
	ledger->partitions = partitions;
	ledger->agencies = agencies;
	ledger->slots = calloc(ledger->slot_count, sizeof(*ledger->slots));
	row_begin(ledger, &ledger->others, STR("(others)"), "", agencies_unknown(agencies));
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
	for (size_t i = 0; i < ledger->row_count; i++) {
		free(ledger->rows[i]->topic);
		free(ledger->rows[i]);
	}
	free(ledger->rows);
	free(ledger->slots);
	free(ledger);
}

static bool same_sender(const struct sender *a, const struct sender *b)
{
	return a->key_len == b->key_len && a->who == b->who &&
	       memcmp(a->key, b->key, a->key_len) == 0 &&
	       (a->input == b->input || strcmp(a->input, b->input) == 0);
}

static struct slot *slot_find(struct slot *slots, size_t count, const struct sender *sender)
{
	struct hash_key key = hash_process_key();

	/* The rows of a sender's inputs are few: they may stand in one chain. */
	key.k0 ^= sender->who;
	size_t at = (size_t)hash_sip64(key, str_from(sender->key, sender->key_len)) & (count - 1);

	while (slots[at].row != NULL && !same_sender(slots[at].sender, sender))
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
			*slot_find(slots, count, old->sender) = *old;
	}
	free(ledger->slots);
	ledger->slots = slots;
	ledger->slot_count = count;
	return true;
}

static struct entry *entry_new(struct ledger *ledger, struct str sender, const char *input,
    const struct identity_of *identity)
{
	if (ledger->row_count == ledger->row_capacity) {
		size_t capacity = ledger->row_capacity == 0 ? 16 : ledger->row_capacity * 2;
		struct entry **rows = realloc(ledger->rows, capacity * sizeof(struct entry *));

		if (rows == NULL)
			return NULL;
		ledger->rows = rows;
		ledger->row_capacity = capacity;
	}
	struct entry *entry = calloc(1, sizeof(*entry));

	if (entry == NULL)
		return NULL;
	row_begin(ledger, &entry->row, sender, input, identity);
	ledger->rows[ledger->row_count++] = entry;
	return entry;
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

/* The same name, the same number; never 0. */
static uint64_t who_of(const struct identity_of *identity)
{
	char both[2 * WHO_BYTES + 1];

	return hash_sip64(hash_process_key(), who_name(identity->agency, identity->system, both)) |
	       1;
}

/* NULL: no memory. */
static struct ledger_row *row_add(struct ledger *ledger, const struct sender *sender,
    struct str text, const struct identity_of *identity)
{
	if (ledger->used * 2 >= ledger->slot_count && !slots_grow(ledger))
		return NULL;
	struct entry *entry = entry_new(ledger, text, sender->input, identity);

	if (entry == NULL)
		return NULL;
	entry->sender = *sender;
	*slot_find(ledger->slots, ledger->slot_count, sender) =
	    (struct slot){&entry->row, &entry->sender};
	ledger->used++;
	return &entry->row;
}

/* Of the senders beyond the ceiling, those of an identity: as many as agencies.yml has. */
static struct ledger_row *others_of(
    struct ledger *ledger, const char *input, const struct identity_of *identity)
{
	struct sender sender = {.input = input, .who = who_of(identity)};

	if (!identity->known)
		return &ledger->others;
	struct ledger_row *row = slot_find(ledger->slots, ledger->slot_count, &sender)->row;

	if (row == NULL)
		row = row_add(ledger, &sender, STR("(others)"), identity);
	if (row == NULL)
		return &ledger->others;
	row->shared = true;
	return row;
}

static struct ledger_row *row_of(struct ledger *ledger, const char *input,
    const struct sockaddr *peer, const struct identity_of *identity, uint64_t who)
{
	struct sender sender = {.input = input, .who = who};
	char text[ADDRESS_TEXT];

	if (peer->sa_family != AF_INET && peer->sa_family != AF_INET6)
		return &ledger->others;
	sender.key_len = key_of(peer, sender.key);
	struct ledger_row *row = slot_find(ledger->slots, ledger->slot_count, &sender)->row;

	if (row != NULL)
		return row;
	if (identity == NULL)
		identity = agencies_by_network(ledger->agencies, peer);
	if (ledger->senders >= ledger->rows_max)
		return others_of(ledger, input, identity);
	row = row_add(ledger, &sender, address_host(address_format(peer, text)), identity);
	if (row == NULL)
		return &ledger->others;
	ledger->senders++;
	return row;
}

struct ledger_row *ledger_peer(
    struct ledger *ledger, const char *input, const struct sockaddr *peer)
{
	return row_of(ledger, input, peer, NULL, 0);
}

struct ledger_row *ledger_known(struct ledger *ledger, const char *input,
    const struct sockaddr *peer, const struct identity_of *identity)
{
	return row_of(ledger, input, peer, identity, who_of(identity));
}

struct ledger_row *ledger_local(struct ledger *ledger, const char *input, struct str name)
{
	const struct sockaddr_in local = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct sockaddr *peer = (const struct sockaddr *)(const void *)&local;
	struct sender sender = {.input = input};

	sender.key_len = key_of(peer, sender.key);
	struct ledger_row *row = slot_find(ledger->slots, ledger->slot_count, &sender)->row;

	if (row != NULL)
		return row;
	return row_add(ledger, &sender, name, agencies_by_network(ledger->agencies, peer));
}

struct ledger_row *ledger_topic(
    struct ledger *ledger, const char *input, const char *topic, uint32_t partition)
{
	char text[320];
	int len = snprintf(text, sizeof(text), "%s/%u", topic, partition);
	struct str name = str_from(text, (size_t)len);
	char *copy = strdup(topic);
	struct entry *entry = copy == NULL
	    ? NULL
	    : entry_new(ledger, name, input, agencies_by_topic(ledger->agencies, str_of(topic)));

	if (entry == NULL) {
		free(copy);
		return NULL;
	}
	entry->topic = copy;
	entry->row.partition = bus_partition_of(name, ledger->partitions);
	return &entry->row;
}

struct ledger_row *ledger_listener(struct ledger *ledger, const char *input, const char *address)
{
	char text[64];

	snprintf(text, sizeof(text), "(%s %s)", input, address);
	struct entry *entry =
	    entry_new(ledger, str_of(text), input, agencies_unknown(ledger->agencies));

	if (entry == NULL)
		return NULL;
	entry->listener = true;
	entry->row.barred = false;
	return &entry->row;
}

/* As a socket would name it. */
static const struct identity_of *by_key(
    const struct agencies *agencies, const struct sender *sender)
{
	struct sockaddr_in four = {.sin_family = AF_INET};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};

	memcpy(&four.sin_addr, sender->key, 4);
	memcpy(&six.sin6_addr, sender->key, 16);
	return agencies_by_network(agencies,
	    sender->key_len == 4 ? (struct sockaddr *)&four : (struct sockaddr *)&six);
}

void ledger_identify(struct ledger *ledger, const struct agencies *agencies)
{
	const struct identity_of *unknown = agencies_unknown(agencies);

	ledger->agencies = agencies;
	row_identify(&ledger->others, unknown);
	for (size_t i = 0; i < ledger->row_count; i++) {
		struct entry *entry = ledger->rows[i];
		struct ledger_row *row = &entry->row;
		const struct identity_of *identity = entry->listener ? unknown
		    : entry->topic != NULL ? agencies_by_topic(agencies, str_of(entry->topic))
		    : entry->sender.who == 0
		    ? by_key(agencies, &entry->sender)
		    : agencies_by_name(agencies, row->counts.agency, row->counts.system);

		row_identify(row, identity != NULL ? identity : unknown);
		/* What it had shown is nobody's any more. */
		if (identity == NULL || entry->listener)
			row->barred = identity == NULL;
	}
}

size_t ledger_count(const struct ledger *ledger)
{
	return ledger->row_count + 1;
}

struct ledger_row *ledger_at(struct ledger *ledger, size_t index)
{
	return index < ledger->row_count ? &ledger->rows[index]->row : &ledger->others;
}

void ledger_each(const struct ledger *ledger,
    bool (*visit)(void *context, const struct source_row *row), void *context)
{
	for (size_t i = 0; i < ledger->row_count; i++) {
		if (!visit(context, &ledger->rows[i]->row.counts))
			return;
	}
	if (ledger->others.counts.received > 0 || ledger->others.counts.refused_connections > 0 ||
	    ledger->others.counts.barred_connections > 0)
		visit(context, &ledger->others.counts);
}

static bool row_sum(void *context, const struct source_row *row)
{
	struct source_row *total = context;

	total->frames += row->frames;
	total->received += row->received;
	total->bytes += row->bytes;
	total->published += row->published;
	total->durable += row->durable;
	total->refused_busy += row->refused_busy;
	total->refused_large += row->refused_large;
	total->refused_quota += row->refused_quota;
	total->refused_barred += row->refused_barred;
	total->refused_connections += row->refused_connections;
	total->barred_connections += row->barred_connections;
	total->waits += row->waits;
	total->backlog += row->backlog;
	total->tombstones += row->tombstones;
	total->truncated += row->truncated;
	total->bad_frames += row->bad_frames;
	total->repeats += row->repeats;
	total->with_nul += row->with_nul;
	total->bad_utf8 += row->bad_utf8;
	total->tls_refused += row->tls_refused;
	total->tls_truncated += row->tls_truncated;
	total->proxy_refused += row->proxy_refused;
	total->kernel_drops += row->kernel_drops;
	if (row->received > 0 && (total->first_ns == 0 || row->first_ns < total->first_ns))
		total->first_ns = row->first_ns;
	if (row->last_ns > total->last_ns) {
		total->last_ns = row->last_ns;
		total->lag_ns = row->lag_ns;
	}
	if (row->lag_max_ns > total->lag_max_ns)
		total->lag_max_ns = row->lag_max_ns;
	return true;
}

void ledger_total(const struct ledger *ledger, struct source_row *ret)
{
	*ret = (struct source_row){.sender = STR("(total)"), .input = ""};
	ledger_each(ledger, row_sum, ret);
}
