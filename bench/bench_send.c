/* bench: net
 *
 * Senders for bench/senders.py: numbered events over many connections, as fast as the other end
 * lets them (tcp, tls, hec, bulk), or datagrams at a rate from many addresses (udp).
 *
 *     bench_send KIND PORT [name=value...]
 *
 * connections  how many (udp: source addresses 127.1.x.y)     events  in all
 * burst        events in one write, or in one body            bytes   of an event
 * rate         udp: datagrams a second                        octet   1: counted frames (RFC 6587)
 * hosts        1: each connection from an address of its own
 *
 * When all connections stand it prints "ready" and waits for a line on standard input; at the end
 * it prints one JSON object. Each event carries its number as "#0000000042#", for bench_count.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/str.h"

#define EVENT_MAX   4096u
#define NUMBER_LEN  10u
#define TEMPLATES   1024u /* more than a compressor looks back */
#define READY_MAX   512
#define UDP_BATCH   32u
#define PACE_NS     INT64_C(500000)
#define LAST_MS     30000
#define BACK_OFF_NS 2000000 /* of all, for one that was told to come again */

enum kind { KIND_TCP, KIND_TLS, KIND_UDP, KIND_HEC, KIND_BULK, KIND_COUNT };

static const char *const kind_names[KIND_COUNT] = {"tcp", "tls", "udp", "hec", "bulk"};

struct options {
	enum kind kind;
	unsigned port;
	uint64_t connections, events, burst, bytes, rate, octet, hosts;
};

/* One event with a place for its number. */
struct template {
	char bytes[EVENT_MAX];
	size_t len, number; /* where the digits stand */
};

struct link {
	int fd;
	SSL *ssl;
	uint64_t left;     /* events that it has yet to make */
	char *bytes;       /* what it has made and not sent */
	size_t len, at;
	size_t wants;      /* http: bytes of the answer's body that are yet to come */
	char head[1024];   /* http: of the answer */
	size_t head_len;
	bool waits;        /* http: for its answer */
	bool again;        /* http: it was told to come again with what it had */
	uint64_t first, count; /* of the events of its last burst */
};

