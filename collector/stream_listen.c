#include "collector/stream_parts.h"

#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#define ACCEPTS 64

/* ---- before a connection's first byte ---- */

/* Whoever is at that address may come in by this input. */
static bool peer_admits(struct input *input, struct ledger_row *row)
{
	const struct collector_options *options = input->intake->options;
	bool later = input->kind->identifies ||
	    (input->wire.tls && door_asks(input->intake->door));

	if (!later && !identity_allows(row->identity, input->kind->name)) {
		row->counts.barred_connections++;
		return false;
	}
	if (input->stream_count < options->connections_max &&
	    (row->shared || input->kind->local || row->connections < options->connections_per_peer))
		return true;
	row->counts.refused_connections++;
	return false;
}

static void stream_place(struct stream *stream, struct ledger_row *row)
{
	row->counts.input = stream->input->kind->name;
	stream->row = stream->own = row;
	stream->peer = address_format((struct sockaddr *)&stream->from, stream->peer_text);
}

/* Its proxy has said whose it is. */
static bool stream_announced(struct stream *stream)
{
	struct input *input = stream->input;
	struct ledger_row *row = ledger_peer(
	    input->intake->ledger, input->kind->name, (struct sockaddr *)&stream->from);

	stream->row->connections--;
	stream_place(stream, row);
	bool admitted = peer_admits(input, row);

	row->connections++;
	return admitted;
}

/* By its certificate, when it has shown one. */
static bool stream_certified(struct stream *stream)
{
	struct intake *intake = stream->input->intake;
	const struct identity_of *identity;
	struct tls_peer peer;

	if (stream->wire.tls == NULL)
		return true;
	tls_peer(stream->wire.tls, &peer);
	if (!peer.has_certificate) /* what its network may was passed over at first */
		return stream->input->kind->identifies || stream_certify(stream, NULL);
	identity = agencies_by_certificate(
	    intake->agencies, peer.names, peer.name_count, peer.fingerprint);
	if (identity == NULL && agencies_have_certificates(intake->agencies))
		stream->row->counts.barred_connections++;
	else if (stream_certify(stream, identity))
		return true;
	door_tell(intake, stream->row, TEXT_collector_certificate, stream->peer, NULL);
	return false;
}

/* It can be read from here on. */
static bool stream_begin(struct stream *stream)
{
	struct input *input = stream->input;

	if (!stream_certified(stream))
		return false;
	stream->opened = true;
	input->opening--;
	stream->active_ns = stream->frame_ns = input->intake->now_ns;
	return input->kind->begin == NULL || input->kind->begin(stream);
}

/* It does not come in. slow: it had its time. */
static void stream_refuse(struct stream *stream, bool slow)
{
	struct intake *intake = stream->input->intake;

	if (slow) {
		uint64_t *count = stream->wire.proxied ? &stream->row->counts.proxy_refused
						       : &stream->row->counts.tls_refused;

		++*count;
		door_tell(intake, stream->row, TEXT_collector_tls_slow, stream->peer, NULL);
	} else if (stream->wire.proxied) {
		stream->row->counts.proxy_refused++;
		door_tell(intake, stream->row, TEXT_collector_proxy_bad, stream->peer, NULL);
	} else {
		stream->row->counts.tls_refused++;
		door_tell(intake, stream->row, TEXT_collector_tls_refused, stream->peer,
		    stream->wire.tls != NULL ? tls_why(stream->wire.tls) : "");
	}
}

bool stream_goes_on(struct stream *stream)
{
	enum wire_step step;

	intake_now(stream->input->intake);
	if (stream->broken) {
		stream_close(stream);
		return false;
	}
	while ((step = wire_open(&stream->wire, &stream->from)) == WIRE_ANNOUNCED) {
		if (!stream_announced(stream)) {
			stream_close(stream);
			return false;
		}
	}
	if (step == WIRE_OPEN && stream_begin(stream)) {
		stream_watch(stream);
		return true;
	}
	if (step == WIRE_FAILED)
		stream_refuse(stream, false);
	if (step == WIRE_WAIT)
		stream_watch(stream);
	else
		stream_close(stream);
	return false;
}

/* One that is not ready makes room for another. */
static void oldest_close(struct input *input)
{
	struct stream *oldest = NULL;

	for (struct stream *stream = input->streams; stream != NULL; stream = stream->next)
		oldest = stream->opened ? oldest : stream;
	if (oldest == NULL)
		return;
	stream_refuse(oldest, true);
	stream_close(oldest);
}

/* ---- the listener ---- */

/* The peer of a Unix socket is the socket, and who connected. */
static void place_local(struct stream *stream, int fd)
{
	struct ucred who = {0};
	socklen_t len = sizeof(who);

	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len);
	stream->peer = address_format_local(
	    stream->input->wire.address, (long)who.pid, (long)who.uid, stream->peer_text);
}

/*
 * Who opens a connection for each message may have closed many that stand here unread: they are
 * read to their end before one more is refused.
 */
static void peer_read_on(struct input *input, const struct ledger_row *row)
{
	struct stream *next;

	for (struct stream *stream = input->streams; stream != NULL; stream = next) {
		next = stream->next;
		if (stream->row == row && stream->opened)
			stream_ready(stream, WATCH_READ);
	}
}

