/*
 * Syslog over UDP. Several sockets share the port (SO_REUSEPORT), so that the kernel spreads
 * senders over their buffers; recvmmsg empties them. What the kernel had to drop is counted and
 * told on the bus as a gap: SO_RXQ_OVFL tells it at once, but only beside a datagram that was
 * received, so SO_MEMINFO is asked now and then for drops at the end of a burst.
 */
#include "collector/input.h"

#include "collector/framer.h"
#include "net/address.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH	     32
#define DATAGRAM_MAX 65536u
#define SOCKETS_MAX  64u
#define ROUNDS	     8u
#define ROUNDS_LAST  8192u

_Static_assert(BATCH *DATAGRAM_MAX <= INTAKE_SCRATCH, "a batch fits the scratch memory");

struct udp_socket {
	struct input *input;
	struct watch *watch;
	int fd;
	uint32_t drops; /* as the kernel counts: since the socket was made, modulo 2^32 */
};

struct input {
	struct intake *intake;
	struct ledger_row *row;
	struct udp_socket sockets[SOCKETS_MAX];
	unsigned socket_count;
	bool paused;
	uint64_t drops_new; /* not yet told in a gap */
	int64_t drops_from_ns;
};

static void count_drops(struct udp_socket *sock, uint32_t drops)
{
	struct input *input = sock->input;
	uint32_t more = drops - sock->drops;

	/* A datagram that waited in the buffer tells an older count than SO_MEMINFO did. */
	if (more == 0 || more > INT32_MAX)
		return;
	if (input->drops_new == 0)
		input->drops_from_ns = input->intake->now_ns;
	input->drops_new += more;
	input->row->counts.kernel_drops += more;
	sock->drops = drops;
}

static void read_drops(struct udp_socket *sock, struct msghdr *head)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(head); c != NULL; c = CMSG_NXTHDR(head, c)) {
		uint32_t drops;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_RXQ_OVFL)
			continue;
		memcpy(&drops, CMSG_DATA(c), sizeof(drops));
		count_drops(sock, drops);
	}
}

static void ask_drops(struct udp_socket *sock)
{
	uint32_t memory[SK_MEMINFO_VARS];
	socklen_t len = sizeof(memory);

	if (getsockopt(sock->fd, SOL_SOCKET, SO_MEMINFO, memory, &len) == 0 &&
	    len > SK_MEMINFO_DROPS * sizeof(*memory))
		count_drops(sock, memory[SK_MEMINFO_DROPS]);
}

static void take_datagram(
    struct input *input, const struct sockaddr *from, struct str bytes, bool cut)
{
	struct intake *intake = input->intake;
	struct ledger_row *row = ledger_peer(intake->ledger, "syslog-udp", from);
	char peer[ADDRESS_TEXT];
	struct str event = framer_datagram(bytes);

	row->counts.frames++;
	if (event.len == 0)
		return;
	size_t limit = intake->options->frame_limit;

	intake_event(intake, row, "syslog-udp", TRANSPORT_UDP, address_format(from, peer),
	    str_slice(event, 0, limit), cut || event.len > limit, NULL);
}

struct batch {
	struct mmsghdr messages[BATCH];
	struct iovec vectors[BATCH];
	struct sockaddr_storage peers[BATCH];
	char controls[BATCH][CMSG_SPACE(sizeof(uint32_t))];
};

static void batch_begin(struct batch *batch, char *memory)
{
	for (unsigned i = 0; i < BATCH; i++) {
		batch->vectors[i] = (struct iovec){memory + i * DATAGRAM_MAX, DATAGRAM_MAX};
		batch->messages[i].msg_hdr = (struct msghdr){.msg_name = &batch->peers[i],
		    .msg_namelen = sizeof(batch->peers[i]),
		    .msg_iov = &batch->vectors[i],
		    .msg_iovlen = 1,
		    .msg_control = batch->controls[i],
		    .msg_controllen = sizeof(batch->controls[i])};
	}
}

/* At most so many batches, so that one flooded socket does not keep the others waiting. */
static void socket_read(struct udp_socket *sock, unsigned rounds)
{
	struct batch batch;

	for (unsigned round = 0; round < rounds; round++) {
		intake_now(sock->input->intake);
		batch_begin(&batch, sock->input->intake->scratch);
		int count = recvmmsg(sock->fd, batch.messages, BATCH, MSG_DONTWAIT, NULL);

		for (int i = 0; i < count; i++) {
			struct msghdr *head = &batch.messages[i].msg_hdr;

			read_drops(sock, head);
			take_datagram(sock->input, head->msg_name,
			    str_from(batch.vectors[i].iov_base, batch.messages[i].msg_len),
			    (head->msg_flags & MSG_TRUNC) != 0);
		}
		if (count < BATCH)
			return;
		if (rounds == ROUNDS && packer_is_behind(sock->input->intake->packer))
			return;
	}
}