struct bench {
	struct options options;
	struct template *templates; /* in turn */
	struct link *links;
	SSL_CTX *tls;
	char *made;        /* the shared buffer in which a burst is made */
	size_t made_max;
	int epoll;
	uint64_t next;     /* number of the next event */
	uint64_t sent, refused, open, broken;
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "bench_send: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- events ---- */

/* Drawn again the same in every run. */
static unsigned draw(unsigned below)
{
	static uint64_t state = 42;

	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(state >> 33) % below;
}

static const char *draw_word(void)
{
	static const char *const words[] = {"session", "refused", "policy", "province", "handbook",
	    "duty", "room", "account", "unknown", "address", "district", "coast", "attempt",
	    "officer", "decide", "closed", "xã", "huyện", "hồ sơ", "công dân", "thông báo",
	    "máy chủ", "đăng nhập", "thất bại", "tài khoản", "phiên", "truy cập", "cảnh báo",
	    "ssh2",
	    "publickey", "invalid", "port", "user", "from", "root", "backup", "gateway", "vlan",
	    "timeout", "retry"};

	return words[draw(sizeof(words) / sizeof(words[0]))];
}

static const char *draw_place(void)
{
	static const char *const places[] = {
	    "hue", "daklak", "camau", "sonla", "angiang", "quangtri", "laocai", "nghean"};

	return places[draw(8)];
}

/* RFC 5424 with the time of now: a broker refuses records from the future, and from long ago. */
static size_t syslog_head(char *out, size_t room)
{
	char stamp[64];
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	return (size_t)snprintf(out, room,
	    "<38>1 %s.%06uZ web-%02u.%s.example.vn sshd %u ID47 [origin@32473 "
	    "ip=\"192.0.2.%u\" software=\"sshd\"] ", stamp, draw(1000000), draw(40),
	    draw_place(), 800 + draw(30000),
	    draw(250));
}

/* HEC: the whole envelope is the event; _bulk: the document, in the second line. */
static size_t json_head(char *out, size_t room, enum kind kind)
{
	if (kind == KIND_HEC)
		return (size_t)snprintf(out, room, "{\"time\":%lld.%03u,\"host\":\"web-%02u.%s."
		    "example.vn\",\"source\":\"sshd\",\"sourcetype\":\"syslog\",\"event\":\"",
		    (long long)time(NULL), draw(1000), draw(40), draw_place());
	return (size_t)snprintf(out, room, "{\"create\":{\"_index\":\"logs-sshd\"}}\n"
	    "{\"@timestamp\":\"2026-11-22T08:00:%02u.%03uZ\",\"host\":{\"name\":\"web-%02u.%s."
	    "example.vn\"},\"process\":{\"name\":\"sshd\",\"pid\":%u},\"message\":\"",
	    draw(60), draw(1000), draw(40), draw_place(), 800 + draw(30000));
}

/* Words behind the number, until the event is as long as it is to be; what has begun is cut. */
static size_t fill(char *out, size_t len, size_t end)
{
	len += (size_t)sprintf(out + len, "#0000000000# Failed password for %s from 203.0.113.%u "
	    "port %u; ", draw_place(), draw(250), 1024 + draw(60000));
	while (len < end)
		len += (size_t)sprintf(out + len, "%s%s", draw_word(), draw(7) == 0 ? ", " : " ");
	/* Not in the middle of a letter. */
	while (((unsigned char)out[end] & 0xc0) == 0x80)
		out[end--] = ' ';
	return end;
}

static void template_make(struct template *template, const struct options *o)
{
	char *out = template->bytes;
	bool json = o->kind == KIND_HEC || o->kind == KIND_BULK;
	size_t len = json ? json_head(out, EVENT_MAX, o->kind) : syslog_head(out, EVENT_MAX);
	size_t action = o->kind == KIND_BULK ? (size_t)(strchr(out, '\n') + 1 - out) : 0;

	template->number = len + 1;
	len = fill(out, len, o->bytes + action - (json ? 2 : 0));
	if (json) {
		out[len++] = '"';
		out[len++] = '}';
	}
	template->len = len;
}

/* The next event, with its number, where it is wanted. */
static size_t event_put(struct bench *bench, char *out)
{
	const struct template *template = &bench->templates[bench->next % TEMPLATES];
	uint64_t number = bench->next++;

	memcpy(out, template->bytes, template->len);
	for (size_t i = NUMBER_LEN; i > 0; i--, number /= 10)
		out[template->number + i - 1] = (char)('0' + number % 10);
	return template->len;
}

/* So many events as one write, or one body, in bench->made; its length. */
static size_t burst_make(struct bench *bench, uint64_t count)
{
	const struct options *o = &bench->options;
	bool lines = o->kind != KIND_TCP && o->kind != KIND_TLS;
	char *out = bench->made;

	for (uint64_t i = 0; i < count; i++) {
		if (!lines && o->octet != 0)
			out += sprintf(out, "%zu ", bench->templates[bench->next % TEMPLATES].len);
		out += event_put(bench, out);
		if (lines || o->octet == 0)
			*out++ = '\n';
	}
	return (size_t)(out - bench->made);
}

/* ---- connections ---- */

static struct sockaddr_in address(uint32_t host, unsigned port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(host),
	    .sin_port = htons((uint16_t)port)};
}

static uint32_t host_of(const struct options *o, uint64_t index)
{
	return o->hosts == 0 && o->kind != KIND_UDP ? INADDR_LOOPBACK
	    : 0x7f010000u + (uint32_t)(index / 250 << 8) + (uint32_t)(index % 250) + 1;
}

/* Blocking, for all of them stand before the first event. */
static int dial(const struct options *o, uint64_t index)
{
	struct sockaddr_in from = address(host_of(o, index), 0);
	struct sockaddr_in to = address(INADDR_LOOPBACK, o->port);
	int type = o->kind == KIND_UDP ? SOCK_DGRAM : SOCK_STREAM, on = 1;
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0)
		die("bind");
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		die("connect");
	return fd;
}

static void nonblocking(int fd)
{
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0)
		die("fcntl");
}

static SSL *secure(struct bench *bench, int fd)
{
	SSL *ssl = SSL_new(bench->tls);

	if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1) {
		ERR_print_errors_fp(stderr);
		die("TLS");
	}
	return ssl;
}

