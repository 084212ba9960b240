/*
 * Syslog over TCP. A connection owns memory only for a frame that has come in part; whole frames
 * are taken straight out of the read buffer that all connections share. When the bus is behind
 * nothing is read, and TCP makes the senders wait.
 */
#include "collector/input.h"

#include "collector/framer.h"
#include "net/address.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES (64u << 10)
#define ROUNDS	   4
#define ACCEPTS	   64

struct connection {
	struct connection *next, *previous;
	struct input *input;
	struct watch *watch;
	struct ledger_row *row;
	int fd;
	int64_t active_ns; /* when something came */
	int64_t frame_ns;  /* when a frame last ended, or began behind none */
	struct framer framer;
	char *partial; /* the frame that has come in part */
	size_t partial_len, partial_capacity;
	struct str peer;
	char peer_text[ADDRESS_TEXT];
};

struct input {
	struct intake *intake;
	struct ledger_row *row; /* of the listener */
	struct watch *watch;
	int fd;
	bool paused, accept_paused;
	struct connection *connections;
	size_t connection_count;
};

static void connection_close(struct connection *c)
{
	struct input *input = c->input;

	if (c->previous != NULL)
		c->previous->next = c->next;
	else
		input->connections = c->next;
	if (c->next != NULL)
		c->next->previous = c->previous;
	input->connection_count--;
	c->row->connections--;
	watch_remove(c->watch);
	close(c->fd);
	free(c->partial);
	free(c);
}

/* Keeps what is left of a frame. At most the limit and a count, since the framer cuts beyond it. */
static bool keep_partial(struct connection *c, struct str rest)
{
	if (rest.len > c->partial_capacity) {
		size_t capacity = rest.len < 512 ? 512 : rest.len * 2;
		char *grown = malloc(capacity);

		if (grown == NULL)
			return false;
		free(c->partial);
		c->partial = grown;
		c->partial_capacity = capacity;
	}
	if (rest.len > 0)
		memcpy(c->partial, rest.ptr, rest.len);
	c->partial_len = rest.len;
	if (rest.len == 0 && c->partial_capacity > 4096) {
		free(c->partial);
		c->partial = NULL;
		c->partial_capacity = 0;
	}
	return true;
}

/* False: the stream cannot be read on. */
static bool take_frames(struct connection *c, struct str bytes, bool end)
{
	struct intake *intake = c->input->intake;
	struct str frame;
	bool cut;

	for (;;) {
		switch (framer_next(&c->framer, &bytes, end, &frame, &cut)) {
		case FRAMER_EVENT:
			intake_event(
			    intake, c->row, "syslog-tcp", TRANSPORT_TCP, c->peer, frame, cut);
			c->frame_ns = intake->now_ns;
			break;
		case FRAMER_MORE:
			return end || keep_partial(c, bytes);
		case FRAMER_BAD:
			c->row->counts.bad_frames++;
			return false;
		}
	}
}

/* One read behind the partial frame, in the shared scratch memory. False: closed. */
static bool connection_read(struct connection *c, bool *more)
{
	char *scratch = c->input->intake->scratch;
	size_t before = c->partial_len;

	if (before > 0)
		memcpy(scratch, c->partial, before);
	ssize_t n = recv(c->fd, scratch + before, READ_BYTES, MSG_DONTWAIT);

	*more = n == (ssize_t)READ_BYTES;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	c->active_ns = intake_now(c->input->intake);
	if (before == 0)
		c->frame_ns = c->active_ns;
	struct str bytes = {scratch, before + (size_t)(n > 0 ? n : 0)};

	/* The end, or a reset: what came of the last frame is an event still. */
	if (!take_frames(c, bytes, n <= 0) || n <= 0) {
		connection_close(c);
		return false;
	}
	return true;
}

static void connection_ready(void *context, unsigned ready)
{
	struct connection *c = context;
	struct packer *packer = c->input->intake->packer;
	bool more = true;

	(void)ready;
	for (int round = 0; round < ROUNDS && more; round++) {
		if (packer_is_behind(packer) || !connection_read(c, &more))
			return;
	}
}

