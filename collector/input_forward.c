/*
 * Fluent's Forward protocol, version 1: Fluentd, Fluent Bit, Docker's driver fluentd. A message
 * with a chunk is acknowledged when all its events are durable; what was refused is not, and the
 * connection is closed, so that it comes again. The chunk and the place in it name each event: one
 * that comes again, byte by byte the same from the same sender, is acknowledged and counted, and
 * not handed on again (messages.h).
 *
 * When agencies.yml has shared keys, each connection has to show one of them first; when it has
 * users, one of them too, of the same agency.
 */
#include "collector/agencies.h"
#include "collector/answers.h"
#include "collector/forward.h"
#include "collector/inflate.h"

#include "base/clock.h"
#include "base/hash.h"
#include "net/address.h"

#include <stdlib.h>
#include <unistd.h>

#define OWED_MAX   256u /* messages that are not acknowledged yet; then it is not read on */
#define MESSAGE_NS (60 * NS_PER_S) /* a message that has begun is whole by then */
#define JSON_MAX   (4u << 20)
#define HOST	   STR("tocsin")

struct shared {
	uint64_t bytes; /* of messages that have come in part */
	struct buf json, inflated, name;
};

struct state {
	struct answers answers;
	struct buf part;        /* the message that has come in part */
	struct msgpack_end end; /* in it */
	int64_t begun_ns;
	bool greeted;           /* the handshake is over, or not wanted */
	char nonce[FORWARD_NONCE];
	char auth[FORWARD_NONCE]; /* the salt of passwords */
};

static int64_t number_of(const struct stream *stream, enum config_key key)
{
	return config_number(stream_intake(stream)->config, key);
}

static bool refused(struct stream *stream)
{
	stream_row(stream)->counts.bad_frames++;
	return false;
}

/* ---- acknowledgements ---- */

static void forward_give(struct stream *stream, const struct answer *answer)
{
	struct state *state = stream_state(stream);

	if (answer->note.failed || !answer->durable ||
	    !stream_write(stream, buf_str(&answer->note))) {
		stream_finish(stream);
		return;
	}
	if (state->answers.count <= OWED_MAX / 2)
		stream_hold(stream, false);
}

/* NULL: no memory. */
static struct answer *answer_begin(struct stream *stream, struct str chunk)
{
	struct state *state = stream_state(stream);
	struct answer *answer = answer_new(&state->answers, 512);

	if (answer == NULL)
		return NULL;
	forward_put_ack(&answer->note, chunk);
	if (!answer->note.failed)
		return answer;
	/* What cannot be answered is not taken. */
	answer_settle(answer);
	return NULL;
}

/* ---- events ---- */

static void entry_give(struct stream *stream, const struct forward_message *message,
    const struct forward_entry *entry, struct ticket *ticket)
{
	struct shared *shared = stream_shared(stream);
	size_t limit = stream_intake(stream)->options->frame_limit;

	buf_clear(&shared->json);
	forward_json(&shared->json, message->tag, entry);
	stream_event(stream, str_slice(buf_str(&shared->json), 0, limit),
	    shared->json.failed || shared->json.len > limit, ticket);
}

/* Looked through first: of a message that is wrong somewhere, nothing is taken. */
static bool entries_hold(const struct forward_message *message, struct str entries)
{
	struct forward_entry entry;
	uint64_t count = 0;

	for (; entries.len > 0; count++)
		if (!forward_next(message, &entries, &entry))
			return false;
	return message->mode != FORWARD_ENTRIES || count == message->count;
}

static void entries_give(struct stream *stream, const struct forward_message *message,
    struct str entries, struct ticket *ticket)
{
	struct shared *shared = stream_shared(stream);
	struct intake *intake = stream_intake(stream);
	struct forward_entry entry;

	for (unsigned n = 0; entries.len > 0 && forward_next(message, &entries, &entry); n++) {
		buf_clear(&shared->name);
		if (message->chunk.len > 0)
			buf_printf(&shared->name, "%.*s %u", STR_ARG(message->chunk), n);
		intake->name = buf_str(&shared->name);
		entry_give(stream, message, &entry, ticket);
	}
	intake->name = STR_NONE;
}

/* What stands in entries, once it is unpacked. False: it cannot be. */
static bool entries_unpack(
    struct stream *stream, const struct forward_message *message, struct str *entries)
{
	struct shared *shared = stream_shared(stream);

