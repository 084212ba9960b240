#include "collector/stream.h"

#include "base/check.h"
#include "base/clock.h"
#include "net/address.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES (64u << 10)
#define ROUNDS     4
#define ACCEPTS    64

#define SHARE_WAIT_NS (5 * NS_PER_MS)
#define WAIT_MOST_NS  NS_PER_S /* so that a new quota is soon looked at */

struct stream {
	struct stream *next, *previous;
	struct input *input;
	struct watch *watch;
	struct ledger_row *row;
	struct ledger_row *own; /* of the connection: by its network, or its certificate */
	struct stream *wait_next;
	bool waits;             /* for its quota, or its share */
	bool identified;        /* by its network, or as its kind does it */
	int fd;
	bool held;         /* the input does not want to read */
	bool rested;       /* and left bytes that it will look at then */
	bool ended;        /* nothing more is read */
	bool broken;       /* closed at the next occasion */
	int64_t active_ns; /* when something came */
	int64_t frame_ns;  /* when a message last ended, or began behind none */
	char *partial;     /* the message that has come in part */
	size_t partial_len, partial_capacity;
	struct buf out;
	size_t out_at;     /* written so far */
	struct sockaddr_storage from;
	struct str peer;
	char peer_text[ADDRESS_TEXT];
	_Alignas(max_align_t) char state[];
};

struct input {
	const struct stream_kind *kind;
	struct intake *intake;
	struct ledger_row *row; /* of the listener */
	struct watch *watch;
	int fd;
	bool paused, accept_paused;
	struct stream *streams;
	size_t stream_count;
	_Alignas(max_align_t) char shared[];
};

/* ---- what an input sees ---- */

void *stream_state(struct stream *stream)
{
	return stream->state;
}

const void *stream_state_of(const struct stream *stream)
{
	return stream->state;
}

void *stream_shared(const struct stream *stream)
{
	return stream->input->shared;
}

struct intake *stream_intake(const struct stream *stream)
{
	return stream->input->intake;
}

struct ledger_row *stream_row(const struct stream *stream)
{
	return stream->row;
}

struct str stream_peer(const struct stream *stream)
{
	return stream->peer;
}

/* Where it is counted. */
static bool stream_move(struct stream *stream, struct ledger_row *row)
{
	const char *input = stream->input->kind->name;

	stream->identified = true;
	if (row != stream->row) {
		stream->row->connections--;
		row->connections++;
		stream->row = row;
	}
	if (identity_allows(row->identity, input) && (!row->barred || row->shared))
		return true;
	row->counts.barred_connections++;
	return false;
}

static struct ledger_row *row_known(struct stream *stream, const struct identity_of *identity)
{
	return ledger_known(stream->input->intake->ledger, stream->input->kind->name,
	    (struct sockaddr *)&stream->from, identity);
}

bool stream_identify(struct stream *stream, const struct identity_of *identity)
{
	return stream_move(stream, identity == NULL ? stream->own : row_known(stream, identity));
}

bool stream_certify(struct stream *stream, const struct identity_of *identity)
{
	if (identity != NULL)
		stream->own = row_known(stream, identity);
	return stream_move(stream, stream->own);
}

void stream_progress(struct stream *stream)
{
	stream->frame_ns = stream->input->intake->now_ns;
}

void stream_event(struct stream *stream, struct str raw, bool cut, struct ticket *ticket)
{
	const struct stream_kind *kind = stream->input->kind;

	intake_event(stream->input->intake, stream->row, kind->name, kind->transport, stream->peer,
	    raw, cut, ticket);
	stream_progress(stream);
}

/* ---- one connection ---- */

static bool stream_owes(const struct stream *stream)
{
	const struct stream_kind *kind = stream->input->kind;

	return stream->out_at < stream->out.len || (kind->owes != NULL && kind->owes(stream));
}

/* Nothing more is to be read, since the bus is behind. */
static bool stream_is_behind(const struct stream *stream)
{
	const struct input *input = stream->input;

	return !input->kind->reads_on && packer_is_behind(input->intake->packer);
}

static void stream_watch(struct stream *stream)
{
	bool paused = stream->input->paused && !stream->input->kind->reads_on;
	bool reads =
	    !paused && !stream->held && !stream->ended && !stream->waits;
	/* Can be written to, so that the loop calls: to be closed, or to be looked at again. */
	bool called = stream->broken || (stream->ended && !stream_owes(stream)) ||
	    (stream->rested && !stream->held && !stream->waits);
	bool writes = stream->out_at < stream->out.len || called;

	watch_set(stream->watch, (reads ? WATCH_READ : 0u) | (writes ? WATCH_WRITE : 0u), NULL);
}

