/*
 * GELF over UDP: documents whole or in chunks, packed or plain, handed on verbatim when they are
 * whole and unpacked. The protocol has no answer; its events are datagrams to the packer
 * (TRANSPORT_UDP): what there is no room for is refused and counted.
 */
#include "collector/gelf.h"
#include "collector/input.h"

#include "net/address.h"

#include <stdlib.h>
#include <unistd.h>

#define ROUND	     256 /* datagrams a call, so that other inputs have their turn */
#define DATAGRAM_MAX 65536u

struct input {
	struct intake *intake;
	struct ledger_row *row; /* of the listener */
	struct watch *watch;
	struct gelf_chunks *chunks;
	struct buf whole, document;
	int fd;
	uint32_t drops; /* as the kernel counts */
	uint64_t drops_new;
	int64_t drops_from_ns;
};

static void count_drops(struct input *input, struct msghdr *head)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(head); c != NULL; c = CMSG_NXTHDR(head, c)) {
		uint32_t drops;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_RXQ_OVFL)
			continue;
		memcpy(&drops, CMSG_DATA(c), sizeof(drops));
		if (input->drops_new == 0)
			input->drops_from_ns = input->intake->now_ns;
		input->drops_new += drops - input->drops;
		input->row->counts.kernel_drops += drops - input->drops;
		input->drops = drops;
	}
}

static void take(struct input *input, const struct sockaddr *from, struct str datagram)
{
	struct intake *intake = input->intake;
	struct ledger_row *row = ledger_peer(intake->ledger, "gelf-udp", from);
	size_t limit = intake->options->frame_limit;
	char text[ADDRESS_TEXT];
	struct str peer = address_format(from, text), payload = datagram, document = datagram;

	row->counts.frames++;
	/* Who may not send costs no memory; what he sends is counted as refused. */
	if (!row->barred) {
		switch (gelf_chunks_take(input->chunks, row, address_host(peer), datagram,
		    intake->now_ns, &input->whole, &payload)) {
		case GELF_WHOLE:
			break;
		case GELF_PART:
			return;
		case GELF_BAD:
			row->counts.bad_frames++;
			return;
		}
		if (!gelf_unpack(payload, &input->document, &document)) {
			row->counts.bad_frames++;
			return;
		}
	}
	intake_event(intake, row, "gelf-udp", TRANSPORT_UDP, peer, str_slice(document, 0, limit),
	    document.len > limit, NULL);
}

static void gelf_ready(void *context, unsigned ready)
{
	struct input *input = context;
	struct sockaddr_storage from;
	char control[CMSG_SPACE(sizeof(uint32_t))];

	(void)ready;
	intake_now(input->intake);
	for (int i = 0; i < ROUND; i++) {
		struct iovec vector = {input->intake->scratch, DATAGRAM_MAX};
		struct msghdr head = {.msg_name = &from, .msg_namelen = sizeof(from),
		    .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control,
		    .msg_controllen = sizeof(control)};
		ssize_t n = recvmsg(input->fd, &head, MSG_DONTWAIT);

		if (n < 0)
			return;
		count_drops(input, &head);
		take(input, (struct sockaddr *)&from, str_from(vector.iov_base, (size_t)n));
	}
}

static void gelf_close(struct input *input)
{
	if (input == NULL)
		return;
	watch_remove(input->watch);
	if (input->fd >= 0)
		close(input->fd);
	gelf_chunks_free(input->chunks);
	buf_free(&input->whole);
	buf_free(&input->document);
	free(input);
}

static int socket_open(struct input *input, const char *address, struct error *error)
{
	int one = 1, size = (int)input->intake->options->udp_receive_buffer;

	input->fd = address_bind(address, SOCK_DGRAM, false, error);
	if (input->fd < 0)
		return input->fd;
	if (size > 0 &&
	    setsockopt(input->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0)
		setsockopt(input->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(input->fd, SOL_SOCKET, SO_RXQ_OVFL, &one, sizeof(one));
	return watch_add(
	    &input->watch, input->intake->loop, input->fd, WATCH_READ, gelf_ready, input, error);
}

static int gelf_open(
    struct input **ret, struct intake *intake, const char *address, struct error *error)
{
	struct input *input = calloc(1, sizeof(*input));

	if (input == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	*input = (struct input){.intake = intake, .fd = -1,
	    .whole = BUF(GELF_CHUNKS_MAX * DATAGRAM_MAX),
	    .document = BUF((size_t)config_number(intake->config, CONFIG_GELF_INFLATED)),
	    .row = ledger_listener(intake->ledger, "gelf-udp", address),
	    .chunks = gelf_chunks_new((size_t)config_number(intake->config, CONFIG_GELF_MEMORY))};
	int code = input->row == NULL || input->chunks == NULL
	    ? error_set(error, ERR_MEMORY, TEXT_base_memory)
	    : socket_open(input, address, error);

	if (code < 0) {
		gelf_close(input);
		return code;
	}
	*ret = input;
	return 0;
}

/* Datagrams cannot wait. */
static void gelf_pause(struct input *input, bool paused)
{
	(void)input;
	(void)paused;
}

static void gelf_tick(struct input *input)
{
	struct intake *intake = input->intake;
	struct frame_gap gap = {.reason = GAP_KERNEL_DROP,
	    .count = input->drops_new,
	    .from = (uint64_t)input->drops_from_ns,
	    .to = (uint64_t)intake->now_ns,
	    .source = input->row->counts.sender};

	gelf_chunks_tick(input->chunks, intake->now_ns);
	if (input->drops_new > 0 && !packer_is_behind(intake->packer) &&
	    packer_gap(intake->packer, input->row->partition, &gap, intake->now_ns))
		input->drops_new = 0;
}

static void gelf_finish(struct input *input)
{
	gelf_ready(input, WATCH_READ);
	gelf_tick(input);
	watch_remove(input->watch);
	input->watch = NULL;
}

static unsigned gelf_port(const struct input *input)
{
	return address_port(input->fd);
}

const struct input_kind input_gelf_udp = {
    .name = "gelf-udp",
    .summary = "GELF over UDP, chunked and packed",
    .listen = CONFIG_GELF_UDP_LISTEN,
    .open = gelf_open,
    .close = gelf_close,
    .pause = gelf_pause,
    .finish = gelf_finish,
    .tick = gelf_tick,
    .port = gelf_port,
};
