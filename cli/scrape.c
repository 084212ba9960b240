#include "cli/scrape.h"

#include "cli/gather.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "collector/http_head.h"
#include "net/address.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_BYTES 8192u
#define REQUEST_NS    (2 * NS_PER_S)
#define ANSWER_BYTES  ((size_t)16 << 20)

bool scrape_gather(struct context *context, struct buf *out)
{
	struct gathered found[GATHER_MAX];
	struct str texts[GATHER_MAX];
	size_t count, answered = 0;

	if (gather(context, STR("metrics"), found, &count, NULL) < 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!found[i].failed)
			texts[answered++] = found[i].answer;
	}
	metrics_join(out, texts, answered, text_language());
	return answered > 0 && !out->failed;
}

/* Waits until fd can be read or written; false: not by then. */
static bool wait_ready(int fd, short events, int64_t end_ns)
{
	int64_t left_ns = end_ns - clock_monotonic_ns();
	struct pollfd wanted = {.fd = fd, .events = events};

	return left_ns > 0 && poll(&wanted, 1, (int)(left_ns / NS_PER_MS) + 1) == 1;
}

/* The status to answer; 0: none, it came too slowly or has gone. */
static unsigned request_read(int fd, struct buf *bytes, bool *body)
{
	int64_t end_ns = clock_monotonic_ns() + REQUEST_NS;
	struct http_head head;
	unsigned status = HTTP_HEAD_MORE;
	size_t used;

	while (status == HTTP_HEAD_MORE) {
		char *at = wait_ready(fd, POLLIN, end_ns) ? buf_room(bytes, 1024) : NULL;
		ssize_t n = at == NULL ? 0 : recv(fd, at, 1024, 0);

		if (n <= 0)
			return 0;
		bytes->len += (size_t)n;
		status = http_head_read(buf_str(bytes), &head, &used);
	}
	*body = true;
	if (status != HTTP_HEAD_WHOLE)
		return status;
	*body = !str_eq(head.method, STR("HEAD"));
	if (!str_eq(head.path, STR("/metrics")))
		return 404;
	return str_eq(head.method, STR("GET")) || !*body ? 200 : 405;
}

static void send_all(int fd, struct str bytes)
{
	int64_t end_ns = clock_monotonic_ns() + REQUEST_NS;

	while (bytes.len > 0 && wait_ready(fd, POLLOUT, end_ns)) {
		ssize_t n = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return;
		bytes = str_slice(bytes, n < 0 ? 0 : (size_t)n, bytes.len);
	}
}

static void serve_one(struct context *context, int fd)
{
	struct buf request = BUF(REQUEST_BYTES), text = BUF(ANSWER_BYTES), out = BUF(1024);
	bool body = false;
	unsigned status = request_read(fd, &request, &body);

	if (status == 200 && !scrape_gather(context, &text))
		status = 503;
	struct str content = status == 200 ? buf_str(&text) : STR_NONE;

	buf_printf(&out, "HTTP/1.1 %u %s\r\nContent-Type: text/plain; version=0.0.4\r\n", status,
	    status == 200 ? "OK" : "Refused");
	buf_printf(&out, "Content-Length: %zu\r\nConnection: close\r\n\r\n", content.len);
	if (status != 0) {
		send_all(fd, buf_str(&out));
		if (body)
			send_all(fd, content);
	}
	buf_free(&request);
	buf_free(&text);
	buf_free(&out);
	arena_reset(context->arena);
}

/* Blocked by whoever started this, and kept so for SIGHUP: there is nothing to read again. */
static void let_end(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int scrape_serve(struct context *context, const char *address, struct error *error)
{
	int fd = address_bind(address, SOCK_STREAM, false, error);

	if (fd < 0)
		return fd;
	let_end();
	for (;;) {
		struct pollfd wanted = {.fd = fd, .events = POLLIN};

		poll(&wanted, 1, -1);
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (client >= 0) {
			serve_one(context, client);
			close(client);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
			poll(NULL, 0, 100);
		}
	}
}