static void links_open(struct bench *bench)
{
	const struct options *o = &bench->options;

	bench->links = calloc(o->connections, sizeof(*bench->links));
	CHECK(bench->links != NULL);
	for (uint64_t i = 0; i < o->connections; i++) {
		struct link *link = &bench->links[i];

		link->fd = dial(o, i);
		if (bench->tls != NULL)
			link->ssl = secure(bench, link->fd);
		link->left = o->events / o->connections + (i < o->events % o->connections);
		if (o->kind != KIND_UDP)
			nonblocking(link->fd);
	}
	bench->open = o->connections;
}

/* ---- sending over connections ---- */

/* Bytes, 0: not now, -1: broken. */
static ssize_t link_send(struct link *link, const char *bytes, size_t len)
{
	if (link->ssl != NULL) {
		int n = SSL_write(link->ssl, bytes, (int)len);
		int why = n > 0 ? SSL_ERROR_NONE : SSL_get_error(link->ssl, n);

		return n > 0 ? n
		    : why == SSL_ERROR_WANT_WRITE || why == SSL_ERROR_WANT_READ ? 0 : -1;
	}
	ssize_t n = send(link->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	return n >= 0 ? n : errno == EAGAIN || errno == EINTR ? 0 : -1;
}

static ssize_t link_recv(struct link *link, char *out, size_t room)
{
	if (link->ssl != NULL) {
		int n = SSL_read(link->ssl, out, (int)room);

		return n > 0 ? n : SSL_get_error(link->ssl, n) == SSL_ERROR_WANT_READ ? 0 : -1;
	}
	ssize_t n = recv(link->fd, out, room, MSG_DONTWAIT);

	return n > 0 ? n : n < 0 && errno == EAGAIN ? 0 : -1;
}

static void link_watch(struct bench *bench, struct link *link, uint32_t events, int what)
{
	struct epoll_event event = {.events = events, .data.ptr = link};

	if (epoll_ctl(bench->epoll, what, link->fd, &event) != 0)
		die("epoll_ctl");
}

static void link_end(struct bench *bench, struct link *link)
{
	epoll_ctl(bench->epoll, EPOLL_CTL_DEL, link->fd, NULL);
	bench->open--;
}

static void link_break(struct bench *bench, struct link *link)
{
	bench->broken++;
	link_end(bench, link);
}

static bool is_http(const struct options *o)
{
	return o->kind == KIND_HEC || o->kind == KIND_BULK;
}

/* The head of a request for a body of this length. */
static size_t request_head(const struct options *o, char *out, size_t room, size_t length)
{
	return (size_t)snprintf(out, room,
	    "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Splunk none\r\n"
	    "Content-Type: application/%s\r\nContent-Length: %zu\r\n\r\n",
	    o->kind == KIND_HEC ? "/services/collector/event" : "/_bulk",
	    o->kind == KIND_HEC ? "json" : "x-ndjson", length);
}

/* What does not go at once is kept. */
static bool link_rest(struct link *link, const char *bytes, size_t len)
{
	ssize_t n = link_send(link, bytes, len);

	if (n < 0)
		return false;
	link->at = 0;
	link->len = len - (size_t)n;
	if (link->len > 0) {
		link->bytes = malloc(link->len);
		CHECK(link->bytes != NULL);
		memcpy(link->bytes, bytes + n, link->len);
	}
	return true;
}

static bool link_make(struct bench *bench, struct link *link)
{
	const struct options *o = &bench->options;
	uint64_t next = bench->next;

	if (!link->again) {
		link->first = next;
		link->count = link->left < o->burst ? link->left : o->burst;
		link->left -= link->count;
		bench->sent += link->count;
	}
	bench->next = link->first;
	size_t room = 512, len = burst_make(bench, link->count), head;
	char *start = bench->made;

	bench->next = link->again ? next : bench->next;
	link->again = false;

	if (is_http(o)) {
		char bytes[512];

		head = request_head(o, bytes, room, len);
		start -= head;
		memcpy(start, bytes, head);
		len += head;
		link->waits = true;
		link->head_len = link->wants = 0;
	}
	return link_rest(link, start, len);
}

/* What was kept goes on. */
static bool link_go_on(struct link *link)
{
	ssize_t n = link_send(link, link->bytes + link->at, link->len - link->at);

	if (n < 0)
		return false;
	link->at += (size_t)n;
	if (link->at == link->len) {
		free(link->bytes);
		link->bytes = NULL;
		link->at = link->len = 0;
	}
	return true;
}

/* Writable: one write, so that all have their turn. */
static void link_write(struct bench *bench, struct link *link)
{
	bool good = link->len > 0 ? link_go_on(link) : link_make(bench, link);

	if (!good) {
		link_break(bench, link);
	} else if (link->len == 0) {
		if (link->waits)
			link_watch(bench, link, EPOLLIN, EPOLL_CTL_MOD);
		else if (link->left == 0)
			link_end(bench, link);
	}
}

/* The head is whole: what of the body has come, and whether it was a success. */
static void answer_begin(struct bench *bench, struct link *link, const char *end)
{
	const char *length = strcasestr(link->head, "\r\nContent-Length:");
	size_t body = link->head_len - (size_t)(end + 4 - link->head);

	link->wants = length == NULL ? 0 : strtoul(length + 17, NULL, 10);
	link->wants -= body < link->wants ? body : link->wants;
	link->again = strncmp(link->head, "HTTP/1.1 200", 12) != 0 ||
	    strstr(end, "\"errors\":true") != NULL;
	bench->refused += link->again;
	link->waits = link->wants > 0;
}

static void link_read(struct bench *bench, struct link *link)
{
	static char rest[65536];
	bool headed = link->wants > 0;
	ssize_t n = headed ? link_recv(link, rest, sizeof(rest))
			   : link_recv(link, link->head + link->head_len,
				 sizeof(link->head) - 1 - link->head_len);

	if (n < 0) {
		link_break(bench, link);
		return;
	}
	if (headed) {
		link->wants -= (size_t)n < link->wants ? (size_t)n : link->wants;
		link->waits = link->wants > 0;
	} else {
		link->head_len += (size_t)n;
		link->head[link->head_len] = '\0';
		const char *end = strstr(link->head, "\r\n\r\n");

		if (end != NULL)
			answer_begin(bench, link, end);
	}
	if (link->waits)
		return;
	if (link->again)
		nanosleep(&(struct timespec){.tv_nsec = BACK_OFF_NS}, NULL);
	if (link->left == 0 && !link->again)
		link_end(bench, link);
	else
		link_watch(bench, link, EPOLLOUT, EPOLL_CTL_MOD);
}

static void links_run(struct bench *bench)
{
	struct epoll_event ready[READY_MAX];

	for (uint64_t i = 0; i < bench->options.connections; i++)
		link_watch(bench, &bench->links[i], EPOLLOUT, EPOLL_CTL_ADD);
	while (bench->open > 0) {
		int count = epoll_wait(bench->epoll, ready, READY_MAX, LAST_MS);

		if (count < 0 && errno != EINTR)
			die("epoll_wait");
		if (count == 0)
			return;
		for (int i = 0; i < count; i++) {
			struct link *link = ready[i].data.ptr;

			if (link->waits && link->len == 0)
				link_read(bench, link);
			else
				link_write(bench, link);
		}
	}
}

/*
 * All has been handed to the kernel. A socket that is closed while something lies unread in it (a
 * session ticket) resets the connection, and what the other end has not read is lost: hence the
 * reading before.
 */
static void links_close(struct bench *bench)
{
	char rest[4096];

	if (bench->options.kind == KIND_UDP)
		return;
	for (uint64_t i = 0; i < bench->options.connections; i++) {
		struct link *link = &bench->links[i];

		if (link->ssl != NULL)
			SSL_shutdown(link->ssl);
		shutdown(link->fd, SHUT_WR);
	}
	for (uint64_t i = 0; i < bench->options.connections; i++) {
		struct pollfd one = {.fd = bench->links[i].fd, .events = POLLIN};

		while (poll(&one, 1, LAST_MS) == 1 && recv(one.fd, rest, sizeof(rest), 0) > 0)
			continue;
		close(one.fd);
		SSL_free(bench->links[i].ssl);
	}
}

/* ---- datagrams ---- */

static size_t datagrams_send(struct bench *bench, int fd, size_t count)
{
	struct mmsghdr messages[UDP_BATCH];
	struct iovec vectors[UDP_BATCH];

	for (size_t i = 0; i < count; i++) {
		char *out = bench->made + i * EVENT_MAX;

		vectors[i] = (struct iovec){out, event_put(bench, out)};
		messages[i] = (struct mmsghdr){
		    .msg_hdr = {.msg_iov = &vectors[i], .msg_iovlen = 1}};
	}
	int sent = sendmmsg(fd, messages, (unsigned)count, 0);

	sent = sent < 0 ? 0 : sent;
	/* Those that the kernel did not take are made again, under their numbers. */
	bench->next -= count - (size_t)sent;
	return (size_t)sent;
}

/* What is due by now, half a millisecond at a time, in batches of one sender after another. */
static void datagrams_run(struct bench *bench)
{
	const struct options *o = &bench->options;
	int64_t begin = now_ns();
	uint64_t turn = 0;

	while (bench->sent < o->events) {
		uint64_t due = (uint64_t)((double)(now_ns() - begin) / 1e9 * (double)o->rate);

		due = due < o->events ? due : o->events;
		while (bench->sent < due) {
			uint64_t count = due - bench->sent;

			count = count < o->burst ? count : o->burst;
			bench->sent += datagrams_send(bench,
			    bench->links[turn++ % o->connections].fd, (size_t)count);
		}
		if (bench->sent < o->events)
			nanosleep(&(struct timespec){.tv_nsec = PACE_NS}, NULL);
	}
}

/* ---- the whole ---- */

static bool option_read(struct options *o, const char *word)
{
	const struct {
		const char *name;
		uint64_t *value;
	} rows[] = {{"connections=", &o->connections}, {"events=", &o->events},
	    {"burst=", &o->burst}, {"bytes=", &o->bytes}, {"rate=", &o->rate},
	    {"octet=", &o->octet}, {"hosts=", &o->hosts}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].name);

		if (strncmp(word, rows[i].name, len) == 0) {
			*rows[i].value = strtoull(word + len, NULL, 10);
			return true;
		}
	}
	return false;
}

