/*
 * Syslog over a Unix socket, as /dev/log: a datagram is an event. It can wait: when the bus is
 * behind nothing is read, and the kernel makes the senders wait.
 */
#include "collector/input.h"

#include "collector/framer.h"
#include "net/address.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define DATAGRAM_MAX (256u << 10)
#define ROUNDS       64

struct input {
	struct intake *intake;
	struct ledger_row *row;
	struct watch *watch;
	const char *path;
	int fd;
};

static void sender_of(const struct input *input, struct msghdr *head, char out[ADDRESS_TEXT])
{
	struct ucred who = {.pid = 0};

	for (struct cmsghdr *c = CMSG_FIRSTHDR(head); c != NULL; c = CMSG_NXTHDR(head, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS)
			memcpy(&who, CMSG_DATA(c), sizeof(who));
	}
	address_format_local(input->path, (long)who.pid, (long)who.uid, out);
}

/* False: nothing is there. */
static bool take_one(struct input *input)
{
	struct intake *intake = input->intake;
	struct sockaddr_storage from = address_of_this_machine();
	struct iovec vector = {intake->scratch, DATAGRAM_MAX};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred))];
	struct msghdr head = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control,
	    .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(input->fd, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	size_t limit = intake->options->frame_limit;
	char peer[ADDRESS_TEXT];

	if (n < 0)
		return errno == EINTR;
	struct str event = framer_datagram(str_from(intake->scratch, (size_t)n));
	struct ledger_row *row =
	    ledger_peer(intake->ledger, "syslog-unix", (struct sockaddr *)&from);

	row->counts.frames++;
	if (event.len == 0 || !intake_admits(intake, row, event.len))
		return true;
	sender_of(input, &head, peer);
	intake_event(intake, row, "syslog-unix", TRANSPORT_UNIX, str_of(peer),
	    str_slice(event, 0, limit), (head.msg_flags & MSG_TRUNC) != 0 || event.len > limit,
	    NULL);
	return true;
}

static void socket_ready(void *context, unsigned ready)
{
	struct input *input = context;

	(void)ready;
	intake_now(input->intake);
	for (int round = 0; round < ROUNDS && !packer_is_behind(input->intake->packer); round++) {
		if (!take_one(input))
			return;
	}
}

static void unix_close(struct input *input)
{
	if (input == NULL)
		return;
	watch_remove(input->watch);
	if (input->fd >= 0)
		close(input->fd);
	free(input);
}

static int unix_open(
    struct input **ret, struct intake *intake, const char *path, struct error *error)
{
	struct input *input = calloc(1, sizeof(*input));
	int on = 1;

	if (input == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	*input = (struct input){.intake = intake, .path = path};
	input->row = ledger_listener(intake->ledger, "syslog-unix", path);
	input->fd = address_bind_unix(path, SOCK_DGRAM, error);
	int code = input->fd < 0 ? input->fd : 0;

	if (code == 0 && input->row == NULL)
		code = error_set(error, ERR_MEMORY, TEXT_base_memory);
	if (code == 0) {
		setsockopt(input->fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
		code = watch_add(&input->watch, intake->loop, input->fd, WATCH_READ, socket_ready,
		    input, error);
	}
	if (code < 0) {
		unix_close(input);
		return code;
	}
	*ret = input;
	return 0;
}

static void unix_pause(struct input *input, bool paused)
{
	watch_set(input->watch, paused ? 0 : WATCH_READ, NULL);
}

static void unix_finish(struct input *input)
{
	/* Whoever goes on writing does not keep us. */
	for (int i = 0; i < 65536 && take_one(input); i++)
		;
	watch_set(input->watch, 0, NULL);
}

static void unix_tick(struct input *input)
{
	(void)input;
}

static unsigned unix_port(const struct input *input)
{
	(void)input;
	return 0;
}

const struct input_kind input_syslog_unix = {
    .name = "syslog-unix",
    .listen = CONFIG_SYSLOG_UNIX_LISTEN,
    .summary = "syslog over a Unix socket, datagrams",
    .open = unix_open,
    .close = unix_close,
    .pause = unix_pause,
    .finish = unix_finish,
    .tick = unix_tick,
    .port = unix_port,
};
