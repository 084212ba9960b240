#include "collector/gelf.h"

#include "base/hash.h"
#include "collector/inflate.h"

#include <stdlib.h>

#define HEAD 12

struct message {
	uint64_t key; /* 0: a free place */
	int64_t begun_ns;
	struct ledger_row *row;
	unsigned count, got;
	size_t bytes;
	struct {
		char *ptr;
		size_t len;
		bool there;
	} parts[GELF_CHUNKS_MAX];
};

/* Keys stand apart, so that looking for one is a walk over 4 KiB. */
struct gelf_chunks {
	uint64_t keys[GELF_MESSAGES_MAX];
	struct message *messages[GELF_MESSAGES_MAX];
	size_t count, bytes, bytes_max;
};

struct gelf_chunks *gelf_chunks_new(size_t bytes_max)
{
	struct gelf_chunks *chunks = calloc(1, sizeof(*chunks));

	if (chunks != NULL)
		chunks->bytes_max = bytes_max;
	return chunks;
}

static void message_free(struct gelf_chunks *chunks, size_t at)
{
	struct message *message = chunks->messages[at];

	for (unsigned i = 0; i < message->count; i++)
		free(message->parts[i].ptr);
	chunks->bytes -= message->bytes;
	chunks->count--;
	chunks->keys[at] = 0;
	chunks->messages[at] = NULL;
	free(message);
}

void gelf_chunks_free(struct gelf_chunks *chunks)
{
	if (chunks == NULL)
		return;
	for (size_t i = 0; i < GELF_MESSAGES_MAX; i++)
		if (chunks->messages[i] != NULL)
			message_free(chunks, i);
	free(chunks);
}

/* It is lost, and its sender's row says so. */
static void message_drop(struct gelf_chunks *chunks, size_t at)
{
	chunks->messages[at]->row->counts.bad_frames++;
	message_free(chunks, at);
}

static void oldest_drop(struct gelf_chunks *chunks)
{
	size_t oldest = GELF_MESSAGES_MAX;

	for (size_t i = 0; i < GELF_MESSAGES_MAX; i++)
		if (chunks->messages[i] != NULL &&
		    (oldest == GELF_MESSAGES_MAX ||
			chunks->messages[i]->begun_ns < chunks->messages[oldest]->begun_ns))
			oldest = i;
	if (oldest < GELF_MESSAGES_MAX)
		message_drop(chunks, oldest);
}

void gelf_chunks_tick(struct gelf_chunks *chunks, int64_t now_ns)
{
	for (size_t i = 0; i < GELF_MESSAGES_MAX; i++) {
		struct message *message = chunks->messages[i];

		if (message != NULL && now_ns < message->begun_ns)
			message->begun_ns = now_ns; /* the clock was set back */
		if (message != NULL && now_ns - message->begun_ns > GELF_LIFE_NS)
			message_drop(chunks, i);
	}
}

size_t gelf_chunks_count(const struct gelf_chunks *chunks, size_t *bytes)
{
	*bytes = chunks->bytes;
	return chunks->count;
}

static uint64_t key_of(struct str sender, struct str id)
{
	struct hash_key key = hash_process_key();

	key.k1 ^= hash_sip64(key, sender);
	uint64_t hash = hash_sip64(key, id);

	return hash != 0 ? hash : 1;
}

/* The place of a key, 0 for a free one; GELF_MESSAGES_MAX: there is none. */
static size_t place_of(const struct gelf_chunks *chunks, uint64_t key)
{
	size_t at = 0;

	while (at < GELF_MESSAGES_MAX && chunks->keys[at] != key)
		at++;
	return at;
}

