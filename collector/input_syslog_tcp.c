/*
 * Syslog over TCP. A connection owns memory only for a frame that has come in part; whole frames are
 * taken straight out of the read buffer that all connections share. When the bus is behind nothing is
 * read, and TCP makes the senders wait.
 */
#include "collector/input.h"

#include "collector/framer.h"
#include "net/address.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES  (256u << 10)
#define ROUNDS      4
#define ACCEPTS     64

struct connection {
	struct connection *next, *previous;
	struct input *input;
	struct watch *watch;
	struct ledger_row *row;
	int fd;
	int64_t active_ns;
	struct framer framer;
	char *partial;         /* the frame that has come in part */
	size_t partial_len, partial_capacity;
	char peer[ADDRESS_TEXT];
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
			intake_event(intake, c->row, "syslog-tcp", TRANSPORT_TCP, str_of(c->peer), frame,
			    cut);
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
	    row->connections < options->connections_per_peer)
		c = calloc(1, sizeof(*c));
	if (c == NULL) {
		row->counts.refused_connections++;
		close(fd);
		return;
	}
	*c = (struct connection){.input = input, .row = row, .fd = fd,
	    .active_ns = input->intake->now_ns, .framer = framer_begin(options->frame_limit)};
	address_format(peer, c->peer);
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

static void listener_ready(void *context, unsigned ready)
{
	struct input *input = context;

	(void)ready;
	for (int i = 0; i < ACCEPTS; i++) {
		struct sockaddr_storage peer;
		socklen_t len = sizeof(peer);
		int one = 1;
		int fd = accept4(input->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			/* Out of descriptors: without a pause this would be called again at once. */
			input->accept_paused = errno == EMFILE || errno == ENFILE || errno == ENOMEM;
			if (input->accept_paused)
				watch_set(input->watch, 0, NULL);
			return;
		}
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
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

static int tcp_open(struct input **ret, struct intake *intake, const char *address,
    struct error *error)
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
		code = watch_add(&input->watch, intake->loop, input->fd, WATCH_READ, listener_ready, input,
		    error);
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

static void tcp_tick(struct input *input)
{
	int64_t idle_ns = input->intake->options->idle_ns;
	int64_t now_ns = input->intake->now_ns;
	struct connection *next;

	if (input->accept_paused && watch_set(input->watch, WATCH_READ, NULL) == 0)
		input->accept_paused = false;
	for (struct connection *c = input->connections; c != NULL && !input->paused; c = next) {
		next = c->next;
		if (idle_ns > 0 && now_ns - c->active_ns > idle_ns) {
			take_frames(c, str_from(c->partial, c->partial_len), true);
			connection_close(c);
		}
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
    .tick = tcp_tick,
    .port = tcp_port,
};