static void wait_end(struct stream *stream)
{
	struct stream **at = &stream->input->intake->waiting;

	if (!stream->waits)
		return;
	while (*at != stream)
		at = &(*at)->wait_next;
	*at = stream->wait_next;
	stream->waits = false;
}

static void stream_close(struct stream *stream)
{
	struct input *input = stream->input;

	wait_end(stream);
	if (input->kind->end != NULL)
		input->kind->end(stream);
	if (stream->previous != NULL)
		stream->previous->next = stream->next;
	else
		input->streams = stream->next;
	if (stream->next != NULL)
		stream->next->previous = stream->previous;
	input->stream_count--;
	stream->row->connections--;
	watch_remove(stream->watch);
	close(stream->fd);
	buf_free(&stream->out);
	free(stream->partial);
	free(stream);
}

/* What the socket takes; the rest stays. */
static void stream_flush(struct stream *stream)
{
	while (stream->out_at < stream->out.len && !stream->broken) {
		ssize_t n = send(stream->fd, stream->out.ptr + stream->out_at,
		    stream->out.len - stream->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0)
			stream->out_at += (size_t)n;
		else if (errno == EAGAIN || errno == EINTR)
			return;
		else
			stream->broken = true;
	}
	buf_clear(&stream->out);
	stream->out_at = 0;
}

bool stream_write(struct stream *stream, struct str bytes)
{
	if (stream->broken)
		return false;
	buf_str_put(&stream->out, bytes);
	if (stream->out.failed)
		stream->broken = true;
	else
		stream_flush(stream);
	stream_watch(stream);
	return !stream->broken;
}

void stream_hold(struct stream *stream, bool held)
{
	if (stream->held == held)
		return;
	stream->held = held;
	stream_watch(stream);
}

void stream_finish(struct stream *stream)
{
	stream->ended = true;
	stream_watch(stream);
}

/* Keeps what is left of a message. */
static bool keep_partial(struct stream *stream, struct str rest)
{
	if (rest.len > stream->input->kind->partial_max)
		return false;
	if (rest.len > stream->partial_capacity) {
		size_t capacity = rest.len < 512 ? 512 : rest.len * 2;
		char *grown = malloc(capacity);

		if (grown == NULL)
			return false;
		free(stream->partial);
		stream->partial = grown;
		stream->partial_capacity = capacity;
	}
	if (rest.len > 0)
		memcpy(stream->partial, rest.ptr, rest.len);
	stream->partial_len = rest.len;
	if (rest.len == 0 && stream->partial_capacity > 4096) {
		free(stream->partial);
		stream->partial = NULL;
		stream->partial_capacity = 0;
	}
	return true;
}

/* Hands what is there to the input, and keeps what it leaves. */
static void stream_offer(struct stream *stream, struct str bytes, bool end)
{
	bool goes_on = stream->input->kind->take(stream, &bytes, end);

	stream->rested = stream->held && bytes.len > 0;
	if (end || !goes_on || stream->ended) {
		stream->partial_len = 0;
		stream_finish(stream);
	} else if (!keep_partial(stream, bytes)) {
		stream->row->counts.bad_frames++;
		stream->broken = true;
	}
}

/* One read behind the part that is there, in the shared memory. *more: there may be more. */
static void stream_read(struct stream *stream, bool *more)
{
	struct intake *intake = stream->input->intake;
	size_t before = stream->partial_len;

	if (before > 0)
		memcpy(intake->scratch, stream->partial, before);
	ssize_t n = recv(stream->fd, intake->scratch + before, READ_BYTES, MSG_DONTWAIT);

	*more = n == (ssize_t)READ_BYTES;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	stream->active_ns = intake_now(intake);
	if (before == 0)
		stream->frame_ns = stream->active_ns;
	/* The end, or a reset: what came of the last message may be one still. */
	if (n < 0)
		stream->broken = true;
	stream_offer(stream, str_from(intake->scratch, before + (size_t)(n > 0 ? n : 0)), n <= 0);
}

/* How long its sender has to wait; 0: it may go on. */
static int64_t stream_wait(const struct stream *stream)
{
	const struct intake *intake = stream->input->intake;
	int64_t wait_ns = quota_wait(
	    ledger_bucket(stream->row), &stream->row->identity->quota, intake->now_ns);

	/* Behind for all, its input is paused. */
	if (wait_ns == 0 && !packer_is_behind(intake->packer) &&
	    packer_is_behind_for(intake->packer, stream->row))
		wait_ns = SHARE_WAIT_NS;
	return wait_ns > WAIT_MOST_NS ? WAIT_MOST_NS : wait_ns;
}