	*entries = message->entries;
	if (message->mode != FORWARD_PACKED || message->compressed.len == 0 ||
	    str_eq(message->compressed, STR("text")))
		return true;
	if (!str_eq(message->compressed, STR("gzip")))
		return false;
	buf_free(&shared->inflated);
	shared->inflated = BUF((size_t)number_of(stream, CONFIG_FORWARD_INFLATED));
	if (inflate_all(&shared->inflated, message->entries) != INFLATE_DONE)
		return false;
	*entries = buf_str(&shared->inflated);
	return true;
}

static bool message_give(struct stream *stream, const struct forward_message *message,
    struct str entries)
{
	struct answer *answer = NULL;

	if (message->chunk.len > 0) {
		answer = answer_begin(stream, message->chunk);
		if (answer == NULL)
			return false;
	}
	entries_give(stream, message, entries, answer != NULL ? answer->ticket : NULL);
	if (answer != NULL)
		answer_settle(answer);
	return true;
}

static bool message_serve(struct stream *stream, struct str bytes)
{
	struct shared *shared = stream_shared(stream);
	struct forward_message message;
	struct str entries;

	if (!forward_read(bytes, &message) || message.signal != 0)
		return refused(stream);
	stream_row(stream)->counts.frames++;
	stream_progress(stream);
	if (message.mode == FORWARD_HEARTBEAT)
		return true;
	bool good = entries_unpack(stream, &message, &entries) && entries_hold(&message, entries);

	if (!good)
		refused(stream);
	good = good && message_give(stream, &message, entries);
	buf_free(&shared->inflated);
	return good;
}

/* ---- the handshake ---- */

static bool same(struct str digest, const char wanted[FORWARD_DIGEST])
{
	unsigned char differs = 0;

	for (size_t i = 0; digest.len == FORWARD_DIGEST && i < FORWARD_DIGEST; i++)
		differs |= (unsigned char)(char_lower(digest.ptr[i]) ^ wanted[i]);
	return digest.len == FORWARD_DIGEST && differs == 0;
}

/* Whose key it is; NULL: nobody's. All are tried, whichever it is. */
static const struct identity_of *key_find(
    struct stream *stream, const struct forward_ping *ping, struct str *ret)
{
	const struct state *state = stream_state(stream);
	const struct agencies *agencies = stream_intake(stream)->agencies;
	struct str nonce = str_from(state->nonce, FORWARD_NONCE), key;
	const struct identity_of *identity, *found = NULL;
	char digest[FORWARD_DIGEST];

	for (size_t i = 0; (identity = agencies_shared_key(agencies, i, &key)) != NULL; i++) {
		forward_digest(ping->salt, ping->host, nonce, key, digest);
		if (!same(ping->digest, digest))
			continue;
		found = identity;
		*ret = key;
	}
	return found;
}

static bool asks_users(const struct stream *stream)
{
	struct str user, password;

	return agencies_login(stream_intake(stream)->agencies, 0, &user, &password) != NULL;
}

/* Who that user is; NULL: nobody, or the password is another. */
static const struct identity_of *user_find(
    struct stream *stream, const struct forward_ping *ping)
{
	const struct state *state = stream_state(stream);
	const struct agencies *agencies = stream_intake(stream)->agencies;
	const struct identity_of *identity, *found = NULL;
	struct str auth = str_from(state->auth, FORWARD_NONCE), user, password;
	char digest[FORWARD_DIGEST];

	for (size_t i = 0;
	     (identity = agencies_login(agencies, i, &user, &password)) != NULL; i++) {
		forward_digest(auth, user, STR_NONE, password, digest);
		if (str_eq(ping->user, user) && same(ping->password, digest))
			found = identity;
	}
	return found;
}

/* By its key, and by its user where users are asked for. *why: the reason that it is refused. */
static const struct identity_of *ping_identify(struct stream *stream,
    const struct forward_ping *ping, struct str *key, struct str *why)
{
	const struct identity_of *of_key = key_find(stream, ping, key), *of_user;

	*why = STR("shared_key mismatch");
	if (of_key == NULL || !asks_users(stream))
		return of_key;
	of_user = user_find(stream, ping);
	*why = STR("username/password mismatch");
	return of_user != NULL && str_eq(of_user->agency, of_key->agency) ? of_user : NULL;
}

