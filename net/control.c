#include "net/control.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define REQUEST_MAX 4096u
#define ANSWER_MAX  (16u << 20)
#define CLIENTS_MAX 32u

struct client {
	struct control *control;
	struct watch *watch;
	int fd;
	char request[REQUEST_MAX];
	size_t request_len;
	struct buf answer;
	size_t sent;
	bool answering;
	struct client *next;
};

struct control {
	struct loop *loop;
	struct watch *watch;
	int fd;
	int spare; /* given up for a moment when there are no descriptors, so as to turn clients
		      away */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	control_answer *answer;
	void *context;
	struct client *clients;
	size_t client_count;
};

static int control_address(const char *path, struct sockaddr_un *ret, struct error *error)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(ret->sun_path))
		return error_set(
		    error, ERR_DOCUMENT, TEXT_net_path_long, path, sizeof(ret->sun_path) - 1);
	memcpy(ret->sun_path, path, strlen(path) + 1);
	return 0;
}

static void client_close(struct client *client)
{
	struct client **at = &client->control->clients;

	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	client->control->client_count--;
	watch_remove(client->watch);
	close(client->fd);
	buf_free(&client->answer);
	free(client);
}

static void client_answer(struct client *client, struct str request)
{
	struct error error = {0};
	char text[1200];

	client->answering = true;
	client->answer = BUF(ANSWER_MAX);
	int code =
	    client->control->answer(client->control->context, request, &client->answer, &error);

	if (code < 0 || client->answer.failed) {
		buf_clear(&client->answer);
		if (code >= 0)
			error_set(&error, ERR_MEMORY, TEXT_base_memory);
		buf_printf(
		    &client->answer, "error: %s\n", error_format(&error, text, sizeof(text)));
	}
}

static void client_send(struct client *client)
{
	while (client->sent < client->answer.len) {
		ssize_t n = send(client->fd, client->answer.ptr + client->sent,
		    client->answer.len - client->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			watch_set(client->watch, WATCH_WRITE, NULL);
			return;
		}
		if (n <= 0)
			break;
		client->sent += (size_t)n;
	}
	client_close(client);
}

static void client_receive(struct client *client)
{
	ssize_t n = recv(client->fd, client->request + client->request_len,
	    REQUEST_MAX - client->request_len, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_close(client);
		return;
	}
	client->request_len += (size_t)n;
	struct str request = {client->request, client->request_len};
	size_t end = str_find_char(request, '\n');

	if (end != STR_NOT_FOUND) {
		client_answer(client, str_trim(str_slice(request, 0, end)));
		client_send(client);
	} else if (client->request_len == REQUEST_MAX) {
		client_close(client);
	}
}

static void client_ready(void *context, unsigned ready)
{
	struct client *client = context;

	if (client->answering)
		client_send(client);
	else if (ready & (WATCH_READ | WATCH_HANGUP))
		client_receive(client);
}

/* Out of descriptors, a client that stays in the backlog would wake the loop again and again. */
static void turn_away(struct control *control)
{
	close(control->spare);
	int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0)
		close(fd);
	control->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void drop_oldest(struct control *control)
{
	struct client *client = control->clients;

	while (client->next != NULL)
		client = client->next;
	client_close(client);
}

static void control_accept(void *context, unsigned ready)
{
	struct control *control = context;
	int fd = accept4(control->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)ready;
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE)
			turn_away(control);
		return;
	}
	if (control->client_count >= CLIENTS_MAX)
		drop_oldest(control);
	struct client *client = calloc(1, sizeof(*client));

	if (client == NULL) {
		close(fd);
		return;
	}
	client->control = control;
	client->fd = fd;
	if (watch_add(&client->watch, control->loop, fd, WATCH_READ, client_ready, client, NULL) <
	    0) {
		close(fd);
		free(client);
		return;
	}
	client->next = control->clients;
	control->clients = client;
	control->client_count++;
}

/*
 * A socket that nobody listens on was left by a process that was killed; nothing else is removed.
 */