/* NULL: it may not come in, which is counted. */
static struct stream *stream_new(
    struct input *input, int fd, const struct sockaddr *peer)
{
	struct intake *intake = input->intake;
	struct ledger_row *row = ledger_peer(intake->ledger, input->kind->name, peer);
	struct stream *stream;

	row->counts.input = input->kind->name;
	if (input->wire.proxied && !door_trusts(intake->door, peer)) {
		char text[ADDRESS_TEXT];

		row->counts.proxy_refused++;
		door_tell(intake, row, TEXT_collector_proxy_stranger, address_format(peer, text),
		    NULL);
		return NULL;
	}
	/* Once for what they say, and once for their end. */
	for (int i = 0; i < 2 && !input->wire.proxied; i++)
		if (row->connections >= intake->options->connections_per_peer)
			peer_read_on(input, row);
	/* A proxy stands for many: they are looked at when they are announced. */
	if (!input->wire.proxied && !peer_admits(input, row))
		return NULL;
	stream = calloc(1, sizeof(*stream) + input->kind->state_bytes);
	if (stream == NULL) {
		row->counts.refused_connections++;
		return NULL;
	}
	stream->input = input;
	stream->identified = !input->kind->identifies;
	memcpy(&stream->from, peer,
	    peer->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
	stream->active_ns = stream->frame_ns = intake->now_ns;
	stream->out = BUF(STREAM_OUT_MAX);
	stream_place(stream, row);
	if (input->kind->local)
		place_local(stream, fd);
	return stream;
}

static void stream_accept(struct input *input, int fd, const struct sockaddr *peer)
{
	bool at_once = !input->wire.tls && !input->wire.proxied;

	if (!at_once && input->opening >= door_ceiling(input->intake->door))
		oldest_close(input);
	struct stream *stream = stream_new(input, fd, peer);

	if (stream == NULL) {
		close(fd);
		return;
	}
	wire_begin(&stream->wire, input->intake->door, &input->wire, fd);
	bool paused = input->paused && at_once && !input->kind->reads_on;

	if (watch_add(&stream->watch, input->intake->loop, fd, paused ? 0 : WATCH_READ,
		stream_ready, stream, NULL) < 0) {
		close(fd);
		free(stream);
		return;
	}
	stream->next = input->streams;
	if (stream->next != NULL)
		stream->next->previous = stream;
	input->streams = stream;
	input->stream_count++;
	input->opening++;
	stream->row->connections++;
	if (at_once && !stream_begin(stream))
		stream_close(stream);
}

/*
 * A sender that lost its power is noticed after two minutes, not after the system's two hours.
 * Answers are written whole, and wait for nothing.
 */
static void keep_alive(int fd)
{
	int on = 1, idle_s = 60, interval_s = 10, count = 6;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
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
		if (input->kind->local)
			peer = address_of_this_machine();
		else
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
	int code = 0;

	if (kind->local)
		input->wire.address = address;
	else
		code = wire_parse(address, &input->wire, error);

	input->wire.tls = input->wire.tls || kind->tls;
	input->transport = input->wire.tls && kind->transport == TRANSPORT_TCP ? TRANSPORT_TLS
									      : kind->transport;
	if (code == 0)
		code = door_open(intake, &input->wire, error);
	if (code == 0) {
		input->fd = kind->local ? address_bind_unix(address, SOCK_STREAM, error)
			: address_bind(input->wire.address, SOCK_STREAM, false, error);
		code = input->fd < 0 ? input->fd : 0;
	}

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
		next = stream->next;
		stream_drain(stream);
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
	if (!stream->opened)
		return now_ns - stream->active_ns >
		       door_patience_ns(stream->input->intake->door);
	return idle_ns > 0 && !stream->waits && (now_ns - stream->active_ns > idle_ns ||
	    (stream->partial_len > 0 && now_ns - stream->frame_ns > patience_ns));
}

/* Since a reload, it may not send any more. */
static bool stream_is_barred(const struct stream *stream)
{
	return stream->opened && stream->identified && stream->row->barred && !stream->row->shared;
}

void streams_tick(struct input *input)
{
	int64_t idle_ns = input->intake->options->idle_ns;
	int64_t now_ns = input->intake->now_ns;
	struct stream *next;

	if (input->accept_paused && watch_set(input->watch, WATCH_READ, NULL) == 0)
		input->accept_paused = false;
	for (struct stream *stream = input->streams; stream != NULL && input->kind->tick != NULL;
	     stream = stream->next) {
		if (stream->opened)
			input->kind->tick(stream);
	}
	for (struct stream *stream = input->streams; stream != NULL && !input->paused;
	     stream = next) {
		next = stream->next;
		/* Resuming may have failed for want of memory. */
		stream_watch(stream);
		if (stream_is_barred(stream)) {
			stream->row->counts.barred_connections++;
			stream_close(stream);
		} else if (stream_settle(stream) && stream_is_idle(stream, now_ns, idle_ns)) {
			if (!stream->opened)
				stream_refuse(stream, true);
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