static bool ping_serve(struct stream *stream, struct str bytes)
{
	struct state *state = stream_state(stream);
	struct buf out = BUF(1024);
	char digest[FORWARD_DIGEST];
	struct forward_ping ping;
	struct str key = STR_NONE, why;

	if (!forward_read_ping(bytes, &ping))
		return refused(stream);
	const struct identity_of *identity = ping_identify(stream, &ping, &key, &why);
	bool good = identity != NULL && stream_identify(stream, identity);

	forward_digest(ping.salt, HOST, str_from(state->nonce, FORWARD_NONCE), key, digest);
	forward_put_pong(&out,
	    good ? STR("") : identity != NULL ? STR("not permitted") : why,
	    HOST, good ? str_from(digest, FORWARD_DIGEST) : STR_NONE);
	if (identity == NULL)
		refused(stream);
	state->greeted = good;
	good = stream_write(stream, buf_str(&out)) && good;
	buf_free(&out);
	return good;
}

static bool forward_begin(struct stream *stream)
{
	struct shared *shared = stream_shared(stream);
	struct state *state = stream_state(stream);
	struct buf out = BUF(256);
	struct str key;

	answers_begin(&state->answers, stream, forward_give);
	if (shared->json.ceiling == 0)
		shared->json = BUF(JSON_MAX);
	if (shared->name.ceiling == 0)
		shared->name = BUF(FORWARD_CHUNK_MAX + 32);
	if (agencies_shared_key(stream_intake(stream)->agencies, 0, &key) == NULL) {
		state->greeted = true;
		return stream_identify(stream, NULL);
	}
	if (!hash_random(state->nonce, FORWARD_NONCE) ||
	    !hash_random(state->auth, FORWARD_NONCE))
		return false;
	forward_put_helo(&out, str_from(state->nonce, FORWARD_NONCE),
	    asks_users(stream) ? str_from(state->auth, FORWARD_NONCE) : STR_NONE);
	bool good = stream_write(stream, buf_str(&out));

	buf_free(&out);
	return good;
}

/* ---- reading ---- */

static void part_drop(struct stream *stream)
{
	struct shared *shared = stream_shared(stream);
	struct state *state = stream_state(stream);

	shared->bytes -= state->part.len;
	buf_free(&state->part);
}

/* What is left of bytes is the begin of a message: into memory of its own. */
static bool part_keep(struct stream *stream, struct str bytes)
{
	struct shared *shared = stream_shared(stream);
	struct state *state = stream_state(stream);

	if (shared->bytes + bytes.len > (uint64_t)number_of(stream, CONFIG_FORWARD_MEMORY)) {
		stream_row(stream)->counts.refused_connections++;
		return false;
	}
	if (state->part.len == 0) {
		state->begun_ns = stream_intake(stream)->now_ns;
		state->part =
		    BUF((size_t)number_of(stream, CONFIG_FORWARD_MESSAGE) + INTAKE_SCRATCH);
	}
	buf_str_put(&state->part, bytes);
	if (state->part.failed)
		return false;
	shared->bytes += bytes.len;
	return true;
}

/* Serves the whole messages of *bytes and leaves the rest. */
static bool take_messages(struct stream *stream, struct str *bytes)
{
	struct state *state = stream_state(stream);
	size_t max = (size_t)number_of(stream, CONFIG_FORWARD_MESSAGE);

	while (bytes->len > 0) {
		switch (msgpack_find_end(&state->end, *bytes, max)) {
		case MSGPACK_OK:
			break;
		case MSGPACK_MORE:
			return true;
		case MSGPACK_BAD:
			return refused(stream);
		}
		struct str message = str_slice(*bytes, 0, state->end.at);

		*bytes = str_slice(*bytes, message.len, bytes->len);
		state->end = (struct msgpack_end){0};
		if (!(state->greeted ? message_serve(stream, message)
				     : ping_serve(stream, message)))
			return false;
	}
	return true;
}

/* A message that is not whole at the end is none. */
static bool forward_take(struct stream *stream, struct str *bytes, bool end)
{
	struct state *state = stream_state(stream);
	struct buf part = {0};
	bool goes_on;

	(void)end;
	if (state->part.len > 0) {
		goes_on = part_keep(stream, *bytes);
		*bytes = STR_NONE;
		if (!goes_on)
			return false;
		struct str all = buf_str(&state->part);

		goes_on = take_messages(stream, &all);
		if (goes_on && all.len == state->part.len)
			return true;
		part = state->part;
		((struct shared *)stream_shared(stream))->bytes -= part.len;
		state->part = (struct buf){0};
		goes_on = goes_on && (all.len == 0 || part_keep(stream, all));
		buf_free(&part);
	} else {
		goes_on = take_messages(stream, bytes) &&
		    (bytes->len == 0 || part_keep(stream, *bytes));
		*bytes = STR_NONE;
	}
	if (goes_on && state->answers.count > OWED_MAX)
		stream_hold(stream, true);
	return goes_on;
}