/* True: it is not read until streams_wake. */
static bool stream_waits(struct stream *stream)
{
	struct intake *intake = stream->input->intake;
	int64_t wait_ns = stream->waits ? 0 : stream_wait(stream);

	if (wait_ns > 0) {
		stream->waits = true;
		stream->wait_next = intake->waiting;
		intake->waiting = stream;
		stream->row->counts.waits++;
		if (intake->wake_ns == 0 || intake->now_ns + wait_ns < intake->wake_ns)
			intake->wake_ns = intake->now_ns + wait_ns;
		stream_watch(stream);
	}
	return stream->waits;
}

void streams_wake(struct intake *intake)
{
	struct stream **at = &intake->waiting;
	int64_t next_ns = 0;

	while (*at != NULL) {
		struct stream *stream = *at;
		int64_t wait_ns = stream_wait(stream);

		if (wait_ns > 0) {
			next_ns = next_ns == 0 || wait_ns < next_ns ? wait_ns : next_ns;
			at = &stream->wait_next;
			continue;
		}
		*at = stream->wait_next;
		stream->waits = false;
		/* It was not its fault that nothing came. */
		stream->active_ns = stream->frame_ns = intake->now_ns;
		stream_watch(stream);
	}
	intake->wake_ns = intake->waiting == NULL ? 0 : intake->now_ns + next_ns;
}

/* Messages that came behind the one that was held for. */
static void stream_resume(struct stream *stream)
{
	struct intake *intake = stream->input->intake;

	stream->rested = false;
	memcpy(intake->scratch, stream->partial, stream->partial_len);
	stream_offer(stream, str_from(intake->scratch, stream->partial_len), false);
	stream_watch(stream);
}

/* False: closed. */
static bool stream_settle(struct stream *stream)
{
	if (!stream->broken && !(stream->ended && !stream_owes(stream)))
		return true;
	stream_close(stream);
	return false;
}

static void stream_ready(void *context, unsigned ready)
{
	struct stream *stream = context;
	bool more = true;

	if ((ready & WATCH_WRITE) != 0 || stream->out_at < stream->out.len) {
		stream_flush(stream);
		stream_watch(stream);
	}
	/* A peer that is gone while nothing is read. */
	if ((ready & WATCH_HANGUP) != 0 && (stream->ended || stream->held))
		stream->broken = true;
	for (int round = 0; round < ROUNDS && more; round++) {
		if (stream->ended || stream->held || stream->broken ||
		    stream_is_behind(stream) || stream_waits(stream))
			break;
		if (stream->rested)
			stream_resume(stream);
		else
			stream_read(stream, &more);
	}
	stream_settle(stream);
}

/* Nothing more will be read: what is there is what there is. */
static void stream_end(struct stream *stream)
{
	struct str bytes = {stream->partial, stream->partial_len};

	if (!stream->ended) {
		stream->input->kind->take(stream, &bytes, true);
		stream->partial_len = 0;
		stream_finish(stream);
	}
	stream_settle(stream);
}

/* ---- the listener ---- */

static struct stream *stream_new(struct input *input, const struct sockaddr *peer)
{
	const struct collector_options *options = input->intake->options;
	const char *name = input->kind->name;
	struct ledger_row *row = ledger_peer(input->intake->ledger, name, peer);
	struct stream *stream = NULL;

