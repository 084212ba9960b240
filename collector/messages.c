#include "collector/messages.h"

#include <stdlib.h>
#include <string.h>

#define SHELVES 1024u /* senders that hash alike share one */
#define SHARE   4u    /* of all that is remembered, a sender has at most one in so many */

struct waiter {
	struct waiter *next;
	struct ticket *ticket; /* held */
};

/* Places are indices into the pool; 0: none. */
struct message {
	struct hash128 hash;
	int64_t time_ns;
	struct waiter *waiters;  /* for one that is under way */
	uint32_t chain;          /* of its bucket; of a free place: the next one */
	uint32_t older, newer;   /* of all */
	uint32_t before, behind; /* of its shelf: older, newer */
	uint16_t shelf;
	bool under_way;
};

struct shelf {
	uint32_t oldest, newest, count;
};

struct messages {
	struct hash_key key;
	int64_t age_ns;
	struct message *pool;
	uint32_t *buckets;
	uint32_t bucket_mask, most, capacity; /* capacity: places of the pool, with the one at 0 */
	uint32_t used, free_first, count;     /* used: places that have ever been given out */
	uint32_t oldest, newest;
	struct shelf shelves[SHELVES];
};

struct messages *messages_new(uint64_t collector, size_t most, int64_t age_ns)
{
	struct messages *messages = calloc(1, sizeof(*messages));
	uint32_t buckets = 16;

	if (messages == NULL)
		return NULL;
	messages->key = (struct hash_key){collector, 0x746f6373696e6d73};
	messages->age_ns = age_ns;
	messages->most = most < 16 ? 16 : most > (1u << 24) ? 1u << 24 : (uint32_t)most;
	while (buckets < messages->most)
		buckets *= 2;
	messages->bucket_mask = buckets - 1;
	messages->used = 1;
	messages->buckets = calloc(buckets, sizeof(*messages->buckets));
	if (messages->buckets == NULL) {
		free(messages);
		return NULL;
	}
	return messages;
}

static void waiters_release(struct message *message, bool durable)
{
	while (message->waiters != NULL) {
		struct waiter *waiter = message->waiters;

		message->waiters = waiter->next;
		ticket_release(waiter->ticket, durable);
		free(waiter);
	}
}

void messages_free(struct messages *messages)
{
	if (messages == NULL)
		return;
	for (uint32_t at = messages->oldest; at != 0; at = messages->pool[at].newer)
		waiters_release(&messages->pool[at], false);
	free(messages->pool);
	free(messages->buckets);
	free(messages);
}

size_t messages_count(const struct messages *messages)
{
	return messages->count;
}

bool message_is_named(struct hash128 message)
{
	return (message.high | message.low) != 0;
}

static struct hash_key sender_key(const struct messages *messages, struct str sender)
{
	return (struct hash_key){
	    messages->key.k0 ^ hash_sip64(messages->key, sender), messages->key.k1};
}

struct hash128 messages_hash(
    const struct messages *messages, struct str sender, struct str name, struct str raw)
{
	struct hash_key key = sender_key(messages, sender);

	key.k1 ^= hash_sip64(key, name);
	struct hash128 hash = hash_sip128(key, raw);

	hash.low |= !message_is_named(hash);
	return hash;
}

/* ---- the lists ---- */

static uint32_t *bucket_of(struct messages *messages, struct hash128 hash)
{
	return &messages->buckets[hash.low & messages->bucket_mask];
}

static uint32_t find(struct messages *messages, struct hash128 hash)
{
	uint32_t at = *bucket_of(messages, hash);

	while (at != 0 && !hash128_eq(messages->pool[at].hash, hash))
		at = messages->pool[at].chain;
	return at;
}

static void lists_leave(struct messages *messages, const struct message *message)
{
	struct message *pool = messages->pool;
	struct shelf *shelf = &messages->shelves[message->shelf];

	*(message->older != 0 ? &pool[message->older].newer : &messages->oldest) = message->newer;
	*(message->newer != 0 ? &pool[message->newer].older : &messages->newest) = message->older;
	*(message->before != 0 ? &pool[message->before].behind : &shelf->oldest) = message->behind;
	*(message->behind != 0 ? &pool[message->behind].before : &shelf->newest) = message->before;
	shelf->count--;
}

static void forget(struct messages *messages, uint32_t at)
{
	struct message *message = &messages->pool[at];
	uint32_t *link = bucket_of(messages, message->hash);

	while (*link != at)
		link = &messages->pool[*link].chain;
	*link = message->chain;
	lists_leave(messages, message);
	message->chain = messages->free_first;
	messages->free_first = at;
	messages->count--;
}