static void forward_tick(struct stream *stream)
{
	struct state *state = stream_state(stream);
	int64_t now_ns = stream_intake(stream)->now_ns;

	if (state->part.len == 0 || now_ns - state->begun_ns <= MESSAGE_NS)
		return;
	refused(stream);
	part_drop(stream);
	stream_finish(stream);
}

static bool forward_owes(const struct stream *stream)
{
	return ((const struct state *)stream_state_of(stream))->answers.count > 0;
}

static void forward_end(struct stream *stream)
{
	struct state *state = stream_state(stream);

	answers_end(&state->answers);
	part_drop(stream);
}

static void forward_shared_end(void *context)
{
	struct shared *shared = context;

	buf_free(&shared->json);
	buf_free(&shared->inflated);
	buf_free(&shared->name);
}

static const struct stream_kind kind = {
    .name = "forward",
    .transport = TRANSPORT_FORWARD,
    .state_bytes = sizeof(struct state),
    .shared_bytes = sizeof(struct shared),
    .partial_max = INTAKE_SCRATCH / 2,
    .patience_ns = MESSAGE_NS,
    .identifies = true,
    .begin = forward_begin,
    .take = forward_take,
    .tick = forward_tick,
    .owes = forward_owes,
    .end = forward_end,
    .shared_end = forward_shared_end,
};

/* ---- the input: connections, and beside them heartbeats over UDP on the same port ---- */

struct input {
	struct intake *intake;
	struct input *streams; /* of stream.c */
	struct watch *watch;
	int fd;
};

/* A NUL is answered by a NUL; nothing else is, so that nobody is answered more than he sent. */
static void heartbeat(void *context, unsigned ready)
{
	struct input *input = context;
	char byte[2];

	(void)ready;
	for (int i = 0; i < 64; i++) {
		struct sockaddr_storage from;
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(input->fd, byte, sizeof(byte), MSG_DONTWAIT,
		    (struct sockaddr *)&from, &len);

		if (n < 0)
			return;
		if (n == 1 && byte[0] == '\0')
			sendto(input->fd, byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL,
			    (struct sockaddr *)&from, len);
	}
}

static void forward_close(struct input *input)
{
	if (input == NULL)
		return;
	streams_close(input->streams);
	watch_remove(input->watch);
	if (input->fd >= 0)
		close(input->fd);
	free(input);
}

/* On the port that the connections got, which matters for port 0. */
static int heartbeat_open(struct input *input, const char *address, struct error *error)
{
	struct buf text = BUF(512);

	/* They are sent in the clear: not beside TLS, nor past a load balancer. */
	if (str_find(str_of(address), STR("://")) != STR_NOT_FOUND)
		return 0;
	buf_printf(&text, "%.*s:%u", (int)str_find_last(str_of(address), ':'), address,
	    streams_port(input->streams));
	buf_char(&text, '\0');
	input->fd = text.failed ? error_set(error, ERR_MEMORY, TEXT_base_memory)
				: address_bind(text.ptr, SOCK_DGRAM, false, error);
	buf_free(&text);
	if (input->fd < 0)
		return input->fd;
	return watch_add(
	    &input->watch, input->intake->loop, input->fd, WATCH_READ, heartbeat, input, error);
}

static int forward_open(
    struct input **ret, struct intake *intake, const char *address, struct error *error)
{
	struct input *input = calloc(1, sizeof(*input));

	if (input == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	*input = (struct input){.intake = intake, .fd = -1};
	int code = streams_open(&input->streams, &kind, intake, address, error);

	if (code == 0)
		code = heartbeat_open(input, address, error);
	if (code < 0) {
		forward_close(input);
		return code;
	}
	*ret = input;
	return 0;
}

static void forward_pause(struct input *input, bool paused)
{
	streams_pause(input->streams, paused);
}

static void forward_finish(struct input *input)
{
	streams_finish(input->streams);
}

static void forward_second(struct input *input)
{
	streams_tick(input->streams);
}

static unsigned forward_port(const struct input *input)
{
	return streams_port(input->streams);
}

const struct input_kind input_forward = {
    .name = "forward",
    .summary = "Fluent Forward (Fluentd, Fluent Bit, Docker)",
    .listen = CONFIG_FORWARD_LISTEN,
    .open = forward_open,
    .close = forward_close,
    .pause = forward_pause,
    .finish = forward_finish,
    .tick = forward_second,
    .port = forward_port,
};