static void connection_open(struct input *input, int fd, const struct sockaddr *peer)
{
	const struct collector_options *options = input->intake->options;
	struct ledger_row *row = ledger_peer(input->intake->ledger, peer);
	struct connection *c = NULL;

	if (input->connection_count < options->connections_max &&
	    (row->shared || row->connections < options->connections_per_peer))
		c = calloc(1, sizeof(*c));
	if (c == NULL) {
		row->counts.refused_connections++;
		close(fd);
		return;
	}
	*c = (struct connection){.input = input,
	    .row = row,
	    .fd = fd,
	    .active_ns = input->intake->now_ns,
	    .frame_ns = input->intake->now_ns,
	    .framer = framer_begin(options->frame_limit)};
	c->peer = address_format(peer, c->peer_text);
	if (watch_add(&c->watch, input->intake->loop, fd, input->paused ? 0 : WATCH_READ,
		connection_ready, c, NULL) < 0) {
		close(fd);
		free(c);
		return;
	}
	c->next = input->connections;
	if (c->next != NULL)
		c->next->previous = c;
	input->connections = c;
	input->connection_count++;
	row->connections++;
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
			/*
			 * Out of descriptors: without a pause this would be called again at once.
			 */
			input->accept_paused = errno == EMFILE || errno == ENFILE ||
					       errno == ENOMEM || errno == ENOBUFS;
			if (input->accept_paused)
				watch_set(input->watch, 0, NULL);
			return;
		}
		keep_alive(fd);
		connection_open(input, fd, (struct sockaddr *)&peer);
	}
}

static void tcp_close(struct input *input)
{
	if (input == NULL)
		return;
	while (input->connections != NULL)
		connection_close(input->connections);
	watch_remove(input->watch);
	if (input->fd >= 0)
		close(input->fd);
	free(input);
}

static int tcp_open(
    struct input **ret, struct intake *intake, const char *address, struct error *error)
{
	struct input *input = calloc(1, sizeof(*input));

	if (input == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	input->intake = intake;
	input->row = ledger_listener(intake->ledger, "syslog-tcp", address);
	input->fd = address_bind(address, SOCK_STREAM, false, error);
	int code = input->fd < 0 ? input->fd : 0;

	if (code == 0 && input->row == NULL)
		code = error_set(error, ERR_MEMORY, TEXT_base_memory);
	if (code == 0)
		code = watch_add(&input->watch, intake->loop, input->fd, WATCH_READ, listener_ready,
		    input, error);
	if (code < 0) {
		tcp_close(input);
		return code;
	}
	*ret = input;
	return 0;
}

static void tcp_pause(struct input *input, bool paused)
{
	if (input->paused == paused)
		return;
	input->paused = paused;
	for (struct connection *c = input->connections; c != NULL; c = c->next)
		watch_set(c->watch, paused ? 0 : WATCH_READ, NULL);
}

static void connection_end(struct connection *c)
{
	take_frames(c, str_from(c->partial, c->partial_len), true);
	connection_close(c);
}

static void tcp_finish(struct input *input)
{
	struct connection *next;

	for (struct connection *c = input->connections; c != NULL; c = next) {
		bool more = true, open = true;

		next = c->next;
		for (int round = 0; round < ROUNDS && more && open; round++)
			open =
			    !packer_is_behind(input->intake->packer) && connection_read(c, &more);
	}
	while (input->connections != NULL)
		connection_end(input->connections);
}

/*
 * Nothing has come for too long, or a frame does not come to its end (one byte now and then). A
 * clock that was set back begins the wait anew.
 */
static bool connection_is_idle(struct connection *c, int64_t now_ns, int64_t idle_ns)
{
	if (now_ns < c->active_ns || now_ns < c->frame_ns)
		c->active_ns = c->frame_ns = now_ns;
	return idle_ns > 0 && (now_ns - c->active_ns > idle_ns ||
				  (c->partial_len > 0 && now_ns - c->frame_ns > idle_ns));
}

static void tcp_tick(struct input *input)
{
	int64_t idle_ns = input->intake->options->idle_ns;
	int64_t now_ns = input->intake->now_ns;
	struct connection *next;

	if (input->accept_paused && watch_set(input->watch, WATCH_READ, NULL) == 0)
		input->accept_paused = false;
	for (struct connection *c = input->connections; c != NULL && !input->paused; c = next) {
		next = c->next;
		/* Resuming may have failed for want of memory. */
		watch_set(c->watch, WATCH_READ, NULL);
		if (connection_is_idle(c, now_ns, idle_ns))
			connection_end(c);
	}
}

static unsigned tcp_port(const struct input *input)
{
	return address_port(input->fd);
}

const struct input_kind input_syslog_tcp = {
    .name = "syslog-tcp",
    .summary = "syslog over TCP (RFC 6587)",
    .open = tcp_open,
    .close = tcp_close,
    .pause = tcp_pause,
    .finish = tcp_finish,
    .tick = tcp_tick,
    .port = tcp_port,
};