static struct message *message_begin(struct gelf_chunks *chunks, struct ledger_row *row,
    uint64_t key, unsigned count, int64_t now_ns)
{
	struct message *message = calloc(1, sizeof(*message));

	if (message == NULL)
		return NULL;
	if (chunks->count == GELF_MESSAGES_MAX)
		oldest_drop(chunks);
	size_t at = place_of(chunks, 0);

	*message = (struct message){.key = key, .begun_ns = now_ns, .row = row, .count = count};
	chunks->keys[at] = key;
	chunks->messages[at] = message;
	chunks->count++;
	return message;
}

static bool part_keep(
    struct gelf_chunks *chunks, struct message *message, unsigned at, struct str part)
{
	message->parts[at].ptr = malloc(part.len + 1);
	if (message->parts[at].ptr == NULL)
		return false;
	if (part.len > 0)
		memcpy(message->parts[at].ptr, part.ptr, part.len);
	message->parts[at].len = part.len;
	message->parts[at].there = true;
	message->got++;
	message->bytes += part.len;
	chunks->bytes += part.len;
	return true;
}

/* All parts in their order, and the message goes. */
static enum gelf_status message_whole(
    struct gelf_chunks *chunks, size_t at, struct buf *out, struct str *ret)
{
	struct message *message = chunks->messages[at];

	buf_clear(out);
	for (unsigned i = 0; i < message->count; i++)
		buf_put(out, message->parts[i].ptr, message->parts[i].len);
	message_free(chunks, at);
	*ret = buf_str(out);
	return out->failed ? GELF_BAD : GELF_WHOLE;
}

static enum gelf_status chunk_take(struct gelf_chunks *chunks, struct ledger_row *row,
    struct str sender, struct str datagram, int64_t now_ns, struct buf *out, struct str *ret)
{
	unsigned sequence = (uint8_t)datagram.ptr[10], count = (uint8_t)datagram.ptr[11];
	uint64_t key = key_of(sender, str_slice(datagram, 2, 10));
	size_t at = place_of(chunks, key);
	struct message *message = at < GELF_MESSAGES_MAX ? chunks->messages[at] : NULL;

	if (count == 0 || count > GELF_CHUNKS_MAX || sequence >= count ||
	    (message != NULL && message->count != count))
		return GELF_BAD;
	if (message == NULL)
		message = message_begin(chunks, row, key, count, now_ns);
	if (message == NULL)
		return GELF_BAD;
	/* The network may repeat datagrams. */
	if (message->parts[sequence].there)
		return GELF_PART;
	if (!part_keep(chunks, message, sequence, str_slice(datagram, HEAD, datagram.len)))
		return GELF_BAD;
	if (message->got == count)
		return message_whole(chunks, place_of(chunks, key), out, ret);
	while (chunks->bytes > chunks->bytes_max)
		oldest_drop(chunks);
	return GELF_PART;
}

enum gelf_status gelf_chunks_take(struct gelf_chunks *chunks, struct ledger_row *row,
    struct str sender, struct str datagram, int64_t now_ns, struct buf *out, struct str *ret)
{
	*ret = datagram;
	if (!str_starts(datagram, STR("\x1e\x0f")))
		return GELF_WHOLE;
	if (datagram.len < HEAD)
		return GELF_BAD;
	return chunk_take(chunks, row, sender, datagram, now_ns, out, ret);
}

bool gelf_unpack(struct str payload, struct buf *out, struct str *ret)
{
	const uint8_t *b = (const uint8_t *)payload.ptr;
	bool gzip = payload.len > 2 && b[0] == 0x1f && b[1] == 0x8b;
	bool zlib = payload.len > 2 && b[0] == 0x78 && (b[0] << 8 | b[1]) % 31 == 0;

	*ret = payload;
	buf_clear(out);
	if (gzip || zlib) {
		if (inflate_all(out, payload) != INFLATE_DONE)
			return false;
		*ret = buf_str(out);
	}
	/* A NUL at the end is left over from TCP. */
	while (ret->len > 0 && ret->ptr[ret->len - 1] == '\0')
		ret->len--;
	*ret = str_trim(*ret);
	return ret->len > 0;
}