static void socket_ready(void *context, unsigned ready)
{
	(void)ready;
	socket_read(context, ROUNDS);
}

static int socket_open(struct input *input, const char *address, bool shared, struct error *error)
{
	struct udp_socket *sock = &input->sockets[input->socket_count];
	int one = 1;
	int fd = address_bind(address, SOCK_DGRAM, shared, error);

	if (fd < 0)
		return fd;
	int size = (int)input->intake->options->udp_receive_buffer;

	/* FORCE needs CAP_NET_ADMIN; without it the system's limit (rmem_max) holds. */
	if (size > 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &one, sizeof(one));
	*sock = (struct udp_socket){.input = input, .fd = fd};
	int code =
	    watch_add(&sock->watch, input->intake->loop, fd, WATCH_READ, socket_ready, sock, error);

	if (code < 0) {
		close(fd);
		return code;
	}
	input->socket_count++;
	return 0;
}

static void sockets_close(struct input *input)
{
	for (unsigned i = 0; i < input->socket_count; i++) {
		watch_remove(input->sockets[i].watch);
		close(input->sockets[i].fd);
	}
	input->socket_count = 0;
}

static void udp_close(struct input *input)
{
	if (input == NULL)
		return;
	sockets_close(input);
	free(input);
}

static unsigned udp_port(const struct input *input)
{
	return address_port(input->sockets[0].fd);
}

/*
 * A shared port can be shared with another program of ours by mistake, and each would get a part of
 * the events. A socket that does not share finds out whether it is free.
 */
static int try_alone(const char *address, struct error *error)
{
	int fd = address_bind(address, SOCK_DGRAM, false, error);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* The further sockets stand on the port that the first one got, which matters for port 0. */
static int udp_open(
    struct input **ret, struct intake *intake, const char *address, struct error *error)
{
	struct input *input = calloc(1, sizeof(*input));
	unsigned want = intake->options->udp_sockets;
	char again[256];

	if (input == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	input->intake = intake;
	input->row = ledger_listener(intake->ledger, "syslog-udp", address);
	int code = input->row == NULL ? error_set(error, ERR_MEMORY, TEXT_base_memory)
				      : try_alone(address, error);

	if (code == 0)
		code = socket_open(input, address, want > 1, error);

	if (code == 0)
		snprintf(again, sizeof(again), "%.*s:%u", (int)str_find_last(str_of(address), ':'),
		    address, udp_port(input));
	while (code == 0 && input->socket_count < want && input->socket_count < SOCKETS_MAX)
		code = socket_open(input, again, true, error);
	if (code < 0) {
		udp_close(input);
		return code;
	}
	*ret = input;
	return 0;
}

static void sockets_watch(struct input *input)
{
	for (unsigned i = 0; i < input->socket_count; i++)
		watch_set(input->sockets[i].watch, input->paused ? 0 : WATCH_READ, NULL);
}

/*
 * UDP senders cannot wait, but the kernel's buffer can: what is left there while the queue is full
 * is not lost, and what finds no place there is counted by the kernel. One flood alone is refused
 * by the packer before that.
 */
static void udp_pause(struct input *input, bool paused)
{
	input->paused = paused;
	sockets_watch(input);
}

static void udp_tick(struct input *input)
{
	struct intake *intake = input->intake;

	for (unsigned i = 0; i < input->socket_count; i++)
		ask_drops(&input->sockets[i]);
	/* To watch again may have failed for want of memory. */
	sockets_watch(input);
	if (input->drops_new == 0 || packer_is_behind(intake->packer))
		return;
	struct frame_gap gap = {.reason = GAP_KERNEL_DROP,
	    .count = input->drops_new,
	    .from = (uint64_t)input->drops_from_ns,
	    .to = (uint64_t)intake->now_ns,
	    .source = input->row->counts.sender};

	if (packer_gap(intake->packer, input->row->partition, &gap, intake->now_ns))
		input->drops_new = 0;
}

static void udp_finish(struct input *input)
{
	/* All that lies there by now, and an end, should somebody send on. */
	for (unsigned i = 0; i < input->socket_count; i++)
		socket_read(&input->sockets[i], ROUNDS_LAST);
	udp_tick(input);
	sockets_close(input);
}

const struct input_kind input_syslog_udp = {
    .name = "syslog-udp",
    .listen = CONFIG_SYSLOG_UDP_LISTEN,
    .summary = "syslog over UDP (RFC 5426)",
    .open = udp_open,
    .close = udp_close,
    .pause = udp_pause,
    .finish = udp_finish,
    .tick = udp_tick,
    .port = udp_port,
};