/* False: it is under way, and everything behind it most likely too. */
static bool forget_known(struct messages *messages, uint32_t at)
{
	if (messages->pool[at].under_way)
		return false;
	forget(messages, at);
	return true;
}

static bool pool_grow(struct messages *messages)
{
	uint32_t capacity = messages->capacity == 0 ? 64 : messages->capacity * 2;

	if (capacity > messages->most + 1)
		capacity = messages->most + 1;
	struct message *pool = realloc(messages->pool, capacity * sizeof(*pool));

	if (pool == NULL)
		return false;
	messages->pool = pool;
	messages->capacity = capacity;
	return true;
}

/* 0: there is none. */
static uint32_t place_take(struct messages *messages)
{
	uint32_t at = messages->free_first;

	if (at != 0) {
		messages->free_first = messages->pool[at].chain;
		return at;
	}
	if (messages->used >= messages->capacity && !pool_grow(messages))
		return 0;
	return messages->used++;
}

/* What is too old, and what must go so that there is room. False: there is none. */
static bool make_room(struct messages *messages, uint16_t shelf, int64_t now_ns)
{
	const struct shelf *own = &messages->shelves[shelf];

	for (int i = 0; i < 2 && messages->oldest != 0; i++)
		if (now_ns - messages->pool[messages->oldest].time_ns <= messages->age_ns ||
		    !forget_known(messages, messages->oldest))
			break;
	if (own->count >= messages->most / SHARE)
		return forget_known(messages, own->oldest);
	return messages->count < messages->most || forget_known(messages, messages->oldest);
}

/* 0: there is no room. */
static uint32_t remember(struct messages *messages, struct str sender, struct hash128 hash,
    int64_t now_ns, bool under_way)
{
	uint16_t shelf_at = (uint16_t)(sender_key(messages, sender).k0 % SHELVES);
	struct shelf *shelf = &messages->shelves[shelf_at];
	uint32_t at = make_room(messages, shelf_at, now_ns) ? place_take(messages) : 0;

	if (at == 0)
		return 0;
	uint32_t *bucket = bucket_of(messages, hash);

	messages->pool[at] = (struct message){.hash = hash, .time_ns = now_ns, .chain = *bucket,
	    .older = messages->newest, .before = shelf->newest, .shelf = shelf_at,
	    .under_way = under_way};
	*bucket = at;
	*(messages->newest != 0 ? &messages->pool[messages->newest].newer : &messages->oldest) = at;
	*(shelf->newest != 0 ? &messages->pool[shelf->newest].behind : &shelf->oldest) = at;
	messages->newest = at;
	shelf->newest = at;
	shelf->count++;
	messages->count++;
	return at;
}

/* ---- what comes ---- */

/* Without memory the one who waits is told that it was refused, and sends again. */
static void wait_for(struct message *message, struct ticket *ticket)
{
	struct waiter *waiter;

	if (ticket == NULL || (message->waiters != NULL && message->waiters->ticket == ticket))
		return;
	ticket_hold(ticket);
	waiter = malloc(sizeof(*waiter));
	if (waiter == NULL) {
		ticket_release(ticket, false);
		return;
	}
	*waiter = (struct waiter){message->waiters, ticket};
	message->waiters = waiter;
}

bool messages_repeat(struct messages *messages, struct str sender, struct hash128 message,
    int64_t now_ns, struct ticket *ticket)
{
	uint32_t at = find(messages, message);

	if (at != 0 && !messages->pool[at].under_way &&
	    now_ns - messages->pool[at].time_ns > messages->age_ns) {
		forget(messages, at);
		at = 0;
	}
	if (at == 0) {
		remember(messages, sender, message, now_ns, true);
		return false;
	}
	if (messages->pool[at].under_way)
		wait_for(&messages->pool[at], ticket);
	return true;
}

void messages_settle(struct messages *messages, struct hash128 message, bool durable)
{
	uint32_t at = find(messages, message);

	if (at == 0 || !messages->pool[at].under_way)
		return;
	messages->pool[at].under_way = false;
	struct message settled = messages->pool[at];

	messages->pool[at].waiters = NULL;
	if (!durable)
		forget(messages, at);
	/* Last: who is told may have more to send. */
	waiters_release(&settled, durable);
}

void messages_recall(
    struct messages *messages, struct str sender, struct hash128 message, int64_t received_ns)
{
	if (find(messages, message) == 0)
		remember(messages, sender, message, received_ns, false);
}