	if (!input->kind->identifies && !identity_allows(row->identity, name)) {
		row->counts.barred_connections++;
		return NULL;
	}
	if (input->stream_count < options->connections_max &&
	    (row->shared || row->connections < options->connections_per_peer))
		stream = calloc(1, sizeof(*stream) + input->kind->state_bytes);
	if (stream == NULL) {
		row->counts.refused_connections++;
		return NULL;
	}
	stream->input = input;
	stream->row = stream->own = row;
	stream->identified = !input->kind->identifies;
	memcpy(&stream->from, peer,
	    peer->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
	stream->active_ns = stream->frame_ns = input->intake->now_ns;
	stream->out = BUF(STREAM_OUT_MAX);
	stream->peer = address_format(peer, stream->peer_text);
	return stream;
}

static void stream_accept(struct input *input, int fd, const struct sockaddr *peer)
{
	struct stream *stream = stream_new(input, peer);

	if (stream == NULL) {
		close(fd);
		return;
	}
	stream->fd = fd;
	if (watch_add(&stream->watch, input->intake->loop, fd,
		input->paused && !input->kind->reads_on ? 0 : WATCH_READ, stream_ready, stream,
		NULL) < 0) {
		close(fd);
		free(stream);
		return;
	}
	stream->next = input->streams;
	if (stream->next != NULL)
		stream->next->previous = stream;
	input->streams = stream;
	input->stream_count++;
	stream->row->connections++;
	if (input->kind->begin != NULL && !input->kind->begin(stream))
		stream_close(stream);
}

/* A sender that lost its power is noticed after two minutes, not after the system's two hours. */
static void keep_alive(int fd)
{
	int on = 1, idle_s = 60, interval_s = 10, count = 6;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

static void listener_ready(void *context, unsigned ready)
{
	struct input *input = context;

	(void)ready;
	for (int i = 0; i < ACCEPTS; i++) {
		struct sockaddr_storage peer;
		socklen_t len = sizeof(peer);
		int fd = accept4(
		    input->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			/* Out of descriptors: without a pause this would be called at once. */
			input->accept_paused = errno == EMFILE || errno == ENFILE ||
			    errno == ENOMEM || errno == ENOBUFS;
			if (input->accept_paused)
				watch_set(input->watch, 0, NULL);
			return;
		}
		keep_alive(fd);
		stream_accept(input, fd, (struct sockaddr *)&peer);
	}
}

static void listener_close(struct input *input)
{
	watch_remove(input->watch);
	input->watch = NULL;
	if (input->fd >= 0)
		close(input->fd);
	input->fd = -1;
}

void streams_close(struct input *input)
{
	if (input == NULL)
		return;
	while (input->streams != NULL)
		stream_close(input->streams);
	if (input->kind->shared_end != NULL)
		input->kind->shared_end(input->shared);
	listener_close(input);
	free(input);
}

int streams_open(struct input **ret, const struct stream_kind *kind, struct intake *intake,
    const char *address, struct error *error)
{
	struct input *input = calloc(1, sizeof(*input) + kind->shared_bytes);

	CHECK(kind->partial_max <= INTAKE_SCRATCH / 2);
	if (input == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	input->kind = kind;
	input->fd = -1;
	input->intake = intake;
	input->row = ledger_listener(intake->ledger, kind->name, address);
	input->fd = address_bind(address, SOCK_STREAM, false, error);
	int code = input->fd < 0 ? input->fd : 0;

	if (code == 0 && input->row == NULL)
		code = error_set(error, ERR_MEMORY, TEXT_base_memory);
	if (code == 0)
		code = watch_add(&input->watch, intake->loop, input->fd, WATCH_READ, listener_ready,
		    input, error);
	if (code < 0) {
		streams_close(input);
		return code;
	}
	*ret = input;
	return 0;
}

void streams_pause(struct input *input, bool paused)
{
	if (input->paused == paused)
		return;
	input->paused = paused;
	for (struct stream *stream = input->streams; stream != NULL; stream = stream->next)
		stream_watch(stream);
}

/* Those that owe an answer stay until streams_close; nobody else comes in. */
void streams_finish(struct input *input)
{
	struct stream *next;

	listener_close(input);
	for (struct stream *stream = input->streams; stream != NULL; stream = next) {
		bool more = true;

		next = stream->next;
		for (int round = 0; round < ROUNDS && more; round++) {
			if (stream->ended || stream->held || stream->broken ||
			    stream_is_behind(stream))
				break;
			if (stream->rested)
				stream_resume(stream);
			else
				stream_read(stream, &more);
		}
		stream_end(stream);
	}
}

/*
 * Nothing has come for too long, or a message does not come to its end (one byte now and then). A
 * clock that was set back begins the wait anew.
 */
static bool stream_is_idle(struct stream *stream, int64_t now_ns, int64_t idle_ns)
{
	int64_t patience_ns = stream->input->kind->patience_ns;

	if (now_ns < stream->active_ns || now_ns < stream->frame_ns)
		stream->active_ns = stream->frame_ns = now_ns;
	if (patience_ns == 0 || patience_ns > idle_ns)
		patience_ns = idle_ns;
	return idle_ns > 0 && !stream->waits && (now_ns - stream->active_ns > idle_ns ||
	    (stream->partial_len > 0 && now_ns - stream->frame_ns > patience_ns));
}

/* Since a reload, it may not send any more. */
static bool stream_is_barred(const struct stream *stream)
{
	return stream->identified && stream->row->barred && !stream->row->shared;
}

void streams_tick(struct input *input)
{
	int64_t idle_ns = input->intake->options->idle_ns;
	int64_t now_ns = input->intake->now_ns;
	struct stream *next;

	if (input->accept_paused && watch_set(input->watch, WATCH_READ, NULL) == 0)
		input->accept_paused = false;
	for (struct stream *stream = input->streams; stream != NULL && input->kind->tick != NULL;
	     stream = stream->next)
		input->kind->tick(stream);
	for (struct stream *stream = input->streams; stream != NULL && !input->paused;
	     stream = next) {
		next = stream->next;
		/* Resuming may have failed for want of memory. */
		stream_watch(stream);
		if (stream_is_barred(stream)) {
			stream->row->counts.barred_connections++;
			stream_close(stream);
		} else if (stream_settle(stream) && stream_is_idle(stream, now_ns, idle_ns)) {
			/* It has had its time, answers or not. */
			stream->broken = stream->ended;
			stream_end(stream);
		}
	}
}

unsigned streams_port(const struct input *input)
{
	return address_port(input->fd);
}