static int remove_stale(struct control *control, const struct sockaddr_un *at, struct error *error)
{
	struct stat status;

	if (lstat(control->path, &status) != 0)
		return errno == ENOENT ? 0
				       : error_system(error, errno, TEXT_net_bind, control->path);
	if (!S_ISSOCK(status.st_mode))
		return error_system(error, EEXIST, TEXT_net_bind, control->path);
	if (connect(control->fd, (const struct sockaddr *)at, sizeof(*at)) == 0 || errno == EAGAIN)
		return error_set(error, ERR_USAGE, TEXT_net_control_taken, control->path);
	if (errno != ECONNREFUSED || (unlink(control->path) != 0 && errno != ENOENT))
		return error_system(error, errno, TEXT_net_bind, control->path);
	return 0;
}

static int control_bind(struct control *control, const char *path, struct error *error)
{
	struct sockaddr_un at;
	int code = control_address(path, &at, error);

	if (code < 0)
		return code;
	memcpy(control->path, at.sun_path, sizeof(control->path));
	control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (control->fd < 0)
		return error_system(error, errno, TEXT_net_bind, control->path);
	code = remove_stale(control, &at, error);
	if (code < 0)
		return code;
	close(control->fd);
	control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* The mode of the socket is that of its name from the first moment. */
	if (control->fd < 0 || fchmod(control->fd, 0660) != 0 ||
	    bind(control->fd, (struct sockaddr *)&at, sizeof(at)) != 0 ||
	    chmod(control->path, 0660) != 0 || listen(control->fd, (int)CLIENTS_MAX) != 0)
		return error_system(error, errno, TEXT_net_bind, control->path);
	return 0;
}

int control_open(struct control **ret, struct loop *loop, const char *path, control_answer *answer,
    void *context, struct error *error)
{
	struct control *control = calloc(1, sizeof(*control));

	if (control == NULL)
		return error_set(error, ERR_MEMORY, TEXT_base_memory);
	*control = (struct control){.loop = loop,
	    .fd = -1,
	    .answer = answer,
	    .context = context,
	    .spare = open("/dev/null", O_RDONLY | O_CLOEXEC)};
	int code = control->spare >= 0 ? control_bind(control, path, error)
				       : error_system(error, errno, TEXT_net_bind, path);

	if (code == 0)
		code = watch_add(
		    &control->watch, loop, control->fd, WATCH_READ, control_accept, control, error);
	if (code < 0) {
		if (control->fd >= 0)
			close(control->fd);
		if (control->spare >= 0)
			close(control->spare);
		free(control);
		return code;
	}
	*ret = control;
	return 0;
}

void control_close(struct control *control)
{
	if (control == NULL)
		return;
	while (control->clients != NULL)
		client_close(control->clients);
	watch_remove(control->watch);
	close(control->fd);
	if (control->spare >= 0)
		close(control->spare);
	unlink(control->path);
	free(control);
}

/* The whole answer must come by end_ns, so that a server which dribbles holds nobody either. */
static int ask_receive(int fd, int64_t end_ns, struct buf *out)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	for (;;) {
		int64_t left_ns = end_ns - clock_monotonic_ns();
		int ready = poll(&wait, 1, left_ns <= 0 ? 0 : (int)(left_ns / NS_PER_MS) + 1);

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return ready == 0 ? ETIMEDOUT : errno;
		char *at = buf_extend(out, 4096);

		if (at == NULL)
			return ENOMEM;
		ssize_t n = recv(fd, at, 4096, 0);

		out->len -= 4096 - (size_t)(n > 0 ? n : 0);
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return errno;
	}
}

int control_ask(
    const char *path, struct str request, int64_t timeout_ns, struct buf *out, struct error *error)
{
	struct sockaddr_un at;
	int code = control_address(path, &at, error);

	if (code < 0)
		return code;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return error_system(error, errno, TEXT_net_connect, path);
	/* A Unix socket honours it in connect() too, where a full backlog would block for ever. */
	struct timeval limit = {timeout_ns / NS_PER_S, (timeout_ns % NS_PER_S) / NS_PER_US + 1};
	int64_t end_ns = clock_monotonic_ns() + timeout_ns;
	int system = 0;

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0)
		system = errno == ECONNREFUSED ? ENOENT : errno;
	else if (send(fd, request.ptr, request.len, MSG_NOSIGNAL) != (ssize_t)request.len ||
		 send(fd, "\n", 1, MSG_NOSIGNAL) != 1)
		system = errno;
	else
		system = ask_receive(fd, end_ns, out);
	close(fd);
	if (system == EAGAIN)
		system = ETIMEDOUT;
	return system == 0 ? 0 : error_system(error, system, TEXT_net_connect, path);
}