static bool options_read(struct options *o, int argc, char **argv)
{
	*o = (struct options){.kind = KIND_COUNT, .connections = 1, .events = 1000, .burst = 100,
	    .bytes = 300, .rate = 10000};
	if (argc < 3)
		return false;
	for (int i = 0; i < KIND_COUNT; i++)
		if (strcmp(argv[1], kind_names[i]) == 0)
			o->kind = (enum kind)i;
	o->port = (unsigned)strtoul(argv[2], NULL, 10);
	for (int i = 3; i < argc; i++)
		if (!option_read(o, argv[i]))
			return false;
	return o->kind != KIND_COUNT && o->connections > 0 && o->burst > 0 &&
	    (o->kind != KIND_UDP || o->burst <= UDP_BATCH);
}

/* A head of HTTP goes before what is made. */
static void bench_begin(struct bench *bench)
{
	const struct options *o = &bench->options;
	size_t each = o->kind == KIND_UDP ? EVENT_MAX : o->bytes + 64, room = 512;

	CHECK(o->bytes >= 250 && o->bytes <= EVENT_MAX - 128);
	bench->templates = calloc(TEMPLATES, sizeof(*bench->templates));
	CHECK(bench->templates != NULL);
	for (size_t i = 0; i < TEMPLATES; i++)
		template_make(&bench->templates[i], o);
	bench->made_max = room + o->burst * each;
	bench->made = malloc(bench->made_max);
	CHECK(bench->made != NULL);
	bench->made += room;
	bench->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (o->kind != KIND_TLS)
		return;
	bench->tls = SSL_CTX_new(TLS_client_method());
	CHECK(bench->tls != NULL);
	SSL_CTX_set_mode(bench->tls, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
}

int main(int argc, char **argv)
{
	static struct bench bench;
	struct timespec cpu;

	if (!options_read(&bench.options, argc, argv)) {
		fprintf(stderr, "bench_send: tcp|tls|udp|hec|bulk PORT [name=value...]\n");
		return 2;
	}
	bench_begin(&bench);
	int64_t begin = now_ns();

	links_open(&bench);
	printf("ready %.3f\n", (double)(now_ns() - begin) / 1e9);
	fflush(stdout);
	if (getchar() == EOF)
		return 0;
	begin = now_ns();
	if (bench.options.kind == KIND_UDP)
		datagrams_run(&bench);
	else
		links_run(&bench);
	double seconds = (double)(now_ns() - begin) / 1e9;

	links_close(&bench);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	printf("{\"sent\":%llu,\"seconds\":%.3f,\"refused\":%llu,\"broken\":%llu,\"open\":%llu,"
	       "\"cpu\":%.3f}\n", (unsigned long long)bench.sent, seconds,
	    (unsigned long long)bench.refused, (unsigned long long)bench.broken,
	    (unsigned long long)bench.open, (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9);
	return 0;
}
